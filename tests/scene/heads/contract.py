"""What every relation head keeps to; the tests of single heads call these."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from tests.scene.heads.batches import CLASSES, PREDICATES, Batch
from torch.nn import functional

from interplay.scene.heads.interface import HeadOutput, RelationHead
from interplay.scene.structures import Task

Make = Callable[[Task], RelationHead]


@torch.no_grad()
def evaluated(head: RelationHead, batch: Batch) -> HeadOutput:
    output: HeadOutput = head.eval()(*batch.inputs)
    return output


def check_shapes_and_edges(head: RelationHead, task: Task) -> None:
    """One object, no pair, no object at all, and unequal counts."""
    for counts in ((1,), (3, 1, 2), (0, 2), (0,), (1, 1)):
        batch = Batch(counts, task)
        output = evaluated(head, batch)
        assert output.entity_logits.shape == (sum(counts), CLASSES)
        assert output.relation_logits.shape == (len(batch.u), PREDICATES)
        assert output.relation_logits.isfinite().all()
        assert ((output.entity_labels >= 1) & (output.entity_labels < CLASSES)).all()
        trained = Batch(counts, task, train=True)
        result = head.train()(*trained.inputs)
        assert all(loss.isfinite() and loss.shape == () for loss in result.losses.values())


def check_image_alone_is_image_in_batch(head: RelationHead, task: Task) -> None:
    batch = Batch((4, 1, 7, 2), task, seed=3)
    together = evaluated(head, batch)
    for image in range(4):
        alone = evaluated(head, batch.alone(image))
        entities, pairs = batch.entities.image == image, batch.pairs.image == image
        torch.testing.assert_close(alone.entity_logits, together.entity_logits[entities], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(alone.relation_logits, together.relation_logits[pairs], rtol=1e-4, atol=1e-5)
        assert torch.equal(alone.entity_labels, together.entity_labels[entities])


def check_chunks(head: RelationHead, task: Task) -> None:
    whole = evaluated(head, Batch((5, 3), task))
    for chunk in (1, 7, 26, 100):
        parts = evaluated(head, Batch((5, 3), task, chunk=chunk))
        torch.testing.assert_close(parts.relation_logits, whole.relation_logits, rtol=1e-5, atol=1e-5)


def check_gradients(head: RelationHead, task: Task) -> None:
    """Every parameter that trains gets a gradient that is not all zero."""
    batch = Batch((5, 3, 6), task, train=True)
    output = head.train()(*batch.inputs)
    assert batch.pairs.labels is not None
    assert batch.entities.labels is not None
    loss = functional.cross_entropy(output.relation_logits, batch.pairs.labels) + sum(output.losses.values())
    if output.entity_loss:
        loss = loss + functional.cross_entropy(output.entity_logits, batch.entities.labels)
    loss.backward()
    trained = {name: parameter for name, parameter in head.named_parameters() if parameter.requires_grad}
    assert [name for name, parameter in trained.items() if parameter.grad is None] == []
    assert [name for name, parameter in trained.items() if not parameter.grad.any()] == []


def check_mixed_precision(head: RelationHead, task: Task) -> None:
    """Trains and answers under bfloat16 autocast, near enough to single precision."""
    batch = Batch((5, 3), task)
    whole = evaluated(head, batch)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = evaluated(head, batch)
        trained = head.train()(*Batch((5, 0, 3), task, train=True).inputs)
    spread = whole.relation_logits.std()
    assert (rounded.relation_logits.float() - whole.relation_logits).abs().mean() < 0.1 * spread
    (trained.relation_logits.float().sum() + sum(loss.float() for loss in trained.losses.values())).backward()
    gradients = [parameter.grad for parameter in head.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def check_deterministic_and_saved(make: Make, task: Task) -> None:
    """Twice the same in evaluation; a second head with the same state answers the same; the three tasks share it."""
    head, batch = make(task), Batch((4, 3), task)
    first, again = evaluated(head, batch), evaluated(head, batch)
    assert torch.equal(first.relation_logits, again.relation_logits)
    other = make(task)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    other.load_state_dict(copy.deepcopy(head.state_dict()))
    assert torch.equal(evaluated(other, batch).relation_logits, first.relation_logits)
    every: tuple[Task, ...] = ("predcls", "sgcls", "sggen")
    for another in every:
        make(another).load_state_dict(head.state_dict())


def check_many_objects(head: RelationHead, task: Task) -> None:
    output = evaluated(head, Batch((300,), task, chunk=4096))
    assert output.relation_logits.shape == (300 * 299, PREDICATES)
    assert output.relation_logits.isfinite().all()
