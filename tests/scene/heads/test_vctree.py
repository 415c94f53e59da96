"""VCTree: the contract of heads, its scores, its prior and its loss against naive loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from tests.scene.heads import contract
from tests.scene.heads.batches import CLASSES, PREDICATES, TASKS, UNION, VOCABULARY, WIDTH, Batch, statistics
from torch.nn import functional

from interplay.scene.heads.padding import Padding
from interplay.scene.heads.tree_scores import prior_weights
from interplay.scene.heads.vctree import VCTree, tree_loss
from interplay.scene.structures import Task

SMALL = {"entity_width": WIDTH, "union_width": UNION, "hidden": 8, "pooling": 10, "label_dim": 7}


def vctree(task: Task, **options: object) -> VCTree:
    torch.manual_seed(1)
    return VCTree(VOCABULARY, statistics(), task, **{**SMALL, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("task", TASKS)
def test_contract(task: Task) -> None:
    contract.check_shapes_and_edges(vctree(task), task)
    contract.check_image_alone_is_image_in_batch(vctree(task), task)
    contract.check_chunks(vctree(task), task)
    contract.check_gradients(vctree(task), task)
    contract.check_mixed_precision(vctree(task), task)
    contract.check_deterministic_and_saved(vctree, task)
    contract.check_many_objects(vctree(task), task)


@pytest.mark.parametrize(
    "options", [{"vctree_prior": "const"}, {"object_layers": 2, "edge_layers": 2}, {"pooling": UNION}], ids=str
)
def test_every_option_keeps_the_contract(options: dict[str, object]) -> None:
    contract.check_image_alone_is_image_in_batch(vctree("sgcls", **options), "sgcls")
    contract.check_gradients(vctree("sgcls", **options), "sgcls")


def test_priors() -> None:
    counted = statistics()
    probability = counted.probability()
    for a, b in ((1, 2), (4, 4), (0, 3)):
        both = probability[a, b], probability[b, a]
        expected = sum(np.log(row + 1e-3).sum() for row in both)
        np.testing.assert_allclose(prior_weights(counted, "sgb_logsum")[a, b], expected, rtol=1e-6)
    np.testing.assert_allclose(prior_weights(counted, "const"), 2 + 2 * PREDICATES * 1e-3, rtol=1e-6)
    cooccur = prior_weights(counted, "cooccur")
    assert cooccur.max() == 1
    assert cooccur.min() == 0
    with pytest.raises((ValueError, TypeCheckError), match="prior"):
        prior_weights(counted, "counts")  # type: ignore[arg-type]


def test_logsum_prior_starts_without_a_preference() -> None:
    """As released: products underflow, all scores are equal, and the tree follows the order of the boxes."""
    head, batch = vctree("predcls", vctree_prior="sgb_logsum"), Batch((6,), "predcls")
    head.scores.prior.data.clamp_(max=-400)
    padding = Padding((6,), torch.device("cpu"))
    _, belief = head.entity_input(batch.x, batch.entities)
    assert torch.sigmoid(head.scores(batch.x, belief, batch.entities, padding)).unique().numel() < 36


@torch.no_grad()
def test_scores_are_the_equation() -> None:
    head, batch = vctree("sgcls").eval(), Batch((4, 1, 3), "sgcls")
    scores, entities = head.scores, batch.entities
    padding = Padding(entities.counts, torch.device("cpu"))
    _, belief = head.entity_input(batch.x, entities)
    found = scores(batch.x, belief, entities, padding)
    q = torch.relu(scores.join(scores.described(batch.x, belief, entities)))
    s, o = torch.relu(scores.subject(q)), torch.relu(scores.object(q))
    p = entities.logits.softmax(dim=1)
    first = 0
    for image, count in enumerate(entities.counts):
        for i in range(count):
            for j in range(count):
                a, b = first + i, first + j
                co = sum(
                    p[a, c] * p[b, d] * scores.prior[c, d] for c in range(CLASSES) for d in range(CLASSES)
                ) * torch.ones(1)
                joint = scores.visual(torch.cat([s[b] * o[a], s[b], o[a], co])).sigmoid() * co
                torch.testing.assert_close(found[image, i, j], joint[0], rtol=1e-4, atol=1e-6)
        first += count


def test_tree_loss_is_the_mean_of_images() -> None:
    counts = (3, 0, 5, 1)
    padding = Padding(counts, torch.device("cpu"))
    binary = torch.randn(4, 5, 5)
    related = tuple(torch.randint(0, 2, (n, n)) for n in counts)
    each = [
        functional.binary_cross_entropy_with_logits(binary[image, :n, :n], related[image].float())
        for image, n in enumerate(counts)
        if n
    ]
    torch.testing.assert_close(tree_loss(binary, related, padding), torch.stack(each).mean())


def test_the_score_net_learns_from_the_tree_loss_only() -> None:
    batch = Batch((5, 4), "sgcls", train=True)
    head = vctree("sgcls").train()
    output = head(*batch.inputs)
    (output.relation_logits.sum() + output.entity_logits.sum()).backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in head.scores.parameters())
    embedded = head.entity_input.embedding.table.weight
    before = embedded.grad.clone() if embedded.grad is not None else torch.zeros_like(embedded)
    output.losses["tree"].backward()
    assert all(parameter.grad is not None for parameter in head.scores.parameters())
    assert embedded.grad is not None
    assert torch.equal(embedded.grad, before), "the score net sees a detached belief"


def test_given_classes_are_needed() -> None:
    with pytest.raises(ValueError, match="labels"):
        contract.evaluated(vctree("predcls"), Batch((2,), "sggen"))
