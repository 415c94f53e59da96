"""Batches that the training process makes itself: only a part's name and a batch's number travel through a loader.

So the order and every random draw follow from (seed, epoch, sample), and there is no worker process whose state an
interrupted run would lose.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import lightning.pytorch as pl
import torch

AHEAD = 2
"""Batches that are prepared before they are asked for."""
Batch = TypeVar("Batch")
Sample = TypeVar("Sample")
Key = tuple[Hashable, int]
"""Which row of batches (a part, an epoch, …), and a number in it."""


class PartBatches:
    """(part, number) of each batch of a part."""

    def __init__(self, part: str, count: int) -> None:
        self.part, self.count = part, count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return ((self.part, number) for number in range(self.count))


class NumberedBatches(pl.LightningDataModule, Generic[Batch]):
    """What Lightning asks a data module for, answered by part and number.

    Attributes:
        parts: part → rows of its samples.
        steps: batches of an epoch.
    """

    parts: Mapping[str, Any]
    steps: int

    @property
    @abstractmethod
    def watched_parts(self) -> tuple[str, ...]:
        """The parts that are evaluated while a training goes on."""

    @abstractmethod
    def batches(self, part: str) -> int:
        """Evaluation batches of a part."""

    @abstractmethod
    def training_batch(self, epoch: int, number: int, rank: int, device: torch.device) -> Batch:
        """Batch ``number`` of an epoch, the share of process ``rank``."""

    @abstractmethod
    def watched_batch(self, part: str, number: int, rank: int, device: torch.device) -> Batch:
        """Batch ``number`` of a watched part, the share of process ``rank``."""

    def train_dataloader(self) -> PartBatches:
        return PartBatches("train", self.steps)

    def val_dataloader(self) -> list[PartBatches]:
        return [PartBatches(part, self.batches(part)) for part in self.watched_parts]

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Batch:
        part, number = batch
        trainer = self.trainer
        assert trainer is not None
        device = trainer.strategy.root_device
        if trainer.training:
            return self.training_batch(trainer.current_epoch, number, trainer.global_rank, device)
        return self.watched_batch(part, number, trainer.global_rank, device)


class Ahead(Generic[Sample]):
    """Samples of batches, prepared by threads of this process a few batches before they are asked for.

    Args:
        threads: that prepare.
        name: of the threads.
    """

    def __init__(self, threads: int, name: str) -> None:
        self.threads, self.name = threads, name
        self.waiting: dict[Key, list[Future[Sample]]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def take(self, key: Key, count: int, samples: Callable[[int], list[Callable[[], Sample]]]) -> list[Sample]:
        """The samples of a batch, in order; the next batches are begun, and those of another row forgotten.

        Args:
            key: row and number of the batch.
            count: batches of the row.
            samples: number of a batch → what makes each of its samples.
        """
        if self._pool is None:  # not before it is needed: a pool does not survive a fork
            self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix=self.name)
        row, number = key
        wanted = [(row, index) for index in range(number, min(number + 1 + AHEAD, count))]
        self.waiting = {known: futures for known, futures in self.waiting.items() if known in wanted}
        for one in wanted:
            if one not in self.waiting:
                self.waiting[one] = [self._pool.submit(make) for make in samples(one[1])]
        return [future.result() for future in self.waiting.pop(key)]

    def forget(self) -> None:
        """What was prepared is of no use any more."""
        self.waiting = {}
