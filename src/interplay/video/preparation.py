"""From a video to what the network takes: which frames, which part of them, which boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy.typing import NDArray
from torch import Tensor

from interplay.data.proposals import FrameBoxes, Proposals, grid_proposals
from interplay.data.videos import UInt8Array, VideoClip, VideoSource
from interplay.video.sampling import FrameSampler, Sampler
from interplay.video.transforms import Crop, Degenerate, centre_crop, normalised, training_crop

TestClips = Literal["draws", "offsets"]


class FrameReader(Protocol):
    """Frames and boxes of one clip, wherever they are kept.

    Attributes:
        frame_count: frames that can be asked for.
    """

    @property
    def frame_count(self) -> int: ...

    def frames(self, indices: NDArray[np.int64]) -> UInt8Array:
        """uint8 (len(indices), height, width, 3)."""

    def boxes(self, indices: NDArray[np.int64], count: int) -> NDArray[np.float32]:
        """float32 (len(indices), count, 4), shares of the frame."""


@dataclass(frozen=True)
class OpenedClip:
    """A clip read from its file.

    Args:
        source: its frames.
        proposals: its boxes.
        start, stop: the frames that are the clip, of a longer video; stop excluded.
    """

    source: VideoSource
    proposals: FrameBoxes
    start: int = 0
    stop: int | None = None

    @property
    def frame_count(self) -> int:
        return (self.source.frame_count if self.stop is None else self.stop) - self.start

    def frames(self, indices: NDArray[np.int64]) -> UInt8Array:
        return self.source.read((indices + self.start).tolist())

    def boxes(self, indices: NDArray[np.int64], count: int) -> NDArray[np.float32]:
        return self.proposals.at((indices + self.start).tolist(), count)


@dataclass(frozen=True)
class PreparedClip:
    """One clip as the network takes it.

    Args:
        id: of the clip.
        label: class index, −1 where unknown.
        frames: uint8 (frame, height, width, 3), cropped and resized; None where ``features`` are there.
        boxes: float32 (step, box, 4), shares of the crop.
        features: backbone map (channel, step, y, x), kept from before; None where it is to be computed.
    """

    id: str
    label: int
    frames: UInt8[Tensor, "frame height width 3"] | None
    boxes: Float[Tensor, "step box 4"]
    features: Float[Tensor, "channel step y x"] | None = None


@dataclass(frozen=True)
class VideoBatch:
    """Clips of one step.

    Args:
        ids: of the clips.
        labels: (batch,), −1 where unknown.
        boxes: (batch, step, box, 4), shares of the crop.
        frames: uint8 (batch, frame, height, width, 3), or None.
        features: (batch, channel, step, y, x) kept backbone maps, or None.
    """

    ids: tuple[str, ...]
    labels: Int[Tensor, " batch"]
    boxes: Float[Tensor, "batch step box 4"]
    frames: UInt8[Tensor, "batch frame height width 3"] | None = None
    features: Float[Tensor, "batch channel step y x"] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def clips(self) -> Float[Tensor, "batch 3 frame height width"]:
        """Normalised pixels. ValueError where the batch has kept features instead."""
        if self.frames is None:
            raise ValueError("the batch holds kept backbone maps, expected frames")
        return normalised(self.frames)

    def to(self, device: torch.device | str) -> VideoBatch:
        def moved(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device)

        return replace(
            self,
            labels=self.labels.to(device),
            boxes=self.boxes.to(device),
            frames=moved(self.frames),
            features=moved(self.features),
        )


def collate(clips: Sequence[PreparedClip]) -> VideoBatch:
    """Clips of one size as a batch; at least one."""
    frames = [clip.frames for clip in clips if clip.frames is not None]
    features = [clip.features for clip in clips if clip.features is not None]
    return VideoBatch(
        tuple(clip.id for clip in clips),
        torch.tensor([clip.label for clip in clips], dtype=torch.int64),
        torch.stack([clip.boxes for clip in clips]),
        torch.stack(frames) if frames else None,
        torch.stack(features) if features else None,
    )


@dataclass(frozen=True)
class ClipPreparation:
    """How a clip is cut out of a video, in training and afterwards.

    Args:
        frames: n, input frames of a clip; every second one has region proposals.
        height, width: of the resized crop, pixels.
        sampler: see :class:`~interplay.video.sampling.FrameSampler`.
        scales: of training crops, shares of the largest crop's sides.
        flip: probability that a training clip is mirrored.
        boxes: R, proposals per frame.
        degenerate, flip_bug: see :meth:`interplay.video.transforms.Crop.boxes`.
    """

    frames: int = 32
    height: int = 224
    width: int = 224
    sampler: Sampler = "segments"
    scales: Sequence[float] = field(default=(1.0, 0.9))
    flip: float = 0.5
    boxes: int = 10
    degenerate: Degenerate = "keep"
    flip_bug: bool = False

    @property
    def sampling(self) -> FrameSampler:
        return FrameSampler(self.frames, self.sampler)

    @property
    def aspect(self) -> float:
        return self.width / self.height

    def training(self, id: str, label: int, reader: FrameReader, draws: torch.Generator, flip: bool) -> PreparedClip:
        """A random clip: frames, crop and mirror are drawn; ``flip`` is False for classes that must not be."""
        indices = self.sampling.drawn(reader.frame_count, draws)
        pixels = torch.from_numpy(reader.frames(indices))
        crop = training_crop(
            pixels.shape[1],
            pixels.shape[2],
            draws,
            aspect=self.aspect,
            scales=self.scales,
            flip=self.flip if flip else 0.0,
        )
        return self._cut(id, label, reader, indices, pixels, crop)

    def centred(self, id: str, label: int, reader: FrameReader, indices: NDArray[np.int64]) -> PreparedClip:
        """The given frames, the largest crop in the middle: validation, test and prediction."""
        pixels = torch.from_numpy(reader.frames(indices))
        crop = centre_crop(pixels.shape[1], pixels.shape[2], self.aspect)
        return self._cut(id, label, reader, indices, pixels, crop)

    def _cut(
        self, id: str, label: int, reader: FrameReader, indices: NDArray[np.int64], pixels: Tensor, crop: Crop
    ) -> PreparedClip:
        # Of 32 frames those of the 16 steps: the backbone's temporal pooling is centred on the even ones (spec §3).
        boxes = torch.from_numpy(reader.boxes(indices[::2], self.boxes))
        return PreparedClip(
            id,
            label,
            crop.frames(pixels, self.height, self.width),
            crop.boxes(boxes, self.degenerate, self.flip_bug),
        )


def proposals_of(clip: VideoClip, wanted: Literal["given", "grid"], count: int) -> Proposals:
    """The clip's own boxes, or the grid where it has none or the grid is wanted."""
    if wanted == "grid" or clip.proposals is None:
        return grid_proposals(count)
    return clip.proposals
