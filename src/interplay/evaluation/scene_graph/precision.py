"""Average precision of ranked detections, for any weighting of the images that they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interplay.evaluation.scene_graph.rows import Floats

TINY = 1e-12
"""Added to the number of positives, as the reference does."""


def average_precision(hits: Floats, weights: Floats, positives: Floats) -> Floats:
    """Area under the monotone envelope of precision over recall, all points.

    With tp and n the running sums of hits and of detections, precision = tp / n, recall = tp / (positives + 1e-12):
    AP = Σ Δrecall · max over later places of precision. No detection gives 0.

    Args:
        hits: (D,) 1 for right, 0 for wrong, best detection first.
        weights: (B, D) how often each detection counts.
        positives: (B,) what there was to find.

    Returns:
        (B,)
    """
    if hits.shape[-1] == 0:
        return np.zeros(len(weights))
    right = np.cumsum(weights * hits, axis=1)
    precision = right / np.maximum(np.cumsum(weights, axis=1), np.finfo(np.float64).eps)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = right / (positives[:, None] + TINY)
    area: Floats = (np.diff(recall, axis=1, prepend=0.0) * envelope).sum(axis=1)
    return area


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections of all images that are kept for average precision: 8 bytes each.

    Args:
        images: numbers of images (I,), and ``counts``, detections of each.
        scores: float32 (D,).
        predicates: (D,).
        hits: bool (2, D), relation and phrase.
    """

    images: NDArray[np.int64]
    counts: NDArray[np.int64]
    scores: NDArray[np.float32]
    predicates: NDArray[np.int16]
    hits: NDArray[np.bool_]

    @classmethod
    def joined(cls, parts: Sequence[Detections]) -> Detections:
        none = np.zeros(0, dtype=np.int64)
        start = cls(none, none, none.astype(np.float32), none.astype(np.int16), np.zeros((2, 0), dtype=np.bool_))
        return cls(
            np.concatenate([start.images, *(part.images for part in parts)]),
            np.concatenate([start.counts, *(part.counts for part in parts)]),
            np.concatenate([start.scores, *(part.scores for part in parts)]),
            np.concatenate([start.predicates, *(part.predicates for part in parts)]),
            np.concatenate([start.hits, *(part.hits for part in parts)], axis=1),
        )

    def shifted(self, by: int) -> Detections:
        return Detections(self.images + by, self.counts, self.scores, self.predicates, self.hits)

    def ordered(self) -> Detections:
        """Images by ascending number, the first of several with the same one."""
        numbers, first = np.unique(self.images, return_index=True)
        starts, counts = (np.cumsum(self.counts) - self.counts)[first], self.counts[first]
        at = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        return Detections(numbers, counts, self.scores[at], self.predicates[at], self.hits[:, at])
