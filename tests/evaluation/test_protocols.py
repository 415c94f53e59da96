"""Leave-one-fold-out: pooled weighs samples, the mean weighs folds."""

from __future__ import annotations

import numpy as np
import pytest

from interplay.evaluation.protocols import across_folds
from interplay.evaluation.scores import ScoreError, Scores


def fold(name: str, right: int, wrong: int) -> Scores:
    count = right + wrong
    logits = np.tile(np.array([[1.0, 0.0]], np.float32), (count, 1))
    labels = np.array([0] * right + [1] * wrong)
    return Scores(tuple(f"{name}-{index}" for index in range(count)), logits, labels, ("a", "b"))


def test_pooled_and_mean_over_folds() -> None:
    found = across_folds({"1": fold("1", 9, 1), "2": fold("2", 15, 15)}, resamples=10)
    assert found.folds["1"]["top1"].value == pytest.approx(0.9)
    assert found.pooled["top1"].value == pytest.approx(24 / 40)
    assert found.over_folds["top1"].mean == pytest.approx(0.7)
    assert found.over_folds["top1"].deviation == pytest.approx(np.std([0.9, 0.5], ddof=1))
    assert len(found.scores) == 40


def test_a_sample_in_two_folds_is_refused() -> None:
    with pytest.raises(ScoreError, match="stands twice"):
        across_folds({"1": fold("x", 2, 1), "2": fold("x", 2, 1)}, resamples=10)
    with pytest.raises(ValueError, match="no fold"):
        across_folds({})
