"""Bars, curves and timelines show the values they are given."""

from __future__ import annotations

import math

import numpy as np
import pytest

from interplay.evaluation.classification import per_class
from interplay.evaluation.scores import Scores
from interplay.interactions import NONE_OF_THE_KNOWN, Interaction
from interplay.viz.charts import learning_curves, per_class_bars, timeline
from interplay.viz.style import render


def scores(labels: list[int], answers: list[int], classes: int) -> Scores:
    names = tuple(f"class {index}" for index in range(classes))
    return Scores(tuple(map(str, range(len(labels)))), np.eye(classes)[answers], np.array(labels), names)


def test_bars_are_recalls_and_absent_classes_are_left_out() -> None:
    figure = per_class_bars(per_class(scores([0, 0, 0, 0, 2], [0, 0, 0, 1, 1], 4)))
    assert [bar.get_width() for bar in figure.axes[0].patches] == [75.0, 0.0]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["class 0", "class 2"]
    svg = render(figure, "svg").decode()
    assert "3/4" in svg
    assert "mean over classes: 37.5 %" in svg


def test_of_many_classes_the_best_and_the_worst_are_shown() -> None:
    right = [index if index % 3 else 0 for index in range(100)]
    figure = per_class_bars(per_class(scores(list(range(100)), right, 100)), limit=10)
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == [100.0] * 5 + [0.0] * 5
    assert "best and worst of 100" in figure.axes[0].get_title(loc="left")


def test_curves_of_one_quantity_share_a_panel_and_gaps_are_skipped() -> None:
    history = {
        "epoch": [0, 1, 2],
        "lr": [0.1, 0.1, 0.01],
        "train_loss": [3.0, 2.0, 1.0],
        "test_loss": [math.nan, 2.5, 2.0],
        "seconds": [1.0, 1.0, 1.0],
    }
    figure = learning_curves(history)
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert set(panels) == {"loss", "learning rate"}
    lines = {line.get_label(): line for line in panels["loss"].lines}
    assert set(lines) == {"train", "test"}
    np.testing.assert_array_equal(lines["test"].get_xdata(), [1, 2])
    with pytest.raises(ValueError, match="nothing to draw"):
        learning_curves({"epoch": [0, 1]})


def test_intervals_stand_where_they_happen() -> None:
    true = [Interaction("hug", 1.0, start=0.0, end=4.0)]
    predicted = [
        Interaction("hug", 0.9, start=0.5, end=4.5),
        Interaction(NONE_OF_THE_KNOWN, 0.6, start=4.5, end=6.0),
        Interaction("push", 0.8, start=6.0, end=9.0),
    ]
    figure = timeline(predicted, true, duration=10.0, title="recording")
    bars = [(bar.get_x(), bar.get_width()) for bar in figure.axes[0].patches]
    assert bars == [(0.0, 4.0), (0.5, 4.0), (4.5, 1.5), (6.0, 3.0)]
    assert figure.axes[0].get_xlim() == (0.0, 10.0)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["hug", "push", NONE_OF_THE_KNOWN]
    assert "hug 90 %" in [text.get_text() for text in figure.axes[0].texts]


def test_an_empty_recording_has_a_timeline_and_missing_times_are_refused() -> None:
    assert render(timeline([], [], duration=3.0))
    with pytest.raises(ValueError, match="start and end"):
        timeline([Interaction("hug", 1.0)])
