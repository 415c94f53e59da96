"""The clips of a run as batches of network inputs.

The whole data set stays in memory or in a memory-mapped cache. What travels through the loader is only a part's name
and a batch's number; the clips are gathered, cropped, resized, rotated and augmented as one batch in the training
process, on its device. So the order and every random draw follow from (seed, epoch, clip) and there is no worker
whose state an interrupted run would lose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.data.cache import ClipCache, in_memory, prepare
from interplay.data.datasets import SkeletonDataset
from interplay.errors import InterplayError
from interplay.skeleton.augmentation import DRAWS, Augmentation, augment, swap_entities, views
from interplay.skeleton.inputs import InputSettings, Stream, pad_clips
from interplay.skeleton.transforms import MAXIMUM_ANGLE, centre, network_input
from interplay.training.batches import NumberedBatches
from interplay.training.draws import epoch_order, epoch_uniforms
from interplay.training.settings import require

FEW_CLIPS = 5000
"""Data sets up to this size are held in memory as float32; larger ones in a memory-mapped cache."""


@dataclass(frozen=True)
class TrainingInput(InputSettings):
    """How clips become batches, in training and in testing.

    Args:
        streams: side by side on the channels; streams that are trained apart are runs of their own, fused by score.
        rotation: largest angle of the random rotation about each axis, radians; 0 switches it off.
        smallest_crop: share of a clip that a training crop keeps at least.
        shortest_crop: frames that a training crop has at least; None for the window, as in the paper's pipeline, which
            leaves clips shorter than the window whole.
        entity_swap: probability that the two entities change places.
        mirror: probability that left and right change places.
        scale: largest relative change of size, s in 1 ± scale.
        shear: largest shear between any two axes.
        noise: deviation of Gaussian noise on each coordinate, in the unit of the centred coordinates.
        batch_size: clips per step, over all processes together.
        evaluation_batch: clips per batch without gradients.
        cache: "memory" (float32), "disk" (prepared once, memory-mapped, float16), or "auto" by the number of clips.
        cache_folder: where a prepared cache lies; None for the user's cache folder.
        workers: processes that prepare the cache; None for one per core.
    """

    streams: Sequence[Stream] = ("joint",)
    rotation: float = MAXIMUM_ANGLE
    smallest_crop: float = 0.5
    shortest_crop: int | None = None
    entity_swap: float = 0.0
    mirror: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    noise: float = 0.0
    batch_size: int = 32
    evaluation_batch: int = 64
    cache: Literal["auto", "memory", "disk"] = "auto"
    cache_folder: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.streams) > 0, "input.streams", list(self.streams), "at least one stream")
        require(0 <= self.rotation <= np.pi, "input.rotation", self.rotation, "radians from 0 to π")
        for name in ("entity_swap", "mirror"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"input.{name}", value, "a probability")
        for name in ("scale", "shear"):
            value = getattr(self, name)
            require(0 <= value < 1, f"input.{name}", value, "a share in [0, 1)")
        require(0 < self.smallest_crop <= 1, "input.smallest_crop", self.smallest_crop, "a share in (0, 1]")
        require(
            self.shortest_crop is None or self.shortest_crop >= 1,
            "input.shortest_crop",
            self.shortest_crop,
            "frames ≥ 1",
        )
        require(self.noise >= 0, "input.noise", self.noise, "a deviation ≥ 0")
        require(self.batch_size >= 1, "input.batch_size", self.batch_size, "at least 1")
        require(self.evaluation_batch >= 1, "input.evaluation_batch", self.evaluation_batch, "at least 1")

    @property
    def form(self) -> InputSettings:
        """The part that a trained model keeps."""
        return InputSettings(**{field.name: getattr(self, field.name) for field in fields(InputSettings)})

    @property
    def augmentation(self) -> Augmentation:
        return Augmentation(self.mirror, self.scale, self.shear, self.noise)


class Batch(NamedTuple):
    """What a training or evaluation step receives."""

    clips: Float[Tensor, "batch channel time joint entity"]
    labels: Int[Tensor, " batch"]
    rows: Int[Tensor, " batch"]
    """Index of each clip in the cache."""


class SkeletonData(NumberedBatches[Batch]):
    """Batches of a data set under a recipe.

    Args:
        cache: the clips, prepared.
        settings: of the recipe.
        seed: of the run.
        world: processes that train together.

    Attributes:
        parts: part → row of each clip, none of them empty; training clips without a label are left out.
        steps: batches in an epoch. Clips that do not fill a batch are left out of it (other ones each epoch).
    """

    def __init__(self, cache: ClipCache, settings: TrainingInput, seed: int, world: int = 1) -> None:
        super().__init__()
        self.cache, self.settings, self.seed, self.world = cache, settings, seed, world
        parts = {part: torch.as_tensor(rows, dtype=torch.int64) for part, rows in cache.parts().items() if len(rows)}
        for part in ("train", "test"):
            if part not in parts:
                raise InterplayError(f"data set {cache.name}: found no {part} clips, expected some")
        self.labels = torch.as_tensor(cache.labels, dtype=torch.int64)
        train = parts["train"]
        parts["train"] = train[self.labels[train] >= 0]
        if not len(parts["train"]):
            raise InterplayError(f"data set {cache.name}: found no training clip with a label, expected some")
        self.parts = parts
        self.batch_size = min(settings.batch_size, len(parts["train"]))
        if self.batch_size % world:
            raise InterplayError(f"input.batch_size: found {self.batch_size}, expected a multiple of {world} processes")
        self.steps = len(parts["train"]) // self.batch_size
        self._draws: tuple[int, Tensor, Tensor] | None = None
        self._form = replace(settings.form, center="none", axes=(1.0, 1.0, 1.0))

    @property
    def evaluation_parts(self) -> tuple[str, ...]:
        """Parts that can be scored: those with at least one label."""
        return tuple(
            part
            for part in ("validation", "test")
            if part in self.parts and bool((self.labels[self.parts[part]] >= 0).any())
        )

    @property
    def watched_parts(self) -> tuple[str, ...]:
        return self.evaluation_parts

    @property
    def in_channels(self) -> int:
        return 3 * len(self.settings.streams)

    # -- batches --------------------------------------------------------------------------------------------------

    def batches(self, part: str) -> int:
        """Evaluation batches of a part; the last one may be smaller."""
        return -(-len(self.parts[part]) // self.settings.evaluation_batch)

    def evaluation_batch(
        self, part: str, number: int, device: torch.device | str = "cpu", rank: int = 0, world: int = 1, look: int = 0
    ) -> Batch:
        """Batch ``number`` of a part, cropped in the middle and not augmented; this process's share of it, which may
        be empty. ``look`` chooses among the views of the settings, 0 is the clips as they are."""
        size, settings = self.settings.evaluation_batch, self.settings
        rows = self.parts[part][number * size : (number + 1) * size][rank::world]
        labels = self.labels[rows].to(device)
        if not len(rows):
            shape = (0, self.in_channels, settings.window, self.cache.layout.joint_count, 2)
            return Batch(torch.zeros(shape, device=device), labels, rows)
        clips, lengths = self._gather(rows, device)
        if look:
            clips, lengths = views(clips, lengths, settings.views, self.cache.layout)[look]
        return Batch(network_input(clips, lengths, settings, settings.streams, self.cache.layout), labels, rows)

    def watched_batch(self, part: str, number: int, rank: int, device: torch.device) -> Batch:
        return self.evaluation_batch(part, number, device, rank, self.world)

    def training_batch(self, epoch: int, number: int, rank: int = 0, device: torch.device | str = "cpu") -> Batch:
        """Batch ``number`` of an epoch, augmented; this process's share of it."""
        order, uniforms = self._epoch(epoch)
        chosen = order[number * self.batch_size : (number + 1) * self.batch_size][rank :: self.world]
        rows, draws = self.parts["train"][chosen], uniforms[chosen].to(device)
        settings = self.settings
        clips, lengths = self._gather(rows, device)
        # Before centring: the entity that is first after the exchange gives the origin, as it does in testing.
        clips = swap_entities(clips, draws[:, DRAWS - 1] < settings.entity_swap)
        if settings.center == "origin":
            clips = centre(clips, self.cache.layout)
        clips = clips * clips.new_tensor(settings.axes)
        seeds = (self.seed, epoch, rows.tolist())
        clips = augment(clips, settings.augmentation, draws[:, 5:], lengths, seeds, self.cache.layout)
        x = network_input(
            clips,
            lengths,
            self._form,
            settings.streams,
            self.cache.layout,
            draws[:, :5],
            settings.rotation,
            settings.shortest_crop,
            settings.smallest_crop,
        )
        return Batch(x, self.labels[rows].to(device), rows)

    def _epoch(self, epoch: int) -> tuple[Tensor, Tensor]:
        if self._draws is None or self._draws[0] != epoch:
            count = len(self.parts["train"])
            order = epoch_order(self.seed, epoch, count)
            self._draws = epoch, order, epoch_uniforms(self.seed, epoch, count, DRAWS)
        return self._draws[1:]

    def _gather(self, rows: Tensor, device: torch.device | str) -> tuple[Tensor, Tensor]:
        clips = [self.cache.clip(row) for row in rows.tolist()]
        padded, lengths = pad_clips(clips, self.settings)
        return padded.to(device), lengths.to(device)

    def ids(self, rows: Tensor) -> list[str]:
        """Names of the clips in these rows."""
        return [self.cache.ids[row] for row in rows.tolist()]

    def iterate(self, part: str, device: torch.device | str) -> Iterator[list[Batch]]:
        """Every batch of a part, in each of its views."""
        for number in range(self.batches(part)):
            yield [self.evaluation_batch(part, number, device, look=look) for look in range(self.settings.looks)]


_held: dict[str, ClipCache] = {}


def open_cache(dataset: SkeletonDataset, settings: TrainingInput, progress: bool = True) -> ClipCache:
    """The clips of a data set, in memory or from a prepared cache, with the parts of its present protocol.

    Studies train many runs on one data set: the last one read into memory is kept for the next run.
    """
    if settings.cache == "disk" or (settings.cache == "auto" and len(dataset) > FEW_CLIPS):
        folder = None if settings.cache_folder is None else Path(settings.cache_folder)
        return prepare(dataset, folder, workers=settings.workers, progress=progress)
    key = f"{dataset.name} {dataset.fingerprint()}"
    if key not in _held:
        _held.clear()
        _held[key] = in_memory(dataset)
    # The protocol (a fold, a split) may be another one than when the clips were read; unreadable clips are in no part.
    held, names = _held[key], dataset.ids
    row = {name: number for number, name in enumerate(held.ids)}
    return held.with_parts(
        {
            part: np.array([row[names[index]] for index in indices.tolist() if names[index] in row], np.int64)
            for part, indices in dataset.parts().items()
        }
    )
