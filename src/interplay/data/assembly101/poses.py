"""Hand poses: one JSON file per sequence, a list over frames at 60 a second.

A frame is ``{"landmarks": {"0": 21×[x, y, z], "1": …}, "tracking_confidence": {…}}`` in world millimetres; hand 0 is
the left and hand 1 the right one. A file has tens of megabytes; it is read a frame at a time, so the memory is that
of the array (0.5 kB a frame) and not that of a hundred million Python numbers.
"""

from __future__ import annotations

import codecs
import json
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError

MAX_FRAMES = 1_000_000
"""4.6 hours at 60 frames a second, 0.5 GB; the longest sequence has less than an hour."""
MAX_FRAME_CHARACTERS = 1 << 20
_CHUNK = 1 << 20
_SPACE = " \t\r\n"


def _elements(path: Path) -> Iterator[Any]:
    """The elements of the list in a JSON file, one at a time."""
    scan = json.JSONDecoder().raw_decode
    decode = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as stream:
        text, at, count, finished, opened = "", 0, 0, False, False
        while True:
            while at < len(text) and text[at] in _SPACE:
                at += 1
            if at < len(text):
                if not opened:
                    if text[at] != "[":
                        raise DataError(path, "", f"{text[at : at + 20]!r}", "a JSON list of frames")
                    opened, at = True, at + 1
                    continue
                if text[at] == "]":
                    return
                if text[at] == ",":
                    at += 1
                    continue
                try:
                    value, at = scan(text, at)
                    yield value
                    count += 1
                    continue
                except (ValueError, RecursionError) as error:
                    # Either broken or not yet read to its end; the latter only while the file has more.
                    if finished or len(text) - at > MAX_FRAME_CHARACTERS or isinstance(error, RecursionError):
                        raise DataError(path, f"frame {count}", "broken JSON", "an object per frame") from None
            elif finished:
                raise DataError(path, f"frame {count}", "the end of the file", "']' after the last frame")
            chunk = stream.read(_CHUNK)
            finished = not chunk
            text, at = text[at:] + decode.decode(chunk, final=finished), 0


def read_pose_json(path: str | Path) -> NDArray[np.float32]:
    """One sequence: float32 (frame, 2, 21, 3) in millimetres; a hand that a frame lacks is zero there.

    Raises:
        DataError: not such a file, a hand without 21×3 numbers, or more than :data:`MAX_FRAMES` frames.
    """
    path = Path(path)
    blocks: list[NDArray[np.float32]] = []
    count = 0
    try:
        for count, frame in enumerate(_elements(path), start=1):
            if count > MAX_FRAMES:
                raise DataError(path, "", f"more than {MAX_FRAMES} frames", "at most so many")
            offset = (count - 1) % 4096
            if offset == 0:
                blocks.append(np.zeros((4096, 2, 21, 3), np.float32))
            _fill(blocks[-1][offset], frame, path, count - 1)
    except OSError as error:
        raise DataError(path, "", error.strerror or type(error).__name__, "a readable pose file") from None
    except UnicodeDecodeError as error:
        raise DataError(path, "", f"a byte that is no text ({error.reason})", "UTF-8") from None
    if not count:
        raise DataError(path, "", "no frames", "a JSON list of frames")
    return np.concatenate([*blocks[:-1], blocks[-1][: (count - 1) % 4096 + 1]])


def _fill(target: NDArray[np.float32], frame: Any, path: Path, number: int) -> None:
    landmarks = frame.get("landmarks") if isinstance(frame, dict) else None
    if not isinstance(landmarks, dict):
        raise DataError(path, f"frame {number}", type(frame).__name__, "an object with 'landmarks'")
    for hand in (0, 1):
        points = landmarks.get(str(hand))
        if not points:
            continue
        try:
            with np.errstate(over="ignore"):
                values = np.array(points, np.float64).astype(np.float32)
        except (ValueError, TypeError, OverflowError):
            values = np.empty(0, np.float32)
        if values.shape != (21, 3):
            raise DataError(path, f"frame {number}, hand {hand}", "something else", "21 points of three numbers")
        target[hand] = values


class PoseStore:
    """Sequences by name, the last few kept in memory (segments of one sequence are neighbours)."""

    def __init__(self, files: dict[str, Path], keep: int = 2) -> None:
        self.files, self.keep = files, keep
        self._kept: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def __contains__(self, sequence: str) -> bool:
        return sequence in self.files

    def __getitem__(self, sequence: str) -> NDArray[np.float32]:
        if sequence not in self._kept:
            while len(self._kept) >= self.keep:
                self._kept.popitem(last=False)
            self._kept[sequence] = read_pose_json(self.files[sequence])
        self._kept.move_to_end(sequence)
        return self._kept[sequence]

    def __getstate__(self) -> dict[str, Any]:
        # What another process gets is the list of files, not the arrays.
        return self.__dict__ | {"_kept": OrderedDict()}
