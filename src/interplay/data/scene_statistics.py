"""What the training annotations say before any picture is seen: counts of relations, overlaps and classes.

Frequency bias (MOTIFS and most heads), its softened form (GPS-Net), the knowledge matrices of KERN and the prior of
VCTree's tree are all functions of five tables of counts. They are counted once and kept on disk under a key of the data
set's files, its settings and the images counted.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplay.data.cache import user_cache
from interplay.data.errors import DataError
from interplay.data.npy import open_npz
from interplay.data.scenes import SceneDataset, SceneImage, Vocabulary

logger = logging.getLogger(__name__)

Counts = NDArray[np.int64]
FORMAT = 1
_TABLES = ("foreground", "overlapping", "overlapping_related", "images_with", "images_with_both")
MAX_CELLS = 2**28
"""O·O·P from which on a dense table is refused (Open Images has 1.1 · 10⁷)."""


@dataclass(frozen=True, eq=False)
class SceneStatistics:
    """Counts over training images; O classes and P predicates, background at index 0 of both.

    Args:
        foreground: (O, O, P) relation rows by subject class, object class and predicate, repeats counted.
        overlapping: (O, O) ordered pairs of different entities whose boxes share some area (no +1: boxes that only
            touch do not); in an image without any such pair, all its ordered pairs.
        overlapping_related: the same pairs, only where the image also has a relation between these two classes, in
            this order (GPS-Net).
        images_with: (O,) images in which a class occurs.
        images_with_both: (O, O) images in which both classes occur; on the diagonal, with two entities or more.
    """

    foreground: Counts
    overlapping: Counts
    overlapping_related: Counts
    images_with: Counts
    images_with_both: Counts

    def __post_init__(self) -> None:
        shape = self.foreground.shape
        if len(shape) != 3 or shape[0] != shape[1]:
            raise ValueError(f"foreground: found shape {shape}, expected (O, O, P)")
        expected = dict(zip(_TABLES, (shape, shape[:2], shape[:2], shape[:1], shape[:2]), strict=True))
        for name, wanted in expected.items():
            table = getattr(self, name)
            if table.dtype != np.int64 or table.shape != wanted:
                raise ValueError(f"{name}: found {table.dtype} {table.shape}, expected int64 {wanted}")

    @classmethod
    def nothing(cls, vocabulary: Vocabulary) -> SceneStatistics:
        """No image counted: for a model whose weights hold what was counted when it was trained."""
        return cls.count((), vocabulary)

    @classmethod
    def count(cls, images: Iterable[SceneImage], vocabulary: Vocabulary) -> SceneStatistics:
        """Count images one by one; nothing of an image is kept.

        Raises:
            ValueError: a label, predicate or entity index that the vocabulary or the image does not have.
        """
        classes, predicates = len(vocabulary.classes), len(vocabulary.predicates)
        if classes * classes * predicates > MAX_CELLS:
            raise ValueError(f"vocabulary: found {classes}² · {predicates} cells, expected at most {MAX_CELLS}")
        foreground = np.zeros((classes, classes, predicates), np.int64)
        overlapping, related, both = (np.zeros((classes, classes), np.int64) for _ in range(3))
        images_with = np.zeros(classes, np.int64)
        for image in images:
            _check(image, classes, predicates)
            labels, rows = image.labels, image.relations
            subjects, objects = labels[rows[:, 0]], labels[rows[:, 1]]
            np.add.at(foreground, (subjects, objects, rows[:, 2]), 1)
            first, second = overlapping_pairs(image.boxes)
            first, second = labels[first], labels[second]
            np.add.at(overlapping, (first, second), 1)
            kept = np.isin(first * classes + second, subjects * classes + objects)
            np.add.at(related, (first[kept], second[kept]), 1)
            present, amounts = np.unique(labels, return_counts=True)
            images_with[present] += 1
            together = np.ones((len(present), len(present)), np.int64)
            np.fill_diagonal(together, amounts > 1)
            both[np.ix_(present, present)] += together
        return cls(foreground, overlapping, related, images_with, both)

    def joint(self) -> Counts:
        """(O, O, P) int64: the foreground with ``overlapping + 1`` as the count of the background."""
        table = self.foreground.copy()
        table[:, :, 0] = self.overlapping + 1
        return table

    def probability(self) -> NDArray[np.float64]:
        """(O, O, P), P(predicate | subject class, object class); each row sums to 1 (spec A.6; KERN's M_rel)."""
        table = self.joint()
        return np.asarray(table / table.sum(axis=2, keepdims=True))

    def frequency_table(self, epsilon: float = 1e-3) -> NDArray[np.float32]:
        """(O·O, P) float32, log(probability + ε), row = subject class · O + object class (spec A.6)."""
        table = np.log(self.probability() + epsilon)
        return table.reshape(-1, table.shape[2]).astype(np.float32)

    def softened_probability(self, epsilon: float = 1e-3) -> NDArray[np.float64]:
        """(O, O, P), n / (Σ n + ε) with ``overlapping_related`` as background and no + 1 (GPS-Net, spec B.5 (5)).

        A pair of classes that is never related has zeros everywhere.
        """
        table = self.foreground.copy()
        table[:, :, 0] = self.overlapping_related
        return np.asarray(table / (table.sum(axis=2, keepdims=True) + epsilon))

    def softened_table(self, epsilon: float = 1e-3) -> NDArray[np.float32]:
        """(O·O, P) float32, log-softmax over the predicates of :meth:`softened_probability`: spans about one nat; a
        pair of classes that is never related gives log(1/P) everywhere."""
        return log_softmax(self.softened_probability(epsilon)).reshape(-1, self.foreground.shape[2]).astype(np.float32)

    def object_knowledge(self) -> NDArray[np.float64]:
        """(O, O), [i, j] = P(an image has class j | it has class i); diagonal: P(two or more of i | one of i).

        KERN's M_obj (spec B.3). The published matrix indexed a list where it meant its set; this one does not. A class
        that never occurs has zeros.
        """
        return np.asarray(self.images_with_both / np.maximum(self.images_with, 1)[:, None])

    def relation_cooccurrence(self) -> NDArray[np.float64]:
        """(O, O) in [0, 1], symmetric: log(1 + n) / log(1 + max n), n the relations between two classes in either
        order: the prior of VCTree's tree (spec B.4)."""
        amounts = self.foreground[:, :, 1:].sum(axis=2)
        scaled = np.log1p(amounts + amounts.T)
        return np.asarray(scaled / max(float(scaled.max(initial=0.0)), np.log(2.0)))

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` that holds only what is not zero; readers never see half of it."""
        path = Path(path)
        arrays = {"format": np.array(FORMAT), "shape": np.array(self.foreground.shape, np.int64)}
        for name in _TABLES:
            flat = getattr(self, name).ravel()
            arrays[f"{name}/cells"] = np.flatnonzero(flat).astype(np.int64)
            arrays[f"{name}/counts"] = flat[arrays[f"{name}/cells"]]
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".npz")
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # its stub takes allow_pickle for an array
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    @classmethod
    def load(cls, path: str | Path) -> SceneStatistics:
        """Read what :meth:`save` wrote. DataError for anything else."""
        arrays = open_npz(path)
        keys = {"format", "shape", *(f"{name}/{part}" for name in _TABLES for part in ("cells", "counts"))}
        if missing := sorted(keys - set(arrays)):
            raise DataError(path, f"key {missing[0]!r}", "nothing", "statistics of a scene data set")
        if arrays["format"].shape != () or arrays["format"].dtype.kind not in "iu" or int(arrays["format"]) != FORMAT:
            raise DataError(path, "key 'format'", "another format", f"format {FORMAT}")
        size = arrays["shape"]
        if size.dtype.kind not in "iu" or size.shape != (3,) or (size < 1).any() or (size > 2**20).any():
            raise DataError(path, "key 'shape'", f"{size.dtype} {size.shape}", "O, O, P")
        first, second, predicates = (int(side) for side in size)
        if first != second or first * second * predicates > MAX_CELLS:
            raise DataError(path, "key 'shape'", f"{first}, {second}, {predicates}", f"O, O, P, ≤ {MAX_CELLS} cells")
        shapes = ((first, first, predicates), (first, first), (first, first), (first,), (first, first))
        tables = {}
        for name, shape in zip(_TABLES, shapes, strict=True):
            cells, counts = arrays[f"{name}/cells"], arrays[f"{name}/counts"]
            flat = np.zeros(int(np.prod(shape)), np.int64)
            whole = cells.dtype.kind in "iu" and counts.dtype.kind in "iu" and cells.ndim == 1
            inside = whole and cells.shape == counts.shape and bool(((cells >= 0) & (cells < flat.size)).all())
            if not inside or bool((counts < 0).any()):
                raise DataError(
                    path, f"key '{name}/cells'", "cells outside of the table", f"cells of {shape} and counts"
                )
            flat[cells] = counts
            tables[name] = flat.reshape(shape)
        return cls(**tables)


def log_softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(exp v / Σ exp v) over the last axis."""
    shifted = values - values.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def overlapping_pairs(boxes: NDArray[np.float32]) -> tuple[Counts, Counts]:
    """Ordered pairs i ≠ j of boxes (N, 4) that share an area > 0, without + 1; all ordered pairs if none does."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    share: NDArray[np.bool_] = (high > low).all(axis=2) & ~np.eye(len(boxes), dtype=bool)
    if not share.any():
        share = ~np.eye(len(boxes), dtype=bool)
    first, second = np.nonzero(share)
    return first.astype(np.int64), second.astype(np.int64)


def _check(image: SceneImage, classes: int, predicates: int) -> None:
    labels, rows = image.labels, image.relations
    if len(labels) and not 1 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"{image.id}: found labels {labels.min()} to {labels.max()}, expected 1 to {classes - 1}")
    if len(rows):
        if not 0 <= rows[:, :2].min() <= rows[:, :2].max() < len(labels):
            raise ValueError(f"{image.id}: found a relation of an entity that is not among the {len(labels)}")
        if not 1 <= rows[:, 2].min() <= rows[:, 2].max() < predicates:
            raise ValueError(f"{image.id}: found a predicate outside of 1 to {predicates - 1}")


def statistics_folder(cache_folder: str | Path | None = None) -> Path:
    """Where counts are kept: in the folder given, or in the user's cache folder."""
    return (user_cache() if cache_folder is None else Path(cache_folder)) / "statistics"


def statistics_of(
    dataset: SceneDataset, indices: Sequence[int] | NDArray[np.int64], cache_folder: str | Path | None = None
) -> SceneStatistics:
    """Count the named images, or load what was counted before: the file's name in ``cache_folder`` is a digest of the
    data set's fingerprint, the vocabulary and the indices. A cached file that cannot be read is counted anew; a folder
    that cannot be written is logged, for the counts are there. Of processes that count at the same time each writes the
    same file whole.

    Boxes are counted as annotated: a data set that clips them offers ``annotation(index)`` without clipping.

    Raises:
        DataError: an image that cannot be read.
    """
    chosen = np.asarray(indices, np.int64)
    read = getattr(dataset, "annotation", dataset.read)
    if cache_folder is None:
        return SceneStatistics.count((read(int(index)) for index in chosen), dataset.vocabulary)
    key = hashlib.sha256(repr((FORMAT, dataset.name, dataset.fingerprint(), dataset.vocabulary)).encode())
    key.update(chosen.astype("<i8").tobytes())
    path = Path(cache_folder) / f"statistics-{key.hexdigest()[:32]}.npz"
    if path.is_file():
        with contextlib.suppress(DataError):
            return SceneStatistics.load(path)
    found = SceneStatistics.count((read(int(index)) for index in chosen), dataset.vocabulary)
    try:
        found.save(path)
    except OSError as error:
        logger.warning("%s: counts are not kept (%s)", path, error.strerror or error)
    return found
