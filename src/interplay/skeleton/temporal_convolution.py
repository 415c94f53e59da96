"""Temporal convolution (TC): what happens to each joint over time."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from interplay.skeleton.mutual_feature import kaiming_fan_out
from interplay.skeleton.normalisation import normalise
from interplay.skeleton.pointwise import pointwise

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

    def forward(
        self, x: Float[Tensor, "batch channel joint time"], residual: Tensor | None
    ) -> Float[Tensor, "batch channel joint short"]:
        """``ReLU(TC(x) + residual)``."""
        width = self.width
        reduced, fourth = pointwise(x, self.reduce_weight.flatten(0, 1), self.pointwise_weight)
        reduced = normalise(self.reduce_bn, reduced, before=self.reduce_bias, relu=True)
        first, second, third = reduced.split_with_sizes([width] * 3, dim=1)
        branches = [
            functional.conv2d(
                branch,
                self.taps_weight[i][:, :, None],
                stride=(1, self.stride),
                padding=(0, 2 * dilation),
                dilation=(1, dilation),
            )
            for i, (branch, dilation) in enumerate(zip((first, second), self.dilations, strict=True))
        ]
        branches.append(maximum_of_three(third, self.stride))
        branches.append(fourth[..., :: self.stride])
        none = torch.zeros_like(self.pointwise_bias)
        before = torch.cat((self.taps_bias.flatten(), none, self.pointwise_bias))
        return normalise(self.bn, torch.cat(branches, dim=1), before=before, residual=residual, relu=True)


class MaximumOfThree(torch.autograd.Function):
    """Forward of :func:`maximum_of_three`; the gradient goes to one of the highest frames."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, stride: int) -> Tensor:
        padded = functional.pad(x, (1, 1))
        middle, before, after = padded[..., 1:-1:stride], padded[..., :-2:stride], padded[..., 2::stride]
        y = torch.maximum(torch.maximum(middle, before), after)
        ctx.stride = stride
        ctx.save_for_backward(middle >= y, before >= y)
        ctx.length = x.shape[-1]
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        from_middle, from_before = ctx.saved_tensors
        gradient, stride = gradients[0], ctx.stride
        to_middle = gradient * from_middle
        rest = gradient - to_middle
        to_before = rest * from_before
        to_after = rest.sub_(to_before)
        if stride == 1:
            made = to_middle
        else:
            made = gradient.new_zeros(*gradient.shape[:-1], ctx.length)
            made[..., ::stride] = to_middle
        count = made[..., stride - 1 : -1 : stride].shape[-1]
        made[..., stride - 1 : -1 : stride] += to_before[..., 1 : 1 + count]
        count = made[..., 1::stride].shape[-1]
        made[..., 1::stride] += to_after[..., :count]
        return made, None


def maximum_of_three(
    x: Float[Tensor, "batch channel joint time"], stride: int
) -> Float[Tensor, "batch channel joint short"]:
    """Maximum of each frame and its two neighbours; x must not be negative (zeros stand in for the missing ones)."""
    if torch.is_grad_enabled() and x.requires_grad and not torch.compiler.is_compiling():
        y: Tensor = MaximumOfThree.apply(x, stride)
        return y
    padded = functional.pad(x, (1, 1))
    middle = torch.maximum(padded[..., 1:-1:stride], padded[..., :-2:stride])
    return torch.maximum(middle, padded[..., 2::stride])


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

    def forward(
        self, x: Float[Tensor, "batch channel joint time"], residual: Tensor | None
    ) -> Float[Tensor, "batch channel joint short"]:
        """``ReLU(TC(x) + residual)``."""
        y = functional.conv2d(x, self.weight, stride=(1, self.stride), padding=(0, 2))
        return normalise(self.bn, y, before=self.bias, residual=residual, relu=True)


class NoTemporalConvolution(nn.Module):
    """Nothing, or the mean over ``stride`` frames so that lengths match the other kinds (Table IV's Baseline).

    Shapes: (B, C, V, T) → (B, C, V, ⌈T/s⌉).
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(
        self, x: Float[Tensor, "batch channel joint time"], residual: Tensor | None
    ) -> Float[Tensor, "batch channel joint short"]:
        """``ReLU(TC(x) + residual)``."""
        if self.stride > 1:
            x = functional.avg_pool2d(x, (1, self.stride), ceil_mode=True)
        return torch.relu(x if residual is None else x + residual)


def temporal_convolution(kind: TemporalKind, channels: int, stride: int) -> nn.Module:
    """The temporal convolution of one block by its name."""
    if kind == "multiscale":
        return MultiScaleTemporalConvolution(channels, stride)
    if kind == "single":
        return SingleTemporalConvolution(channels, stride)
    if kind == "none":
        return NoTemporalConvolution(stride)
    raise ValueError(f"tc: found {kind!r}, expected 'multiscale', 'single' or 'none'")
