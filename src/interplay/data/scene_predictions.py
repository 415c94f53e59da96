"""Files with annotated relations and a model's answers: what ``interplay evaluate --predictions --protocol`` reads.

``.npz``: per-image arrays concatenated, ``X_offsets`` says which rows each image owns (``docs/scene_evaluation.md``
lists the keys). Read image by image: memory does not grow with the file. ``.json``: the same keys without offsets, one
object per image. ``.jsonl``: the same, the header on the first line and an image on each further one.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.npy import NpzRows, open_npz

OWNERS = {"gt": ("gt_boxes", "gt_labels"), "gt_rel": ("gt_rels",), "obj": ("pred_boxes", "pred_labels", "pred_scores")}
"""Offsets → arrays that they cut, read whole; ``pair`` cuts ``pairs`` and ``rel_scores``, which are streamed."""
COLUMNS = {"gt_boxes": 4, "gt_rels": 3, "pred_boxes": 4, "pairs": 2, "zeroshot": 3}
FLOATS = ("gt_boxes", "pred_boxes", "pred_scores", "rel_scores")
MAX_IMAGE_BYTES = 2**31


@dataclass(frozen=True, eq=False)
class ScenePrediction:
    """One image. Boxes are x1, y1, x2, y2 in pixels of the image as annotated, last pixel included.

    Args:
        id: name of the image, or its number.
        size: width, height in pixels; None where the file does not say.
        true_boxes, true_labels, true_relations: (N, 4), (N,), (Q, 3) rows (subject, object, predicate).
        boxes, labels, scores: (M, 4), (M,), (M,) predicted entities.
        pairs, predicate_scores: (R, 2), (R, P), best pair first, column 0 = background.
    """

    id: str
    size: tuple[int, int] | None
    true_boxes: NDArray[Any]
    true_labels: NDArray[Any]
    true_relations: NDArray[Any]
    boxes: NDArray[Any]
    labels: NDArray[Any]
    scores: NDArray[Any]
    pairs: NDArray[Any]
    predicate_scores: NDArray[Any]


@dataclass(frozen=True, eq=False)
class ScenePredictions:
    """What a file says of all images; iterating reads them one after another, again from the front each time.

    Args:
        file: where it is.
        num_predicates: P, background included.
        num_classes: O, background included, or None.
        count: images, or None where only reading on will tell.
        zero_shot: int64 (Z, 3) rows (subject class, object class, predicate), or None.
        predicate_names: P names, or None.
        predicate_counts: (P,) how often training shows each, or None.
        task: predcls, sgcls or sggen, or None.
    """

    file: Path
    num_predicates: int
    num_classes: int | None
    count: int | None
    zero_shot: NDArray[np.int64] | None
    predicate_names: tuple[str, ...] | None
    predicate_counts: NDArray[np.int64] | None
    task: str | None

    def __iter__(self) -> Iterator[ScenePrediction]:
        read = _npz_images if self.file.suffix == ".npz" else _json_images
        for number, values in enumerate(read(self.file)):
            yield self._checked(values, number)

    def _checked(self, values: Mapping[str, Any], number: int) -> ScenePrediction:
        name = str(values.get("id", number))
        record = f"image {name}"
        arrays = {key: _array(self.file, record, key, values[key]) for key in GIVEN if key in values}
        for key in TRUE:
            if key not in arrays:
                raise DataError(self.file, record, f"no {key!r}", "true boxes, labels and relations")
        boxes, labels = arrays["gt_boxes"], arrays["gt_labels"]
        if "pred_boxes" not in arrays:
            arrays |= {"pred_boxes": boxes, "pred_labels": labels, "pred_scores": np.ones(len(boxes), np.float32)}
        for key in ("pred_labels", "pred_scores", "pairs", "rel_scores"):
            if key not in arrays:
                raise DataError(self.file, record, f"no {key!r}", "entities with labels and scores, and scored pairs")
        entities, pairs, scores = arrays["pred_boxes"], arrays["pairs"], arrays["rel_scores"]
        if not len(pairs):
            scores = scores.reshape(0, self.num_predicates) if not scores.size else scores
        for key, expected in (
            ("gt_labels", (len(boxes),)),
            ("pred_labels", (len(entities),)),
            ("pred_scores", (len(entities),)),
        ):
            if arrays[key].shape != expected:
                raise DataError(self.file, f"{record}, {key}", f"shape {arrays[key].shape}", f"shape {expected}")
        if scores.shape != (len(pairs), self.num_predicates):
            shape = f"shape ({len(pairs)}, {self.num_predicates}), a row for each pair"
            raise DataError(self.file, f"{record}, rel_scores", f"shape {scores.shape}", shape)
        relations = arrays["gt_rels"]
        ranges: tuple[tuple[str, NDArray[Any], int, int | None], ...] = (
            ("gt_labels", labels, 1, self.num_classes),
            ("pred_labels", arrays["pred_labels"], 0, self.num_classes),
            ("gt_rels, entities", relations[:, :2], 0, len(boxes)),
            ("gt_rels, predicates", relations[:, 2], 1, self.num_predicates),
            ("pairs", pairs, 0, len(entities)),
            ("pred_scores", arrays["pred_scores"], 0, None),
        )
        for key, part, low, high in ranges:
            if part.size and (part.min() < low or (high is not None and part.max() >= high)):
                bad = part.min() if part.min() < low else part.max()
                expected_range = f"at least {low}" if high is None else f"{low} … {high - 1}"
                raise DataError(self.file, f"{record}, {key}", f"{bad}", expected_range)
        size = values.get("size")
        return ScenePrediction(
            name,
            None if size is None else _size(self.file, record, size),
            boxes,
            labels,
            relations,
            entities,
            arrays["pred_labels"],
            arrays["pred_scores"],
            pairs,
            scores,
        )


TRUE = ("gt_boxes", "gt_labels", "gt_rels")
GIVEN = (*TRUE, "pred_boxes", "pred_labels", "pred_scores", "pairs", "rel_scores")


def open_scene_predictions(file: str | Path) -> ScenePredictions:
    """Read what the file says of all images.

    Raises:
        DataError: not a file of this kind. What is wrong with an image is said when that is reached.
    """
    file = Path(file)
    count: int | None
    if file.suffix == ".npz":
        header, count = _npz_header(file)
    elif file.suffix in (".json", ".jsonl"):
        header, count = _json_header(file)
    else:
        raise DataError(file, "", f"a name ending in {file.suffix!r}", ".npz, .json or .jsonl")
    names = header.get("predicate_names")
    if names is not None:
        names = tuple(str(name) for name in np.asarray(names).ravel())
    number = header.get("num_predicates", None if names is None else len(names))
    if number is None:
        raise DataError(file, "", "neither 'num_predicates' nor 'predicate_names'", "one of them")
    predicates = _count(file, "num_predicates", number)
    if names is not None and len(names) != predicates:
        raise DataError(file, "predicate_names", f"{len(names)} names", f"{predicates}, background first")
    classes = header.get("num_classes")
    zero_shot, counts, task = header.get("zeroshot"), header.get("predicate_counts"), header.get("task")
    made = ScenePredictions(
        file,
        predicates,
        None if classes is None else _count(file, "num_classes", classes),
        count,
        None if zero_shot is None else _array(file, "", "zeroshot", zero_shot).astype(np.int64),
        names,
        None if counts is None else _array(file, "", "predicate_counts", counts).astype(np.int64),
        None if task is None else str(np.asarray(task)[()]).replace("sgdet", "sggen"),
    )
    if made.predicate_counts is not None and made.predicate_counts.shape != (predicates,):
        shape = f"shape {made.predicate_counts.shape}"
        raise DataError(file, "predicate_counts", shape, f"({predicates},), background first")
    if made.task not in (None, "predcls", "sgcls", "sggen"):
        raise DataError(file, "task", repr(made.task), "predcls, sgcls or sggen")
    return made


def _count(file: Path, key: str, value: Any) -> int:
    number = np.asarray(value)
    if number.shape not in ((), (1,)) or number.dtype.kind not in "iu" or int(number.ravel()[0]) < 2:
        raise DataError(file, key, str(value)[:40], "a number, at least 2 (background included)")
    return int(number.ravel()[0])


def _size(file: Path, record: str, value: Any) -> tuple[int, int]:
    numbers = np.asarray(value)
    if numbers.shape != (2,) or numbers.dtype.kind not in "iu" or numbers.min() < 1:
        raise DataError(file, f"{record}, size", str(value)[:40], "width and height in pixels")
    return int(numbers[0]), int(numbers[1])


def _array(file: Path, record: str, key: str, value: Any) -> NDArray[Any]:
    """Numbers in the shape that the key has; integers where indices and labels are meant."""
    where = f"{record}, {key}" if record else key
    try:
        made = np.asarray(value)
    except ValueError:
        raise DataError(file, where, "rows of different lengths", "a table of numbers") from None
    columns = COLUMNS.get(key)
    if made.size == 0:
        shape = (0,) if columns is None and key != "rel_scores" else (0, columns or 0)
        return np.zeros(shape, np.float32 if key in FLOATS else np.int64)
    if made.dtype.kind not in ("iuf" if key in FLOATS else "iu"):
        raise DataError(file, where, f"values of type {made.dtype}", "numbers" if key in FLOATS else "integers")
    wide = columns is not None or key == "rel_scores"
    if made.ndim != (2 if wide else 1) or (columns is not None and made.shape[1] != columns):
        raise DataError(file, where, f"shape {made.shape}", f"(rows, {columns or 'predicates'})" if wide else "(rows,)")
    if key in FLOATS:
        made = made if made.dtype in (np.float32, np.float64) else made.astype(np.float64)
        if not np.isfinite(made).all():
            raise DataError(file, where, "a value that is not finite", "finite numbers")
    return made


def _opened(file: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except OSError as error:
        raise DataError(file, "", error.strerror or type(error).__name__, "a readable .npz file") from None
    except zipfile.BadZipFile as error:
        raise DataError(file, "", f"a damaged archive ({error})", "an .npz file") from None


def _npz_header(file: Path) -> tuple[dict[str, Any], int]:
    whole = open_npz(file, leave=("pairs", "rel_scores"))
    offsets = whole.get("gt_offsets")
    if offsets is None:
        raise DataError(file, "", "no array 'gt_offsets'", "offsets of each image's rows")
    header = ("num_predicates", "num_classes", "zeroshot", "predicate_names", "predicate_counts", "task")
    return {key: whole[key] for key in header if key in whole}, len(offsets) - 1


def _npz_images(file: Path) -> Iterator[dict[str, Any]]:
    whole = open_npz(file, leave=("pairs", "rel_scores"))
    with ExitStack() as opened:
        archive = opened.enter_context(_opened(file))
        streams = {key: opened.enter_context(closing(NpzRows(archive, key, file))) for key in ("pairs", "rel_scores")}
        lengths = {key: stream.shape[0] for key, stream in streams.items()}
        owners = {**OWNERS, "pair": tuple(streams)}
        if "pred_boxes" not in whole:
            owners.pop("obj")
        bounds: dict[str, list[int]] = {}
        for owner, keys in owners.items():
            for key in keys:
                if key not in lengths and key not in whole:
                    raise DataError(file, f"array {key!r}", "nothing", "an array of this name")
            sizes = {key: lengths.get(key, len(whole.get(key, ()))) for key in keys}
            bounds[owner] = _offsets(file, owner, whole.get(f"{owner}_offsets"), sizes)
        images = len(bounds["gt"]) - 1
        for owner, found in bounds.items():
            if len(found) - 1 != images:
                raise DataError(file, f"{owner}_offsets", f"{len(found) - 1} images", f"{images} as in gt_offsets")
        row = sum(int(np.prod(one.shape[1:])) * one.dtype.itemsize for one in streams.values())
        for image in range(images):
            values: dict[str, Any] = {}
            for owner, keys in owners.items():
                low, high = bounds[owner][image : image + 2]
                if owner == "pair" and (high - low) * row > MAX_IMAGE_BYTES:
                    raise DataError(file, f"image {image}", f"{high - low} pairs", f"at most {MAX_IMAGE_BYTES} bytes")
                for key in keys:
                    values[key] = streams[key].take(high - low) if key in streams else whole[key][low:high]
            if "image_size" in whole and len(whole["image_size"]) > image:
                values["size"] = whole["image_size"][image]
            if "image_ids" in whole and len(whole["image_ids"]) > image:
                values["id"] = whole["image_ids"][image]
            yield values


def _offsets(file: Path, owner: str, values: NDArray[Any] | None, sizes: Mapping[str, int]) -> list[int]:
    key = f"{owner}_offsets"
    if values is None:
        raise DataError(file, f"array {key!r}", "nothing", f"where each image's rows of {', '.join(sizes)} begin")
    if values.ndim != 1 or len(values) < 1 or values.dtype.kind not in "iu":
        raise DataError(file, key, f"{values.dtype} of shape {values.shape}", "a row of integers")
    found: list[int] = values.tolist()
    if found[0] != 0 or any(later < earlier for earlier, later in pairwise(found)):
        raise DataError(file, key, "offsets that do not ascend from 0", "one more than there are images, ascending")
    for name, size in sizes.items():
        if size != found[-1]:
            raise DataError(file, f"array {name!r}", f"{size} rows", f"{found[-1]} as {key} ends")
    return found


def _json_header(file: Path) -> tuple[dict[str, Any], int | None]:
    if file.suffix == ".jsonl":
        for _, header in _lines(file):
            return header, None
        raise DataError(file, "", "nothing", "a header line and a line for each image")
    document = _document(file)
    return document, len(document["images"])


def _json_images(file: Path) -> Iterator[dict[str, Any]]:
    if file.suffix == ".jsonl":
        for number, values in _lines(file):
            if number > 1:
                yield {"id": f"on line {number}"} | values
        return
    for number, values in enumerate(_document(file)["images"]):
        if not isinstance(values, dict):
            raise DataError(file, f"image {number}", type(values).__name__, "an object")
        yield values


def _document(file: Path) -> dict[str, Any]:
    try:
        made = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(file, "", error.strerror or type(error).__name__, "a readable file") from None
    except (ValueError, RecursionError) as error:
        raise DataError(file, "", f"no JSON ({error})", "an object with a list 'images'") from None
    if not isinstance(made, dict) or not isinstance(made.get("images"), list):
        raise DataError(file, "", type(made).__name__ + " without 'images'", "an object with a list 'images'")
    return made


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    made = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise DataError(file, f"line {number}", f"no JSON ({error})", "an object") from None
                if not isinstance(made, dict):
                    raise DataError(file, f"line {number}", type(made).__name__, "an object")
                yield number, made
    except OSError as error:
        raise DataError(file, "", error.strerror or type(error).__name__, "a readable file") from None
    except UnicodeDecodeError:
        raise DataError(file, "", "bytes that are no text", "UTF-8") from None
