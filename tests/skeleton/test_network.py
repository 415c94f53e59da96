"""The whole network: its sizes, its options, its symmetries."""

from __future__ import annotations

import copy

import pytest
import torch
from jaxtyping import TypeCheckError
from tests.skeleton.networks import OPTIONS, SMALL, clips, small
from torch.nn import functional

from interplay.skeleton.network import MutualExcitationGCN


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_published_parameter_counts() -> None:
    with torch.device("meta"):
        assert parameters(MutualExcitationGCN(mte=False, mfe=False)) == 1_437_934
        assert parameters(MutualExcitationGCN()) == 1_437_934 + 120
        assert parameters(MutualExcitationGCN(tie_entities=True)) == 1_437_934 + 60
        assert parameters(MutualExcitationGCN(mutual_layers=[1, 2, 3, 4])) == 1_437_934 + 48
        assert round(parameters(MutualExcitationGCN(mfe_proj=True)) / 1000) == 2229
        assert round(parameters(MutualExcitationGCN(120, mte=False, mfe=False)) / 1000) == 1462


def test_shapes_of_the_blocks() -> None:
    """The table of the network: widths, strides, relation channels, residuals."""
    with torch.device("meta"):
        network = MutualExcitationGCN()
    widths = [64] * 4 + [128] * 3 + [256] * 3
    relation = [8, 8, 8, 8, 8, 16, 16, 16, 32, 32]
    for index, block in enumerate(network.stack()):
        unit = block.convolution
        assert unit.topology.xi.weight.shape == (3, widths[index], relation[index])
        assert unit.bn.num_features == widths[index]
        assert block.temporal.stride == (2 if index in (4, 7) else 1)
        assert (unit.residual is not None) == (index in (0, 4, 7))
        assert hasattr(block.residual, "weight") == (index in (4, 7))
    assert network.stack()[0].residual is None
    assert network.input_norm.bn.num_features == 150


def test_start_values() -> None:
    network = MutualExcitationGCN(**SMALL, beta_init=0.4, gamma_init=0.2)
    for block in network.stack():
        unit = block.convolution
        assert (unit.topology.alpha == 0).all()
        assert (unit.topology.fusion.weight == 0.4).all()
        assert (unit.feature.fusion.weight == 0.2).all()
        assert (unit.bn.weight == 1e-6).all()
    assert (MutualExcitationGCN(**SMALL, alpha_on="static").stack()[0].convolution.topology.alpha == 1).all()


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("frames", [1, 2, 7, 16])
def test_any_length(name: str, frames: int) -> None:
    network = small(**OPTIONS[name])
    x = clips(network, frames=frames)
    assert network(x).shape == (3, 5)
    network.eval()
    assert network.features(x).shape == (3, network.classifier.in_features)
    assert torch.isfinite(network(x)).all()


@pytest.mark.parametrize("depth", [(3, 3, 2), (3, 3, 3), (4, 3, 3), (4, 4, 3), (4, 4, 4)])
def test_depths_of_table_7(depth: tuple[int, int, int]) -> None:
    network = small(depth=depth, channels=(8, 8, 16)).eval()
    assert len(network.stack()) == sum(depth)
    assert network(clips(network)).shape == (3, 5)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_gradient_reaches_every_parameter(name: str) -> None:
    """From the start values: in the dynamic mode α moves first, so the rest is asked for after one step."""
    torch.manual_seed(0)
    network = MutualExcitationGCN(5, "sbu15", **{**SMALL, **OPTIONS[name]})
    x, y = torch.randn(6, network.in_channels, 8, 15, 2), torch.arange(6) % 5
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    for _ in range(3):
        optimiser.zero_grad()
        functional.cross_entropy(network(x), y).backward()
        optimiser.step()
    silent = {key for key, parameter in network.named_parameters() if parameter.grad is None}
    assert not silent
    zero = {key for key, parameter in network.named_parameters() if not parameter.grad.any()}
    # a bias in front of a batch norm has no effect while the norm uses the batch's mean
    before_norm = {key for key in zero if key.endswith(("reduce_bias", "taps_bias", "pointwise_bias", "residual.bias"))}
    before_norm |= {key for key in zero if key.endswith("temporal.bias")}
    assert zero <= before_norm


@pytest.mark.parametrize("name", ["default", "directed, tied", "projection"])
def test_zero_weights_of_the_modules_are_the_network_without_them(name: str) -> None:
    network = small(**OPTIONS[name]).eval()
    plain = small(**{**OPTIONS[name], "mte": False, "mfe": False}).eval()
    state = {key: value for key, value in network.state_dict().items() if key in plain.state_dict()}
    plain.load_state_dict(state)
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if ".fusion." in key:
                parameter.zero_()
            if ".kappa.weight" in key:
                parameter.copy_(torch.eye(parameter.shape[1]).expand_as(parameter))
            if ".kappa.bias" in key:
                parameter.zero_()
    x = clips(network)
    torch.testing.assert_close(network(x), plain(x))


@pytest.mark.parametrize("options", [{}, {"mfe_proj": True}, {"contraction": "second"}, {"alpha_on": "static"}])
def test_exchanging_the_entities(options: dict) -> None:
    """With directed maps, tied scalars and shared input statistics: features follow, logits do not change."""
    network = small(mutual="directed", tie_entities=True, input_norm_shared=True, **options).eval()
    x = clips(network)
    torch.testing.assert_close(network(x.flip(-1)), network(x))
    y, z = network.start(x), network.start(x.flip(-1))
    for block in network.stack():
        y, z = block(y), block(z)
    torch.testing.assert_close(z, y.flip(1))
    assert (y - y.flip(1)).abs().max() > 1e-2
    network.train()
    torch.testing.assert_close(network(x.flip(-1)), network(x))


