"""A whole CTR-GCN against the logits of the public code (``ctr_model.npz``), and the reader of such archives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.golden.reference_weights import BATCH_NORM, SUBSETS, Arrays, public_model
from tests.golden.sources import archive
from tests.skeleton.reference import randomised

from interplay.skeleton.convert import from_ctrgcn
from interplay.skeleton.network import MutualExcitationGCN

NAMES = {"k5_dilation1": 0, "k5_dilation2": 1, "maxpool": 2}


@torch.no_grad()
def check(archived: Arrays) -> None:
    state, data, logits = public_model(archived)
    tolerance = 1e-5 * max(1.0, float(logits.abs().max()))
    for contraction in ("first", "second"):
        network = from_ctrgcn(state, contraction=contraction).eval()
        for form in (network, network.fused()):
            np.testing.assert_allclose(form(data.float()).numpy(), logits.float().numpy(), rtol=0, atol=tolerance)


def test_recorded_model(request: pytest.FixtureRequest) -> None:
    check(archive(request, "ctr_model.npz"))


@torch.no_grad()
def generated(spelling: str, first: int, data_bn: str) -> dict[str, np.ndarray]:
    """An archive in the layout of one, from random weights; logits of a float64 run in CTR-GCN's contraction."""
    torch.manual_seed(0)
    network = MutualExcitationGCN(5, depth=(2, 1, 1), channels=(16, 32, 48), mte=False, mfe=False, contraction="second")
    randomised(network)
    network.eval()
    made: dict[str, np.ndarray] = {}

    def norm(name: str, bn: torch.nn.Module, part: slice = slice(None)) -> None:
        made.update({f"{name}_{key}": getattr(bn, key)[part].numpy() for key in BATCH_NORM})

    norm(data_bn, network.input_norm.bn)
    for position, block in enumerate(network.stack()):
        name = spelling.format(position + first)
        unit, temporal = block.convolution, block.temporal
        made |= {
            f"{name}/gc/alpha": unit.topology.alpha.numpy(),
            f"{name}/gc/adjacency": unit.topology.adjacency.numpy(),
        }
        norm(f"{name}/gc/bn", unit.bn)
        of = unit.topology.generation
        for s, subset in enumerate(SUBSETS):
            for key, convolution in (
                ("psi", of.psi),
                ("phi", of.phi),
                ("omega", unit.feature.omega),
                ("xi", unit.topology.xi),
            ):
                made[f"{name}/gc/{subset}/{key}_weight"] = convolution.weight[s, :, :, None, None].numpy()
                made[f"{name}/gc/{subset}/{key}_bias"] = convolution.bias[s].numpy()
        if unit.residual is not None:
            made[f"{name}/gc/inner_residual_conv_weight"] = unit.residual.weight.numpy()
            made[f"{name}/gc/inner_residual_conv_bias"] = unit.residual.bias.numpy()
            norm(f"{name}/gc/inner_residual_bn", unit.residual.bn)
        w = temporal.width
        for branch, i in NAMES.items():
            rows = slice(i * w, (i + 1) * w)
            made[f"{name}/tc/{branch}/reduce_conv_weight"] = temporal.reduce_weight[i, :, :, None, None].numpy()
            made[f"{name}/tc/{branch}/reduce_conv_bias"] = temporal.reduce_bias[rows].numpy()
            norm(f"{name}/tc/{branch}/reduce_bn", temporal.reduce_bn, rows)
            norm(f"{name}/tc/{branch}/{'pool_bn' if i == 2 else 'temporal_bn'}", temporal.bn, rows)
            if i < 2:
                made[f"{name}/tc/{branch}/temporal_conv_weight"] = temporal.taps_weight[i, ..., None].numpy()
                made[f"{name}/tc/{branch}/temporal_conv_bias"] = temporal.taps_bias[i].numpy()
        made[f"{name}/tc/pointwise/conv_weight"] = temporal.pointwise_weight[:, :, None, None].numpy()
        made[f"{name}/tc/pointwise/conv_bias"] = temporal.pointwise_bias.numpy()
        norm(f"{name}/tc/pointwise/bn", temporal.bn, slice(3 * w, 4 * w))
        if hasattr(block.residual, "bn"):
            made[f"{name}/outer_residual/conv_weight"] = block.residual.weight.numpy()
            made[f"{name}/outer_residual/conv_bias"] = block.residual.bias.numpy()
            norm(f"{name}/outer_residual/bn", block.residual.bn)
    made |= {"fc_weight": network.classifier.weight.numpy(), "fc_bias": network.classifier.bias.numpy()}
    x = torch.randn(2, 3, 20, 25, 2)
    logits = network.double()(x.double()).float()
    return {key: np.array(value) for key, value in made.items()} | {"input": x.numpy(), "logits": logits.numpy()}


@pytest.mark.parametrize(
    ("spelling", "first", "data_bn"),
    [
        ("block{}/weights", 1, "data_bn"),
        ("block{}/weights", 0, "weights/data_bn"),
        ("blocks/{}/weights", 0, "input_norm"),
        ("weights/block{}", 1, "weights/input_norm"),
        ("weights/blocks/{}", 1, "weights/data_bn"),
        ("l{}", 1, "data_bn"),
    ],
)
def test_generated_model(tmp_path: Path, spelling: str, first: int, data_bn: str) -> None:
    np.savez(tmp_path / "ctr_model.npz", **generated(spelling, first, data_bn))
    with np.load(tmp_path / "ctr_model.npz", allow_pickle=False) as opened:
        check({key: opened[key] for key in opened.files})


def test_missing_weights_are_named() -> None:
    archived = generated("block{}/weights", 1, "data_bn")
    del archived["block2/weights/tc/maxpool/pool_bn_bias"]
    del archived["fc_weight"]
    with pytest.raises(KeyError, match=r"fc_\{weight,bias\}.*block 2: maxpool/pool_bn_bias"):
        public_model(archived)
