"""Graph R-CNN's message passing and proposals against both public codes (``heads/grcnn_*.npz``), in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.golden.heads import Values, box_head_batch, close, fill, fill_pairwise, given, made_up, statistics_with
from tests.golden.sources import archive
from torch import Tensor, nn

from interplay.scene.heads.attentional_graph import Attention, Copy, GraphStep, Mean, Neighbours
from interplay.scene.heads.graph_rcnn import GraphRCNN
from interplay.scene.heads.relation_proposal import RelationProposal, position_code
from interplay.scene.refinement import best_labels
from interplay.scene.structures import Entities, Pairs, UnionFeatures, starts

UNITS = {
    "rel_to_subject": "relation_to_subject",
    "rel_to_object": "relation_to_object",
    "object_to_object": "object_to_object",
    "subject_to_rel": "subject_to_relation",
    "object_to_rel": "object_to_relation",
}


def fill_unit(unit: nn.Module, values: Values, name: str) -> None:
    assert isinstance(unit, (Attention, Copy, Mean))
    fill(unit.collect, values, f"{name}/fc")
    if isinstance(unit, Mean):
        return
    weights = given(values, f"weights/{name}/attention.in_proj_weight").chunk(3)
    biases = given(values, f"weights/{name}/attention.in_proj_bias").chunk(3)
    fill(unit.output, values, f"{name}/attention.out_proj")
    unit.value.load_state_dict({"weight": weights[2], "bias": biases[2]})
    if isinstance(unit, Attention):
        unit.query.load_state_dict({"weight": weights[0], "bias": biases[0]})
        unit.key.load_state_dict({"weight": weights[1]})


def fill_graphs(made: GraphRCNN, values: Values) -> None:
    for name, graph in (("feat", made.feature_graph), ("score", made.score_graph)):
        for theirs, ours in UNITS.items():
            fill_unit(getattr(graph, ours), values, f"{name}/{theirs}")
    for embedding, name in ((made.entity_in, "obj_embedding"), (made.predicate_in, "rel_embedding")):
        fill(embedding[0], values, f"{name}.0")
        fill(embedding[2], values, f"{name}.2")


def check_levels(
    values: Values,
    prefix: str,
    levels: tuple[list[tuple[Tensor, Tensor]], list[tuple[Tensor, Tensor]]],
) -> None:
    for kind, states in zip(("feature", "score"), levels, strict=True):
        for step, (entity, predicate) in enumerate(states):
            close(entity, values[f"{prefix}object_{kind}_{step}"])
            close(predicate, values[f"{prefix}predicate_{kind}_{step}"])


def check_units(
    values: Values, graph: GraphStep, name: str, state: tuple[Tensor, Tensor], neighbours: Neighbours
) -> None:
    messages = (*graph.to_entities(*state, neighbours), *graph.to_predicates(*state, neighbours))
    order = ("rel_to_subject", "rel_to_object", "object_to_object", "subject_to_rel", "object_to_rel")
    for unit, message in zip(order, messages, strict=True):
        close(message, values[f"{name}/{unit}/message"])


@torch.no_grad()
@pytest.mark.parametrize("variant", ["released", "corrected"])
def test_attention(request: pytest.FixtureRequest, variant: str) -> None:
    values = archive(request, "heads/grcnn_pysgg.npz")
    classes, _, predicates = values["frequency_prob_plus_eps"].shape
    hidden, pooling = values["weights/obj_embedding.0.weight"].shape
    made = GraphRCNN(
        made_up(classes, predicates),
        statistics_with(values["frequency_prob_plus_eps"]),
        "sggen",
        entity_width=values["x"].shape[1],
        union_width=values["u"].shape[1],
        pooling=pooling,
        feature_hidden=values["weights/pairwise/W_q.weight"].shape[0],
        label_dim=values["weights/pairwise/emb_label.weight"].shape[1],
        hidden=hidden,
        entity_neighbours="pairs",
        only_objects_updated=True,
        predicate_copy=variant == "released",
    ).double()
    assert made.features is not None
    fill_pairwise(made.features, values)
    fill_graphs(made, values)
    fill(made.entity_scores[1], values, "obj_logits.1")
    fill(made.predicate_scores[1], values, "rel_logits.1")
    fill(made.classify, values, "rel_classifier")
    assert made.frequency is not None
    made.frequency.table.load_state_dict({"weight": given(values, "frequency_table")})
    made.eval()

    entities, pairs = box_head_batch(values, "sggen")
    x, u = given(values, "x"), given(values, "u")
    labels = made.features.labels(entities)
    np.testing.assert_array_equal(labels.numpy(), values["detector_labels"])
    a, ends = made.features.entities(x, entities, labels)
    close(a, values["pairwise/a"])
    close(made.features.pairs(ends, u, entities, pairs, slice(0, len(u))), values["pairwise/p"])

    neighbours = Neighbours.find(entities, pairs, "pairs", only_objects=True)
    total = len(x)
    heard = torch.zeros(total, total).index_put(tuple(neighbours.among.unbind(1)), torch.ones(()))
    np.testing.assert_array_equal(heard.numpy(), values["unit/object_object_map"])
    np.testing.assert_array_equal(neighbours.updated.numpy(), values["unit/rel_to_object/has_neighbour"])
    as_subject = torch.zeros(total, dtype=torch.bool).index_fill(0, pairs.subject, True)
    np.testing.assert_array_equal(as_subject.numpy(), values["unit/rel_to_subject/has_neighbour"])
    np.testing.assert_array_equal((heard.sum(1) > 0).numpy(), values["unit/object_to_object/has_neighbour"])
    assert values["unit/subject_to_rel/has_neighbour"].all()  # every predicate has its two entities
    assert values["unit/object_to_rel/has_neighbour"].all()

    features, scores = made.exchange(*made.start(x, UnionFeatures.of(u), entities, pairs), neighbours)
    check_levels(values, f"{variant}/", (features, scores))
    check_units(values, made.feature_graph, "unit", features[0], neighbours)
    if variant == "released":
        check_units(values, made.score_graph, "unit_score", scores[0], neighbours)
    logits = made.classify(scores[-1][1]) + made.frequency(labels[pairs.subject], labels[pairs.object])
    close(logits, values[f"{variant}/relation_logits"])


def release_batch(values: Values) -> tuple[Entities, Pairs]:
    counts, pair_counts = tuple(values["n_objects"].tolist()), tuple(values["n_pairs"].tolist())
    sizes = given(values, "image_size_wh").double()
    entities = Entities(counts, given(values, "boxes"), sizes, given(values, "detector_logits"))
    offset = np.repeat(starts(counts), pair_counts)[:, None]
    return entities, Pairs(pair_counts, torch.from_numpy(values["pairs"] + offset))


@torch.no_grad()
def test_means(request: pytest.FixtureRequest) -> None:
    values = archive(request, "heads/grcnn_release.npz")
    hidden, width = values["weights/obj_embedding.0.weight"].shape
    classes, predicates = len(values["weights/obj_logits.weight"]), len(values["weights/rel_logits.weight"])
    made = GraphRCNN(
        made_up(classes, predicates),
        statistics_with(np.zeros((classes, classes, predicates))),
        "sggen",
        entity_width=width,
        union_width=values["u"].shape[1],
        messages="mean",
        hidden=hidden,
        frequency_bias=False,
    ).double()
    fill_graphs(made, values)
    fill(made.entity_scores[1], values, "obj_logits")
    fill(made.predicate_scores[1], values, "rel_logits")
    made.eval()
    entities, pairs = release_batch(values)
    x, union = given(values, "x"), UnionFeatures.of(given(values, "u"))
    neighbours = Neighbours.find(entities, pairs)
    features, scores = made.exchange(*made.start(x, union, entities, pairs), neighbours)
    check_levels(values, "", (features, scores))
    check_units(values, made.feature_graph, "unit", features[0], neighbours)
    check_units(values, made.score_graph, "unit_score", scores[0], neighbours)
    output = made(x, union, entities, pairs)
    close(output.relation_logits, values["predicate_score_2"])
    np.testing.assert_array_equal(output.entity_labels.numpy(), values["object_labels"])
    np.testing.assert_array_equal(best_labels(scores[-1][0]).numpy(), values["object_labels"])


@torch.no_grad()
def test_relationshipness(request: pytest.FixtureRequest) -> None:
    values = archive(request, "heads/grcnn_release.npz")
    entities, _ = release_batch(values)
    made = RelationProposal(
        entities.logits.shape[1], "sggen", len(values["weights/relationshipness/phi.0.bias"])
    ).double()
    for layers, name in (
        (made.as_subject, "phi"),
        (made.as_object, "psi"),
        (made.subject_position, "phi_p"),
        (made.object_position, "psi_p"),
    ):
        fill(layers[0], values, f"relationshipness/{name}.0")
        fill(layers[2], values, f"relationshipness/{name}.2")
    codes, scores = position_code(entities), made.of_images(entities).sigmoid()
    for image, (first, count) in enumerate(zip(entities.starts, entities.counts, strict=True)):
        close(codes[first : first + count], values[f"relationshipness/position_code_image{image}"])
        close(scores[image, :count, :count], values[f"relationshipness/image{image}"])
        every = torch.cartesian_prod(torch.arange(count), torch.arange(count)) + first
        found = made.of_pairs(entities, every).sigmoid().view(count, count)
        close(found, values[f"relationshipness/image{image}"])
