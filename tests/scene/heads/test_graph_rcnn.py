"""Graph R-CNN: the contract of heads, attention against PyTorch's, proposals and their loss against loops."""

from __future__ import annotations

import math

import pytest
import torch
from tests.scene.heads import contract
from tests.scene.heads.batches import PREDICATES, TASKS, UNION, VOCABULARY, WIDTH, Batch, statistics
from torch import nn
from torch.nn import functional

from interplay.scene.heads.attentional_graph import Attention, Copy, Mean, Neighbours
from interplay.scene.heads.graph_rcnn import GraphRCNN
from interplay.scene.heads.relation_proposal import RelationProposal, best_pairs
from interplay.scene.model import Scored
from interplay.scene.structures import Pairs, Task
from interplay.scene.task import relation_loss

SMALL = {
    "entity_width": WIDTH,
    "union_width": UNION,
    "pooling": 12,
    "feature_hidden": 8,
    "label_dim": 7,
    "hidden": 16,
    "heads": 2,
}


def graph_rcnn(task: Task, **options: object) -> GraphRCNN:
    torch.manual_seed(1)
    return GraphRCNN(VOCABULARY, statistics(), task, **{**SMALL, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("task", TASKS)
def test_contract(task: Task) -> None:
    contract.check_shapes_and_edges(graph_rcnn(task), task)
    contract.check_image_alone_is_image_in_batch(graph_rcnn(task), task)
    contract.check_chunks(graph_rcnn(task), task)
    contract.check_gradients(graph_rcnn(task), task)
    contract.check_mixed_precision(graph_rcnn(task), task)
    contract.check_deterministic_and_saved(graph_rcnn, task)


def test_many_objects() -> None:
    contract.check_many_objects(graph_rcnn("sggen"), "sggen")


@pytest.mark.parametrize(
    "options",
    [
        {"messages": "mean"},
        {"entity_neighbours": "pairs", "only_objects_updated": True},
        {"edge_features": "union"},
        {"keep_pairs": None},
        {"frequency_bias": False, "background_weight": "ratio"},
        {"feature_steps": 1, "score_steps": 3},
    ],
    ids=str,
)
def test_every_option_keeps_the_contract(options: dict[str, object]) -> None:
    contract.check_image_alone_is_image_in_batch(graph_rcnn("sgcls", **options), "sgcls")
    for task in TASKS:
        contract.check_gradients(graph_rcnn(task, **options), task)
    contract.check_deterministic_and_saved(lambda task: graph_rcnn(task, **options), "sgcls")


@torch.no_grad()
def test_attention_is_pytorchs_with_one_query_per_target() -> None:
    torch.manual_seed(0)
    unit = Attention(5, 8, heads=2)
    plain = nn.MultiheadAttention(8, 2)
    plain.in_proj_weight.copy_(torch.cat([unit.query.weight, unit.key.weight, unit.value.weight]))
    plain.in_proj_bias.copy_(torch.cat([unit.query.bias, torch.randn(8), unit.value.bias]))  # key bias: no effect
    plain.out_proj.load_state_dict(unit.output.state_dict())
    target, source = torch.randn(4, 8), torch.randn(6, 5)
    edges = torch.tensor([[0, 1], [0, 4], [2, 0], [0, 5], [3, 3], [2, 2]])
    found = unit(target, source, edges)
    speakers = torch.relu(unit.collect(source))
    for to in range(4):
        of = edges[edges[:, 0] == to, 1]
        if len(of):
            expected = plain(target[to][None], speakers[of], speakers[of])[0][0]
            torch.testing.assert_close(found[to], expected, rtol=1e-4, atol=1e-6)
        else:
            assert not found[to].any()


@torch.no_grad()
def test_copy_is_attention_over_one_speaker() -> None:
    torch.manual_seed(0)
    full, single = Attention(5, 8, heads=2), Copy(5, 8)
    single.load_state_dict({key: value for key, value in full.state_dict().items() if key in single.state_dict()})
    target, source, of = torch.randn(6, 8), torch.randn(4, 5), torch.tensor([0, 3, 3, 1, 2, 0])
    edges = torch.stack([torch.arange(6), of], dim=1)
    torch.testing.assert_close(single(source, of), full(target, source, edges))


@torch.no_grad()
def test_mean_is_the_matrix_product() -> None:
    unit = Mean(5, 3)
    source, adjacency = torch.randn(4, 5), (torch.rand(6, 4) < 0.5).float()
    expected = adjacency @ torch.relu(unit.collect(source)) / (adjacency.sum(1, keepdim=True) + 1e-7)
    torch.testing.assert_close(unit(torch.zeros(6, 3), source, adjacency.nonzero()), expected)


def test_neighbours() -> None:
    batch = Batch((3, 1, 2), "sgcls")
    every = Neighbours.find(batch.entities, batch.pairs)
    assert sorted(map(tuple, every.among.tolist())) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (4, 5), (5, 4)]
    assert every.updated.all()
    few = Pairs((2, 0, 0), torch.tensor([[0, 1], [0, 1]]))
    shared = Neighbours.find(batch.entities, few, "pairs", only_objects=True)
    assert sorted(map(tuple, shared.among.tolist())) == [(0, 1), (1, 0)]
    assert shared.updated.tolist() == [False, True, False, False, False, False]


@pytest.mark.parametrize("task", TASKS)
def test_proposals_keep_the_best_and_every_positive(task: Task) -> None:
    keep = 5
    head = graph_rcnn(task, keep_pairs=keep)
    batch = Batch((5, 1, 3, 2), task, train=True)
    assert batch.pairs.labels is not None
    assert head.proposal is not None
    sparse = torch.where(torch.arange(len(batch.u)) % 9 == 0, batch.pairs.labels.clamp_min(1), 0)
    pairs = Pairs(batch.pairs.counts, batch.pairs.index, sparse, batch.pairs.related)
    scores = head.proposal.of_pairs(batch.entities, pairs.index)
    for mode in (True, False):
        kept = head.train(mode).propose(batch.x, batch.entities, pairs)
        assert kept.counts == (5, 0, 5, 2)
        first = 0
        wanted = []
        for count in pairs.counts:
            rows = range(first, first + count)
            rank = sorted(rows, key=lambda r: (mode and not sparse[r] > 0, -scores[r].item()))
            wanted += sorted(rank[:keep])
            first += count
        assert torch.equal(kept.index, pairs.index[wanted])
        if mode:
            assert kept.labels is not None
            assert int((kept.labels > 0).sum()) == int((sparse > 0).sum())
    everything = graph_rcnn(task, keep_pairs=None).propose(batch.x, batch.entities, pairs)
    assert everything is pairs


def test_best_pairs_prefers_the_earlier_of_equals() -> None:
    pairs = Pairs((3, 2), torch.tensor([[0, 1], [1, 0], [0, 2], [3, 4], [4, 3]]))
    assert best_pairs(torch.tensor([1.0, 2, 1, 0, 0]), pairs, 2).tolist() == [0, 1, 3, 4]
    assert best_pairs(torch.tensor([1.0, 1, 1, 0, 5]), pairs, 1).tolist() == [0, 4]
    assert best_pairs(torch.zeros(0), Pairs((0, 0), torch.zeros(0, 2, dtype=torch.int64)), 1).tolist() == []


def test_proposal_loss_is_the_loop() -> None:
    torch.manual_seed(0)
    batch = Batch((3, 1, 3), "sgcls")
    proposal = RelationProposal(batch.entities.logits.shape[1], "sgcls", width=4)
    index = torch.tensor([[0, 1], [1, 0], [0, 2], [5, 4], [5, 6]])
    related = torch.zeros(3, 3, dtype=torch.int64)
    related[1, 2] = related[2, 1] = 1  # a match that the sampler left out
    related[0, 1] = related[1, 0] = 1
    alone = torch.zeros(1, 1, dtype=torch.int64)
    pairs = Pairs((3, 0, 2), index, torch.tensor([2, 0, 0, -1, 1]), (related, alone, torch.zeros_like(related)))
    scores = proposal.of_images(batch.entities)
    total = 0.0
    for image, (first, count) in enumerate(zip(batch.entities.starts, batch.entities.counts, strict=True)):
        terms = []
        for i in range(count):
            for j in range(count):
                place = (first + i, first + j)
                if i == j or place in [(1, 2), (2, 1), (5, 4)]:
                    continue
                p = torch.sigmoid(scores[image, i, j]).item()
                terms.append(-math.log(p if place in [(0, 1), (5, 6)] else 1 - p))
        total += sum(terms) / max(len(terms), 1) / 3
    assert proposal.loss(batch.entities, pairs).item() == pytest.approx(total, rel=1e-4)
    with pytest.raises(ValueError, match=r"pairs\.labels"):
        proposal.loss(batch.entities, Pairs(pairs.counts, pairs.index))


@torch.no_grad()
def test_background_weighs_as_in_the_original() -> None:
    batch = Batch((5, 3), "predcls", train=True)
    labels = batch.pairs.labels
    assert labels is not None
    losses, outputs = {}, {}
    for weight in (None, "ratio"):
        head = graph_rcnn("predcls", background_weight=weight, keep_pairs=None).train()
        outputs[weight] = head(*batch.inputs)
        losses[weight] = relation_loss(Scored(batch.entities, outputs[weight]))["relation"]
    ratio = float((labels > 0).sum() / (labels == 0).sum())
    weights = torch.tensor([ratio] + [1.0] * (PREDICATES - 1))
    wanted = functional.cross_entropy(outputs["ratio"].relation_logits, labels, weights, ignore_index=-1)
    torch.testing.assert_close(losses["ratio"], wanted)
    plain = functional.cross_entropy(outputs[None].relation_logits, labels, ignore_index=-1)
    torch.testing.assert_close(losses[None], plain)


def test_scores_of_pairs_are_entries_of_the_images() -> None:
    batch = Batch((4, 2), "predcls")
    proposal = RelationProposal(batch.entities.logits.shape[1], "predcls")
    image, index = batch.pairs.image, batch.pairs.index
    first = torch.tensor(batch.entities.starts)[image][:, None]
    place = (index - first).unbind(1)
    every = proposal.of_images(batch.entities)
    torch.testing.assert_close(every[image, place[0], place[1]], proposal.of_pairs(batch.entities, index))
    assert every.abs().max() < 100  # ±1000 of PredCls do not saturate it


def test_bad_options_are_refused() -> None:
    with pytest.raises(ValueError, match="keep_pairs"):
        graph_rcnn("predcls", keep_pairs=0)
    with pytest.raises(ValueError, match="feature_steps"):
        graph_rcnn("predcls", feature_steps=0)
    with pytest.raises(ValueError, match="heads"):
        graph_rcnn("predcls", heads=3)
