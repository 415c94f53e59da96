"""The box head: which class a region shows, and where exactly it lies (spec A.2, A.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from interplay.scene.detector.boxes import clip, decode, encode, match, overlaps, sample, suppress
from interplay.scene.detector.settings import DetectorSettings
from interplay.scene.preparation import SceneTarget
from interplay.scene.regions import RegionPerceptron, RegionPooler, fully_connected

WEIGHTS = (10.0, 10.0, 5.0, 5.0)


@dataclass(frozen=True, eq=False)
class Detections:
    """What one image shows.

    Args:
        boxes: (n, 4) regressed box of the class.
        labels: (n,) classes ≥ 1.
        scores: (n,) softmax probability of the class.
        regions: (n,) row of the proposal each came from.
    """

    boxes: Float[Tensor, "n 4"]
    labels: Int[Tensor, " n"]
    scores: Float[Tensor, " n"]
    regions: Int[Tensor, " n"]


class BoxHead(nn.Module):
    """RoIAlign, fc6, fc7, then class scores (O) and one box regression per class (4·O, class by class).

    Args:
        classes: O, background included at index 0.
        channels: of the feature maps.
        width: of fc6 and fc7.
        settings: thresholds, sampling.
    """

    def __init__(self, classes: int, channels: int, width: int, settings: DetectorSettings) -> None:
        super().__init__()
        self.settings = settings
        self.pooler = RegionPooler(settings.numerics, canonical_side=settings.canonical_side)
        self.perceptron = RegionPerceptron(channels, width)
        self.class_scores = fully_connected(width, classes)
        self.deltas = fully_connected(width, 4 * classes)
        nn.init.normal_(self.class_scores.weight, std=0.01)
        nn.init.normal_(self.deltas.weight, std=0.001)

    def forward(
        self, features: Mapping[str, Tensor], boxes: Sequence[Float[Tensor, "n 4"]]
    ) -> tuple[Float[Tensor, "region class"], Float[Tensor, "region class 4"]]:
        """Class scores before softmax and regressions of the given boxes of each image, concatenated."""
        hidden = self.hidden(features, boxes)
        logits = self.class_scores(hidden)
        return logits, self.deltas(hidden).view(len(logits), -1, 4)

    def hidden(
        self, features: Mapping[str, Tensor], boxes: Sequence[Float[Tensor, "n 4"]]
    ) -> Float[Tensor, "region width"]:
        """fc7 of the given boxes of each image, concatenated."""
        found: Tensor = self.perceptron(self.pooler(features, torch.cat(list(boxes)), [len(one) for one in boxes]))
        return found

    def boxes_of_classes(
        self, deltas: Float[Tensor, "n class 4"], boxes: Float[Tensor, "n 4"], size: Float[Tensor, " 2"]
    ) -> Float[Tensor, "n class 4"]:
        """Regressed box of every class, within the picture."""
        return clip(decode(deltas, boxes, WEIGHTS, self.settings.last_pixel), size, self.settings.last_pixel)

    def detections(
        self, logits: Float[Tensor, "n class"], boxes_per_class: Float[Tensor, "n class 4"], one_class: bool
    ) -> Detections:
        """Non-maximum suppression per class, then the best ones of one image.

        Args:
            one_class: each region keeps only its best surviving class; they then stay in the order of the regions.
                Otherwise a region may answer with several classes, best score first.
        """
        settings = self.settings
        probabilities = logits.softmax(dim=1)
        sides = boxes_per_class[..., 2:] - boxes_per_class[..., :2] + settings.last_pixel
        candidate = (probabilities > settings.score) & (sides >= settings.side).all(dim=2)
        candidate[:, 0] = False
        region, label = candidate.nonzero().unbind(1)
        score, boxes = probabilities[region, label], boxes_per_class[region, label]
        kept = suppress(boxes, score, label, settings.detection_iou, settings.last_pixel, settings.per_class)
        if one_class:
            surviving = torch.zeros_like(probabilities)
            surviving[region[kept], label[kept]] = score[kept]
            best = surviving.max(dim=1)
            region = best.values.nonzero()[:, 0]
            label, score = best.indices[region], best.values[region]
        else:
            region, label, score = region[kept], label[kept], score[kept]
        if len(score) > settings.detections:
            last = score.sort(descending=True).values[settings.detections - 1]
            rows = (score >= last).nonzero()[:, 0]
            rows = rows if settings.numerics == "legacy" else rows[: settings.detections]
            region, label, score = region[rows], label[rows], score[rows]
        return Detections(boxes_per_class[region, label], label, score, region)

    def losses(
        self,
        features: Mapping[str, Tensor],
        proposals: Sequence[Float[Tensor, "proposal 4"]],
        targets: Sequence[SceneTarget],
        generator: torch.Generator | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """``class``: mean cross-entropy of the regions drawn; ``box``: smooth L1 of the true class's regression of
        positive regions, over all drawn. True boxes count as proposals."""
        settings, drawn, labels, wanted = self.settings, [], [], []
        for proposal, target in zip(proposals, targets, strict=True):
            boxes = torch.cat([proposal, target.boxes])
            matched = match(overlaps(target.boxes, boxes, settings.last_pixel), 0.5, settings.region_background)
            positive, background = sample(matched, settings.region_samples, settings.region_positive, generator)
            truth = matched[positive]
            drawn.append(boxes[torch.cat([positive, background])])
            labels.append(torch.cat([target.labels[truth], torch.zeros_like(background)]))
            wanted.append(encode(target.boxes[truth], boxes[positive], WEIGHTS, settings.last_pixel))
        logits, deltas = self(features, drawn)
        label, target_deltas = torch.cat(labels), torch.cat(wanted)
        rows = (label > 0).nonzero()[:, 0]
        error = functional.smooth_l1_loss(
            deltas[rows, label[rows]], target_deltas, reduction="sum", beta=settings.region_beta
        )
        total = max(len(label), 1)
        return {"class": functional.cross_entropy(logits, label, reduction="sum") / total, "box": error / total}
