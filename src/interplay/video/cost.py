"""Parameters and multiply-accumulates of AGOS, counted from its shapes (agos.md §1, §10).

Three ways to count are in use, and a figure means nothing without naming one:

- **products**: multiply-accumulates of convolutions, linear layers and matrix products as they are computed here;
- **with batch norm, ReLU and pooling**: the convention of the tool that the paper's figures come from (sovrasov's
  counter): batch norm two per element, ReLU one per element, pooling one per element that enters;
- **as published**: the tool sees modules only, so that the products of affinities with features are not counted, and
  difference propagation over all pairs, as the release computes it, is.

The paper's 37.3 M parameters leave the backbone's batch norms out; 138.4 GMAC are counted as published.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from interplay.video.backbone import Bottleneck, ConvolutionNorm, InflatedResNet50
from interplay.video.network import AGOS
from interplay.video.settings import BackboneSettings, VideoSettings, preset
from interplay.video.structure import SPACES, Structure
from interplay.video.substructures import MAIN, PAIRS

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Cost:
    """Of one clip through one part: see the module's description of the three ways to count."""

    products: int
    with_elementwise: int
    as_published: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.products + other.products,
            self.with_elementwise + other.with_elementwise,
            self.as_published + other.as_published,
        )

    def __mul__(self, times: int) -> Cost:
        return Cost(self.products * times, self.with_elementwise * times, self.as_published * times)


NOTHING = Cost(0, 0, 0)


def after(shape: Shape, kernel: Shape, stride: Shape, padding: Shape) -> Shape:
    """Frames, height and width behind a convolution or pooling."""
    frames, height, width = (
        (size + 2 * pad - taps) // step + 1
        for size, taps, step, pad in zip(shape, kernel, stride, padding, strict=True)
    )
    return frames, height, width


def volume(shape: Shape, channels: int) -> int:
    return shape[0] * shape[1] * shape[2] * channels


def layer_cost(layer: ConvolutionNorm, shape: Shape, relu: bool) -> tuple[Cost, Shape]:
    """A convolution with its batch norm, and where asked for the ReLU behind it."""
    convolution = layer.convolution
    kernel, stride, padding = convolution.kernel_size, convolution.stride, convolution.padding
    assert isinstance(padding, tuple)
    out = after(shape, _three(kernel), _three(stride), _three(padding))
    elements = volume(out, convolution.out_channels)
    products = elements * convolution.in_channels * kernel[0] * kernel[1] * kernel[2]
    counted = products + elements * (3 if relu else 2)
    return Cost(products, counted, counted), out


def backbone_cost(backbone: InflatedResNet50, frames: int = 32, size: int = 224) -> Cost:
    """Of one clip of ``frames`` frames of ``size`` × ``size`` pixels."""
    made, shape = layer_cost(backbone.stem, (frames, size, size), relu=True)
    made, shape = (
        made + _pool(shape, backbone.settings.width),
        after(shape, (3, 3, 3), _strides(backbone.pool), (1,) * 3),
    )
    timed = False
    for stage, block in backbone.blocks():
        assert isinstance(block, Bottleneck)
        if stage == 1 and not timed:
            made, shape, timed = made + _pool(shape, backbone.settings.width * 4), _halved(shape), True
        first, inner = layer_cost(block.first, shape, relu=True)
        second, inner = layer_cost(block.second, inner, relu=True)
        third, inner = layer_cost(block.third, inner, relu=True)  # the ReLU stands behind the sum
        made = made + first + second + third
        if block.shortcut is not None:
            made = made + layer_cost(block.shortcut, shape, relu=False)[0]
        shape = inner
    return made if timed else made + _pool(shape, backbone.channels)


