"""Temporal convolution (TC): what happens to each joint over time."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from interplay.skeleton.contraction import pointwise
from interplay.skeleton.mutual_feature import kaiming_fan_out

TemporalKind = Literal["multiscale", "single", "none"]


class MultiScaleTemporalConvolution(nn.Module):
    """Four branches side by side (paper Eq. 2; the branches of CTR-GCN).

    Each yields C/4 channels, and they are put next to each other, which is the sum of Eq. 2 if each convolution
    writes to channels of its own:

    1. 1×1 → BN → ReLU → 5 taps, dilation 1, stride s → BN
    2. 1×1 → BN → ReLU → 5 taps, dilation 2, stride s → BN
    3. 1×1 → BN → ReLU → maximum of 3, stride s → BN
    4. 1×1, stride s → BN

    Stored merged: ``reduce`` holds the first 1×1 convolutions of the branches 1 to 3 and their BN, ``pointwise`` the
    fourth branch, ``taps`` the kernels of the branches 1 and 2, ``bn`` the last BN of all four.

    Shapes: (B, C, V, T) → (B, C, V, ⌈T/s⌉).
    """

    dilations = (1, 2)

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        if channels % 4:
            raise ValueError(f"channels: found {channels}, expected a multiple of 4 (four temporal branches)")
        width = channels // 4
        self.width = width
        self.stride = stride
        self.reduce_weight = nn.Parameter(torch.empty(3, width, channels))
        self.reduce_bias = nn.Parameter(torch.zeros(3 * width))
        self.reduce_bn = nn.BatchNorm2d(3 * width)
        self.taps_weight = nn.Parameter(torch.empty(2, width, width, 5))
        self.taps_bias = nn.Parameter(torch.zeros(2, width))
        self.pointwise_weight = nn.Parameter(torch.empty(width, channels))
        self.pointwise_bias = nn.Parameter(torch.zeros(width))
        self.bn = nn.BatchNorm2d(channels)
        nn.init.normal_(self.reduce_weight, std=(2.0 / width) ** 0.5)
        nn.init.normal_(self.pointwise_weight, std=(2.0 / width) ** 0.5)
        nn.init.normal_(self.taps_weight, std=(2.0 / (5 * width)) ** 0.5)
        nn.init.normal_(self.reduce_bn.weight, 1.0, 0.02)
        nn.init.normal_(self.bn.weight, 1.0, 0.02)

    def forward(self, x: Float[Tensor, "batch channel joint time"]) -> Float[Tensor, "batch channel joint short"]:
        weight = torch.cat((self.reduce_weight.flatten(0, 1), self.pointwise_weight))
        entered = pointwise(x, weight, torch.cat((self.reduce_bias, self.pointwise_bias)))
        width = self.width
        reduced = torch.relu_(self.reduce_bn(entered[:, : 3 * width]))
        branches = [
            functional.conv2d(
                reduced[:, i * width : (i + 1) * width],
                self.taps_weight[i][:, :, None],
                self.taps_bias[i],
                stride=(1, self.stride),
                padding=(0, 2 * dilation),
                dilation=(1, dilation),
            )
            for i, dilation in enumerate(self.dilations)
        ]
        branches.append(maximum_of_three(reduced[:, 2 * width :], self.stride))
        branches.append(entered[:, 3 * width :, :, :: self.stride])
        y: Tensor = self.bn(torch.cat(branches, dim=1))
        return y


def maximum_of_three(
    x: Float[Tensor, "batch channel joint time"], stride: int
) -> Float[Tensor, "batch channel joint short"]:
    """Maximum of each frame and its two neighbours; x must not be negative (zeros stand in for the missing ones)."""
    x = functional.pad(x, (1, 1))
    middle = torch.maximum(x[..., 1:-1:stride], x[..., :-2:stride])
    return torch.maximum(middle, x[..., 2::stride])


class SingleTemporalConvolution(nn.Module):
    """One convolution with 5 taps and BN (a variant of the authors' release).

    Shapes: (B, C, V, T) → (B, C, V, ⌈T/s⌉).
    """

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(channels, channels, 1, 5))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.bn = nn.BatchNorm2d(channels)
        kaiming_fan_out(self.weight)

    def forward(self, x: Float[Tensor, "batch channel joint time"]) -> Float[Tensor, "batch channel joint short"]:
        y: Tensor = self.bn(functional.conv2d(x, self.weight, self.bias, stride=(1, self.stride), padding=(0, 2)))
        return y


class NoTemporalConvolution(nn.Module):
    """Nothing, or the mean over ``stride`` frames so that lengths match the other kinds (Table IV's Baseline).

    Shapes: (B, C, V, T) → (B, C, V, ⌈T/s⌉).
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Float[Tensor, "batch channel joint time"]) -> Float[Tensor, "batch channel joint short"]:
        if self.stride == 1:
            return x
        return functional.avg_pool2d(x, (1, self.stride), ceil_mode=True)


def temporal_convolution(kind: TemporalKind, channels: int, stride: int) -> nn.Module:
    """The temporal convolution of one block by its name."""
    if kind == "multiscale":
        return MultiScaleTemporalConvolution(channels, stride)
    if kind == "single":
        return SingleTemporalConvolution(channels, stride)
    if kind == "none":
        return NoTemporalConvolution(stride)
    raise ValueError(f"tc: found {kind!r}, expected 'multiscale', 'single' or 'none'")
