"""Visual Genome's scene graphs in the VG150 layout, and any other set in the same files.

``VG-SGG-with-attri.h5`` (or ``VG-SGG.h5``), ``VG-SGG-dicts-with-attri.json`` (or ``VG-SGG-dicts.json``) and
``image_data.json``, as in ``docs/data_scenes.md``; counts of classes and predicates are the files' own. Arrays are read
as they are needed (:class:`interplay.data.hdf5.Hdf5Columns`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.hdf5 import BLOCK_ROWS, Hdf5Columns
from interplay.data.json_files import Place, read_elements, read_json
from interplay.data.picture_folder import PictureFolder
from interplay.data.relation_filters import overlapping_only
from interplay.data.scene_table import MAX_ENTITIES, MAX_RELATIONS, MAX_SIDE, check_labels, check_relations
from interplay.data.scenes import BACKGROUND, SceneImage, Vocabulary
from interplay.data.sources import files_fingerprint
from interplay.data.zero_shot import read_zero_shot, unseen_triplets

H5_NAMES = ("VG-SGG-with-attri.h5", "VG-SGG.h5")
DICT_NAMES = ("VG-SGG-dicts-with-attri.json", "VG-SGG-dicts.json")
ZERO_SHOT_NAMES = ("zeroshot_triplet.npy", "zeroshot_triplet.json", "vg150_zero_shot.npy")
CORRUPTED = ("1592", "1722", "4616", "4617")
"""Pictures that ``image_data.json`` of Visual Genome lists and the arrays leave out."""
MAX_IMAGES = 2**22
MAX_ROWS = 2**25
"""Boxes, and relations, of a file; all of Visual Genome has 3.8 and 2.3 million."""
TRAIN, VALIDATION, TEST = 0, 1, 2
SPLIT_IS_WHOLE = "split_has_validation"
"""Attribute of an ``.h5`` whose ``split`` marks all validation pictures, even where there are none."""


class VisualGenome:
    """VG150, or another set in its layout.

    Args:
        root: folder of the three files, or the ``.h5`` itself with the others beside it.
        images: folder of the pictures, at any depth (both ``VG_100K`` folders below it); None looks for ``VG_100K``,
            ``VG_100K_2`` and ``images`` in the root. Without pictures there are annotations only.
        with_relations: parts hold only pictures that have a relation (off for training a detector).
        validation: pictures taken from the beginning of the training list; None: 5,000 where that list has 50,000 or
            more, otherwise a tenth; where the files mark validation pictures themselves (split 1, or the attribute
            that `data convert` writes), those.
        require_overlap: leave out training relations whose boxes do not overlap, and training pictures left with none
            (the reference does so for SGGen on request only).
        zero_shot_list: ``auto`` takes a list in the root (``zeroshot_triplet.npy`` / ``.json``), or else computes the
            test triplets that no training picture (validation included) has; ``computed`` insists on that; or a path.

    Boxes are decoded as the reference does, in the type in which they are stored: with integers x1 = trunc(cx − w/2)
    and x2 = x1 + w, so odd widths move by half a unit; floats are not truncated. They are scaled by max(W, H) / 1024
    and clipped to the picture's last pixel; none is left out (the reference drops what clipping made flat, but only in
    the input of training and testing, not in what it evaluates against).

    Raises:
        DataError: files that are missing, broken or do not fit each other.
    """

    name = "vg"

    def __init__(
        self,
        root: str | Path,
        images: str | Path | None = None,
        with_relations: bool = True,
        validation: int | None = None,
        require_overlap: bool = False,
        zero_shot_list: str = "auto",
    ) -> None:
        if validation is not None and validation < 0:
            raise ValueError(f"validation: found {validation}, expected a number of pictures ≥ 0")
        given = Path(root)
        self.root = given.parent if given.suffix == ".h5" else given
        if not self.root.is_dir():
            raise DataError(root, "", "no such folder", f"a folder with {H5_NAMES[0]} or {H5_NAMES[1]}")
        self.with_relations, self.validation, self.require_overlap = with_relations, validation, require_overlap
        self.zero_shot_list = zero_shot_list
        self._h5 = given if given.suffix == ".h5" else self._one_of(H5_NAMES)
        self._dicts = self._one_of(DICT_NAMES)
        self._image_data = self.root / "image_data.json"
        self.vocabulary = read_vocabulary(self._dicts)
        self._columns = Hdf5Columns(self._h5)
        images_in_h5, dtype = self._columns.describe("split", None)
        if dtype.kind == "f" or not 0 < images_in_h5 <= MAX_IMAGES:
            raise DataError(self._h5, "key 'split'", f"{images_in_h5} values of {dtype}", f"1 to {MAX_IMAGES} integers")
        self._ids, self._sizes = _read_image_data(self._image_data, images_in_h5)
        self._split = self._columns.whole("split", images_in_h5)
        box, relation = (
            (self._columns.whole(f"img_to_{end}_box", images_in_h5) for end in ("first", "last")),
            (self._columns.whole(f"img_to_{end}_rel", images_in_h5) for end in ("first", "last")),
        )
        self._first_box, self._last_box = box
        self._first_relation, self._last_relation = relation
        self._boxes_key = "boxes_1024" if "boxes_1024" in self._columns else "boxes_512"
        self._scale = int(self._boxes_key.removeprefix("boxes_"))
        self._boxes, self._box_type = self._columns.describe(self._boxes_key, 4)
        self._relations, _ = self._columns.describe("relationships", 2)
        for key, rows in (("labels", self._boxes), ("predicates", self._relations)):
            if rows > MAX_ROWS:
                raise DataError(self._h5, f"key {key!r}", f"{rows} rows", f"at most {MAX_ROWS}")
            found, dtype = self._columns.describe(key, None)
            if found != rows or dtype.kind == "f":
                raise DataError(self._h5, f"key {key!r}", f"{found} values of {dtype}", f"{rows} integers")
        folders = (
            [self.root / name for name in ("VG_100K", "VG_100K_2", "images")] if images is None else [Path(images)]
        )
        self.pictures = PictureFolder(folders, required=images is not None)

    def _one_of(self, names: Sequence[str]) -> Path:
        for name in names:
            if (self.root / name).is_file():
                return self.root / name
        raise DataError(self.root, "", "neither file", " or ".join(names))

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> Sequence[str]:
        return self._ids

    def read(self, index: int) -> SceneImage:
        scene = self.annotation(index)
        boxes = np.minimum(np.maximum(scene.boxes, 0), np.array([scene.width, scene.height] * 2, np.float32) - 1)
        file = self.pictures.find(scene.id)
        return SceneImage(scene.id, scene.width, scene.height, boxes, scene.labels, scene.relations, file)

    def annotation(self, index: int) -> SceneImage:
        """One picture with its boxes as annotated, not clipped, and no picture: what statistics count."""
        if not 0 <= index < len(self):
            raise IndexError(f"picture {index}: there are {len(self)}")
        place = Place(self._h5, f"picture {self._ids[index]}")
        width, height = (int(side) for side in self._sizes[index])
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
            Place(self._image_data, place.record).fail(f"{width}×{height}", f"sides from 1 to {MAX_SIDE} pixels")
        begin, end = _range(place, self._first_box[index], self._last_box[index], self._boxes, "boxes", MAX_ENTITIES)
        stored = self._columns.rows(self._boxes_key, begin, end)
        labels = self._columns.rows("labels", begin, end).reshape(-1).astype(np.float64)
        corners = decode_boxes(stored, place)
        boxes = (corners / self._scale * max(width, height)).astype(np.float32)
        first, last = self._first_relation[index], self._last_relation[index]
        start, stop = _range(place, first, last, self._relations, "relations", MAX_RELATIONS)
        ends = self._columns.rows("relationships", start, stop).astype(np.float64) - begin
        predicates = self._columns.rows("predicates", start, stop).reshape(-1, 1).astype(np.float64)
        rows = check_relations(place, np.concatenate([ends, predicates], axis=1), end - begin, self.vocabulary)
        classes = check_labels(place, labels, self.vocabulary)
        scene = SceneImage(self._ids[index], width, height, boxes, classes, rows)
        return overlapping_only(scene) if self.require_overlap and self._split[index] == TRAIN else scene

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        """The reference's split: pictures in order, those without boxes (and without relations) left out, then the
        first of the training list to validation."""
        return dict(self._parts)

    @cached_property
    def _parts(self) -> dict[str, NDArray[np.int64]]:
        usable = self._first_box >= 0
        if self.with_relations:
            usable &= self._first_relation >= 0
        train, marked, test = (np.flatnonzero(usable & (self._split == part)) for part in (TRAIN, VALIDATION, TEST))
        if self.require_overlap:
            kept = [index for index in train.tolist() if self._overlapping(index)]
            train = np.array(kept, np.int64)
        amount = self.validation
        if amount is None:
            whole = bool(len(marked)) or self._columns.marked(SPLIT_IS_WHOLE)
            amount = 0 if whole else 5000 if len(train) >= 50_000 else len(train) // 10
        validation = np.sort(np.concatenate([marked, train[:amount]]))
        return {"train": train[amount:], "validation": validation, "test": test}

    def _overlapping(self, index: int) -> bool:
        try:
            return len(self.annotation(index).relations) > 0
        except DataError:
            return True  # whoever reads it is told

    @cached_property
    def zero_shot(self) -> NDArray[np.int64] | None:
        if self.zero_shot_list not in ("auto", "computed"):
            return read_zero_shot(self.zero_shot_list, self.vocabulary)
        for name in ZERO_SHOT_NAMES if self.zero_shot_list == "auto" else ():
            if (self.root / name).is_file():
                return read_zero_shot(self.root / name, self.vocabulary)
        return self.computed_zero_shot()

    def computed_zero_shot(self) -> NDArray[np.int64]:
        """(Z, 3) test triplets (subject class, object class, predicate) of no training or validation picture."""
        train, test = self._triplets(self._split != TEST), self._triplets(self._split == TEST)
        return unseen_triplets(test, train)

    def _triplets(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Different triplets of the chosen pictures; block by block over the whole file's relations."""
        labels = np.zeros(self._boxes, np.int16 if len(self.vocabulary.classes) < 2**15 else np.int64)
        for start in range(0, self._boxes, BLOCK_ROWS):
            block = self._columns.rows("labels", start, min(start + BLOCK_ROWS, self._boxes)).reshape(-1)
            labels[start : start + len(block)] = np.clip(block, 0, len(self.vocabulary.classes) - 1)
        wanted = np.zeros(self._relations + 1, np.int32)
        inside = chosen & (self._first_relation >= 0) & (self._last_relation >= self._first_relation)
        inside &= self._last_relation < self._relations
        np.add.at(wanted, self._first_relation[inside], 1)
        np.add.at(wanted, self._last_relation[inside] + 1, -1)
        mask = np.cumsum(wanted[:-1]) > 0
        found = [np.zeros((0, 3), np.int64)]
        for start in range(0, self._relations, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, self._relations)
            ends = self._columns.rows("relationships", start, stop)
            kept = mask[start:stop] & ((ends >= 0) & (ends < self._boxes)).all(axis=1)
            predicates = self._columns.rows("predicates", start, stop).reshape(-1)[kept]
            rows = np.stack([labels[ends[kept, 0]], labels[ends[kept, 1]], predicates], axis=1).astype(np.int64)
            found.append(np.unique(rows, axis=0))
        return np.unique(np.concatenate(found), axis=0)

    @property
    def facts(self) -> dict[str, int | str]:
        """What `data check` prints besides counts."""
        shape = "integers, truncated" if self._box_type.kind in "iu" else "floats, as they are"
        return {
            "arrays": f"{self._h5.name}, {self._boxes} boxes, {self._relations} relations",
            "boxes stored as": f"{self._boxes_key}, {shape}",
            "pictures without boxes": int((self._first_box < 0).sum()),
            "pictures without relations": int((self._first_relation < 0).sum()),
        }

    def fingerprint(self) -> str:
        settings: Any = (self.with_relations, self.validation, self.require_overlap, self.zero_shot_list)
        return files_fingerprint("vg 1", (self._h5, self._dicts, self._image_data), settings)


