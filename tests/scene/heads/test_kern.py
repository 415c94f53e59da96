"""KERN: the contract of heads, and both graphs against loops over nodes."""

from __future__ import annotations

import pytest
import torch
from tests.scene.heads import contract
from tests.scene.heads.batches import CLASSES, PREDICATES, TASKS, UNION, VOCABULARY, WIDTH, Batch, statistics
from torch import Tensor

from interplay.scene.heads.entity_labels import suppressed_labels
from interplay.scene.heads.gated_graph import GatedUpdate, Nodes, ObjectRouting, RelationRouting
from interplay.scene.heads.kern import KERN
from interplay.scene.structures import Entities, Task

SMALL = {"entity_width": WIDTH, "union_width": UNION, "hidden": 8, "output": 6}


def kern(task: Task, **options: object) -> KERN:
    torch.manual_seed(1)
    return KERN(VOCABULARY, statistics(), task, **{**SMALL, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("task", TASKS)
def test_contract(task: Task) -> None:
    contract.check_shapes_and_edges(kern(task), task)
    contract.check_image_alone_is_image_in_batch(kern(task), task)
    contract.check_chunks(kern(task, pair_chunk=5), task)
    contract.check_gradients(kern(task), task)
    contract.check_mixed_precision(kern(task), task)
    contract.check_deterministic_and_saved(kern, task)


def test_many_objects() -> None:
    contract.check_many_objects(kern("sgcls", pair_chunk=4096), "sgcls")


@pytest.mark.parametrize(
    "options", [{"tied_reset": True}, {"frequency_bias": False}, {"object_scores": "classwise"}, {"steps": 1}], ids=str
)
def test_every_option_keeps_the_contract(options: dict[str, object]) -> None:
    contract.check_image_alone_is_image_in_batch(kern("sggen", **options), "sggen")
    contract.check_gradients(kern("sgcls", **options), "sgcls")


def test_chunks_of_pair_graphs_change_nothing() -> None:
    batch = Batch((6, 4), "predcls")
    whole = contract.evaluated(kern("predcls", pair_chunk=1000), batch).relation_logits
    for size in (1, 7, 30):
        parts = contract.evaluated(kern("predcls", pair_chunk=size), batch).relation_logits
        torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)


def gru(update: GatedUpdate, message: Tensor, state: Tensor) -> Tensor:
    """One node, as the paper writes it."""
    reset = update.state_update if update.state_reset is None else update.state_reset
    z = torch.sigmoid(update.message_update(message) + update.state_update(state))
    r = torch.sigmoid(update.message_reset(message) + reset(state))
    new = torch.tanh(update.message_candidate(message) + update.state_candidate(r * state))
    return (1 - z) * state + z * new


@torch.no_grad()
@pytest.mark.parametrize("tied", [False, True])
def test_relation_graph_is_the_loop_over_nodes(tied: bool) -> None:
    torch.manual_seed(0)
    routing = RelationRouting(PREDICATES, WIDTH, UNION, 4, 3, 3, tied)
    knowledge = torch.tensor([[0.5, 0.0, 0.5, 0.0, 0.0], [1.0, 0, 0, 0, 0], [0.1, 0.2, 0.3, 0.15, 0.25]])
    ends, union = torch.randn(3, 2, 4), torch.randn(3, UNION)
    found = routing(ends, union, knowledge)
    for pair in range(3):
        m = knowledge[pair]
        start = [ends[pair, 0], ends[pair, 1], *(routing.project_union(union[pair]) for _ in m)]
        state = list(start)
        for _ in range(3):
            to_ends = sum((m[p] * state[2 + p] for p in range(PREDICATES)), torch.zeros(4))
            messages = [to_ends, to_ends, *(m[p] * (state[0] + state[1]) for p in range(PREDICATES))]
            state = [gru(routing.update, torch.cat([a, a]), h) for a, h in zip(messages, state, strict=True)]
        out = [torch.relu(routing.output(torch.cat(both))) for both in zip(state, start, strict=True)]
        torch.testing.assert_close(found[pair], routing.classify(torch.cat(out)), rtol=1e-4, atol=1e-5)


def test_equal_knowledge_is_held_once() -> None:
    knowledge = torch.tensor([[0.5, 0.0, 0.5, 0.0, 0.0], [1.0, 0, 0, 0, 0]])
    nodes = Nodes.distinct(knowledge)
    assert len(nodes.pair) == 4
    assert torch.equal(nodes.weight[nodes.of, 0], knowledge)
    assert torch.equal(nodes.pair[nodes.of], torch.tensor([[0] * 5, [1] * 5]))
    assert nodes.amount.flatten().tolist() == [3, 2, 4, 1]


def test_shared_nodes_have_the_gradient_of_separate_ones() -> None:
    torch.manual_seed(0)
    routing = RelationRouting(PREDICATES, WIDTH, UNION, 4, 3, 2).double()
    ends, union = torch.randn(2, 2, 4).double(), torch.randn(2, UNION).double()
    knowledge = torch.tensor([[0.5, 0.0, 0.5, 0.0, 0.0], [1.0, 0, 0, 0, 0]]).double()
    separate = knowledge + torch.arange(PREDICATES) * 1e-13  # all different, and equal to the last digits

    def gradients(values: Tensor) -> list[Tensor]:
        logits = routing(ends, union, values)
        return list(torch.autograd.grad((logits**2).sum(), list(routing.update.parameters())))

    assert len(Nodes.distinct(separate).pair) > len(Nodes.distinct(knowledge).pair)
    for ours, theirs in zip(gradients(knowledge), gradients(separate), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


@torch.no_grad()
@pytest.mark.parametrize("classwise", [False, True])
def test_object_graph_is_the_loop_over_nodes(classwise: bool) -> None:
    torch.manual_seed(0)
    counts, hidden = (3, 1), 4
    routing = ObjectRouting(CLASSES, WIDTH, hidden, 3, 2, classwise=classwise)
    matrix, x = torch.rand(CLASSES, CLASSES), torch.randn(sum(counts), WIDTH)
    found = routing(x, matrix, torch.tensor([0, 0, 0, 1]), 2)
    first = 0
    for count in counts:
        start = [[routing.project(x[first + i]) for _ in range(CLASSES)] for i in range(count)]
        state = [list(row) for row in start]
        for _ in range(2):
            new = [list(row) for row in state]
            for i in range(count):
                for c in range(CLASSES):
                    others = [
                        sum((state[j][d] for j in range(count) if j != i), torch.zeros(hidden)) for d in range(CLASSES)
                    ]
                    into = sum((matrix[d, c] * others[d] for d in range(CLASSES)), torch.zeros(hidden))
                    onto = sum((matrix[c, d] * others[d] for d in range(CLASSES)), torch.zeros(hidden))
                    new[i][c] = gru(routing.update, torch.cat([into, onto]), state[i][c])
            state = new
        for i in range(count):
            out = [torch.relu(routing.output(torch.cat([state[i][c], start[i][c]]))) for c in range(CLASSES)]
            if classwise:
                assert routing.classwise is not None
                assert routing.bias is not None
                expected = (torch.stack(out) * routing.classwise).sum(1) + routing.bias
            else:
                assert routing.classify is not None
                expected = routing.classify(torch.cat(out))
            torch.testing.assert_close(found[first + i], expected, rtol=1e-4, atol=1e-5)
        first += count


def test_training_bounds_pairs_and_true_classes_pick_the_knowledge() -> None:
    head = kern("sgcls")
    assert head.max_pairs == 256
    batch = Batch((4, 3), "sgcls", train=True)
    assert batch.entities.labels is not None
    assert torch.equal(head.train()(*batch.inputs).entity_labels, batch.entities.labels)
    guessed = contract.evaluated(head, batch)
    assert torch.equal(guessed.entity_labels, guessed.entity_logits[:, 1:].argmax(1) + 1)


def test_knowledge_matters() -> None:
    batch = Batch((4, 3), "predcls")
    head = kern("predcls", frequency_bias=False)
    before = contract.evaluated(head, batch).relation_logits
    head.relation_knowledge.zero_()
    assert not torch.allclose(before, contract.evaluated(head, batch).relation_logits)


def test_labels_in_generation_survive_their_class_suppression() -> None:
    """Two boxes of one class on the same spot: the weaker one takes its second best class; a third is elsewhere."""
    logits = torch.tensor([[0.0, 5, 1, 0], [0, 4, 3, 0], [0, 2, 1, 0]])
    spot, elsewhere = torch.tensor([10.0, 10, 50, 50]), torch.tensor([200.0, 10, 250, 50])
    boxes = torch.stack([spot, spot, elsewhere])[:, None].repeat(1, 4, 1)
    entities = Entities((3,), boxes[:, 0], torch.tensor([[300.0, 300]]), logits, None, boxes)
    assert suppressed_labels(logits, entities, 0.3).tolist() == [1, 2, 1]
    apart = Entities((1, 1, 1), boxes[:, 0], torch.full((3, 2), 300.0), logits, None, boxes)
    assert suppressed_labels(logits, apart, 0.3).tolist() == [1, 1, 1]


def test_many_classes_score_classwise() -> None:
    torch.manual_seed(0)
    few, many = (
        ObjectRouting(count, WIDTH, 4, 3, 1, classwise=wise) for count, wise in ((CLASSES, False), (CLASSES, True))
    )
    assert few.classify is not None
    assert many.classify is None
    assert sum(p.numel() for p in many.parameters()) < sum(p.numel() for p in few.parameters())
    assert kern("sgcls").object_routing.classify is not None
    assert kern("sgcls", object_scores="classwise").object_routing.classify is None


def test_bad_chunk_is_refused() -> None:
    with pytest.raises(ValueError, match="pair_chunk"):
        kern("predcls", pair_chunk=0)
