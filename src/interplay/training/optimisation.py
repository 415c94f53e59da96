"""The optimiser of a recipe, and its learning rate as a pure function of the epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from interplay.training.settings import OptimiserSettings


def learning_rate(settings: OptimiserSettings, epoch: int, epochs: int) -> float:
    """Learning rate of an epoch.

    Warm-up, for e < n:      lr · (e + 1) / n
    "step":                  lr · gamma^(number of milestones ≤ e)
    "cosine", u in [0, 1]:   lr · (final + (1 − final) · (1 + cos πu) / 2),  u = (e − n) / (epochs − 1 − n)

    It depends on nothing but its arguments: there is no scheduler whose state a resumed run would have to restore.

    Args:
        settings: of the recipe.
        epoch: counted from 0.
        epochs: of the whole run.
    """
    if epoch < settings.warmup_epochs:
        return settings.lr * (epoch + 1) / settings.warmup_epochs
    if settings.schedule == "step":
        passed = sum(epoch >= milestone for milestone in settings.milestones)
        return settings.lr * float(settings.gamma**passed)
    span = epochs - 1 - settings.warmup_epochs
    progress = min(1.0, (epoch - settings.warmup_epochs) / span) if span > 0 else 1.0
    return settings.lr * (settings.final + (1 - settings.final) * (1 + math.cos(math.pi * progress)) / 2)


def build_optimiser(parameters: Iterable[nn.Parameter], settings: OptimiserSettings) -> torch.optim.SGD:
    """SGD over all parameters, with the same weight decay for each (specification of me-GCN, §5)."""
    return torch.optim.SGD(
        parameters,
        lr=settings.lr,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
    )
