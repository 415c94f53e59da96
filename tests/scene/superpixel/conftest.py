"""Small pyramids and blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from interplay.scene.superpixel import SuperpixelInteraction, SuperpixelSettings

CHANNELS = 8
STRIDES = {"0": 4, "1": 8}
SMALL: dict[str, Any] = {"levels": (2, 3), "heads": 2, "mlp_hidden": 6, "cei_heads": 2, "cei_ffn": 5, "clusters": 9}


@dataclass(frozen=True, eq=False)
class Batch:
    """Two pictures of different sizes, padded on the right and below."""

    features: dict[str, Tensor]
    boxes: list[Tensor]
    sizes: list[tuple[int, int]]

    def alone(self, image: int) -> Batch:
        """One of them, without padding."""
        height, width = self.sizes[image]
        features = {
            key: self.features[key][image : image + 1, :, : -(-height // stride), : -(-width // stride)]
            for key, stride in STRIDES.items()
        }
        return Batch(features, [self.boxes[image]], [self.sizes[image]])


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(0)
    features = {key: torch.randn(2, CHANNELS, 64 // stride, 96 // stride) for key, stride in STRIDES.items()}
    features["pool"] = torch.randn(2, CHANNELS, 4, 6)
    boxes = [
        torch.tensor([[4.0, 4, 60, 50], [0, 0, 89, 49], [2, 2, 5, 5], [30, 10, 80, 45]]),
        torch.tensor([[10.0, 5, 50, 60], [1, 30, 70, 62]]),
    ]
    return Batch(features, boxes, [(50, 90), (63, 71)])


@pytest.fixture
def make() -> Callable[..., SuperpixelInteraction]:
    def build(**options: Any) -> SuperpixelInteraction:
        torch.manual_seed(1)
        made = SuperpixelInteraction(CHANNELS, SuperpixelSettings(**{**SMALL, **options}), STRIDES)
        for name, parameter in made.named_parameters():
            if parameter.dim() > 1 or "bias" in name or "beta" in name:
                nn.init.normal_(parameter, std=0.4)
            if "layer_scale" in name:
                nn.init.normal_(parameter, mean=1.0, std=0.2)
        return made.eval()

    return build
