"""What an evaluator is given for one image: the truth, and a model's answer. Plain arrays, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def _boxes(boxes: ArrayLike, what: str) -> NDArray[np.float32]:
    made = np.asarray(boxes, dtype=np.float32)
    if made.size == 0:
        return made.reshape(0, 4)
    if made.ndim != 2 or made.shape[1] != 4:
        raise ValueError(f"{what}: found shape {made.shape}, expected (N, 4)")
    if not np.isfinite(made).all():
        raise ValueError(f"{what}: found a coordinate that is not finite, expected pixels")
    return made


def _integers(values: ArrayLike, what: str, width: int | None = None) -> NDArray[Any]:
    made = np.asarray(values)
    if made.size == 0:
        return np.zeros((0,) if width is None else (0, width), dtype=np.int64)
    if made.dtype.kind not in "iu":
        raise ValueError(f"{what}: found values of type {made.dtype}, expected integers")
    if made.dtype.kind == "u":
        made = made.astype(np.int64)
    if made.ndim != (1 if width is None else 2) or (width is not None and made.shape[1] != width):
        raise ValueError(f"{what}: found shape {made.shape}, expected ({'N,' if width is None else f'N, {width}'})")
    return made


def _scores(values: ArrayLike, what: str) -> NDArray[Any]:
    made = np.asarray(values)
    return made if made.dtype in (np.float32, np.float64) else made.astype(np.float64)


def _within(values: NDArray[Any], low: int, high: int | None, what: str) -> None:
    if values.size == 0:
        return
    least, most = int(values.min()), int(values.max())
    if least < low or (high is not None and most >= high):
        bound = f"at least {low}" if high is None else f"{low} … {high - 1}"
        raise ValueError(f"{what}: found {least if least < low else most}, expected {bound}")


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The annotated entities and relations of one image.

    Args:
        boxes: (N, 4), x1, y1, x2, y2 in pixels of the image as annotated; the last pixel is included.
        labels: (N,) classes, ≥ 1 (0 is the background).
        relations: (Q, 3), rows (subject, object, predicate): indices into ``boxes``, predicate ≥ 1. Every annotated
            row, exact repeats included: the protocols count them.
        size: width and height of the image in pixels; no figure depends on it.

    Raises:
        ValueError: shapes that do not fit together, indices that point outside, the background used as a label.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[Any]
    relations: NDArray[Any]
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        boxes = _boxes(self.boxes, "true boxes")
        labels = _integers(self.labels, "true labels")
        relations = _integers(self.relations, "true relations", 3)
        if len(labels) != len(boxes):
            raise ValueError(f"true labels: found {len(labels)}, expected one for each of {len(boxes)} boxes")
        _within(labels, 1, None, "true labels")
        if len(relations):
            _within(relations[:, :2], 0, len(boxes), "true relations: indices of boxes")
            _within(relations[:, 2], 1, None, "true relations: predicates")
        for name, value in (("boxes", boxes), ("labels", labels), ("relations", relations)):
            object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False)
class Predicted:
    """A model's answer for one image.

    Args:
        boxes: (N, 4) as in :class:`GroundTruth`.
        labels: (N,) classes.
        scores: (N,) confidences, ≥ 0.
        pairs: (R, 2), subject and object as indices into ``boxes``, best pair first: protocol ``vg`` takes this order
            as the ranking under the graph constraint.
        predicate_scores: (R, P), column 0 = background.

    Raises:
        ValueError: shapes that do not fit together, indices that point outside, scores that are negative or not finite.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[Any]
    scores: NDArray[Any]
    pairs: NDArray[Any]
    predicate_scores: NDArray[Any]

    def __post_init__(self) -> None:
        boxes = _boxes(self.boxes, "predicted boxes")
        labels = _integers(self.labels, "predicted labels")
        pairs = _integers(self.pairs, "pairs", 2)
        scores, predicates = _scores(self.scores, "scores"), _scores(self.predicate_scores, "predicate scores")
        if labels.shape != (len(boxes),) or scores.shape != (len(boxes),):
            raise ValueError(
                f"predicted labels and scores: found {labels.shape} and {scores.shape}, expected one for each of "
                f"{len(boxes)} boxes"
            )
        if len(scores) and not (np.isfinite(scores).all() and scores.min() >= 0):
            raise ValueError("scores: found a value that is negative or not finite, expected confidences")
        if predicates.size == 0 and not len(pairs):
            predicates = predicates.reshape(0, predicates.shape[1] if predicates.ndim == 2 else 0)
        if predicates.ndim != 2 or len(predicates) != len(pairs):
            raise ValueError(
                f"predicate scores: found shape {predicates.shape}, expected a row for each of {len(pairs)} pairs"
            )
        if not np.isfinite(predicates).all():
            raise ValueError("predicate scores: found a value that is not finite, expected confidences")
        _within(pairs, 0, len(boxes), "pairs: indices of boxes")
        for name, value in (
            ("boxes", boxes),
            ("labels", labels),
            ("scores", scores),
            ("pairs", pairs),
            ("predicate_scores", predicates),
        ):
            object.__setattr__(self, name, value)
