"""Numbers that say where entities lie: alone, in pairs, and as masks (spec A.3, A.8, L.3).

Boxes are x1, y1, x2, y2 in pixels of the resized picture, last pixel included; ``sizes`` is the width and height of
the picture that each row belongs to, ``entities.sizes[entities.image]``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional

from interplay.graph.boxes import areas, intersections, union_boxes
from interplay.scene.structures import owners

AREA_UNIT = 1024.0**2
"""Square pixels in which :func:`overlap_info` counts areas."""
MASK_SIDE = 27
"""Cells of a mask's side: two convolutions of :class:`interplay.scene.features.RectangleEncoder` turn 27 into 7."""


def sides_and_centres(boxes: Float[Tensor, "n 4"]) -> tuple[Float[Tensor, "n 2"], Float[Tensor, "n 2"]]:
    """(w, h) with + 1, and the centre x1 + w/2, y1 + h/2 (half a pixel right of the middle of the corners)."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    return sides, boxes[:, :2] + sides / 2


def encode_boxes(boxes: Float[Tensor, "n 4"], sizes: Float[Tensor, "n 2"]) -> Float[Tensor, "n 9"]:
    """w/W, h/H, cx/W, cy/H, x1/W, y1/H, x2/W, y2/H, wh/(WH)."""
    sides, centres = sides_and_centres(boxes)
    relative = sides / sizes
    parts = [relative, centres / sizes, boxes[:, :2] / sizes, boxes[:, 2:] / sizes, relative.prod(1, keepdim=True)]
    return torch.cat(parts, dim=1)


def box_info(boxes: Float[Tensor, "n 4"], sizes: Float[Tensor, "n 2"]) -> Float[Tensor, "n 8"]:
    """x1, y1, x2, y2, cx, cy, w, h, each divided by max(W, H, 100)."""
    return _corners_centre_sides(boxes) / _longest(sizes)


def pair_info(
    boxes: Float[Tensor, "n 4"], index: Int[Tensor, "pair 2"], sizes: Float[Tensor, "n 2"]
) -> Float[Tensor, "pair 32"]:
    """:func:`box_info` of subject, object, their union and their intersection, 8 numbers each.

    Union and intersection start from corners that are already divided by max(W, H, 100), yet their w and h still
    get + 1 and their centre + ½, as in the public code. An intersection with x2 < x1 or y2 < y1 is all zero.
    """
    single, scaled = box_info(boxes, sizes), boxes / _longest(sizes)
    first, second = scaled[index[:, 0]], scaled[index[:, 1]]
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    shared = _corners_centre_sides(torch.cat([low, high], dim=1)) * (high >= low).all(dim=1, keepdim=True)
    union = _corners_centre_sides(union_boxes(first, second))
    return torch.cat([single[index[:, 0]], single[index[:, 1]], union, shared], dim=1)


def overlap_info(boxes: Float[Tensor, "n 4"], counts: Sequence[int]) -> Float[Tensor, "n 6"]:
    """How much each box overlaps those of its own image, itself included (VCTree).

    Number of overlapping boxes, Σ intersection / 1024², Σ IoU, second / first, third / first, own area / 1024².
    Intersections and IoU count the last pixel, the area in the last column does not (as in the public code).

    Args:
        counts: boxes of each image.
    """
    image = owners(counts, boxes.device)
    shared = intersections(boxes, boxes) * (image[:, None] == image[None, :])
    total = areas(boxes)
    iou = shared / (total[:, None] + total[None, :] - shared + 1e-9)
    amount = (shared > 0).to(boxes.dtype).sum(1)
    shared_sum, iou_sum = shared.sum(1) / AREA_UNIT, iou.sum(1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1) / AREA_UNIT
    columns = [amount, shared_sum, iou_sum, shared_sum / (amount + 1e-9), iou_sum / (amount + 1e-9), area]
    return torch.stack(columns, dim=1)


def two_box_masks(
    boxes: Float[Tensor, "n 4"], index: Int[Tensor, "pair 2"], sizes: Float[Tensor, "n 2"], side: int = MASK_SIDE
) -> UInt8[Tensor, "pair 2 side side"]:
    """Where subject (channel 0) and object (1) lie on a canvas of ``side`` × ``side`` cells, 0 or 1, rows = y.

    The canvas stands for the whole unpadded picture, not for the union box as in Neural Motifs. A cell is 1 where
    ⌊x1⌋ ≤ x ≤ ⌈x2⌉ and ⌊y1⌋ ≤ y ≤ ⌈y2⌉ in canvas units.
    """
    scaled = boxes * (side / sizes).repeat(1, 2)
    low, high = scaled[:, :2].floor(), scaled[:, 2:].ceil()
    cells = torch.arange(side, dtype=boxes.dtype, device=boxes.device)
    inside = (cells >= low[..., None]) & (cells <= high[..., None])  # n, (x, y), side
    masks = (inside[:, 1, :, None] & inside[:, 0, None, :]).to(torch.uint8)
    return masks[index]


class PositionEmbedding(nn.Module):
    """pos = ReLU(W₂ BN(W₁ b9 + c₁) + c₂): 9 → 32 → ``width``, of :func:`encode_boxes`.

    Where we differ: a training batch with a single box uses the running statistics, since a variance over one row
    does not exist (PyTorch refuses it).

    Args:
        width: numbers returned per box.
        momentum: of the batch norm's running statistics.

    Shapes: (N, 9) → (N, width).
    """

    def __init__(self, width: int = 128, hidden: int = 32, momentum: float = 0.001) -> None:
        super().__init__()
        self.reduce = nn.Linear(9, hidden)
        self.norm = nn.BatchNorm1d(hidden, momentum=momentum)
        self.expand = nn.Linear(hidden, width)

    def forward(self, encoded: Float[Tensor, "n 9"]) -> Float[Tensor, "n width"]:
        return functional.relu(self.expand(batch_norm(self.norm, self.reduce(encoded))))


def batch_norm(norm: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor) -> Tensor:
    """``norm(x)``; with running statistics where a training batch has fewer than two rows."""
    if norm.training and len(x) < 2:
        return functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
    result: Tensor = norm(x)
    return result


def _longest(sizes: Float[Tensor, "n 2"]) -> Float[Tensor, "n 1"]:
    return sizes.max(dim=1, keepdim=True).values.clamp_min(100.0)


def _corners_centre_sides(boxes: Float[Tensor, "n 4"]) -> Float[Tensor, "n 8"]:
    sides, centres = sides_and_centres(boxes)
    return torch.cat([boxes, centres, sides], dim=1)
