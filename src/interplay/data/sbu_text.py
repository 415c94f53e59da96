"""``skeleton_pos.txt``, SBU's text: a frame number and 2 × 15 × 3 values on every line.

A file may hold more than one recording, one after the other: the frame number then steps back. Each becomes a clip of
its own. A number that steps forward by more than one (a frame the sensor lost) does not end a recording; the frames
that exist follow each other, as in the packed files.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError

VALUES = 1 + 2 * 15 * 3
MAX_BYTES = 64 * 2**20
"""A line takes 0.7 kB, so this is about 100,000 frames: two hours. More is not this format."""


def _text(path: Path) -> str:
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise DataError(path, "", f"{size} bytes", f"at most {MAX_BYTES}")
        return path.read_bytes().decode("ascii")
    except UnicodeDecodeError as error:
        raise DataError(path, f"byte {error.start}", "a byte that is not text", "plain numbers and commas") from None
    except OSError as error:
        raise DataError(path, "", error.strerror or type(error).__name__, "a readable file") from None


def _steps_back(numbers: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.flatnonzero(numbers[1:] <= numbers[:-1]) + 1


def recordings_in(path: str | Path) -> int:
    """How many recordings the file holds, from the frame numbers alone; 1 where that cannot be told."""
    try:
        firsts = [line.split(",", 1)[0] for line in _text(Path(path)).splitlines() if line.strip()]
        return 1 + len(_steps_back(np.array(firsts, np.float64)))
    except (DataError, ValueError):
        return 1  # reading it will say what is wrong


def read_skeleton_pos(path: str | Path) -> list[tuple[NDArray[np.float32], int]]:
    """The recordings of one file: joints (frame, 2, 15, 3) in the data set's normalised units, and first frame number.

    Raises:
        DataError: not text, a line without 91 numbers, a value that is not finite, a frame number that is not a
            whole number, or no frame at all.
    """
    path = Path(path)
    lines = _text(path).splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields = line.rstrip().rstrip(",").split(",")
        if len(fields) != VALUES:
            raise DataError(path, f"line {number}", f"{len(fields)} values", f"{VALUES}: frame, 2 × 15 × 3")
        try:
            row = np.array(fields, np.float64)
        except ValueError:
            raise DataError(path, f"line {number}", "something that is no number", "numbers and commas") from None
        # NaN fails every comparison; float32 must hold the value without becoming infinite.
        if not (np.abs(row) < 1e30).all():
            raise DataError(path, f"line {number}", "a value that is not finite", "numbers")
        if row[0] != np.floor(row[0]):
            raise DataError(path, f"line {number}", f"frame number {fields[0]}", "a whole number")
        rows.append(row)
    if not rows:
        raise DataError(path, "", "no frames", "at least one line")
    table = np.stack(rows)
    joints = table[:, 1:].reshape(-1, 2, 15, 3).astype(np.float32)
    borders = [0, *_steps_back(table[:, 0]).tolist(), len(table)]
    recordings = []
    for start, end in pairwise(borders):
        filled = np.flatnonzero((joints[start:end] != 0).any(axis=(1, 2, 3)))
        if not len(filled):
            raise DataError(path, f"frame {int(table[start, 0])} and after", "zeros only", "at least one skeleton")
        # Zero frames at the end are padding, as in the packed files.
        recordings.append((joints[start : start + int(filled[-1]) + 1], int(table[start, 0])))
    return recordings
