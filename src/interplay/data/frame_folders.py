"""Videos as folders of numbered pictures: ``00001.jpg``, ``frame_000000.png``, ``img-17.jpg``, …"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from interplay.data.errors import DataError
from interplay.data.scenes import read_picture
from interplay.data.videos import UInt8Array, checked_indices

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_NUMBERED = re.compile(r"(.*?)([0-9]{1,18})")
NAMES = ("", "img", "image", "frame")
"""What stands before the number, by preference, where a folder has several kinds of pictures (``flow_x_00001.jpg``)."""


class FrameFolderSource:
    """The pictures of a folder in the order of their numbers, whatever width and wherever they begin.

    Args:
        folder: with pictures whose names end in a number. Everything else in it is ignored.
        frames_per_second: at which they were taken; the folder does not know.

    Frame k is the (k + 1)-th number that is there, so that folders which hold every fifth frame are read as they are.
    Pictures of another size than the first that decodes are scaled to its size. A picture that does not decode
    (empty, cut short) is broken.

    Raises:
        DataError: on first use, a folder that is missing or has no numbered picture, or no picture that decodes.
    """

    def __init__(self, folder: str | Path, frames_per_second: float | None = None) -> None:
        self.path = Path(folder)
        self.frames_per_second = frames_per_second
        self._replaced: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"FrameFolderSource({str(self.path)!r})"

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The pictures, frame by frame."""
        return numbered_pictures(self.path)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The number that each frame has in its name."""
        return tuple(_number(path.stem)[1] for path in self.files)

    @cached_property
    def _shape(self) -> tuple[int, int]:
        for file in self.files:
            try:
                return read_picture(file).shape[:2]
            except DataError:
                continue
        raise self._nothing()

    def _nothing(self) -> DataError:
        return DataError(self.path, "", f"none of {len(self.files)} pictures that decodes", "frames of a video")

    @property
    def frame_count(self) -> int:
        return len(self.files)

    @property
    def height(self) -> int:
        return self._shape[0]

    @property
    def width(self) -> int:
        return self._shape[1]

    @property
    def replaced(self) -> Mapping[int, int]:
        return dict(self._replaced)

    def read(self, indices: Sequence[int]) -> UInt8Array:
        """See :class:`interplay.data.videos.VideoSource`."""
        asked = checked_indices(indices, self.frame_count)
        height, width = self._shape
        frames = np.empty((len(asked), height, width, 3), np.uint8)
        first: dict[int, int] = {}
        for place, index in enumerate(asked.tolist()):
            if index in first:
                frames[place] = frames[first[index]]
                continue
            frames[place] = self._frame(index)
            first[index] = place
        return frames

    def frames(self, indices: Sequence[int]) -> Iterator[UInt8Array]:
        """The same frames one after the other, in the memory of one."""
        for index in checked_indices(indices, self.frame_count).tolist():
            yield self._frame(index)

    def broken_frames(self) -> list[int]:
        """Pictures that do not decode. Decodes everything, in the memory of a picture."""
        return [index for index, file in enumerate(self.files) if not _decodes(file)]

    def _frame(self, index: int) -> UInt8Array:
        """A frame, or its nearest neighbour that decodes."""
        known = self._replaced.get(index, index)
        for other in (known, *_around(index, self.frame_count)):
            try:
                picture = read_picture(self.files[other])
            except DataError:
                continue
            if other != index:
                self._replaced[index] = other
            return self._scaled(picture)
        raise self._nothing()

    def _scaled(self, picture: UInt8Array) -> UInt8Array:
        height, width = self._shape
        if picture.shape[:2] == (height, width):
            return picture
        scaled = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(scaled, dtype=np.uint8)


def numbered_pictures(folder: Path) -> tuple[Path, ...]:
    """The pictures whose names end in a number, ascending. DataError if there is none, or if one number is there
    twice."""
    try:
        found = [
            path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and _NUMBERED.fullmatch(path.stem)
        ]
    except OSError as error:
        raise DataError(folder, "", error.strerror or type(error).__name__, "a folder of numbered pictures") from None
    kinds: dict[str, dict[int, Path]] = {}
    for path in sorted(found):
        name, number = _number(path.stem)
        if number in (kind := kinds.setdefault(name, {})):
            twice = f"{kind[number].name} and {path.name}"
            raise DataError(folder, f"frame {number}", twice, "each number once")
        kind[number] = path
    if not kinds:
        raise DataError(folder, "", "no picture with a number as its name", "frames such as 00001.jpg")
    chosen = min(kinds, key=lambda name: (_rank(name), -len(kinds[name]), name))
    return tuple(kinds[chosen][number] for number in sorted(kinds[chosen]))


def _number(stem: str) -> tuple[str, int]:
    match = _NUMBERED.fullmatch(stem)
    assert match is not None
    return match[1], int(match[2])


def _rank(name: str) -> int:
    plain = name.strip("-_. ").lower()
    return NAMES.index(plain) if plain in NAMES else len(NAMES)


def _around(index: int, count: int) -> Iterator[int]:
    """The other frames, nearest first, the earlier of two."""
    for distance in range(1, count):
        yield from (other for other in (index - distance, index + distance) if 0 <= other < count)


def _decodes(file: Path) -> bool:
    try:
        read_picture(file)
    except DataError:
        return False
    return True


def nearest_good(good: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each frame the nearest that is good (the earlier of two); at least one must be."""
    there = np.flatnonzero(good)
    every = np.arange(len(good))
    after = np.clip(np.searchsorted(there, every), 0, len(there) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(there[before] - every) <= np.abs(there[after] - every)
    return np.where(nearer, there[before], there[after]).astype(np.int64)
