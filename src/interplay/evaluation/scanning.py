"""Long recordings: sliding windows in, intervals out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray


@dataclass(frozen=True)
class Interval:
    """Frames ``start`` (inclusive) to ``end`` (exclusive) with one label; -1 is none of the known.

    ``probabilities`` is the mean over its frames of the probabilities of the windows that see them; its last entry is
    that of none of the known.
    """

    start: int
    end: int
    label: int
    probabilities: NDArray[np.float64]


def window_starts(frames: int, window: int, stride: int) -> Int[np.ndarray, " window"]:
    """First frames of the windows over a recording; the last one ends with the recording.

    A recording shorter than a window has one, which starts at 0 and is the whole recording.
    """
    if window < 1 or stride < 1:
        raise ValueError(f"window {window} and stride {stride}: expected at least 1 frame each")
    last = max(0, frames - window)
    starts = np.arange(0, last + 1, stride)
    return starts if starts[-1] == last else np.append(starts, last)


def frame_probabilities(
    probabilities: Float[np.ndarray, "window class"], starts: Int[np.ndarray, " window"], window: int, frames: int
) -> Float[np.ndarray, "frame class"]:
    """Per frame, the mean of the probabilities of the windows that contain it, weighted by how central it is.

    The weight of a frame at offset o in a window of W frames is the Hann window sin²(π(o+½)/W): a window says most
    about what happens in its middle. Frames that no window contains, as windows further apart than their length leave
    them, take those of the nearest frame that has some (the earlier of two).
    """
    weight = np.sin(np.pi * (np.arange(window) + 0.5) / window) ** 2
    total = np.zeros((frames, probabilities.shape[1]))
    mass = np.zeros(frames)
    for row, start in zip(probabilities, starts, strict=True):
        stop = min(start + window, frames)
        total[start:stop] += weight[: stop - start, None] * row
        mass[start:stop] += weight[: stop - start]
    seen, every = np.flatnonzero(mass), np.arange(frames)
    after = np.searchsorted(seen, every).clip(max=len(seen) - 1)
    before, after = seen[(after - 1).clip(min=0)], seen[after]
    nearest = np.where(np.abs(every - before) <= np.abs(after - every), before, after)
    return np.asarray(total[nearest] / mass[nearest, None])


def with_none(
    probabilities: Float[np.ndarray, "window class"], threshold: float | None
) -> Float[np.ndarray, "window class_and_none"]:
    """Probabilities with a last column for none of the known.

    A window whose best probability lies below ``threshold`` (or that has no body in it: all zeros) says nothing about
    the classes and everything for that column. The threshold is applied here, to whole windows, as it was calibrated
    on whole clips; averages over windows are always less sure.
    """
    best = probabilities.max(axis=1)
    unknown = (best <= 0) if threshold is None else (best < threshold)
    return np.concatenate([np.where(unknown[:, None], 0.0, probabilities), unknown[:, None].astype(float)], axis=1)


def to_intervals(probabilities: Float[np.ndarray, "frame class_and_none"], shortest: int) -> list[Interval]:
    """Runs of frames with the same best label, in order of time; together they cover every frame.

    The last column is none of the known; its label is -1. A run of fewer than ``shortest`` frames takes the label of
    its longer neighbour.
    """
    labels = probabilities.argmax(axis=1)
    labels = np.where(labels == probabilities.shape[1] - 1, -1, labels)
    runs = _runs(labels)
    while len(runs) > 1:
        lengths = [end - start for start, end, _ in runs]
        index = int(np.argmin(lengths))
        if lengths[index] >= shortest:
            break
        left = lengths[index - 1] if index > 0 else -1
        right = lengths[index + 1] if index + 1 < len(runs) else -1
        start, end, _ = runs[index]
        labels[start:end] = runs[index - 1][2] if left >= right else runs[index + 1][2]
        runs = _runs(labels)
    return [Interval(start, end, label, probabilities[start:end].mean(axis=0)) for start, end, label in runs]


def _runs(labels: Int[np.ndarray, " frame"]) -> list[tuple[int, int, int]]:
    edges = np.flatnonzero(np.diff(labels)) + 1
    bounds = [0, *edges.tolist(), len(labels)]
    return [(start, end, int(labels[start])) for start, end in pairwise(bounds)]
