"""BGNN: the contract of heads, its messages and losses against loops, its switches."""

from __future__ import annotations

import math

import pytest
import torch
from tests.scene.heads import contract
from tests.scene.heads.batches import PREDICATES, TASKS, UNION, VOCABULARY, WIDTH, Batch, statistics
from torch import Tensor
from torch.nn import functional

from interplay.scene.heads.bgnn import BGNN
from interplay.scene.heads.bipartite_graph import Edges, MessagePassing
from interplay.scene.heads.relation_confidence import Recalibration, confidence_loss
from interplay.scene.structures import Task

SMALL = {
    "entity_width": WIDTH,
    "union_width": UNION,
    "pooling": 12,
    "feature_hidden": 8,
    "hidden": 10,
    "confidence_hidden": 9,
    "label_dim": 7,
    "gate_width": 6,
    "pretraining_steps": 0,
}


def bgnn(task: Task, **options: object) -> BGNN:
    torch.manual_seed(1)
    made = BGNN(VOCABULARY, statistics(), task, **{**SMALL, **options})  # type: ignore[arg-type]
    for estimate in made.confidence:  # confidences near 0.27, where α s − α β is not cut off at 1 and α has a gradient
        torch.nn.init.constant_(estimate.binary.bias, -1.0)
    return made


@pytest.mark.parametrize("task", TASKS)
def test_contract(task: Task) -> None:
    contract.check_shapes_and_edges(bgnn(task), task)
    contract.check_image_alone_is_image_in_batch(bgnn(task), task)
    contract.check_chunks(bgnn(task), task)
    contract.check_gradients(bgnn(task), task)
    contract.check_mixed_precision(bgnn(task), task)
    contract.check_deterministic_and_saved(bgnn, task)


def test_many_objects() -> None:
    contract.check_many_objects(bgnn("sggen"), "sggen")


@pytest.mark.parametrize(
    "options",
    [
        {"refine_entities": True},
        {"restart_each_stage": False},
        {"edge_features": "union"},
        {"edge_features": "obj_pair"},
        {"frequency_bias": False},
        {"pooling": UNION},
        {"stages": 1, "iterations": 2},
    ],
    ids=str,
)
def test_every_option_keeps_the_contract(options: dict[str, object]) -> None:
    contract.check_image_alone_is_image_in_batch(bgnn("sgcls", **options), "sgcls")
    for task in TASKS:
        contract.check_gradients(bgnn(task, **options), task)
    contract.check_deterministic_and_saved(lambda task: bgnn(task, **options), "sgcls")


