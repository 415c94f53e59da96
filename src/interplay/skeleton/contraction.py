"""The two heavy products of a me-GC unit, with backward passes that neither copy nor keep what can be made again.

Both are ordinary formulas (see the classes); they are written as autograd functions because the plain form keeps the
V×V maps of every channel for the backward pass (more memory than the features from block 6 on) and builds per-sample
weight gradients before summing them.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

CHUNK_FLOATS = 1 << 21
"""Size up to which channel maps are made at a time on a CPU, so that they are still in the cache when they are used."""
ROWS = 8
"""Per-row weight gradients of lower precision that are made before they are summed."""


def _chunk(maps: Tensor, out_channels: int) -> int:
    """Rows (batch × entity) that are lifted at a time."""
    if maps.device.type != "cpu":
        return max(1, maps.shape[0])
    per_row = out_channels * maps.shape[1] * maps.shape[-1]
    return max(1, CHUNK_FLOATS // max(1, per_row))


def lift_maps(
    maps: Float[Tensor, "row subset relation pair"], weight: Float[Tensor, "subset out relation"]
) -> Float[Tensor, "row out subset pair"]:
    """``A[b,c,s,·] = Σ_k W[s,c,k]·Ṽ[b,s,k,·]``, written side by side so that (s, d) is one index."""
    rows, subsets, _, pairs = maps.shape
    lifted = maps.new_empty(rows, weight.shape[1], subsets, pairs)
    for s in range(subsets):
        torch.bmm(weight[s].expand(rows, -1, -1), maps[:, s], out=lifted[:, :, s])
    return lifted


class LiftAndAggregate(torch.autograd.Function):
    """``out[b,c,e,t] = Σ_s Σ_d A[b,c,s,d,e]·F̃[b,c,s,d,t]`` with ``A[b,c,s,·] = Σ_k W[s,c,k]·Ṽ[b,s,k,·]`` (Eq. 1).

    A is made for a few rows at a time and made again in the backward pass, from Ṽ, which has far fewer channels.

    Shapes: Ṽ (rows, S, K, V·V), W (S, Cout, K), F̃ (rows, Cout, S, V, T) → (rows, Cout, V, T).
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, features: Tensor) -> Tensor:
        features = features.contiguous()
        ctx.save_for_backward(maps, weight, features)
        return aggregate(maps, weight, features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps, weight, features = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        rows, channels, subsets, joints, time = features.shape
        d_maps, d_features = torch.empty_like(maps), torch.empty_like(features)
        d_weight = torch.zeros_like(weight)
        low = weight.to(maps.dtype)
        step = _chunk(maps, channels)
        for start in range(0, rows, step):
            part = slice(start, start + step)
            inner = gradient[part].reshape(-1, joints, time)
            count = len(inner)
            lifted = lift_maps(maps[part], low).view(count, subsets * joints, joints)
            part_features = features[part].reshape(count, subsets * joints, time)
            torch.bmm(lifted, inner, out=d_features[part].view(count, subsets * joints, time))
            d_lifted = torch.bmm(part_features, inner.transpose(1, 2), out=lifted)
            d_lifted = d_lifted.view(-1, channels, subsets, joints * joints)
            for s in range(subsets):
                torch.bmm(low[s].T.expand(len(d_lifted), -1, -1), d_lifted[:, :, s], out=d_maps[part, s])
                d_weight[s] += torch.bmm(d_lifted[:, :, s], maps[part, s].transpose(1, 2)).sum(0, dtype=weight.dtype)
        return d_maps, d_weight, d_features


def aggregate(
    maps: Float[Tensor, "row subset relation pair"],
    weight: Float[Tensor, "subset out relation"],
    features: Float[Tensor, "row out subset joint time"],
) -> Float[Tensor, "row out joint time"]:
    """The forward formula of :class:`LiftAndAggregate`."""
    rows, channels, subsets, joints, time = features.shape
    if torch.compiler.is_compiling():
        lifted = torch.einsum("bskp,sck->bcsp", maps, weight.to(maps.dtype))
        lifted = lifted.reshape(rows, channels, subsets * joints, joints)
        return lifted.transpose(2, 3) @ features.reshape(rows, channels, subsets * joints, time)
    return aggregate_onto(None, maps, weight, features)


def aggregate_onto(
    onto: Float[Tensor, "row out joint time"] | None,
    maps: Float[Tensor, "row subset relation pair"],
    weight: Float[Tensor, "subset out relation"],
    features: Float[Tensor, "row out subset joint time"],
) -> Float[Tensor, "row out joint time"]:
    """The same without gradients, added to ``onto`` in place where that is given."""
    rows, channels, subsets, joints, time = features.shape
    weight = weight.to(maps.dtype)
    out = features.new_empty(rows, channels, joints, time) if onto is None else onto
    step = _chunk(maps, channels)
    for start in range(0, rows, step):
        part = slice(start, start + step)
        lifted = lift_maps(maps[part], weight).view(-1, subsets * joints, joints).transpose(1, 2)
        part_features = features[part].reshape(-1, subsets * joints, time)
        part_out = out[part].view(-1, joints, time)
        if onto is None:
            torch.bmm(lifted, part_features, out=part_out)
        else:
            part_out.baddbmm_(lifted, part_features)
    return out


def lift_and_aggregate(
    maps: Float[Tensor, "row subset relation pair"],
    weight: Float[Tensor, "subset out relation"],
    features: Float[Tensor, "row out subset joint time"],
) -> Float[Tensor, "row out joint time"]:
    """:class:`LiftAndAggregate`, with or without gradients."""
    if torch.is_grad_enabled():
        made: Tensor = LiftAndAggregate.apply(maps, weight, features)
        return made
    return aggregate(maps, weight, features)


class Pointwise(torch.autograd.Function):
    """``y[b] = W·x[b] + bias`` for all joints and frames of a row; the weight's gradient is summed while it is made.

    Shapes: x (rows, Cin, N), W (Cout, Cin), bias (Cout) → (rows, Cout, N).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return apply_pointwise(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = torch.bmm(weight.to(x.dtype).T.expand(len(x), -1, -1), gradient)
        d_weight = torch.zeros_like(weight)
        if x.dtype == weight.dtype:
            for row, row_gradient in zip(x, gradient, strict=True):
                d_weight.addmm_(row_gradient, row.T)
        else:
            for start in range(0, len(x), ROWS):  # summed in the weight's precision
                part = slice(start, start + ROWS)
                d_weight += torch.bmm(gradient[part], x[part].transpose(1, 2)).sum(0, dtype=weight.dtype)
        return d_x, d_weight, gradient.sum((0, 2), dtype=weight.dtype)


def apply_linear(
    x: Float[Tensor, "row channel place"], weight: Float[Tensor, "out channel"]
) -> Float[Tensor, "row out place"]:
    """W·x[b] without a bias."""
    return torch.bmm(weight.to(x.dtype).expand(len(x), -1, -1), x)


def apply_pointwise(
    x: Float[Tensor, "row channel place"], weight: Float[Tensor, "out channel"], bias: Float[Tensor, " out"]
) -> Float[Tensor, "row out place"]:
    """The forward formula of :class:`Pointwise`, in the precision of x."""
    return torch.baddbmm(bias.to(x.dtype)[:, None], weight.to(x.dtype).expand(len(x), -1, -1), x)


def pointwise(
    x: Float[Tensor, "row channel *place"], weight: Float[Tensor, "out channel"], bias: Float[Tensor, " out"]
) -> Float[Tensor, "row out *place"]:
    """A 1×1 convolution; see :class:`Pointwise`. Under autocast in its lower precision."""
    flat = working(x).flatten(2)
    if torch.is_grad_enabled():
        y: Tensor = Pointwise.apply(flat, weight, bias)
    else:
        y = apply_pointwise(flat, weight, bias)
    return y.view(len(x), -1, *x.shape[2:])


def working(x: Tensor) -> Tensor:
    """x in autocast's precision where autocast is on."""
    if torch.is_autocast_enabled(x.device.type):
        return x.to(torch.get_autocast_dtype(x.device.type))
    return x