def operation_cost(name: str, network: AGOS, *, shared_cosine: bool = False) -> Cost:
    """Of one operation or substructure; ``shared_cosine`` where another one on the supernode computed it already."""
    if name in MAIN:
        parts = (MAIN[name], "feature_aggregation", "node_attention")
        return sum(
            (operation_cost(part, network, shared_cosine=shared_cosine and part == parts[0]) for part in parts), NOTHING
        )
    settings, layout = network.model, network.layout
    if name in PAIRS:
        # Only temporal convolution looks at the cosines of the supernode; node attention has those of the joined nodes.
        beside = (
            operation_cost(part, network, shared_cosine=shared_cosine and part == "temporal_convolution")
            for part in PAIRS[name]
        )
        join = layout.nodes * 2 * settings.width**2
        counted = join + layout.nodes * settings.width
        return sum(beside, Cost(join, counted, counted)) + operation_cost("node_attention", network)
    if name in ("zero", "identity"):
        return NOTHING
    nodes, width, cells = layout.nodes, settings.width, layout.cells
    pairs, square, elements = nodes**2 * width, nodes * width**2, nodes * width
    projection = square if settings.u == "full" else elements
    cosine = 0 if shared_cosine else pairs
    if name == "feature_aggregation":
        return Cost(projection + square + 2 * pairs, projection + square + 2 * pairs + elements, square + elements)
    if name == "difference_propagation":
        made = projection + square + 2 * pairs
        return Cost(made, made + elements, nodes * square + elements)
    if name == "temporal_convolution":
        padded = settings.tc_out == "own_frame" or settings.tc_padding == "zero"
        short = layout.steps if padded else layout.steps - settings.tc_kernel + 1
        taps = settings.tc_kernel * (1 if settings.tc_convolution == "depthwise" else width)
        made, kept = nodes * short * width * taps, nodes * (1 if settings.tc_out == "own_frame" else short) * width
        with_u = (pairs + projection) if settings.tc_u else cosine
        return Cost(made + with_u, made + with_u + kept, made + kept)
    if name == "background_incorporation":
        seen, linear = nodes * cells * width, nodes * (width + cells) * width
        return Cost(projection + 2 * seen + linear, projection + 2 * seen + linear + elements, linear + elements)
    assert name == "node_attention"
    linear = nodes * (layout.nodes + 9 if settings.na == "all" else 4 * settings.na_neighbours)
    activated = elements if settings.na_activation else 0
    return Cost(cosine + linear, cosine + linear + activated, linear + activated)


def graph_cost(network: AGOS, structure: Structure | None = None) -> Cost:
    """Of everything behind the backbone: all candidates at once (the search), or one structure."""
    settings, layout = network.model, network.layout
    width, channels = settings.width, network.backbone.channels
    last = network.classifier.weight.numel()
    made = Cost(last, last, last)
    if settings.graph == "global_pooling":
        entered = layout.steps * layout.cells * channels
        return made + Cost(0, entered, entered)
    if not settings.narrows:
        pooled = layout.nodes * layout.cells * channels
        return made + Cost(pooled, pooled, layout.nodes * 49 * channels)
    cells = layout.steps * layout.cells
    product, regions = cells * width * channels, layout.nodes * layout.cells * width
    activated = cells * width if settings.fc_act else 0
    # the release's RoIAlign averages 7×7 bins; here a box is one product
    made = made + Cost(
        product + regions, product + regions + activated, product + activated + layout.nodes * 49 * width
    )
    if settings.graph == "roi_pooling":
        return made
    if settings.graph != "agos":
        return made + operation_cost(settings.graph, network)
    weights = sum(parameter.numel() for parameter in network.structure_weights.parameters() if parameter.ndim == 2)
    weights = weights if settings.adaptive else 0
    cell = NOTHING
    known: set[int] = set()  # supernodes whose cosines are computed
    for edge, (source, _) in enumerate(network.superedges):
        names = SPACES[settings.space] if structure is None else (structure.operations[edge],)
        for name in names:
            looks = name in ("temporal", "temporal_convolution", "temporal_background", "node_attention")
            cell = cell + operation_cost(name, network, shared_cosine=looks and source in known)
            known |= {source} if looks and settings.tc_nearest == "cosine" and not settings.tc_u else set()
    between = layout.nodes * settings.supernodes * width**2 * (settings.cells - 1)
    return made + cell * settings.cells + Cost(weights + between, weights + between, weights + between)


def parameters(module: nn.Module, *, norms: bool = True) -> int:
    """Numbers in the parameters; ``norms=False`` leaves batch norms out."""
    left_out = set()
    if not norms:
        for part in module.modules():
            if isinstance(part, nn.BatchNorm3d):
                left_out |= {id(parameter) for parameter in part.parameters()}
    return sum(parameter.numel() for parameter in module.parameters() if id(parameter) not in left_out)


