"""Every decision that the paper leaves open in the SIL block, as plain values with the documented default."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

PRESETS: dict[str, dict[str, Any]] = {
    "full": {},
    "reduced": {"heads": 4, "mlp_hidden": 256},
    "sc": {"iei": False, "cei_layers": 0},
    "sc_iei": {"cei_layers": 0},
    "sc_cei": {"iei": False},
    "sc_iei_unweighted_cei": {"iei_weight": "uniform"},
}
"""The paper's full model; the block of its Figs 3 and 4; the rows of its Table 4 between the first and the last."""


@dataclass(frozen=True)
class SuperpixelSettings:
    """What a :class:`~interplay.scene.superpixel.block.SuperpixelInteraction` does.

    Numbers in brackets are rows of the ambiguity table in ``docs/sil.md``.

    Args:
        on: "features": the maps of a feature pyramid; "image": one map of stride 1, the picture itself [18]. In a
            scene-graph model the frozen backbone then looks at the changed picture once more.
        levels: pyramid levels that get a block; level l has stride 2^l [19].
        blocks_per_level: blocks in sequence on one level [19].
        share: one block, or one sequence, for all levels [19].
        coupling: what is added to a level before it is clustered, not to what it passes on: nothing, the output of the
            next coarser level enlarged ("top_down"), or that of the next finer one reduced ("bottom_up") [19].
        per_image: cluster the valid region of each picture; otherwise the padded map [22].
        clusters: C, a square number: 4, 9, 25, 49 or 81 in the paper's Fig. 3.
        centers: how a centre's first feature is pooled [1]: over its cell of an even grid ("adaptive"), or over the
            ``neighbours`` points nearest to it ("knn").
        neighbours: n_k of "knn"; None: as many as a cell has.
        fold: windows per side that are clustered apart, C centres in each; one number for all levels or one for each
            [19].
        sim: "sigmoid" σ(β + α cos), or "cosine" max(cos, 0) [2].
        heads: E, clusterings side by side; each head has ``head_dim`` channels [3, 4].
        head_dim: None: channels / heads; 32 on the picture.
        prenorm: GroupNorm of one group before the projections, not on the residual path [17].
        positions: append (x, y) in [−½, ½] to what is projected, as Context-Cluster does with pictures.
        mlp_hidden: width inside H' [5].
        iei: intra-entity interaction; without it F^IN = F^SC.
        iei_weight: w(j, k) from the distance of centre and box centre [7]; "far" is Eq. 5 as printed, "uniform" the
            paper's unweighted ablation.
        iei_denominator: of Eq. 4 [6]: 1 + Σ w, or 1 + Σ d as printed with d in units of the picture's diagonal.
        iei_form: Eq. 4 with normalised weights, or with the affinity 1 − d/D_k in their place [7b].
        iei_empty: a box without a centre: left out, or given the nearest centre [9].
        iei_overlap: a centre in several boxes gets the mean or the sum of what they send [10].
        iei_mlp: H^a is Linear, GELU instead of Linear [12].
        gk: reference feature of a box [11]: mean of its RoIAlign on the input, or features handed to the block.
        gk_level: "assigned": RoIAlign on the level that the box's area chooses; "same": on the block's own level.
        gk_width: width of the features handed to the block where ``gk`` is "fc7"; a scene-graph model hands in its
            detector's fc7 and takes the width from there.
        cei_layers: layers of the encoder; 0: F^CR = F^IN.
        cei_heads: its attention heads [13].
        cei_ffn: its feed-forward width [13].
        cei_dropout: its dropout.
        cei_norm_first: normalise before each sublayer instead of after [13].
        cei_pos: add Linear(2, width) of the centres' coordinates to the tokens [14].
        dispatch: H'' before the features go back to the points ("pre"), or as a 1×1 projection afterwards [15].
        layer_scale_init: γ of the dispatched term at the start; None: no γ, Eq. 9 as printed [16].
        assignment: training uses gather and scatter ("scatter", memory heads·M·d) or a masked dense matrix ("dense",
            memory heads·C·M, deterministic on every device). The values and gradients are the same.
    """

    on: Literal["features", "image"] = "features"
    levels: Sequence[int] = (2, 3, 4, 5)
    blocks_per_level: int = 1
    share: bool = False
    coupling: Literal["none", "top_down", "bottom_up"] = "none"
    per_image: bool = True
    clusters: int = 49
    centers: Literal["adaptive", "knn"] = "adaptive"
    neighbours: int | None = None
    fold: int | Sequence[int] = 1
    sim: Literal["sigmoid", "cosine"] = "sigmoid"
    heads: int = 8
    head_dim: int | None = None
    prenorm: bool = True
    positions: bool = False
    mlp_hidden: int = 1024
    iei: bool = True
    iei_weight: Literal["near", "far", "inverse", "softmax", "uniform"] = "near"
    iei_denominator: Literal["w", "d"] = "w"
    iei_form: Literal["normalized", "affinity"] = "normalized"
    iei_empty: Literal["skip", "nearest"] = "skip"
    iei_overlap: Literal["mean", "sum"] = "mean"
    iei_mlp: bool = False
    gk: Literal["roi_avg", "fc7"] = "roi_avg"
    gk_level: Literal["assigned", "same"] = "assigned"
    gk_width: int = 4096
    cei_layers: int = 2
    cei_heads: int = 8
    cei_ffn: int = 1024
    cei_dropout: float = 0.1
    cei_norm_first: bool = False
    cei_pos: bool = False
    dispatch: Literal["pre", "post"] = "pre"
    layer_scale_init: float | None = 0.01
    assignment: Literal["scatter", "dense"] = "scatter"

    def __post_init__(self) -> None:
        _require(math.isqrt(max(self.clusters, 0)) ** 2 == self.clusters > 0, "clusters", self.clusters, "a square > 0")
        for name in ("blocks_per_level", "heads", "mlp_hidden", "gk_width", "cei_heads", "cei_ffn"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "a number ≥ 1")
        _require(self.cei_layers >= 0, "cei_layers", self.cei_layers, "a number ≥ 0")
        _require(0 <= self.cei_dropout < 1, "cei_dropout", self.cei_dropout, "a number in [0, 1)")
        _require(self.neighbours is None or self.neighbours >= 1, "neighbours", self.neighbours, "a number ≥ 1 or none")
        _require(self.head_dim is None or self.head_dim >= 1, "head_dim", self.head_dim, "a number ≥ 1 or none")
        levels = list(self.levels)
        _require(bool(levels) and sorted(set(levels)) == levels, "levels", levels, "rising numbers, at least one")
        _require(len(self.folds) == len(self.chosen_levels), "fold", self.fold, "one number, or one for each level")
        _require(min(self.folds) >= 1, "fold", self.fold, "numbers ≥ 1")

    @property
    def side(self) -> int:
        """Centres along each side: √C."""
        return math.isqrt(self.clusters)

    @property
    def chosen_levels(self) -> tuple[int, ...]:
        """``levels``; level 0 where the block works on the picture."""
        return (0,) if self.on == "image" else tuple(self.levels)

    @property
    def folds(self) -> tuple[int, ...]:
        """Windows per side of each chosen level."""
        if isinstance(self.fold, int):
            return (self.fold,) * len(self.chosen_levels)
        return tuple(self.fold)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> SuperpixelSettings:
        """Settings of the paper's full model, of its reduced one (Figs 3 and 4), or of a row of its Table 4."""
        if name not in PRESETS:
            raise ValueError(f"preset: found {name!r}, expected one of {', '.join(PRESETS)}")
        return replace(cls(**PRESETS[name]), **changes)


def _require(good: bool, key: str, found: object, expected: str) -> None:
    if not good:
        raise ValueError(f"SuperpixelSettings.{key}: found {found}, expected {expected}")
