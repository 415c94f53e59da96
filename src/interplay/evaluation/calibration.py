"""Is a score of 0.9 right nine times in ten, and when is the answer "none of the known interactions"?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interplay.evaluation.scores import Scores, log_softmax


@dataclass(frozen=True, slots=True)
class Threshold:
    """Below ``value`` of its best probability, an answer becomes "none of the known interactions".

    Args:
        value: in [0, 1].
        kept: share of the known validation clips at or above it.
        rejected: share of the unknown validation clips below it; None where none were given.
        count: number of validation clips behind it.
    """

    value: float
    kept: float
    rejected: float | None
    count: int


def threshold_keeping(known: Scores, keep: float = 0.98) -> Threshold:
    """The largest threshold that keeps at least ``keep`` of the known validation clips.

    With n best probabilities in ascending order p_(1) ≤ … ≤ p_(n), the threshold is p_(m+1) with
    m = ⌊(1 − keep)·n⌋: at most m clips lie below it.

    Raises:
        ValueError: no clip, or ``keep`` outside [0, 1].
    """
    if not len(known) or not 0 <= keep <= 1:
        raise ValueError(f"a threshold needs validation clips and 0 ≤ keep ≤ 1, got {len(known)} clips, keep {keep}")
    best = np.sort(known.probabilities.max(axis=1))
    lost = min(math.floor((1 - keep) * len(best) + 1e-9), len(best) - 1)
    value = float(best[lost])
    return Threshold(value, float((best >= value).mean()), None, len(best))


def threshold_balanced(known: Scores, unknown: Scores) -> Threshold:
    """The threshold with the best balanced accuracy, (share of known kept + share of unknown rejected) / 2.

    Only values that occur are tried, and the lowest of equally good ones is taken: rather a wrong name than a silence.
    """
    if not len(known) or not len(unknown):
        raise ValueError(f"both kinds of clips are needed, got {len(known)} known and {len(unknown)} unknown")
    kept, strange = known.probabilities.max(axis=1), unknown.probabilities.max(axis=1)
    candidates = np.unique(np.concatenate([[0.0], kept, strange]))
    above = 1.0 - np.searchsorted(np.sort(kept), candidates, side="left") / len(kept)
    below = np.searchsorted(np.sort(strange), candidates, side="left") / len(strange)
    best = int(np.argmax(above + below))
    return Threshold(float(candidates[best]), float(above[best]), float(below[best]), len(kept) + len(strange))


def expected_calibration_error(confidence: NDArray[np.float64], correct: NDArray[np.bool_], bins: int = 15) -> float:
    """ECE = Σ_b n_b/n · |accuracy_b − mean confidence_b| over equal-width bins (Guo et al., ICML 2017).

    Args:
        confidence: (N,) best probability of each sample, in [0, 1].
        correct: (N,) whether the best class was the true one.
    """
    if len(confidence) == 0 or len(confidence) != len(correct):
        raise ValueError(f"as many confidences as outcomes are needed, got {len(confidence)} and {len(correct)}")
    # Right-closed bins, as in the paper: 1.0 falls into the last one.
    index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(index, weights=correct - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def fit_temperature(scores: Scores) -> float:
    """The T > 0 that minimises the mean cross-entropy of softmax(z / T) on validation clips (Guo et al., ICML 2017).

    The loss is convex in 1/T, so a bounded scalar search over log T finds it; T is kept in [0.01, 100].
    """
    from scipy.optimize import minimize_scalar

    known = scores.labelled
    if not len(known):
        raise ValueError("no sample with a known label: nothing to calibrate on")

    def loss(log_temperature: float) -> float:
        logarithms = log_softmax(known.logits / math.exp(log_temperature))
        return float(-np.take_along_axis(logarithms, known.labels[:, None], axis=1).mean())

    bound = math.log(100.0)
    found = minimize_scalar(loss, bounds=(-bound, bound), method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x))
