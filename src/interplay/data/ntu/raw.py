"""The raw text of an NTU RGB+D recording, ``.skeleton``.

::

    frames
    per frame:  bodies
      per body: id and nine more values       (one line, 10 values)
                25                            (joints)
                x y z and nine more values    (25 lines of 12; metres in the camera's frame, y up)

Two readers with the same answer. The fast one finds the coordinates from the positions of line ends and spaces and
converts all of them at once; whatever it does not recognise goes to the careful one, which walks line by line and can
say which line is wrong. A decimal number of m/10ᵏ with m < 2⁵³ and k ≤ 22 is one correctly rounded float64 division, so
that both give the bits of ``float(text)``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError

JOINTS = 25
BODY_LINES = 2 + JOINTS
LARGEST_FILE = 256 * 2**20
"""Bytes; the longest recordings have a few megabytes."""
FARTHEST = 1000.0
"""Metres; the sensor reaches ten."""

_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_INTEGER = re.compile(rb"\d{1,9}")
_ID = re.compile(rb"-?[0-9A-Za-z]{1,40}")
_SPACE, _MINUS, _DOT, _NEWLINE = 32, 45, 46, 10
_POWERS = 10 ** np.arange(17, dtype=np.uint64)


@dataclass(frozen=True, eq=False)
class RawRecording:
    """Every body of every frame, in file order.

    Args:
        frames: number of frames, those without a body included.
        body_ids: per body and frame, the sensor's tracking id: a large integer, kept as text.
        frame_index: int64, the frame of each, ascending.
        joints: float32 (bodies over frames, 25, 3), metres.
    """

    frames: int
    body_ids: tuple[str, ...]
    frame_index: NDArray[np.int64]
    joints: NDArray[np.float32]


def read_raw(path: str | Path) -> RawRecording:
    """Read one ``.skeleton`` file (LF or CRLF).

    Raises:
        DataError: the file cannot be read, or a line (which is named) is not what the format asks for.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise DataError(path, "", f"an unreadable file ({error.strerror})", "a .skeleton file") from None
    if len(content) > LARGEST_FILE:
        raise DataError(path, "", f"more than {LARGEST_FILE // 2**20} MiB", "one recording")
    return parse_raw(content, str(path))


def parse_raw(content: bytes, file: str = "recording") -> RawRecording:
    """The same from the file's bytes; ``file`` is what errors call it."""
    recording = _parse_fast(content)
    return _parse_carefully(content, file) if recording is None else recording


def _parse_fast(content: bytes) -> RawRecording | None:
    """None if anything is unusual; never wrong."""
    lines = content.split(b"\n")
    returns = content.count(b"\r")
    if returns and returns != content.count(b"\r\n"):
        return None
    bodies: list[int] = []  # line of the first joint
    body_ids: list[bytes] = []
    frame_index: list[int] = []
    try:
        frames = _plain_integer(lines[0])
        at = 1
        for frame in range(frames):
            count = _plain_integer(lines[at])
            at += 1
            for _ in range(count):
                values = lines[at].split()
                if len(values) != 10 or lines[at + 1].strip() != b"25":
                    return None
                body_ids.append(values[0])
                frame_index.append(frame)
                bodies.append(at + 2)
                at += BODY_LINES
        if at > len(lines) - 1:  # a last line without its end may have been cut off inside a number
            return None
    except (ValueError, IndexError):
        return None
    ids = {body: body.decode("ascii", "replace") for body in set(body_ids)}
    if not bodies or not all(_ID.fullmatch(body) for body in ids):
        return None
    joints = _coordinates(content, np.asarray(bodies, np.int64), returns)
    if joints is None:
        return None
    return RawRecording(frames, tuple(ids[body] for body in body_ids), np.asarray(frame_index, np.int64), joints)


def _plain_integer(line: bytes) -> int:
    line = line.strip()
    if not line.isdigit():
        raise ValueError(line)
    return int(line)


def _coordinates(content: bytes, bodies: NDArray[np.int64], returns: int) -> NDArray[np.float32] | None:
    """x y z of the 25 lines from each line in ``bodies`` on, or None if they need a careful look."""
    text = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(text == _NEWLINE)
    spaces = np.flatnonzero(text == _SPACE)
    # Values are parted by one space each, and nothing else is white.
    if np.count_nonzero(text < _SPACE) != len(ends) + returns or (np.diff(spaces) == 1).any():
        return None
    lines = bodies[:, None] + np.arange(JOINTS)
    starts, stops = ends[lines - 1] + 1, ends[lines]
    # Eleven spaces in each of the 25 lines, so that line j's are numbers 11j to 11j + 10 behind the body's start.
    first = np.searchsorted(spaces, starts[:, 0])
    if first[-1] + 11 * JOINTS > len(spaces):
        return None
    numbers = first[:, None] + 11 * np.arange(JOINTS)
    space = spaces[numbers[..., None] + np.arange(3)]
    last = spaces[numbers + 10]
    behind = np.append(spaces, len(content))[first + 11 * JOINTS]
    if (
        (text[last + 1] < _SPACE).any()
        or (space[..., 0] < starts).any()
        or (last >= stops).any()
        or (behind < stops[:, -1]).any()
    ):
        return None
    begin = np.concatenate([starts[..., None], space[..., :2] + 1], axis=-1).ravel()
    return _decimals(text, content, begin, space.ravel(), (len(bodies), JOINTS, 3))


