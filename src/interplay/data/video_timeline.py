"""Which frames a video file has, and from where each of them can be decoded: found by reading its packets.

Headers lie (a webm has no number of frames at all, an mp4 cut short has too many), and decoding everything only to
count is slow. Packets are read without decoding; where one packet is one shown frame for certain, their presentation
times are the frames. Everywhere else (no usable times, a codec not known here) frames are counted by decoding once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from interplay.data.errors import DataError

EXPECTED = "a video that decodes (mp4, webm, avi, gif, …)"
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,m4v,mjpeg,apng,h264,hevc"
"""Containers that are opened. Playlists, which could name other files and addresses, are none of them."""
MAX_PIXELS = 2**26
ONE_FRAME_A_PACKET = frozenset(
    {"h264", "hevc", "vp8", "vp9", "libdav1d", "av1", "gif", "apng", "png", "mjpeg", "mpeg4", "ffv1", "rawvideo"}
    | {"huffyuv", "ffvhuff", "prores", "msvideo1", "theora", "flv", "mpeg1video", "mpeg2video", "h263", "wmv2"}
)
"""Decoders of which every packet shows one frame, but for those packets that :func:`is_shown` tells."""
SKIPS_EXACTLY = frozenset({"h264", "mpeg4"})
"""Decoders that can leave out a frame to which no other refers, with no effect on the others."""
MAX_FAILURES = 16
KEYS_BACK = 4
FAILURES = (av.FFmpegError, OSError, ValueError, MemoryError, RuntimeError, OverflowError)
Int64Array: TypeAlias = NDArray[np.int64]
Packet: TypeAlias = "av.Packet[VideoStream]"


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream. DataError where there is none."""
    try:
        status = path.stat()
        if not status.st_size:
            raise DataError(path, "", "an empty file", EXPECTED)
        options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except FileNotFoundError:
        raise DataError(path, "", "no such file", EXPECTED) from None
    except FAILURES as error:
        raise DataError(path, "", reason(error), EXPECTED) from None
    with container:
        stream = container.streams.best("video")  # not the picture of an album
        if not isinstance(stream, VideoStream):
            raise DataError(path, "", "no video stream", EXPECTED)
        decoder = stream.codec_context
        if decoder is None:
            raise DataError(path, "", "a codec that is not known", EXPECTED)
        if decoder.width * decoder.height > MAX_PIXELS:
            found = f"{decoder.width} x {decoder.height} pixels"
            raise DataError(path, "", found, f"at most {MAX_PIXELS} in all")
        # One thread: frames come out the same way every time, and readers run in parallel already.
        decoder.thread_count = 1
        decoder.thread_type = "NONE"
        decoder.options = {"max_pixels": str(MAX_PIXELS)}
        yield container, stream


