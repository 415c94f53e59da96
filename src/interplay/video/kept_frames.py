"""Decoded frames on disk, small: no epoch opens a video file again.

A folder per (data set, size, number) holds ``frames.bin`` (uint8), ``boxes.bin`` (float16) and ``index.json``, written
last: a folder without it is unfinished and made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch.nn import functional

from interplay.data.cache import user_cache
from interplay.data.errors import DataError
from interplay.data.proposals import Proposals
from interplay.data.video_table import videos_fingerprint
from interplay.data.videos import UInt8Array, VideoClip, VideoDataset
from interplay.errors import InterplayError
from interplay.training.writing import clear_write_errors, write_whole
from interplay.video.preparation import OpenedClip, proposals_of

FORMAT = 2
IN_FLIGHT = 4
"""Clips that are decoded ahead of the one being written."""


@dataclass(frozen=True)
class KeptClip:
    """Frames of one clip in the files."""

    pixels: NDArray[np.uint8]
    regions: NDArray[np.float16]

    @property
    def frame_count(self) -> int:
        return len(self.pixels)

    def frames(self, indices: NDArray[np.int64]) -> UInt8Array:
        return np.array(self.pixels[indices])

    def boxes(self, indices: NDArray[np.int64], count: int) -> NDArray[np.float32]:
        return np.array(self.regions[indices, :count], np.float32)


class KeptFrames:
    """Frames by row of the data set.

    Args:
        folder: as :meth:`prepare` wrote it.

    Attributes:
        unreadable: row → why its clip cannot be used.
        replaced: id of a clip → how many of its frames were broken and replaced by a neighbour.
    """

    def __init__(self, folder: Path) -> None:
        try:
            index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise InterplayError(f"{folder}: cannot read the index of kept frames: {error}") from None
        self.clips: dict[int, list[int]] = {int(row): entry for row, entry in index["clips"].items()}
        self.unreadable: dict[int, str] = {int(row): text for row, text in index["unreadable"].items()}
        self.replaced: dict[str, int] = index["replaced"]
        self.seconds: dict[int, float] = {int(row): value for row, value in index["seconds"].items()}
        self._frames = np.memmap(folder / "frames.bin", np.uint8, "r")
        self._boxes = np.memmap(folder / "boxes.bin", np.float16, "r")

    def reader(self, row: int) -> KeptClip:
        """The clip of a row. DataError where it could not be read when frames were kept."""
        if row in self.unreadable:
            raise DataError(f"clip {row}", "", self.unreadable[row], "a video that can be read")
        offset, box_offset, count, height, width, regions = self.clips[row]
        pixels = self._frames[offset : offset + count * height * width * 3]
        boxes = self._boxes[box_offset : box_offset + count * regions * 4]
        return KeptClip(pixels.reshape(count, height, width, 3), boxes.reshape(count, regions, 4))

    @classmethod
    def prepare(
        cls,
        dataset: VideoDataset,
        rows: Sequence[int],
        *,
        short: int,
        frames: int,
        boxes: int,
        proposals: Literal["given", "grid"] = "given",
        folder: str | None = None,
        threads: int = 2,
        say: Callable[[str], None] | None = None,
    ) -> KeptFrames:
        """Frames of these clips; those that an earlier run kept are used.

        Another video in the place of one, or one where none was, makes another folder. A clip that could not be read
        though its file is as it was is tried again, and where that works all are kept anew.

        Args:
            short: short side of a kept frame, pixels; smaller videos stay as they are.
            frames: at most so many of a clip, spread evenly over it.
            boxes: proposals kept of each frame.

        Raises:
            InterplayError: the folder cannot be written, or no clip can be read.
        """
        root = user_cache() / "frames" if folder is None else Path(folder)
        known = videos_fingerprint(dataset)
        settings = f"{FORMAT} {known} {short} {frames} {boxes} {proposals} {list(map(int, rows))}"
        place = root / f"{dataset.name}-{hashlib.sha256(settings.encode()).hexdigest()[:16]}"
        with clear_write_errors(root):
            root.mkdir(parents=True, exist_ok=True)
        decoding = Decoding(dataset, short, frames, boxes, proposals)
        with FileLock(f"{place}.lock"):
            if not (place / "index.json").is_file() or decoding.any_of(cls(place).unreadable):
                with clear_write_errors(place):
                    _write(decoding, rows, place, threads, say)
        return cls(place)


def kept_clip(clip: VideoClip, proposals: Proposals, *, short: int, most: int, boxes: int) -> KeptClip:
    """What is kept of a clip: see :meth:`KeptFrames.prepare`."""
    length = clip.source.frame_count
    count = min(length, most)
    indices = np.floor((np.arange(count) + 0.5) * length / count).astype(np.int64)
    opened = OpenedClip(clip.source, proposals)
    return KeptClip(shrunk(opened.frames(indices), short), opened.boxes(indices, boxes).astype(np.float16))


def shrunk(frames: UInt8Array, short: int) -> UInt8Array:
    """Frames with a short side of at most ``short`` pixels, their shape kept."""
    height, width = frames.shape[1:3]
    if min(height, width) <= short:
        return frames
    scale = short / min(height, width)
    size = (max(short, round(height * scale)), max(short, round(width * scale)))
    planes = torch.from_numpy(frames).permute(0, 3, 1, 2)
    resized = functional.interpolate(planes, size=size, mode="bilinear", align_corners=False, antialias=True)
    return np.ascontiguousarray(resized.permute(0, 2, 3, 1).numpy())


@dataclass(frozen=True)
class Decoding:
    """What is kept of a clip of a data set; the arguments are those of :meth:`KeptFrames.prepare`."""

    dataset: VideoDataset
    short: int
    most: int
    boxes: int
    proposals: Literal["given", "grid"]

    def __call__(self, row: int) -> tuple[UInt8Array, NDArray[np.float16], int, float | None] | str:
        """(pixels, boxes, frames replaced, seconds), or why it cannot be read."""
        try:
            clip = self.dataset.read(row)
            regions = proposals_of(clip, self.proposals, self.boxes)
            made = kept_clip(clip, regions, short=self.short, most=self.most, boxes=self.boxes)
            length, rate = clip.source.frame_count, clip.source.frames_per_second
            return made.pixels, made.regions, len(clip.source.replaced), None if not rate else length / rate
        except InterplayError as error:
            return str(error)

    def any_of(self, rows: Iterable[int]) -> bool:
        """Whether one of these clips can be read."""
        return any(not isinstance(self(row), str) for row in rows)


def _write(
    decoded: Decoding, rows: Sequence[int], place: Path, threads: int, say: Callable[[str], None] | None
) -> None:
    dataset = decoded.dataset
    ids = dataset.ids
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    index: dict[str, Any] = {"clips": {}, "unreadable": {}, "replaced": {}, "seconds": {}}
    offset = box_offset = 0
    with (
        open(place / "frames.bin", "wb") as frames_file,
        open(place / "boxes.bin", "wb") as boxes_file,
        ThreadPoolExecutor(threads, thread_name_prefix="decoding") as pool,
    ):
        waiting = {position: pool.submit(decoded, int(rows[position])) for position in range(min(IN_FLIGHT, len(rows)))}
        for position, row in enumerate(rows):
            found = waiting.pop(position).result()
            ahead = position + IN_FLIGHT
            if ahead < len(rows):
                waiting[ahead] = pool.submit(decoded, int(rows[ahead]))
            if isinstance(found, str):
                index["unreadable"][int(row)] = found
                continue
            pixels, regions, replaced, seconds = found
            index["clips"][int(row)] = [offset, box_offset, *pixels.shape[:3], regions.shape[1]]
            if replaced:
                index["replaced"][ids[int(row)]] = replaced
            if seconds is not None:
                index["seconds"][int(row)] = seconds
            frames_file.write(pixels.tobytes())
            boxes_file.write(regions.tobytes())
            offset += pixels.size
            box_offset += regions.size
        for file in (frames_file, boxes_file):
            file.flush()
            os.fsync(file.fileno())
    if not index["clips"]:
        raise InterplayError(
            f"{dataset.name}: no clip can be read; the first: {next(iter(index['unreadable'].values()))}"
        )
    write_whole(place / "index.json", json.dumps(index))
    if say is not None:
        say(f"{dataset.name}: frames of {len(index['clips'])} clips kept, {offset / 1e9:.2f} GB in {place}")