def _decimals(
    text: NDArray[np.uint8],
    content: bytes,
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    shape: tuple[int, int, int],
) -> NDArray[np.float32] | None:
    """The numbers in text[begin:end], or None if one is not a number or too large."""
    negative = text[begin] == _MINUS
    whole = begin + negative
    dot_at_1, dot_at_2 = text[whole + 1] == _DOT, text[whole + 2] == _DOT
    places = end - whole - 2 - ~dot_at_1  # digits behind the point
    usual = (dot_at_1 | dot_at_2) & (places >= 1) & (places <= 13)
    places = np.where(usual, places, 1)
    digit = (text[whole] - np.uint8(48)).astype(np.uint64)
    second = (text[whole + 1] - np.uint8(48)).astype(np.uint64)
    usual &= (digit <= 9) & (dot_at_1 | (second <= 9))
    integer = np.where(dot_at_1, digit, digit * 10 + second)
    value, fine = _last_digits(text, end, np.minimum(places, 8))
    usual &= fine
    long = np.flatnonzero(places > 8)
    if long.size:
        upper, fine = _last_digits(text, end[long] - 8, places[long] - 8)
        usual[long] &= fine
        value[long] += upper * _POWERS[8]
    scale = _POWERS[places]
    result = (integer * scale + value).astype(np.float64) / scale.astype(np.float64)
    np.negative(result, out=result, where=negative)
    for index in np.flatnonzero(~usual):
        token = content[begin[index] : end[index]]
        if not _NUMBER.fullmatch(token):
            return None
        result[index] = float(token)
    if not np.abs(result).max() <= FARTHEST:
        return None
    joints: NDArray[np.float32] = result.astype(np.float32).reshape(shape)
    return joints


def _last_digits(
    text: NDArray[np.uint8], end: NDArray[np.int64], count: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The number that the 1 to 8 digits before each ``end`` form, and whether they are digits.

    Eight characters are one 64-bit word (first character in the lowest byte); the characters before the digits are
    shifted out, and pairs, fours and eights of digits are combined by three multiplications.
    """
    window = np.lib.stride_tricks.sliding_window_view(text, 8)[np.maximum(end - 8, 0)]
    word = window.view("<u8").ravel().astype(np.uint64)
    word ^= np.uint64(0x3030303030303030)
    shift = (8 * (8 - count)).astype(np.uint64)
    word = (word >> shift) << shift
    fine = ((word + np.uint64(0x7676767676767676)) | word) & np.uint64(0x8080808080808080) == 0
    word = word * np.uint64(10) + (word >> np.uint64(8))
    low = np.uint64(0x000000FF000000FF)
    pairs = (word & low) * np.uint64(0x000F424000000064)
    word = (pairs + ((word >> np.uint64(16)) & low) * np.uint64(0x0000271000000001)) >> np.uint64(32)
    return word, fine & (end >= 8)


class _Lines:
    """Lines of the text with their 1-based numbers for errors."""

    def __init__(self, content: bytes, file: str) -> None:
        self.lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
        self.file, self.number = file, 0

    def next(self, expected: str) -> list[bytes]:
        self.number += 1
        if self.number > len(self.lines):
            raise DataError(self.file, f"line {self.number}", "the end of the file", expected)
        return self.lines[self.number - 1].split()

    def fail(self, expected: str) -> NoReturn:
        line = self.lines[self.number - 1]
        found = repr(line[:60].decode("ascii", "backslashreplace")) + ("…" if len(line) > 60 else "")
        raise DataError(self.file, f"line {self.number}", found, expected)

    def count(self, expected: str) -> int:
        values = self.next(expected)
        if len(values) != 1 or not _INTEGER.fullmatch(values[0]):
            self.fail(expected)
        return int(values[0])


def _parse_carefully(content: bytes, file: str) -> RawRecording:
    """Line by line. Memory is bounded by the text, whatever its headers claim."""
    lines = _Lines(content, file)
    frames = lines.count("the number of frames")
    body_ids: list[str] = []
    frame_index: list[int] = []
    joints: list[list[float]] = []
    for frame in range(frames):
        for body in range(lines.count(f"the number of bodies in frame {frame + 1} of {frames}")):
            values = lines.next(f"body {body + 1} of frame {frame + 1} (10 values)")
            if len(values) != 10 or not _ID.fullmatch(values[0]):
                lines.fail("a body (10 values, the first its id)")
            if lines.count(f"the number of joints ({JOINTS})") != JOINTS:
                lines.fail(f"the number of joints ({JOINTS})")
            for joint in range(JOINTS):
                joints.append(_joint(lines, joint))
            body_ids.append(values[0].decode("ascii"))
            frame_index.append(frame)
    if not body_ids:
        raise DataError(file, "", f"{frames} frames without a body", "at least one body")
    array = np.asarray(joints, np.float64).astype(np.float32).reshape(-1, JOINTS, 3)
    return RawRecording(frames, tuple(body_ids), np.asarray(frame_index, np.int64), array)


def _joint(lines: _Lines, joint: int) -> list[float]:
    values = lines.next(f"joint {joint + 1} (12 values)")
    if len(values) != 12:
        lines.fail(f"joint {joint + 1} (12 values)")
    point = []
    for value in values[:3]:
        if not _NUMBER.fullmatch(value):
            lines.fail("x y z as finite decimal numbers")
        number = float(value)
        if not math.fabs(number) <= FARTHEST:
            lines.fail(f"coordinates in metres, up to {FARTHEST:g}")
        point.append(number)
    return point
