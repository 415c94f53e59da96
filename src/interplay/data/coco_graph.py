"""COCO-style scene graphs: COCO's boxes, and relations either in the same file or in a ``rel.json`` beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.json_files import Place, read_json
from interplay.data.picture_folder import PictureFolder
from interplay.data.scene_table import MAX_RELATIONS, MAX_SIDE, SceneTable
from interplay.data.scenes import BACKGROUND, Vocabulary
from interplay.data.table_dataset import TableDataset, folder_of, vocabulary_of

PART_WORDS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
REL = "rel.json"
WHOLE = "an object with images, annotations and categories"
_ID = 2**53


class CocoGraph(TableDataset):
    """Scene graphs in COCO's layout.

    Args:
        root: a folder with one file per part, named by the word train, val (or validation) or test in its name
            (``train.json``, ``instances_val.json``, ``test_relations.json``); or one file, whose pictures are all test.
        images: folder of the pictures; None looks for ``images`` in the folder.
        with_relations: parts hold only pictures that have a relation.

    Each file is an object with COCO's ``images`` (id, width, height, file_name), ``annotations`` (id, image_id,
    category_id, bbox = x, y, width, height) and ``categories`` (id, name). Relations are either ``rel_annotations``
    (subject_id, object_id: ids of annotations; predicate_id; image_id) and ``rel_categories`` (id, name) of the same
    file, or stand in ``rel.json``: for each part an object from image id to rows (subject, object, predicate), where
    entities count within the picture in the order of the file and predicates index ``rel_categories``, a list of names.

    x2 = x + width − 1: the last pixel of a box is part of it. Classes are numbered from 1 in the order of their ids.

    Raises:
        DataError: files that are missing or broken as a whole. A picture whose entry is wrong raises when it is read.
    """

    name = "coco_graph"

    def __init__(self, root: str | Path, images: str | Path | None = None, with_relations: bool = True) -> None:
        given = Path(root)
        self.with_relations = with_relations
        if given.is_file():
            files = {"test": given}
            self.root = given.parent
        else:
            self.root = folder_of(root, "a folder of COCO files, or one of them")
            files = _files_by_part(self.root)
        values = {part: (Place(path, ""), read_json(path, WHOLE)) for part, path in files.items()}
        outside = self.root / REL if (self.root / REL).is_file() else None
        listed = (
            None
            if outside is None
            else Place(outside, "").mapping(read_json(outside, "an object"), ("rel_categories",))
        )
        table: SceneTable | None = None
        for part, (place, value) in values.items():
            whole = place.mapping(value, ("images", "annotations", "categories"))
            if listed is None:
                place.mapping(value, ("rel_annotations", "rel_categories"))
            reader = _File(place, part, whole, None if outside is None else Place(outside, ""), listed)
            if table is None:
                table = SceneTable(reader.vocabulary)
            elif table.vocabulary != reader.vocabulary:
                place.fail("other categories or rel_categories", f"those of {next(iter(files.values())).name}")
            reader.fill(table)
        assert table is not None
        pictures = PictureFolder([self.root / "images"] if images is None else [Path(images)], images is not None)
        paths = [*files.values(), *([outside] if outside is not None else [])]
        self._finish(table, pictures, paths, (with_relations,))


def _files_by_part(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.json")):
        words = path.stem.lower().replace("-", "_").split("_")
        for part in {PART_WORDS[word] for word in words if word in PART_WORDS}:
            if part in found:
                raise DataError(folder, "", f"{found[part].name} and {path.name}", f"one file of the part {part}")
            found[part] = path
    if not found:
        raise DataError(folder, "", "no file of a part", "train.json, val.json or test.json")
    return {part: found[part] for part in ("train", "validation", "test") if part in found}


class _File:
    """One part's file on its way into the table."""

    def __init__(
        self, place: Place, part: str, whole: dict[str, Any], outside: Place | None, listed: dict[str, Any] | None
    ) -> None:
        self.place, self.part, self.whole, self.outside, self.listed = place, part, whole, outside, listed
        self.classes, names = self._categories("categories")
        if listed is None:
            self.predicates, predicate_names = self._categories("rel_categories")
        else:
            assert outside is not None
            predicate_names = list(outside.names(listed["rel_categories"], "rel_categories"))
            shift = 0 if predicate_names and predicate_names[0] == BACKGROUND else 1
            self.predicates = {number: number + shift for number in range(len(predicate_names))}
        self.vocabulary: Vocabulary = vocabulary_of(place, names, predicate_names)

    def _categories(self, key: str) -> tuple[dict[int, int], list[str]]:
        """Id → index from 1 in the order of ids, and the names in that order; a background among them is index 0."""
        byid: dict[int, str] = {}
        for number, value in enumerate(self.place.sequence(self.whole[key], key, 2**16)):
            here = self.place.at(f"{key} {number}")
            entry = here.mapping(value, ("id", "name"))
            identity = here.integer(entry["id"], "id", -_ID, _ID)
            if identity in byid:
                here.fail(f"id {identity} again", "each id once")
            byid[identity] = here.text(entry["name"], "name")
        ordered = sorted(byid)
        shift = 0 if ordered and byid[ordered[0]] == BACKGROUND else 1
        return {identity: at + shift for at, identity in enumerate(ordered)}, [byid[identity] for identity in ordered]

    def fill(self, table: SceneTable) -> None:
        entities = self._by_image("annotations")
        relations = self._by_image("rel_annotations") if self.listed is None else {}
        part_relations: Mapping[str, Any] = {}
        if self.listed is not None and self.outside is not None:
            key = next(
                (word for word, part in PART_WORDS.items() if part == self.part and word in self.listed), self.part
            )
            part_relations = self.outside.at(f"key {key!r}").mapping(self.listed.get(key, {}))
        for number, value in enumerate(self.place.sequence(self.whole["images"], "images")):
            place = self.place.at(f"image {number}")
            name = f"{self.part} {number}"
            try:
                entry = place.mapping(value, ("id", "width", "height"))
                identity = place.integer(entry["id"], "id", -_ID, _ID)
                file = str(entry["file_name"]) if isinstance(entry.get("file_name"), str) else None
                name = Path(file).stem if file and Path(file).stem else str(identity)
                size = (
                    place.integer(entry["width"], "width", 1, MAX_SIDE),
                    place.integer(entry["height"], "height", 1, MAX_SIDE),
                )
                boxes, labels, rows_of = self._entities(place, entities.get(identity, []))
                if self.listed is None:
                    rows = self._relations(place, relations.get(identity, []), rows_of)
                else:
                    rows = self._listed(part_relations.get(str(identity), []), identity)
                table.add(place, name, self.part, size, boxes, labels, rows, file=file)
            except DataError as error:
                table.add_broken(name, self.part, error)

    def _by_image(self, key: str) -> dict[int, list[tuple[int, Any]]]:
        """Image id → (number in the file, entry); what has no image id is an error of the whole file."""
        found: dict[int, list[tuple[int, Any]]] = {}
        for number, value in enumerate(self.place.sequence(self.whole[key], key)):
            image = value.get("image_id") if isinstance(value, dict) else None
            if type(image) is not int:
                self.place.fail(f"{key} {number}: no whole image_id", "an object with image_id")
            found.setdefault(image, []).append((number, value))
        return found

    def _entities(
        self, place: Place, found: list[tuple[int, Any]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[int, int]]:
        boxes: list[Any] = []
        labels: list[int] = []
        rows_of: dict[int, int] = {}
        for number, value in found:
            here = place.at(f"annotations {number}")
            entry = here.mapping(value, ("id", "category_id", "bbox"))
            identity = here.integer(entry["id"], "id", -_ID, _ID)
            if identity in rows_of:
                here.fail(f"id {identity} again", "each id once")
            rows_of[identity] = len(boxes)
            labels.append(self._known(here, entry["category_id"], "category_id", self.classes))
            boxes.append(entry["bbox"])
        table = place.table(boxes, "bbox", 4, 2**20)
        if not (table[:, 2:] > 0).all():  # NaN compares as wrong
            place.fail("a bbox without an area", "x, y, width > 0, height > 0")
        # A box narrower than two pixels keeps half its width, so that it has an area.
        last = table[:, :2] + np.maximum(table[:, 2:] - 1, table[:, 2:] / 2)
        return np.concatenate([table[:, :2], last], axis=1), np.array(labels, np.float64), rows_of

    def _relations(self, place: Place, found: list[tuple[int, Any]], rows_of: Mapping[int, int]) -> NDArray[np.float64]:
        rows = []
        for number, value in found:
            here = place.at(f"rel_annotations {number}")
            entry = here.mapping(value, ("subject_id", "object_id", "predicate_id"))
            ends = [self._known(here, entry[key], key, rows_of) for key in ("subject_id", "object_id")]
            rows.append([*ends, self._known(here, entry["predicate_id"], "predicate_id", self.predicates)])
        return np.array(rows, np.float64).reshape(-1, 3)

    def _listed(self, value: Any, identity: int) -> NDArray[np.float64]:
        assert self.outside is not None
        here = self.outside.at(f"image {identity}")
        rows = here.table(value, "relations", 3, MAX_RELATIONS)
        predicates = [self._known(here, number, "predicate", self.predicates) for number in rows[:, 2].tolist()]
        rows[:, 2] = predicates
        return rows

    @staticmethod
    def _known(place: Place, value: Any, what: str, table: Mapping[int, int]) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int or value not in table:
            place.fail(
                f"{what} {str(value)[:40]}", "one that the file lists" if "_id" in what else "one of rel_categories"
            )
        return table[value]
