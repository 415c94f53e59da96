"""Graph R-CNN's relation proposals: which pairs are worth looking at, judged before their union is pooled."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from interplay.scene.heads.padding import Padding
from interplay.scene.structures import Entities, Pairs, Task

POSITION_CODE = 6


def position_code(entities: Entities) -> Float[Tensor, "entity 6"]:
    """x1/W, y1/H, x2/W, y2/H, wh/(WH), h/(w + 1); no + 1 in w and h."""
    sizes = entities.sizes[entities.image]
    corners = entities.boxes.view(-1, 2, 2) / sizes[:, None]
    sides = entities.boxes[:, 2:] - entities.boxes[:, :2]
    area = (sides / sizes).prod(dim=1, keepdim=True)
    return torch.cat([corners.flatten(1), area, sides[:, 1:] / (sides[:, :1] + 1)], dim=1)


def two_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


class RelationProposal(nn.Module):
    """``r_ij = σ(φ(l_i)·ψ(l_j) + φ_p(c_i)·ψ_p(c_j))`` (Graph R-CNN §3.2; spec §B.2).

    l are class scores, c is :func:`position_code`.

    Args:
        classes: O.
        task: in PredCls l is the one-hot of the given class.
        width: of the inner products and of the hidden layers.

    Where we differ: the one-hot in PredCls (scores of ±1000 would saturate every product); the loss leaves out the pair
    of an entity with itself.
    """

    def __init__(self, classes: int, task: Task, width: int = 64) -> None:
        super().__init__()
        self.task: Task = task
        self.as_subject = two_layers(classes, width, width)
        self.as_object = two_layers(classes, width, width)
        self.subject_position = two_layers(POSITION_CODE, width, width)
        self.object_position = two_layers(POSITION_CODE, width, width)

    def codes(self, entities: Entities) -> tuple[Float[Tensor, "entity code"], Float[Tensor, "entity code"]]:
        """Vectors of every entity as subject and as object; their inner product is the logit of r."""
        scores = entities.logits.softmax(dim=1) if self.task == "predcls" else entities.logits
        code = position_code(entities)
        subject = torch.cat([self.as_subject(scores), self.subject_position(code)], dim=1)
        return subject, torch.cat([self.as_object(scores), self.object_position(code)], dim=1)

    def of_pairs(self, entities: Entities, index: Int[Tensor, "pair 2"]) -> Float[Tensor, " pair"]:
        """Logits of the given pairs."""
        subject, object_ = self.codes(entities)
        return (subject[index[:, 0]] * object_[index[:, 1]]).sum(dim=1)

    def of_images(self, entities: Entities) -> Float[Tensor, "image n n"]:
        """Logits of all ordered pairs of each image, padded; row = subject."""
        subject, object_ = self.codes(entities)
        padding = Padding(entities.counts, subject.device)
        return padding.pad(subject) @ padding.pad(object_).transpose(1, 2)

    def loss(self, entities: Entities, pairs: Pairs) -> Float[Tensor, ""]:
        """Binary cross-entropy over the ordered pairs i ≠ j: mean over an image's pairs, mean over images.

        A pair with a predicate is positive, one labelled −1 does not count. ``pairs`` hold all positives but not all
        negatives; a pair that is missing there is negative, unless ``related`` says that the two have a relation and
        neither direction is among the positives (a match that the sampler left out): then it does not count.

        Raises:
            ValueError: pairs have no labels.
        """
        if pairs.labels is None:
            raise ValueError("pairs.labels: found None, expected the predicates of the pairs (training)")
        logits = self.of_images(entities)
        padding = Padding(entities.counts, logits.device)
        place = (padding.image[pairs.subject], padding.position[pairs.subject], padding.position[pairs.object])
        nowhere = torch.zeros_like(logits, dtype=torch.bool)

        def listed(rows: Bool[Tensor, " pair"]) -> Bool[Tensor, "image n n"]:
            return nowhere.index_put(tuple(part[rows] for part in place), nowhere.new_ones(()))

        positive, background = listed(pairs.labels > 0), listed(pairs.labels == 0)
        present = padding.present()
        square = present[:, :, None] & present[:, None, :]
        unknown = listed(pairs.labels < 0)
        if pairs.related is not None:
            flat = torch.cat([related.flatten() for related in pairs.related]) > 0
            left_out = nowhere.masked_scatter(square, flat) & ~(positive | positive.transpose(1, 2))
            unknown = unknown | (left_out & ~background)
        off_diagonal = ~torch.eye(padding.longest, dtype=torch.bool, device=logits.device)
        weight = (square & off_diagonal & (positive | ~unknown)).to(logits.dtype)
        target = positive.to(logits.dtype)
        terms = weight * functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return (terms.sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp_min(1)).sum() / max(len(logits), 1)


def best_pairs(scores: Float[Tensor, " pair"], pairs: Pairs, keep: int) -> Int[Tensor, " kept"]:
    """Rows of the ``keep`` best pairs of each image, in rising order; the earlier of equals wins."""
    order = scores.argsort(descending=True, stable=True)
    order = order[pairs.image[order].argsort(stable=True)]
    rank = Padding(pairs.counts, scores.device).position  # order has the images' pairs in the images' places
    return order[rank < keep].sort().values
