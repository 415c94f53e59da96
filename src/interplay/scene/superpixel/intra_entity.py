"""Intra-entity interaction: superpixels inside a box speak to their entity, and it answers each (SIL Eqs 4–6)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

Weight = Literal["near", "far", "inverse", "softmax", "uniform"]

_NEAR_ZERO = 1e-6
"""ε, in units of D_k."""


def members(
    centres: Float[Tensor, "image centre 2"],
    boxes: Float[Tensor, "image box 4"],
    present: Bool[Tensor, "image box"],
    empty: Literal["skip", "nearest"] = "skip",
) -> Bool[Tensor, "image box centre"]:
    """m_jk: which centres lie inside which box, edges included.

    Args:
        centres: T, x and y in pixels.
        boxes: x1, y1, x2, y2 in the same pixels.
        present: False for rows that only fill the batch up.
        empty: a box without a centre stays so, or gets its nearest one.
    """
    x, y = centres[:, None, :, 0], centres[:, None, :, 1]
    x1, y1, x2, y2 = boxes[..., None].unbind(2)
    inside = (x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)
    if empty == "nearest" and boxes.shape[1]:
        nearest = torch.zeros_like(inside).scatter_(2, distances(centres, boxes).argmin(2, keepdim=True), True)
        inside = torch.where(inside.any(2, keepdim=True), inside, nearest)
    return inside & present[..., None]


def distances(
    centres: Float[Tensor, "image centre 2"], boxes: Float[Tensor, "image box 4"]
) -> Float[Tensor, "image box centre"]:
    """d_jk: Euclidean distance of every centre from the middle of every box, in pixels."""
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    length: Tensor = torch.linalg.vector_norm(centres[:, None] - middle[:, :, None], dim=-1)
    return length


def half_diagonals(boxes: Float[Tensor, "image box 4"]) -> Float[Tensor, "image box"]:
    """D_k: the largest distance possible inside the box, (√(width² + height²)) / 2; at least 1e-6 pixels."""
    diagonal: Tensor = torch.linalg.vector_norm(boxes[..., 2:] - boxes[..., :2], dim=-1)
    return (diagonal / 2).clamp_min(1e-6)


def superpixel_weights(
    distance: Float[Tensor, "image box centre"],
    inside: Bool[Tensor, "image box centre"],
    half_diagonal: Float[Tensor, "image box"],
    kind: Weight = "near",
) -> Float[Tensor, "image box centre"]:
    """w(j, k) of Eq. 5: 0 outside the box, Σ_j w(j, k) = 1 unless the box has no centre.

    With δ = d / D_k and ε = 1e-6, before the division by their sum: near 1 − δ + ε; far δ, as printed; inverse
    1 / (δ + ε); softmax exp(−δ / 0.1); uniform 1.

    Where we differ: Eq. 5 gives far superpixels the larger weight, against the paper's text ("Clusters at far distances
    have low weights"); "near" does what the text says. "far" of a box whose only centre is its own middle (0/0 as
    printed) is 1.
    """
    relative = distance / half_diagonal[..., None]
    if kind == "near":
        raw = (1 - relative).clamp_min(0) + _NEAR_ZERO
    elif kind == "far":
        raw = relative.clamp_min(torch.finfo(relative.dtype).tiny ** 0.5)
    elif kind == "inverse":
        raw = 1 / (relative + _NEAR_ZERO)
    elif kind == "softmax":
        closest = relative.masked_fill(~inside, torch.inf).amin(2, keepdim=True)
        raw = torch.exp(-(relative - torch.where(closest.isfinite(), closest, 0.0)).clamp_min(0) / 0.1)
    else:
        raw = torch.ones_like(relative)
    raw = raw * inside
    total = raw.sum(2, keepdim=True)
    return raw / torch.where(total > 0, total, 1.0)


class IntraEntityInteraction(nn.Module):
    """F^SC and boxes → F^IN.

    ::

        F^a_k  = H^a( (g_k + Σ_j w_jk F^SC_j) / (1 + Σ_j w_jk) )
        F^IN_j = F^SC_j + mean_{k: T_j ∈ b_k} w_jk F^a_k

    Args:
        width: channels of superpixels.
        reference_width: channels of g_k; a linear layer brings them to ``width`` where they differ.
        weight, denominator, form, empty, overlap, mlp: see :class:`SuperpixelSettings` (``iei_…``).

    Shapes: superpixels (B, C, width), references (B, N, reference_width) → (B, C, width).

    Where we differ: Eq. 4's denominator sums distances where its numerator sums weights, and Eq. 6 leaves open what a
    centre in several boxes gets [spec C.2 rows 6–12].
    """

    def __init__(
        self,
        width: int,
        reference_width: int | None = None,
        *,
        weight: Weight = "near",
        denominator: Literal["w", "d"] = "w",
        form: Literal["normalized", "affinity"] = "normalized",
        empty: Literal["skip", "nearest"] = "skip",
        overlap: Literal["mean", "sum"] = "mean",
        mlp: bool = False,
    ) -> None:
        super().__init__()
        given = width if reference_width is None else reference_width
        self.reference = nn.Linear(given, width) if given != width else None
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU()) if mlp else nn.Linear(width, width)
        self.weight, self.denominator, self.form = weight, denominator, form
        self.empty, self.overlap = empty, overlap

    def forward(
        self,
        superpixels: Float[Tensor, "image centre width"],
        references: Float[Tensor, "image box reference"],
        centres: Float[Tensor, "image centre 2"],
        boxes: Float[Tensor, "image box 4"],
        present: Bool[Tensor, "image box"],
        sizes: Float[Tensor, "image 2"],
    ) -> Float[Tensor, "image centre width"]:
        """Let entities and their superpixels interact.

        Args:
            superpixels: F^SC.
            references: g.
            centres, boxes: in pixels of the resized pictures.
            present: False for rows that only fill the batch up.
            sizes: height and width of the pictures, for ``denominator`` "d".
        """
        if not boxes.shape[1]:
            return superpixels
        inside = members(centres, boxes, present, self.empty)
        distance, half_diagonal = distances(centres, boxes), half_diagonals(boxes)
        weights = superpixel_weights(distance, inside, half_diagonal, self.weight)
        gather = weights
        if self.form == "affinity":
            gather = (1 - distance / half_diagonal[..., None]).clamp_min(0) * inside
        if self.denominator == "d":
            diagonal = torch.linalg.vector_norm(sizes, dim=1)[:, None]
            denominator = 1 + (distance * inside).sum(2) / diagonal
        else:
            denominator = 1 + gather.sum(2)
        given = references if self.reference is None else self.reference(references)
        entities = self.transform((given + torch.bmm(gather, superpixels.to(gather.dtype))) / denominator[..., None])
        received = torch.bmm(weights.mT, entities.to(weights.dtype))
        if self.overlap == "mean":
            received = received / inside.sum(1).clamp_min(1)[..., None]
        return superpixels + received
