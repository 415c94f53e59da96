"""Counted costs against the published figures, the specification's table and PyTorch's own counter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from interplay.video.cost import VARIANTS, Variant, backbone_cost, build, graph_cost, operation_cost, parameters, rows
from interplay.video.network import AGOS
from interplay.video.settings import BackboneSettings, TemporalKernels, VideoSettings, preset
from interplay.video.structure import Structure
from interplay.video.substructures import PAIRS


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, float]]:
    return {str(row["model"]): row for row in rows()}


def test_every_variant_has_a_row(found: dict[str, dict[str, float]]) -> None:
    assert len(found) == len(VARIANTS)


def test_exact_counts(found: dict[str, dict[str, float]]) -> None:
    assert found["AGOS"]["of the backbone"] == 32_204_608
    assert found["AGOS"]["behind the backbone"] == 4_766_784
    assert found["AGOS, release"]["behind the backbone"] == 5_152_704
    assert found["AGOS"]["GMACs of the backbone's convolutions"] == 126.781
    assert found["AGOS"]["with batch norm, ReLU, pooling"] == 127.579
    assert found["AGOS, cat_global"]["behind the backbone"] == 4_811_328
    assert found["AGOS, dense temporal kernel"]["behind the backbone"] == 4_766_784 + 6 * 7 * (256 * 256 - 256)


def test_release_is_within_a_five_hundredth_of_the_paper(found: dict[str, dict[str, float]]) -> None:
    """37.3 M with and without batch norm; 138.4 GMAC as published."""
    row = found["AGOS, release"]
    for key in ("parameters", "without batch norm"):
        assert row[key] == pytest.approx(37.3e6, rel=0.002)
    assert row["GMACs as published"] == pytest.approx(138.4, rel=0.002)


@pytest.mark.parametrize(
    ("variant", "millions", "products", "counted"),
    [
        ("AGOS, NL-I3D's temporal kernels", 27.22, 113.6, 114.4),
        ("AGOS, every other temporal kernel", 28.24, 113.6, 114.4),
        ("AGOS, no temporal kernels", 23.55, 93.1, 93.9),
        ("AGOS, stride in the temporal kernel", 32.20, 115.7, 116.5),
    ],
)
def test_evidence_for_the_backbone(
    found: dict[str, dict[str, float]], variant: str, millions: float, products: float, counted: float
) -> None:
    """The specification's table of readings of the backbone (§1)."""
    row = found[variant]
    assert round(row["of the backbone"] / 1e6, 2) == millions
    assert round(row["GMACs of the backbone's convolutions"], 1) == products
    assert round(row["with batch norm, ReLU, pooling"], 1) == counted


def test_parts_of_the_graph() -> None:
    """Products per operation (§10), in millions."""
    with torch.device("meta"):
        made = AGOS(174)
    millions = {
        name: round(operation_cost(name, made).products / 1e6, 1)
        for name in ("feature_aggregation", "difference_propagation", "temporal_convolution", "node_attention")
    }
    assert millions == {
        "feature_aggregation": 34.1,
        "difference_propagation": 34.1,
        "temporal_convolution": 9.4,
        "node_attention": 6.6,
    }
    assert round(operation_cost("background_incorporation", made).products / 1e6) == 27
    with torch.device("meta"):
        released = AGOS(174, model=preset("release"))
    modules = graph_cost(released).as_published
    assert round(modules / 1e9, 3) == 10.765
    assert parameters(released, norms=False) == 37_304_192


@torch.no_grad()
def test_backbone_against_the_counter() -> None:
    with torch.device("meta"):
        for variant in (VARIANTS[0], VARIANTS[-4]):
            made = build(variant).backbone.eval()
            with FlopCounterMode(display=False) as counter:
                made(torch.empty(1, 3, 32, 224, 224))
            assert counter.get_total_flops() == 2 * backbone_cost(made).products


@pytest.mark.parametrize(
    "changes",
    [
        {"graph": "roi_pooling"},
        {"graph": "roi_pooling", "roi_nodes": "backbone"},
        {"graph": "feature_aggregation"},
        {"graph": "background_incorporation"},
        {"graph": "node_attention"},
    ],
    ids=str,
)
@torch.no_grad()
def test_graph_against_the_counter(changes: dict[str, Any]) -> None:
    """Exactly, but for what is no product there (the temporal kernel is, here, a sum of shifted maps)."""
    model = VideoSettings(**changes, width=16)
    backbone = BackboneSettings(width=4)
    made = AGOS(7, model=model, backbone=backbone, frames=16, size=64).eval()
    features = torch.zeros(1, 128, 8, 2, 2)
    boxes = torch.tensor([0.1, 0.1, 0.9, 0.9]).expand(1, 8, 10, 4)
    with FlopCounterMode(display=False) as counter:
        made(None, boxes, features=features)
    assert counter.get_total_flops() == 2 * graph_cost(made).products


