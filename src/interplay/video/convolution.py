"""The 3-D convolutions of the backbone, each in the form that is fastest for its kernel.

With channels last, a 1×1×1 convolution is a matrix product, a 3×1×1 one a 2-D convolution over (time, place), and a
1×3×3 one a 2-D convolution of frames; all three read the map as it lies in memory. PyTorch's own 3-D convolution
reaches a tenth to a third of the processor's rate on the first two (rows ``backbone kernels`` of the benchmark).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Triple = tuple[int, int, int]


def convolve(
    x: Float[Tensor, "batch channel frame y x"],
    weight: Float[Tensor, "out channel taps rows columns"],
    bias: Float[Tensor, " out"] | None = None,
    stride: Triple = (1, 1, 1),
) -> Float[Tensor, "batch out step v u"]:
    """A convolution padded by half of its (odd) kernel."""
    taps, rows, columns = weight.shape[2:]
    padding = (taps // 2, rows // 2, columns // 2)
    last = x.is_contiguous(memory_format=torch.channels_last_3d)
    if last and stride[0] == 1:
        if (taps, rows, columns) == (1, 1, 1):
            # Permuted before it is cut: a cut's gradient lies in memory as what was cut, and stays channels last.
            seen = x.permute(0, 2, 3, 4, 1)[:, :, :: stride[1], :: stride[2]]
            made = functional.linear(seen.reshape(-1, seen.shape[-1]), weight.flatten(1), bias)  # one plain product
            return made.view(*seen.shape[:-1], -1).permute(0, 4, 1, 2, 3)
        batch, channels, frames, height, width = x.shape
        if (rows, columns) == (1, 1) and stride == (1, 1, 1):
            flat = x.permute(0, 2, 3, 4, 1).reshape(batch, frames, height * width, channels).permute(0, 3, 1, 2)
            made = functional.conv2d(flat, weight[..., 0], bias, padding=(padding[0], 0))
            made = made.permute(0, 2, 3, 1).reshape(batch, frames, height, width, -1)
            return made.permute(0, 4, 1, 2, 3)
        if taps == 1:
            flat = x.transpose(1, 2).flatten(0, 1)
            made = functional.conv2d(flat, weight[:, :, 0], bias, stride[1:], padding[1:])
            return made.view(batch, frames, *made.shape[1:]).transpose(1, 2)
    return functional.conv3d(x, weight, bias, stride, padding)
