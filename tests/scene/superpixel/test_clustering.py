"""Clustering against naive loops, and what must not matter to it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.scene.superpixel import equations
from torch import Tensor, nn

from interplay.scene.superpixel import clustering as module_under_test
from interplay.scene.superpixel.clustering import Clusters, SuperpixelClustering, coordinates, dispatched
from interplay.scene.superpixel.pooling import cell_matrix, moments, nearest_means, pooled_cells

CHANNELS = 6
FORMS = ("streamed", "scatter", "dense")


def clustering(seed: int = 0, **options: Any) -> SuperpixelClustering:
    torch.manual_seed(seed)
    made = SuperpixelClustering(CHANNELS, **{"heads": 2, "head_dim": 3, "side": 3, **options})
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.6)
    return made


def run(module: SuperpixelClustering, region: Tensor, form: str) -> Clusters:
    module.assignment = "dense" if form == "dense" else "scatter"
    with torch.set_grad_enabled(form != "streamed"):
        return module(region)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks even of small maps."""
    monkeypatch.setattr(module_under_test, "POINTS_AT_A_TIME", 20)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("extent", [(9, 12), (8, 13), (2, 7)])
@pytest.mark.parametrize("alpha", [1.0, -0.7])
def test_equations_1_to_3(form: str, extent: tuple[int, int], alpha: float) -> None:
    module = clustering()
    module.alpha.data.fill_(alpha)
    region = torch.randn(CHANNELS, *extent) + 0.3
    made = run(module, region, form)
    assert module.norm is not None
    normal = module.norm(region[None])[0].flatten(1).T
    query = module.similarity_projection(normal).T.reshape(2, 3, *extent)
    value = module.value_projection(normal).T.reshape(2, 3, *extent)
    for head in range(2):
        winners, kept, aggregates = equations.cluster(query[head], value[head], 3, alpha, float(module.beta.detach()))
        assert made.assignment[head].tolist() == winners
        torch.testing.assert_close(made.similarity[head], kept)
        torch.testing.assert_close(made.aggregate[:, 3 * head : 3 * head + 3], aggregates)


@pytest.mark.parametrize("form", FORMS)
def test_plain_form_of_the_paper(form: str) -> None:
    """One head, no norm, identities for projections, the cosine itself: Eqs 1–3 on F."""
    module = clustering(heads=1, head_dim=CHANNELS, prenorm=False, similarity="cosine")
    for projection in (module.similarity_projection, module.value_projection):
        nn.init.eye_(projection.weight)
        nn.init.zeros_(projection.bias)
    region = torch.randn(CHANNELS, 6, 9)
    made = run(module, region, form)
    centres = equations.pooled(region, 3)
    points = region.flatten(1).T
    cosines = torch.stack([torch.stack([equations.cosine(point, centre) for centre in centres]) for point in points])
    assert torch.equal(made.assignment[0], cosines.argmax(1))
    kept = cosines.amax(1).clamp_min(0)
    torch.testing.assert_close(made.similarity[0], kept)
    for j, centre in enumerate(centres):
        own = cosines.argmax(1) == j
        expected = (centre + (kept[own, None] * points[own]).sum(0)) / (1 + kept[own].sum())
        torch.testing.assert_close(made.aggregate[j], expected)
    table = torch.randn(1, CHANNELS, 9)
    sent = dispatched(made, table, module.assignment)
    torch.testing.assert_close(sent, table[0][:, made.assignment[0]] * kept)


