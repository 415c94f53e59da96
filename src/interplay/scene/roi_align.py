"""RoIAlign as torchvision computes it, with a backward pass for the CPU that is matrix products.

Bilinear sampling on a grid is separable: what a box takes of a map is a matrix of shares of the rows times one of the
columns. torchvision's CPU kernel goes backwards sample by sample on one thread, which was a quarter of a training step
with superpixels on the playground. The products cost more the larger the map: on 9×12 to 36×48 points they are 10 to 2
times faster, on 150×250 slower; so large maps, and CUDA, have torchvision's own kernel.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torchvision.ops import roi_align as torchvision_roi_align

SMALL = 64 * 64
"""Points of the largest map that goes backwards as products."""
AT_ONCE = 2**24
"""Numbers of the largest intermediate of the backward pass; more boxes than fit are added up in parts."""


def roi_align(
    features: Float[Tensor, "image channel h w"],
    regions: Float[Tensor, "n 5"],
    size: int,
    scale: float,
    sampling: int,
) -> Float[Tensor, "n channel size size"]:
    """``torchvision.ops.roi_align`` with ``aligned=False``: pooled = Σ_y Σ_x R[p, y] · C[q, x] · features[:, y, x].

    Args:
        regions: (n, 5) image, x1, y1, x2, y2 in pixels; not differentiated.
        size: cells of the pooled grid's side.
        scale: points of the map per pixel.
        sampling: points per cell and direction, at least 1.
    """
    small = features.shape[2] * features.shape[3] <= SMALL
    if small and features.device.type == "cpu" and features.requires_grad and torch.is_grad_enabled():
        made: Tensor = _Products.apply(features, regions, size, scale, sampling)
        return made
    found: Tensor = torchvision_roi_align(features, regions, size, scale, sampling, aligned=False)
    return found


def axis_shares(
    low: Float[Tensor, " n"], high: Float[Tensor, " n"], cells: int, size: int, sampling: int
) -> Float[Tensor, "n size cells"]:
    """Share of each of ``cells`` points of an axis in each bin of boxes from ``low`` to ``high``, in points.

    Samples more than a point outside count 0, nearer ones are moved to the border; a box is at least a point wide.
    """
    inside = (torch.arange(size * sampling, device=low.device, dtype=low.dtype) + 0.5) / (size * sampling)
    at = low[:, None] + (high - low).clamp_min(1)[:, None] * inside
    used = (at >= -1) & (at <= cells)
    at = at.clamp(0, cells - 1)
    hats = (1 - (at[..., None] - torch.arange(cells, device=low.device)).abs()).clamp_min(0) * used[..., None]
    return hats.view(len(at), size, sampling, cells).mean(dim=2)


class _Products(torch.autograd.Function):
    """Forwards torchvision's kernel, backwards two products per image."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, regions: Tensor, size: int, scale: float, sampling: int) -> Tensor:
        ctx.save_for_backward(regions)
        ctx.shape, ctx.size, ctx.scale, ctx.sampling = features.shape, size, scale, sampling
        found: Tensor = torchvision_roi_align(features, regions, size, scale, sampling, aligned=False)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (regions,) = gradients, ctx.saved_tensors
        images, channels, height, width = ctx.shape
        left, top, right, bottom = (regions[:, 1:].to(gradient.dtype) * ctx.scale).unbind(dim=1)
        rows = axis_shares(top, bottom, height, ctx.size, ctx.sampling)
        columns = axis_shares(left, right, width, ctx.size, ctx.sampling)
        owner = regions[:, 0].long()
        made = gradient.new_zeros(images, height, channels * width)
        part = max(1, AT_ONCE // (ctx.size * channels * width))
        for image in range(images):
            for own in (owner == image).nonzero()[:, 0].split(part):
                # (n, C·p, q) × (n, q, W), then (H, n·p) × (n·p, C·W)
                across = torch.bmm(gradient[own].flatten(1, 2), columns[own])
                across = across.view(len(own), channels, ctx.size, width).transpose(1, 2)
                made[image].addmm_(rows[own].flatten(0, 1).T, across.reshape(-1, channels * width))
        return made.view(images, height, channels, width).transpose(1, 2), None, None, None, None
