"""Open Images V6 scene graphs: the JSON layout used for training, or the official CSV files themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from interplay.data.errors import DataError
from interplay.data.json_files import Place, read_elements, read_json
from interplay.data.open_images_csv import OFFICIAL, add_official
from interplay.data.picture_folder import PictureFolder
from interplay.data.scene_table import MAX_ENTITIES, MAX_RELATIONS, MAX_SIDE, SceneTable
from interplay.data.table_dataset import TableDataset, folder_of, vocabulary_of

ANNOTATIONS = {"train": "vrd-train-anno.json", "validation": "vrd-val-anno.json", "test": "vrd-test-anno.json"}
CATEGORIES = "categories_dict.json"
LAYOUT = "a list of objects with img_fn, img_size, bbox, det_labels and rel"


class OpenImages(TableDataset):
    """Open Images V6, or another set in its layout.

    Args:
        root: folder with ``annotations/vrd-{train,val,test}-anno.json`` and ``annotations/categories_dict.json`` (or
            the files directly in it); or a folder of the official ``*-annotations-vrd.csv``, whose boxes are merged by
            equal coordinates and class and whose ``is`` rows (attributes) are left out.
        images: folder of the pictures; None looks for ``images`` in the root.
        with_relations: parts hold only pictures that have a relation (every split, as the reference does).

    Classes and predicates count from 0 in the files and from 1 here, behind the background. Boxes are pixels and are
    not rounded. A file of a split that is missing leaves the part empty; at least one must be there.

    The CSV files have coordinates as fractions and no sizes: these come from the pictures, or from ``image_sizes.csv``
    (ImageID, Width, Height) in the root.

    Raises:
        DataError: files that are missing or broken as a whole. A picture whose entry is wrong raises when it is read.
    """

    name = "openimages"

    def __init__(self, root: str | Path, images: str | Path | None = None, with_relations: bool = True) -> None:
        self.root = folder_of(root, f"a folder with annotations/{ANNOTATIONS['train']}")
        self.with_relations = with_relations
        self._left_out: dict[str, int] = {}
        pictures = PictureFolder([self.root / "images"] if images is None else [Path(images)], images is not None)
        folder = self.root / "annotations" if (self.root / "annotations" / CATEGORIES).is_file() else self.root
        if (folder / CATEGORIES).is_file():
            table, files = _read_layout(folder)
        elif official := {part: path for part, name in OFFICIAL.items() for path in sorted(self.root.glob(name))}:
            table, files, self._left_out = add_official(self.root, official, pictures)
        else:
            raise DataError(root, "", f"neither {CATEGORIES} nor *-annotations-vrd.csv", "Open Images' annotations")
        self._finish(table, pictures, files, (with_relations,))

    @property
    def facts(self) -> dict[str, int | str]:
        return self.table.facts() | self._left_out


def _read_layout(folder: Path) -> tuple[SceneTable, list[Path]]:
    place = Place(folder / CATEGORIES, "")
    names = place.mapping(read_json(place.file, "an object with obj and rel"), ("obj", "rel"))
    table = SceneTable(vocabulary_of(place, names["obj"], names["rel"]))
    files = [folder / CATEGORIES]
    for part, name in ANNOTATIONS.items():
        if (folder / name).is_file():
            files.append(folder / name)
            _add_file(table, folder / name, part)
    if len(files) == 1:
        raise DataError(folder, "", "no annotations", " or ".join(ANNOTATIONS.values()))
    return table, files


def _add_file(table: SceneTable, path: Path, part: str) -> None:
    for number, value in enumerate(read_elements(path, LAYOUT)):
        place = Place(path, f"element {number}")
        name = f"{part} {number}"
        try:
            entry = place.mapping(value, ("img_fn", "img_size", "bbox", "det_labels", "rel"))
            name = place.text(entry["img_fn"], "img_fn")
            place = Place(path, f"picture {name[:80]!r}")
            size = place.sequence(entry["img_size"], "img_size", 2)
            if len(size) != 2:
                place.fail(f"img_size: {len(size)} values", "width and height")
            width, height = (place.integer(side, "img_size", 1, MAX_SIDE) for side in size)
            boxes = place.table(entry["bbox"], "bbox", 4, MAX_ENTITIES)
            listed = place.sequence(entry["det_labels"], "det_labels", MAX_ENTITIES)
            labels = place.table([[label] for label in listed], "det_labels", 1, MAX_ENTITIES).reshape(-1)
            if len(labels) != len(boxes):
                place.fail(f"{len(boxes)} boxes and {len(labels)} det_labels", "as many of both")
            relations = place.table(entry["rel"], "rel", 3, MAX_RELATIONS) + np.array([0, 0, 1])
            table.add(place, name, part, (width, height), boxes, labels + 1, relations)
        except DataError as error:
            table.add_broken(name, part, error)
