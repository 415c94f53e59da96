"""The temporal convolutions against four separate branches, and loops."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError
from tests.skeleton.reference import linear, naive_batch_norm, randomised
from torch import Tensor
from torch.nn import functional

from interplay.skeleton.temporal_convolution import (
    MultiScaleTemporalConvolution,
    NoTemporalConvolution,
    SingleTemporalConvolution,
    maximum_of_three,
    temporal_convolution,
)


def taps(x: Tensor, weight: Tensor, bias: Tensor, dilation: int, stride: int) -> Tensor:
    """5-tap convolution of (C, V, T) by loops over output frames and taps; frames outside count as zero."""
    frames = x.shape[-1]
    columns = []
    for t in range(0, frames, stride):
        total = bias[:, None].expand(-1, x.shape[1]).clone()
        for k in range(5):
            source = t + (k - 2) * dilation
            if 0 <= source < frames:
                total = total + weight[:, :, k] @ x[:, :, source]
        columns.append(total)
    return torch.stack(columns, dim=-1)


def naive_multiscale(module: MultiScaleTemporalConvolution, x: Tensor, training: bool) -> Tensor:
    """Four branches, one after another, each with its own slice of the two batch norms."""
    w = module.width
    reduced = torch.stack([linear(row, module.reduce_weight.flatten(0, 1), module.reduce_bias) for row in x])
    reduced = naive_batch_norm(module.reduce_bn, reduced, training).clamp_min(0)
    branches = []
    for i, dilation in enumerate((1, 2)):
        part = reduced[:, i * w : (i + 1) * w]
        rows = [taps(row, module.taps_weight[i], module.taps_bias[i], dilation, module.stride) for row in part]
        branches.append(torch.stack(rows))
    part, frames = reduced[:, 2 * w :], x.shape[-1]
    highest = [part[..., max(0, t - 1) : t + 2].amax(dim=-1) for t in range(0, frames, module.stride)]
    branches.append(torch.stack(highest, dim=-1))
    fourth = [linear(row[..., :: module.stride], module.pointwise_weight, module.pointwise_bias) for row in x]
    branches.append(torch.stack(fourth))
    return naive_batch_norm(module.bn, torch.cat(branches, dim=1), training)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [1, 2, 5, 8])
@pytest.mark.parametrize("training", [True, False])
def test_multiscale(stride: int, frames: int, training: bool) -> None:
    torch.manual_seed(0)
    module = randomised(MultiScaleTemporalConvolution(8, stride).double()).train(training)
    x = torch.randn(4, 8, 3, frames, dtype=torch.float64)
    naive = naive_multiscale(module, x, training)
    residual = torch.randn_like(naive)
    torch.testing.assert_close(module(x, residual), (naive + residual).clamp_min(0))
    module = randomised(MultiScaleTemporalConvolution(8, stride).double()).train(training)
    naive = naive_multiscale(module, x, training)
    torch.testing.assert_close(module(x, None), naive.clamp_min(0))


def test_running_statistics_are_those_of_the_biased_convolutions() -> None:
    """In training the biases are left out of the products; evaluation must not notice."""
    torch.manual_seed(0)
    module = randomised(MultiScaleTemporalConvolution(8).double())
    for bn in (module.reduce_bn, module.bn):
        bn.momentum = 1.0
    x = torch.randn(4, 8, 3, 6, dtype=torch.float64)
    trained = module(x, None)
    count = x[:, 0].numel()
    for bn in (module.reduce_bn, module.bn):
        assert bn.num_batches_tracked == 1
        bn.running_var *= (count - 1) / count
    torch.testing.assert_close(module.eval()(x, None), trained)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [1, 2, 3, 7, 8])
def test_maximum_of_three(stride: int, frames: int) -> None:
    x = torch.rand(2, 3, 4, frames, dtype=torch.float64, requires_grad=True)
    y = maximum_of_three(x, stride)
    pooled = functional.max_pool2d(x, (1, 3), stride=(1, stride), padding=(0, 1))
    torch.testing.assert_close(y, pooled)
    weight = torch.rand_like(y)
    (ours,) = torch.autograd.grad((y * weight).sum(), x)
    (theirs,) = torch.autograd.grad((pooled * weight).sum(), x)
    torch.testing.assert_close(ours, theirs)
    with torch.no_grad():
        torch.testing.assert_close(maximum_of_three(x, stride), pooled)


@pytest.mark.parametrize("stride", [1, 2])
def test_single(stride: int) -> None:
    torch.manual_seed(0)
    module = randomised(SingleTemporalConvolution(4, stride).double()).eval()
    x = torch.randn(2, 4, 3, 7, dtype=torch.float64)
    rows = torch.stack([taps(row, module.weight[:, :, 0], module.bias, 1, stride) for row in x])
    torch.testing.assert_close(module(x, None), naive_batch_norm(module.bn, rows, False).clamp_min(0))


def test_none_averages_over_the_stride() -> None:
    x = torch.rand(2, 4, 3, 7)
    torch.testing.assert_close(NoTemporalConvolution()(x, None), x)
    made = NoTemporalConvolution(2)(x, None)
    assert made.shape[-1] == 4
    torch.testing.assert_close(made[..., 1], x[..., 2:4].mean(-1))
    torch.testing.assert_close(made[..., 3], x[..., 6])


def test_arguments() -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        MultiScaleTemporalConvolution(6)
    with pytest.raises((ValueError, TypeCheckError), match="wavelet"):
        temporal_convolution("wavelet", 8, 1)  # type: ignore[arg-type]
