"""Bi-level resampling: worked values, and that drops and repeats have the stated shares."""

from __future__ import annotations

import numpy as np
import pytest

from interplay.scene.resampling import (
    DROPPED,
    BilevelResampling,
    drop_probability,
    image_repeats,
    predicate_counts,
    repeat_factors,
    rounded_at_random,
)


def rows(*predicates: int) -> np.ndarray:
    return np.array([(0, 1, predicate) for predicate in predicates], np.int64).reshape(-1, 3)


def test_repeat_factors_oracle() -> None:
    share = np.array([0.3, 0.1, 0.05, 0.01, 0.001, 0.0002])
    counts = np.round(np.concatenate([[12345], share, [1 - share.sum()]]) * 10**6).astype(np.int64)
    counts[0] = 7  # of the background: ignored
    found = repeat_factors(counts, 0.1)
    np.testing.assert_allclose(found[:7], [1, 1, 1, 1.4142, 3.1623, 10, 22.3607], atol=5e-4)
    assert repeat_factors(np.array([0, 5, 0]), 0.1)[2] == pytest.approx(np.sqrt(0.1 * 1e11))
    np.testing.assert_array_equal(repeat_factors(np.zeros(1, np.int64), 0.1), [1])


def test_drop_probability_oracle() -> None:
    cases = [
        (1, 5, 0.9, 0.72),
        (2, 5, 0.9, 0.54),
        (5, 5, 0.9, 0),
        (1, 5, 1.6, 1),
        (1, 2, 1.6, 0.8),
        (2, 3, 1.6, 0.5333),
    ]
    for factor, repeats, strength, expected in cases:
        assert drop_probability(np.array([factor]), repeats, strength)[0] == pytest.approx(expected, abs=5e-5)


def test_rounding_keeps_the_mean() -> None:
    factors = np.full(20000, 2.3)
    rounded = rounded_at_random(factors, np.random.default_rng(0).random(20000))
    assert set(rounded.tolist()) == {2, 3}
    assert rounded.mean() == pytest.approx(2.3, abs=0.02)
    np.testing.assert_array_equal(rounded_at_random(np.array([1.5, 1.5]), np.array([0.49, 0.5])), [2, 1])


def test_images_are_repeated_for_their_rarest_predicate() -> None:
    factors = np.array([1, 1, 3, 5])
    relations = [rows(1, 2), rows(), rows(3, 1, 1), rows(1)]
    np.testing.assert_array_equal(image_repeats(relations, factors), [3, 1, 5, 1])
    np.testing.assert_array_equal(predicate_counts(relations, 4), [0, 4, 1, 1])
    plan = BilevelResampling(factors, image_repeats(relations, factors))
    np.testing.assert_array_equal(plan.indices(), [0, 0, 0, 1, 2, 2, 2, 2, 2, 3])


def test_drops_have_their_share_and_leave_the_rest_alone() -> None:
    relations = rows(*[1] * 4000, *[2] * 4000, 3)
    plan = BilevelResampling(np.array([1, 1, 2, 5]), np.array([5, 1]), strength=0.9)
    before = relations.copy()
    found = plan.thinned(0, relations, np.random.default_rng(0))
    np.testing.assert_array_equal(relations, before)
    np.testing.assert_array_equal(found[:, :2], relations[:, :2])
    assert ((found[:, 2] == relations[:, 2]) | (found[:, 2] == DROPPED)).all()
    assert (found[:4000, 2] == DROPPED).mean() == pytest.approx(0.72, abs=0.03)
    assert (found[4000:8000, 2] == DROPPED).mean() == pytest.approx(0.54, abs=0.03)
    assert found[-1, 2] == 3


def test_nothing_is_drawn_for_an_image_that_comes_once() -> None:
    plan = BilevelResampling(np.array([1, 1, 2, 5]), np.array([5, 1]))
    random = np.random.default_rng(0)
    state = random.bit_generator.state
    assert plan.thinned(1, rows(1, 2), random) is not None
    assert plan.thinned(0, rows(), random).shape == (0, 3)
    assert random.bit_generator.state == state


def test_strength_zero_only_repeats() -> None:
    relations = [rows(*[1] * 50, 2), rows(1, 1)]
    plan = BilevelResampling.of(relations, 3, threshold=0.5, strength=0.0, seed=0)
    assert plan.repeats[0] > 1
    np.testing.assert_array_equal(plan.thinned(0, relations[0], np.random.default_rng(0)), relations[0])


def test_a_seed_fixes_the_plan() -> None:
    relations = [rows(1, 1, 1, 2), rows(1, 3), rows(1, 1)]
    first, again = (BilevelResampling.of(relations, 4, threshold=0.6, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.factors, again.factors)
    drawn = {tuple(BilevelResampling.of(relations, 4, threshold=0.6, seed=seed).factors) for seed in range(20)}
    assert len(drawn) > 1
    assert first.factors[0] == 1


@pytest.mark.parametrize("settings", [{"threshold": -0.1}, {"strength": -1.0}])
def test_bad_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        BilevelResampling.of([rows(1)], 2, **settings)  # type: ignore[arg-type]
