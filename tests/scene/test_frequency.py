"""The frequency bias against its definition."""

from __future__ import annotations

import pytest
import torch

from interplay.scene.frequency import FrequencyBias


@pytest.fixture
def bias() -> FrequencyBias:
    return FrequencyBias(torch.randn(25, 4, generator=torch.Generator().manual_seed(0)))


def test_rows_of_class_pairs(bias: FrequencyBias) -> None:
    subjects, objects = torch.tensor([0, 4, 2]), torch.tensor([3, 4, 1])
    expected = bias.table.weight.view(5, 5, 4)[subjects, objects]
    torch.testing.assert_close(bias(subjects, objects), expected, rtol=0, atol=0)
    assert bias(subjects[:0], objects[:0]).shape == (0, 4)


def test_soft_rows_are_the_expectation(bias: FrequencyBias) -> None:
    probabilities = torch.rand(6, 5, 2).softmax(dim=1)
    expected = torch.zeros(6, 4)
    for a in range(5):
        for b in range(5):
            weight = probabilities[:, a, 0] * probabilities[:, b, 1]
            expected += weight[:, None] * bias.table.weight[a * 5 + b]
    torch.testing.assert_close(bias.soft(probabilities), expected)


def test_certain_distributions_are_labels(bias: FrequencyBias) -> None:
    labels = torch.tensor([[1, 2], [4, 0]])
    certain = torch.nn.functional.one_hot(labels, 5).float().transpose(1, 2)
    torch.testing.assert_close(bias.soft(certain), bias(labels[:, 0], labels[:, 1]))


def test_only_rows_looked_up_get_a_gradient(bias: FrequencyBias) -> None:
    bias(torch.tensor([1]), torch.tensor([3])).sum().backward()
    assert bias.table.weight.grad is not None
    assert bias.table.weight.grad.abs().sum(dim=1).nonzero().flatten().tolist() == [1 * 5 + 3]


def test_table_is_copied_and_must_be_square() -> None:
    table = torch.zeros(9, 2)
    FrequencyBias(table).table.weight.data.add_(1)
    assert float(table.abs().sum()) == 0
    with pytest.raises(ValueError, match="square"):
        FrequencyBias(torch.zeros(8, 2))
