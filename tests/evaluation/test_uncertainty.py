"""Intervals: published values, coverage, and the ends of the scale."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from interplay.evaluation.uncertainty import bootstrap, spread, wilson


@given(st.integers(1, 3000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_wilson_is_scipys(counts: tuple[int, int]) -> None:
    successes, count = counts
    mine, theirs = wilson(successes, count), binomtest(successes, count).proportion_ci(method="wilson")
    assert (mine.low, mine.high) == (pytest.approx(theirs.low, abs=1e-12), pytest.approx(theirs.high, abs=1e-12))
    assert 0 <= mine.low <= mine.value <= mine.high <= 1


def test_wilson_covers_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).binomial(40, 0.93, 2000)
    covered = np.mean([wilson(int(d), 40).low <= 0.93 <= wilson(int(d), 40).high for d in draws])
    assert 0.92 < covered < 0.99


def test_bootstrap_of_a_mean_agrees_with_its_standard_error() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    found = bootstrap(lambda index: float(values[index].mean()), 400)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    one = bootstrap(lambda index: float(values[index].mean()), 1)
    assert one.low == one.high == one.value


def test_mean_and_deviation_over_seeds() -> None:
    found = spread([0.90, 0.92, 0.94])
    assert (found.mean, found.deviation) == (pytest.approx(0.92), pytest.approx(0.02))
    assert found.percent() == "92.0 ± 2.0 %"
    single = spread([0.9])
    assert math.isnan(single.deviation)
    assert single.percent() == "90.0 %"
    assert single.to_dict()["deviation"] is None


def test_impossible_counts_are_refused() -> None:
    for successes, count in ((3, 2), (-1, 2), (0, 0)):
        with pytest.raises(ValueError, match="proportion"):
            wilson(successes, count)
    with pytest.raises(ValueError, match="no value"):
        spread([])


def test_text_for_people() -> None:
    assert wilson(19, 20).percent() == "95.0 % (76.4–99.1)"


def test_whole_sources_are_drawn() -> None:
    """Five equal samples of a source say no more than one; single samples as sources change nothing."""
    values = np.random.default_rng(0).normal(size=30)
    alone = bootstrap(lambda index: float(values[index].mean()), 30)
    order = np.random.default_rng(1).permutation(150)
    sources, repeated = np.repeat(np.arange(30), 5)[order], np.repeat(values, 5)[order]
    found = bootstrap(lambda index: float(repeated[index].mean()), 150, sources=sources)
    assert (found.value, found.low, found.high) == pytest.approx((alone.value, alone.low, alone.high))
    assert found.count == 150
    naive = bootstrap(lambda index: float(repeated[index].mean()), 150)
    assert found.high - found.low > 1.8 * (naive.high - naive.low)
    same = bootstrap(lambda index: float(values[index].mean()), 30, sources=np.arange(30))
    assert (same.low, same.high) == (alone.low, alone.high)
    sizes = np.array([0, 0, 0, 1, 2, 2])  # sources of unequal size: all of one, or none of it
    drawn: list[list[int]] = []
    bootstrap(lambda index: float(drawn.append(sorted(index.tolist())) or 0), 6, resamples=20, sources=sizes)
    for index in drawn[1:]:
        assert index.count(0) == index.count(1) == index.count(2)
        assert index.count(4) == index.count(5)
        assert index.count(0) + index.count(3) + index.count(4) == 3
