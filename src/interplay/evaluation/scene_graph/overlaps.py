"""Overlap of pixel boxes whose last pixel is included: width = x2 − x1 + 1. float32, as the evaluators compare it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]


def iou_matrix(first: Boxes, second: Boxes) -> Boxes:
    """|A ∩ B| / |A ∪ B| of every box of one list with every box of the other.

    Shapes:
        first (N, 4), second (M, 4), result (N, M); x1, y1, x2, y2 in pixels.
    """
    one = np.float32(1)
    a, b = first.T[:, :, None], second.T[:, None, :]
    width = np.minimum(a[2], b[2])
    width -= np.maximum(a[0], b[0])
    width += one
    height = np.minimum(a[3], b[3])
    height -= np.maximum(a[1], b[1])
    height += one
    np.maximum(width, 0, out=width)
    np.maximum(height, 0, out=height)
    shared = np.multiply(width, height, out=width)
    union = (a[2] - a[0] + one) * (a[3] - a[1] + one) + (b[2] - b[0] + one) * (b[3] - b[1] + one)
    union -= shared
    # An inverted box has no area; it overlaps nothing rather than everything.
    overlap: Boxes = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlap


def union_boxes(first: Boxes, second: Boxes) -> Boxes:
    """The smallest box around both, row by row. Shapes: (N, 4), (N, 4) → (N, 4)."""
    return np.concatenate([np.minimum(first[:, :2], second[:, :2]), np.maximum(first[:, 2:], second[:, 2:])], axis=1)
