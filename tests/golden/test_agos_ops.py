"""AGOS's operations, substructures and mixed cell against values of the authors' release, to 1e-5 in float32.

Under the ``release`` preset; ``output_full_u`` are the same with the whole matrix U in the affinities. Every size is
read from the archive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.golden.sources import archive
from torch import Tensor, nn

from interplay.video.cell import Cell
from interplay.video.regions import box_positions
from interplay.video.settings import VideoSettings, preset
from interplay.video.state import ClipContext, NodeLayout, NodeState
from interplay.video.structure import superedges
from interplay.video.structure_weights import diversity_loss
from interplay.video.substructures import operation

Arrays = Mapping[str, np.ndarray]
OPERATIONS = (
    "feature_aggregation",
    "difference_propagation",
    "temporal_convolution",
    "temporal_convolution_random_u",
    "background_incorporation",
    "node_attention",
)
SUBSTRUCTURES = {"SD": "difference", "ST": "temporal", "SB": "background"}
CROP = 224


@pytest.fixture(scope="module")
def values(request: pytest.FixtureRequest) -> Arrays:
    return archive(request, "agos_ops.npz")


def sizes(values: Arrays, having: str = "nodes") -> list[str]:
    """Groups of the archive that hold an entry."""
    found = [key.removesuffix(f"/{having}") for key in values if key.endswith(f"/{having}")]
    assert found, f"agos_ops.npz: no */{having}"
    return [name for name in found if "/" not in name]


def tensor(values: Arrays, key: str) -> Tensor:
    return torch.from_numpy(values[key])


def clip(values: Arrays, size: str, **changes: object) -> tuple[NodeState, NodeLayout, VideoSettings]:
    """Inputs, their layout, and settings of their width."""
    nodes = tensor(values, f"{size}/nodes")
    background = tensor(values, f"{size}/background")
    layout = NodeLayout(nodes.shape[1], nodes.shape[2], background.shape[2])
    context = ClipContext(background, tensor(values, f"{size}/positions").flatten(1, 2), layout.boxes)
    return NodeState(nodes.flatten(1, 2), context), layout, preset("release", width=nodes.shape[3], **changes)


def weights(values: Arrays, prefix: str) -> dict[str, Tensor]:
    """The archive's weights of one operation under our names."""
    names = {
        "U": "affinity.weight",
        "W": "transform.weight",
        "b": "transform.bias",
        "w": "weight.weight",
        "conv_kernel": "weight",
        "conv_bias": "bias",
        "ln_gain": "activation.norm.weight",
        "ln_bias": "activation.norm.bias",
    }
    found = {key: tensor(values, prefix + key) for key in names if prefix + key in values}
    assert found, prefix
    return {"weight.bias" if key == "b" and "w" in found else names[key]: value for key, value in found.items()}


def substructure_weights(values: Arrays, prefix: str) -> dict[str, Tensor]:
    parts = ("main", "aggregation", "attention")
    return {f"{part}.{name}": value for part in parts for name, value in weights(values, f"{prefix}{part}/").items()}


def close(values: Arrays, key: str, made: Tensor) -> None:
    theirs = values[key]
    np.testing.assert_allclose(made.detach().view(theirs.shape).numpy(), theirs, rtol=0, atol=1e-5)


def readings(values: Arrays, group: str, settings: VideoSettings) -> Iterator[tuple[str, VideoSettings]]:
    """Which output, and with what settings: U's diagonal as released, and all of U where the archive has it."""
    yield f"{group}/output", settings
    if f"{group}/output_full_u" in values:
        yield f"{group}/output_full_u", replace(settings, u="full")


@pytest.mark.parametrize("name", OPERATIONS)
@torch.no_grad()
def test_operation(values: Arrays, name: str) -> None:
    for size in sizes(values, "nodes"):
        group = f"{size}/{name}"
        if f"{group}/output" not in values:
            continue
        state, layout, settings = clip(values, size)
        if f"{group}/conv_kernel" in values:
            settings = replace(settings, tc_kernel=values[f"{group}/conv_kernel"].shape[2])

        for key, reading in readings(values, group, settings):
            module = operation(name.removesuffix("_random_u"), reading, layout).eval()
            module.load_state_dict(weights(values, f"{group}/"))
            close(values, key, module(state))


@torch.no_grad()
def test_without_u_the_temporal_convolution_is_the_same(values: Arrays) -> None:
    """The default keeps no U there: nothing trains it, so that it stays the identity."""
    for size in sizes(values):
        state, layout, settings = clip(values, size, tc_u=False)
        module = operation("temporal_convolution", settings, layout)
        state_dict = weights(values, f"{size}/temporal_convolution/")
        assert torch.equal(state_dict.pop("affinity.weight"), torch.eye(settings.width))
        module.load_state_dict(state_dict)
        close(values, f"{size}/temporal_convolution/output", module(state))


@pytest.mark.parametrize("name", list(SUBSTRUCTURES))
@torch.no_grad()
def test_substructure(values: Arrays, name: str) -> None:
    for size in sizes(values):
        group = f"{size}/structure_{name}"
        if f"{group}/output" not in values:
            continue
        state, layout, settings = clip(values, size)

        for key, reading in readings(values, group, settings):
            module = Cell(reading, layout).eval().bank(0)[SUBSTRUCTURES[name]]
            module.load_state_dict(substructure_weights(values, f"{group}/"))
            close(values, key, module(state))


def filled(values: Arrays, group: str, cell: Cell) -> Cell:
    """A cell with the archive's weights."""
    for edge in range(len(cell.superedges)):
        for theirs, ours in SUBSTRUCTURES.items():
            cell.bank(edge)[ours].load_state_dict(substructure_weights(values, f"{group}/superedge{edge}/{theirs}/"))
    return cell.eval()


@torch.no_grad()
def test_mixed_cell(values: Arrays) -> None:
    for size in [name for name in sizes(values) if f"{name}/cell/edge_scores" in values]:
        group = f"{size}/cell"
        scores = tensor(values, f"{group}/edge_scores")
        supernodes = next(count for count in (2, 3, 4) if len(superedges(count)) == scores.shape[1])
        state, layout, settings = clip(values, size, supernodes=supernodes)

        for key, reading in readings(values, group, settings):
            cell = filled(values, group, Cell(reading, layout))
            close(values, key, cell.mixed(state, scores.softmax(dim=-1)))
        variance = diversity_loss(scores, settings.var_on, settings.var_over)
        np.testing.assert_allclose(variance, values[f"{group}/score_variance"], rtol=0, atol=1e-5)


@torch.no_grad()
def test_discrete_cell_is_the_mixed_one_with_shares_of_one(values: Arrays) -> None:
    """The release's own discrete branch does not run; its weights in ours do."""
    for size in [name for name in sizes(values) if f"{name}/cell/edge_scores" in values]:
        scores = tensor(values, f"{size}/cell/edge_scores")
        supernodes = next(count for count in (2, 3, 4) if len(superedges(count)) == scores.shape[1])
        state, layout, settings = clip(values, size, supernodes=supernodes)
        cell = filled(values, f"{size}/cell", Cell(settings, layout))
        choices = scores.argmax(dim=-1)
        shares = nn.functional.one_hot(choices, scores.shape[2]).float()
        torch.testing.assert_close(cell.discrete(state, choices), cell.mixed(state, shares), rtol=0, atol=1e-5)


def test_positions(values: Arrays) -> None:
    for size in sizes(values):
        boxes = tensor(values, f"{size}/boxes") / CROP
        close(values, f"{size}/positions", box_positions(boxes, 9))