def decode_boxes(stored: NDArray[Any], place: Place) -> NDArray[np.float64]:
    """(N, 4) cx, cy, w, h as stored → x1, y1, x2, y2 in the same units (spec E.1, I.4).

    Integers are converted in their own type: x1 = trunc(cx − w/2), x2 = x1 + w.
    """
    values = stored.astype(np.float64)
    wrong = ~((np.abs(values) <= MAX_SIDE).all(axis=1) & (values[:, 2:] > 0).all(axis=1))  # NaN compares as wrong
    if wrong.any():
        number = int(wrong.argmax())
        found = ", ".join(f"{value:g}" for value in values[number])
        place.fail(f"entity {number}: centre and size {found}", "a width and a height above 0")
    low = values[:, :2] - values[:, 2:] / 2
    if stored.dtype.kind in "iu":
        low = np.trunc(low)
    return np.concatenate([low, low + values[:, 2:]], axis=1)


def _range(place: Place, first: int, last: int, rows: int, what: str, most: int) -> tuple[int, int]:
    """Begin and end of a picture's rows; the stored last one is included, −1 means none."""
    begin, end = int(first), int(last) + 1
    if begin < 0:
        return 0, 0
    if not begin < end <= rows:
        place.fail(f"{what} {first} to {last}", f"rows of the {rows} in the file")
    if end - begin > most:
        place.fail(f"{end - begin} {what}", f"at most {most}")
    return begin, end


