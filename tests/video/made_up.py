"""Tiny videos that need no files, a square that moves in one of four ways; and a model with random weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from interplay.data.errors import DataError
from interplay.data.proposals import Proposals, proposals_from
from interplay.data.videos import IntArray, UInt8Array, VideoClip, checked_indices
from interplay.video.recogniser import VideoRecogniser

CLASSES = ("moving left", "moving right", "moving up", "standing still")
STEPS = ((-1, 0), (1, 0), (0, -1), (0, 0))


def random_model(folder: Path, classes: Sequence[str], **more: Any) -> Path:
    """A model folder with random weights; videos longer than three seconds are scanned with windows of two."""
    torch.manual_seed(0)
    recogniser = VideoRecogniser(
        list(classes),
        {"width": 8, "na_neighbours": 2, "tc_kernel": 1, "supernodes": 2},
        {"width": 2, "blocks": [1, 1], "strides": [1, 2]},
        {"frames": 4, "height": 32, "width": 32, "boxes": 3},
        clip_seconds=(2.0, 2.0),
        test_count=2,
        **more,
    ).eval()
    for parameter in recogniser.network.structure_parameters():
        torch.nn.init.normal_(parameter)  # at the start all choose the operation "zero", and answers do not differ
    recogniser.save_pretrained(folder)
    return folder


class MovingSquare:
    """Frames of one clip.

    Args:
        label: how the square moves.
        seed: of where it begins and how it looks.
        length: frames.
    """

    def __init__(self, label: int, seed: int, length: int = 12, height: int = 40, width: int = 48) -> None:
        self.label, self.seed, self.length, self.height, self.width = label, seed, length, height, width
        self.frames_per_second: float | None = 12.0
        self.replaced: dict[int, int] = {}

    @property
    def frame_count(self) -> int:
        return self.length

    def corner(self, frame: int) -> tuple[int, int]:
        draws = np.random.default_rng(self.seed)
        x, y = draws.integers(14, 22, 2)
        dx, dy = STEPS[self.label]
        return int(x + dx * frame), int(y + dy * frame)

    def read(self, indices: Sequence[int]) -> UInt8Array:
        draws = np.random.default_rng(self.seed)
        ground = draws.integers(0, 60, (self.height, self.width, 3), dtype=np.uint8)
        frames = np.repeat(ground[None], len(indices), 0)
        for row, frame in enumerate(checked_indices(indices, self.length)):
            x, y = self.corner(int(frame))
            frames[row, max(0, y) : y + 10, max(0, x) : x + 10] = (220, 180, 40)
        return frames


class MadeUp:
    """Clips of every class in turn.

    Args:
        train, validation, test: clips of each part.
        broken: ids that cannot be read.
    """

    name = "made_up"
    classes = CLASSES
    groups: tuple[str, ...] | None = None
    unflippable = frozenset({0, 1})

    def __init__(
        self,
        train: int = 12,
        validation: int = 4,
        test: int = 4,
        broken: Sequence[str] = (),
        proposals: bool = True,
        length: int = 12,
    ) -> None:
        self.counts = {"train": train, "validation": validation, "test": test}
        self.broken, self.length, self.proposals_kind = tuple(broken), length, "rendered" if proposals else "none"

    def __len__(self) -> int:
        return sum(self.counts.values())

    @property
    def ids(self) -> Sequence[str]:
        return [f"square-{index}" for index in range(len(self))]

    @property
    def labels(self) -> IntArray:
        return np.arange(len(self), dtype=np.int64) % len(CLASSES)

    def read(self, index: int) -> VideoClip:
        name = self.ids[index]
        if name in self.broken:
            raise DataError(f"{name}.mp4", "", "no such file", "a video")
        source = MovingSquare(int(self.labels[index]), index, self.length)
        return VideoClip(name, source, int(self.labels[index]), self._proposals(source))

    def _proposals(self, source: MovingSquare) -> Proposals | None:
        if self.proposals_kind == "none":
            return None
        size = np.array([source.width, source.height] * 2, np.float64)
        frames = []
        for frame in range(source.length):
            x, y = source.corner(frame)
            frames.append(np.array([[x, y, x + 10, y + 10]]) / size)
        return proposals_from(frames, "rendered")

    def parts(self) -> Mapping[str, IntArray]:
        first, made = 0, {}
        for part, count in self.counts.items():
            made[part] = np.arange(first, first + count, dtype=np.int64)
            first += count
        return made

    def fingerprint(self) -> str:
        return f"made_up {self.counts} {self.broken} {self.length} {self.proposals_kind}"
