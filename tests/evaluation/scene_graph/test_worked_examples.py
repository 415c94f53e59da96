"""Examples small enough to be followed by hand (spec §I.11, §I.12, §I.14)."""

from __future__ import annotations

import numpy as np
import pytest
from tests.evaluation.scene_graph.oracle import area

from interplay.evaluation.scene_graph import (
    GroundTruth,
    OpenImagesEvaluator,
    Predicted,
    VisualGenomeEvaluator,
    VisualRelationshipEvaluator,
    long_tail_groups,
)
from interplay.evaluation.scene_graph.overlaps import iou_matrix, union_boxes
from interplay.evaluation.scene_graph.precision import average_precision
from interplay.evaluation.scene_graph.visual_genome import Task

ON, NEAR, OF = 1, 2, 3
BOXES = np.array([[0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9]], np.float32)
LABELS = np.array([1, 2, 3])
RELATIONS = np.array([[0, 1, ON], [0, 1, ON], [0, 1, NEAR], [2, 1, OF]])
TRUTH = GroundTruth(BOXES, LABELS, RELATIONS, (50, 10))


def said(*triplets: tuple[int, int, int], second: float = 0.0) -> Predicted:
    """Pairs best first, each with one predicate; ``second`` is what `near` gets besides."""
    scores = np.full((len(triplets), 4), 0.01, np.float32)
    for row, (_, _, predicate) in enumerate(triplets):
        scores[row, predicate] = 0.9 - 0.1 * row
        if predicate != NEAR:
            scores[row, NEAR] = second
    pairs = np.array([triplet[:2] for triplet in triplets]).reshape(-1, 2)
    return Predicted(BOXES, LABELS, np.ones(3), pairs, scores)


@pytest.mark.parametrize(
    ("pattern", "positives", "expected"), [([1, 0, 1, 1, 0], 5, 0.5), ([0, 1], 2, 0.25), ([], 3, 0.0)]
)
def test_average_precision(pattern: list[int], positives: int, expected: float) -> None:
    hits = np.array(pattern, dtype=float)
    found = average_precision(hits, np.ones((1, len(hits))), np.array([float(positives)]))
    assert found == pytest.approx(expected, abs=1e-11)
    assert area([bool(hit) for hit in pattern], positives) == pytest.approx(expected, abs=1e-11)


def test_average_precision_of_a_sample_drawn_twice_is_that_of_its_copies() -> None:
    hits, weights = np.array([1.0, 0, 1, 0, 1]), np.array([[2.0, 0, 1, 3, 1]])
    repeated = np.repeat(hits, weights[0].astype(int))
    expected = average_precision(repeated, np.ones((1, len(repeated))), np.array([6.0]))
    assert average_precision(hits, weights, np.array([6.0])) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("task", ["predcls", "sgcls", "sggen"])
def test_recall_with_an_exact_repeat(task: Task) -> None:
    evaluator = VisualGenomeEvaluator(4, task, ks=(1, 20), zero_shot=[[3, 2, OF], [1, 2, 9]])
    evaluator.update(TRUTH, said((0, 1, ON), (2, 1, OF), (1, 0, ON), second=0.3))
    found = evaluator.result()
    assert (found.metrics["R@1"], found.metrics["R@20"]) == (2 / 4, 3 / 4)
    assert found.per_predicate["R@20"].tolist() == [1, 0, 1]
    assert found.metrics["mR@20"] == pytest.approx(2 / 3)
    assert found.metrics["ngR@20"] == 1.0
    assert (found.metrics["zR@1"], found.metrics["zR@20"]) == (0.0, 1.0)
    if task == "sggen":
        assert "A@20" not in found.metrics
    else:
        assert found.metrics["A@20"] == 3 / 4


