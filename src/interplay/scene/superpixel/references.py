"""Reference features g_k: what the frozen map says about each box (SIL Eq. 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchvision.ops import roi_align

Size = tuple[int, int]


def valid_extent(size: Size, stride: int) -> Size:
    """Rows and columns of a map that a picture of ``size`` (height, width) covers: ⌈H / stride⌉, ⌈W / stride⌉."""
    return -(-size[0] // stride), -(-size[1] // stride)


def pyramid_level(
    boxes: Float[Tensor, "box 4"], lowest: int, highest: int, canonical_side: float = 224.0
) -> Int[Tensor, " box"]:
    """⌊4 + log2(√area / canonical_side + 1e-6)⌋ within the levels there are; the last pixel belongs to the box."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    scale = sides.clamp_min(0).prod(1).sqrt()
    return torch.floor(4 + torch.log2(scale / canonical_side + 1e-6)).clamp(lowest, highest).long()


@torch.no_grad()
def box_means(
    features: Float[Tensor, "image channel h w"], boxes: Sequence[Tensor], extents: Sequence[Size], stride: int
) -> list[Float[Tensor, "box channel"]]:
    """RoIAlign (7×7, two samples a side, without the half-pixel shift) of every box, averaged.

    Only the valid region is read, so that what lies in the padding cannot matter. Never differentiated.
    """
    means = []
    for image, (own, (rows, columns)) in enumerate(zip(boxes, extents, strict=True)):
        region = features[image : image + 1, :, :rows, :columns].float()
        pooled = roi_align(region, [own.float()], output_size=7, spatial_scale=1 / stride, sampling_ratio=2)
        means.append(pooled.mean((2, 3)))
    return means


def assigned_box_means(
    features: Mapping[str, Tensor],
    boxes: Sequence[Tensor],
    sizes: Sequence[Size],
    strides: Mapping[str, int],
    canonical_side: float = 224.0,
) -> list[Float[Tensor, "box channel"]]:
    """:func:`box_means` of each box on the level that its area chooses."""
    by_level = {stride.bit_length() - 1: key for key, stride in strides.items()}
    there = torch.tensor(sorted(by_level), device=boxes[0].device)
    wanted = [pyramid_level(own, min(by_level), max(by_level), canonical_side) for own in boxes]
    levels = [there[(level[:, None] - there).abs().argmin(1)] for level in wanted]  # where a level is left out
    channels = next(features[key] for key in strides).shape[1]
    means = [own.new_zeros(len(own), channels, dtype=torch.float32) for own in boxes]
    for level, key in by_level.items():
        rows = [(own == level).nonzero().flatten() for own in levels]
        if any(len(row) for row in rows):
            chosen = [own[row] for own, row in zip(boxes, rows, strict=True)]
            extents = [valid_extent(size, strides[key]) for size in sizes]
            for image, found in enumerate(box_means(features[key], chosen, extents, strides[key])):
                means[image][rows[image]] = found
    return means
