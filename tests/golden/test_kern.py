"""KERN's two graphs against values of the released code (``heads/kern.npz``), in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.golden.sources import archive
from torch import Tensor, nn

from interplay.scene.heads.gated_graph import GatedUpdate, Nodes, ObjectRouting, RelationRouting
from interplay.scene.refinement import best_labels

Values = dict[str, np.ndarray]
STEPS = (1, 2, 3)


@pytest.fixture
def values(request: pytest.FixtureRequest) -> Values:
    return archive(request, "heads/kern.npz")


def given(values: Values, key: str) -> Tensor:
    found = torch.from_numpy(values[key])
    return found.double() if found.is_floating_point() else found


def close(ours: Tensor, theirs: np.ndarray) -> None:
    scale = max(1.0, float(np.abs(theirs).max()))
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-6 * scale)


def fill(layer: nn.Module, values: Values, name: str) -> None:
    layer.load_state_dict({key: given(values, f"weights/{name}.{key}") for key in ("weight", "bias")})


def fill_update(update: GatedUpdate, values: Values, graph: str) -> None:
    fill(update.message_update, values, f"{graph}/W3")
    fill(update.message_reset, values, f"{graph}/W4")
    fill(update.message_candidate, values, f"{graph}/W5")
    fill(update.state_update, values, f"{graph}/U3")
    fill(update.state_candidate, values, f"{graph}/U5")
    if update.state_reset is not None:
        fill(update.state_reset, values, f"{graph}/U4")


def routings(values: Values, tied: bool, steps: int) -> tuple[ObjectRouting, RelationRouting]:
    output, hidden = values["weights/object/W_o.weight"].shape
    width, hidden = values["x"].shape[1], hidden // 2
    classes, _, predicates = values["M_rel"].shape
    entity = ObjectRouting(classes, width, hidden, output, steps, tied).double()
    relation = RelationRouting(predicates, width, values["u"].shape[1], hidden, output, steps, tied).double()
    assert entity.classify is not None
    for layer, name in (
        (entity.project, "object/W_p"),
        (entity.output, "object/W_o"),
        (entity.classify, "object/W_cls"),
        (relation.project_entity, "relation/W_a"),
        (relation.project_union, "relation/W_b"),
        (relation.output, "relation/W_o"),
        (relation.classify, "relation/W_cls"),
    ):
        fill(layer, values, name)
    fill_update(entity.update, values, "object")
    fill_update(relation.update, values, "relation")
    return entity, relation


@torch.no_grad()
@pytest.mark.parametrize("variant", ["tied", "untied"])
def test_object_graph(values: Values, variant: str) -> None:
    x, knowledge, image = given(values, "x"), given(values, "M_obj"), given(values, "image_of_object")
    for steps in STEPS:
        routing, _ = routings(values, variant == "tied", steps)
        start = routing.project(x)
        close(start, values["object/h_0"])
        state = routing.states(start, knowledge, image, len(values["n_objects"]))
        close(state, values[f"{variant}/object/h_{steps}"])
    close(routing.outputs(state, start), values[f"{variant}/object/out"])
    logits = routing(x, knowledge, image, len(values["n_objects"]))
    close(logits, values[f"{variant}/object/logits"])
    np.testing.assert_array_equal(best_labels(logits).numpy(), values[f"{variant}/relation/predicted_labels"])


@torch.no_grad()
@pytest.mark.parametrize("variant", ["tied", "untied"])
def test_relation_graph(values: Values, variant: str) -> None:
    x, u, index = given(values, "x"), given(values, "u"), given(values, "pairs")[:, 1:]
    table = given(values, "M_rel")

    def knowledge(key: str) -> Tensor:
        labels = given(values, key)[index]
        return table[labels[:, 0], labels[:, 1]]

    for steps in STEPS:
        _, routing = routings(values, variant == "tied", steps)
        ends, start = routing.project_entity(x)[index], routing.project_union(u)
        close(torch.cat([ends, start[:, None]], dim=1), values["relation/h_0"])
        nodes = Nodes.distinct(knowledge("labels"))
        last, between = routing.states(ends, start, nodes)
        close(torch.cat([last, between[nodes.of]], dim=1), values[f"{variant}/relation/h_{steps}"])
    close(routing.outputs(ends, start, nodes), values[f"{variant}/relation/out"])
    close(routing(ends, u, knowledge("labels")), values[f"{variant}/relation/logits"])
    predicted = f"{variant}/relation/predicted_labels"
    close(routing(ends, u, knowledge(predicted)), values[f"{variant}/relation/logits_predicted_labels"])
