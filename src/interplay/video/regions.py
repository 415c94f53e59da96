"""RoIAlign with averaged bins as one matrix product, and the positions of boxes (agos.md §3)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Kernel = Literal["standard", "legacy"]
Extent = tuple[float, float]
BINS = 7
SAMPLES = 2
"""Bins per axis, and samples per bin and axis of the standard kernel."""


def axis_weights(
    low: Float[Tensor, "*box"], high: Float[Tensor, "*box"], cells: int, kernel: Kernel = "standard"
) -> Float[Tensor, "*box bin cell"]:
    """Share of each cell of an axis in each bin, for boxes from ``low`` to ``high`` in cells of the map.

    ``standard``: RoIAlign (Mask R-CNN), aligned: two bilinear samples per bin on an axis whose first cell is centred at
    0.5; samples more than a cell outside count 0, nearer ones are moved to the border.

    ``legacy`` (the release's kernel, A34): one bilinear sample per bin on an inclusive grid of seven from ``low`` to
    ``high + 1``, on an axis whose first cell is centred at 0; samples outside [0, cells) count 0, and those behind the
    last centre continue the line through the last two.
    """
    if kernel == "standard":
        inside = (torch.arange(BINS * SAMPLES, device=low.device, dtype=low.dtype) + 0.5) / (BINS * SAMPLES)
        at = low[..., None] - 0.5 + (high - low)[..., None] * inside
        used = (at >= -1) & (at <= cells)
        at = at.clamp(0, cells - 1)
        # a hat function of width 1 around each cell is what bilinear interpolation takes of it
        hats = (1 - (at[..., None] - torch.arange(cells, device=low.device)).abs()).clamp_min(0)
        hats = hats * used[..., None]
        return hats.reshape(*low.shape, BINS, SAMPLES, cells).mean(dim=-2)
    inside = torch.arange(BINS, device=low.device, dtype=low.dtype) / (BINS - 1)
    at = low[..., None] + (high - low + 1).clamp_min(0)[..., None] * inside
    used = (at >= 0) & (at < cells)
    first = at.floor().clamp(0, max(cells - 2, 0))
    share = at - first
    place = torch.arange(cells, device=low.device)
    left = (place == first[..., None]) * (1 - share[..., None])
    right = (place == first[..., None] + 1) * share[..., None]
    return (left + right) * used[..., None]


def box_weights(
    boxes: Float[Tensor, "batch step box 4"],
    height: int,
    width: int,
    kernel: Kernel = "standard",
    extent: Extent | None = None,
) -> tuple[Float[Tensor, "batch step box 7 height"], Float[Tensor, "batch step box 7 width"]]:
    """:func:`axis_weights` of normalised boxes, downwards and across."""
    left, top, right, bottom = boxes.unbind(dim=-1)
    rows, columns = (height, width) if extent is None else extent
    return (
        axis_weights(top * rows, bottom * rows, height, kernel),
        axis_weights(left * columns, right * columns, width, kernel),
    )


def region_matrix(
    boxes: Float[Tensor, "batch step box 4"],
    grid: tuple[int, int],
    kernel: Kernel = "standard",
    extent: Extent | None = None,
) -> Float[Tensor, "batch step box cell"]:
    """P with ``nodes = P · Y``: the mean over the 7×7 bins of RoIAlign as a linear map of a frame's cells.

    Per box it is a vector of row shares times a vector of column shares, so that no special kernel is needed and
    gradients come with the product.

    Args:
        boxes: x1, y1, x2, y2, normalised to [0, 1] of the crop.
        grid: height and width of the map.
        kernel: see :func:`axis_weights`.
        extent: height and width of the crop in cells, pixels over the stride; None where the stride divides the crop.
            A map of ⌈72/16⌉ = 5 rows is 4.5 rows of the crop high.
    """
    down, across = (share.mean(dim=-2) for share in box_weights(boxes, *grid, kernel, extent))
    return (down[..., :, None] * across[..., None, :]).flatten(-2)


def pool_boxes(
    background: Float[Tensor, "batch step y x width"],
    boxes: Float[Tensor, "batch step box 4"],
    kernel: Kernel = "standard",
    pool: Literal["mean", "max"] = "mean",
    extent: Extent | None = None,
) -> Float[Tensor, "batch node width"]:
    """RoIAlign to 7×7 bins and their mean or maximum; nodes frame by frame (A4). ``extent``: :func:`region_matrix`.

    Computed in full precision also under autocast: shares of cells rounded to eight bits would move the boxes.
    """
    height, width = background.shape[2:4]
    with torch.autocast(background.device.type, enabled=False):
        wide = torch.promote_types(background.dtype, torch.float32)
        maps, boxes = background.to(wide), boxes.to(wide)
        if pool == "mean":
            shares = region_matrix(boxes, (height, width), kernel, extent)
            made = torch.matmul(shares, maps.flatten(2, 3))
        else:
            down, across = box_weights(boxes, height, width, kernel, extent)
            rows = torch.einsum("btrix,btyxc->btriyc", across, maps)
            made = torch.einsum("btrjy,btriyc->btrjic", down, rows).amax(dim=(3, 4))
        return made.flatten(1, 2)


def box_positions(
    boxes: Float[Tensor, "batch step box 4"], coordinates: Literal[3, 9] = 3
) -> Float[Tensor, "batch node coordinate"]:
    """s_i of every node: (centre x, centre y, t/T'), or the release's (x1, y1, x2, y2, centre, width, height, t/T')."""
    batch, steps, count, _ = boxes.shape
    corner, opposite = boxes[..., :2], boxes[..., 2:]
    centre = (corner + opposite) / 2
    time = (torch.arange(steps, device=boxes.device, dtype=boxes.dtype) / steps)[None, :, None, None]
    time = time.expand(batch, steps, count, 1)
    parts = (centre, time) if coordinates == 3 else (boxes, centre, opposite - corner, time)
    return torch.cat(parts, dim=-1).flatten(1, 2)
