"""The clips of a run as batches.

Clips are read, cut and mirrored by threads of the training process, a few batches ahead
(:mod:`interplay.training.batches`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from interplay.data.video_table import box_kinds, missing_videos
from interplay.data.videos import VideoDataset
from interplay.errors import InterplayError
from interplay.training.batches import Ahead, NumberedBatches
from interplay.training.draws import epoch_order, generator
from interplay.training.settings import require
from interplay.video.kept_frames import KeptFrames
from interplay.video.preparation import (
    ClipPreparation,
    FrameReader,
    OpenedClip,
    PreparedClip,
    TestClips,
    VideoBatch,
    collate,
    proposals_of,
)
from interplay.video.sampling import Sampler
from interplay.video.transforms import Degenerate


@dataclass(frozen=True)
class VideoInput:
    """How videos become batches.

    Args:
        frames: n, input frames of a clip.
        height, width: of the resized crop, pixels.
        sampler: "segments" (paper) or "grid" (release).
        scales: of training crops, shares of the largest crop's sides.
        flip: probability that a training clip is mirrored, where its class allows it.
        flip_bug: mirror the boxes in y, too, as the release does by mistake.
        boxes: R, proposals per frame.
        proposals: "given": those of the data set, and the grid where a clip has none; "grid": the grid for every clip.
        degenerate: what becomes of boxes outside the crop: "keep" or "full".
        batch_size: clips per step over all processes together.
        evaluation_batch: clips per batch without gradients.
        test_clips: "draws": clips drawn as in training, with draws of their own for each video; "offsets": spread.
        test_count: clips per video whose logits are averaged when a model is tested.
        keep_frames: so many decoded frames of each video are kept on disk, small; 0 decodes in every epoch.
        keep_short: short side of kept frames, pixels; None for that of the crop divided by the smallest scale.
        cache_folder: where kept frames and maps lie; None for the user's cache folder.
        threads: that read clips.
    """

    frames: int = 32
    height: int = 224
    width: int = 224
    sampler: Sampler = "segments"
    scales: Sequence[float] = (1.0, 0.9)
    flip: float = 0.5
    flip_bug: bool = False
    boxes: int = 10
    proposals: Literal["given", "grid"] = "given"
    degenerate: Degenerate = "keep"
    batch_size: int = 64
    evaluation_batch: int = 16
    test_clips: TestClips = "draws"
    test_count: int = 5
    keep_frames: int = 0
    keep_short: int | None = None
    cache_folder: str | None = None
    threads: int = 2

    def __post_init__(self) -> None:
        require(self.frames >= 2 and self.frames % 2 == 0, "input.frames", self.frames, "an even number of frames")
        for name in ("height", "width", "boxes", "batch_size", "evaluation_batch", "test_count", "threads"):
            require(getattr(self, name) >= 1, f"input.{name}", getattr(self, name), "at least 1")
        good = bool(self.scales) and all(0 < scale <= 1 for scale in self.scales)
        require(good, "input.scales", list(self.scales), "shares in (0, 1]")
        require(0 <= self.flip <= 1, "input.flip", self.flip, "a probability")
        enough = self.keep_frames == 0 or self.keep_frames >= self.frames
        require(enough, "input.keep_frames", self.keep_frames, f"0, or at least input.frames ({self.frames})")

    def preparation(self) -> ClipPreparation:
        return ClipPreparation(
            self.frames,
            self.height,
            self.width,
            self.sampler,
            tuple(self.scales),
            self.flip,
            self.boxes,
            self.degenerate,
            self.flip_bug,
        )

    @property
    def kept_short(self) -> int:
        """Short side of kept frames."""
        return self.keep_short or round(min(self.height, self.width) / min(self.scales))


class Features(Protocol):
    """Backbone maps kept on disk (:mod:`interplay.video.kept_features`)."""

    draws: int

    def training(self, row: int, draw: int) -> tuple[Tensor, Tensor]:
        """Map (channel, step, y, x) and boxes (step, box, 4) of a fixed draw of a training clip."""

    def centred(self, row: int) -> tuple[Tensor, Tensor] | None:
        """The same of the deterministic clip; None where it was not kept."""


class Visit(NamedTuple):
    """One clip of a batch: its row in the data set, the epoch (−1 when evaluated), and which of the test clips."""

    row: int
    epoch: int = -1
    test: int | None = None


class VideoData(NumberedBatches[VideoBatch]):
    """Batches of a data set under a recipe.

    Args:
        dataset: the videos.
        settings: of the recipe.
        seed: of the run.
        world: processes that train together.
        kept: decoded frames, where they are kept.

    Attributes:
        parts: part → rows of its clips.
        unreadable: id → why a clip could not be used; such clips are left out of their batches.
        replaced: id → broken frames that were replaced by a neighbour.
    """

    def __init__(
        self, dataset: VideoDataset, settings: VideoInput, seed: int, world: int = 1, kept: KeptFrames | None = None
    ) -> None:
        super().__init__()
        self.dataset, self.settings, self.seed, self.world, self.kept = dataset, settings, seed, world, kept
        self.preparation = settings.preparation()
        self.labels = np.asarray(dataset.labels)
        self.replaced: dict[str, int] = {} if kept is None else dict(kept.replaced)
        # What was kept is what there was to read.
        lost = {row: str(error) for row, error in missing_videos(dataset)} if kept is None else kept.unreadable
        ids = dataset.ids if lost else ()
        self.unreadable = {ids[row]: text for row, text in lost.items()}
        bad = np.array(list(lost), np.int64)
        parts = {part: np.asarray(rows) for part, rows in dataset.parts().items()}
        self.parts = {part: found for part, rows in parts.items() if len(found := rows[~np.isin(rows, bad)])}
        if "train" not in self.parts:
            why = f": {next(iter(self.unreadable.values()))}" if self.unreadable and len(parts.get("train", ())) else ""
            raise InterplayError(f"data set {dataset.name}: found no train clips, expected some{why}")
        if (self.labels[self.parts["train"]] < 0).any():
            raise InterplayError(f"data set {dataset.name}: found a training clip without a label")
        self.features: Features | None = None
        self._order: tuple[int, Tensor] | None = None
        self.ahead: Ahead[PreparedClip | None] = Ahead(settings.threads, "clips")
        self._nothing = torch.zeros(0)
        self.use(settings.batch_size)

    def use(self, batch_size: int | None = None, features: Features | None = None, stage: int = 0) -> None:
        """Batches of another size, in another order, or of kept backbone maps, from now on: a stage begins."""
        self.batch_size = min(batch_size or self.settings.batch_size, len(self.parts["train"]))
        if self.batch_size % self.world:
            raise InterplayError(
                f"input.batch_size: found {self.batch_size}, expected a multiple of {self.world} processes"
            )
        self.steps = len(self.parts["train"]) // self.batch_size
        self.features, self.stage = features, stage
        self.order_seed = int(generator(self.seed, "stage", stage).initial_seed())
        self._order = None
        self.ahead.forget()

    @property
    def evaluation_parts(self) -> tuple[str, ...]:
        """Parts with known labels, besides the training clips."""
        return tuple(
            part for part in ("validation", "test") if part in self.parts and (self.labels[self.parts[part]] >= 0).any()
        )

    @property
    def watched_parts(self) -> tuple[str, ...]:
        """What is evaluated while a stage trains: the validation clips, or the test clips where there are none."""
        return self.evaluation_parts[:1]

    def boxes_used(self, parts: Sequence[str] = ()) -> dict[str, int]:
        """Kind of boxes → how many clips of these parts are shown with such, the most first.

        A clip without boxes of its own takes the grid. What could not be read is not counted.

        Args:
            parts: by default the training clips and those that are evaluated.
        """
        wanted = [self.parts[part] for part in parts or ("train", *self.evaluation_parts)]
        ids = self.dataset.ids
        rows = [row for row in np.unique(np.concatenate(wanted)).tolist() if ids[row] not in self.unreadable]
        found = box_kinds(self.dataset, rows) if self.settings.proposals == "given" else Counter(grid=len(rows))
        found["grid"] += found.pop("none", 0)
        return {kind: count for kind, count in found.most_common() if count}

    # -- batches --------------------------------------------------------------------------------------------------

    def batches(self, part: str, world: int | None = None) -> int:
        """Of a part for each of the processes (None: those that train together)."""
        return -(-len(self.parts[part]) // (self.settings.evaluation_batch * (world or self.world)))

    def evaluation_batch(
        self, part: str, number: int, rank: int = 0, test: int | None = None, world: int | None = None
    ) -> VideoBatch:
        """Batch ``number`` of a part for this process; smaller, or empty, where clips cannot be read.

        Args:
            test: which of the test clips of each video; None for the deterministic clip.
            world: processes that share the part; None for those that train together.
        """
        size, together = self.settings.evaluation_batch, world or self.world
        rows = self.parts[part]

        def clips(index: int) -> list[Callable[[], PreparedClip | None]]:
            first = (index * together + rank) * size
            return [partial(self._tried, Visit(int(row), test=test)) for row in rows[first : first + size]]

        return self._collated(self.ahead.take(((part, test), number), self.batches(part, together), clips))

    def watched_batch(self, part: str, number: int, rank: int, device: torch.device) -> VideoBatch:
        return self.evaluation_batch(part, number, rank).to(device)

    def training_batch(self, epoch: int, number: int, rank: int = 0, device: torch.device | str = "cpu") -> VideoBatch:
        """Batch ``number`` of an epoch, this process's share of it.

        Raises:
            InterplayError: none of its clips can be read.
        """
        rows = self.parts["train"]
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, epoch_order(self.order_seed, epoch, len(rows))
        order = self._order[1]

        def visits(index: int) -> list[Visit]:
            places = range(index * self.batch_size + rank, (index + 1) * self.batch_size, self.world)
            return [Visit(int(rows[int(order[place])]), epoch) for place in places]

        def clips(index: int) -> list[Callable[[], PreparedClip | None]]:
            return [partial(self._tried, visit) for visit in visits(index)]

        batch = self._collated(self.ahead.take((("in training", epoch), number), self.steps, clips))
        if not len(batch):
            names = [self.dataset.ids[visit.row] for visit in visits(number)]
            raise InterplayError(f"{self.dataset.name}: no clip of a batch can be read: {self.unreadable[names[0]]}")
        return batch.to(device)

    def _collated(self, found: Sequence[PreparedClip | None]) -> VideoBatch:
        """Those that can be read."""
        if clips := [clip for clip in found if clip is not None]:
            return collate(clips)
        return VideoBatch((), self._nothing.long(), self._nothing.reshape(0, 1, 1, 4))

    def _tried(self, visit: Visit) -> PreparedClip | None:
        """A clip, or None where its file cannot be used; that is said at the end."""
        try:
            return self.prepared(visit)
        except InterplayError as error:
            self.unreadable[self.dataset.ids[visit.row]] = str(error)
            return None

    def prepared(self, visit: Visit) -> PreparedClip:
        """One clip as a visit asks for it."""
        name, label = self.dataset.ids[visit.row], int(self.labels[visit.row])
        if visit.epoch >= 0:
            if self.features is not None:
                features, boxes = self.features.training(visit.row, visit.epoch % self.features.draws)
                return PreparedClip(name, label, None, boxes, features)
            return self.drawn(visit.row, generator(self.seed, "clip", self.stage, visit.epoch, name))
        if visit.test is None and self.features is not None:
            kept = self.features.centred(visit.row)
            if kept is not None:
                return PreparedClip(name, label, None, kept[1], kept[0])
        return self.evaluated(visit.row, visit.test)

    def drawn(self, row: int, draws: torch.Generator) -> PreparedClip:
        """A random training clip of a video."""
        label = int(self.labels[row])
        may_flip = label not in self.dataset.unflippable
        return self._noted(
            row, lambda reader: self.preparation.training(self.dataset.ids[row], label, reader, draws, may_flip)
        )

    def evaluated(self, row: int, test: int | None = None) -> PreparedClip:
        """The deterministic clip of a video, or one of its test clips."""
        name, label = self.dataset.ids[row], int(self.labels[row])

        def made(reader: FrameReader) -> PreparedClip:
            indices = self.test_frames(name, reader.frame_count, test)
            return self.preparation.centred(name, label, reader, indices)

        return self._noted(row, made)

    def test_frames(self, name: str, length: int, test: int | None) -> NDArray[np.int64]:
        """Frames of test clip ``test`` of a video (None: of its deterministic clip)."""
        sampling = self.preparation.sampling
        if test is None:
            return sampling.centre(length)
        if self.settings.test_clips == "offsets":
            return sampling.offset(length, test, self.settings.test_count)
        return sampling.drawn(length, generator(self.seed, "test", name, test))

    def _noted(self, row: int, make: Callable[[FrameReader], PreparedClip]) -> PreparedClip:
        """A clip of a row; frames that were replaced on the way are noted."""
        if self.kept is not None:
            return make(self.kept.reader(row))
        clip = self.dataset.read(row)
        found = make(OpenedClip(clip.source, proposals_of(clip, self.settings.proposals, self.settings.boxes)))
        if clip.source.replaced:
            self.replaced[clip.id] = max(self.replaced.get(clip.id, 0), len(clip.source.replaced))
        return found

    def iterate(self, part: str, test: int | None = None) -> Iterator[VideoBatch]:
        """Every batch of a part, all in this process: deterministic clips, or test clip ``test`` of every video."""
        for number in range(self.batches(part, 1)):
            batch = self.evaluation_batch(part, number, test=test, world=1)
            if len(batch):
                yield batch

    def chosen(self, rows: Sequence[int]) -> Iterator[VideoBatch]:
        """The deterministic clips of some videos, in batches; those that cannot be read are left out."""
        size = self.settings.evaluation_batch
        for first in range(0, len(rows), size):
            clips = [self._tried(Visit(row)) for row in rows[first : first + size]]
            if readable := [clip for clip in clips if clip is not None]:
                yield collate(readable)
