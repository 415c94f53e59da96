"""The region proposal network: where there may be something (spec A.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from interplay.scene.detector.boxes import cell_anchors, clip, decode, encode, grid, match, overlaps, sample, suppress
from interplay.scene.detector.settings import STRIDES, DetectorSettings
from interplay.scene.regions import LEVELS

PYRAMID = (*LEVELS, "P6")
WEIGHTS = (1.0, 1.0, 1.0, 1.0)


class ProposalNetwork(nn.Module):
    """On each level a 3 × 3 convolution, then objectness and box regression of every anchor.

    Args:
        channels: of the feature maps.
        settings: anchors, suppression, sampling.
    """

    def __init__(self, channels: int, settings: DetectorSettings) -> None:
        super().__init__()
        self.settings = settings
        amount = len(settings.anchor_ratios)
        self.shared = nn.Conv2d(channels, channels, 3, padding=1)
        self.objectness = nn.Conv2d(channels, amount, 1)
        self.deltas = nn.Conv2d(channels, 4 * amount, 1)
        for layer in (self.shared, self.objectness, self.deltas):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        for level, anchors in enumerate(cell_anchors(settings)):
            self.register_buffer(f"anchors{level}", anchors, persistent=False)

    def scores(
        self, features: Mapping[str, Tensor]
    ) -> tuple[Float[Tensor, "image anchor"], Float[Tensor, "image anchor 4"], list[int]]:
        """Objectness before the sigmoid, regressions, and the number of anchors of each level."""
        objectness, deltas = [], []
        for level in PYRAMID:
            hidden = functional.relu(self.shared(features[level]))
            objectness.append(self.objectness(hidden).permute(0, 2, 3, 1).flatten(1).float())
            regression = self.deltas(hidden).permute(0, 2, 3, 1)
            deltas.append(regression.reshape(len(hidden), -1, 4).float())
        return torch.cat(objectness, dim=1), torch.cat(deltas, dim=1), [one.shape[1] for one in objectness]

    def anchors(self, features: Mapping[str, Tensor]) -> Float[Tensor, "anchor 4"]:
        """Anchors of all levels, in the order of :meth:`scores`."""
        made = []
        height, width = (side * STRIDES[0] for side in features[LEVELS[0]].shape[2:])
        for index, level in enumerate(PYRAMID):
            rows, columns = features[level].shape[2:]
            stride = (STRIDES[index], STRIDES[index])
            if self.settings.numerics == "torchvision":  # not 64 where P5 has an odd number of cells
                stride = (height // rows, width // columns)
            made.append(grid(self.get_buffer(f"anchors{index}"), rows, columns, stride))
        return torch.cat(made)

    @torch.no_grad()
    def propose(
        self, features: Mapping[str, Tensor], sizes: Float[Tensor, "image 2"], training: bool = False
    ) -> list[Float[Tensor, "proposal 4"]]:
        """Proposals of each image, best first.

        Args:
            sizes: width and height of each resized, unpadded picture.
            training: take the amounts meant for training the detector.
        """
        objectness, deltas, amounts = self.scores(features)
        anchors = self.anchors(features)
        return [
            self._chosen(objectness[image], deltas[image], anchors, amounts, size, training)
            for image, size in enumerate(sizes)
        ]

    def _chosen(
        self,
        objectness: Float[Tensor, " anchor"],
        deltas: Float[Tensor, "anchor 4"],
        anchors: Float[Tensor, "anchor 4"],
        amounts: Sequence[int],
        size: Float[Tensor, " 2"],
        training: bool,
    ) -> Float[Tensor, "proposal 4"]:
        settings = self.settings
        before = settings.training_pre_suppression if training else settings.pre_suppression
        after = settings.training_post_suppression if training else settings.post_suppression
        rows, start = [], 0
        for amount in amounts:
            rows.append(objectness[start : start + amount].topk(min(before, amount)).indices + start)
            start += amount
        level = torch.cat([torch.full_like(one, index) for index, one in enumerate(rows)])
        index = torch.cat(rows)
        boxes = decode(deltas[index], anchors[index], WEIGHTS, settings.last_pixel)
        boxes = clip(boxes, size, settings.last_pixel)
        large = (boxes[:, 2:] - boxes[:, :2] + settings.last_pixel >= settings.proposal_side).all(dim=1)
        boxes, level, score = boxes[large], level[large], objectness[index][large].sigmoid()
        per_level = after if settings.numerics == "legacy" else None
        kept = suppress(boxes, score, level, settings.proposal_iou, settings.last_pixel, per_level)
        return boxes[kept[:after]]

    def losses(
        self,
        features: Mapping[str, Tensor],
        sizes: Float[Tensor, "image 2"],
        truths: Sequence[Float[Tensor, "truth 4"]],
        generator: torch.Generator | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """``objectness``: mean binary cross-entropy; ``proposal_box``: smooth L1 (β = 1/9) of positive anchors; both
        over the anchors drawn."""
        settings = self.settings
        objectness, deltas, _ = self.scores(features)
        anchors = self.anchors(features)
        scores, wanted, errors = [], [], []
        for image, truth in enumerate(truths):
            matched = self._matched(anchors, truth, sizes[image])
            positive, background = sample(matched, settings.anchor_samples, 0.5, generator)
            rows = torch.cat([positive, background])
            scores.append(objectness[image, rows])
            wanted.append((torch.arange(len(rows), device=rows.device) < len(positive)).to(objectness.dtype))
            target = encode(truth[matched[positive]], anchors[positive], WEIGHTS, settings.last_pixel)
            errors.append(functional.smooth_l1_loss(deltas[image, positive], target, reduction="sum", beta=1 / 9))
        drawn = torch.cat(scores)
        return {
            "objectness": functional.binary_cross_entropy_with_logits(drawn, torch.cat(wanted)),
            "proposal_box": torch.stack(errors).sum() / max(len(drawn), 1),
        }

    def _matched(
        self, anchors: Float[Tensor, "anchor 4"], truth: Float[Tensor, "truth 4"], size: Float[Tensor, " 2"]
    ) -> Int[Tensor, " anchor"]:
        matched = match(overlaps(truth, anchors, self.settings.last_pixel), 0.7, 0.3, best_of_each_truth=True)
        if self.settings.numerics == "legacy":
            inside = (anchors[:, :2] >= 0).all(dim=1) & (anchors[:, 2:] < size).all(dim=1)
            matched = torch.where(inside, matched, -2)
        return matched
