"""The threshold keeps what it promises; calibration error and temperature against slow references."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    threshold_balanced,
    threshold_keeping,
)
from interplay.evaluation.scores import Scores


def with_confidences(best: list[float]) -> Scores:
    probability = np.array(best)
    logits = np.stack([np.log(probability), np.log1p(-probability)], axis=1).astype(np.float32)
    return Scores(tuple(map(str, range(len(best)))), logits, np.zeros(len(best), int), ("a", "b"))


@given(st.lists(st.floats(0.5, 0.999), min_size=1, max_size=60), st.floats(0, 1))
@settings(deadline=None)
def test_the_threshold_keeps_what_it_promises_and_is_the_largest(best: list[float], keep: float) -> None:
    known = with_confidences(best)
    found = threshold_keeping(known, keep)
    confidence = known.probabilities.max(axis=1)
    assert found.kept == pytest.approx(np.mean(confidence >= found.value))
    assert found.kept >= keep - 1e-9
    above = confidence[confidence > found.value]
    if len(above):  # the next larger value would lose too many
        assert np.mean(confidence >= above.min()) < keep + 1e-9


def test_ninety_eight_percent_of_a_hundred() -> None:
    found = threshold_keeping(with_confidences([0.5 + index / 250 for index in range(100)]), 0.98)
    assert found.value == pytest.approx(0.5 + 2 / 250, abs=1e-6)
    assert found.kept == pytest.approx(0.98)


def test_a_separable_set_of_strangers_is_separated() -> None:
    found = threshold_balanced(with_confidences([0.8, 0.9, 0.95]), with_confidences([0.55, 0.6]))
    assert found.value == pytest.approx(0.8, abs=1e-6)
    assert (found.kept, found.rejected) == (1.0, 1.0)


@given(st.lists(st.floats(0.5, 0.99), min_size=1, max_size=12), st.lists(st.floats(0.5, 0.99), min_size=1, max_size=12))
@settings(deadline=None)
def test_no_threshold_is_better_balanced(known: list[float], strange: list[float]) -> None:
    one, other = with_confidences(known), with_confidences(strange)
    found = threshold_balanced(one, other)
    p, q = one.probabilities.max(axis=1), other.probabilities.max(axis=1)
    assert found.rejected is not None
    assert found.kept + found.rejected == pytest.approx(np.mean(p >= found.value) + np.mean(q < found.value))
    for value in np.concatenate([p, q, [0.0, 1.0]]):
        assert found.kept + found.rejected >= np.mean(p >= value) + np.mean(q < value) - 1e-12


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
@settings(deadline=None)
def test_calibration_error_against_a_loop_over_bins(samples: list[tuple[float, bool]]) -> None:
    confidence, correct = np.array([c for c, _ in samples]), np.array([ok for _, ok in samples])
    expected = 0.0
    for index in range(10):
        inside = [
            (c, ok) for c, ok in samples if math.ceil(c * 10) - 1 == index or (index == 0 and math.ceil(c * 10) == 0)
        ]
        if inside:
            gap = np.mean([ok for _, ok in inside]) - np.mean([c for c, _ in inside])
            expected += len(inside) / len(samples) * abs(gap)
    assert expected_calibration_error(confidence, correct, bins=10) == pytest.approx(expected, abs=1e-12)


def test_the_temperature_that_made_the_scores_too_sure_is_found() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4000, 5)) * 1.5
    gumbel = generator.gumbel(size=logits.shape)
    labels = (logits + gumbel).argmax(axis=1)  # drawn from softmax(logits): perfectly calibrated
    scores = Scores(tuple(map(str, range(4000))), (3.0 * logits).astype(np.float32), labels, tuple("abcde"))
    assert fit_temperature(scores) == pytest.approx(3.0, rel=0.08)


def test_nothing_to_calibrate_on_is_said() -> None:
    with pytest.raises(ValueError, match="validation clips"):
        threshold_keeping(with_confidences([0.9]).select([]), 0.9)
    with pytest.raises(ValueError, match="0 ≤ keep ≤ 1"):
        threshold_keeping(with_confidences([0.9]), 98)