@pytest.mark.parametrize(
    "options", [{}, {"similarity": "cosine"}, {"centres": "knn"}, {"positions": True}, {"prenorm": False}]
)
def test_gradients_of_scatter_and_dense_are_the_same(options: dict[str, Any]) -> None:
    region = torch.randn(CHANNELS, 8, 9)
    gradients = []
    for form in ("scatter", "dense"):
        module = clustering(**options)
        given = region.clone().requires_grad_()
        made = run(module, given, form)
        table = torch.linspace(-1, 1, 2 * 3 * 9).reshape(2, 3, 9)
        loss = dispatched(made, table, module.assignment).square().sum() + made.aggregate.square().sum()
        loss.backward()
        found = [given.grad, *(parameter.grad for parameter in module.parameters())]
        assert all(gradient is not None and bool((gradient != 0).any()) for gradient in found)
        gradients.append(found)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_gradients_against_differences() -> None:
    """The choice stands still under a small step, so differences of the values are the gradients."""
    module = clustering().double()
    region = torch.randn(CHANNELS, 4, 5)
    weight = module.similarity_projection.weight
    with torch.no_grad():
        before = weight.clone()
    cotangent = torch.randn(9, 6, dtype=torch.float64)

    def value() -> Tensor:
        made = module(region.double())
        return (made.aggregate * cotangent).sum() + (made.similarity * 0.3).sum()

    value().backward()
    assert weight.grad is not None
    for row, column in [(0, 0), (2, 4), (5, 1)]:
        step = torch.zeros_like(before)
        step[row, column] = 1e-4
        with torch.no_grad():
            weight.copy_(before + step)
            above = value()
            weight.copy_(before - step)
            below = value()
            weight.copy_(before)
        torch.testing.assert_close(weight.grad[row, column], (above - below) / 2e-4, rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("centres", ["adaptive", "knn"])
def test_forms_agree(centres: str) -> None:
    module = clustering(centres=centres, neighbours=5)
    region = torch.randn(CHANNELS, 11, 10)
    made = [run(module, region, form) for form in FORMS]
    for other in made[1:]:
        assert torch.equal(made[0].assignment, other.assignment)
        torch.testing.assert_close(made[0].similarity, other.similarity.detach())
        torch.testing.assert_close(made[0].aggregate, other.aggregate.detach())


def test_equal_centres_leave_the_first() -> None:
    """A map smaller than the grid has the same centre in several cells."""
    module = clustering(side=5)
    made = run(module, torch.randn(CHANNELS, 1, 2), "streamed")
    assert set(made.assignment.flatten().tolist()) <= {0, 1, 2, 3, 4}  # of five equal rows of cells, the first
    dense = run(module, torch.zeros(CHANNELS, 1, 2), "dense")  # all centres equal, all similarities too
    assert set(dense.assignment.flatten().tolist()) == {0}


@pytest.mark.parametrize("form", FORMS)
def test_shorter_types_do_not_change_the_choice(form: str) -> None:
    module = clustering(heads=2, head_dim=16, side=7)
    region = torch.randn(CHANNELS, 14, 15)
    plain = run(module, region, form)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = run(module, region, form)
    assert under.similarity.dtype == torch.float32
    assert torch.equal(plain.assignment, under.assignment)
    assert torch.equal(plain.aggregate, under.aggregate)


def test_pooling() -> None:
    region = torch.randn(3, 10, 13)
    expected = nn.functional.adaptive_avg_pool2d(region[None], 7)[0].flatten(1)
    torch.testing.assert_close(pooled_cells(region, 7), expected)
    assert cell_matrix(13, 7).sum(1).tolist() == pytest.approx([1.0] * 7)


@pytest.mark.parametrize("mean", [0.2, 300.0])
def test_moments(mean: float) -> None:
    region = torch.randn(5, 9, 8) * 0.5 + mean
    made, variance = moments(region)
    assert float(made) == pytest.approx(float(region.double().mean()), rel=1e-5)
    assert float(variance) == pytest.approx(float(region.double().var(correction=0)), rel=1e-3)


def test_nearest_means() -> None:
    region = torch.arange(16.0).reshape(1, 4, 4)
    # the four points around the middle of each quarter
    assert nearest_means(region, 2, 4)[0].tolist() == [2.5, 4.5, 10.5, 12.5]
    # the nearest point of a middle that four points surround equally: the first of them
    assert nearest_means(region, 2, 1)[0].tolist() == [0.0, 2.0, 8.0, 10.0]


def test_coordinates() -> None:
    made = coordinates(2, 3)
    assert made[0].tolist() == [[-0.5, 0.0, 0.5]] * 2
    assert made[1].tolist() == [[-0.5] * 3, [0.5] * 3]


def test_an_empty_region_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one point"):
        clustering()(torch.zeros(CHANNELS, 0, 4))
