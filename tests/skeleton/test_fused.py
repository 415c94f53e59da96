"""The form for inference and the form for training are the same function as the network's modules one by one."""

from __future__ import annotations

import copy

import pytest
import torch
from tests.skeleton.networks import OPTIONS, clips, small
from tests.skeleton.reference import naive_aggregate
from torch import Tensor

from interplay.skeleton import contraction, fused
from interplay.skeleton.network import MutualExcitationGCN


@torch.no_grad()
def plain(network: MutualExcitationGCN, x: Tensor) -> Tensor:
    """The network with Eq. 1 by loops and batch norms as modules."""
    y = network.start(x)
    for block in network.stack():
        unit = block.convolution
        flat = y.flatten(0, 1)
        made = unit.bn(naive_aggregate(unit, y))
        middle = torch.relu(made + (flat if unit.residual is None else unit.residual(flat)))
        y = block.temporal(middle, None if block.residual is None else block.residual(flat)).view(
            *y.shape[:2], *made.shape[1:3], -1
        )
    return network.classifier(network.pool(y))


@pytest.mark.parametrize("name", OPTIONS)
def test_equals_the_plain_form(name: str) -> None:
    network = small(**{"depth": (1, 1, 0), "channels": (8, 16, 16), **OPTIONS[name], "mutual_layers": None}).eval()
    x = clips(network, batch=2, frames=5)
    expected = plain(network, x)
    torch.testing.assert_close(network(x), expected)
    torch.testing.assert_close(network.fused()(x), expected)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("chunk", [1, 2, 8])
def test_fused_equals_the_network(name: str, chunk: int) -> None:
    network = small(**OPTIONS[name])
    x = clips(network, batch=5)
    network(x)  # running statistics that fit
    network.eval()
    fused = network.fused(chunk)
    with torch.no_grad():
        torch.testing.assert_close(fused(x), network(x))
        torch.testing.assert_close(fused.features(x), network.features(x))


def test_fused_is_a_snapshot() -> None:
    network = small().eval()
    x = clips(network)
    fused = network.fused()
    before = fused(x)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    assert torch.equal(fused(x), before)
    assert not fused(x).requires_grad
    assert not fused.training
    assert network.stack()


def test_fused_leaves_its_input_alone() -> None:
    network = small().eval()
    x = clips(network)
    copied = x.clone()
    network.fused()(x)
    network(x)
    assert torch.equal(x, copied)


@pytest.mark.parametrize("name", OPTIONS)
def test_size_of_the_chunks_does_not_matter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = small(**OPTIONS[name])
    x = clips(network, batch=5)
    found = []
    for size in (1, 1 << 15, 1 << 27):
        monkeypatch.setattr(contraction, "CHUNK_BYTES", size)
        other = copy.deepcopy(network)
        logits = other(x)
        gradients = torch.autograd.grad(logits.square().sum(), list(other.parameters()))
        found.append((logits, *gradients))
    torch.testing.assert_close(found[0], found[2])
    torch.testing.assert_close(found[1], found[2])


@pytest.mark.parametrize("name", ["default", "projection", "directed, tied", "early fusion, joints"])
def test_gradients_of_the_whole_network(name: str) -> None:
    """Directional finite differences in float64 through all custom backward passes."""
    network = small(**OPTIONS[name])
    x = clips(network, batch=4, frames=6)
    weight = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    parameters = list(network.parameters())

    def loss() -> Tensor:
        return (copy.deepcopy(network)(x) * weight).sum()

    gradients = torch.autograd.grad((network(x) * weight).sum(), parameters)
    generator = torch.Generator().manual_seed(3)
    direction = [torch.randn(p.shape, dtype=p.dtype, generator=generator) for p in parameters]
    step = 1e-8  # small enough not to pass a kink of a ReLU

    @torch.no_grad()
    def moved(amount: float) -> Tensor:
        for parameter, by in zip(parameters, direction, strict=True):
            parameter.add_(by, alpha=amount)
        value = loss()
        for parameter, by in zip(parameters, direction, strict=True):
            parameter.sub_(by, alpha=amount)
        return value

    numeric = (moved(step) - moved(-step)) / (2 * step)
    analytic = sum((g * d).sum() for g, d in zip(gradients, direction, strict=True))
    torch.testing.assert_close(numeric, analytic, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["default", "projection", "directed, tied", "second contraction"])
def test_both_ways_of_mixing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entities mixed inside the product, and in a pass over its result: same logits, same gradients."""
    network = small(**OPTIONS[name])
    x = clips(network, batch=3)
    found = []
    for inside in (True, False):
        monkeypatch.setattr(contraction, "mixes_in_product", lambda *_, inside=inside: inside)
        monkeypatch.setattr(fused, "mixes_in_product", lambda *_, inside=inside: inside)
        other = copy.deepcopy(network)
        logits = other(x)
        gradients = torch.autograd.grad(logits.square().sum(), list(other.parameters()))
        other.eval()
        with torch.no_grad():
            torch.testing.assert_close(other.fused()(x), other(x))
        found.append((logits, *gradients))
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lift_and_its_gradients(dtype: torch.dtype) -> None:
    """One product per subset (float32) and one with a block-diagonal weight (bfloat16) are the einsum."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(4, 3, 5, 9, generator=generator).to(dtype)
    factor = torch.randn(3, 6, 5, generator=generator).to(dtype)
    given = torch.randn(4, 6, 3, 9, generator=generator).to(dtype)
    exact = [t.float().clone().requires_grad_() for t in (maps, factor)]
    product = torch.einsum("bskp,sck->bcsp", *exact)
    lift = contraction.Lift(factor)
    tolerance = {"rtol": 0.02, "atol": 0.05} if dtype == torch.bfloat16 else {}
    torch.testing.assert_close(lift(maps).float(), product.detach(), **tolerance)
    d_maps, d_factor = torch.empty_like(maps), torch.ones(3, 6, 5)
    lift.back(given, maps, d_maps, d_factor)
    by_maps, by_factor = torch.autograd.grad(product, exact, given.float())
    torch.testing.assert_close(d_maps.float(), by_maps, **tolerance)
    torch.testing.assert_close(d_factor - 1, by_factor, **({"rtol": 0.03, "atol": 0.15} if tolerance else {}))
