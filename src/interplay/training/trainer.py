"""Lightning's Trainer as a recipe wants it. The loop, DDP, precision and clipping are Lightning's."""

from __future__ import annotations

import io
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger

from interplay.errors import InterplayError
from interplay.training.callbacks import FiniteLoss, FreshDraws, ProgressLine, RunRecord, higher_is_better
from interplay.training.folder import RunFolder
from interplay.training.settings import TrainingSettings
from interplay.training.writing import write_whole


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that appear whole or not at all; what cannot be written is said, not passed over."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_whole(Path(path), buffer.getvalue())


def launched_processes() -> tuple[int, int] | None:
    """(processes per machine, machines) where torchrun or SLURM started this process; None otherwise."""
    environment = os.environ
    if "TORCHELASTIC_RUN_ID" in environment:
        local = int(environment["LOCAL_WORLD_SIZE"])
        return local, int(environment["WORLD_SIZE"]) // local
    if "SLURM_NTASKS" in environment and environment.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        nodes = int(environment.get("SLURM_NNODES", "1"))
        return int(environment["SLURM_NTASKS"]) // nodes, nodes
    return None


def world_size(settings: TrainingSettings) -> int:
    """Processes that train together."""
    local, nodes = launched_processes() or (settings.devices, settings.nodes)
    return local * nodes


def meet(settings: TrainingSettings) -> Callable[[], None]:
    """Wait until all processes that a launcher started are here.

    Without a launcher there is one process until the first fit starts the others, and nobody to wait for.

    Returns:
        What waits for them again.
    """
    local, nodes = launched_processes() or (1, 1)
    if local * nodes == 1:
        return lambda: None
    fabric = Fabric(accelerator=settings.accelerator, devices=local, num_nodes=nodes, strategy="ddp")
    fabric.launch()
    fabric.barrier()
    return fabric.barrier


def build_trainer(
    training: TrainingSettings,
    schedule: Callback,
    folder: RunFolder,
    monitor: str,
    quiet: bool = False,
) -> tuple[pl.Trainer, RunRecord]:
    """The Trainer of a run and the callback that keeps its record.

    Args:
        training: of the recipe.
        schedule: sets the learning rate.
        folder: of the run.
        monitor: metric that chooses the best epoch and stops early.
        quiet: no progress bar.
    """
    local, nodes = launched_processes() or (training.devices, training.nodes)
    accelerator = training.accelerator
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise InterplayError("training.accelerator: found gpu, but PyTorch sees none; expected cpu or auto")
    if accelerator == "auto":
        accelerator = "gpu" if torch.cuda.is_available() else "cpu"
    if training.precision == "16-mixed" and accelerator == "cpu":
        raise InterplayError("training.precision: found 16-mixed on a CPU, expected 32-true or bf16-mixed")
    record = RunRecord(folder, monitor)
    # The order matters: early stopping is decided before the record closes the epoch.
    callbacks: list[Callback] = [FreshDraws(training.epochs, training.seed), schedule, FiniteLoss()]
    if training.early_stop:
        callbacks.append(
            EarlyStopping(
                monitor,
                patience=training.early_stop,
                mode="max" if higher_is_better(monitor) else "min",
                check_on_train_epoch_end=False,
            )
        )
    callbacks += [record, ProgressLine(quiet)]
    logger: TensorBoardLogger | bool = False
    if training.tensorboard:
        logger = TensorBoardLogger(folder.tensorboard.parent, name="", version=folder.tensorboard.name)
    trainer = pl.Trainer(
        accelerator=accelerator,
        devices=local,
        num_nodes=nodes,
        strategy="ddp" if local * nodes > 1 else "auto",
        precision=training.precision,
        max_epochs=training.epochs,
        gradient_clip_val=training.gradient_clip or None,
        check_val_every_n_epoch=training.evaluate_every,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        callbacks=callbacks,
        plugins=[WholeCheckpoints()],
        logger=logger,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        sync_batchnorm=training.sync_batchnorm,
        deterministic=training.deterministic,
        default_root_dir=folder.path,
    )
    return trainer, record


@contextmanager
def quiet_lightning(partly_frozen: bool = False) -> Iterator[None]:
    """Without Lightning's announcements (devices found, tips), which a run folder already records, and without the
    traceback that TensorBoard's writing thread prints on a full disk before it raises the error here, too.

    Args:
        partly_frozen: parts of the model are in evaluation mode on purpose (a frozen detector); otherwise Lightning's
            warning about such parts stands.
    """
    hook = threading.excepthook

    def thread_failed(arguments: threading.ExceptHookArgs) -> None:
        if not isinstance(arguments.exc_value, OSError):
            hook(arguments)

    threading.excepthook = thread_failed
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # A CPU run beside an idle GPU was asked for; and what Lightning calls in PyTorch is its own affair.
            warnings.filterwarnings("ignore", message="GPU available but not used")
            if partly_frozen:
                warnings.filterwarnings("ignore", message=r"Found \d+ module\(s\) in eval mode")
            warnings.filterwarnings("ignore", message=".*LeafSpec.*deprecated", category=FutureWarning)
            yield
    finally:
        threading.excepthook = hook
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
