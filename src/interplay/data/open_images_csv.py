"""Open Images' official files: ``*-annotations-vrd.csv`` and the names of its classes, as annotated pictures."""

from __future__ import annotations

import csv
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from interplay.data.errors import DataError
from interplay.data.json_files import Place
from interplay.data.picture_folder import PictureFolder, picture_size
from interplay.data.scene_table import MAX_RELATIONS, MAX_SIDE, SceneTable
from interplay.data.table_dataset import vocabulary_of
from interplay.data.tables import Row, read_table

OFFICIAL = {
    "train": "*train-annotations-vrd.csv",
    "validation": "*validation-annotations-vrd.csv",
    "test": "*test-annotations-vrd.csv",
}
NAMES = ("class-descriptions-boxable.csv", "oidv7-class-descriptions-boxable.csv", "oidv6-class-descriptions.csv")
SIZES = "image_sizes.csv"
SIDES = ("XMin", "YMin", "XMax", "YMax")
MAX_PICTURES = 2**22


@dataclass
class _Picture:
    """What the rows of one picture say: entities by class and coordinates, in the order in which they first occur."""

    part: str
    line: int
    entities: OrderedDict[tuple[str, float, float, float, float], int] = field(default_factory=OrderedDict)
    relations: list[tuple[int, int, str]] = field(default_factory=list)
    error: DataError | None = None


def add_official(
    root: Path, files: Mapping[str, Path], pictures: PictureFolder
) -> tuple[SceneTable, list[Path], dict[str, int]]:
    """Read the CSV files of each part.

    Classes are those of the list of names, in its order, or, without one, those that occur, sorted by identifier;
    predicates those that occur, sorted by name. Rows ``is`` (an attribute, not an entity) are left out and counted.

    Raises:
        DataError: a broken file, or a picture whose size nothing tells.
    """
    found: dict[str, _Picture] = {}
    attributes = 0
    for part, path in files.items():
        relation = _relation_column(path)
        for row in read_table(
            path, ("ImageID", "LabelName1", "LabelName2", *(f"{s}{n}" for n in (1, 2) for s in SIDES))
        ):
            if row.text(relation) == "is":
                attributes += 1
                continue
            name = row.text("ImageID")
            if not name or len(name) > 200:
                raise row.error(f"ImageID {name[:40]!r}", "the name of a picture")
            picture = found.setdefault(name, _Picture(part, row.line))
            if picture.part != part:
                raise row.error(f"the picture {name} of {picture.part} again", "each picture in one part")
            if len(found) > MAX_PICTURES or len(picture.relations) >= MAX_RELATIONS:
                raise row.error("more than can be", f"{MAX_PICTURES} pictures, {MAX_RELATIONS} relations of one")
            try:
                ends = [picture.entities.setdefault(_entity(row, n), len(picture.entities)) for n in (1, 2)]
                picture.relations.append((ends[0], ends[1], row.text(relation)))
            except DataError as error:
                picture.error = picture.error or error
    names, name_file = _class_names(root)
    occurring = sorted({entity[0] for picture in found.values() for entity in picture.entities})
    identifiers = list(names) if names else occurring
    predicates = sorted({relation[2] for picture in found.values() for relation in picture.relations})
    place = Place(root, "the names of classes and predicates")
    labels = [names.get(identifier, identifier) for identifier in identifiers]
    table = SceneTable(vocabulary_of(place, _different(labels, identifiers), predicates))
    class_of = {identifier: number for number, identifier in enumerate(identifiers, 1)}
    predicate_of = {name: number for number, name in enumerate(predicates, 1)}
    sizes = _sizes(root / SIZES)
    for name, picture in found.items():
        here = Place(files[picture.part], f"picture {name}")
        try:
            if picture.error is not None:
                raise picture.error
            size = _size(here, name, sizes, pictures)
            entities = list(picture.entities)
            unknown = [entity[0] for entity in entities if entity[0] not in class_of]
            if unknown:
                here.fail(f"class {unknown[0][:40]!r}", "one of the list of names")
            boxes = np.array([entity[1:] for entity in entities], np.float64) * np.array([*size, *size])
            classes = np.array([class_of[entity[0]] for entity in entities], np.float64)
            rows = np.array([(s, o, predicate_of[p]) for s, o, p in picture.relations], np.float64)
            table.add(here, name, picture.part, size, boxes.reshape(-1, 4), classes, rows.reshape(-1, 3))
        except DataError as error:
            table.add_broken(name, picture.part, error)
    used = [*files.values(), *([name_file] if name_file else []), *([root / SIZES] if sizes else [])]
    return table, used, {"attribute rows left out": attributes}


def _relation_column(path: Path) -> str:
    """The column of the predicate, which versions name differently."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = [name.strip() for name in stream.readline(1 << 16).split(",")]
    except (OSError, UnicodeDecodeError):
        header = []
    for name in ("RelationLabel", "RelationshipLabel"):
        if name in header:
            return name
    raise DataError(path, "line 1", f"the columns {', '.join(header)[:120]!r}", "a column 'RelationshipLabel'")


def _entity(row: Row, number: int) -> tuple[str, float, float, float, float]:
    label = row.text(f"LabelName{number}")
    if not label or len(label) > 200:
        raise row.error(f"LabelName{number} {label[:40]!r}", "a class")
    x1, y1, x2, y2 = (row.number(f"{side}{number}") for side in SIDES)
    if not (-0.01 <= x1 < x2 <= 1.01 and -0.01 <= y1 < y2 <= 1.01):
        raise row.error(f"box {number}: {x1:g}, {y1:g}, {x2:g}, {y2:g}", "XMin < XMax and YMin < YMax, from 0 to 1")
    return label, x1, y1, x2, y2


def _class_names(root: Path) -> tuple[dict[str, str], Path | None]:
    """Identifier → name from the official list, which has no header; nothing if it is not there."""
    path = next((root / name for name in NAMES if (root / name).is_file()), None)
    if path is None:
        return {}, None
    names: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for line, fields in enumerate(csv.reader(stream, strict=True), 1):
                if fields == ["LabelName", "DisplayName"]:
                    continue
                if len(fields) != 2 or not all(fields) or len(names) >= 2**16 or len(fields[1]) > 200:
                    raise DataError(path, f"line {line}", f"{len(fields)} values", "an identifier and a name")
                names[fields[0]] = fields[1]
    except OSError as error:
        raise DataError(path, "", error.strerror or type(error).__name__, "a readable table") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            path, "", f"broken CSV ({type(error).__name__})", "an identifier and a name on each line"
        ) from None
    return names, path


def _different(names: list[str], identifiers: list[str]) -> list[str]:
    """Names, with the identifier behind one that another class has too."""
    amounts = Counter(names)
    return [
        f"{name} ({identifier})" if amounts[name] > 1 else name
        for name, identifier in zip(names, identifiers, strict=True)
    ]


def _sizes(path: Path) -> dict[str, tuple[int, int]]:
    if not path.is_file():
        return {}
    return {
        row.text("ImageID"): (row.integer("Width", 1, MAX_SIDE), row.integer("Height", 1, MAX_SIDE))
        for row in read_table(path, ("ImageID", "Width", "Height"))
    }


def _size(place: Place, name: str, sizes: Mapping[str, tuple[int, int]], pictures: PictureFolder) -> tuple[int, int]:
    file = pictures.find(name)
    size = sizes.get(name) or (picture_size(file) if file is not None else None)
    if size is None:
        place.fail("nothing that tells its size", f"the picture, or a row of {SIZES} (ImageID, Width, Height)")
    return size
