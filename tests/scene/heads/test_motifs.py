"""MOTIFS: the contract of heads, its sequences and its decoder against naive loops."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError
from tests.scene.heads import contract
from tests.scene.heads.batches import CLASSES, TASKS, UNION, VOCABULARY, WIDTH, Batch, statistics
from torch import Tensor, nn

from interplay.scene.heads.highway_decoder import HighwayDecoder
from interplay.scene.heads.motifs import Motifs
from interplay.scene.heads.sequences import PackedOrder, visiting_order
from interplay.scene.structures import Task

SMALL = {"entity_width": WIDTH, "union_width": UNION, "hidden": 8, "pooling": 10, "label_dim": 7}


def motifs(task: Task, **options: object) -> Motifs:
    torch.manual_seed(1)
    return Motifs(VOCABULARY, statistics(), task, **{**SMALL, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("task", TASKS)
def test_contract(task: Task) -> None:
    contract.check_shapes_and_edges(motifs(task), task)
    contract.check_image_alone_is_image_in_batch(motifs(task), task)
    contract.check_chunks(motifs(task), task)
    contract.check_gradients(motifs(task), task)
    contract.check_mixed_precision(motifs(task), task)
    contract.check_deterministic_and_saved(motifs, task)
    contract.check_many_objects(motifs(task), task)


@pytest.mark.parametrize(
    "options",
    [
        {"order": "size"},
        {"order": "confidence"},
        {"order": "random"},
        {"frequency": False},
        {"vision": False},
        {"pairing": "multiply", "squash": True},
        {"object_layers": 2, "edge_layers": 3},
        {"pooling": UNION},
    ],
    ids=str,
)
def test_every_option_keeps_the_contract(options: dict[str, object]) -> None:
    contract.check_image_alone_is_image_in_batch(motifs("sgcls", **options), "sgcls")
    contract.check_gradients(motifs("sgcls", **options), "sgcls")


def test_options_move_the_answer() -> None:
    batch = Batch((5, 4), "sgcls")
    usual = contract.evaluated(motifs("sgcls"), batch)
    for options in ({"order": "size"}, {"order": "random"}, {"squash": True}):
        other = contract.evaluated(motifs("sgcls", **options), batch)
        assert not torch.allclose(other.relation_logits, usual.relation_logits)
    head = motifs("sgcls")
    assert head.relation.frequency is not None
    bare = motifs("sgcls", frequency=False)
    bare.load_state_dict({key: value for key, value in head.state_dict().items() if "frequency" not in key})
    labels = usual.entity_labels[batch.pairs.index]
    difference = usual.relation_logits - contract.evaluated(bare, batch).relation_logits
    torch.testing.assert_close(difference, head.relation.frequency(labels[:, 0], labels[:, 1]).detach())


def test_without_vision_no_union_feature_is_made() -> None:
    batch = Batch((4,), "predcls", chunk=5)
    head = motifs("predcls", vision=False)
    expected = contract.evaluated(head, batch).relation_logits
    batch.u = torch.full_like(batch.u, torch.nan)
    torch.testing.assert_close(contract.evaluated(head, batch).relation_logits, expected)


def test_without_refinement_the_detector_is_kept() -> None:
    batch = Batch((5, 4), "sgcls", train=True)
    output = motifs("sgcls", refine=False).train()(*batch.inputs)
    assert torch.equal(output.entity_logits, batch.entities.logits)
    assert torch.equal(output.entity_labels, batch.entities.logits[:, 1:].argmax(dim=1) + 1)
    assert not output.entity_loss


def test_wrong_arguments_are_named() -> None:
    with pytest.raises((ValueError, TypeCheckError), match="pairing"):
        motifs("predcls", pairing="add")
    with pytest.raises((ValueError, TypeCheckError), match="order"):
        contract.evaluated(motifs("predcls", order="top"), Batch((2,), "predcls"))
    batch = Batch((2,), "sggen")
    with pytest.raises(ValueError, match="labels"):
        contract.evaluated(motifs("predcls"), batch)


def test_packing_never_mixes_images() -> None:
    """Counts 2, 3, 4 (spec §I.13): at each step one slot per image alive, the same image in the same slot."""
    order = PackedOrder.falling(torch.arange(9.0), (2, 3, 4))
    assert order.steps == [3, 3, 2, 1]
    sequences: list[list[int]] = [[], [], []]
    for images in order.image.split(order.steps):
        for slot, image in enumerate(images.tolist()):
            sequences[slot].append(image)
    assert sequences == [[2, 2, 2, 2], [1, 1, 1], [0, 0]]
    assert order.order.tolist() == [8, 4, 1, 7, 3, 0, 6, 2, 5]
    assert order.order[order.place].tolist() == list(range(9))


def test_entities_are_read_from_right_to_left() -> None:
    entities = Batch((4, 6), "predcls").entities
    order = visiting_order(entities)
    centres = (entities.boxes[:, 0] + entities.boxes[:, 2])[order.order]
    for image in (0, 1):
        mine = centres[order.image == image]
        assert (mine.diff() < 0).all()
    sizes = visiting_order(entities, "size")
    sides = entities.boxes[:, 2:] - entities.boxes[:, :2] + 1
    assert (sides.prod(dim=1)[sizes.order][sizes.image == 1].diff() < 0).all()


def test_equal_keys_keep_their_order() -> None:
    order = PackedOrder.falling(torch.zeros(5), (2, 3))
    assert order.order.tolist() == [2, 0, 3, 1, 4]


def test_packed_states_are_those_of_single_sequences() -> None:
    lstm = nn.LSTM(3, 4, bidirectional=True)
    x = torch.randn(6, 3)
    order = PackedOrder.falling(torch.tensor([1.0, 5, 2, 9, 8, 7]), (3, 0, 3))
    together = order.run(lstm, x)
    for rows in ([1, 2, 0], [3, 4, 5]):
        torch.testing.assert_close(together[rows], lstm(x[rows][:, None])[0][:, 0])


@torch.no_grad()
def decoded_naively(decoder: HighwayDecoder, rows: Tensor, taught: Tensor | None) -> tuple[Tensor, list[int]]:
    """One sequence, one entity at a time, straight from the equations."""
    d = decoder.hidden
    h = m = torch.zeros(d)
    before, logits, labels = 0, [], []
    for step, row in enumerate(rows):
        a = decoder.input(torch.cat([row, decoder.embedding.weight[before]]))
        s = decoder.state(h)
        i, f, g, o, q = (a[k * d : (k + 1) * d] + s[k * d : (k + 1) * d] for k in range(5))
        m = torch.sigmoid(i) * torch.tanh(g) + torch.sigmoid(f) * m
        h = torch.sigmoid(q) * torch.sigmoid(o) * torch.tanh(m) + (1 - torch.sigmoid(q)) * a[5 * d :]
        logits.append(decoder.output(h))
        label = int(logits[-1][1:].argmax()) + 1
        if taught is not None and taught[step] > 0:
            label = int(taught[step])
        labels.append(label)
        before = label + 1
    return torch.stack(logits), labels


@pytest.mark.parametrize("teach", [False, True])
def test_decoder_is_the_equation(teach: bool) -> None:
    torch.manual_seed(0)
    decoder = HighwayDecoder(VOCABULARY, None, 9, 5, label_dim=4, dropout=0.0)
    nn.init.normal_(decoder.state.bias)
    inputs, counts = torch.randn(8, 9), (2, 5, 1)
    taught = torch.tensor([1, 0, 2, 3, 0, 5, 4, 0]) if teach else None
    order = PackedOrder.falling(torch.randn(8), counts)
    logits, labels = decoder(inputs, order, taught)
    for image in range(3):
        rows = order.order[order.image == image]
        expected, fed = decoded_naively(decoder, inputs[rows], None if taught is None else taught[rows])
        torch.testing.assert_close(logits[rows], expected)
        assert labels[rows].tolist() == fed


def test_dropout_of_the_decoder_is_one_mask_per_sequence() -> None:
    """With everything but the mask fixed to one value, a unit is dropped at every step or at none."""
    decoder = HighwayDecoder(VOCABULARY, None, 3, 16, label_dim=4, dropout=0.5).train()
    with torch.no_grad():
        for layer in (decoder.input, decoder.state, decoder.output):
            layer.weight.zero_()
        decoder.input.bias.fill_(1.0)
        decoder.output.weight[:, :].copy_(torch.eye(CLASSES, 16))
        decoder.output.bias.zero_()
    torch.manual_seed(0)
    logits, _ = decoder(torch.randn(9, 3), PackedOrder.falling(torch.randn(9), (4, 5)))
    for rows in (logits[:4], logits[4:]):
        dropped = rows == 0
        assert (dropped == dropped[0]).all()
    assert 0 < int((logits[[0, 4]] == 0).sum()) < 2 * CLASSES
    assert not (decoder.eval()(torch.randn(9, 3), PackedOrder.falling(torch.randn(9), (4, 5)))[0] == 0).any()


def test_training_goes_on_with_the_labels_that_were_fed() -> None:
    batch = Batch((6, 5), "sggen", train=True)
    output = motifs("sggen").train()(*batch.inputs)
    truth = batch.entities.labels
    assert truth is not None
    assert (truth == 0).any()
    assert torch.equal(output.entity_labels[truth > 0], truth[truth > 0])
    best = output.entity_logits[:, 1:].argmax(dim=1) + 1
    assert torch.equal(output.entity_labels[truth == 0], best[truth == 0])
