"""Terms of a training loss over an epoch."""

from __future__ import annotations

from collections.abc import Mapping

import lightning.pytorch as pl
import torch
from torch import Tensor


class LossMeans(pl.LightningModule):
    """Logs ``train_loss`` (the sum of the terms) and ``train_TERM``, means over the steps of an epoch."""

    def __init__(self) -> None:
        super().__init__()
        self._sums: dict[str, Tensor] = {}
        self._steps = 0

    def noted(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The sum of a step's terms, which are noted for the epoch's means."""
        total = torch.stack(list(losses.values())).sum()
        for name, value in {"loss": total, **losses}.items():
            self._sums[name] = self._sums.get(name, total.new_zeros(())) + value.detach()
        self._steps += 1
        return total

    def on_train_epoch_start(self) -> None:
        self._sums, self._steps = {}, 0

    def on_train_epoch_end(self) -> None:
        if self._steps:
            means = {f"train_{name}": value / self._steps for name, value in self._sums.items()}
            self.log_dict(means, sync_dist=True)
        self._sums, self._steps = {}, 0