@torch.no_grad()
def test_cosines_are_computed_once_per_supernode() -> None:
    """The search's products against the counter: three supernodes, three matrices of cosines of their own."""
    made = AGOS(7, model=VideoSettings(width=16), backbone=BackboneSettings(width=4), frames=16, size=64).eval()
    features = torch.rand(1, 128, 8, 2, 2)
    boxes = torch.tensor([0.1, 0.1, 0.9, 0.9]).expand(1, 8, 10, 4)
    with FlopCounterMode(display=False) as counter:
        made(None, boxes, mode="search", features=features)
    temporal = 6 * 80 * 2 * 16 * 7  # its kernel is no product for the counter
    assert counter.get_total_flops() == 2 * (graph_cost(made).products - temporal)


def test_parallel_substructures() -> None:
    """The release's three unused forms: of each, two operations, a layer from 2C to C, and node attention."""
    settings = VideoSettings(space="parallel")
    with torch.device("meta"):
        made = AGOS(174, model=settings)
    alone = {
        "feature_aggregation": 131_840,
        "difference_propagation": 131_840,
        "temporal_convolution": 68_096 - 65_536,  # without the release's U
        "background_incorporation": 144_384,
    }
    join = 2 * 256 * 256 + 256
    pairs = sum(alone[first] + alone[second] + join + 65 for first, second in PAIRS.values())
    assert parameters(made) - parameters(made.backbone) == 524_544 + 61_440 + 133_806 + 6 * pairs
    for name, (first, second) in PAIRS.items():
        products = sum(operation_cost(one, made).products for one in (first, second, "node_attention"))
        assert operation_cost(name, made).products == products + 160 * 512 * 256


def test_published_counts_of_the_parts() -> None:
    """Parameters of the release's bank, part by part, and of the default's superedge (§10)."""
    with torch.device("meta"):
        released, made = AGOS(174, model=preset("release")), AGOS(174)
        original = AGOS(174, model=preset("release", space="original"))
    cell, edge = released.cells[0], released.cells[0].bank(0)  # type: ignore[operator]
    assert {name: parameters(module) for name, module in edge.items()} == {
        "identity": 0,
        "difference": 263_850,
        "temporal": 200_106,
        "background": 276_394,
    }
    assert parameters(edge) == 740_350
    assert parameters(cell) == 4_442_100
    assert parameters(made.cells[0].bank(0)) == 674_499  # type: ignore[operator]
    assert parameters(edge["difference"].attention) == 170
    assert parameters(released.structure_weights) == 7_710
    assert parameters(released.classifier) == 178_350
    operations = parameters(original.cells[0].bank(0))  # type: ignore[operator]
    assert 6 * operations == 2_857_980
    assert 6 * operations + 524_544 + (256 + 1) * 42 + parameters(original.classifier) == 3_571_668


@pytest.mark.parametrize(
    ("kernels", "millions"), [("all", 32.151), ("nonlocal", 27.17), ("alternate", 28.19), ("none", 23.49)]
)
def test_backbones_without_norms(kernels: TemporalKernels, millions: float) -> None:
    """The specification's first column (§1)."""
    made = build(Variant("", backbone=BackboneSettings(temporal_kernels=kernels))).backbone
    digits = len(str(millions).partition(".")[2])
    assert round(parameters(made, norms=False) / 1e6, digits) == millions


def test_published_products() -> None:
    """Difference propagation over all pairs, the whole bank, discrete structures, and the sum as published (§10)."""
    released, made = build(Variant("", preset("release"))), build(Variant(""))
    assert round(operation_cost("difference_propagation", released).as_published / 1e6, 1) == pytest.approx(
        1677.8, abs=0.2
    )
    assert round(graph_cost(made).products / 1e9, 3) == 1.548
    every = ("zero", "identity", "difference", "temporal", "background")
    costs = [graph_cost(made, Structure((name,) * 6)).products / 1e9 for name in every]
    assert (round(min(costs), 2), round(max(costs), 2)) == (0.41, 0.86)
    whole = backbone_cost(released.backbone) + graph_cost(released)
    assert round(whole.as_published / 1e9, 3) == 138.344
