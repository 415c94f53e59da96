"""Greedy labels against a loop over a full table of overlaps; and what happens at the edges."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from interplay.graph.boxes import iou_matrix
from interplay.scene.refinement import best_labels, greedy_labels, refined_labels
from interplay.scene.structures import Entities


def drawn(count: int, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    low = torch.rand(count, classes, 2, generator=random) * 40
    boxes = torch.cat([low, low + 5 + torch.rand(count, classes, 2, generator=random) * 30], dim=2)
    return torch.randn(count, classes, generator=random) * 2, boxes


def naive(probabilities: Tensor, boxes: Tensor, threshold: float) -> list[int]:
    left = {(b, c): float(probabilities[b, c]) for b in range(len(boxes)) for c in range(1, boxes.shape[1])}
    labels = [0] * len(boxes)
    while left:
        (box, label), _ = max(left.items(), key=lambda item: item[1])
        labels[box] = label
        overlap = iou_matrix(boxes[:, label], boxes[box : box + 1, label])[:, 0]
        left = {(b, c): p for (b, c), p in left.items() if b != box and not (c == label and overlap[b] >= threshold)}
    return labels


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("threshold", [0.1, 0.5])
def test_against_loops(seed: int, threshold: float) -> None:
    logits, boxes = drawn(15, 6, seed)
    probabilities = logits.softmax(1)
    assert greedy_labels(probabilities, boxes, threshold).tolist() == naive(probabilities, boxes, threshold)


def test_suppressed_boxes_fall_back() -> None:
    boxes = torch.tensor([[0.0, 0, 9, 9]]).expand(3, 4)[:, None].expand(3, 3, 4)
    probabilities = torch.tensor([[0.0, 0.9, 0.1], [0.0, 0.8, 0.2], [0.1, 0.5, 0.4]])
    # The second loses class 1 to the first, the third then loses class 2 to … nobody better: it takes 2, the second 0.
    assert greedy_labels(probabilities, boxes, 0.5).tolist() == [1, 0, 2]


def test_images_do_not_suppress_each_other() -> None:
    logits, boxes = drawn(9, 5, 0)
    sizes = torch.full((2, 2), 100.0)
    both = refined_labels(logits, Entities((4, 5), boxes[:, 0], sizes, logits, boxes_per_class=boxes), 0.2)
    first = greedy_labels(logits[:4].softmax(1), boxes[:4], 0.2)
    second = greedy_labels(logits[4:].softmax(1), boxes[4:], 0.2)
    assert torch.equal(both, torch.cat([first, second]))
    given = Entities((4, 5), boxes[:, 0], sizes, logits)
    assert torch.equal(refined_labels(logits, given), best_labels(logits))
    assert (best_labels(logits) > 0).all()


def test_no_boxes() -> None:
    assert greedy_labels(torch.zeros(0, 4), torch.zeros(0, 4, 4), 0.5).shape == (0,)