def test_the_papers_mode_does_tell_the_entities_apart() -> None:
    network = small().eval()
    x = clips(network)
    assert (network(x.flip(-1)) - network(x)).abs().max() > 1e-3


def test_equal_entities_get_equal_features() -> None:
    network = small(mutual="directed", tie_entities=True, input_norm_shared=True).eval()
    x = clips(network)
    y = network.start(x[..., :1].expand(-1, -1, -1, -1, 2).contiguous())
    for block in network.stack():
        y = block(y)
    torch.testing.assert_close(y[:, 0], y[:, 1])


@pytest.mark.parametrize("name", OPTIONS)
def test_alone_as_in_a_batch(name: str) -> None:
    network = small(**OPTIONS[name]).eval()
    x = clips(network, batch=5)
    alone = torch.cat([network(x[index : index + 1]) for index in range(5)])
    torch.testing.assert_close(network(x), alone)


def test_same_seed_same_network_same_logits() -> None:
    one, two = small(seed=4), small(seed=4)
    x = clips(one)
    assert torch.equal(one(x), two(x))
    assert torch.equal(one.eval()(x), one(x))


def test_fusion_over_entities() -> None:
    mean, total = small().eval(), small(fusion="sum").eval()
    x = clips(mean)
    torch.testing.assert_close(total.features(x), 2 * mean.features(x))


def test_input_norm() -> None:
    network = small(in_channels=2)
    x = clips(network, batch=4)
    made = network.input_norm(x)
    assert made.shape == (4, 2, 2, 4, 9)
    joint = made[:, 1, 0, 2]  # one entity, channel, joint
    theirs = x[:, 0, :, 2, 1]
    bn = network.input_norm.bn
    index = 1 * 4 * 2 + 2 * 2 + 0  # entity, joint, channel
    expected = (theirs - theirs.mean()) / torch.sqrt(theirs.var(correction=0) + bn.eps)
    torch.testing.assert_close(joint, expected * bn.weight[index] + bn.bias[index])
    network = small(in_channels=2, input_norm="instance")
    made = network.input_norm(x)
    bn = network.input_norm.bn
    own = x[3, 0, :, 2, 1]
    expected = (own - own.mean()) / torch.sqrt(own.var(correction=0) + bn.eps)
    torch.testing.assert_close(made[3, 1, 0, 2], expected * bn.weight[index] + bn.bias[index])
    assert small(input_norm_shared=True).input_norm.bn.num_features == 12


@pytest.mark.parametrize("options", [{}, {"alpha_on": "static", "mutual": "directed"}])
def test_bfloat16(options: dict) -> None:
    """Autocast gives logits near those of float32, and gradients in float32."""
    network = small(layout=small().layout, **options).float()
    x = clips(network, batch=8).float()
    for mode in (False, True):
        network.train(mode)
        full = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            low = network(x)
            with torch.no_grad():
                fused = copy.deepcopy(network).fused()(x)
        scale = full.abs().max()
        assert (low.float() - full).abs().max() < 0.05 * scale
        if not mode:
            assert (fused.float() - full).abs().max() < 0.05 * scale
    ours = torch.autograd.grad(full.square().sum(), list(network.parameters()))
    lower = torch.autograd.grad(low.float().square().sum(), list(network.parameters()))
    a, b = (torch.cat([g.flatten() for g in gradients]) for gradients in (ours, lower))
    assert a.dtype == b.dtype == torch.float32
    assert functional.cosine_similarity(a, b, dim=0) > 0.98


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subsets": "star"}, "subsets"),
        ({"tc": "wide"}, "tc"),
        ({"fusion": "max"}, "fusion"),
        ({"mutual_layers": [0]}, "mutual_layers"),
        ({"mutual_layers": [11]}, "mutual_layers"),
        ({"depth": (0, 1, 1)}, "depth"),
        ({"channels": (6, 8, 8)}, "multiple of 4"),
        ({"num_classes": 0}, "num_classes"),
    ],
)
def test_bad_arguments(options: dict, message: str) -> None:
    with pytest.raises((ValueError, TypeCheckError), match=message):  # the tests' type checker may be first
        MutualExcitationGCN(**options)


def test_bad_input_is_named() -> None:
    network = small()
    with pytest.raises(ValueError, match=r"4 joints of chain, 2 entities"):
        network(torch.randn(1, 3, 8, 5, 2, dtype=torch.float64))


def test_diagnostics() -> None:
    network = small(mutual_layers=[1, 2, 4]).eval()
    found = network.diagnostics(clips(network))
    assert len(found) == 4
    first, plain = found[0], found[2]
    assert first.individual.shape == (3, 2, 3, 8, 4, 4)
    assert first.common is not None
    assert first.common.shape == first.individual.shape
    assert first.adjacency.shape == (3, 2, 3, 8, 4, 4)
    assert (first.adjacency - first.adjacency_before).abs().max() > 1e-3
    assert plain.common is None
    assert torch.equal(plain.adjacency, plain.adjacency_before)
