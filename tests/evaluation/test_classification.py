"""Each metric against hand-made values and a slow, literal reference."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.evaluation.classification import (
    confusion,
    confusion_csv,
    cross_entropy,
    drawn,
    mean_class_accuracy,
    metrics,
    most_confused,
    pair_accuracy,
    pair_cross_entropy,
    per_class,
    per_class_csv,
    row_normalised,
    top_k,
)
from interplay.evaluation.scores import Scores
from interplay.evaluation.uncertainty import wilson


def made(labels: list[int], predictions: list[int], classes: int = 3) -> Scores:
    names = tuple("abcdefghij"[:classes])
    logits = np.eye(classes, dtype=np.float32)[predictions]
    return Scores(tuple(map(str, range(len(labels)))), logits, np.array(labels), names)


@st.composite
def random_scores(draw: st.DrawFn) -> Scores:
    count, classes = draw(st.integers(1, 25)), draw(st.integers(2, 9))
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    # Few distinct values, so that ties are common.
    logits = generator.integers(0, 4, (count, classes)).astype(np.float32)
    labels = generator.integers(-1, classes, count)
    labels[0] = 0
    return Scores(tuple(map(str, range(count))), logits, labels, tuple(f"c{k}" for k in range(classes)))


@given(random_scores())
@settings(max_examples=80, deadline=None)
def test_against_literal_loops(scores: Scores) -> None:
    classes = len(scores.classes)
    first = five = losses = total = 0.0
    table = [[0] * classes for _ in range(classes)]
    for row, label in zip(scores.logits.tolist(), scores.labels.tolist(), strict=True):
        if label < 0:
            continue
        order = sorted(range(classes), key=lambda k: (-row[k], k))
        total += 1
        first += order[0] == label
        five += label in order[:5]
        table[label][order[0]] += 1
        losses += math.log(sum(math.exp(value) for value in row)) - row[label]
    recalls = [table[k][k] / sum(table[k]) for k in range(classes) if sum(table[k])]
    found = metrics(scores, resamples=10)
    assert found["top1"].value == pytest.approx(first / total)
    assert ("top5" in found) == (classes > 5)
    assert top_k(scores, 5).value == pytest.approx(five / total)
    assert found["mean_class"].value == pytest.approx(sum(recalls) / len(recalls))
    assert found["cross_entropy"].value == pytest.approx(losses / total, abs=1e-6)
    assert confusion(scores).tolist() == table
    assert all(value.count == total for value in found.values())


def test_a_model_that_always_says_the_same_is_not_rewarded_for_ties() -> None:
    scores = Scores(("a", "b"), np.zeros((2, 2), np.float32), np.array([0, 1]), ("x", "y"))
    assert top_k(scores).value == 0.5


def test_rows_of_absent_classes_are_empty_not_zero() -> None:
    shares = row_normalised(confusion(made([0, 0, 1], [0, 1, 1])))
    np.testing.assert_allclose(shares[:2], [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])
    assert np.isnan(shares[2]).all()
    assert mean_class_accuracy(confusion(made([0, 0, 1], [0, 1, 1]))) == 0.75


def test_the_table_of_classes() -> None:
    rows = per_class(made([0, 0, 0, 1], [0, 1, 1, 1]))
    assert (rows[0].count, rows[0].correct, rows[0].most_confused_with, rows[0].confused) == (3, 1, "b", 2)
    assert rows[0].recall == pytest.approx(1 / 3)
    assert rows[0].low < 1 / 3 < rows[0].high
    assert (rows[1].precision, rows[1].f1) == (pytest.approx(1 / 3), pytest.approx(0.5))
    assert math.isnan(rows[2].recall)
    assert rows[2].most_confused_with == ""
    lines = list(csv.DictReader(io.StringIO(per_class_csv(made([0, 0, 0, 1], [0, 1, 1, 1])))))
    assert [line["name"] for line in lines] == ["a", "b", "c"]
    assert float(lines[0]["recall"]) == pytest.approx(1 / 3, abs=1e-5)
    assert lines[2]["recall"] == ""
    cells = list(csv.reader(io.StringIO(confusion_csv(made([0, 0, 0, 1], [0, 1, 1, 1])))))
    assert cells[1] == ["a", "1", "2", "0"]


def test_the_largest_mistakes_come_first() -> None:
    worst = most_confused(made([0, 0, 0, 1, 2, 2], [1, 1, 0, 2, 0, 2]), number=2)
    assert [(one.true, one.predicted, one.count) for one in worst] == [("a", "b", 2), ("b", "c", 1)]
    assert worst[0].share == pytest.approx(2 / 3)


def test_a_pair_is_judged_by_its_own_samples_and_logits() -> None:
    logits = np.array([[1, 9, 0], [0, 9, 1], [5, 0, 0], [2, 3, 0]], np.float32)
    scores = Scores(tuple("wxyz"), logits, np.array([0, 2, 1, 2]), ("in phase", "other", "counter-phase"))
    # w: 1 > 0 right; x: 1 > 0 right; y is of another class; z: 2 > 0 wrong.
    assert pair_accuracy(scores, "in phase", "counter-phase").value == pytest.approx(2 / 3)
    loss = pair_cross_entropy(scores, 0, 2)
    expected = (2 * math.log1p(math.exp(-1)) + math.log1p(math.exp(2))) / 3
    assert loss.value == pytest.approx(expected)
    assert loss.low <= loss.value <= loss.high
    with pytest.raises(ValueError, match="no class 'in faze'"):
        pair_accuracy(scores, "in faze", "other")


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_without_information_the_pair_loss_is_not_below_ln2_beyond_its_interval(seed: int) -> None:
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(200, 2)).astype(np.float32)
    scores = Scores(tuple(map(str, range(200))), logits, generator.integers(0, 2, 200), ("a", "b"))
    assert pair_cross_entropy(scores, "a", "b", resamples=200).high > math.log(2)


def test_intervals_repeat_with_their_seed_and_shrink_with_the_sample() -> None:
    generator = np.random.default_rng(0)

    def of(count: int) -> Scores:
        logits = generator.normal(size=(count, 4)).astype(np.float32)
        return Scores(tuple(map(str, range(count))), logits, generator.integers(0, 4, count), tuple("abcd"))

    small, large = of(50), of(5000)
    assert cross_entropy(small, seed=3) == cross_entropy(small, seed=3)
    assert cross_entropy(small, seed=3) != cross_entropy(small, seed=4)
    widths = [cross_entropy(scores).high - cross_entropy(scores).low for scores in (small, large)]
    assert widths[1] == pytest.approx(widths[0] / 10, rel=0.4)


def test_nothing_to_score_is_said() -> None:
    closed = Scores(("a",), np.zeros((1, 2), np.float32), np.array([-1]), ("x", "y"))
    with pytest.raises(ValueError, match="no sample with a known label"):
        metrics(closed)


def test_clips_of_one_source_count_as_one_in_intervals() -> None:
    labels, answers = [0, 1] * 20, [0, 1] * 12 + [1, 0] * 8
    single = made(labels, answers, 2)
    shared = replace(single, sources=tuple(str(row // 8) for row in range(40)))
    assert (drawn(single), drawn(shared)) == ("samples", "5 sources")
    before, after = metrics(single), metrics(shared)
    for name in ("top1", "mean_class", "cross_entropy"):
        assert after[name].value == before[name].value
        assert after[name].count == 40
        assert after[name].high - after[name].low > 1.5 * (before[name].high - before[name].low), name
    rows = per_class(shared)
    assert [row.recall for row in rows] == [0.6, 0.6]
    assert rows[0].high - rows[0].low > 1.5 * (per_class(single)[0].high - per_class(single)[0].low)
    assert top_k(replace(single, sources=single.ids)) == top_k(single)
    sure = replace(made([0] * 40, [0] * 40), sources=shared.sources)
    assert top_k(sure).low == pytest.approx(wilson(5, 5).low)  # as sure as five sources are
    assert top_k(sure).count == 40
