"""The Trainer and its callbacks on a task of one number, without any of the package's models."""

from __future__ import annotations

import csv
import io
import threading
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from interplay.errors import InterplayError
from interplay.training import callbacks as module
from interplay.training.callbacks import EpochSchedule, higher_is_better
from interplay.training.folder import RunFolder
from interplay.training.settings import OptimiserSettings, TrainingSettings
from interplay.training.trainer import (
    WholeCheckpoints,
    build_trainer,
    launched_processes,
    quiet_lightning,
    world_size,
)

LAUNCHERS = ("TORCHELASTIC_RUN_ID", "LOCAL_WORLD_SIZE", "WORLD_SIZE", "SLURM_NTASKS", "SLURM_NNODES", "SLURM_JOB_NAME")


class Steps:
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Any:
        return iter(torch.arange(self.count).float())


class Task(pl.LightningModule):
    """Minimises (w − 1)²; the metric ``test_top1`` follows a script."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.scores = scores
        self.rates: list[float] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=99.0)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
        return (self.weight - 1).square()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("test_top1", self.scores[self.current_epoch], batch_size=1)

    def train_dataloader(self) -> Steps:
        return Steps(2)

    def val_dataloader(self) -> Steps:
        return Steps(1)

    def sample_ids(self, batch: Any) -> list[str]:
        return [f"clip{int(batch)}"]


def fit(
    tmp_path: Path, scores: list[float], quiet: bool = True, task: Task | None = None, **training: Any
) -> tuple[Task, Any, RunFolder]:
    settings = TrainingSettings(**{"epochs": len(scores), "accelerator": "cpu", "tensorboard": False, **training})
    optimiser = OptimiserSettings(lr=0.1, warmup_epochs=2, milestones=[3])
    folder = RunFolder(tmp_path)
    task = task or Task(scores)
    with quiet_lightning():
        trainer, record = build_trainer(settings, EpochSchedule(optimiser, settings.epochs), folder, "test_top1", quiet)
        trainer.fit(task)
    return task, record, folder


def test_the_learning_rate_follows_the_epochs(tmp_path: Path) -> None:
    task, _, folder = fit(tmp_path, [0.1] * 4)
    assert task.rates == pytest.approx([0.05, 0.05, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01])
    rows = list(csv.DictReader(folder.metrics.read_text().splitlines()))
    assert [float(row["lr"]) for row in rows] == pytest.approx([0.05, 0.1, 0.1, 0.01])


def test_the_best_epoch_is_the_first_of_the_best_that_were_evaluated(tmp_path: Path) -> None:
    _, record, folder = fit(tmp_path, [0.2, 0.9, 0.9, 0.4])
    assert record.best_epoch == 1
    best = torch.load(folder.best, weights_only=True)
    last = torch.load(folder.last, weights_only=True)
    assert (best["epoch"], last["epoch"]) == (1, 3)
    _, record, _ = fit(tmp_path / "second", [0.2, 0.9, 0.3, 0.4, 0.5], evaluate_every=3)
    assert [("test_top1" in row) for row in record.rows] == [False, False, True, False, True]
    assert record.best_epoch == 4


def test_a_lower_loss_is_better() -> None:
    assert higher_is_better("test_top1")
    assert not higher_is_better("validation_loss")


def test_early_stopping_waits_its_number_of_evaluations(tmp_path: Path) -> None:
    _, record, _ = fit(tmp_path, [0.1, 0.5, 0.4, 0.3, 0.6, 0.6], early_stop=2)
    assert [row["epoch"] for row in record.rows] == [0, 1, 2, 3]
    assert record.ended


def test_a_loss_that_is_not_finite_names_the_samples(tmp_path: Path) -> None:
    class Broken(Task):
        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            return self.weight * (float("nan") if batch_idx else 1.0)

    with pytest.raises(InterplayError, match=r"the loss became nan in epoch 0, batch 1; samples: clip1$"):
        fit(tmp_path, [0.1], task=Broken([0.1]))


def test_progress_on_a_terminal_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, quiet, shown in ((Terminal(), False, True), (io.StringIO(), False, False), (Terminal(), True, False)):
        monkeypatch.setattr(module.sys, "stderr", stream)
        fit(tmp_path / f"{shown}{quiet}", [0.1, 0.2], quiet=quiet)
        assert ("4/4" in stream.getvalue() and "left" in stream.getvalue()) is shown
        assert bool(stream.getvalue()) is shown


def test_launchers_decide_how_many_train(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)
    settings = TrainingSettings(devices=3, nodes=2)
    assert launched_processes() is None
    assert world_size(settings) == 6
    monkeypatch.setenv("SLURM_NTASKS", "8")
    monkeypatch.setenv("SLURM_NNODES", "2")
    assert launched_processes() == (4, 2)
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")  # a shell on a node, no launch
    assert launched_processes() is None
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert launched_processes() == (2, 2)
    assert world_size(settings) == 4


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"accelerator": "gpu"}, "training.accelerator: found gpu, but PyTorch sees none"),
        ({"precision": "16-mixed"}, "training.precision: found 16-mixed on a CPU"),
    ],
)
def test_what_this_machine_cannot_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, training: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    settings = TrainingSettings(tensorboard=False, **training)
    with pytest.raises(InterplayError, match=f"^{said}"):
        build_trainer(settings, EpochSchedule(OptimiserSettings(), settings.epochs), RunFolder(tmp_path), "test_top1")


def test_a_checkpoint_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    # Lightning's own way of writing passes over a permission that is denied.
    (tmp_path / "file").write_text("")
    with pytest.raises(InterplayError, match="cannot write"):
        WholeCheckpoints().save_checkpoint({"a": torch.zeros(1)}, tmp_path / "file" / "last.ckpt")


def test_threads_fail_loudly_unless_they_could_not_write() -> None:
    seen: list[type[BaseException]] = []
    hook = threading.excepthook
    threading.excepthook = lambda arguments: seen.append(arguments.exc_type)
    try:
        with quiet_lightning():
            for error in (OSError(28, "full"), ValueError("a mistake")):

                def fail(error: Exception = error) -> None:
                    raise error

                thread = threading.Thread(target=fail)
                thread.start()
                thread.join()
    finally:
        threading.excepthook = hook
    assert seen == [ValueError]
