"""What a recipe says about the video model: plain values, checked before anything heavy is imported.

The rows of the ambiguity register (agos.md §13) that have more than one reading are options here, each with the
documented default. ``PRESETS["release"]`` holds the readings of the authors' release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from interplay.training.settings import require, require_choices

Graph = Literal[
    "agos",
    "global_pooling",
    "roi_pooling",
    "feature_aggregation",
    "difference_propagation",
    "temporal_convolution",
    "background_incorporation",
    "node_attention",
]
Space = Literal["fixed", "original", "parallel"]
Similarity = Literal["cosine", "inner_product"]
TemporalKernels = Literal["all", "nonlocal", "alternate", "none"]


@dataclass(frozen=True)
class BackboneSettings:
    """The inflated ResNet (agos.md §1; supplement, Table 3).

    Args:
        width: of the first convolution; stage k has bottlenecks of width·2^(k−1) and four times as many outputs.
        blocks: bottlenecks per stage, one to four stages; (3, 4, 6, 3) is ResNet-50.
        strides: of height and width at the start of each stage, after the stem's 4 (see ``stem_strides``).
        stem_strides: of height and width in the first convolution and in the pooling after it.
        temporal_kernels: blocks with a 3×1×1 kernel (A1): "all" (paper and release), "nonlocal" (as placed in NL-I3D),
            "alternate" (every other block), "none".
        stride_in: which kernel of a bottleneck carries the stride (A2): "spatial" (1×3×3) or "temporal" (3×1×1).
        inflate: how 2-D weights become 3-D (A32): "centre" (middle time plane, others zero; release) or "mean".
        weights: a torchvision ResNet-50 by the name of its weights ("IMAGENET1K_V1") or the path of a state dict
            (.pth, .safetensors); None starts at random.
        fixed_layers: what stays as it is in stages 2 and 3 (A3): 0 the stem, k also the first k stages, the number of
            stages or more everything. What does not trains with the operations. Stages 1 and 4 have a key of their
            own.
        train_norms: batch norms of the parts that train in stages 2 to 4 use and update batch statistics; False keeps
            them in evaluation mode (A3).
        checkpointing: forget the insides of each block and compute them again in the backward pass.
        channels_last: keep the maps with channels last in memory.
    """

    width: int = 64
    blocks: Sequence[int] = (3, 4, 6, 3)
    strides: Sequence[int] = (1, 2, 2, 2)
    stem_strides: Sequence[int] = (2, 2)
    temporal_kernels: TemporalKernels = "all"
    stride_in: Literal["spatial", "temporal"] = "spatial"
    inflate: Literal["centre", "mean"] = "centre"
    weights: str | None = None
    fixed_layers: int = 4
    train_norms: bool = False
    checkpointing: bool = False
    channels_last: bool = True

    def __post_init__(self) -> None:
        require_choices(self, "backbone")
        require(self.width >= 1, "backbone.width", self.width, "at least 1")
        blocks, strides = list(self.blocks), list(self.strides)
        require(1 <= len(blocks) <= 4 and min(blocks) >= 1, "backbone.blocks", blocks, "one to four numbers ≥ 1")
        good = len(strides) >= len(blocks) and min(strides) >= 1
        require(good, "backbone.strides", strides, f"a number ≥ 1 for each of the {len(blocks)} stages")
        stem = list(self.stem_strides)
        require(len(stem) == 2 and min(stem) >= 1, "backbone.stem_strides", stem, "two numbers ≥ 1")
        require(0 <= self.fixed_layers <= 4, "backbone.fixed_layers", self.fixed_layers, "0 to 4")

    @property
    def fixed(self) -> bool:
        """All of it stays as it is in stages 2 and 3."""
        return self.fixed_layers >= len(self.blocks)

    @property
    def channels(self) -> int:
        """Of the last map: 2048 for ResNet-50."""
        return int(self.width * 4 * 2 ** (len(self.blocks) - 1))

    @property
    def stride(self) -> int:
        """Pixels per cell of the last map: 32 for ResNet-50."""
        made = int(self.stem_strides[0]) * int(self.stem_strides[1])
        for stride in self.strides[: len(self.blocks)]:
            made *= int(stride)
        return made


@dataclass(frozen=True)
class VideoSettings:
    """What stands between the backbone's map and the answer.

    Args:
        graph: "agos", or a baseline: "global_pooling", "roi_pooling" (Table 1), or one operation by name (Table 2).
        space: candidates on a superedge, each time with zero and identity: "fixed" (the substructures), "original"
            (the operations; supplement, Table 4), or "parallel" (two operations side by side; in the release, unused).
        supernodes: intermediate supernodes of a cell, 2 to 4 (supplement 3.4).
        cells: cells one after the other with the same structure and weights of their own (A24; supplement 3.5).
        adaptive: structure weights are computed from the clip (Eq. 12); False: the same for all clips (Table 1).
        width: C, of nodes and background map.
        fc_act: LeakyReLU after the layer that makes the map (A4).
        input_ln: LayerNorm on nodes and background (A5).
        roi: kernel of RoIAlign (A34): "standard" (two samples per bin and axis, aligned) or "legacy" (release).
        roi_pool: how a box's 7×7 bins become one feature (A4).
        roi_nodes: what the graph "roi_pooling" pools over boxes (A25): the "narrowed" map of all other graphs, or the
            "backbone" map itself, which its classifier then reads.
        similarity: of the affinities (A5): "cosine" (softmax of 5·x̂ᵀUx̂) or "inner_product" (of xᵀUx/√C).
        scale: the 5 of the former.
        u: "full", or "diagonal": only the diagonal of the stored matrix acts (A13; release).
        u_start: U begins as the "identity" or "kaiming"-normal (A13).
        u_bias: of U (A13): (U x̂_i + b)ᵀx̂_j.
        bias: of W, V and the temporal kernel (A13).
        slope: of LeakyReLU (A14).
        dp_diagonal: own node in difference propagation (A6): "masked" and rows renormalised, or "kept".
        tc_nearest: by which product the nearest node of a frame is found (A7).
        tc_u: a matrix U in that product, which never receives a gradient (release; implies ``u``'s reading of it).
        tc_convolution: "depthwise" or "dense" (A8).
        tc_kernel: frames under the kernel.
        tc_out: "mean" of the normalised outputs over time or the output at the node's "own_frame" (A8).
        tc_padding: "none", or "zero" in time (A9); own_frame pads anyway.
        bi_rel: what V sees (A10): "raw" affinities or their "softmax".
        na: node attention (A11): "top" (the M most similar others and differences in position; paper) or "all"
            (cosines to all nodes in order and the own nine position numbers; release).
        na_neighbours: M.
        na_self: a node may be among its own M most similar ones (A11).
        na_activation: δ behind node attention (A12).
        na_similarity: "cosine" or "inner_product" (A11).
        share_fa: the substructures of a superedge share feature aggregation and node attention.
        identity_dropout: behind identity during the search (A15).
        alpha_in: what structure weights are computed from (A16): "backbone" (the pooled map) or "map" (mean of the
            C-wide map, with a bias; release).
        exclude_zero: zero cannot be the strongest operation (A30).
        var_on: the variance loss sees "raw" structure weights or their "softmax" over operations (A17).
        var_of: "all" candidates, or the "operations" without zero and identity (A17).
        var_over: variance per "clip", or of the mean over the "batch" (A17).
        cat_global: the mean of the background map joins the pooled nodes (A22; release).
        dropout: in front of the classifier.
    """

    graph: Graph = "agos"
    space: Space = "fixed"
    supernodes: int = 3
    cells: int = 1
    adaptive: bool = True
    width: int = 256
    fc_act: bool = True
    input_ln: bool = False
    roi: Literal["standard", "legacy"] = "standard"
    roi_pool: Literal["mean", "max"] = "mean"
    roi_nodes: Literal["narrowed", "backbone"] = "narrowed"
    similarity: Similarity = "cosine"
    scale: float = 5.0
    u: Literal["full", "diagonal"] = "full"
    u_start: Literal["identity", "kaiming"] = "identity"
    u_bias: bool = False
    bias: bool = True
    slope: float = 0.01
    dp_diagonal: Literal["masked", "kept"] = "masked"
    tc_nearest: Similarity = "cosine"
    tc_u: bool = False
    tc_convolution: Literal["depthwise", "dense"] = "depthwise"
    tc_kernel: int = 7
    tc_out: Literal["mean", "own_frame"] = "mean"
    tc_padding: Literal["none", "zero"] = "none"
    bi_rel: Literal["raw", "softmax"] = "raw"
    na: Literal["top", "all"] = "top"
    na_neighbours: int = 16
    na_self: bool = False
    na_activation: bool = False
    na_similarity: Similarity = "cosine"
    share_fa: bool = False
    identity_dropout: float = 0.5
    alpha_in: Literal["backbone", "map"] = "backbone"
    exclude_zero: bool = False
    var_on: Literal["raw", "softmax"] = "raw"
    var_of: Literal["all", "operations"] = "all"
    var_over: Literal["clip", "batch"] = "clip"
    cat_global: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        require_choices(self, "model")
        require(2 <= self.supernodes <= 4, "model.supernodes", self.supernodes, "2 to 4")
        for key in ("cells", "width", "tc_kernel", "na_neighbours"):
            require(getattr(self, key) >= 1, f"model.{key}", getattr(self, key), "at least 1")
        require(self.tc_kernel % 2 == 1, "model.tc_kernel", self.tc_kernel, "an odd number")
        require(self.scale > 0, "model.scale", self.scale, "a positive number")
        for key in ("identity_dropout", "dropout"):
            require(0 <= getattr(self, key) < 1, f"model.{key}", getattr(self, key), "a number in [0, 1)")
        good = self.narrows or not self.cat_global or self.graph == "global_pooling"
        require(
            good, "model.cat_global", self.cat_global, "false, as with roi_nodes 'backbone' there is no narrowed map"
        )

    @property
    def narrows(self) -> bool:
        """Whether there is a C-wide map: not where the backbone's own is pooled."""
        return self.graph != "global_pooling" and (self.graph, self.roi_nodes) != ("roi_pooling", "backbone")

    @property
    def coordinates(self) -> int:
        """Position numbers per node: 3 (centre and time) or the release's 9 (corners, centre, size, time)."""
        return 3 if self.na == "top" else 9


Preset = Literal["default", "release"]
PRESETS: Mapping[Preset, Mapping[str, Any]] = {
    "default": {},
    "release": {
        "u": "diagonal",
        "tc_u": True,
        "na": "all",
        "alpha_in": "map",
        "cat_global": True,
        "var_on": "softmax",
    },
}
"""Keys that differ from the defaults. The release's RoI kernel and frame sampler belong to the data's side (§10)."""


def preset(name: Preset, **changes: Any) -> VideoSettings:
    """Settings of a preset with changes; ``model.preset`` in a recipe.

    Raises:
        InterplayError: no such preset.
    """
    require(name in PRESETS, "model.preset", repr(name), f"one of {', '.join(PRESETS)}")
    return VideoSettings(**{**PRESETS[name], **changes})
