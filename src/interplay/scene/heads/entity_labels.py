"""Which class a head looks up an entity by: the true one where it may be known, else the best guess."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchvision.ops import batched_nms

from interplay.scene.refinement import best_labels
from interplay.scene.structures import Entities, Task


def known_or(guess: Int[Tensor, " entity"], entities: Entities, task: Task, training: bool) -> Int[Tensor, " entity"]:
    """True classes in training and in PredCls, the guess elsewhere and where the truth is background (spec §A.9)."""
    if entities.labels is None or not (training or task == "predcls"):
        return guess
    return torch.where(entities.labels > 0, entities.labels, guess)


def suppressed_labels(
    logits: Float[Tensor, "entity class"], entities: Entities, threshold: float = 0.3
) -> Int[Tensor, " entity"]:
    """Most probable class of 1..O−1 among those in which the entity's box survives that class's own non-maximum
    suppression (KERN, spec §A.9 and §B.3; IoU with +1).

    Where we differ: an entity suppressed in every class keeps its best class (the released code: class 1).
    """
    if entities.boxes_per_class is None or not len(logits):
        return best_labels(logits)
    count, classes = logits.shape
    scores = logits.softmax(dim=1)[:, 1:].flatten()
    boxes = entities.boxes_per_class[:, 1:].reshape(-1, 4)
    boxes = boxes + boxes.new_tensor([0, 0, 1, 1])  # then torchvision's areas are those with the last pixel included
    group = entities.image[:, None] * classes + torch.arange(1, classes, device=logits.device)
    survivors = torch.zeros_like(scores)
    survivors[batched_nms(boxes.double(), scores.double(), group.flatten(), threshold)] = 1
    # A survivor's score is lifted above every other one's.
    return (scores + 2 * survivors).view(count, -1).argmax(dim=1) + 1