@dataclass(frozen=True)
class Variant:
    """A named set of switches."""

    name: str
    model: VideoSettings = field(default_factory=VideoSettings)
    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    classes: int = 174
    structure: tuple[str, ...] | None = None


def _structures() -> tuple[Variant, ...]:
    names = ("difference", "temporal", "background")
    return tuple(Variant(f"AGOS, discrete, {name} everywhere", structure=(name,) * 6) for name in names)


VARIANTS = (
    Variant("global pooling", VideoSettings(graph="global_pooling")),
    Variant("pooling over RoIs", VideoSettings(graph="roi_pooling")),
    Variant("feature aggregation", VideoSettings(graph="feature_aggregation")),
    Variant("difference propagation", VideoSettings(graph="difference_propagation")),
    Variant("temporal convolution", VideoSettings(graph="temporal_convolution")),
    Variant("background incorporation", VideoSettings(graph="background_incorporation")),
    Variant("node attention", VideoSettings(graph="node_attention")),
    Variant("AGOS"),
    Variant("AGOS, release", preset("release")),
    *_structures(),
    Variant("AGOS, original operations", VideoSettings(space="original")),
    Variant("AGOS, parallel substructures", VideoSettings(space="parallel")),
    Variant("AGOS, non-adaptive", VideoSettings(adaptive=False)),
    Variant("AGOS, 2 supernodes", VideoSettings(supernodes=2)),
    Variant("AGOS, 4 supernodes", VideoSettings(supernodes=4)),
    Variant("AGOS, 2 cells", VideoSettings(cells=2)),
    Variant("AGOS, cat_global", VideoSettings(cat_global=True)),
    Variant("AGOS, dense temporal kernel", VideoSettings(tc_convolution="dense")),
    Variant("AGOS, share_fa", VideoSettings(share_fa=True)),
    Variant("AGOS, NL-I3D's temporal kernels", backbone=BackboneSettings(temporal_kernels="nonlocal")),
    Variant("AGOS, every other temporal kernel", backbone=BackboneSettings(temporal_kernels="alternate")),
    Variant("AGOS, no temporal kernels", backbone=BackboneSettings(temporal_kernels="none")),
    Variant("AGOS, stride in the temporal kernel", backbone=BackboneSettings(stride_in="temporal")),
)


def build(variant: Variant) -> AGOS:
    """The network of a variant without weights (on the ``meta`` device)."""
    with torch.device("meta"):
        return AGOS(variant.classes, model=variant.model, backbone=variant.backbone, load=False)


def rows() -> list[dict[str, Any]]:
    """One row per variant, for one clip of 32 × 224 × 224: parameters and GMACs, each with what is counted."""
    made: list[dict[str, Any]] = []
    for variant in VARIANTS:
        network = build(variant)
        structure = None if variant.structure is None else Structure(variant.structure)
        backbone, graph = backbone_cost(network.backbone), graph_cost(network, structure)
        whole = backbone + graph
        own = parameters(network.backbone)
        made.append(
            {
                "model": variant.name,
                "classes": variant.classes,
                "parameters": parameters(network),
                "without batch norm": parameters(network, norms=False),
                "of the backbone": own,
                "behind the backbone": parameters(network) - own,
                "GMACs of the backbone's convolutions": round(backbone.products / 1e9, 3),
                "with batch norm, ReLU, pooling": round(backbone.with_elementwise / 1e9, 3),
                "GMACs behind the backbone": round(graph.products / 1e9, 3),
                "GMACs of all products": round(whole.products / 1e9, 3),
                "GMACs as published": round(whole.as_published / 1e9, 3),
            }
        )
    return made


def _three(values: tuple[int, ...]) -> Shape:
    first, second, third = (int(value) for value in values)
    return first, second, third


def _strides(pool: nn.MaxPool3d) -> Shape:
    assert isinstance(pool.stride, tuple)
    return _three(pool.stride)


def _pool(shape: Shape, channels: int) -> Cost:
    entered = volume(shape, channels)
    return Cost(0, entered, entered)


def _halved(shape: Shape) -> Shape:
    return after(shape, (3, 1, 1), (2, 1, 1), (1, 0, 0))
