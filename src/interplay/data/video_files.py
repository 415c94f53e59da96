"""Frames of mp4, webm, avi, gif and other video files, decoded by libav (PyAV) where they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.frame_folders import FrameFolderSource, nearest_good
from interplay.data.video_timeline import EXPECTED, FAILURES, Timeline, decode, decoded, opened, packets, read_timeline
from interplay.data.videos import UInt8Array, VideoSource, checked_indices

SUFFIXES = (".mp4", ".webm", ".avi", ".gif", ".mkv", ".mov", ".m4v", ".mpg", ".mpeg", ".ogv", ".flv", ".wmv", ".ts")
GAP = 4
"""Packets between two stretches that are decoded rather than sought over."""
REORDERED = 32
"""Frames by which a decoder's output may be out of order; more are in no format."""


def open_video(path: str | Path, frames_per_second: float | None = None) -> VideoSource:
    """The frames of a video file, or of a folder of numbered pictures.

    Args:
        path: file or folder.
        frames_per_second: of a folder, which does not know; ignored for a file.

    Nothing is read yet but whether the path is there.

    Raises:
        DataError: no such file or folder.
    """
    path = Path(path)
    if path.is_dir():
        return FrameFolderSource(path, frames_per_second)
    if not path.exists():
        raise DataError(path, "", "no such file or folder", "a video, or a folder of its frames")
    return ContainerSource(path)


