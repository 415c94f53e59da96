"""The fast evaluators against plain ones, on more than a thousand made-up images in every protocol."""

from __future__ import annotations

import numpy as np
import pytest
from tests.evaluation.scene_graph.generated import PREDICATES, ZERO_SHOT, image
from tests.evaluation.scene_graph.oracle import PlainOpenImages, PlainVisualGenome, PlainVisualRelationships

from interplay.evaluation.scene_graph import OpenImagesEvaluator, VisualGenomeEvaluator, VisualRelationshipEvaluator
from interplay.evaluation.scene_graph.suppression import RelationNMS
from interplay.evaluation.scene_graph.visual_genome import Task
from interplay.evaluation.scene_graph.visual_relationships import Detection

KS = (1, 3, 7, 20)
COUNT = 1000


def compared(found: dict[str, float], expected: dict[str, float]) -> None:
    assert set(expected) <= set(found)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12, nan_ok=True), name


@pytest.mark.parametrize(
    ("task", "relation_nms"),
    [
        ("predcls", "none"),
        ("sgcls", "none"),
        ("sggen", "none"),
        ("predcls", "penet"),
        ("sgcls", "penet"),
        ("predcls", "corrected"),
        ("sgcls", "corrected"),
    ],
)
def test_visual_genome(task: Task, relation_nms: RelationNMS) -> None:
    draw = np.random.default_rng(1)
    fast = VisualGenomeEvaluator(PREDICATES, task, KS, ZERO_SHOT, relation_nms=relation_nms)
    plain = PlainVisualGenome(PREDICATES, task, KS, ZERO_SHOT, relation_nms)
    for _ in range(COUNT):
        given = image(draw, task)
        fast.update(*given)
        plain.update(*given)
    found = fast.result()
    compared(dict(found.metrics), plain.metrics())
    for (name, k), values in plain.lists.items():
        assert found.per_image[f"{name}@{k}"].tolist() == values, (name, k)


def test_open_images() -> None:
    draw = np.random.default_rng(2)
    fast = OpenImagesEvaluator(PREDICATES, KS, KS)
    plain, classic = PlainOpenImages(PREDICATES, (*KS, 50)), PlainVisualGenome(PREDICATES, "sggen", KS, ZERO_SHOT[:0])
    for _ in range(COUNT):
        given = image(draw, "sggen")
        fast.update(*given)
        plain.update(*given)
        classic.update(*given)
    compared(dict(fast.result().metrics), plain.metrics() | classic.metrics())


@pytest.mark.parametrize(
    ("task", "tasks"), [("predcls", ("predicate",)), ("sgcls", ("predicate",)), ("sggen", ("phrase", "relationship"))]
)
def test_visual_relationships(task: str, tasks: tuple[Detection, ...]) -> None:
    draw = np.random.default_rng(3)
    fast = VisualRelationshipEvaluator(PREDICATES, tasks, (2, 10), (1, 3, 70), ZERO_SHOT)
    plain = PlainVisualRelationships(tasks, (2, 10), (1, 3, 70), ZERO_SHOT)
    for _ in range(COUNT):
        given = image(draw, task)
        fast.update(*given)
        plain.update(*given)
    expected = plain.metrics()
    found = dict(fast.result().metrics)
    assert {name: found[name] for name in expected} == expected
