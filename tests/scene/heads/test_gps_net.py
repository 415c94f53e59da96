"""GPS-Net: the contract of heads, its messages and losses against loops, its switches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.scene.heads import contract
from tests.scene.heads.batches import CLASSES, PREDICATES, TASKS, UNION, VOCABULARY, WIDTH, Batch, statistics

from interplay.scene.heads import gps_net
from interplay.scene.heads.direction_aware import DirectionAwarePassing, first_of_each
from interplay.scene.heads.gps_net import GPSNet, sinus_table
from interplay.scene.heads.node_priority_loss import focusing, node_priority_loss, node_priority_terms, priorities
from interplay.scene.heads.padding import Padding
from interplay.scene.structures import Entities, Pairs, Task, UnionFeatures

SMALL = {"entity_width": WIDTH, "union_width": UNION, "hidden": 10, "value": 6, "bottleneck": 5, "label_dim": 7}


def gps(task: Task, **options: object) -> GPSNet:
    torch.manual_seed(1)
    return GPSNet(VOCABULARY, statistics(), task, **{**SMALL, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("task", TASKS)
def test_contract(task: Task) -> None:
    contract.check_shapes_and_edges(gps(task), task)
    contract.check_image_alone_is_image_in_batch(gps(task), task)
    contract.check_chunks(gps(task), task)
    contract.check_gradients(gps(task), task)
    contract.check_mixed_precision(gps(task), task)
    contract.check_deterministic_and_saved(gps, task)


def test_many_objects() -> None:
    contract.check_many_objects(gps("sggen"), "sggen")


@pytest.mark.parametrize(
    "options",
    [
        {"refined_in_relations": True},
        {"fusion": "difference"},
        {"normalisation": "released", "missing": "half"},
        {"bias_adapt": False},
        {"frequency_bias": False},
        {"node_priority": False},
        {"layers": 1},
    ],
    ids=str,
)
def test_every_option_keeps_the_contract(options: dict[str, object]) -> None:
    contract.check_image_alone_is_image_in_batch(gps("sgcls", **options), "sgcls")
    for task in TASKS:
        contract.check_gradients(gps(task, **options), task)


def test_union_features_made_twice_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    head, batch = gps("sgcls"), Batch((5, 3), "sgcls", chunk=4)
    kept = contract.evaluated(head, batch).relation_logits
    monkeypatch.setattr(gps_net, "HELD", 0)
    calls: list[slice] = []

    def make(rows: slice) -> torch.Tensor:
        calls.append(rows)
        return batch.u[rows]

    for held, passes in ((0, 2), (10**9, 1)):
        monkeypatch.setattr(gps_net, "HELD", held)
        calls.clear()
        with torch.no_grad():
            found = head(batch.x, UnionFeatures(make, len(batch.u), UNION, 4), batch.entities, batch.pairs)
        torch.testing.assert_close(found.relation_logits, kept, rtol=1e-5, atol=1e-5)
        assert len(calls) == passes * math.ceil(len(batch.u) / 4)


@torch.no_grad()
@pytest.mark.parametrize("missing", ["absent", "half"])
@pytest.mark.parametrize("normalisation", ["corrected", "released"])
def test_message_passing_is_the_loop(missing: str, normalisation: str) -> None:
    torch.manual_seed(0)
    counts = (4, 1, 2)
    layer = DirectionAwarePassing(6, 4, 5, normalisation, missing).double()  # type: ignore[arg-type]
    index = torch.tensor([[0, 1], [1, 0], [2, 0], [2, 3], [3, 1], [5, 6]])
    f, e = torch.randn(7, 6).double(), torch.randn(len(index), 6).double()
    found = layer(f, e, index, Padding(counts, f.device))
    first = 0
    for count in counts:
        a = np.zeros((count, count))
        if missing == "half":
            a += 0.5 * (1 - np.eye(count))
        for row, (i, j) in enumerate(index.tolist()):
            if first <= i < first + count:
                a[i - first, j - first] = torch.sigmoid(
                    layer.attention(layer.subject(f[i]) * layer.object(f[j]) * e[row])
                ).item()
        total = a.sum(1)
        values = torch.relu(layer.value(f[first : first + count]))
        for i in range(count):
            out, back = torch.zeros(4).double(), torch.zeros(4).double()
            for j in range(count):
                by_row, by_column = (i, j) if normalisation == "corrected" else (j, i)
                out += values[j] * (a[i, j] / total[by_row] if total[by_row] > 0 else 0.0)
                back += values[j] * (a[j, i] / total[by_column] if total[by_column] > 0 else 0.0)
            inner = layer.widen(torch.relu(layer.norm(layer.narrow(torch.cat([out, back])))))
            torch.testing.assert_close(found[first + i], torch.relu(f[first + i] + inner))
        first += count


@torch.no_grad()
def test_weights_of_a_row_sum_to_one() -> None:
    torch.manual_seed(0)
    batch = Batch((5, 1, 3), "sgcls")
    layer, padding = DirectionAwarePassing(6, 4, 5), Padding(batch.entities.counts, batch.x.device)
    index = batch.pairs.index
    scores = layer.scores(torch.randn(9, 6), torch.randn(len(index), 6), index)
    alpha = layer.normalised(layer.weights(scores, index, padding))
    expected = padding.present().float()
    expected[1] = 0  # a single entity hears nobody
    torch.testing.assert_close(alpha.sum(2), expected)


def test_a_pair_listed_twice_counts_once() -> None:
    index = torch.tensor([[0, 1], [1, 0], [0, 1], [2, 2], [1, 2], [1, 0]])
    assert first_of_each(index, 3).sort().values.tolist() == [0, 1, 4]
    assert first_of_each(index[:0], 3).tolist() == []


def test_focusing_oracle() -> None:
    theta = torch.tensor([0, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5], dtype=torch.float64)
    expected = [2, 1.359653, 0.527381, 0.071251, 0.021661, 0.005231, 7.1e-5, 0]
    np.testing.assert_allclose(focusing(theta).numpy(), expected, atol=1e-6)


def priority_batch() -> tuple[Entities, Pairs]:
    """Image 0: star around entity 0, one edge in both directions and with two labels. Image 1: no relation."""
    index = torch.tensor([[0, 1], [1, 0], [0, 1], [2, 0], [0, 3], [1, 2], [4, 5]])
    labels = torch.tensor([1, 2, 3, 1, 4, 0, 0])
    logits = torch.randn(6, CLASSES, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([1, 2, 0, 3, 1, 2])
    entities = Entities((4, 2), torch.zeros(6, 4), torch.ones(2, 2), logits, classes)
    return entities, Pairs((6, 1), index, labels)


def test_node_priority_loss_is_the_loop() -> None:
    entities, pairs = priority_batch()
    found = priorities(entities, pairs)
    assert found.degree.tolist() == [3, 1, 1, 1, 0, 0]
    theta = [0.5, 1 / 6, 1 / 6, 1 / 6, 0, 0]
    expected = 0.0
    assert entities.labels is not None
    for i, share in enumerate(theta):
        gamma = 2.0 if share == 0 else min(2.0, -((1 - 2 * share) ** 5) * math.log(2 * share))
        p = entities.logits[i].softmax(0)[entities.labels[i]].item()
        expected += -((1 - p) ** gamma) * math.log(p) / 6
    loss = node_priority_loss(entities.logits, entities, pairs)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_factor_of_the_priority_loss_has_no_gradient() -> None:
    logits = torch.randn(3, CLASSES, dtype=torch.float64, requires_grad=True)
    labels, gamma = torch.tensor([1, 2, 3]), torch.tensor([2.0, 1.0, 0.5], dtype=torch.float64)
    node_priority_terms(logits, labels, gamma).sum().backward()  # type: ignore[no-untyped-call]
    p = logits.detach().softmax(1)
    factor = (1 - p[range(3), labels]) ** gamma
    expected = factor[:, None] * (p - torch.nn.functional.one_hot(labels, CLASSES))
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, expected)


def test_priority_loss_asks_for_labels() -> None:
    entities, pairs = priority_batch()
    with pytest.raises(ValueError, match=r"pairs\.labels"):
        node_priority_loss(entities.logits, entities, Pairs(pairs.counts, pairs.index))
    unknown = Entities(entities.counts, entities.boxes, entities.sizes, entities.logits)
    with pytest.raises(ValueError, match=r"entities\.labels"):
        node_priority_loss(entities.logits, unknown, pairs)


def test_which_entity_loss_is_used() -> None:
    batch = Batch((4, 3), "sgcls", train=True)
    own = gps("sgcls").train()(*batch.inputs)
    assert list(own.losses) == ["node_priority"]
    assert not own.entity_loss
    plain = gps("sgcls", node_priority=False).train()(*batch.inputs)
    assert plain.losses == {}
    assert plain.entity_loss


def test_messages_reach_relations_only_if_asked() -> None:
    batch = Batch((4, 3), "predcls")
    for wanted in (False, True):
        head = gps("predcls", refined_in_relations=wanted)
        before = contract.evaluated(head, batch).relation_logits
        with torch.no_grad():
            head.entity_in.weight.mul_(-1)
        assert torch.allclose(before, contract.evaluated(head, batch).relation_logits) != wanted


def test_prior_spans_about_a_nat_and_sinus_rows_are_almost_orthogonal() -> None:
    frequency = gps("predcls").frequency
    assert frequency is not None
    table = frequency.table.weight.detach()
    torch.testing.assert_close(table.exp().sum(1), torch.ones(CLASSES**2))
    assert table.min() > -math.log(PREDICATES) - 1.01
    rows = sinus_table(20, 200)
    cosine = torch.nn.functional.normalize(rows, dim=1) @ torch.nn.functional.normalize(rows, dim=1).T
    assert (cosine - torch.eye(20)).abs().max() < 0.05
    omega = -math.pi + 3 * 2 * math.pi / 199
    assert rows[4, 3].item() == pytest.approx(math.sin(5 * omega) + math.cos(5 * omega), abs=1e-6)
