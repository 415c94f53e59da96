"""From a head's scores to ranked triplets, image by image (spec A.10)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.scene.heads.interface import HeadOutput
from interplay.scene.refinement import refined_labels
from interplay.scene.structures import Entities, starts


@dataclass(frozen=True, eq=False)
class RankedScene:
    """One image's answer, best triplet first.

    Args:
        boxes: (N, 4) pixels, last one included.
        labels: (N,) classes.
        entity_scores: (N,) in [0, 1].
        pairs: (R, 2) subject and object, rows of ``boxes``.
        predicate_probabilities: (R, P), column 0 = background.
        predicates: (R,) best predicate that is not background: one per ordered pair (the graph constraint).
        scores: (R,) subject score · object score · predicate probability, falling.
    """

    boxes: Float[Tensor, "entity 4"]
    labels: Int[Tensor, " entity"]
    entity_scores: Float[Tensor, " entity"]
    pairs: Int[Tensor, "pair 2"]
    predicate_probabilities: Float[Tensor, "pair predicate"]
    predicates: Int[Tensor, " pair"]
    scores: Float[Tensor, " pair"]

    def rescaled(self, horizontally: float, vertically: float) -> RankedScene:
        """With boxes multiplied: back from the resized picture to the original (original side / resized side)."""
        factors = self.boxes.new_tensor((horizontally, vertically, horizontally, vertically))
        return replace(self, boxes=self.boxes * factors)


def entity_answers(
    logits: Float[Tensor, "entity class"], entities: Entities, threshold: float = 0.5
) -> tuple[Float[Tensor, "entity 4"], Int[Tensor, " entity"], Float[Tensor, " entity"]]:
    """Final box, class and score of every entity.

    The score is the softmax probability of the class, background kept in the denominator. Where entities carry a box
    per class (SGGen) the class comes from :func:`interplay.scene.refinement.greedy_labels` and the box is that
    class's; a box for which nothing is left has class 0, score 0 and its own box.
    """
    labels = refined_labels(logits, entities, threshold)
    scores = torch.softmax(logits.float(), dim=1).gather(1, labels[:, None])[:, 0] * (labels > 0)
    if entities.boxes_per_class is None:
        return entities.boxes, labels, scores
    rows = torch.arange(len(labels), device=labels.device)
    boxes = torch.where((labels > 0)[:, None], entities.boxes_per_class[rows, labels], entities.boxes)
    return boxes, labels, scores


def rank(output: HeadOutput, entities: Entities, threshold: float = 0.5) -> list[RankedScene]:
    """Ranked triplets of each image; equal scores keep the order of the pairs.

    Args:
        output: the head's answer for the batch.
        entities: as given to the head.
        threshold: IoU of the per-class suppression in SGGen.
    """
    boxes, labels, entity_scores = entity_answers(output.entity_logits, entities, threshold)
    probabilities = torch.softmax(output.relation_logits.float(), dim=1)
    best = probabilities[:, 1:].max(dim=1)
    pairs = output.pairs
    scores = entity_scores[pairs.subject] * entity_scores[pairs.object] * best.values
    answers, first_pair = [], starts(pairs.counts)
    for image, (first, count) in enumerate(zip(entities.starts, entities.counts, strict=True)):
        own = slice(first, first + count)
        rows = slice(first_pair[image], first_pair[image] + pairs.counts[image])
        order = torch.sort(scores[rows], descending=True, stable=True).indices
        answers.append(
            RankedScene(
                boxes[own],
                labels[own],
                entity_scores[own],
                pairs.index[rows][order] - first,
                probabilities[rows][order],
                best.indices[rows][order] + 1,
                scores[rows][order],
            )
        )
    return answers
