"""What a relation head sees of the picture: features of entities and of the union boxes of pairs (spec A.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from interplay.graph.boxes import union_boxes
from interplay.scene.encodings import batch_norm, two_box_masks
from interplay.scene.regions import LEVELS, RegionPerceptron, RegionPooler
from interplay.scene.structures import Entities, Pairs, UnionFeatures


class BoxFeatures(nn.Module):
    """x = ReLU(fc7 ReLU(fc6 RoIAlign(box))), from the level that the box's area asks for.

    Args:
        pooler: the detector's.
        channels: of the feature maps.
        width: D of the result.

    Shapes: features {P2…P5: (B, C, h, w)}, boxes (N, 4), counts of each image → (N, width).
    """

    def __init__(self, pooler: RegionPooler, channels: int = 256, width: int = 4096) -> None:
        super().__init__()
        self.pooler = pooler
        self.perceptron = RegionPerceptron(channels, width, pooler.size)

    def start_from(self, perceptron: RegionPerceptron) -> None:
        """Copy the weights of the detector's box head."""
        copy_weights(perceptron, self.perceptron)

    def forward(
        self, features: Mapping[str, Tensor], boxes: Float[Tensor, "n 4"], counts: Sequence[int]
    ) -> Float[Tensor, "n width"]:
        x: Tensor = self.perceptron(self.pooler(features, boxes, counts))
        return x


class RectangleEncoder(nn.Module):
    """Two convolutions over the masks of subject and object: (n, 2, 27, 27) → (n, channels, 7, 7).

    conv 7×7 stride 2, ReLU, batch norm, max-pool 3×3 stride 2, conv 3×3, ReLU, batch norm.
    """

    def __init__(self, channels: int = 256) -> None:
        super().__init__()
        self.widen = nn.Conv2d(2, channels // 2, 7, stride=2, padding=3)
        self.widened_norm = nn.BatchNorm2d(channels // 2, momentum=0.01)
        self.mix = nn.Conv2d(channels // 2, channels, 3, padding=1)
        self.mixed_norm = nn.BatchNorm2d(channels, momentum=0.01)

    def forward(self, masks: UInt8[Tensor, "n 2 side side"]) -> Float[Tensor, "n channel size size"]:
        x = batch_norm(self.widened_norm, functional.relu(self.widen(masks.to(self.widen.weight.dtype))))
        x = functional.max_pool2d(x, 3, stride=2, padding=1)
        return batch_norm(self.mixed_norm, functional.relu(self.mix(x)))


class UnionFeatureExtractor(nn.Module):
    """u = ReLU(fc7 ReLU(fc6(ReLU(conv [RoIAlign of the union box from P2…P5]) + rect(masks)))).

    Where we differ: a union box that several pairs of a chunk share (always so for (i, j) and (j, i), often where one
    box lies inside another) is pooled and convolved once.

    Args:
        pooler: the detector's.
        channels: of the feature maps.
        width: D of the result.

    Shapes: features {P2…P5: (B, C, h, w)} → lazily (R, width).
    """

    def __init__(self, pooler: RegionPooler, channels: int = 256, width: int = 4096) -> None:
        super().__init__()
        self.pooler = pooler
        self.reduce = nn.Conv2d(len(LEVELS) * channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.reduce.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.reduce.bias)  # type: ignore[arg-type]
        self.rectangles = RectangleEncoder(channels)
        self.perceptron = RegionPerceptron(channels, width, pooler.size)

    def start_from(self, perceptron: RegionPerceptron) -> None:
        """Copy the weights of the detector's box head; the convolutions stay as drawn."""
        copy_weights(perceptron, self.perceptron)

    def forward(
        self, features: Mapping[str, Tensor], entities: Entities, pairs: Pairs, chunk: int | None = None
    ) -> UnionFeatures:
        """Features of the pairs' union boxes, computed when they are asked for.

        Args:
            chunk: pairs at a time; None = all at once. In training all at once, since batch norm looks at all pairs.
        """
        boxes, sizes, images = entities.boxes, entities.sizes[entities.image], pairs.image

        def make(rows: slice) -> Float[Tensor, "chunk width"]:
            index = pairs.index[rows]
            union = union_boxes(boxes[index[:, 0]], boxes[index[:, 1]])
            regions = torch.cat([images[rows, None].to(union.dtype), union], dim=1)
            return self.combine(self.pooled(features, regions), two_box_masks(boxes, index, sizes))

        return UnionFeatures(make, len(pairs.index), self.perceptron.width, chunk)

    def pooled(self, features: Mapping[str, Tensor], regions: Float[Tensor, "n 5"]) -> Float[Tensor, "n channel _ _"]:
        """What lies under each region (image, x1, y1, x2, y2), from all levels."""
        distinct, row = torch.unique(regions, dim=0, return_inverse=True)
        found = functional.relu(self.reduce(self.pooler.all_levels(features, distinct)))
        return found[row]

    def combine(
        self, pooled: Float[Tensor, "n channel _ _"], masks: UInt8[Tensor, "n 2 side side"]
    ) -> Float[Tensor, "n width"]:
        """Pooled union boxes and two-box masks into features."""
        u: Tensor = self.perceptron(pooled + self.rectangles(masks))
        return u


def copy_weights(source: RegionPerceptron, target: RegionPerceptron) -> None:
    """fc6 and fc7 of one into the other. ValueError if their shapes differ."""
    for name in ("fc6", "fc7"):
        given, wanted = getattr(source, name).weight.shape, getattr(target, name).weight.shape
        if given != wanted:
            raise ValueError(f"{name}: found weights {tuple(given)} in the detector, expected {tuple(wanted)}")
    target.load_state_dict(source.state_dict())
