"""Answers go to JSON and back without loss, and refuse what cannot be an answer."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interplay import Entity, Interaction, Prediction

score = st.floats(0, 1)
text = st.text(min_size=1, max_size=12)
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
entity = st.builds(
    Entity, label=text, box=st.none() | st.tuples(finite, finite, finite, finite), track=st.none() | text, score=score
)
times = st.none() | st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)).map(sorted)


@st.composite
def interaction(draw: st.DrawFn) -> Interaction:
    span = draw(times)
    return Interaction(
        label=draw(text),
        score=draw(score),
        subject=draw(st.none() | entity),
        object=draw(st.none() | entity),
        start=None if span is None else span[0],
        end=None if span is None else span[1],
        alternatives=tuple(draw(st.lists(st.tuples(text, score), max_size=3))),
    )


@given(
    st.builds(
        Prediction,
        input=text,
        interactions=st.lists(interaction(), max_size=3).map(tuple),
        model=text,
        notes=st.lists(text, max_size=2).map(tuple),
        details=st.dictionaries(text, st.integers() | text | st.lists(score, max_size=3), max_size=3),
    )
)
def test_json_and_back_without_loss(prediction: Prediction) -> None:
    line = prediction.to_json()
    assert "\n" not in line
    assert Prediction.from_json(line) == prediction
    assert json.loads(line)["model"] == prediction.model


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_scores_are_probabilities(value: float) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        Interaction("hug", value)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        Entity("person", score=value)


def test_an_interaction_does_not_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        Interaction("hug", 0.5, start=2.0, end=1.0)


def test_answers_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Interaction("hug", 0.5).label = "push"  # type: ignore[misc]