def passing_batch() -> tuple[Batch, Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(2)
    batch = Batch((4, 1, 3), "sggen")
    entity, predicate = torch.randn(8, 5), torch.randn(len(batch.u), 5)
    confidence = torch.rand(len(batch.u)) * (torch.rand(len(batch.u)) < 0.6)
    scores = torch.tensor([0.9, 0.01, 0.5, 0.2, 0.9, 0.9, 0.03, 0.7])
    return batch, entity, predicate, confidence, scores


@torch.no_grad()
def test_messages_are_means_over_selected_edges() -> None:
    batch, entity, predicate, confidence, scores = passing_batch()
    step = MessagePassing(5, 6)
    edges = Edges.choose(confidence, scores, batch.entities, batch.pairs)
    new_entity, new_predicate = step(entity, predicate, edges, batch.pairs)
    index = batch.pairs.index.tolist()
    for i in range(8):
        means = []
        for gate, column in ((step.predicate_to_subject, 0), (step.predicate_to_object, 1)):
            rows = [r for r, pair in enumerate(index) if pair[column] == i and confidence[r] > 1e-4]
            spoken = [confidence[r] * gate(entity[i : i + 1], predicate[r : r + 1])[0] * predicate[r] for r in rows]
            means.append(sum(spoken, torch.zeros(5)) / max(len(rows), 1))
        update = step.entity_update
        inner = update.message(torch.relu((means[0] + means[1]) / 2)) + update.own(torch.relu(entity[i]))
        skipped = i == 4  # alone in its image: no pair, nothing happens
        torch.testing.assert_close(new_entity[i], entity[i] + (0 if skipped else inner), rtol=1e-5, atol=1e-5)
    heard = 0
    for r, (s, o) in enumerate(index):
        expected = predicate[r]
        if scores[s] > 0.03 and scores[o] > 0.03:
            heard += 1
            parts = [
                gate(predicate[r : r + 1], entity[e : e + 1])[0] * entity[e]
                for gate, e in ((step.subject_to_predicate, s), (step.object_to_predicate, o))
            ]
            update = step.predicate_update
            inner = update.message(torch.relu((parts[0] + parts[1]) / 2)) + update.own(torch.relu(predicate[r]))
            expected = predicate[r] + inner
        torch.testing.assert_close(new_predicate[r], expected, rtol=1e-5, atol=1e-5)
    assert 0 < heard < len(index)


def test_skip_is_per_image_unless_asked_otherwise() -> None:
    batch, _, _, confidence, scores = passing_batch()
    silent = confidence * (batch.pairs.image != 2)
    own = Edges.choose(silent, scores, batch.entities, batch.pairs)
    assert own.entity_active.tolist() == [True] * 4 + [False] * 4
    assert not own.pair_active[batch.pairs.image == 2].any()
    shared = Edges.choose(silent, scores, batch.entities, batch.pairs, skip="batch")
    assert shared.entity_active.all()
    nothing = Edges.choose(silent * 0, scores, batch.entities, batch.pairs, skip="batch")
    assert not nothing.entity_active.any()


def test_recalibration_oracle() -> None:
    found = Recalibration()(torch.tensor([0.05, 0.1, 0.3, 0.38, 0.4]))
    torch.testing.assert_close(found.detach(), torch.tensor([0, 0.1248, 0.7488, 0.9984, 1.0]), rtol=0, atol=1e-6)


def test_confidence_loss_is_the_loop() -> None:
    torch.manual_seed(0)
    logits = torch.randn(6, PREDICATES, dtype=torch.float64)
    labels = torch.tensor([0, 3, -1, 1, 0, 4])

    def fl(logit: float, target: bool) -> float:
        p = 1 / (1 + math.exp(-logit))
        p_t = p if target else 1 - p
        return -0.2 * (1 - p_t) ** 2 * math.log(p_t)

    rows = [r for r in range(6) if labels[r] >= 0]
    binary = sum(fl(logits[r, -1].item(), bool(labels[r] > 0)) for r in rows) / 4
    named = [sum(fl(logits[r, c - 1].item(), c == labels[r]) for c in range(1, PREDICATES)) / 4 for r in rows]
    found = confidence_loss(logits, labels)
    assert found["binary"].item() == pytest.approx(binary)
    assert found["multi"].item() == pytest.approx(sum(named) / 5)
    assert found["loss"].item() == pytest.approx(0.8 * binary + 0.2 * sum(named) / 5)
    changed = logits.clone()
    changed[2] = 9.0
    assert torch.equal(confidence_loss(changed, labels)["loss"], found["loss"])
    empty = confidence_loss(logits[:0], labels[:0])["loss"]
    assert empty.item() == 0


def test_pretraining_passes_the_graph_by_and_counts_steps() -> None:
    head = bgnn("predcls", pretraining_steps=2)
    batch = Batch((4, 3), "predcls", train=True)
    head.train()
    head.features.position.eval()
    for expected in (1, 2):
        output = head(*batch.inputs)
        assert int(head.steps) == expected
        output.relation_logits.sum().backward()
        assert head.graph.iterations[0].predicate_update.own.weight.grad is None
        assert sorted(output.losses) == [f"relation_confidence_{stage}" for stage in range(3)]
    first = head(*batch.inputs).relation_logits
    first.sum().backward()
    assert head.graph.iterations[0].predicate_update.own.weight.grad.any()
    assert not torch.allclose(first, output.relation_logits)
    copied = bgnn("predcls", pretraining_steps=2)
    copied.load_state_dict(head.state_dict())
    assert int(copied.steps) == 3
    contract.evaluated(head, batch)
    assert int(head.steps) == 3


def test_confidence_sees_features_without_gradient_and_classification_trains_it() -> None:
    head = bgnn("predcls", iterations=2)
    batch = Batch((5, 4), "predcls", train=True)
    output = head.train()(*batch.inputs)
    (unseen,) = torch.autograd.grad(
        output.losses["relation_confidence_0"], head.features.pair.weight, retain_graph=True, allow_unused=True
    )
    assert unseen is None or not unseen.any()
    assert batch.pairs.labels is not None
    classification = functional.cross_entropy(output.relation_logits, batch.pairs.labels)
    (through,) = torch.autograd.grad(classification, head.recalibration.alpha)
    assert through.any()


def test_bad_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="stages"):
        bgnn("predcls", stages=0)