class ContainerSource:
    """A video file.

    Args:
        path: of the file. It is opened for each call, never kept open.

    ``frame_count`` is exact: see :mod:`interplay.data.video_timeline`. :meth:`read` decodes from the last key frame
    before each wanted frame, leaves out frames to which no other refers (H.264, MPEG-4), and turns into RGB only what
    is wanted; where the file has one key frame at its beginning, that is still everything up to the last wanted
    frame. Frames are turned upright as the file says. One whose size differs from the first's is scaled to it.

    A frame is broken if the decoder gives none for it or calls it corrupt, also when everything before it is decoded,
    or if its packet ends early; where all are, those that decode at all are shown.

    Raises:
        DataError: on first use, a file that cannot be opened or has no frame that decodes.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._replaced: dict[int, int] = {}
        self._good: NDArray[np.bool_] | None = None
        self._any = False

    def __repr__(self) -> str:
        return f"ContainerSource({str(self.path)!r})"

    @cached_property
    def timeline(self) -> Timeline:
        return read_timeline(self.path)

    @cached_property
    def _shape(self) -> tuple[int, int]:
        """Height and width of the first frame that decodes, upright."""
        first = next(decoded(self.path), None)
        if first is None:
            raise DataError(self.path, "", "no frame that decodes", EXPECTED)
        return (first.width, first.height) if _turns(first) % 2 else (first.height, first.width)

    @property
    def frame_count(self) -> int:
        return self.timeline.count

    @property
    def frames_per_second(self) -> float | None:
        return self.timeline.rate

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
        wanted, places = np.unique(asked, return_inverse=True)
        pictures = np.empty((len(wanted), *self._shape, 3), np.uint8)
        for place, picture in enumerate(self.frames(wanted.tolist())):
            pictures[place] = picture
        # Mostly asked for in order, and then nothing is copied.
        return pictures if np.array_equal(wanted, asked) else pictures[places.reshape(-1)]

    def frames(self, indices: Sequence[int]) -> Iterator[UInt8Array]:
        """The same frames one after the other, decoded in one pass: as long a video as one likes, in little memory.

        Args:
            indices: ascending; they may repeat.
        """
        asked = checked_indices(indices, self.frame_count)
        if (np.diff(asked) < 0).any():
            raise ValueError("indices: found one below the one before it, expected them ascending")
        picture = _Picture(*self._shape)
        done = 0
        while done < len(asked):
            shown = self._shown(asked)
            wanted = np.unique(shown[done:])
            given = self._quickly(wanted) if self._good is None else self._from_the_start(int(wanted[-1]))
            for rgb in _in_order(given, wanted, picture):
                frame = int(shown[done])
                while done < len(asked) and shown[done] == frame:
                    if asked[done] != frame:
                        self._replaced[int(asked[done])] = frame
                    yield rgb
                    done += 1
            if done == len(asked):
                return
            if self._good is not None:
                raise DataError(self.path, f"frame {int(shown[done])}", "a frame that is gone", EXPECTED)
            self._good = self._scan()

    def broken_frames(self) -> list[int]:
        """Frames that do not decode. Decodes everything, in the memory of a frame."""
        self._good = self._scan()
        return np.flatnonzero(~self._good).tolist()

    def _shown(self, asked: NDArray[np.int64]) -> NDArray[np.int64]:
        """The frames that stand for those asked for, as far as it is known which are broken."""
        if self._good is None:
            return asked
        if not self._good.any():
            raise DataError(self.path, "", "no frame that decodes", EXPECTED)
        return nearest_good(self._good)[asked]

    def _scan(self) -> NDArray[np.bool_]:
        """Which frames are good, when everything is decoded."""
        good = np.zeros(self.frame_count, bool)
        for self._any in (False, True):
            for index, _ in self._from_the_start(self.frame_count - 1):
                good[index] = True
            if good.any():
                break
        return good

    def _from_the_start(self, last: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Every good frame up to ``last``, decoding all."""
        timeline = self.timeline
        at = {int(time): index for index, time in enumerate(timeline.times)}
        for number, frame in enumerate(decoded(self.path)):
            index = number if not timeline.seekable else at.get(frame.pts) if frame.pts is not None else None
            if index is not None and index < timeline.count and self._is_good(index, frame):
                yield index, frame
            if number >= last + REORDERED:
                return

    def _is_good(self, index: int, frame: av.VideoFrame) -> bool:
        return self._any or (not frame.is_corrupt and index not in self.timeline.broken_packets)

    def _quickly(self, wanted: NDArray[np.int64]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Good frames, at least the wanted ones where the file is whole."""
        timeline = self.timeline
        if not timeline.seekable:
            yield from self._from_the_start(int(wanted[-1]) if len(wanted) else 0)
            return
        at = {int(time): index for index, time in enumerate(timeline.times)}
        with opened(self.path) as (container, stream):
            reader = _Stretches(container, stream, timeline, wanted)
            for first, last in stretches(timeline, wanted):
                for frame in reader.read(first, last):
                    index = at.get(frame.pts) if frame.pts is not None else None
                    if index is not None and self._is_good(index, frame):
                        yield index, frame


def stretches(timeline: Timeline, wanted: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and last packet of what has to be decoded for these frames, ascending; near ones are joined."""
    found: list[tuple[int, int]] = []
    order = np.lexsort((timeline.position[wanted], timeline.start[wanted]))
    for frame in wanted[order]:
        first, last = int(timeline.start[frame]), int(timeline.position[frame])
        if found and first <= found[-1][1] + GAP:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def _in_order(
    given: Iterable[tuple[int, av.VideoFrame]], wanted: NDArray[np.int64], picture: _Picture
) -> Iterator[UInt8Array]:
    """The wanted frames (ascending) as RGB, up to the first that does not come."""
    waiting: dict[int, UInt8Array] = {}
    left = set(wanted.tolist())
    place = 0
    for index, frame in given:
        if index in left:
            try:
                waiting[index] = picture(frame)
            except FAILURES:
                continue
            left.remove(index)
        while place < len(wanted) and int(wanted[place]) in waiting:
            yield waiting.pop(int(wanted[place]))
            place += 1
        if place == len(wanted) or len(waiting) > REORDERED:
            return


class _Stretches:
    """Decodes packets ``first`` to ``last``, again and again, ascending."""

    def __init__(
        self, container: InputContainer, stream: VideoStream, timeline: Timeline, wanted: NDArray[np.int64]
    ) -> None:
        self.container, self.stream = container, stream
        self.packet_of = {int(time): int(at) for time, at in zip(timeline.times, timeline.position, strict=True)}
        self.time_of = {at: time for time, at in self.packet_of.items()}
        self.wanted = {int(timeline.times[frame]) for frame in wanted}
        self.skips = timeline.skips
        self.next = 0

    def read(self, first: int, last: int) -> Iterator[av.VideoFrame]:
        if first > self.next:
            try:
                self.container.seek(self.time_of[first], stream=self.stream, backward=True)
            except FAILURES:
                return
        decoder = self.stream.codec_context
        arrived = False
        for packet in packets(self.container, self.stream):
            at = self.packet_of.get(packet.pts) if packet.pts is not None else None
            if at is not None and at < first:
                continue
            if not arrived and at is not None and at > first:
                return  # the container's index led past the key frame: the caller reads everything
            arrived = arrived or at is not None
            if self.skips:
                needed = packet.pts in self.wanted
                decoder.skip_frame = "DEFAULT" if needed else "NONREF"
            yield from decode(self.stream, packet)
            if at is not None and at >= last:
                self.next = at + 1
                break
        yield from decode(self.stream, None)
        self.next = max(self.next, last + 1)


class _Picture:
    """Frame → uint8 (height, width, 3), upright."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> UInt8Array:
        turns = _turns(frame)
        height, width = (self.width, self.height) if turns % 2 else (self.height, self.width)
        rgb = np.asarray(self.reformatter.reformat(frame, width, height, "rgb24").to_ndarray(), np.uint8)
        return np.rot90(rgb, turns) if turns else rgb


def _turns(frame: av.VideoFrame) -> int:
    """Quarter turns counter-clockwise that show the frame upright."""
    return round(frame.rotation / 90) % 4
