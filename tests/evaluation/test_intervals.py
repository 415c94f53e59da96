"""Intervals in time: known matches, a brute-force optimum, and what does not count."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.evaluation.intervals import interval_metrics, match, temporal_iou
from interplay.interactions import NONE_OF_THE_KNOWN, Interaction


def at(label: str, start: float, end: float, score: float = 1.0) -> Interaction:
    return Interaction(label, score, start=start, end=end)


def test_overlap_of_two_spans() -> None:
    assert temporal_iou((0, 2), (1, 3)) == pytest.approx(1 / 3)
    assert temporal_iou((0, 1), (1, 2)) == 0
    assert temporal_iou((0, 1), (0, 1)) == 1
    assert temporal_iou((1, 1), (1, 1)) == 0


def test_label_time_and_order_of_scores_decide() -> None:
    true = [at("push", 0, 2), at("hug", 5, 8)]
    predicted = [at("push", 0.2, 2, 0.6), at("push", 0, 2, 0.9), at("kick", 5, 8), at("hug", 7, 9)]
    assert match(predicted, true) == [(1, 0, 1.0)]
    assert [pair[:2] for pair in match(predicted, true, labels=False)] == [(1, 0), (2, 1)]
    result = interval_metrics({"r": predicted}, {"r": true})
    assert (result.precision, result.recall, result.f1) == (0.25, 0.5, pytest.approx(1 / 3))


def test_none_of_the_known_is_no_interval() -> None:
    nothing = at(NONE_OF_THE_KNOWN, 0, 2)
    assert match([nothing], [nothing]) == []
    result = interval_metrics({"r": [nothing]}, {"r": [nothing]})
    assert (result.predicted, result.true, result.f1) == (0, 0, 1.0)


def test_recordings_that_only_one_side_names_count() -> None:
    result = interval_metrics({"a": [at("hug", 0, 1)]}, {"b": [at("hug", 0, 1)]})
    assert (result.hits, result.predicted, result.true) == (0, 1, 1)


def test_an_interval_without_times_is_refused() -> None:
    with pytest.raises(ValueError, match="needs start and end"):
        match([Interaction("hug", 1.0)], [])
    with pytest.raises(ValueError, match="iou"):
        match([], [], iou=0)


@st.composite
def timelines(draw: st.DrawFn) -> list[Interaction]:
    cuts = sorted(draw(st.lists(st.integers(0, 20), min_size=2, max_size=8, unique=True)))
    labels = draw(st.lists(st.sampled_from("ab"), min_size=len(cuts), max_size=len(cuts)))
    scores = draw(st.lists(st.floats(0, 1), min_size=len(cuts), max_size=len(cuts)))
    return [at(labels[i], cuts[i], cuts[i + 1], scores[i]) for i in range(0, len(cuts) - 1, 2)]


@given(timelines(), timelines())
@settings(max_examples=80, deadline=None)
def test_above_one_half_the_matching_is_the_largest_possible(
    predicted: list[Interaction], true: list[Interaction]
) -> None:
    # Intervals of one side do not overlap, so above IoU 1/2 each has at most one partner.
    def fits(one: Interaction, other: Interaction) -> bool:
        assert None not in (one.start, one.end, other.start, other.end)
        spans = (one.start, one.end), (other.start, other.end)
        return one.label == other.label and temporal_iou(*spans) >= 0.51  # type: ignore[arg-type]

    padded = [*true, *[None] * len(predicted)]
    best = max(
        sum(other is not None and fits(one, other) for one, other in zip(predicted, order, strict=False))
        for order in permutations(padded, len(predicted))
    )
    pairs = match(predicted, true, iou=0.51)
    assert len(pairs) == best
    assert len({pair[1] for pair in pairs}) == len(pairs)
