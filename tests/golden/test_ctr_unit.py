"""One graph-convolution unit and one block against values of the public CTR-GCN code, to 1e-5 in float32."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from tests.golden.reference_weights import part, public_block, public_unit
from tests.golden.sources import archive
from torch import Tensor

from interplay.graph.adjacency import adjacency_subsets
from interplay.graph.layouts import load_layout
from interplay.skeleton.block import MutualExcitationBlock
from interplay.skeleton.convert import Weights, block_weights, exchange_contraction, unit_weights
from interplay.skeleton.fused import FusedBlock, FusedGraphConvolution
from interplay.skeleton.graph_convolution import MutualExcitationGraphConvolution
from interplay.skeleton.network import MutualExcitationGCN

Arrays = Mapping[str, np.ndarray]
CONTRACTIONS = ("first", "second")


@pytest.fixture(params=["excerpt/ctr_unit.npz", "ctr_unit.npz"])
def values(request: pytest.FixtureRequest) -> Arrays:
    return archive(request, request.param)


def given(values: Arrays, key: str) -> Tensor:
    """(batch, channel, time, joint) → (batch, one entity, channel, joint, time)"""
    return torch.from_numpy(values[key]).transpose(2, 3)[:, None].contiguous()


def close(values: Arrays, key: str, made: Tensor) -> None:
    """Our (batch, channel, joint, time) against the archive; an excerpt has the first frames only."""
    theirs = values[key]
    ours = made.detach().transpose(2, 3)[:, :, : theirs.shape[2]].numpy()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def block(contraction: str, index: int) -> MutualExcitationBlock:
    """Block 2 (64→64) or block 5 (64→128, stride 2) of a CTR-GCN."""
    network = MutualExcitationGCN(mte=False, mfe=False, contraction=contraction)
    return network.eval().stack()[index]


def oriented(state: dict[str, Tensor], contraction: str) -> dict[str, Tensor]:
    return exchange_contraction(state) if contraction == "first" else state


@pytest.fixture(params=CONTRACTIONS)
def unit(values: Arrays, request: pytest.FixtureRequest) -> MutualExcitationGraphConvolution:
    made = block(request.param, 1).convolution
    state = unit_weights(Weights(public_unit(part(values, "unit/weights/")), "unit"), "")
    made.load_state_dict(oriented(state, request.param))
    return made


@torch.no_grad()
def test_unit(values: Arrays, unit: MutualExcitationGraphConvolution) -> None:
    x = given(values, "unit/input")
    if "unit/subset_sum" in values:
        close(values, "unit/subset_sum", unit.aggregate(x))
    close(values, "unit/output", unit(x)[:, 0])
    close(values, "unit/output", FusedGraphConvolution(unit)(x))


def test_unit_with_gradients(values: Arrays, unit: MutualExcitationGraphConvolution) -> None:
    """The form used in training computes the same."""
    close(values, "unit/output", unit(given(values, "unit/input").requires_grad_())[:, 0])


@pytest.mark.parametrize("contraction", CONTRACTIONS)
@torch.no_grad()
def test_block(values: Arrays, contraction: str) -> None:
    made = block(contraction, 4)
    state = block_weights(Weights(public_block(part(values, "block/weights/")), "block"), "")
    made.load_state_dict(oriented(state, contraction))
    x = given(values, "block/input")
    middle = made.convolution(x)
    close(values, "block/gc_output", middle[:, 0])
    assert made.residual is not None
    residual = made.residual(x[:, 0])
    close(values, "block/outer_residual_output", residual)
    close(values, "block/output", made(x)[:, 0])
    close(values, "block/output", FusedBlock(made)(x)[:, 0])
    # the branch alone: what a residual far below zero leaves of ReLU(TC(x) + residual)
    far = torch.full_like(residual, 64.0)
    close(values, "block/tc_output", made.temporal(middle[:, 0], far) - 64.0)


def test_graph(values: Arrays) -> None:
    np.testing.assert_allclose(adjacency_subsets(load_layout("ntu25")).numpy(), values["graph"], rtol=0, atol=1e-6)
