"""What a model says of annotated pairs: worked by hand, and kept on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interplay.evaluation.scene_graph import GroundTruth, Predicted, VisualGenomeEvaluator
from interplay.evaluation.scene_graph.annotated_pairs import AnnotatedPairs
from interplay.evaluation.scene_graph.rows import Rows

BOXES = np.array([[0, 0, 9, 9], [20, 0, 29, 9], [0, 20, 9, 29]], np.float32)


def truth(relations: list[tuple[int, int, int]]) -> GroundTruth:
    return GroundTruth(BOXES, np.array([1, 2, 3]), np.array(relations).reshape(-1, 3), (40, 40))


def answer(pairs: list[tuple[int, int]], scores: list[list[float]], boxes: np.ndarray = BOXES) -> Predicted:
    return Predicted(boxes, np.ones(len(boxes), int), np.ones(len(boxes)), np.array(pairs), np.array(scores))


def test_by_hand(tmp_path: Path) -> None:
    said = AnnotatedPairs(given=True)
    pairs, scores = [(1, 0), (0, 1)], [[0.1, 0.2, 0.6, 0.1], [0.7, 0.15, 0.05, 0.1]]
    said.add(truth([(0, 1, 1), (1, 0, 3), (0, 2, 2)]), answer(pairs, scores), 7)
    said.add(truth([]), answer(pairs, scores), 8)
    said.save(tmp_path / "pairs.npz")
    for found in (said, AnnotatedPairs.load(tmp_path / "pairs.npz")):
        # (0, 1) is annotated 1 and called 1, background left aside; (1, 0) is annotated 3 and called 2; (0, 2) unnamed
        assert found.confusion().tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
        both = found.two_way(1, 3)
        assert both.numbers.tolist() == [7, 7]
        assert both.margin == pytest.approx([np.log(0.15 / 0.1), np.log(0.1 / 0.2)], abs=1e-2)
        assert both.right.tolist() == [1, 0]
        assert len(found.two_way(2, 2).margin) == 0


def test_detected_boxes_stand_for_those_they_overlap() -> None:
    moved = np.array([[100, 100, 110, 110], [0, 1, 9, 10], [19, 0, 29, 9]], np.float32)
    said = AnnotatedPairs(given=False)
    said.add(truth([(0, 1, 2), (0, 2, 1)]), answer([(1, 2), (1, 0)], [[0, 0.1, 0.9], [0, 0.9, 0.1]], moved), 0)
    assert said.confusion().tolist() == [[0, 0], [0, 1]]


def test_a_model_that_names_no_pair() -> None:
    said = AnnotatedPairs(given=True)
    said.add(truth([(0, 1, 1)]), Predicted(BOXES, [1, 1, 1], [1, 1, 1], np.zeros((0, 2), int), np.zeros((0, 0))), 0)
    assert said.confusion().shape == (0, 0)
    assert len(said.two_way(1, 2).right) == 0
    said.add(truth([(0, 1, 1)]), answer([(0, 1)], [[0.2, 0.5, 0.3]]), 1)
    assert said.confusion().tolist() == [[1, 0], [0, 0]]


def test_rows_come_back_from_a_file(tmp_path: Path) -> None:
    evaluator = VisualGenomeEvaluator(4, "predcls", (1, 2))
    evaluator.update(truth([(0, 1, 1), (1, 0, 3)]), answer([(1, 0), (0, 1)], [[0, 0.2, 0.6, 0.2], [0, 0.6, 0.3, 0.1]]))
    arrays: dict[str, Any] = {"other": np.zeros(3), **evaluator.rows().arrays()}
    np.savez(tmp_path / "rows.npz", **arrays)
    with np.load(tmp_path / "rows.npz") as archive:
        rows = Rows.of(archive)
    again, figures = evaluator.figures(None, rows), evaluator.figures()
    assert again.keys() == figures.keys()
    assert all(np.array_equal(again[name], value, equal_nan=True) for name, value in figures.items())
    assert float(evaluator.figures(None, rows)["R@2"][0]) == 0.5
