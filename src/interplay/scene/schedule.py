"""How a relation head learns: SGD by steps, a short warm-up, the schedules of the public recipes (spec A.12)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from interplay.scene.frequency import FrequencyBias
from interplay.training.callbacks import higher_is_better
from interplay.training.settings import require


@dataclass(frozen=True)
class SceneOptimiser:
    """Stochastic gradient descent of the relation head, SIL and the trainable feature layers.

    The rate of step t (from 0): lr · w(t) · d(t), where w rises linearly from ``warmup_from`` to 1 over
    ``warmup_steps`` and d is the schedule's factor.

    Args:
        base_lr: rate per image of a batch: the public recipes multiply by the batch size (0.01 · 12 for MOTIFS and
            VCTree, 0.008 · 12 BGNN, 0.001 · 8 PE-Net).
        scale_by_batch: whether ``base_lr`` is multiplied by the batch size.
        momentum: of the gradient's running sum.
        weight_decay: of every parameter except biases.
        warmup_steps: steps over which the rate rises.
        warmup_from: share of the rate at which it begins.
        schedule: "plateau" divides when the monitored metric no longer rises; "step" at milestones; "cosine" falls to
            0 over the run; "constant" stays.
        milestones: steps, counted from 0, at which "step" changes the rate.
        gamma: factor of "plateau" and "step".
        patience: evaluations without a rise that "plateau" waits.
        threshold: relative rise of the metric that "plateau" counts.
        decays: "plateau" ends the run at this many decays; 0 never ends it.
        sil_lr_multiplier: of the rate of SIL's parameters.
        gradient_clip: largest norm of the gradient over all parameters; 0 switches clipping off.
    """

    base_lr: float = 0.01
    scale_by_batch: bool = True
    momentum: float = 0.9
    weight_decay: float = 0.0001
    warmup_steps: int = 500
    warmup_from: float = 0.1
    schedule: Literal["plateau", "step", "cosine", "constant"] = "plateau"
    milestones: Sequence[int] = ()
    gamma: float = 0.1
    patience: int = 2
    threshold: float = 0.001
    decays: int = 3
    sil_lr_multiplier: float = 1.0
    gradient_clip: float = 5.0

    def __post_init__(self) -> None:
        require(math.isfinite(self.base_lr) and self.base_lr > 0, "optimiser.base_lr", self.base_lr, "a positive rate")
        require(0 <= self.momentum < 1, "optimiser.momentum", self.momentum, "a number in [0, 1)")
        require(self.weight_decay >= 0, "optimiser.weight_decay", self.weight_decay, "a number ≥ 0")
        require(self.warmup_steps >= 0, "optimiser.warmup_steps", self.warmup_steps, "a number of steps ≥ 0")
        require(0 < self.warmup_from <= 1, "optimiser.warmup_from", self.warmup_from, "a share in (0, 1]")
        rising = list(self.milestones) == sorted(set(self.milestones)) and all(step > 0 for step in self.milestones)
        require(rising, "optimiser.milestones", list(self.milestones), "rising steps, counted from 0")
        require(0 < self.gamma <= 1, "optimiser.gamma", self.gamma, "a number in (0, 1]")
        require(self.patience >= 0, "optimiser.patience", self.patience, "a number of evaluations ≥ 0")
        require(self.sil_lr_multiplier > 0, "optimiser.sil_lr_multiplier", self.sil_lr_multiplier, "a positive factor")
        require(self.gradient_clip >= 0, "optimiser.gradient_clip", self.gradient_clip, "a norm ≥ 0")


def build_optimiser(model: nn.Module, settings: SceneOptimiser, batch: int) -> torch.optim.SGD:
    """SGD over what may be trained: SIL with its own rate, biases and frequency tables without weight decay (A.12).

    A bias is what has "bias" in the last part of its name: ``bias``, and those of an LSTM (``bias_ih_l0``) and of an
    attention (``in_proj_bias``). A frequency table is the bias of a pair of classes.

    Args:
        model: with its superpixel interaction, where it has one, as the attribute ``interaction``.
        settings: of the recipe.
        batch: images per step over all processes.
    """
    rate = settings.base_lr * (batch if settings.scale_by_batch else 1)
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    tables = {id(table) for part in model.modules() if isinstance(part, FrequencyBias) for table in part.parameters()}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            undecayed = "bias" in name.rsplit(".", 1)[-1] or id(parameter) in tables
            key = (name.split(".")[0] == "interaction", undecayed)
            groups.setdefault(key, []).append(parameter)
    return torch.optim.SGD(
        [
            {
                "params": parameters,
                "lr": rate * (settings.sil_lr_multiplier if of_sil else 1.0),
                "weight_decay": 0.0 if undecayed else settings.weight_decay,
            }
            for (of_sil, undecayed), parameters in groups.items()
        ],
        lr=rate,
        momentum=settings.momentum,
    )


def warmup(settings: SceneOptimiser, step: int) -> float:
    """w(t) = warmup_from + (1 − warmup_from) · t / warmup_steps, and 1 afterwards."""
    if step >= settings.warmup_steps:
        return 1.0
    return settings.warmup_from + (1 - settings.warmup_from) * step / settings.warmup_steps


def decay(settings: SceneOptimiser, step: int, steps: int, plateaus: int) -> float:
    """d(t): the schedule's factor at a step of a run of ``steps`` after ``plateaus`` plateaus."""
    if settings.schedule == "plateau":
        return float(settings.gamma**plateaus)
    if settings.schedule == "step":
        return float(settings.gamma ** sum(step >= milestone for milestone in settings.milestones))
    if settings.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps))))
    return 1.0


class StepSchedule(Callback):
    """Set the learning rate of every step; remember plateaus, also over an interruption.

    Args:
        settings: of the recipe.
        monitor: metric whose plateaus count.
    """

    def __init__(self, settings: SceneOptimiser, monitor: str) -> None:
        self.settings, self.monitor = settings, monitor
        self.best: float | None = None
        self.waited = 0
        self.plateaus = 0
        self._rates: list[float] = []

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited, "plateaus": self.plateaus, "rates": self._rates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.waited = state_dict["best"], state_dict["waited"]
        self.plateaus, self._rates = state_dict["plateaus"], list(state_dict["rates"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._rates:  # a resumed run has them: its optimiser holds the rates of the last step
            self._rates = [float(group["lr"]) for group in trainer.optimizers[0].param_groups]

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        step, steps = trainer.global_step, int(trainer.estimated_stepping_batches)
        factor = warmup(self.settings, step) * decay(self.settings, step, steps, self.plateaus)
        for rate, group in zip(self._rates, trainer.optimizers[0].param_groups, strict=True):
            group["lr"] = rate * factor

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        value = trainer.callback_metrics.get(self.monitor)
        if self.settings.schedule != "plateau" or value is None:
            return
        sign = 1.0 if higher_is_better(self.monitor) else -1.0
        found = sign * float(value)
        if self.best is None or found > self.best + self.settings.threshold * abs(self.best):
            self.best, self.waited = found, 0
            return
        self.waited += 1
        if self.waited > self.settings.patience:
            self.waited = 0
            self.plateaus += 1
            if self.settings.decays and self.plateaus >= self.settings.decays:
                trainer.should_stop = True
