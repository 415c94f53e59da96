"""What a model says of the pairs that are annotated: predicates it confuses, and whether it tells one of two.

Rank-free: recall asks how early a triplet comes among all pairs, this asks what the model thinks once it looks at the
right pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplay.evaluation.scene_graph.images import GroundTruth, Predicted
from interplay.evaluation.scene_graph.overlaps import iou_matrix


@dataclass(frozen=True, eq=False)
class TwoWay:
    """Annotated relations of either of two predicates.

    Args:
        numbers: int64 (n,), image of each.
        margin: (n,), log-probability of the true one minus that of the other; > 0 is right.
    """

    numbers: NDArray[np.int64]
    margin: NDArray[np.float64]

    @property
    def right(self) -> NDArray[np.float64]:
        """(n,) 1 where the true predicate is the more probable one, ½ where they are equal."""
        return np.asarray((self.margin > 0) + 0.5 * (self.margin == 0))


class AnnotatedPairs:
    """Collects, image by image, the predicate probabilities of annotated pairs.

    Args:
        given: boxes were given, so that box i of the answer is annotated box i. Otherwise an annotated box stands for
            the answered box that overlaps it most, by ``iou`` at least.
        iou: smallest overlap.
    """

    def __init__(self, given: bool, iou: float = 0.5) -> None:
        self.given, self.iou = given, iou
        self._numbers: list[NDArray[np.int64]] = []
        self._predicates: list[NDArray[np.int64]] = []
        self._probabilities: list[NDArray[np.float16]] = []

    def add(self, truth: GroundTruth, predicted: Predicted, image: int) -> None:
        """Take in one image; a relation whose pair the answer does not name has NaN."""
        count = len(truth.relations)
        if not count:
            return
        size = len(predicted.boxes)
        if self.given:
            place = np.arange(len(truth.boxes))
        else:
            overlap = iou_matrix(truth.boxes, predicted.boxes)
            place = np.full(len(truth.boxes), -1)
            if size:
                best = overlap.argmax(axis=1)
                place = np.where(overlap[np.arange(len(best)), best] >= self.iou, best, -1)
        ends = place[truth.relations[:, :2]]
        rows = np.full(count, -1)
        if len(predicted.pairs):
            named = np.full((size, size), -1)
            named[predicted.pairs[:, 0], predicted.pairs[:, 1]] = np.arange(len(predicted.pairs))
            there = (ends >= 0).all(axis=1) & (ends < size).all(axis=1)
            rows[there] = named[ends[there, 0], ends[there, 1]]
        found = np.full((count, predicted.predicate_scores.shape[1]), np.nan, dtype=np.float16)
        found[rows >= 0] = predicted.predicate_scores[rows[rows >= 0]]
        self._numbers.append(np.full(count, image, dtype=np.int64))
        self._predicates.append(truth.relations[:, 2].astype(np.int64))
        self._probabilities.append(found)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """(T,) image of each annotated relation."""
        return np.concatenate([np.zeros(0, np.int64), *self._numbers])

    @property
    def predicates(self) -> NDArray[np.int64]:
        """(T,) annotated predicate, ≥ 1."""
        return np.concatenate([np.zeros(0, np.int64), *self._predicates])

    @property
    def probabilities(self) -> NDArray[np.float16]:
        """(T, P), column 0 = background; NaN where the answer does not name the pair."""
        widths = [part for part in self._probabilities if part.shape[1]]
        if not widths:
            return np.zeros((len(self.predicates), 0), np.float16)
        return np.concatenate([part if part.shape[1] else _unnamed(part, widths[0]) for part in self._probabilities])

    def confusion(self) -> NDArray[np.int64]:
        """(P − 1, P − 1) counts: annotated predicate × the model's best one that is not background."""
        probabilities = self.probabilities
        size = max(probabilities.shape[1] - 1, 0)
        counts = np.zeros((size, size), dtype=np.int64)
        if size:
            named = ~np.isnan(probabilities[:, 0])
            called = probabilities[named, 1:].argmax(axis=1)
            np.add.at(counts, (self.predicates[named] - 1, called), 1)
        return counts

    def two_way(self, first: int, second: int) -> TwoWay:
        """Relations annotated with either of two predicates: which of the two the model finds more probable."""
        predicates, probabilities = self.predicates, self.probabilities
        rows = np.flatnonzero(np.isin(predicates, (first, second)))
        if not probabilities.shape[1]:
            rows = rows[:0]
        rows = rows[~np.isnan(probabilities[rows, 0])] if len(rows) else rows
        true = predicates[rows]
        both = np.log(probabilities[rows].astype(np.float64).clip(1e-7)) if len(rows) else np.zeros((0, 1))
        at = np.arange(len(rows))
        margin = both[at, true] - both[at, first + second - true] if len(rows) else np.zeros(0)
        return TwoWay(self.numbers[rows], margin)

    def save(self, path: str | Path) -> None:
        np.savez_compressed(
            path, numbers=self.numbers, predicates=self.predicates, probabilities=self.probabilities, given=self.given
        )

    @classmethod
    def load(cls, path: str | Path) -> AnnotatedPairs:
        """What :meth:`save` wrote. OSError, ValueError or KeyError for anything else."""
        with np.load(path, allow_pickle=False) as archive:
            made = cls(bool(archive["given"]))
            made._numbers, made._predicates = [archive["numbers"]], [archive["predicates"]]
            made._probabilities = [archive["probabilities"]]
        return made


def _unnamed(part: NDArray[np.float16], like: NDArray[np.float16]) -> NDArray[np.float16]:
    return np.full((len(part), like.shape[1]), np.nan, dtype=np.float16)
