"""The whole network: counts, both modes, forced structures, baselines, precision, and what holds every variant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from interplay.errors import InterplayError
from interplay.video.network import AGOS
from interplay.video.regions import pool_boxes
from interplay.video.settings import PRESETS, BackboneSettings, Graph, Preset, VideoSettings, preset
from interplay.video.stages import Search
from interplay.video.structure import Structure

BACKBONE = BackboneSettings(width=4, blocks=(1, 1), strides=(1, 2), stem_strides=(2, 2))
FRAMES, SIZE, BOXES, CLASSES = 16, 32, 3, 5
VARIANTS: list[dict[str, Any]] = [
    {},
    {"space": "original"},
    {"supernodes": 2},
    {"supernodes": 4, "space": "original"},
    {"cells": 2},
    {"adaptive": False},
    dict(PRESETS["release"]),
    {"roi": "legacy", "fc_act": False, "input_ln": True},
    {"graph": "roi_pooling", "roi_pool": "max"},
    {"tc_convolution": "dense", "tc_out": "own_frame", "bi_rel": "softmax", "share_fa": True},
    {"similarity": "inner_product", "na_similarity": "inner_product", "tc_nearest": "inner_product"},
    *({"graph": name} for name in get_args(Graph)[1:]),
    {"graph": "node_attention", "cat_global": True},
    {"graph": "roi_pooling", "roi_nodes": "backbone"},
    {"na_self": True, "na_activation": True, "u_bias": True, "u_start": "kaiming"},
]


def network(**changes: Any) -> AGOS:
    torch.manual_seed(0)
    model = VideoSettings(**{"width": 8, "na_neighbours": 4, **changes})
    made = AGOS(CLASSES, model=model, backbone=BACKBONE, frames=FRAMES, size=SIZE, boxes=BOXES)
    with torch.no_grad():
        for parameter in made.structure_parameters():
            parameter.normal_(std=2)
    return made.eval()


def clips(batch: int = 3) -> tuple[Tensor, Tensor]:
    """Pixels and boxes."""
    draw = torch.Generator().manual_seed(5)
    ends = torch.rand(batch, FRAMES // 2, BOXES, 2, 2, generator=draw)
    boxes = torch.cat((ends.amin(dim=3), ends.amax(dim=3)), dim=-1)
    return torch.randn(batch, 3, FRAMES, SIZE, SIZE, generator=draw), boxes


def maps(batch: int = 3, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """In the place of the backbone's maps, different from clip to clip and from cell to cell; and boxes."""
    draw = torch.Generator().manual_seed(6)
    shape = (batch, BACKBONE.channels, FRAMES // 2, SIZE // BACKBONE.stride, SIZE // BACKBONE.stride)
    scale = torch.rand(batch, BACKBONE.channels, 1, 1, 1, generator=draw)
    return (3 * torch.randn(shape, generator=draw) + scale).to(dtype), clips(batch)[1].to(dtype)


@pytest.mark.parametrize(("name", "count"), [("default", 4_766_784), ("release", 5_152_704)])
def test_counts_of_the_presets(name: Preset, count: int) -> None:
    with torch.device("meta"):
        made = AGOS(174, model=preset(name))
    behind = sum(parameter.numel() for key, parameter in made.named_parameters() if not key.startswith("backbone."))
    assert behind == count


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.no_grad()
def test_shapes_and_repeatability(changes: dict[str, Any]) -> None:
    made = network(**changes)
    features, boxes = maps()
    for mode in ("search", "discrete"):
        found = made(None, boxes, mode=mode, features=features)
        assert found.logits.shape == (3, CLASSES)
        assert bool(found.logits.isfinite().all())
        assert torch.equal(found.logits, made(None, boxes, mode=mode, features=features).logits)
        agos = made.model.graph == "agos"
        assert (found.weights is not None) == agos
        assert (found.choices is not None) == (agos and mode == "discrete")


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.no_grad()
def test_a_clip_alone_is_as_in_a_batch(changes: dict[str, Any]) -> None:
    """Attention sees all nodes of a cell: which of nearly equal ones are most similar may hang on the last bit."""
    cell = changes.get("graph", "agos") == "agos"
    made = network(**{**changes, **({"na": "all"} if cell else {})}).double()
    features, boxes = maps(dtype=torch.float64)
    for mode in ("search", "discrete"):
        whole = made(None, boxes, mode=mode, features=features).logits
        for clip in range(3):
            rows = slice(clip, clip + 1)
            alone = made(None, boxes[rows], mode=mode, features=features[rows]).logits
            torch.testing.assert_close(alone[0], whole[clip], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_a_gradient_reaches_every_parameter(changes: dict[str, Any]) -> None:
    """In the search; the release's matrix U of the temporal convolution is the one that nothing trains (A7)."""
    made = network(**changes).train()
    made.backbone.freeze(-1, train_norms=True)
    pixels, boxes = clips()
    found = made(pixels, boxes, mode="search")
    loss = functional.cross_entropy(found.logits, torch.tensor([0, 1, 2]))
    if found.weights is not None:
        loss = loss + 0.1 * made.diversity_loss(found.weights)
    loss.backward()
    for name, parameter in made.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert bool(parameter.grad.any()), name
            assert bool(parameter.grad.isfinite().all()), name
        else:
            assert made.model.tc_u
            assert ".affinity." in name
            assert "temporal" in name


@pytest.mark.parametrize("space", ["fixed", "original"])
@torch.no_grad()
def test_the_search_ends_in_the_discrete_form(space: str) -> None:
    """With structure weights far apart the mixture is the strongest operation (Eqs. 10 and 11)."""
    made = network(space=space).double()
    features, boxes = maps(5, torch.float64)
    for parameter in made.structure_parameters():
        parameter.mul_(1e6)
    searched, discrete = (made(None, boxes, mode=mode, features=features) for mode in ("search", "discrete"))
    assert torch.equal(searched.weights.argmax(dim=-1), discrete.choices)
    assert len({tuple(row) for row in discrete.choices.tolist()}) > 1
    torch.testing.assert_close(searched.logits, discrete.logits, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("cells", [1, 2])
@torch.no_grad()
def test_structures_can_be_forced_and_swapped(cells: int) -> None:
    made = network(cells=cells).double()
    features, boxes = maps(dtype=torch.float64)
    own = made(None, boxes, features=features)
    again = made(None, boxes, features=features, structures=made.structures(own.choices))
    assert torch.equal(again.logits, own.logits)
    one = Structure(("difference", "identity", "zero", "temporal", "background", "difference"))
    forced = made(None, boxes, features=features, structures=[one])
    assert made.structures(forced.choices) == [one] * 3
    assert torch.equal(forced.weights, own.weights)
    assert not torch.allclose(forced.logits, own.logits)
    swapped = own.choices[[1, 0, 2]]
    exchanged = made(None, boxes, features=features, structures=swapped)
    assert torch.equal(exchanged.choices, swapped)
    torch.testing.assert_close(exchanged.logits[2], own.logits[2], rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_features_at_hand_stand_for_clips() -> None:
    made = network()
    pixels, boxes = clips()
    features = made.backbone_features(pixels)
    assert torch.equal(made(None, boxes, features=features).logits, made(pixels, boxes).logits)
    torch.testing.assert_close(made.weights(features), made(pixels, boxes).weights)


@torch.no_grad()
def test_baselines_are_what_they_say() -> None:
    pixels, boxes = clips()
    pooling = network(graph="global_pooling")
    features = pooling.backbone_features(pixels)
    torch.testing.assert_close(pooling(pixels).logits, pooling.classifier(features.mean(dim=(2, 3, 4))))
    regions = network(graph="roi_pooling")
    nodes = regions.nodes(regions.backbone_features(pixels), boxes).nodes
    torch.testing.assert_close(regions(pixels, boxes).logits, regions.classifier(nodes.mean(dim=1)))
    single = network(graph="difference_propagation")
    state = single.nodes(single.backbone_features(pixels), boxes)
    torch.testing.assert_close(single(pixels, boxes).logits, single.classifier(single.operation(state).mean(dim=1)))


@torch.no_grad()
def test_regions_of_the_backbones_own_map() -> None:
    """A25: nodes as wide as the backbone's map, and no layer that narrows them."""
    made = network(graph="roi_pooling", roi_nodes="backbone")
    pixels, boxes = clips()
    features = made.backbone_features(pixels)
    nodes = pool_boxes(features.permute(0, 2, 3, 4, 1), boxes)
    torch.testing.assert_close(made(pixels, boxes).logits, made.classifier(nodes.mean(dim=1)))
    assert not hasattr(made, "nodes")
    with pytest.raises(ValueError, match="boxes: found none"):
        made(pixels)
    with pytest.raises(InterplayError, match=r"model\.cat_global"):
        VideoSettings(graph="roi_pooling", roi_nodes="backbone", cat_global=True)


def test_the_variance_may_leave_zero_and_identity_out() -> None:
    weights = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    every, some = (network(var_of=which).diversity_loss(weights) for which in ("all", "operations"))
    torch.testing.assert_close(some, weights.sum(1)[:, 2:].var(-1).mean())
    assert float((every - some).abs()) > 0.01


@torch.no_grad()
def test_without_leaky_relu_the_layer_may_stand_before_or_behind_the_regions() -> None:
    """The paper's order and the release's are the same under averaging (A4), for boxes inside the crop."""
    made = network(graph="roi_pooling", fc_act=False)
    pixels, boxes = clips()
    features = made.backbone_features(pixels)
    behind = made.nodes.layer(pool_boxes(features.permute(0, 2, 3, 4, 1), boxes))
    torch.testing.assert_close(made.nodes(features, boxes).nodes, behind, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_zero_may_be_excluded() -> None:
    features, boxes = maps(8)
    free, without = network(), network(exclude_zero=True)
    for made in (free, without):
        for parameter in made.structure_parameters():
            parameter[:: len(made.space)] += 1  # zero is likely now
    chosen, allowed = (made(None, boxes, features=features).choices for made in (free, without))
    assert bool((chosen == 0).any())
    assert not bool((allowed == 0).any())
    assert torch.equal(allowed[chosen != 0], chosen[chosen != 0])


@torch.no_grad()
def test_choices_do_not_depend_on_the_precision_of_the_rest() -> None:
    features, boxes = maps(8)
    for changes in ({}, {"graph": "feature_aggregation"}, {"graph": "background_incorporation"}):
        made = network(**changes)
        with torch.autocast("cpu", torch.bfloat16):
            lower = made(None, boxes, features=features)
        full = made(None, boxes, features=features)
        if changes:
            torch.testing.assert_close(lower.logits.float(), full.logits, rtol=0.05, atol=0.05)
        else:
            assert torch.equal(lower.weights, full.weights)
            assert torch.equal(lower.choices, full.choices)
            assert bool(lower.logits.isfinite().all())


def test_parameters_of_the_two_optimisers() -> None:
    made = network()
    structure = {id(parameter) for parameter in made.structure_parameters()}
    operations = {id(parameter) for parameter in made.operation_parameters()}
    behind = {id(value) for name, value in made.named_parameters() if not name.startswith("backbone.")}
    assert structure
    assert structure | operations == behind
    assert not structure & operations
    released = network(**PRESETS["release"])
    assert all(parameter.requires_grad for parameter in released.operation_parameters())


def test_dropout_of_identity_can_be_switched_off() -> None:
    made = network().train()
    features, boxes = maps()
    identity = [Structure(("identity",) * 6)]
    first, second = (made(None, boxes, features=features, structures=identity).logits for _ in range(2))
    assert not torch.equal(first, second)
    made.set_identity_dropout(0.0)
    first, second = (made(None, boxes, features=features, structures=identity).logits for _ in range(2))
    assert torch.equal(first, second)


def test_what_does_not_fit() -> None:
    made = network()
    pixels, boxes = clips()
    with pytest.raises(ValueError, match="neither clips nor features"):
        made(None, boxes)
    with pytest.raises(ValueError, match="boxes: found none"):
        made(pixels)
    with pytest.raises(ValueError, match=r"boxes \(3, 8, 2, 4\), expected .* \(3, 8, 3, 4\)"):
        made(pixels, boxes[:, :, :2])
    with pytest.raises(ValueError, match=r"found a map of \(4, 4, 4\)"):
        made(pixels[:, :, :8], boxes)
    with pytest.raises(ValueError, match="found some with mode 'search'"):
        made(pixels, boxes, mode="search", structures=[Structure(("zero",) * 6)])
    with pytest.raises(InterplayError, match=r"model\.supernodes: found 5, expected 2 to 4"):
        VideoSettings(supernodes=5)
    with pytest.raises(InterplayError, match=r"model\.preset: found 'paper', expected one of default, release"):
        preset("paper")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VideoSettings(u="diag"), "model.u: found 'diag', expected one of full, diagonal"),  # type: ignore[arg-type]
        (lambda: VideoSettings(graph="tree"), "model.graph: found 'tree'"),  # type: ignore[arg-type]
        (lambda: VideoSettings(similarity="dot"), "model.similarity: found 'dot'"),  # type: ignore[arg-type]
        (lambda: BackboneSettings(inflate="sum"), "backbone.inflate: found 'sum', expected one of centre, mean"),  # type: ignore[arg-type]
        (lambda: BackboneSettings(temporal_kernels="some"), "backbone.temporal_kernels"),  # type: ignore[arg-type]
        (lambda: Search(alternation="never"), "stage2.alternation: found 'never'"),  # type: ignore[arg-type]
    ],
)
def test_unknown_readings_are_refused_from_python_too(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InterplayError, match=message):
        make()
