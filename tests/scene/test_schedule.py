"""What weight decay reaches, and when a schedule ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import nn

from interplay.scene.frequency import FrequencyBias
from interplay.scene.schedule import SceneOptimiser, StepSchedule, build_optimiser


class Parts(nn.Module):
    """One of everything that has a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.ModuleDict(
            {
                "linear": nn.Linear(2, 2),
                "tree": nn.LSTM(2, 2),
                "frequency": FrequencyBias(torch.zeros(4, 3)),
                "labels": nn.Embedding(3, 2),
            }
        )
        self.interaction = nn.MultiheadAttention(2, 1)


def test_biases_and_frequency_tables_do_not_decay() -> None:
    model = Parts()
    groups = build_optimiser(model, SceneOptimiser(weight_decay=0.5, sil_lr_multiplier=3.0), 2).param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert sum(len(group["params"]) for group in groups) == len(names)
    decayed = {names[id(one)] for group in groups if group["weight_decay"] for one in group["params"]}
    assert decayed == {
        "head.linear.weight",
        "head.tree.weight_ih_l0",
        "head.tree.weight_hh_l0",
        "head.labels.weight",
        "interaction.in_proj_weight",
        "interaction.out_proj.weight",
    }
    assert {group["weight_decay"] for group in groups} == {0.0, 0.5}
    rates = {names[id(one)].split(".")[0]: group["lr"] for group in groups for one in group["params"]}
    assert rates["interaction"] == pytest.approx(3 * rates["head"])


def test_the_plateau_schedule_ends_at_its_last_decay() -> None:
    settings = SceneOptimiser(schedule="plateau", patience=1, decays=3)
    schedule = StepSchedule(settings, "recall")
    trainer: Any = SimpleNamespace(callback_metrics={"recall": torch.tensor(0.5)}, should_stop=False)
    module: Any = pl.LightningModule()
    ended = []
    for _ in range(7):  # the first sets the mark, every second one after it is a decay
        schedule.on_validation_end(trainer, module)
        ended.append(trainer.should_stop)
    assert schedule.plateaus == 3
    assert ended == [False] * 6 + [True]
