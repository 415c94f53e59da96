"""Each equation of the unit against loops over its indices, in float64."""

from __future__ import annotations

import pytest
import torch
from tests.skeleton import reference
from tests.skeleton.networks import clips, small

from interplay.skeleton.feature_fusion import FeatureFusionBlock
from interplay.skeleton.feature_generation import individual_maps, shared_map
from interplay.skeleton.graph_convolution import steady_part
from interplay.skeleton.mutual_feature import MutualFeatureExcitation

VARIANTS = {
    "paper": {},
    "directed": {"mutual": "directed"},
    "tied": {"tie_entities": True},
    "static alpha": {"alpha_on": "static"},
    "second": {"contraction": "second"},
    "projection": {"mfe_proj": True},
    "identity": {"subsets": "identity"},
    "uniform": {"subsets": "uniform", "adaptive": False},
    "mutual off": {"mte": False, "mfe": False},
    "early fusion": {"early_fusion": "add"},
}


@pytest.fixture(params=VARIANTS)
def network(request: pytest.FixtureRequest):
    return small(depth=(2, 1, 0), channels=(4, 8, 8), reduction=2, **VARIANTS[request.param])


@pytest.fixture
def case(network):
    """A unit whose width changes, and its input (B, M, Cin, V, T)."""
    entities = 1 if network.early_fusion != "none" else 2
    x = torch.randn(2, entities, 4, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    return network.stack()[2].convolution, x


def test_generation_and_fusion(case) -> None:
    unit, x = case
    topology = unit.topology
    p, q = topology.generation(x.mean(dim=-1))
    maps = individual_maps(p, q)
    made = topology.relation_maps(x.mean(dim=-1))
    for b, clip in enumerate(x):
        for s in range(maps.shape[2]):
            individual, shared = reference.naive_relation_maps(topology, clip, s)
            torch.testing.assert_close(maps[b, :, s], torch.stack(individual))
            if len(clip) == 2:
                torch.testing.assert_close(shared_map(p, q)[b, s], shared)
            for m, v in enumerate(individual):
                common = -shared.transpose(1, 2) if m == 1 and topology.mutual == "directed" else shared
                fused = reference.naive_fusion(v, common, reference.weight_of(topology.fusion, s, m))
                torch.testing.assert_close(made[b, m, s], fused)


def test_topology(case) -> None:
    unit, x = case
    made = unit.topology(x.mean(dim=-1))
    factors, weight = unit.topology.factors(x.mean(dim=-1))
    product = torch.einsum("bskp,sck->bscp", factors, weight).reshape(made.shape)
    turned, _ = unit.topology.factors(x.mean(dim=-1), transposed=True)
    for b, clip in enumerate(x):
        for s in range(made.shape[2]):
            naive = torch.stack(reference.naive_topology(unit.topology, clip, s))
            torch.testing.assert_close(made[b, :, s], naive)
            torch.testing.assert_close(product[b, :, s], naive)
    joints = x.shape[3]
    torch.testing.assert_close(turned.unflatten(3, (joints, joints)), factors.unflatten(3, (joints, joints)).mT)


def test_features(case) -> None:
    unit, x = case
    made = unit.feature.factors()
    features = torch.einsum("oi,bmivt->bmovt", made.weight, x)
    subsets = made.bias.shape[2]
    features = features.unflatten(2, (-1, subsets))
    if made.mix is not None:
        shared = made.weight if made.shared_weight is None else made.shared_weight
        shared = torch.einsum("oi,bivt->bovt", shared, x.sum(1)).unflatten(1, (-1, subsets))
        features = features + made.mix[:, None, :, None, None] * shared[:, None]
    features = features + made.bias[..., None, None]
    for b, clip in enumerate(x):
        for s in range(subsets):
            torch.testing.assert_close(features[b, :, :, s], torch.stack(reference.naive_features(unit, clip, s)))


def test_contraction(case) -> None:
    """Eq. 1, summed over subsets, as it is computed with and without gradients."""
    unit, x = case
    naive = reference.naive_aggregate(unit, x)
    torch.testing.assert_close(unit.aggregate(x), naive)
    with torch.no_grad():
        torch.testing.assert_close(unit.aggregate(x), naive)


def test_plain_einsum(case) -> None:
    """One product over all subsets is the einsum of the paper on A and F̃ written out."""
    unit, x = case
    adjacency = unit.topology(x.mean(dim=-1))
    subsets = adjacency.shape[2]
    features = torch.stack(
        [
            torch.stack([torch.stack(reference.naive_features(unit, clip, s)) for s in range(subsets)], dim=1)
            for clip in x
        ]
    )
    indices = "bmscdt,bmscde->bmcet" if unit.contraction == "first" else "bmscdt,bmsced->bmcet"
    torch.testing.assert_close(unit.aggregate(x), torch.einsum(indices, features, adjacency).flatten(0, 1))


@pytest.mark.parametrize("training", [True, False])
def test_unit(case, training: bool) -> None:
    unit, x = case
    unit.train(training)
    y = reference.naive_batch_norm(unit.bn, reference.naive_aggregate(unit, x), training)
    residual = unit.residual
    assert residual is not None
    rows = [reference.linear(entity, residual.weight[:, :, 0, 0], residual.bias) for clip in x for entity in clip]
    y = y + reference.naive_batch_norm(residual.bn, torch.stack(rows), training)
    torch.testing.assert_close(unit(x).flatten(0, 1), y.clamp_min(0))


def test_pool_before_project(case) -> None:
    """ψ of the temporal mean is the temporal mean of ψ."""
    unit, x = case
    generation = unit.topology.generation
    p, q = generation(x.mean(dim=-1))
    for made, convolution in ((p, generation.psi), (q, generation.phi)):
        every = torch.einsum("bmcvt,src->bmsrvt", x, convolution.weight) + convolution.bias[..., None, None]
        torch.testing.assert_close(made, every.mean(dim=-1))


def test_gradients_by_differences(case) -> None:
    """The backward pass of the product, which makes F̃ and A again, against finite differences."""
    unit, x = case
    x = x.requires_grad_()
    parameters = [parameter for _, parameter in sorted(unit.named_parameters()) if parameter.numel() < 100]

    def total(*_: torch.Tensor) -> torch.Tensor:
        return unit.aggregate(x).square().sum()

    used = [parameter for parameter in parameters if _reaches(total(), parameter)]
    assert len(used) >= 5
    assert torch.autograd.gradcheck(total, (x, *used), fast_mode=True)


def _reaches(y: torch.Tensor, parameter: torch.Tensor) -> bool:
    return torch.autograd.grad(y, parameter, allow_unused=True, retain_graph=True)[0] is not None


def test_fusion_block_weights() -> None:
    tied, free = FeatureFusionBlock(3, True, 0.4), FeatureFusionBlock(3, False, 0.4)
    assert tied.weight.shape == (3, 1)
    assert free.weight.shape == (3, 2)
    assert (tied.per_entity() == 0.4).all()
    assert tied.per_entity().shape == free.per_entity().shape == (2, 3)


def test_projection_is_kappa_after_omega() -> None:
    torch.manual_seed(0)
    feature = MutualFeatureExcitation(2, 3, 5, projection=True).double()
    made = feature.factors()
    assert made.shared_weight is not None
    x = torch.randn(3, dtype=torch.float64)
    assert feature.kappa is not None
    for s in range(2):
        inner = feature.omega.weight[s] @ x + feature.omega.bias[s]
        outer = feature.kappa.weight[s] @ inner + feature.kappa.bias[s]
        ours = made.weight.unflatten(0, (-1, 2))[:, s] @ x + made.bias[0, :, s]
        torch.testing.assert_close(ours, outer)  # γ is 0


def test_steady_part_is_what_the_bias_adds() -> None:
    network = small()
    unit = network.stack()[0].convolution
    x = clips(network).permute(0, 4, 1, 3, 2).contiguous()
    with_bias = unit.aggregate(x)
    maps, factor = unit.topology.factors(x.mean(dim=-1))
    steady = steady_part(unit.feature.factors().bias, maps, factor, 2)
    with torch.no_grad():
        unit.feature.omega.bias.zero_()
    torch.testing.assert_close(with_bias - unit.aggregate(x), steady[..., None].expand_as(with_bias))
