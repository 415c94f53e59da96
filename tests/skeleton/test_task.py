from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from interplay.skeleton.datamodule import Batch
from interplay.skeleton.task import SkeletonTask
from interplay.training.settings import OptimiserSettings


class Fixed(nn.Module):
    """Says its one row of logits of every clip."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(clips), -1)


class Alone:
    """A strategy of one process."""

    def reduce(self, value: torch.Tensor, reduce_op: str) -> torch.Tensor:
        assert reduce_op == "sum"
        return value


def batch(labels: list[int]) -> Batch:
    return Batch(torch.zeros(len(labels), 3, 4, 15, 2), torch.tensor(labels), torch.arange(len(labels)))


def test_the_loss_is_smoothed_cross_entropy() -> None:
    task = SkeletonTask(Fixed([1.0, 0.0, -1.0]), OptimiserSettings(label_smoothing=0.3), classes=3)
    loss = task.training_step(batch([0, 2]), 0)
    normaliser = math.log(sum(math.exp(value) for value in (1.0, 0.0, -1.0)))
    log_p = [1.0 - normaliser, -normaliser, -1.0 - normaliser]
    expected = -sum(sum((0.7 * (k == label) + 0.1) * log_p[k] for k in range(3)) for label in (0, 2)) / 2
    assert float(loss.detach()) == pytest.approx(expected)


def test_unlabelled_clips_are_not_evaluated_and_smoothing_is_for_training() -> None:
    task = SkeletonTask(Fixed([2.0, 0.0]), OptimiserSettings(label_smoothing=0.5), classes=2)
    task.validation_step(batch([0, -1, 1]), 0)
    task.validation_step(batch([]), 1)
    found = task._tallies["test"].metrics(Alone())
    assert float(found["top1"]) == 0.5
    assert float(found["loss"]) == pytest.approx(math.log(1 + math.exp(-2)) + 1)


def test_the_average_follows_the_weights_and_is_what_is_evaluated() -> None:
    network = Fixed([0.0, 0.0])
    task = SkeletonTask(network, OptimiserSettings(average=0.75), classes=2)
    for value in (1.0, 2.0):
        with torch.no_grad():
            network.logits.fill_(value)
        task.on_train_batch_end(None, None, 0)
    # The first update copies, the second one mixes: 0.75·1 + 0.25·2.
    trained: Any = task.trained
    assert trained.logits.tolist() == [1.25, 1.25]
    assert SkeletonTask(network, OptimiserSettings(), classes=2).trained is network


def test_only_the_trained_network_is_optimised() -> None:
    task = SkeletonTask(Fixed([0.0]), OptimiserSettings(average=0.9), classes=1)
    optimiser: Any = task.configure_optimizers()
    assert [len(group["params"]) for group in optimiser.param_groups] == [1]
