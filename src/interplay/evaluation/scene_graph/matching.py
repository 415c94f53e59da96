"""Which annotated relations a ranked list of triplets recovers, and how early."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from interplay.evaluation.scene_graph.images import GroundTruth
from interplay.evaluation.scene_graph.overlaps import iou_matrix

NEVER = np.iinfo(np.uint16).max
"""Rank of a row that the list does not recover. Lists are shorter than this."""

Ranks = NDArray[np.uint16]


class Overlap(NamedTuple):
    """Predicted entities against the two ends of each annotated relation, Q rows of them.

    ``subject``, ``object``: (N, Q) float32 IoU, 0 where the labels differ.
    """

    subject: NDArray[np.float32]
    object: NDArray[np.float32]


def overlap(truth: GroundTruth, boxes: NDArray[np.float32], labels: NDArray[Any]) -> Overlap:
    """IoU where the labels agree. Shapes: boxes (N, 4), labels (N,); 2·N·Q values, however many pairs there are."""
    ends = truth.relations[:, :2].T.ravel()
    found = iou_matrix(boxes, truth.boxes[ends])
    found *= labels[:, None] == truth.labels[ends]
    half = len(truth.relations)
    return Overlap(found[:, :half], found[:, half:])


def agreement(
    ends: Overlap, truth: GroundTruth, pairs: NDArray[Any], predicates: NDArray[Any], threshold: float
) -> NDArray[np.bool_]:
    """(C, Q): candidate c has the labels of row q and both of its boxes overlap those of q by at least ``threshold``.

    Args:
        pairs: (C, 2) subject and object of each candidate.
        predicates: (C,).
    """
    found: NDArray[np.bool_] = (ends.subject >= threshold)[pairs[:, 0]]
    found &= (ends.object >= threshold)[pairs[:, 1]]
    found &= predicates[:, None] == truth.relations[:, 2]
    return found


def first_ranks(agreeing: NDArray[np.bool_]) -> Ranks:
    """(C, Q) → (Q,): place of the first candidate that recovers each row, counted from 0; :data:`NEVER` if none does.

    One candidate may recover several rows (exact repeats are found together).
    """
    if not len(agreeing):
        return np.full(agreeing.shape[1], NEVER, dtype=np.uint16)
    return np.where(agreeing.any(axis=0), agreeing.argmax(axis=0), NEVER).astype(np.uint16)


def one_to_one(overlaps: NDArray[np.float32], threshold: float) -> Ranks:
    """(C, Q) → (Q,): as :func:`first_ranks`, but a candidate takes one row: the free one that it overlaps most.

    Args:
        overlaps: 0 where labels differ. A row counts from ``threshold`` on; the first of equal ones is taken.
    """
    ranks = np.full(overlaps.shape[1], NEVER, dtype=np.uint16)
    left = np.where(overlaps >= threshold, overlaps, np.float32(-1))
    for candidate in np.flatnonzero((left >= 0).any(axis=1)):
        row = int(left[candidate].argmax())
        if left[candidate, row] >= 0:
            ranks[row] = candidate
            left[:, row] = -1
    return ranks


def true_positives(overlaps: NDArray[np.float32], groups: NDArray[np.bool_], threshold: float) -> NDArray[np.bool_]:
    """(C, Q) → (C,): candidates that count as found for average precision.

    A candidate is compared with its best-overlapping row only (the first of equally good ones), which must overlap by
    *more* than ``threshold`` and be free; a candidate whose best row is taken is wrong, whatever else it overlaps.

    Args:
        overlaps: 0 where labels of subject or object differ.
        groups: (C, Q), True where the predicates agree: rows that are looked at.
    """
    found = np.zeros(len(overlaps), dtype=np.bool_)
    if not overlaps.size:
        return found
    seen = np.where(groups, overlaps, np.float32(-1))
    best = seen.argmax(axis=1)
    enough = seen[np.arange(len(seen)), best] > threshold
    candidates = np.flatnonzero(enough)
    # The first candidate (they come best first) of each row takes it.
    _, first = np.unique(best[candidates], return_index=True)
    found[candidates[first]] = True
    return found
