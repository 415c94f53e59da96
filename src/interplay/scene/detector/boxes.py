"""Anchors, regression targets, matching and suppression, in either of the two numerics."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchvision.ops import box_iou, nms

from interplay.graph.boxes import half_open, iou_matrix
from interplay.scene.detector.settings import MAX_LOG_GROWTH, STRIDES, DetectorSettings

IGNORED, BELOW = -2, -1
"""What :func:`match` returns for boxes between the thresholds, and for those below both."""


def cell_anchors(settings: DetectorSettings) -> list[Float[Tensor, "anchor 4"]]:
    """Anchors of the first cell of P2…P6.

    Legacy: a square of one stride is given each ratio with sides rounded to whole pixels, and then enlarged to the
    level's size about the centre of the cell's pixels. torchvision: sides from size and ratio about 0, corners rounded.
    """
    made = []
    for stride, size in zip(STRIDES, settings.anchor_sizes, strict=True):
        ratios = np.array(settings.anchor_ratios)
        if settings.numerics == "legacy":
            widths = np.round(np.sqrt(stride * stride / ratios))
            sides = np.stack([widths, np.round(widths * ratios)], axis=1) * (size / stride)
            centre = (stride - 1) / 2
            corners = np.concatenate([centre - (sides - 1) / 2, centre + (sides - 1) / 2], axis=1)
            made.append(torch.from_numpy(corners.astype(np.float32)))
        else:
            root = torch.sqrt(torch.tensor(settings.anchor_ratios))
            half = torch.stack([size / root, size * root], dim=1) / 2
            made.append(torch.cat([-half, half], dim=1).round())
    return made


def grid(anchors: Float[Tensor, "anchor 4"], height: int, width: int, stride: tuple[int, int]) -> Float[Tensor, "n 4"]:
    """Anchors of every cell, row by row, cell by cell: (height · width · anchors, 4). ``stride``: down, across."""
    y = torch.arange(height, device=anchors.device) * stride[0]
    x = torch.arange(width, device=anchors.device) * stride[1]
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    shift = torch.stack([columns, rows, columns, rows], dim=-1).to(anchors.dtype)
    return (shift[:, :, None] + anchors).reshape(-1, 4)


def encode(
    truth: Float[Tensor, "n 4"], boxes: Float[Tensor, "n 4"], weights: tuple[float, ...], last_pixel: int
) -> Float[Tensor, "n 4"]:
    """(w_x (X − x)/w, w_y (Y − y)/h, w_w log W/w, w_h log H/h): what turns ``boxes`` into ``truth``."""
    centre, sides = _centre_sides(boxes, last_pixel)
    wanted_centre, wanted_sides = _centre_sides(truth, last_pixel)
    found = torch.cat([(wanted_centre - centre) / sides, torch.log(wanted_sides / sides)], dim=1)
    return found * found.new_tensor(weights)


def decode(
    deltas: Float[Tensor, "n *class 4"], boxes: Float[Tensor, "n 4"], weights: tuple[float, ...], last_pixel: int
) -> Float[Tensor, "n *class 4"]:
    """The inverse of :func:`encode`, for one or several regressions per box."""
    centre, sides = _centre_sides(boxes, last_pixel)
    if deltas.ndim == 3:
        centre, sides = centre[:, None], sides[:, None]
    deltas = deltas / deltas.new_tensor(weights)
    centre = deltas[..., :2] * sides + centre
    half = torch.exp(deltas[..., 2:].clamp_max(MAX_LOG_GROWTH)) * sides * 0.5
    return torch.cat([centre - half, centre + half - last_pixel], dim=-1)


def overlaps(first: Float[Tensor, "n 4"], second: Float[Tensor, "m 4"], last_pixel: int) -> Float[Tensor, "n m"]:
    """IoU of each with each."""
    found: Tensor = iou_matrix(first, second) if last_pixel else box_iou(first, second)
    return found


def clip(boxes: Float[Tensor, "n *class 4"], size: Float[Tensor, " 2"], last_pixel: int) -> Float[Tensor, "n *class 4"]:
    """Corners moved into a picture of ``size`` = (width, height)."""
    return boxes.clamp_min(0).minimum((size - last_pixel).repeat(2).to(boxes.dtype))


def suppress(
    boxes: Float[Tensor, "n 4"],
    scores: Float[Tensor, " n"],
    group: Int[Tensor, " n"],
    threshold: float,
    last_pixel: int,
    per_group: int | None = None,
) -> Int[Tensor, " kept"]:
    """Non-maximum suppression within each group: rows that stay, best score first, at most ``per_group`` of each.

    Not torchvision's ``batched_nms``, which moves groups apart by adding to coordinates and so rounds them.
    """
    boxes, kept = half_open(boxes) if last_pixel else boxes, []
    for one in sorted(set(group.tolist())):
        rows = (group == one).nonzero()[:, 0]
        kept.append(rows[nms(boxes[rows], scores[rows], threshold)[:per_group]])
    if not kept:
        return group.new_zeros(0)
    rows = torch.cat(kept)
    return rows[scores[rows].argsort(descending=True, stable=True)]


def match(
    iou: Float[Tensor, "truth n"], high: float, low: float, best_of_each_truth: bool = False
) -> Int[Tensor, " n"]:
    """Row of the truth that each box stands for, :data:`BELOW` if IoU < ``low``, :data:`IGNORED` in between.

    Args:
        best_of_each_truth: also match every box that no other box surpasses for some truth, however low its IoU.
    """
    if iou.shape[0] == 0:
        return torch.full((iou.shape[1],), BELOW, dtype=torch.int64, device=iou.device)
    best, truth = iou.max(dim=0)
    found = torch.where(best < low, BELOW, torch.where(best < high, IGNORED, truth))
    if best_of_each_truth:
        surpassed_by_none = (iou == iou.max(dim=1, keepdim=True).values).any(dim=0)
        found = torch.where(surpassed_by_none, truth, found)
    return found


def sample(
    matched: Int[Tensor, " n"], amount: int, positive: float, generator: torch.Generator | None = None
) -> tuple[Int[Tensor, " p"], Int[Tensor, " q"]]:
    """Rows of positive and of background boxes: at most ``amount · positive`` of the former, the latter fill up."""
    chosen = _drawn((matched >= 0).nonzero()[:, 0], int(amount * positive), generator)
    return chosen, _drawn((matched == BELOW).nonzero()[:, 0], amount - len(chosen), generator)


def _drawn(rows: Int[Tensor, " n"], most: int, generator: torch.Generator | None) -> Int[Tensor, " kept"]:
    return rows[torch.randperm(len(rows), generator=generator)[:most].to(rows.device)]


def _centre_sides(boxes: Float[Tensor, "n 4"], last_pixel: int) -> tuple[Tensor, Tensor]:
    sides = boxes[:, 2:] - boxes[:, :2] + last_pixel
    return boxes[:, :2] + 0.5 * sides, sides
