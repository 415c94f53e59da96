"""Feature pyramids by name (spec A.2)."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.ops.misc import FrozenBatchNorm2d

from interplay.scene.regions import LEVELS, Numerics

BackboneName = Literal["resnext101_32x8d", "resnet50", "small"]
BLOCKS: dict[str, tuple[tuple[int, int, int, int], int, int]] = {
    "resnext101_32x8d": ((3, 4, 23, 3), 32, 8),
    "resnet50": ((3, 4, 6, 3), 1, 64),
}
"""Blocks per stage, groups, width per group."""
EPSILON = 1e-5
"""ε of torchvision's batch norms; legacy ones have none."""
SMALL_WIDTHS = (32, 48, 64, 96, 128)
"""Channels of the small body's stem and four stages."""


class FeaturePyramid(nn.Module):
    """A convolutional body and an FPN: pixels (B, 3, H, W) → {P2…P6: (B, channels, h, w)}, strides 4…64.

    Args:
        body: has children ``layer1`` … ``layer4`` of strides 4, 8, 16 and 32.
        widths: channels of these four.
        channels: of the result.

    H and W must be multiples of 32. P6 is every second cell of P5.
    """

    def __init__(self, body: nn.Module, widths: tuple[int, ...], channels: int) -> None:
        super().__init__()
        layers = {f"layer{index + 1}": level for index, level in enumerate(LEVELS)}
        pyramid = BackboneWithFPN(body, layers, list(widths), channels)
        self.body, self.fpn, self.channels = pyramid.body, pyramid.fpn, channels

    def forward(self, pixels: Float[Tensor, "image 3 height width"]) -> dict[str, Float[Tensor, "image channel _ _"]]:
        if pixels.shape[2] % 32 or pixels.shape[3] % 32:
            raise ValueError(f"pixels: found {tuple(pixels.shape[2:])}, expected height and width in multiples of 32")
        levels = self.fpn(self.body(pixels))
        levels["P6"] = levels.pop("pool")
        return dict(levels)


def feature_pyramid(name: BackboneName, channels: int = 256, numerics: Numerics = "legacy") -> FeaturePyramid:
    """A pyramid with random weights. ValueError for an unknown name.

    ``resnext101_32x8d`` and ``resnet50`` have batch norms that never change (legacy: without ε), ``small`` has
    ordinary ones and 0.6 M weights beside the FPN: for pictures of about 160 × 120 pixels.
    """
    if name == "small":
        return FeaturePyramid(small_body(), SMALL_WIDTHS[1:], channels)
    if name not in BLOCKS:
        raise ValueError(f"backbone: found {name!r}, expected one of {', '.join((*BLOCKS, 'small'))}")
    return residual_pyramid(*BLOCKS[name], channels, numerics)


def residual_pyramid(
    blocks: tuple[int, ...], groups: int, width: int, channels: int, numerics: Numerics
) -> FeaturePyramid:
    """torchvision's bottleneck ResNet with the stride in the 3 × 3 convolution."""
    norm = partial(FrozenBatchNorm2d, eps=0.0 if numerics == "legacy" else EPSILON)
    body = ResNet(Bottleneck, list(blocks), groups=groups, width_per_group=width, norm_layer=norm)
    return FeaturePyramid(body, (256, 512, 1024, 2048), channels)


class SmallBlock(nn.Module):
    """ReLU(BN conv ReLU BN conv x + BN conv₁ₓ₁ x), the first convolution and the shortcut with the stride."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs))
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Float[Tensor, "image inputs _ _"]) -> Float[Tensor, "image outputs _ _"]:
        inner = self.second(functional.relu(self.first(x)))
        return functional.relu(inner + self.shortcut(x))


def small_body(widths: tuple[int, ...] = SMALL_WIDTHS) -> nn.Sequential:
    """A stem and four stages of one block each, every one halving the picture: strides 2, 4, 8, 16, 32."""
    stem = nn.Sequential(nn.Conv2d(3, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU())
    stages = [SmallBlock(inputs, outputs, 2) for inputs, outputs in pairwise(widths)]
    layers = [(f"layer{index + 1}", stage) for index, stage in enumerate(stages)]
    return nn.Sequential(OrderedDict([("stem", stem), *layers]))
