"""Verbs and nouns are read from the action, never the other way round."""

from __future__ import annotations

import numpy as np
import pytest

from interplay.evaluation.classification import metrics
from interplay.evaluation.hands import verb_noun_metrics
from interplay.evaluation.scores import Scores

# Two actions share a (verb, noun) pair: "unscrew track" with the hand and with a screwdriver.
CLASSES = ("unscrew track with hand", "unscrew track with screwdriver", "screw track", "screw wheel")
VERBS, NOUNS, HEAD = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]), np.array([True, False, False, True])


def predicted(labels: list[int], answers: list[int], head: bool = True) -> Scores:
    logits = np.eye(4, dtype=np.float32)[answers]
    ids = tuple(map(str, range(len(labels))))
    return Scores(ids, logits, np.array(labels), CLASSES, VERBS, NOUNS, HEAD if head else None)


def test_a_wrong_action_can_have_the_right_verb_and_noun() -> None:
    found = metrics(predicted([0, 2, 3, 3], [1, 3, 3, 0]), resamples=10)
    assert found["top1"].value == pytest.approx(1 / 4)
    assert found["verb_top1"].value == pytest.approx(3 / 4)
    assert found["noun_top1"].value == pytest.approx(2 / 4)
    assert (found["head_top1"].value, found["head_top1"].count) == (pytest.approx(1 / 3), 3)
    assert (found["tail_top1"].value, found["tail_top1"].count) == (0.0, 1)


def test_only_what_has_tables_and_samples_is_reported() -> None:
    assert set(verb_noun_metrics(predicted([0], [0], head=False))) == {"verb_top1", "noun_top1"}
    assert set(verb_noun_metrics(predicted([0], [0]))) == {"verb_top1", "noun_top1", "head_top1"}
    assert verb_noun_metrics(predicted([-1], [0])) == {}
