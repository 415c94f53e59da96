"""Structure weights: where they start, what wins, and the variance loss against NumPy."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch

from interplay.video.structure_weights import AdaptiveWeights, FreeWeights, diversity_loss, strongest


def test_mixtures_start_uniform_and_follow_the_clip() -> None:
    made = AdaptiveWeights(8, 3, 5)
    x = torch.randn(4, 8)
    assert [name for name, _ in made.named_parameters()] == ["linear.weight"]
    assert not bool(made(x).detach().any())
    torch.nn.init.normal_(made.linear.weight)
    a = made.linear.weight.detach().view(3, 5, 8)
    torch.testing.assert_close(made(x).detach(), torch.einsum("eod,bd->beo", a, x))


def test_structure_weights_are_in_full_precision_under_autocast() -> None:
    made = AdaptiveWeights(8, 3, 5)
    torch.nn.init.normal_(made.linear.weight)
    x = torch.randn(4, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(made(x), made(x.float()))
        assert made(x.bfloat16()).dtype == torch.float32


def test_free_weights_are_the_same_for_all_clips() -> None:
    made = FreeWeights(3, 5)
    found = made(torch.randn(4, 8))
    assert torch.equal(found[0], found[3])
    assert 0 < float(found.detach().abs().max()) < 0.01


def test_strongest() -> None:
    weights = torch.tensor([[[5.0, 1.0, 2.0], [0.0, 3.0, 1.0]]])
    assert strongest(weights).tolist() == [[0, 1]]
    assert strongest(weights, zero=0).tolist() == [[2, 1]]


@pytest.mark.parametrize("on", ["raw", "softmax"])
@pytest.mark.parametrize("over", ["clip", "batch"])
def test_diversity_loss_against_numpy(on: Literal["raw", "softmax"], over: Literal["clip", "batch"]) -> None:
    weights = np.random.default_rng(0).normal(size=(4, 6, 5))
    values = weights
    if on == "softmax":
        values = np.exp(weights) / np.exp(weights).sum(axis=2, keepdims=True)
    summed = values.sum(axis=1)
    summed = summed.mean(axis=0, keepdims=True) if over == "batch" else summed
    expected = np.mean([row.var(ddof=1) for row in summed])
    np.testing.assert_allclose(diversity_loss(torch.from_numpy(weights), on, over), expected, rtol=1e-12)


def test_diversity_loss_of_some_operations() -> None:
    weights = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 6, 5)))
    expected = np.mean([row.var(ddof=1) for row in weights.numpy().sum(axis=1)[:, 2:]])
    np.testing.assert_allclose(diversity_loss(weights, places=[2, 3, 4]), expected, rtol=1e-12)


def test_diversity_loss_is_least_where_all_are_used_equally() -> None:
    even = torch.eye(3).expand(2, 3, 3) * 4
    assert float(diversity_loss(even)) == 0
    assert float(diversity_loss(torch.tensor([[[4.0, 0.0, 0.0]] * 3]))) == pytest.approx(48)
