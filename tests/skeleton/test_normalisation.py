"""Batch norm with its surroundings against the modules of PyTorch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from interplay.skeleton.normalisation import batch_statistics, normalise


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_equals_the_modules(training: bool, residual: bool, relu: bool, before: bool) -> None:
    torch.manual_seed(0)
    bn = nn.BatchNorm2d(3).double().train(training)
    with torch.no_grad():
        bn.weight.uniform_(0.5, 2)
        bn.bias.normal_()
        bn.running_mean.normal_()
    other = copy.deepcopy(bn)
    x, r = (torch.randn(4, 3, 5, 6, dtype=torch.float64, requires_grad=True) for _ in range(2))
    bias = torch.randn(3, dtype=torch.float64, requires_grad=True)
    y = normalise(bn, x, before=bias if before else None, residual=r if residual else None, relu=relu)
    z = other(x + bias[:, None, None] if before else x)
    z = z + r if residual else z
    z = z.relu() if relu else z
    torch.testing.assert_close(y, z)
    weight = torch.randn_like(y)
    wanted = [t for t, used in ((x, True), (r, residual), (bias, before)) if used]
    ours = torch.autograd.grad((y * weight).sum(), [*wanted, bn.weight, bn.bias])
    theirs = torch.autograd.grad((z * weight).sum(), [*wanted, other.weight, other.bias])
    torch.testing.assert_close(ours, theirs)
    for name, buffer in bn.named_buffers():
        torch.testing.assert_close(buffer, other.get_buffer(name))


def test_statistics_far_from_zero() -> None:
    """Sums of squares lose digits where the mean is large against the deviation; this bounds how many."""
    x = 30 + torch.randn(16, 8, 25, 64, generator=torch.Generator().manual_seed(0))
    mean, variance = batch_statistics(x)
    exact, exact_mean = torch.var_mean(x.double(), (0, 2, 3), correction=0)
    torch.testing.assert_close(mean.double(), exact_mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(variance.double(), exact, rtol=1e-3, atol=0)


def test_one_value_per_channel_uses_the_running_statistics() -> None:
    bn = nn.BatchNorm2d(3)
    bn.eval()
    x = torch.randn(1, 3, 1, 1)
    torch.testing.assert_close(normalise(bn, x), bn(x))
