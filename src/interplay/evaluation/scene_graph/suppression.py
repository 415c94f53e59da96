"""Relation suppression: of near copies of a pair, each has to say something else (the ``rel_nms`` of PE-Net's release).

Two pairs overlap when subjects and objects have the same labels and both box pairs reach IoU 0.6. Greedy over all
(pair, predicate) scores p, highest first: the pair takes the predicate, and no overlapping pair may take it any more.
The pairs are then ranked anew by p of what they took.

Source: RU-Net / HL-Net as in PE-Net's evaluation, spec §D.4, §J.2, §K.5. Memory is O(N² + R·P), not the released
O(R²·P): pairs overlap through their boxes, so neighbours of a pair are read off the boxes' neighbours.

``penet`` is the release with its quirks: removed rows come back (a zeroed predicate also resets removed rows from −1 to
0), so once more pairs overlap than there are predicates, rows end as background and top the ranking; the new ranking
multiplies by the subject's score twice. ``corrected`` uses both scores, and a pair that has no predicate left keeps its
best one at score 0, behind all others. *Where we differ* from the release in both: its extra condition
Σ_c √(p_rc² + p_qc²) > 0.7 holds for every two softmax rows (§I.14) and is not computed.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interplay.evaluation.scene_graph.overlaps import iou_matrix

RelationNMS = Literal["none", "penet", "corrected"]
THRESHOLD = 0.6


def suppress(
    boxes: NDArray[np.float32],
    labels: NDArray[Any],
    scores: NDArray[Any],
    pairs: NDArray[Any],
    predicate_scores: NDArray[Any],
    corrected: bool,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(order, predicate): rows of ``pairs`` best first, and the predicate that each row took (0 only in ``penet``).

    Shapes:
        boxes (N, 4), labels (N,), scores (N,), pairs (R, 2), predicate_scores (R, P) → (R,), (R,).
    """
    near = (iou_matrix(boxes, boxes) >= THRESHOLD) & (labels[:, None] == labels)
    rows = np.arange(len(pairs))
    predicate = predicate_scores[:, 1:].argmax(axis=1) + 1
    kept = predicate_scores[rows, predicate]
    present = np.zeros((len(boxes), len(boxes)))
    np.add.at(present, (pairs[:, 0], pairs[:, 1]), 1)
    crowd = near.astype(np.float64) @ present @ near.T
    crowded = np.flatnonzero((crowd[pairs[:, 0], pairs[:, 1]] > 1.5) | (kept <= 0))
    if len(crowded):
        taken, exhausted = _greedy(near, pairs[crowded], predicate_scores[crowded], corrected, crowded[0] == 0)
        if corrected:
            taken = np.where(exhausted, predicate[crowded], taken)
        predicate[crowded] = taken
        kept = predicate_scores[rows, predicate]
        if corrected:
            kept[crowded[exhausted]] = 0
    subject = scores[pairs[:, 0]]
    weights = kept * subject * (scores[pairs[:, 1]] if corrected else subject)
    return np.argsort(-weights, kind="stable"), predicate


def _greedy(
    near: NDArray[np.bool_], pairs: NDArray[Any], predicate_scores: NDArray[Any], corrected: bool, has_first: bool
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """What each pair takes, and which pairs found nothing left; a heap of the rows' best gives the global maximum.

    Args:
        has_first: whether row 0 is the first row of all pairs: where nothing is left at all, the release picks that.
    """
    count, columns = predicate_scores.shape
    work = predicate_scores.astype(predicate_scores.dtype, copy=True)
    work[:, 0] = 0
    neighbours = _Neighbours(near, pairs)
    taken = np.zeros(count, dtype=np.int64)
    exhausted = np.zeros(count, dtype=np.bool_)
    best = work.argmax(axis=1)
    # A zeroed score is noticed when its turn comes: what the heap holds of a row is never below the row's maximum.
    heap = [(-float(work[row, column]), row * columns + column) for row, column in enumerate(best.tolist())]
    heapify(heap)
    while heap:
        negative, place = heappop(heap)
        row, column = divmod(place, columns)
        if negative >= 0:
            exhausted[row] = True
            continue
        if work[row, column] != -negative:
            column = int(work[row].argmax())
            heappush(heap, (-float(work[row, column]), row * columns + column))
            continue
        taken[row] = column
        work[neighbours(row), column] = 0
        work[row] = -1
    if not corrected:
        _released_remainder(work, taken, neighbours, int(exhausted.sum()), has_first)
    return taken, exhausted


def _released_remainder(
    work: NDArray[Any], taken: NDArray[np.int64], neighbours: _Neighbours, rounds: int, has_first: bool
) -> None:
    """The release's loop runs once per pair: the rounds that are left once no positive score is."""
    for _ in range(rounds):
        row, column = divmod(int(work.argmax()), work.shape[1])
        if work[row, column] < 0 and not has_first:
            return
        if taken[row] == 0:
            taken[row] = column
        work[neighbours(row), column] = 0
        work[row] = -1


class _Neighbours:
    """Rows of pairs that overlap a given one (itself included), found when asked for."""

    def __init__(self, near: NDArray[np.bool_], pairs: NDArray[Any]) -> None:
        self._pairs: list[list[int]] = pairs.tolist()
        entities = np.unique(pairs)
        self._near = {int(entity): np.flatnonzero(near[entity]).tolist() for entity in entities}
        self._rows: dict[tuple[int, int], list[int]] = {}
        for row, (subject, other) in enumerate(self._pairs):
            self._rows.setdefault((subject, other), []).append(row)

    def __call__(self, row: int) -> list[int]:
        subject, other = self._pairs[row]
        none: list[int] = []
        return [
            found
            for first in self._near[subject]
            for second in self._near[other]
            for found in self._rows.get((first, second), none)
        ]