def read_vocabulary(path: Path) -> Vocabulary:
    """Classes and predicates in the order of their indices, which count from 1 without a gap; background first."""
    place = Place(path, "")
    value = place.mapping(read_json(path, "an object with label_to_idx and predicate_to_idx"))
    names = []
    for key, inverse in (("label_to_idx", "idx_to_label"), ("predicate_to_idx", "idx_to_predicate")):
        here = place.at(f"key {key!r}")
        if key in value:
            table = [(name, index) for name, index in here.mapping(value[key]).items()]
        else:
            here = place.at(f"key {inverse!r}")
            table = [(name, index) for index, name in here.mapping(value.get(inverse)).items()]
        byindex: dict[int, str] = {}
        for name, index in table:
            number = int(index) if isinstance(index, str) and index.isdecimal() and len(index) < 9 else index
            byindex[here.integer(number, f"index of {str(name)[:40]!r}", 1, len(table))] = here.text(name, "name")
        if len(byindex) != len(table) or not table:
            here.fail(f"{len(byindex)} different indices for {len(table)} names", "each index from 1 once")
        names.append((BACKGROUND, *(byindex[number] for number in sorted(byindex))))
    return Vocabulary(*names)


def _read_image_data(path: Path, rows: int) -> tuple[list[str], NDArray[np.int64]]:
    """Ids and (I, 2) widths and heights, in the order of the arrays."""
    expected = "a list of objects with image_id, width and height"
    ids: list[str] = []
    sizes: list[tuple[int, int]] = []
    for number, value in enumerate(read_elements(path, expected)):
        place = Place(path, f"element {number}")
        entry = place.mapping(value, ("image_id", "width", "height"))
        ids.append(place.text(entry["image_id"], "image_id"))
        # A size that cannot be is left for the picture that has it.
        low, high = -(2**31), 2**31
        sizes.append(
            (place.integer(entry["width"], "width", low, high), place.integer(entry["height"], "height", low, high))
        )
        if len(ids) > rows + len(CORRUPTED):
            place.fail(f"more than {rows + len(CORRUPTED)} pictures", f"{rows}, as in the arrays")
    if len(ids) != rows:
        kept = [at for at, id in enumerate(ids) if id not in CORRUPTED]
        if len(kept) != rows:
            raise DataError(path, "", f"{len(ids)} pictures", f"{rows}, as in the arrays")
        ids, sizes = [ids[at] for at in kept], [sizes[at] for at in kept]
    if len(set(ids)) != len(ids):
        raise DataError(path, "", "an image_id twice", "each picture once")
    return ids, np.array(sizes, np.int64).reshape(-1, 2)
