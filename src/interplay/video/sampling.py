"""Which frames of a video a clip shows (supplement of the AGOS paper; specification §7).

Frames are counted from 0; L is the length of the video and n the number of frames of a clip. A video shorter than a
clip repeats frames. Random numbers come from a generator that is made for one clip
(:func:`interplay.training.draws.generator`), so that a clip's frames depend on nothing drawn before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

Sampler = Literal["segments", "grid"]
IntArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.float64]


def segment_frames(length: int, places: FloatArray) -> IntArray:
    """One frame from each of n equal segments: floor((s + u_s) · L / n).

    Args:
        length: L.
        places: u, (n,), where in its segment each frame lies, in [0, 1).
    """
    _check(length)
    count = len(places)
    frames = np.floor((np.arange(count) + places) * length / count).astype(np.int64)
    return np.clip(frames, 0, length - 1)


def grid_frames(length: int, jitter: FloatArray) -> IntArray:
    """A jittered grid, as the authors' release samples: floor(Δ·i + j_i), Δ = (L − 1)/(n − 1), at most L − 1.

    j_i is an integer from 0 to floor(Δ/2), both included, and 0 for the first frame.

    Args:
        length: L.
        jitter: (n,), numbers in [0, 1) from which j follows.
    """
    _check(length)
    count = len(jitter)
    step = (length - 1) / (count - 1) if count > 1 else 0.0
    moved = np.floor(jitter * (np.floor(step / 2) + 1))
    moved[0] = 0.0
    frames = (step * np.arange(count) + moved).astype(np.int64)
    return np.asarray(np.clip(frames, 0, length - 1))


@dataclass(frozen=True)
class FrameSampler:
    """The frames of training, validation and test clips.

    Args:
        count: n, frames of a clip.
        kind: "segments" (paper): a random frame of each of n equal segments. "grid" (release): a jittered grid.
    """

    count: int = 32
    kind: Sampler = "segments"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count: found {self.count}, expected at least 1 frame")

    def drawn(self, length: int, draws: torch.Generator) -> IntArray:
        """A random clip, for training and for each of the test clips."""
        numbers = torch.rand(self.count, dtype=torch.float64, generator=draws).numpy()
        return segment_frames(length, numbers) if self.kind == "segments" else grid_frames(length, numbers)

    def centre(self, length: int) -> IntArray:
        """The one deterministic clip of validation: the middle of each segment, or the grid without jitter."""
        if self.kind == "grid":
            return grid_frames(length, np.zeros(self.count))
        return segment_frames(length, np.full(self.count, 0.5))

    def offset(self, length: int, number: int, of: int) -> IntArray:
        """Test clip ``number`` of ``of`` without chance: frame floor((s + (k + ½)/K) · L/n) of segment s."""
        if not 0 <= number < of:
            raise ValueError(f"number: found {number}, expected 0 to {of - 1}")
        return segment_frames(length, np.full(self.count, (number + 0.5) / of))


def _check(length: int) -> None:
    if length < 1:
        raise ValueError(f"length: found {length}, expected a video of at least 1 frame")
