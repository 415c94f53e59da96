"""Geometry of boxes whose last pixel is included: a box from 10 to 10 is one pixel wide.

Boxes are x1, y1, x2, y2 in pixels; width = x2 − x1 + 1. Visual Genome's detectors, losses and metrics all count this
way (spec A.2, A.8), torchvision does not: :func:`half_open` turns one into the other.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def half_open(boxes: Float[Tensor, "*any 4"]) -> Float[Tensor, "*any 4"]:
    """The same boxes with x2 and y2 one pixel further: what torchvision's functions take for the same areas."""
    return boxes + boxes.new_tensor((0.0, 0.0, 1.0, 1.0))


def areas(boxes: Float[Tensor, "*any 4"]) -> Float[Tensor, "*any"]:
    """(x2 − x1 + 1)(y2 − y1 + 1), square pixels."""
    sides = boxes[..., 2:] - boxes[..., :2] + 1
    return sides[..., 0] * sides[..., 1]


def intersections(first: Float[Tensor, "n 4"], second: Float[Tensor, "m 4"]) -> Float[Tensor, "n m"]:
    """Area that each box of ``first`` shares with each of ``second``; 0 where they lie a pixel or more apart."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    sides = (high - low + 1).clamp_min(0)
    return sides[..., 0] * sides[..., 1]


def iou_matrix(first: Float[Tensor, "n 4"], second: Float[Tensor, "m 4"]) -> Float[Tensor, "n m"]:
    """Intersection over union of each box of ``first`` with each of ``second``, in [0, 1]."""
    shared = intersections(first, second)
    return shared / (areas(first)[:, None] + areas(second)[None, :] - shared)


def union_boxes(first: Float[Tensor, "n 4"], second: Float[Tensor, "n 4"]) -> Float[Tensor, "n 4"]:
    """The smallest box around both, row by row."""
    low = torch.minimum(first[:, :2], second[:, :2])
    return torch.cat([low, torch.maximum(first[:, 2:], second[:, 2:])], dim=1)
