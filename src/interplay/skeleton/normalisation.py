"""Batch norm together with what surrounds it: a bias before, a residual and a ReLU after."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


def batch_statistics(x: Float[Tensor, "row channel *place"]) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance per channel, combined in float64 from the sums of each row."""
    count = x[:, 0].numel()
    flat = x.flatten(2)
    total = flat.sum(-1).sum(0, dtype=torch.float64)
    squares = torch.linalg.vector_norm(flat, dim=-1).double().square().sum(0)
    mean = total / count
    return mean.to(x.dtype), (squares / count - mean.square()).clamp_min(0).to(x.dtype)


class NormaliseAddRelu(torch.autograd.Function):
    """``y = ReLU(BN(x) + residual)`` with batch statistics, ReLU and residual optional; also mean and variance.

    Shapes: x and residual (rows, C, V, T), weight and bias (C).
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, residual: Tensor | None, relu: bool, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = x.contiguous()
        if x.dtype == torch.bfloat16 or x.device.type != "cpu":
            y, mean, inverse = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, eps)
            variance = inverse.pow(-2) - eps
        else:  # the built-in statistics take three times as long as everything else
            mean, variance = batch_statistics(x)
            inverse = torch.rsqrt(variance + eps)
            y = torch.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, eps)[0]
        if residual is not None:
            y += residual
        if relu:
            y.relu_()
        ctx.relu, ctx.eps, ctx.has_residual = relu, eps, residual is not None
        ctx.save_for_backward(x, weight, mean, inverse, y if relu else None)
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse, y = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        if y is not None:
            gradient = torch.ops.aten.threshold_backward(gradient, y, 0)
        d_x, d_weight, d_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, None, None, mean, inverse, True, ctx.eps, [True, True, True]
        )
        return d_x, d_weight, d_bias, gradient if ctx.has_residual else None, None, None


class _Unmoved(torch.autograd.Function):
    """x itself; the bias that a batch norm would take away again keeps its gradient, which is zero."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(bias)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        return gradients[0], torch.zeros_like(ctx.saved_tensors[0])


def normalise(
    bn: nn.BatchNorm2d,
    x: Float[Tensor, "row channel joint time"],
    *,
    before: Float[Tensor, " channel"] | None = None,
    residual: Float[Tensor, "row channel joint time"] | None = None,
    relu: bool = False,
) -> Float[Tensor, "row channel joint time"]:
    """``ReLU(BN(x + before) + residual)``.

    Args:
        bn: parameters, running statistics and mode.
        x: its input.
        before: bias of the convolution that made x. With batch statistics it has no effect but on the running mean,
            so it is not added to x then.
        residual: added after the norm.
        relu: apply a ReLU at the end.
    """
    if residual is not None:
        residual = residual.to(x.dtype)
    if bn.training and x.numel() > bn.num_features:
        if before is not None:
            x = _Unmoved.apply(x, before)
        y, mean, variance = NormaliseAddRelu.apply(x, bn.weight, bn.bias, residual, relu, bn.eps)
        with torch.no_grad():
            _update(bn, mean if before is None else mean + before, variance, x[:, 0].numel())
        made: Tensor = y
        return made
    if before is not None:
        x = x + before.to(x.dtype)[:, None, None]
    z: Tensor = bn(x)
    if residual is not None:
        z = z + residual
    return torch.relu(z) if relu else z


def _update(bn: nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: int) -> None:
    """Running statistics, as ``nn.BatchNorm2d`` keeps them (the variance unbiased)."""
    assert bn.running_mean is not None
    assert bn.running_var is not None
    assert bn.num_batches_tracked is not None
    bn.num_batches_tracked += 1
    momentum = 0.1 if bn.momentum is None else bn.momentum
    bn.running_mean.lerp_(mean.to(bn.running_mean.dtype), momentum)
    bn.running_var.lerp_(variance.to(bn.running_var.dtype) * (count / max(1, count - 1)), momentum)
