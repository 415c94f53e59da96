"""From several test parts to one answer: leave-one-fold-out (SBU's five folds)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from interplay.evaluation.classification import metrics
from interplay.evaluation.scores import Scores, concatenate
from interplay.evaluation.uncertainty import Estimate, Spread, spread


@dataclass(frozen=True)
class FoldResult:
    """Leave-one-fold-out, each fold tested by the model that never saw it.

    Args:
        folds: name of the fold → its metrics.
        pooled: metrics of all test samples together; every sample weighs the same. The published SBU accuracies are
            means over folds, see ``over_folds``.
        over_folds: metric → mean ± deviation over folds; every fold weighs the same.
        scores: all test samples together.
    """

    folds: Mapping[str, Mapping[str, Estimate]]
    pooled: Mapping[str, Estimate]
    over_folds: Mapping[str, Spread]
    scores: Scores


def across_folds(folds: Mapping[str, Scores], seed: int = 0, resamples: int = 1000) -> FoldResult:
    """Aggregate the test scores of each fold, pooled and as mean ± deviation.

    Raises:
        ValueError: no fold. ScoreError: an id in two folds, or different classes.
    """
    if not folds:
        raise ValueError("no fold to aggregate")
    single = {name: metrics(part, seed, resamples) for name, part in folds.items()}
    shared = set.intersection(*(set(found) for found in single.values()))
    together = concatenate(list(folds.values()))
    pooled = metrics(together, seed, resamples)
    over = {name: spread([found[name].value for found in single.values()]) for name in pooled if name in shared}
    return FoldResult(single, pooled, over, together)
