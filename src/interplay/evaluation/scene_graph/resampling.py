"""How far a figure may be from what it stands for: bootstrap over images, of one evaluation or of two compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from interplay.evaluation.scene_graph.rows import Floats
from interplay.evaluation.scene_graph.streaming import StreamingEvaluator
from interplay.evaluation.uncertainty import Estimate

BLOCK = 4_000_000
"""Weights drawn at a time, which bounds the memory."""


def _weights(images: int, resamples: int, seed: int) -> Iterator[Floats]:
    """(B, I) how often each image was drawn, block after block."""
    generator = np.random.default_rng(seed)
    rows = max(1, BLOCK // images)
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        drawn = generator.integers(0, images, (count, images)) + np.arange(count)[:, None] * images
        yield np.bincount(drawn.ravel(), minlength=count * images).reshape(count, images).astype(np.float64)


def _checked(evaluator: StreamingEvaluator, resamples: int, confidence: float) -> int:
    images = len(evaluator.rows().numbers)
    if images < 1 or resamples < 2:
        raise ValueError(f"bootstrap: found {images} images, {resamples} resamples; expected at least 1 and 2")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: found {confidence}, expected a number in (0, 1)")
    return images


def _interval(values: Floats, confidence: float) -> tuple[float, float]:
    """Quantiles of the resamples in which the figure exists (a zero-shot recall needs a zero-shot relation)."""
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bootstrap_intervals(
    evaluator: StreamingEvaluator, resamples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> dict[str, Estimate]:
    """Every figure with its percentile-bootstrap interval (Efron 1979), images drawn with replacement.

    Raises:
        ValueError: no image, images not kept, fewer than two resamples.
    """
    images = _checked(evaluator, resamples, confidence)
    rows = evaluator.rows()
    blocks = [evaluator.figures(weights, rows) for weights in _weights(images, resamples, seed)]
    found = {}
    for name, value in evaluator.figures(None, rows).items():
        low, high = _interval(np.concatenate([block[name] for block in blocks]), confidence)
        found[name] = Estimate(float(value[0]), low, high, images)
    return found


@dataclass(frozen=True, slots=True)
class Difference:
    """One evaluation minus another on the same images.

    Args:
        value: of the figures as measured; ``low`` … ``high`` its interval.
        not_above: share of resamples in which the first is not ahead of the second (a one-sided p-value).
    """

    value: float
    low: float
    high: float
    not_above: float


def paired_bootstrap(
    first: StreamingEvaluator,
    second: StreamingEvaluator,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Difference]:
    """``first`` − ``second`` of every figure both have, the same images drawn for both.

    Raises:
        ValueError: the two have not seen the same images (numbers, relations and their predicates).
    """
    images = _checked(first, resamples, confidence)
    mine, theirs = first.rows(), second.rows()
    if not (
        np.array_equal(mine.numbers, theirs.numbers)
        and np.array_equal(mine.counts, theirs.counts)
        and np.array_equal(mine.predicates, theirs.predicates)
    ):
        raise ValueError("paired bootstrap: found different images or relations, expected the same on both sides")
    values, others = first.figures(None, mine), second.figures(None, theirs)
    names = [name for name in values if name in others]
    drawn: dict[str, list[Floats]] = {name: [] for name in names}
    for weights in _weights(images, resamples, seed):
        left, right = first.figures(weights, mine), second.figures(weights, theirs)
        for name in names:
            drawn[name].append(left[name] - right[name])
    found = {}
    for name in names:
        differences = np.concatenate(drawn[name])
        low, high = _interval(differences, confidence)
        known = differences[~np.isnan(differences)]
        behind = float((known <= 0).mean()) if len(known) else float("nan")
        found[name] = Difference(float((values[name] - others[name])[0]), low, high, behind)
    return found
