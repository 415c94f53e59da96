"""What Lightning calls while a run trains: learning rate, record of the epochs, checkpoints, guard, progress."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from interplay.errors import InterplayError
from interplay.training.draws import generator
from interplay.training.folder import RunFolder
from interplay.training.optimisation import learning_rate
from interplay.training.settings import OptimiserSettings


def higher_is_better(metric: str) -> bool:
    return not metric.endswith("loss")


class FreshDraws(Callback):
    """Set the random state of each epoch, and have the last one evaluated in any case.

    Dropout draws from PyTorch's global generators; seeded anew for every epoch, they have no history that an
    interrupted run would lose.

    Args:
        epochs: of the whole run.
        seed: of the run.
    """

    def __init__(self, epochs: int, seed: int) -> None:
        self.epochs, self.seed = epochs, seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        torch.manual_seed(generator(self.seed, "dropout", trainer.current_epoch, trainer.global_rank).initial_seed())
        if trainer.current_epoch == self.epochs - 1:
            trainer.check_val_every_n_epoch = 1


class EpochSchedule(Callback):
    """Set the learning rate of each epoch.

    Args:
        settings: optimiser of the recipe.
        epochs: of the whole run.
    """

    def __init__(self, settings: OptimiserSettings, epochs: int) -> None:
        self.settings, self.epochs = settings, epochs

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        rate = learning_rate(self.settings, trainer.current_epoch, self.epochs)
        for optimiser in trainer.optimizers:
            for group in optimiser.param_groups:
                group["lr"] = rate


class RunRecord(Checkpoint):
    """Keep metrics.csv, last.ckpt and best.ckpt.

    The rows travel inside the checkpoint, so that after a kill the table and the weights speak of the same epochs.

    Args:
        folder: of the run.
        monitor: metric that chooses the best epoch.
    """

    def __init__(self, folder: RunFolder, monitor: str) -> None:
        self.folder, self.monitor = folder, monitor
        self.rows: list[dict[str, Any]] = []
        self.best_epoch: int | None = None
        self.ended = False
        self._started = 0.0

    @property
    def best_row(self) -> dict[str, Any] | None:
        return next((row for row in self.rows if row["epoch"] == self.best_epoch), None)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "best_epoch": self.best_epoch, "ended": self.ended}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])
        self.best_epoch, self.ended = state_dict["best_epoch"], state_dict["ended"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.ended:  # killed between early stopping and the result: nothing is left to train
            trainer.should_stop = True

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.rows and self.rows[-1]["epoch"] == trainer.current_epoch:
            return  # resumed: Lightning closes the epoch of the checkpoint once more
        row: dict[str, Any] = {"epoch": trainer.current_epoch, "lr": trainer.optimizers[0].param_groups[0]["lr"]}
        row.update({key: float(value) for key, value in sorted(trainer.callback_metrics.items())})
        row["seconds"] = round(time.perf_counter() - self._started, 3)
        evaluated = self.monitor in row
        if evaluated and (trainer.current_epoch + 1) % (trainer.check_val_every_n_epoch or 1):
            evaluated = False  # Lightning keeps a metric's last value through the epochs that did not compute it
        if not evaluated:
            row = {key: value for key, value in row.items() if not key.startswith(("test_", "validation_"))}
        self.rows.append(row)
        best = self.best_row
        sign = 1 if higher_is_better(self.monitor) else -1
        if evaluated and (best is None or sign * row[self.monitor] > sign * best[self.monitor]):
            self.best_epoch = trainer.current_epoch
            trainer.save_checkpoint(self.folder.best)
        if trainer.is_global_zero:
            self.folder.write_metrics(self.rows)
        self.ended = bool(trainer.should_stop)
        trainer.save_checkpoint(self.folder.last)


class NamesSamples(Protocol):
    """A task that can say which samples a batch holds."""

    def sample_ids(self, batch: Any) -> list[str]: ...


class FiniteLoss(Callback):
    """Stop at a loss that is NaN or infinite, and name the samples of the batch."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs["loss"]
        if bool(torch.isfinite(loss)):
            return
        names = cast(NamesSamples, pl_module).sample_ids(batch)
        raise InterplayError(
            f"the loss became {float(loss)} in epoch {trainer.current_epoch}, batch {batch_idx}; "
            f"samples: {', '.join(names)}"
        )


class ProgressLine(Callback):
    """One bar over all steps of the run with the time left; nothing where the output is no terminal."""

    def __init__(self, quiet: bool = False) -> None:
        self.shown = not quiet and sys.stderr.isatty()
        self._progress: Progress | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.shown or not trainer.is_global_zero:
            return
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        total = int(trainer.num_training_batches) * int(trainer.max_epochs or 1)
        done = int(trainer.num_training_batches) * trainer.current_epoch
        self._task = self._progress.add_task("training", total=total, completed=done, note="")
        self._progress.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._progress:
            self._progress.advance(self._task)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._progress:
            values = {key: float(value) for key, value in trainer.callback_metrics.items()}
            note = " ".join(f"{key} {values[key]:.3f}" for key in ("train_loss", "test_top1") if key in values)
            self._progress.update(self._task, note=f"epoch {trainer.current_epoch + 1} {note}")

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self._progress:
            self._progress.stop()
            self._progress = None

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.teardown(trainer, pl_module, "fit")
