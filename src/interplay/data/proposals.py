"""Region proposals of a clip: where something might be, whatever it is.

Boxes are x1, y1, x2, y2 as shares (0 to 1) of the frame as it lies in the file, in float16: a box of ten on each of
sixteen frames takes 1,280 bytes a clip. Spec §3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

KINDS = ("rpn", "grid", "annotated", "rendered", "file")
"""From a region proposal network, a fixed grid, people, the playground's renderer, a file that does not say."""

Float16Array: TypeAlias = NDArray[np.float16]
Float32Array: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Proposals:
    """Boxes on the frames of one clip, best first.

    Args:
        boxes: float16 (rows, count, 4), x1 ≤ x2 and y1 ≤ y2, in [0, 1]. A row holds the boxes of one frame; those it
            lacks (another frame has more) are NaN.
        kind: one of :data:`KINDS`.
        scores: float16 (rows, count) or None.
        frames: which frame of the video each row is of, int64 (rows,), ascending. None: row k is of frame k, and a
            single row is of every frame.

    Raises:
        ValueError: shapes or types that are not these, boxes outside or inside out.
    """

    boxes: Float16Array
    kind: str
    scores: Float16Array | None = None
    frames: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        boxes = self.boxes
        if boxes.dtype != np.float16 or boxes.ndim != 3 or boxes.shape[2] != 4 or not len(boxes):
            raise ValueError(f"boxes: found {boxes.dtype} {boxes.shape}, expected float16 (rows ≥ 1, count, 4)")
        if self.kind not in KINDS:
            raise ValueError(f"kind: found {self.kind!r}, expected one of {', '.join(KINDS)}")
        missing = np.isnan(boxes).any(axis=2)
        if not np.isnan(boxes[missing]).all():
            raise ValueError("boxes: found a box that is NaN in part, expected four numbers or four NaN")
        there = boxes[~missing]
        if ((there < 0) | (there > 1)).any() or (there[:, :2] > there[:, 2:]).any():
            raise ValueError("boxes: found a box outside the frame or inside out, expected 0 ≤ x1 ≤ x2 ≤ 1 (and y)")
        if self.scores is not None and (self.scores.dtype != np.float16 or self.scores.shape != boxes.shape[:2]):
            found = f"{self.scores.dtype} {self.scores.shape}"
            raise ValueError(f"scores: found {found}, expected float16 {boxes.shape[:2]}")
        frames = self.frames
        if frames is not None and (
            frames.dtype != np.int64 or frames.shape != (len(boxes),) or frames[0] < 0 or (np.diff(frames) <= 0).any()
        ):
            raise ValueError(f"frames: expected {len(boxes)} ascending frame numbers, int64")

    @property
    def rows(self) -> int:
        return int(self.boxes.shape[0])

    def row_of(self, frame_indices: Sequence[int]) -> NDArray[np.int64]:
        """The row for each frame: its own, or the nearest that there is (the earlier of two)."""
        wanted = np.asarray(frame_indices, dtype=np.int64).reshape(-1)
        if self.frames is None:
            return np.clip(wanted, 0, self.rows - 1)
        after = np.clip(np.searchsorted(self.frames, wanted), 0, self.rows - 1)
        before = np.maximum(after - 1, 0)
        nearer = np.abs(self.frames[before] - wanted) <= np.abs(self.frames[after] - wanted)
        return np.where(nearer, before, after).astype(np.int64)

    def at(self, frame_indices: Sequence[int], count: int = 10) -> Float32Array:
        """Exactly ``count`` boxes on each of these frames, float32 (len(frame_indices), count, 4).

        The first ``count`` of a frame in their order; where it has fewer, the rest are the full frame (0, 0, 1, 1).
        A frame without boxes of its own takes those of the nearest frame that has a row.
        """
        if count < 1:
            raise ValueError(f"count: found {count}, expected at least 1")
        rows = self.boxes[self.row_of(frame_indices)].astype(np.float32)
        absent = np.isnan(rows[..., 0])
        order = np.argsort(absent, axis=1, kind="stable")  # those that are there first, otherwise as they were
        rows = np.take_along_axis(rows, order[..., None], axis=1)[:, :count]
        boxes = np.zeros((len(rows), count, 4), np.float32)
        boxes[..., 2:] = 1
        there = ~np.isnan(rows[..., 0])
        boxes[:, : rows.shape[1]][there] = rows[there]
        return boxes


def grid_proposals(count: int = 10) -> Proposals:
    """The same boxes on every frame, from large to small, for where no detector is at hand.

    The full frame; the centre half; the four quadrants, each reaching over the middle; then 3 × 3 overlapping cells of
    half a frame's side, then 4 × 4, … until there are ``count``. Deterministic; the first ``count`` of one sequence.
    """
    if count < 1:
        raise ValueError(f"count: found {count}, expected at least 1")
    boxes: list[tuple[float, float, float, float]] = [(0.0, 0.0, 1.0, 1.0), (0.25, 0.25, 0.75, 0.75)]
    boxes += [(x, y, x + 0.625, y + 0.625) for y in (0.0, 0.375) for x in (0.0, 0.375)]
    # The middles of the sides, which quadrants cut: left, right, top, bottom.
    boxes += [(0.0, 0.25, 0.5, 0.75), (0.5, 0.25, 1.0, 0.75), (0.25, 0.0, 0.75, 0.5), (0.25, 0.5, 0.75, 1.0)]
    cells = 4
    while len(boxes) < count:
        side, step = 1.5 / cells, (1 - 1.5 / cells) / (cells - 1)
        boxes += [
            (step * x, step * y, min(step * x + side, 1.0), min(step * y + side, 1.0))
            for y in range(cells)
            for x in range(cells)
        ]
        cells += 1
    return Proposals(np.array([boxes[:count]], np.float16), "grid")


def proposals_from(
    frames: Sequence[NDArray[np.floating]],
    kind: str,
    scores: Sequence[NDArray[np.floating]] | None = None,
    frame_numbers: Sequence[int] | None = None,
) -> Proposals:
    """Proposals from a list of boxes per frame, (count of that frame, 4) each; what lies outside is clipped.

    Args:
        frames: x1, y1, x2, y2 as shares of the frame; not finite or inside out: ValueError.
        kind: one of :data:`KINDS`.
        scores: (count of that frame,) each.
        frame_numbers: see :class:`Proposals`.
    """
    if not frames:
        raise ValueError("frames: found none, expected at least one")
    most = max(len(boxes) for boxes in frames)
    packed = np.full((len(frames), most, 4), np.nan, np.float16)
    marks = None if scores is None else np.zeros((len(frames), most), np.float16)
    for row, boxes in enumerate(frames):
        given = np.asarray(boxes, np.float64).reshape(-1, 4)
        if not np.isfinite(given).all():
            raise ValueError(f"frames: found a box of frame {row} that is not finite, expected numbers")
        packed[row, : len(given)] = np.clip(given, 0, 1)
        if marks is not None and scores is not None:
            marks[row, : len(given)] = np.clip(np.asarray(scores[row], np.float64), -65504, 65504)
    numbers = None if frame_numbers is None else np.asarray(frame_numbers, np.int64)
    return Proposals(packed, kind, marks, numbers)
