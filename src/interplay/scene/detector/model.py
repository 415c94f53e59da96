"""The detector as one module: features, proposals, classes, entities (spec A.2, A.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.scene.detector.backbones import BackboneName, FeaturePyramid, feature_pyramid
from interplay.scene.detector.box_head import BoxHead, Detections
from interplay.scene.detector.boxes import match, overlaps
from interplay.scene.detector.proposals import ProposalNetwork
from interplay.scene.detector.settings import DetectorSettings
from interplay.scene.preparation import SceneTarget
from interplay.scene.structures import Entities

CERTAIN = 1000.0
"""Logit of a class that is given; −CERTAIN is that of the others, so that softmax is exactly 0 and 1."""


class Detector(nn.Module):
    """Faster R-CNN with a feature pyramid, in the arithmetic of the public scene-graph benchmark or of torchvision.

    Boxes go in and come out as x1, y1, x2, y2 in pixels of the resized picture. Weights of torchvision were trained
    with x2, y2 one pixel further than ours; with ``numerics="torchvision"`` boxes are used as they are, so that they
    differ by that pixel.

    Args:
        classes: O, background included at index 0.
        backbone: a name, or a pyramid of one's own.
        channels: of the feature maps.
        width: of fc6 and fc7.
        settings: every other number; the legacy ones unless given.
    """

    def __init__(
        self,
        classes: int,
        backbone: BackboneName | FeaturePyramid = "resnext101_32x8d",
        channels: int = 256,
        width: int = 4096,
        settings: DetectorSettings | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings or DetectorSettings()
        if isinstance(backbone, str):
            backbone = feature_pyramid(backbone, channels, self.settings.numerics)
        self.classes, self.frozen = classes, False
        self.backbone = backbone
        self.proposals = ProposalNetwork(backbone.channels, self.settings)
        self.box_head = BoxHead(classes, backbone.channels, width, self.settings)

    def freeze(self) -> Detector:
        """For relation training: no gradients, and batch norms that stay as they are whatever ``train`` says."""
        self.requires_grad_(False)
        self.frozen = True
        return self.train(self.training)

    def freeze_stages(self, stages: int = 2) -> Detector:
        """For detector training from pretrained weights: the stem and the first ``stages`` − 1 stages stay."""
        for name, child in self.backbone.body.named_children():
            if not name.startswith("layer") or int(name.removeprefix("layer")) < stages:
                child.requires_grad_(False)
        return self

    def train(self, mode: bool = True) -> Detector:
        return super().train(mode and not self.frozen)

    def features(self, pixels: Float[Tensor, "image 3 height width"]) -> dict[str, Float[Tensor, "image channel _ _"]]:
        """{P2, …, P6} of pictures padded to multiples of 32."""
        levels: dict[str, Tensor] = self.backbone(pixels)
        return levels

    def propose(
        self, features: Mapping[str, Tensor], sizes: Float[Tensor, "image 2"]
    ) -> list[Float[Tensor, "proposal 4"]]:
        """Class-free boxes of each image, best first."""
        return self.proposals.propose(features, sizes)

    @torch.no_grad()
    def classify(
        self, features: Mapping[str, Tensor], boxes: Float[Tensor, "n 4"], counts: Sequence[int]
    ) -> Float[Tensor, "n class"]:
        """Class scores before softmax of given boxes (SGCls); ``counts`` boxes of each image."""
        logits: Tensor = self.box_head(features, torch.split(boxes, list(counts)))[0]
        return logits

    @torch.no_grad()
    def detections(self, features: Mapping[str, Tensor], sizes: Float[Tensor, "image 2"]) -> list[Detections]:
        """What each image shows, as a detector is evaluated: a region may answer with several classes."""
        regions = self.propose(features, sizes)
        return [
            self.box_head.detections(logits, boxes, one_class=False)
            for _, logits, boxes in self._regressed(features, regions, sizes)
        ]

    @torch.no_grad()
    def detect(
        self,
        features: Mapping[str, Tensor],
        sizes: Float[Tensor, "image 2"],
        targets: Sequence[SceneTarget] | None = None,
    ) -> Entities:
        """Entities of SGGen: one class per region, the best ``settings.detections`` of each image.

        With ``targets`` (training) true boxes join the proposals, and each entity's label is that of the truth its
        *proposal*, not its regressed box, overlaps most with IoU ≥ ½; 0 where there is none.
        """
        regions = self.propose(features, sizes)
        if targets is not None:
            regions = [torch.cat([own, target.boxes]) for own, target in zip(regions, targets, strict=True)]
        parts: dict[str, list[Tensor]] = {name: [] for name in ("boxes", "logits", "per_class", "scores", "labels")}
        for image, (own, logits, per_class) in enumerate(self._regressed(features, regions, sizes)):
            found = self.box_head.detections(logits, per_class, one_class=True)
            parts["boxes"].append(found.boxes)
            parts["scores"].append(found.scores)
            parts["logits"].append(logits[found.regions])
            parts["per_class"].append(per_class[found.regions])
            if targets is not None:
                parts["labels"].append(self._labels(own[found.regions], targets[image]))
        return Entities(
            counts=tuple(len(one) for one in parts["boxes"]),
            boxes=torch.cat(parts["boxes"]),
            sizes=sizes,
            logits=torch.cat(parts["logits"]),
            labels=None if targets is None else torch.cat(parts["labels"]),
            boxes_per_class=torch.cat(parts["per_class"]),
            scores=torch.cat(parts["scores"]),
        )

    def losses(
        self,
        features: Mapping[str, Tensor],
        sizes: Float[Tensor, "image 2"],
        targets: Sequence[SceneTarget],
        generator: torch.Generator | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """The four unweighted terms of detector training: objectness, proposal_box, class, box.

        Args:
            generator: fixes which anchors and regions are drawn.
        """
        terms = self.proposals.losses(features, sizes, [target.boxes for target in targets], generator)
        regions = self.proposals.propose(features, sizes, training=True)
        return terms | self.box_head.losses(features, regions, targets, generator)

    def _regressed(
        self, features: Mapping[str, Tensor], regions: Sequence[Float[Tensor, "n 4"]], sizes: Float[Tensor, "image 2"]
    ) -> list[tuple[Float[Tensor, "n 4"], Float[Tensor, "n class"], Float[Tensor, "n class 4"]]]:
        """(regions, class scores, box of every class) of each image."""
        logits, deltas = self.box_head(features, regions)
        counts = [len(one) for one in regions]
        split = zip(regions, torch.split(logits, counts), torch.split(deltas, counts), sizes, strict=True)
        return [(own, score, self.box_head.boxes_of_classes(delta, own, size)) for own, score, delta, size in split]

    def _labels(self, boxes: Float[Tensor, "n 4"], target: SceneTarget) -> Int[Tensor, " n"]:
        matched = match(overlaps(target.boxes, boxes, self.settings.last_pixel), 0.5, 0.5)
        labels = torch.zeros_like(matched)
        labels[matched >= 0] = target.labels[matched[matched >= 0]]
        return labels


def given_entities(
    targets: Sequence[SceneTarget],
    sizes: Float[Tensor, "image 2"],
    classes: int,
    logits: Float[Tensor, "n class"] | None = None,
) -> Entities:
    """Entities whose boxes are given: with ``logits`` of :meth:`Detector.classify` SGCls, without PredCls."""
    boxes, labels = torch.cat([one.boxes for one in targets]), torch.cat([one.labels for one in targets])
    if logits is None:
        logits = torch.full((len(labels), classes), -CERTAIN, device=boxes.device)
        logits[torch.arange(len(labels), device=boxes.device), labels] = CERTAIN
    counts = tuple(len(one.boxes) for one in targets)
    return Entities(counts, boxes, sizes, logits, labels, scores=torch.ones(len(labels), device=boxes.device))
