"""PE-Net: the contract of heads, and its losses by brute force."""

from __future__ import annotations

import pytest
import torch
from tests.scene.heads import contract
from tests.scene.heads.batches import TASKS, UNION, VOCABULARY, WIDTH, Batch, statistics
from torch.nn import functional

from interplay.scene.heads.pe_net import PENet
from interplay.scene.heads.prototypes import pair_loss, separation_loss, similarity_loss, squared_distances
from interplay.scene.structures import Task

SMALL = {"entity_width": WIDTH, "union_width": UNION, "hidden": 9, "width": 8, "mapping": 6, "label_dim": 7}


def pe_net(task: Task, **options: object) -> PENet:
    torch.manual_seed(1)
    return PENet(VOCABULARY, statistics(), task, **{**SMALL, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("task", TASKS)
def test_contract(task: Task) -> None:
    contract.check_shapes_and_edges(pe_net(task), task)
    contract.check_image_alone_is_image_in_batch(pe_net(task), task)
    contract.check_chunks(pe_net(task), task)
    contract.check_gradients(pe_net(task), task)
    contract.check_mixed_precision(pe_net(task), task)
    contract.check_deterministic_and_saved(pe_net, task)
    contract.check_many_objects(pe_net(task), task)


@torch.no_grad()
def test_forward_is_the_equation_pair_by_pair() -> None:
    head, batch = pe_net("predcls").eval(), Batch((4, 3), "predcls")
    found = contract.evaluated(head, batch).relation_logits
    labels = batch.entities.labels
    assert labels is not None
    half = head.halves.out_features // 2
    names = head.entity_embedding.table.weight
    c = head.project(torch.relu(head.predicate_name(head.predicate_embedding)))
    for row, (i, j) in enumerate(batch.pairs.index.tolist()):
        xs, xo = head.halves(batch.x[i])[half:], head.halves(batch.x[j])[:half]
        ends = []
        for x, name, mapped, gate, residual in (
            (xs, names[labels[i]], head.subject_name, head.subject_gate, head.subject_residual),
            (xo, names[labels[j]], head.object_name, head.object_gate, head.object_residual),
        ):
            t, h = mapped(name), head.to_semantic(x)
            end = t + h * torch.sigmoid(gate(torch.cat([t, h])))
            ends.append(residual.norm(torch.relu(residual.linear(end)) + end))
        fused = torch.relu(ends[0] + ends[1]) - (ends[0] - ends[1]) ** 2
        seen = head.to_semantic(head.down(batch.u[row]))
        r = fused - seen * torch.sigmoid(head.pair_gate(torch.cat([fused, seen])))
        r = head.pair_residual.norm(torch.relu(head.pair_residual.linear(r)) + r)
        r = head.project(torch.relu(r))
        logits = torch.stack([r @ one / (r.norm() * one.norm()) for one in c]) * head.log_scale.exp()
        torch.testing.assert_close(found[row], logits, rtol=1e-4, atol=1e-4)


def test_distances_are_squares_of_differences() -> None:
    a, b = torch.randn(7, 64), torch.randn(5, 64)
    torch.testing.assert_close(squared_distances(a, b), (a[:, None] - b[None]).square().sum(dim=2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        exact = squared_distances(a * 8, b * 8)
    assert exact.dtype == torch.float32
    torch.testing.assert_close(exact, (8 * a[:, None] - 8 * b[None]).square().sum(dim=2))


def test_losses_by_brute_force() -> None:
    torch.manual_seed(0)
    predicates = 14
    c, r = torch.randn(predicates, 6), torch.randn(9, 6)
    c[3] = c[5] + 0.1  # two that are close, so that both hinges have active rows
    labels = torch.tensor([0, 3, -1, 5, 13, 2, -1, 7, 3])

    rows = 0.0
    for i in range(predicates):
        rows += sum(float(functional.cosine_similarity(c[i], c[j], dim=0)) ** 2 for j in range(predicates)) ** 0.5
    assert float(similarity_loss(c)) == pytest.approx(rows / predicates**2, rel=1e-5)

    apart = 0.0
    for i in range(predicates):
        nearest = sorted(float((c[i] - c[j]).square().sum()) for j in range(predicates))
        apart += max(0.0, 7.0 - nearest[0] - nearest[1])
    assert apart > 0
    assert float(separation_loss(c)) == pytest.approx(apart / predicates, rel=1e-4)

    hinges = []
    for row, label in enumerate(labels.tolist()):
        if label < 0:
            continue
        distances = [float((r[row] - c[j]).square().sum()) for j in range(predicates)]
        own, distances[label] = distances[label], 0.0
        hinges.append(max(0.0, own - sum(sorted(distances)[:11]) / 10 + 1.0))
    assert 0 < sum(hinge > 0 for hinge in hinges) < len(hinges)
    assert float(pair_loss(r, c, labels)) == pytest.approx(sum(hinges) / len(hinges), rel=1e-4)


def test_losses_at_the_edges() -> None:
    c, none = torch.randn(4, 6), torch.zeros(0, dtype=torch.int64)
    assert float(pair_loss(torch.zeros(0, 6), c, none)) == 0
    assert float(pair_loss(torch.randn(2, 6), c, torch.tensor([-1, -1]))) == 0
    few = pair_loss(torch.randn(3, 6), c, torch.tensor([0, 1, 3]))  # three negatives where ten are asked for
    assert few.isfinite()
    assert float(separation_loss(c[:1])) == 0


def test_one_side_of_the_prototype_losses_is_fixed() -> None:
    c = torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 0.0]], requires_grad=True)
    separation_loss(c).backward()
    assert c.grad is not None
    # Only rows 0 and 1 are within the margin; row 1 does not feel row 0's term, else the gradients would double.
    torch.testing.assert_close(c.grad, torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 0.0]]) / 3)
    far = torch.tensor([[1.0, 0.0], [0.6, 0.8]], requires_grad=True)
    similarity_loss(far).backward()
    both = torch.tensor([[1.0, 0.0], [0.6, 0.8]], requires_grad=True)
    unit = functional.normalize(both, dim=1)
    ((unit @ unit.t()).norm(dim=1).sum() / 4).backward()
    assert far.grad is not None
    assert both.grad is not None
    assert not torch.allclose(far.grad, both.grad)


def test_scores_do_not_depend_on_length() -> None:
    head = pe_net("predcls")
    r, c = torch.randn(3, 16), torch.randn(5, 16)
    torch.testing.assert_close(head.compare(5 * r, c), head.compare(r, c / 3))
    assert float(head.log_scale.exp().detach()) == pytest.approx(1 / 0.07, rel=1e-5)


def test_training_labels_are_its_own_best_guess() -> None:
    batch = Batch((5, 4), "sggen", train=True)
    output = pe_net("sggen").train()(*batch.inputs)
    assert torch.equal(output.entity_labels, output.entity_logits[:, 1:].argmax(dim=1) + 1)
    assert set(output.losses) == {"similarity", "separation", "pairs"}
    assert pe_net("sggen").max_pairs == 512


def test_given_classes_are_needed() -> None:
    with pytest.raises(ValueError, match="labels"):
        contract.evaluated(pe_net("predcls"), Batch((2,), "sggen"))
