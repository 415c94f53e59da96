"""Boxes whose last pixel is included, against counting pixels."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.ops import box_iou

from interplay.graph.boxes import areas, half_open, intersections, iou_matrix, union_boxes


def whole_boxes(count: int, seed: int) -> torch.Tensor:
    random = np.random.default_rng(seed)
    low = random.integers(0, 20, (count, 2))
    return torch.from_numpy(np.concatenate([low, low + random.integers(0, 12, (count, 2))], axis=1)).float()


def painted(box: torch.Tensor) -> np.ndarray:
    canvas = np.zeros((40, 40), bool)
    x1, y1, x2, y2 = (int(value) for value in box)
    canvas[y1 : y2 + 1, x1 : x2 + 1] = True
    return canvas


def test_against_painted_pixels() -> None:
    first, second = whole_boxes(12, 0), whole_boxes(9, 1)
    for i, a in enumerate(first):
        assert float(areas(first)[i]) == painted(a).sum()
        for j, b in enumerate(second):
            shared, union = (painted(a) & painted(b)).sum(), (painted(a) | painted(b)).sum()
            assert float(intersections(first, second)[i, j]) == shared
            np.testing.assert_allclose(float(iou_matrix(first, second)[i, j]), shared / union, rtol=1e-6)


def test_half_open_boxes_have_the_same_overlaps() -> None:
    boxes = whole_boxes(20, 2)
    torch.testing.assert_close(box_iou(half_open(boxes), half_open(boxes)), iou_matrix(boxes, boxes))


def test_union() -> None:
    first, second = torch.tensor([[0.0, 5, 3, 9]]), torch.tensor([[2.0, 1, 8, 6]])
    assert union_boxes(first, second).tolist() == [[0, 1, 8, 9]]


def test_touching_boxes_share_a_pixel() -> None:
    boxes = torch.tensor([[0.0, 0, 4, 4], [4, 4, 8, 8], [5, 5, 8, 8], [5.5, 5.5, 8, 8]])
    assert intersections(boxes[:1], boxes)[0].tolist() == [25, 1, 0, 0]
    assert intersections(boxes[:1], torch.tensor([[4.5, 4.5, 8, 8]]))[0].tolist() == [0.25]
