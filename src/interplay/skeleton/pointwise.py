"""1×1 convolutions as batched products, whose weight gradient is summed while it is made."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

ROWS = 8
"""Weight gradients of a lower precision that are summed in it before they join the sum in the weight's own."""
SMALL = 1 << 16
"""Elements of a weight up to which that is faster with a product per row first and a sum after."""


def working(x: Tensor) -> Tensor:
    """x in autocast's precision where autocast is on."""
    if torch.is_autocast_enabled(x.device.type):
        return x.to(torch.get_autocast_dtype(x.device.type))
    return x


def apply_linear(
    x: Float[Tensor, "row channel place"], weight: Float[Tensor, "out channel"]
) -> Float[Tensor, "row out place"]:
    """``y[b] = W·x[b]`` in the precision of x."""
    return torch.bmm(weight.to(x.dtype).expand(x.shape[0], -1, -1), x)


def add_weight_gradient(
    onto: Float[Tensor, "out channel"],
    gradient: Float[Tensor, "row out place"],
    x: Float[Tensor, "row channel place"],
) -> None:
    """``onto += Σ_b gradient[b]·x[b]ᵀ`` in place and in the precision of ``onto``."""
    if x.device.type != "cpu":
        onto += torch.bmm(gradient, x.transpose(1, 2)).sum(0, dtype=onto.dtype)
    elif x.dtype == onto.dtype:
        for row_gradient, row in zip(gradient, x, strict=True):
            onto.addmm_(row_gradient, row.T)
    elif onto.numel() <= SMALL:
        for start in range(0, x.shape[0], ROWS):
            part = slice(start, start + ROWS)
            onto += torch.bmm(gradient[part], x[part].transpose(1, 2)).sum(0).to(onto.dtype)
    else:  # a few rows are summed in the products' precision, these sums in that of ``onto``
        made = None
        for row, (row_gradient, row_x) in enumerate(zip(gradient, x, strict=True), start=1):
            if made is None:
                made = torch.mm(row_gradient, row_x.T)
            else:
                made.addmm_(row_gradient, row_x.T)
            if row % ROWS == 0 or row == len(x):
                onto += made.to(onto.dtype)
                made = None


class Linear(torch.autograd.Function):
    """``y_i[b] = W_i·x[b]`` for any number of weights; x's gradient is summed inside the products.

    Shapes: x (rows, Cin, N), W_i (Cout_i, Cin) → (rows, Cout_i, N) each.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(x, *weights)
        return tuple(apply_linear(x, weight) for weight in weights)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, *weights = ctx.saved_tensors
        d_x = None
        d_weights = []
        for weight, gradient in zip(weights, gradients, strict=True):
            gradient = gradient.contiguous()
            if ctx.needs_input_grad[0]:
                turned = weight.to(x.dtype).T.contiguous().expand(len(x), -1, -1)
                d_x = torch.bmm(turned, gradient) if d_x is None else d_x.baddbmm_(turned, gradient)
            d_weight = torch.zeros_like(weight)
            add_weight_gradient(d_weight, gradient, x)
            d_weights.append(d_weight)
        return d_x, *d_weights


def pointwise(
    x: Float[Tensor, "row channel *place"], *weights: Float[Tensor, "_ channel"]
) -> tuple[Float[Tensor, "row _ *place"], ...]:
    """1×1 convolutions of the same x without biases; under autocast in its lower precision."""
    flat = working(x).flatten(2)
    made: tuple[Tensor, ...]
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        made = Linear.apply(flat, *weights)
    else:
        made = tuple(apply_linear(flat, weight) for weight in weights)
    return tuple(y.view(x.shape[0], -1, *x.shape[2:]) for y in made)


class Fork(torch.autograd.Function):
    """x twice and its mean over the last dimension; the three gradients meet in one place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ctx.shape = x.shape
        return x.view_as(x), x.view_as(x), x.mean(dim=-1, dtype=torch.promote_types(x.dtype, torch.float32))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        first, second, pooled = gradients
        made = first + second
        made += (pooled / ctx.shape[-1]).to(made.dtype)[..., None]
        return made
