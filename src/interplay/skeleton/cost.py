"""Parameters and multiply-accumulates of each variant of the network, counted from its shapes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from interplay.skeleton.block import MutualExcitationBlock
from interplay.skeleton.network import ENTITIES, MutualExcitationGCN
from interplay.skeleton.temporal_convolution import MultiScaleTemporalConvolution, SingleTemporalConvolution


@dataclass(frozen=True)
class Cost:
    """What one forward pass of one clip takes.

    ``products`` are the multiply-accumulates of all products (convolutions and matrix products) as they are computed
    here; ``reference_products`` those of the public implementations, which apply ψ and φ to every frame instead of to
    the temporal mean, and κ after ω instead of composed with it.
    """

    parameters: int
    products: int
    reference_products: int


def block_products(block: MutualExcitationBlock, entities: int, joints: int, frames: int) -> tuple[int, int, int]:
    """(products, products of the reference, frames after it) of one block."""
    unit, places = block.convolution, entities * joints * frames
    subsets, out, entered = unit.feature.omega.weight.shape
    relation = unit.topology.xi.weight.shape[2]
    relations = 2 * subsets * relation * entered
    lift = entities * subsets * relation * out * joints**2
    features = places * subsets * entered * out
    aggregation = places * subsets * out * joints
    both = lift + aggregation
    if unit.residual is not None:
        both += places * entered * out
    temporal = block.temporal
    stride = getattr(temporal, "stride", 1)
    shorter = -(-frames // stride)
    short_places = entities * joints * shorter
    if isinstance(temporal, MultiScaleTemporalConvolution):
        width = temporal.width
        both += places * 3 * width * out + short_places * (10 * width**2 + width * out)
    elif isinstance(temporal, SingleTemporalConvolution):
        both += short_places * 5 * out**2
    if hasattr(block.residual, "weight"):
        both += short_places * entered * out
    ours, theirs = features, features
    if unit.feature.kappa is not None:
        ours = features + features // entities  # ω on the sum of the entities, κ∘ω on each
        theirs = features + places * subsets * out**2
    return both + ours + entities * joints * relations, both + theirs + places * relations, shorter


def cost(network: MutualExcitationGCN, frames: int = 64) -> Cost:
    """The cost of one clip of ``frames`` frames."""
    joints = int(network.stack()[0].convolution.topology.adjacency.shape[-1])
    entities = ENTITIES if network.early_fusion == "none" else 1
    ours = theirs = network.classifier.weight.numel()
    for block in network.stack():
        here, reference, frames = block_products(block, entities, joints, frames)
        ours, theirs = ours + here, theirs + reference
    return Cost(sum(parameter.numel() for parameter in network.parameters()), ours, theirs)


@dataclass(frozen=True)
class Variant:
    """A named set of switches."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    layout: str = "ntu25"
    classes: int = 26
    frames: int = 64


OFF: dict[str, Any] = {"mte": False, "mfe": False}
RELEASE_A: dict[str, Any] = {"subsets": "identity", "tc": "single"}
VARIANTS = (
    Variant("CTR-GCN (mutual modules off)", OFF),
    Variant("CTR-GCN, 120 classes", OFF, classes=120),
    Variant("me-GCN"),
    Variant("me-GCN, MTE only", {"mfe": False}),
    Variant("me-GCN, MFE only", {"mte": False}),
    Variant("me-GCN, mfe_proj", {"mfe_proj": True}),
    Variant("me-GCN, mfe_proj, 11 classes", {"mfe_proj": True}, classes=11),
    Variant("Baseline (no mutual modules, tc: none)", {**OFF, "tc": "none"}),
    Variant("me-GCN, one subset", {"subsets": "uniform"}),
    Variant("identity subsets, single TC, mutual off", {**OFF, **RELEASE_A}),
    Variant("identity subsets, single TC, MTE", {"mfe": False, **RELEASE_A}),
    Variant("identity subsets, single TC, MTE and MFE (mfe_proj)", {"mfe_proj": True, **RELEASE_A}),
    Variant("me-GCN, depth 8", {"depth": (3, 3, 2)}),
    Variant("me-GCN, depth 9", {"depth": (3, 3, 3)}),
    Variant("me-GCN, depth 11", {"depth": (4, 4, 3)}),
    Variant("me-GCN, depth 12", {"depth": (4, 4, 4)}),
    Variant("early fusion, add", {"early_fusion": "add"}),
    Variant("early fusion, concat_channels", {"early_fusion": "concat_channels"}),
    Variant("early fusion, concat_joints", {"early_fusion": "concat_joints"}),
    Variant("hands, CTR-GCN", OFF, "assembly101_hand21", 1380),
    Variant("hands, me-GCN", {}, "assembly101_hand21", 1380),
    Variant("hands, me-GCN, mfe_proj", {"mfe_proj": True}, "assembly101_hand21", 1380),
    Variant("SBU, me-GCN, 32 frames", {}, "sbu15", 8, 32),
)


def build(variant: Variant) -> MutualExcitationGCN:
    """The network of a variant without weights (on the ``meta`` device)."""
    with torch.device("meta"):
        return MutualExcitationGCN(variant.classes, variant.layout, **variant.options)


def rows() -> list[dict[str, str | int | float]]:
    """One row per variant: its switches, parameters and GMACs per clip of two entities."""
    made: list[dict[str, str | int | float]] = []
    for variant in VARIANTS:
        counted = cost(build(variant), variant.frames)
        made.append(
            {
                "model": variant.name,
                "layout": variant.layout,
                "classes": variant.classes,
                "frames": variant.frames,
                "parameters": counted.parameters,
                "GMACs": round(counted.products / 1e9, 3),
                "GMACs as published": round(counted.reference_products / 1e9, 3),
            }
        )
    return made
