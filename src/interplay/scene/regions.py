"""Features of boxes: pooled from the levels of a feature pyramid, then two fully connected layers (spec A.2, A.3).

The detector's box head, the relation side's entity features and its union features share these parts and have weights
of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from interplay.graph.boxes import areas
from interplay.scene.roi_align import roi_align
from interplay.scene.structures import owners

LEVELS = ("P2", "P3", "P4", "P5")
"""Levels that boxes are pooled from; their strides are 4, 8, 16 and 32 pixels."""
Numerics = Literal["legacy", "torchvision"]
"""``legacy``: the public scene-graph benchmark's, whose published weights expect them; ``torchvision``: torchvision's.
They differ in whether the last pixel counts, in the rounding of the level rule, in anchors and in the suppression."""


class RegionPooler(nn.Module):
    """RoIAlign (not aligned by half a pixel, as both numerics have it) from one level per box, or from all.

    Level of a box of area a: ⌊4 + log₂(√a / 224 + 10⁻⁶)⌋ within 2…5 (legacy, area with + 1), or
    ⌊4 + log₂(√a / 224) + 10⁻⁶⌋ (torchvision, area without).

    Args:
        numerics: which of the two.
        size: cells of the pooled grid's side.
        sampling: points per cell and direction.
        canonical_side: √area of a box that is pooled from P4; smaller where pictures are smaller.

    Shapes: features {P2…P5: (B, C, h, w)}, boxes (N, 4) in pixels, counts of each image → (N, C, size, size).
    """

    def __init__(
        self, numerics: Numerics = "legacy", size: int = 7, sampling: int = 2, canonical_side: float = 224.0
    ) -> None:
        super().__init__()
        self.numerics, self.size, self.sampling, self.canonical_side = numerics, size, sampling, canonical_side

    def levels_of(self, boxes: Float[Tensor, "n 4"]) -> Int[Tensor, " n"]:
        """0…3 for P2…P5."""
        if self.numerics == "legacy":
            level = torch.floor(4 + torch.log2(areas(boxes).sqrt() / self.canonical_side + 1e-6))
        else:
            side = (boxes[:, 2:] - boxes[:, :2]).prod(1).sqrt()
            level = torch.floor(4 + torch.log2(side / self.canonical_side) + 1e-6)
        return level.clamp(2, 5).to(torch.int64) - 2

    def forward(
        self,
        features: Mapping[str, Float[Tensor, "image channel _ _"]],
        boxes: Float[Tensor, "n 4"],
        counts: Sequence[int],
    ) -> Float[Tensor, "n channel size size"]:
        regions, levels = _regions(boxes, counts), self.levels_of(boxes)
        channels = features[LEVELS[0]].shape[1]
        pooled = boxes.new_zeros(len(boxes), channels, self.size, self.size)
        for index in range(len(LEVELS)):
            rows = (levels == index).nonzero()[:, 0]
            if len(rows):
                pooled[rows] = self._pool(features, index, regions[rows])
        return pooled

    def all_levels(
        self, features: Mapping[str, Float[Tensor, "image channel _ _"]], regions: Float[Tensor, "n 5"]
    ) -> Float[Tensor, "n stacked size size"]:
        """Every region from P2…P5, stacked along the channels: (n, 4C, size, size).

        Args:
            regions: (n, 5) image, x1, y1, x2, y2.
        """
        return torch.cat([self._pool(features, index, regions) for index in range(len(LEVELS))], dim=1)

    def _pool(self, features: Mapping[str, Tensor], index: int, regions: Float[Tensor, "n 5"]) -> Tensor:
        level = features[LEVELS[index]].float()
        return roi_align(level, regions, self.size, 1 / (4 << index), self.sampling)


class RegionPerceptron(nn.Module):
    """ReLU(fc7 ReLU(fc6 flatten(x))), flattened channel by channel, row by row.

    Shapes: (n, channels, size, size) → (n, width).
    """

    def __init__(self, channels: int = 256, width: int = 4096, size: int = 7) -> None:
        super().__init__()
        self.fc6 = fully_connected(channels * size * size, width)
        self.fc7 = fully_connected(width, width)

    @property
    def width(self) -> int:
        return self.fc7.out_features

    def forward(self, pooled: Float[Tensor, "n channel size size"]) -> Float[Tensor, "n width"]:
        return functional.relu(self.fc7(functional.relu(self.fc6(pooled.flatten(1)))))


def fully_connected(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer that starts as the detector's do: uniform by fan-in, bias 0."""
    layer = nn.Linear(inputs, outputs)
    nn.init.kaiming_uniform_(layer.weight, a=1)
    nn.init.zeros_(layer.bias)
    return layer


def _regions(boxes: Float[Tensor, "n 4"], counts: Sequence[int]) -> Float[Tensor, "n 5"]:
    return torch.cat([owners(counts, boxes.device)[:, None].to(boxes.dtype), boxes], dim=1)
