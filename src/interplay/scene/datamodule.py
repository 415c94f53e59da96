"""The pictures of a run as batches.

Pictures are read, resized and mirrored by threads of the training process, a few batches ahead
(:mod:`interplay.training.batches`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from interplay.data.scenes import SceneDataset, SceneImage
from interplay.errors import InterplayError
from interplay.scene.preparation import Channels, PreparedScene, SceneBatch, ScenePreparation, collate
from interplay.scene.resampling import BilevelResampling
from interplay.training.batches import Ahead, NumberedBatches
from interplay.training.draws import epoch_order, generator
from interplay.training.settings import require


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


class SceneData(NumberedBatches[SceneBatch]):
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
        self.ahead: Ahead[PreparedScene] = Ahead(settings.threads, "pictures")

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

    # -- batches --------------------------------------------------------------------------------------------------

    def batches(self, part: str) -> int:
        return -(-len(self.parts[part]) // (self.settings.evaluation_batch * self.world))

    def evaluation_batch(self, part: str, number: int, rank: int = 0) -> SceneBatch:
        """Batch ``number`` of a part for this process; the last one may be smaller, or empty."""
        size = self.settings.evaluation_batch

        def scenes(index: int) -> list[Callable[[], PreparedScene]]:
            first = (index * self.world + rank) * size
            return [partial(self._testing_scene, int(row)) for row in self.parts[part][first : first + size]]

        return self._collated(self.ahead.take((part, number), self.batches(part), scenes))

    def watched_batch(self, part: str, number: int, rank: int, device: torch.device) -> SceneBatch:
        return self.evaluation_batch(part, number, rank).to(device)

    def training_batch(self, epoch: int, number: int, rank: int = 0, device: torch.device | str = "cpu") -> SceneBatch:
        """Batch ``number`` of an epoch, this process's share of it."""

        def scenes(step: int) -> list[Callable[[], PreparedScene]]:
            turn, index = divmod(step, self.pass_steps)
            order = self._order_of(turn)
            places = range(index * self.batch_size + rank, (index + 1) * self.batch_size, self.world)
            return [
                partial(self._training_scene, int(order[place]), generator(self.seed, "picture", turn, place))
                for place in places
            ]

        # Numbers go on over epochs, as passes over the pictures do.
        found = self.ahead.take(("in training", epoch * self.steps + number), (epoch + 1) * self.steps, scenes)
        return self._collated(found).to(device)

    def _order_of(self, turn: int) -> Tensor:
        """The training pictures in the order of a pass over them."""
        if self._order is None or self._order[0] != turn:
            indices = torch.arange(len(self.parts["train"]))
            if self.resampling is not None:
                indices = torch.from_numpy(self.resampling.indices())
            self._order = turn, indices[epoch_order(self.seed, turn, len(indices))]
        return self._order[1]

    def _collated(self, scenes: Sequence[PreparedScene]) -> SceneBatch:
        return collate(scenes) if scenes else SceneBatch((), None, torch.zeros(0, 2), torch.zeros(0, 2), ())

    def _testing_scene(self, row: int) -> PreparedScene:
        return self.preparation(self.image(row))

    def _training_scene(self, index: int, draws: torch.Generator) -> PreparedScene:
        image = self.image(self.parts["train"][index])
        if self.resampling is not None:
            random = np.random.default_rng(int(torch.randint(2**62, (), generator=draws)))
            image = replace(image, relations=self.resampling.thinned(index, image.relations, random))
        return self.preparation(image, draws)

    def iterate(self, part: str) -> Iterator[SceneBatch]:
        """Every batch of a part, as it is."""
        for number in range(self.batches(part)):
            yield self.evaluation_batch(part, number)

    def training_images(self) -> Iterator[SceneImage]:
        """Annotations of the training pictures, one after the other."""
        return (self.image(row) for row in self.parts["train"])

    def ids(self, batch: SceneBatch) -> Sequence[str]:
        return batch.ids