def test_pair_accuracy_takes_its_first_k_among_annotated_pairs() -> None:
    evaluator = VisualGenomeEvaluator(4, "predcls", ks=(1, 2))
    evaluator.update(TRUTH, said((1, 0, ON), (0, 2, ON), (0, 1, ON), (2, 1, OF)))
    metrics = evaluator.result().metrics
    assert (metrics["R@1"], metrics["R@2"]) == (0, 0)
    assert (metrics["A@1"], metrics["A@2"]) == (2 / 4, 3 / 4)


def test_recall_is_a_mean_of_images_and_accuracy_a_share_of_relations() -> None:
    evaluator = VisualGenomeEvaluator(4, "predcls", ks=(20,))
    evaluator.update(TRUTH, said((0, 1, ON)))
    evaluator.update(GroundTruth(BOXES, LABELS, RELATIONS[3:]), said((2, 1, OF)))
    evaluator.update(GroundTruth(BOXES, LABELS, np.zeros((0, 3), int)), said((2, 1, OF)))
    evaluator.update(GroundTruth(BOXES, LABELS, RELATIONS[3:]), said())
    found = evaluator.result()
    assert found.metrics["R@20"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert found.metrics["A@20"] == pytest.approx(3 / 6)
    assert dict(found.counts) == {
        "images": 4,
        "images_with_relations": 3,
        "images_without_predictions": 1,
        "relations": 6,
    }
    assert found.image_numbers.tolist() == [0, 1, 3]


def test_the_last_pixel_counts_and_exactly_one_half_is_enough() -> None:
    half = np.array([[0, 0, 9, 9], [0, 0, 9, 4]], np.float32)
    assert iou_matrix(half, half).tolist() == [[1.0, 0.5], [0.5, 1.0]]
    assert union_boxes(half[:1], BOXES[1:2]).tolist() == [[0, 0, 29, 9]]
    boxes = BOXES.copy()
    boxes[:, 3] = 4
    answer = Predicted(boxes, LABELS, np.ones(3), np.array([[2, 1]]), np.array([[0.1, 0.1, 0.1, 0.7]]))
    recall = VisualGenomeEvaluator(4, "sggen", ks=(20,))
    recall.update(TRUTH, answer)
    assert recall.result().metrics["R@20"] == 1 / 4
    precise = OpenImagesEvaluator(4)
    precise.update(TRUTH, answer)
    metrics = precise.result().metrics
    assert metrics["R_micro@1"] == pytest.approx(1 / 4)
    assert metrics["mAP_rel"] == metrics["mAP_phr"] == 0.0  # average precision asks for more than one half


def test_open_images_finds_one_of_two_repeats() -> None:
    evaluator = OpenImagesEvaluator(4)
    evaluator.update(GroundTruth(BOXES, LABELS, RELATIONS[:2]), said((0, 1, ON)))
    found = evaluator.result()
    assert found.metrics["R_micro@50"] == pytest.approx(1)
    assert found.per_predicate["AP_rel"].tolist() == pytest.approx([0.5, 0, 0])
    assert found.metrics["score_wtd"] == pytest.approx(0.2 + 0.4 * 0.5 + 0.4 * 0.5)


def test_open_images_drops_what_scores_next_to_nothing() -> None:
    low = said((0, 1, ON), (2, 1, OF))
    low.scores[2] = 1e-5
    evaluator = OpenImagesEvaluator(4)
    evaluator.update(TRUTH, low)
    assert evaluator.result().per_image["detections_kept"].tolist() == [2]


def test_a_phrase_is_found_where_a_relationship_is_not() -> None:
    boxes = np.array([[0, 0, 9, 9], [6, 0, 19, 9]], np.float32)
    truth = GroundTruth(boxes, [1, 2], [[0, 1, 1]])
    moved = np.array([[0, 0, 3, 9], [6, 0, 19, 9]], np.float32)
    evaluator = VisualRelationshipEvaluator(3, ("phrase", "relationship"), per_pair=(1, 2), zero_shot=[[1, 2, 1]])
    evaluator.update(truth, Predicted(moved, [1, 2], np.ones(2), [[0, 1]], np.array([[0, 0.4, 0.6]])))
    metrics = evaluator.result().metrics
    assert {name: value for name, value in metrics.items() if "@50" in name and "mR" not in name} == {
        "phrase R@50 k=1": 0,
        "phrase R@50 k=2": 1,
        "phrase zR@50 k=1": 0,
        "phrase zR@50 k=2": 1,
        "relationship R@50 k=1": 0,
        "relationship R@50 k=2": 0,
        "relationship zR@50 k=1": 0,
        "relationship zR@50 k=2": 0,
    }


def test_vrd_takes_each_relation_once_and_predicts_on_annotated_pairs_only() -> None:
    truth = GroundTruth(BOXES, LABELS, RELATIONS[:2])
    evaluator = VisualRelationshipEvaluator(4, ("predicate",), ks=(1, 50), per_pair=(1,))
    evaluator.update(truth, said((1, 0, ON), (0, 1, ON), (0, 1, ON)))
    metrics = evaluator.result().metrics
    assert metrics["predicate R@1 k=1"] == 1 / 2  # the pair that nothing is annotated for takes no place
    assert metrics["predicate R@50 k=1"] == 1 / 2  # and a pair said twice counts once


def test_the_extra_condition_of_relation_suppression_always_holds() -> None:
    draw = np.random.default_rng(0)
    for sharpness in (0.1, 1, 30):
        logits = draw.normal(0, sharpness, (2, 500, 51))
        first, second = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
        assert np.sqrt(first**2 + second**2).sum(axis=1).min() >= 1 - 1e-12


def copies(count: int, predicates: int) -> tuple[GroundTruth, Predicted]:
    """Near copies of one box, all pairs of which say the same, one more surely than the next."""
    boxes = np.tile(np.array([0, 0, 99, 99], np.float32), (count, 1)) + np.arange(count, dtype=np.float32)[:, None]
    pairs = np.array([(i, j) for i in range(count) for j in range(count) if i != j])
    scores = np.full((len(pairs), predicates), 0.02)
    scores[:, 0] = 0.5
    scores[:, 1] = 0.4 - 0.001 * np.arange(len(pairs))
    truth = GroundTruth(boxes, np.ones(count, int), [[*pairs[0], 1], [*pairs[1], 2]])
    return truth, Predicted(boxes, truth.labels, np.ones(count), pairs, scores.astype(np.float32))


def test_relation_suppression_gives_copies_different_predicates() -> None:
    given = copies(2, 4)
    plain, without_copies = (VisualGenomeEvaluator(4, "predcls", (20,), relation_nms=nms) for nms in ("none", "penet"))
    plain.update(*given)
    without_copies.update(*given)
    assert plain.result().metrics["R@20"] == 1 / 2
    assert without_copies.result().metrics["R@20"] == 1


def test_only_the_release_lets_background_top_the_ranking() -> None:
    """Twelve pairs overlap and three predicates are left for them: nine find nothing."""
    given = copies(4, 4)
    found = {}
    for nms in ("penet", "corrected"):
        evaluator = VisualGenomeEvaluator(4, "predcls", (3, 20), relation_nms=nms)  # type: ignore[arg-type]
        evaluator.update(*given)
        found[nms] = evaluator.result().metrics["R@3"]
    assert found == {"penet": 0.0, "corrected": 1.0}


def test_head_body_tail() -> None:
    counts = np.array([999, *range(50, 0, -1)])
    groups = long_tail_groups(counts)
    assert [len(members) for members in groups.values()] == [16, 17, 17]
    assert groups["head"] == tuple(range(1, 17))
    assert long_tail_groups([0, 5, 20000, 700, 10000], (500, 10000)) == {"head": (2,), "body": (3, 4), "tail": (1,)}
    evaluator = VisualGenomeEvaluator(4, "predcls", (20,), groups={"head": [1], "tail": [2, 3]})
    evaluator.update(TRUTH, said((0, 1, ON), (2, 1, OF)))
    metrics = evaluator.result().metrics
    assert (metrics["mR@20 head"], metrics["mR@20 tail"]) == (1.0, 0.5)