def reason(error: BaseException) -> str:
    """One line about what libav said."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:120]


@dataclass(frozen=True, eq=False)
class Timeline:
    """The frames of a file in the order in which they are shown.

    Args:
        times: int64 (frames,), presentation time of each, strictly ascending; empty where times are of no use and
            frames are told by their number in the decoder's output.
        count: number of frames.
        position: int64 (frames,), which packet of the file (in its order) each frame is.
        start: int64 (frames,), the packet from which decoding has to start for it: the last key frame that lies
            before it in the file *and* is shown no later (a frame that is shown before the key frame it follows may
            refer to what comes before that).
        broken_packets: frames whose packet the container calls incomplete.
        seekable: whether ``start`` is of use.
        rate: frames per second, or None.
        skips: frames to which no other refers may be left out by the decoder.
    """

    times: Int64Array
    count: int
    position: Int64Array
    start: Int64Array
    broken_packets: frozenset[int]
    rate: float | None
    skips: bool

    @property
    def seekable(self) -> bool:
        return len(self.times) > 0


def read_timeline(path: Path) -> Timeline:
    """Read all packets of a file (decoding nothing where that can be avoided).

    Raises:
        DataError: no video, or no frame in it.
    """
    found: list[tuple[int, bool, bool]] = []
    with opened(path) as (container, stream):
        codec = stream.codec_context.name
        # AVI knows only the order in which frames are decoded.
        usable = codec in ONE_FRAME_A_PACKET and not (
            "avi" in container.format.name.split(",") and stream.codec_context.has_b_frames
        )
        base, nominal = stream.time_base, stream.average_rate
        for packet in packets(container, stream) if usable else ():
            if not packet.size or packet.is_discard or not is_shown(codec, packet):
                continue
            if packet.pts is None:
                usable = False
                break
            found.append((packet.pts, packet.is_keyframe, packet.is_corrupt))
    rate = float(nominal) if nominal else None
    times = np.array([row[0] for row in found], np.int64)
    if not usable or not len(times) or len(np.unique(times)) != len(times):
        return _by_decoding(path, rate)
    position = np.argsort(times, kind="stable").astype(np.int64)
    start = _starts(times, np.flatnonzero([row[1] for row in found]))
    broken = frozenset(np.flatnonzero(np.array([row[2] for row in found])[position]).tolist())
    rate = _rate(times[position], base, rate)
    return Timeline(times[position], len(times), position, start[position], broken, rate, codec in SKIPS_EXACTLY)


def _starts(times: Int64Array, keys: NDArray[np.intp]) -> Int64Array:
    """For each packet (in file order, with its time) the packet where decoding has to start; the first if none, or
    where none of the last few key frames will do."""
    start = np.zeros(len(times), np.int64)
    last = np.searchsorted(keys, np.arange(len(times)), side="right") - 1
    for _ in range(KEYS_BACK):
        late = last >= 0
        late[late] = times[keys[last[late]]] > times[late]
        last[late] -= 1
    late = last >= 0
    late[late] = times[keys[last[late]]] > times[late]
    last[late] = -1
    there = last >= 0
    start[there] = keys[last[there]]
    return start


def _rate(times: Int64Array, base: Fraction | None, nominal: float | None) -> float | None:
    """The header's rate where it is within half a percent of what the times say; what they say otherwise."""
    seconds = float((int(times[-1]) - int(times[0])) * base) if base else 0.0
    if seconds <= 0:
        return nominal
    measured = (len(times) - 1) / seconds
    return nominal if nominal and abs(measured - nominal) <= 0.005 * nominal else measured


def _by_decoding(path: Path, rate: float | None) -> Timeline:
    count = sum(1 for _ in decoded(path))
    if not count:
        raise DataError(path, "", "no frame that decodes", EXPECTED)
    none = np.zeros(count, np.int64)
    return Timeline(none[:0], count, np.arange(count, dtype=np.int64), none, frozenset(), rate, False)


def packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """Packets from where the container stands to its end; goes on behind what cannot be read, a few times."""
    failures = 0
    while failures < MAX_FAILURES:
        try:
            for packet in container.demux(stream):
                if packet.size or packet.pts is not None:  # not the mark of the end
                    yield packet
            return
        except FAILURES:
            failures += 1


def decode(stream: VideoStream, packet: Packet | None) -> list[av.VideoFrame]:
    """What a packet (None: the end) makes the decoder give; nothing where it fails."""
    try:
        return stream.codec_context.decode(packet)
    except FAILURES:
        return []


def decoded(path: Path) -> Iterator[av.VideoFrame]:
    """Every frame that the decoder gives, from the first packet to the last; a packet that it refuses is left out."""
    with opened(path) as (container, stream):
        for packet in packets(container, stream):
            yield from decode(stream, packet)
        yield from decode(stream, None)


def is_shown(codec: str, packet: Packet | bytes) -> bool:
    """Whether a packet shows a frame. Those of VP8 and VP9 may hold a hidden one that only serves others.

    VP8: bit 4 of the first byte (RFC 6386 §9.1). VP9: ``show_existing_frame`` or ``show_frame`` of the uncompressed
    header (bitstream specification §6.2); several frames in one packet (Annex B) end with the one that is shown.
    """
    if codec not in ("vp8", "vp9"):
        return True
    data = bytes(packet)
    if not data:
        return False
    if codec == "vp8":
        return bool(data[0] & 0b1_0000)
    if data[-1] & 0b1110_0000 == 0b1100_0000:  # index of a superframe
        return True
    bits = data[0] << 1 if data[0] & 0b0011_0000 == 0b0011_0000 else data[0]  # profile 3 has one more bit
    return bool(bits & 0b1000) or bool(bits & 0b10)
