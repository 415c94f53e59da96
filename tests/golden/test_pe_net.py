"""PE-Net against the released code (``heads/pe_net.npz``), in float64: forward, every loss term and its gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.golden.heads import Values, box_head_batch, close, fill, given, made_up, statistics_with
from tests.golden.sources import archive
from torch import Tensor, nn
from torch.nn import functional

from interplay.scene.encodings import encode_boxes
from interplay.scene.heads.interface import HeadOutput
from interplay.scene.heads.pe_net import PENet, gated
from interplay.scene.heads.prototypes import pair_loss, separation_loss, similarity_loss, squared_distances
from interplay.scene.structures import Task, UnionFeatures

TERMS = {"similarity": "l21", "separation": "dist_loss2", "pairs": "loss_dis"}
PARAMETERS = {"emb_predicate": "predicate_embedding", "tau": "log_scale", "G.1.weight": "project.2.weight"}
PARAMETERS["L_r.bias"] = "pair_residual.linear.bias"


@pytest.fixture
def values(request: pytest.FixtureRequest) -> Values:
    return archive(request, "heads/pe_net.npz")


def head_of(values: Values, task: Task) -> PENet:
    classes, label_dim = values["weights/emb_entity.weight"].shape
    predicates = len(values["weights/emb_predicate.weight"])
    head = PENet(
        made_up(classes, predicates),
        statistics_with(np.zeros((classes, classes, predicates))),
        task,
        entity_width=values["x"].shape[1],
        union_width=values["u"].shape[1],
        hidden=len(values["weights/obj_hidden.weight"]),
        width=len(values["weights/g_s.weight"]),
        mapping=len(values["weights/W_s.0.weight"]),
        label_dim=label_dim,
    )
    head = head.double().eval()
    layers: list[tuple[nn.Module, str]] = [
        (head.halves, "post_emb"),
        (head.entity_embedding.table, "emb_entity"),
        (head.entity_input.embedding.table, "emb_object_belief"),
        (head.entity_input.position.reduce, "pos.0"),
        (head.entity_input.position.norm, "pos.1"),
        (head.entity_input.position.expand, "pos.2"),
        (head.refine[0], "obj_hidden"),
        (head.refine[1], "obj_out"),
        (head.to_semantic[0], "h.0"),
        (head.to_semantic[3], "h.3"),
        (head.subject_gate, "g_s"),
        (head.object_gate, "g_o"),
        (head.pair_gate, "g_p"),
    ]
    for chain, name in (
        (head.subject_name, "W_s"),
        (head.object_name, "W_o"),
        (head.predicate_name, "W_p"),
        (head.down, "down_samp"),
        (head.project, "G"),
    ):
        layers += [(chain[0], f"{name}.0"), (chain[2], f"{name}.1")]
    for residual, name in (
        (head.subject_residual, "s"),
        (head.object_residual, "o"),
        (head.pair_residual, "r"),
    ):
        layers += [(residual.linear, f"L_{name}"), (residual.norm, f"LN_{name}")]
    for layer, name in layers:
        fill(layer, values, name)
    head.predicate_embedding.data = given(values, "weights/emb_predicate.weight")
    head.log_scale.data = given(values, "weights/tau")
    return head


def answer(head: PENet, values: Values, task: Task, training: bool = False) -> HeadOutput:
    """Only the outermost training flag is set, as in the reference run."""
    entities, pairs = box_head_batch(values, task)
    head.training = training
    output: HeadOutput = head(given(values, "x"), UnionFeatures.of(given(values, "u")), entities, pairs)
    return output


TASKS: list[Task] = ["predcls", "sgcls"]


@pytest.mark.parametrize("task", TASKS)
@torch.no_grad()
def test_forward(values: Values, task: Task) -> None:
    head = head_of(values, task)
    entities, pairs = box_head_batch(values, task)
    x, u = given(values, "x"), given(values, "u")
    logits, labels = head.classes(x, entities)
    close(logits, values[f"{task}/object_logits"])
    assert labels.tolist() == values[f"{task}/object_labels_used"].tolist()
    close(
        head.entity_input.position(encode_boxes(entities.boxes, entities.sizes[entities.image])),
        values["pos_embedding"],
    )
    if task == "predcls":
        close(head.refine[0](head.entity_input(x, entities)[0]), values["obj_hidden_out_predcls"])
    s, o = head.ends(x, labels)
    s, o = s[pairs.subject], o[pairs.object]
    fused = torch.relu(s + o) - (s - o).square()
    close(fused, values[f"{task}/F"])
    seen = head.to_semantic(head.down(u))
    close(seen, values[f"{task}/h_u"])
    close(gated(seen, fused, head.pair_gate) / seen, values[f"{task}/gate_p"])
    r, c = head.represent(s, o, u), head.prototypes()
    for found, name in ((r, "r"), (c, "c")):
        close(found, values[f"{task}/{name}"])
        close(functional.normalize(found, dim=1), values[f"{task}/{name}_normalised"])
    for training in (False, True):
        output = answer(head, values, task, training)
        close(output.relation_logits, values[f"{task}/relation_logits"])
        close(output.entity_logits, values[f"{task}/object_logits"])
        assert output.entity_labels.tolist() == labels.tolist()


@pytest.mark.parametrize("task", TASKS)
@torch.no_grad()
def test_losses(values: Values, task: Task) -> None:
    head = head_of(values, task)
    output = answer(head, values, task, training=True)
    for ours, theirs in TERMS.items():
        close(output.losses[ours], values[f"{task}/loss/{theirs}"])
    labels = given(values, "relation_labels")
    close(functional.cross_entropy(output.relation_logits, labels), values[f"{task}/loss/ce_relation"])
    objects = functional.cross_entropy(output.entity_logits, given(values, "labels"))
    close(objects, values[f"{task}/loss/ce_object"])
    # The same terms from the archive's own representations, with what lies in between.
    r, c = given(values, f"{task}/r"), given(values, f"{task}/c")
    unit = functional.normalize(c, dim=1)
    close(unit @ unit.t(), values[f"{task}/loss/l21/S"])
    near_enough(squared_distances(c, c), values[f"{task}/loss/dist_loss2/D"])
    smallest = squared_distances(c, c).fill_diagonal_(torch.inf).amin(dim=1)
    near_enough(smallest, values[f"{task}/loss/dist_loss2/d"])
    distances = squared_distances(r, c)
    near_enough(distances, values[f"{task}/loss/loss_dis/G"])
    own = distances.gather(1, labels[:, None])
    near_enough(own[:, 0], values[f"{task}/loss/loss_dis/g_plus"])
    others = distances.scatter(1, labels[:, None], torch.inf).topk(10, dim=1, largest=False).values.mean(dim=1)
    near_enough(others, values[f"{task}/loss/loss_dis/g_minus"])
    for loss, name in (
        (similarity_loss(c), "l21"),
        (separation_loss(c), "dist_loss2"),
        (pair_loss(r, c, labels), "loss_dis"),
    ):
        near_enough(loss, values[f"{task}/loss/{name}"])


def near_enough(ours: Tensor, theirs: np.ndarray) -> None:
    """1e-5 of the largest value: ``r`` and ``c`` of the archive are rounded to float32."""
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-5 * float(np.abs(theirs).max()))


@pytest.mark.parametrize("term", [*TERMS, "relation"])
def test_gradients(values: Values, term: str) -> None:
    """Which side of a term is held fixed shows in its gradients; zeros = no dependence."""
    head = head_of(values, "predcls")
    output = answer(head, values, "predcls", training=True)
    if term == "relation":
        loss = functional.cross_entropy(output.relation_logits, given(values, "relation_labels"))
    else:
        loss = output.losses[term]
    loss.backward()
    named = dict(head.named_parameters())
    for theirs, ours in PARAMETERS.items():
        gradient = named[ours].grad
        expected = values[f"predcls/loss/grad_of_{TERMS.get(term, 'ce_relation')}/{theirs}"]
        close(torch.zeros_like(named[ours]) if gradient is None else gradient, expected)
