"""me-GCN under Lightning: one step of training, one of evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from interplay.skeleton.datamodule import Batch, SkeletonData
from interplay.training.optimisation import build_optimiser
from interplay.training.settings import OptimiserSettings
from interplay.training.tally import Tally


class SkeletonTask(pl.LightningModule):
    """Cross-entropy on the logits of a network.

    L = −Σ_k y_k log softmax(z)_k, with y the label, smoothed by ``label_smoothing`` in training only.

    Logged per epoch: ``train_loss``, ``train_top1`` (of the augmented clips, while the weights change), and
    ``PART_loss``, ``PART_top1``, ``PART_mean_class`` for each evaluated part; clips without a label are left out.

    Args:
        network: clips (batch, channel, time, joint, entity) → logits (batch, class).
        settings: optimiser of the recipe.
        classes: number of classes.
        parts: names of the evaluated parts, in the order of the loaders.
    """

    def __init__(
        self, network: nn.Module, settings: OptimiserSettings, classes: int, parts: Sequence[str] = ("test",)
    ) -> None:
        super().__init__()
        self.network, self.settings, self.classes, self.parts = network, settings, classes, tuple(parts)
        self.average: AveragedModel | None = None
        if settings.average > 0:
            rule = get_ema_multi_avg_fn(settings.average)  # type: ignore[no-untyped-call]
            self.average = AveragedModel(network, multi_avg_fn=rule, use_buffers=True)
        self._tallies: dict[str, Tally] = {}

    @property
    def trained(self) -> nn.Module:
        """The network that is evaluated and saved: the averaged one where there is one."""
        if self.average is None:
            return self.network
        module: nn.Module = self.average.module
        return module

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return build_optimiser(self.network.parameters(), self.settings)

    def sample_ids(self, batch: Batch) -> list[str]:
        """Names of the clips in a batch."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, SkeletonData)
        return data.ids(batch.rows)

    def _tally(self, part: str) -> Tally:
        if part not in self._tallies:
            self._tallies[part] = Tally(self.classes, self.device)
        return self._tallies[part]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        logits = self.network(batch.clips).float()
        losses = functional.cross_entropy(
            logits, batch.labels, reduction="none", label_smoothing=self.settings.label_smoothing
        )
        self._tally("train").add(logits.detach(), batch.labels, losses)
        return losses.mean()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.average is not None:
            self.average.update_parameters(self.network)

    def on_train_epoch_start(self) -> None:
        self._tallies.pop("train", None)

    def on_train_epoch_end(self) -> None:
        tally = self._tallies.pop("train", None)
        if tally is not None:
            found = tally.metrics(self.trainer.strategy)
            self.log_dict({f"train_{name}": found[name].float() for name in ("loss", "top1")}, sync_dist=True)

    def on_validation_epoch_start(self) -> None:
        if self.trainer.world_size > 1:
            # Each process has normalised its own share of the batches; the first one's statistics are what is saved.
            for buffer in self.buffers():
                torch.distributed.broadcast(buffer, src=0)
        for part in self.parts:
            self._tallies.pop(part, None)

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        if not len(batch.labels):
            return
        logits = self.trained(batch.clips).float()
        known = batch.labels >= 0
        logits, labels = logits[known], batch.labels[known]
        losses = functional.cross_entropy(logits, labels, reduction="none")
        self._tally(self.parts[dataloader_idx]).add(logits, labels, losses)

    def on_validation_epoch_end(self) -> None:
        for part in self.parts:
            # A process whose share is empty still takes part in the sum.
            found = self._tally(part).metrics(self.trainer.strategy)
            self._tallies.pop(part)
            if bool(torch.isfinite(found["top1"])):
                self.log_dict({f"{part}_{name}": value.float() for name, value in found.items()}, sync_dist=True)
