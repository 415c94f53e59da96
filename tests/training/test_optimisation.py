from __future__ import annotations

import math

import pytest
import torch

from interplay.training.optimisation import build_optimiser, learning_rate
from interplay.training.settings import OptimiserSettings


def test_the_paper_s_schedule() -> None:
    settings = OptimiserSettings()
    rates = [learning_rate(settings, epoch, 65) for epoch in range(65)]
    assert rates[:5] == pytest.approx([0.002, 0.004, 0.006, 0.008, 0.01])
    assert rates[5:35] == pytest.approx([0.01] * 30)
    assert rates[35:55] == pytest.approx([0.001] * 20)
    assert rates[55:] == pytest.approx([0.0001] * 10)


def test_cosine_falls_from_the_rate_to_its_final_share() -> None:
    settings = OptimiserSettings(lr=2.0, warmup_epochs=2, schedule="cosine", final=0.1)
    rates = [learning_rate(settings, epoch, 12) for epoch in range(12)]
    assert rates[:3] == pytest.approx([1.0, 2.0, 2.0])
    assert rates[-1] == pytest.approx(0.2)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    middle = 2.0 * (0.1 + 0.9 * (1 + math.cos(math.pi * 3 / 9)) / 2)
    assert rates[5] == pytest.approx(middle)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_cosine_of_a_run_shorter_than_its_warm_up(epochs: int) -> None:
    settings = OptimiserSettings(lr=1.0, warmup_epochs=2, schedule="cosine", final=0.5)
    rates = [learning_rate(settings, epoch, epochs) for epoch in range(epochs)]
    assert rates == pytest.approx([0.5, 1.0, 0.5][:epochs])


def test_the_optimiser_is_nesterov_sgd_over_all_parameters() -> None:
    layer = torch.nn.Linear(2, 2)
    optimiser = build_optimiser(layer.parameters(), OptimiserSettings())
    (group,) = optimiser.param_groups
    assert (group["lr"], group["momentum"], group["nesterov"], group["weight_decay"]) == (0.01, 0.9, True, 0.0004)
    assert len(group["params"]) == 2
