"""The pictures of a run as batches.

As with skeletons, only a part's name and a batch's number travel through the loader: pictures are read, resized and
mirrored by threads of the training process, a few batches ahead. So the order and every random draw follow from
(seed, epoch, picture), and there is no worker whose state an interrupted run would lose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from interplay.data.scenes import SceneDataset, SceneImage
from interplay.errors import InterplayError
from interplay.scene.preparation import Channels, PreparedScene, SceneBatch, ScenePreparation, collate
from interplay.scene.resampling import BilevelResampling
from interplay.training.draws import epoch_order, generator
from interplay.training.running import PartBatches
from interplay.training.settings import require

AHEAD = 2
"""Batches that are prepared before they are asked for."""


@dataclass(frozen=True)
class SceneInput:
    """How pictures become batches.

    Args:
        short: short side of the resized picture, pixels.
        long: the most its long side may have.
        channels: order and range of the colours that the detector's weights expect.
        flip: probability that a training picture is mirrored; leave it 0 where a predicate says left or right.
        batch_size: pictures per step, over all processes together.
        evaluation_batch: pictures per batch without gradients.
        maps: "compute" runs the frozen detector on every visit; "keep" keeps its feature maps, float16, in a
            memory-mapped file (for sets that fit; pictures are then never mirrored).
        cache_folder: where kept maps lie; None for the user's cache folder.
        threads: that read pictures.
        resampling: BGNN's: "bilevel" repeats pictures with rare predicates and drops frequent relations of theirs,
            "images" only repeats.
        resampling_threshold: t of its repeat factors.
        resampling_strength: γ_d of its drops.
        steps_per_epoch: steps after which an epoch ends; None: those of one pass over the (resampled) pictures. The
            order of the pictures goes on over the end of an epoch, so that public schedules, which count steps, are
            ``training.epochs`` times this, and evaluated and resumed by it.
        test: "last" scores the test pictures after the last epoch only, where there are validation pictures to watch
            a training by; None: both together.
    """

    short: int = 600
    long: int = 1000
    channels: Channels = "bgr"
    flip: float = 0.5
    batch_size: int = 12
    evaluation_batch: int = 1
    maps: Literal["compute", "keep"] = "compute"
    cache_folder: str | None = None
    threads: int = 2
    resampling: Literal["none", "bilevel", "images"] = "none"
    resampling_threshold: float = 0.13
    resampling_strength: float = 1.6
    steps_per_epoch: int | None = None
    test: Literal["last"] | None = None

    def __post_init__(self) -> None:
        require(1 <= self.short <= self.long, "input.short", self.short, f"1 to input.long ({self.long})")
        require(0 <= self.flip <= 1, "input.flip", self.flip, "a probability")
        require(self.batch_size >= 1, "input.batch_size", self.batch_size, "at least 1")
        require(self.evaluation_batch >= 1, "input.evaluation_batch", self.evaluation_batch, "at least 1")
        require(self.threads >= 1, "input.threads", self.threads, "at least 1")
        steps = self.steps_per_epoch
        require(steps is None or steps >= 1, "input.steps_per_epoch", steps, "at least 1")


class Visit(NamedTuple):
    """One picture of a batch: its row in the data set, and the generator of its draws (None when testing)."""

    row: int
    draws: torch.Generator | None


class SceneData(pl.LightningDataModule):
    """Batches of a data set under a recipe.

    Args:
        dataset: annotated pictures.
        settings: of the recipe.
        seed: of the run.
        world: processes that train together.
        with_pixels: False leaves pictures unread (geometry, or kept maps).
        need_relations: leave out pictures without a relation (not when a detector is trained).

    Attributes:
        parts: part → rows of its pictures.
        rows: id of a picture → its row.
        pass_steps: batches of one pass over the training pictures.
        steps: batches of an epoch.
    """

    def __init__(
        self,
        dataset: SceneDataset,
        settings: SceneInput,
        seed: int,
        world: int = 1,
        *,
        with_pixels: bool = True,
        need_relations: bool = True,
    ) -> None:
        super().__init__()
        self.dataset, self.settings, self.seed, self.world = dataset, settings, seed, world
        flip = settings.flip if settings.maps == "compute" and with_pixels else 0.0
        self.preparation = ScenePreparation(settings.short, settings.long, settings.channels, flip, with_pixels)
        self.parts = {part: np.asarray(rows) for part, rows in dataset.parts().items() if len(rows)}
        for part in ("train", "test"):
            if part not in self.parts:
                raise InterplayError(f"data set {dataset.name}: found no {part} pictures, expected some")
        if need_relations:
            self.parts["train"] = np.array([row for row in self.parts["train"] if len(self.image(row).relations)])
            if not len(self.parts["train"]):
                raise InterplayError(f"data set {dataset.name}: found no training picture with a relation")
        self.rows = {name: row for row, name in enumerate(dataset.ids)}
        self.resampling = self._resampling()
        count = len(self.parts["train"]) if self.resampling is None else int(self.resampling.repeats.sum())
        self.batch_size = min(settings.batch_size, count)
        if self.batch_size % world:
            raise InterplayError(f"input.batch_size: found {self.batch_size}, expected a multiple of {world} processes")
        self.pass_steps = count // self.batch_size
        self.steps = settings.steps_per_epoch or self.pass_steps
        self._order: tuple[int, Tensor] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: dict[tuple[str, int], list[Future[PreparedScene]]] = {}

    def image(self, row: int) -> SceneImage:
        return self.dataset.read(int(row))

    def _resampling(self) -> BilevelResampling | None:
        if self.settings.resampling == "none":
            return None
        relations = [self.image(row).relations for row in self.parts["train"]]
        return BilevelResampling.of(
            relations,
            len(self.dataset.vocabulary.predicates),
            threshold=self.settings.resampling_threshold,
            strength=self.settings.resampling_strength if self.settings.resampling == "bilevel" else 0.0,
            seed=self.seed,
        )

    @property
    def evaluation_parts(self) -> tuple[str, ...]:
        return tuple(part for part in ("validation", "test") if part in self.parts)

    @property
    def watched_parts(self) -> tuple[str, ...]:
        """The evaluated parts that are scored while a training goes on, not only after it."""
        alone = self.settings.test == "last" and "validation" in self.parts
        return ("validation",) if alone else self.evaluation_parts

    def monitor(self, wanted: str | None, figure: str) -> str:
        """The figure that chooses the best epoch: the recipe's, or ``figure`` of the first watched part.

        Raises:
            InterplayError: the recipe wants one of a part that is scored after the last epoch only.
        """
        for part in self.evaluation_parts:
            if wanted and wanted.startswith(f"{part}_") and part not in self.watched_parts:
                raise InterplayError(
                    f"training.monitor: found {wanted}, expected a figure of validation with input.test last"
                )
        return wanted or f"{self.watched_parts[0]}_{figure}"

    # -- what Lightning asks for ----------------------------------------------------------------------------------

    def train_dataloader(self) -> PartBatches:
        return PartBatches("train", self.steps)

    def val_dataloader(self) -> list[PartBatches]:
        return [PartBatches(part, self.batches(part)) for part in self.watched_parts]

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> SceneBatch:
        part, number = batch
        trainer = self.trainer
        assert trainer is not None
        device = trainer.strategy.root_device
        if trainer.training:
            return self.training_batch(trainer.current_epoch, number, trainer.global_rank).to(device)
        return self.evaluation_batch(part, number, trainer.global_rank).to(device)

    # -- batches --------------------------------------------------------------------------------------------------

    def batches(self, part: str) -> int:
        return -(-len(self.parts[part]) // (self.settings.evaluation_batch * self.world))

    def evaluation_batch(self, part: str, number: int, rank: int = 0) -> SceneBatch:
        """Batch ``number`` of a part for this process; the last one may be smaller, or empty."""
        size = self.settings.evaluation_batch

        def visits(index: int) -> list[Visit]:
            first = (index * self.world + rank) * size
            return [Visit(int(row), None) for row in self.parts[part][first : first + size]]

        return self._collected((part, number), self.batches(part), visits)

    def training_batch(self, epoch: int, number: int, rank: int = 0) -> SceneBatch:
        """Batch ``number`` of an epoch, this process's share of it."""

        def visits(step: int) -> list[Visit]:
            turn, index = divmod(step, self.pass_steps)
            order = self._order_of(turn)
            places = range(index * self.batch_size + rank, (index + 1) * self.batch_size, self.world)
            return [Visit(int(order[place]), generator(self.seed, "picture", turn, place)) for place in places]

        return self._collected(("", epoch * self.steps + number), (epoch + 1) * self.steps, visits)

    def _order_of(self, turn: int) -> Tensor:
        """The training pictures in the order of a pass over them."""
        if self._order is None or self._order[0] != turn:
            indices = torch.arange(len(self.parts["train"]))
            if self.resampling is not None:
                indices = torch.from_numpy(self.resampling.indices())
            self._order = turn, indices[epoch_order(self.seed, turn, len(indices))]
        return self._order[1]

    def _collected(self, key: tuple[str, int], count: int, visits: Callable[[int], list[Visit]]) -> SceneBatch:
        """The scenes of a batch of a part ("" = in training); the next ones are begun."""
        part, number = key
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.settings.threads, thread_name_prefix="pictures")
        prepare = self._testing_scene if part else self._training_scene
        ahead = {(part, index) for index in range(number, min(number + 1 + AHEAD, count))}
        for old in [old for old in self._waiting if old not in ahead]:
            del self._waiting[old]
        for wanted in sorted(ahead):
            if wanted not in self._waiting:
                self._waiting[wanted] = [self._pool.submit(prepare, visit) for visit in visits(wanted[1])]
        scenes = [future.result() for future in self._waiting.pop(key)]
        return collate(scenes) if scenes else SceneBatch((), None, torch.zeros(0, 2), torch.zeros(0, 2), ())

    def _testing_scene(self, visit: Visit) -> PreparedScene:
        return self.preparation(self.image(visit.row))

    def _training_scene(self, visit: Visit) -> PreparedScene:
        index = visit.row
        image = self.image(self.parts["train"][index])
        assert visit.draws is not None
        if self.resampling is not None:
            random = np.random.default_rng(int(torch.randint(2**62, (), generator=visit.draws)))
            image = replace(image, relations=self.resampling.thinned(index, image.relations, random))
        return self.preparation(image, visit.draws)

    def iterate(self, part: str) -> Iterator[SceneBatch]:
        """Every batch of a part, as it is."""
        for number in range(self.batches(part)):
            yield self.evaluation_batch(part, number)

    def training_images(self) -> Iterator[SceneImage]:
        """Annotations of the training pictures, one after the other."""
        return (self.image(row) for row in self.parts["train"])

    def ids(self, batch: SceneBatch) -> Sequence[str]:
        return batch.ids
