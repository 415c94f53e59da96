"""Which class each entity ends up with after a head has looked again (spec A.9, L.2)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from interplay.scene.structures import Entities


def best_labels(logits: Float[Tensor, "entity class"]) -> Int[Tensor, " entity"]:
    """The best class that is not background (index 0)."""
    return logits[:, 1:].argmax(dim=1) + 1


def greedy_labels(
    probabilities: Float[Tensor, "n class"], boxes_per_class: Float[Tensor, "n class 4"], threshold: float
) -> Int[Tensor, " n"]:
    """Labels of one image by non-maximum suppression per class over all boxes and classes together.

    Repeat: take the largest probability left (the first in row-major order on ties), give its box that class, strike
    out the box, and strike out the class for every box whose own box of that class has IoU ≥ ``threshold`` with it.
    A box whose best class was struck out falls back on its next best.

    Where we differ: the public code has two loops, one keeps the first label of a box and one the last, and both go
    on picking once nothing is left. We assign once and stop; a box for which everything was struck out keeps label 0
    (background). The three agree wherever that does not happen.

    Args:
        probabilities: (N, O) after softmax; the background column is ignored.
        boxes_per_class: (N, O, 4) regressed box of each class, last pixel included.
        threshold: IoU from which on two boxes of a class are one entity.

    Returns:
        (N,) int64 in 0..O−1.
    """
    left = probabilities.detach().to("cpu", torch.float32).numpy().copy()
    boxes = boxes_per_class.detach().to("cpu", torch.float32).numpy()
    left[:, 0] = 0.0
    labels = np.zeros(len(left), dtype=np.int64)
    for _ in range(len(left)):
        box, label = divmod(int(left.argmax()), left.shape[1])
        if left[box, label] <= 0.0:
            break
        labels[box] = label
        left[_iou_with(boxes[:, label], box) >= threshold, label] = 0.0
        left[box] = 0.0
    return torch.from_numpy(labels).to(probabilities.device)


def refined_labels(
    logits: Float[Tensor, "entity class"], entities: Entities, threshold: float = 0.5
) -> Int[Tensor, " entity"]:
    """:func:`greedy_labels` image by image where entities carry a box per class (SGGen), else :func:`best_labels`."""
    if entities.boxes_per_class is None:
        return best_labels(logits)
    probabilities, boxes, counts = torch.softmax(logits, dim=1), entities.boxes_per_class, list(entities.counts)
    images = zip(torch.split(probabilities, counts), torch.split(boxes, counts), strict=True)
    return torch.cat([greedy_labels(one, its_boxes, threshold) for one, its_boxes in images])


def _iou_with(boxes: NDArray[np.float32], chosen: int) -> NDArray[np.float32]:
    """(N,) IoU of one box with all, last pixel included."""
    low = np.maximum(boxes[:, :2], boxes[chosen, :2])
    high = np.minimum(boxes[:, 2:], boxes[chosen, 2:])
    shared = np.clip(high - low + 1, 0, None).prod(axis=1)
    area = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)
    found: NDArray[np.float32] = shared / (area + area[chosen] - shared)
    return found
