"""Stanford VRD (Lu et al. 2016): 5,000 pictures, 100 classes, 70 predicates, from its JSON files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.json_files import Place, read_json
from interplay.data.picture_folder import PictureFolder, picture_size
from interplay.data.scene_table import MAX_RELATIONS, SceneTable
from interplay.data.scenes import SceneImage
from interplay.data.table_dataset import TableDataset, folder_of, vocabulary_of

PICTURE_FOLDERS = ("images", "sg_train_images", "sg_test_images", "train_images", "test_images")


class VRD(TableDataset):
    """VRD's ``annotations_train.json``, ``annotations_test.json``, ``objects.json`` and ``predicates.json``.

    Args:
        root: folder of the four files.
        images: folder of the pictures, at any depth; None looks for the usual ones in the root. Annotations alone do.
        with_relations: parts hold only pictures that have a relation; 220 of 4,000 and 45 of 1,000 have none.
        validation: pictures taken from the beginning of the training list.

    Boxes stand in the file as ymin, ymax, xmin, xmax and are returned as x1, y1, x2, y2, otherwise as annotated (the
    smallest coordinate that occurs is 1, the largest the picture's side: they count from 1, which is left as it is, so
    that figures compare with others'). Equal boxes of one class are one entity, in the order in which they first occur.
    A relation may then be one of an entity with itself (83 and 26 are); it stays, because the published recalls count
    it.

    The files do not tell how large a picture is: where the picture is at hand, its header does; elsewhere the size is
    the smallest that holds all boxes, and ``meta["size"]`` is ``"estimated"``.

    Raises:
        DataError: files that are missing or broken as a whole. A picture whose entry is wrong raises when it is read.
    """

    name = "vrd"

    def __init__(
        self,
        root: str | Path,
        images: str | Path | None = None,
        with_relations: bool = True,
        validation: int = 0,
    ) -> None:
        if validation < 0:
            raise ValueError(f"validation: found {validation}, expected a number of pictures ≥ 0")
        self.root = folder_of(root, "a folder with annotations_train.json and annotations_test.json")
        self.with_relations = with_relations
        names = ("objects.json", "predicates.json", "annotations_train.json", "annotations_test.json")
        files = [self.root / name for name in names]
        lists = [read_json(path, "a list of names") for path in files[:2]]
        vocabulary = vocabulary_of(Place(self.root, "objects.json and predicates.json"), *lists)
        table = SceneTable(vocabulary)
        for part, path in (("train", files[2]), ("test", files[3])):
            entries = Place(path, "").mapping(read_json(path, "an object with a list of relations for each picture"))
            for number, (name, value) in enumerate(entries.items()):
                where = "validation" if part == "train" and number < validation else part
                place = Place(path, f"picture {name[:80]!r}")
                try:
                    boxes, labels, relations = _entities(place, value)
                    size = _extent(boxes)
                    table.add(place, name, where, size, boxes, labels, relations, meta={"size": "estimated"})
                except DataError as error:
                    table.add_broken(name, where, error)
        folders = [self.root / name for name in PICTURE_FOLDERS] if images is None else [Path(images)]
        self._finish(table, PictureFolder(folders, images is not None), files, (with_relations, validation))

    def read(self, index: int) -> SceneImage:
        scene = super().read(index)
        size = picture_size(scene.file) if scene.file is not None else None
        return scene if size is None else replace(scene, width=size[0], height=size[1], meta={"size": "of the picture"})


def _entities(place: Place, value: object) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Boxes (N, 4), labels (N,) and relations (Q, 3) of one picture; equal boxes of a class are one entity."""
    number_of: dict[tuple[float, ...], int] = {}
    rows: list[tuple[int, int, int]] = []
    for number, relation in enumerate(place.sequence(value, "relations", MAX_RELATIONS)):
        try:
            ends = _entity(relation["subject"]), _entity(relation["object"])
            predicate = relation["predicate"]
        except (TypeError, KeyError, ValueError):
            ends, predicate = None, None
        if ends is None or type(predicate) is not int or not 0 <= predicate < 2**16:
            expected = "predicate (a whole number), subject and object, each with category and bbox of four numbers"
            place.fail(f"relation {number}: something else", expected)
        first, second = (number_of.setdefault(entity, len(number_of)) for entity in ends)
        rows.append((first, second, predicate + 1))
    found = np.array(list(number_of), np.float64).reshape(-1, 5)
    boxes = found[:, [3, 1, 4, 2]]  # class, ymin, ymax, xmin, xmax → xmin, ymin, xmax, ymax
    return boxes, found[:, 0] + 1, np.array(rows, np.float64).reshape(-1, 3)


def _entity(value: Any) -> tuple[float, ...]:
    """Class, ymin, ymax, xmin, xmax; TypeError, KeyError or ValueError for anything else."""
    category, box = value["category"], value["bbox"]
    if type(category) is not int or len(box) != 4:
        raise ValueError
    for side in (category, *box):
        if type(side) not in (int, float) or not -(2**31) < side < 2**31:
            raise ValueError
    return (category, *box)


def _extent(boxes: NDArray[np.float64]) -> tuple[int, int]:
    """Width and height of the smallest picture that holds the boxes; coordinates count from 1."""
    if not len(boxes):
        return 1, 1
    right, lower = np.ceil(boxes[:, 2:].max(axis=0))
    return max(int(right), 1), max(int(lower), 1)
