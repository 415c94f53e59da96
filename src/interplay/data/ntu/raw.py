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
_SPACE, _RETURN, _NEWLINE, _MINUS, _DOT = 32, 13, 10, 45, 46
_ONE, _BYTE, _ZERO = np.uint64(1), np.uint64(0xFF), np.uint64(48)
_SPACES = np.uint64(0x2020202020202020)
_POWERS = 10 ** np.arange(17, dtype=np.uint64)
_FLOAT_POWERS = _POWERS.astype(np.float64)


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
    """None if anything is unusual; never another answer than the careful reader's.

    Of the nine values behind x y z only the number is checked, and that in total.
    """
    text = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(text == _NEWLINE)
    if len(ends) < 2 or content[-1] != _NEWLINE:  # a last line without its end may be cut off inside a number
        return None
    # Lines end in LF or all in CRLF, and values are parted by spaces only.
    returns = np.count_nonzero(text == _RETURN)
    if returns and np.count_nonzero(text[ends - 1] == _RETURN) != returns:
        return None
    if np.count_nonzero(text < _SPACE) != len(ends) + returns:
        return None
    found = _structure(content, ends.tolist())
    if found is None:
        return None
    frames, bodies, body_ids, frame_index = found
    if np.count_nonzero(text == _SPACE) != len(bodies) * (9 + JOINTS * 11):
        return None
    lines = (bodies[:, None] + np.arange(JOINTS)).ravel()
    try:
        joints = _coordinates(content, ends[lines - 1] + 1, ends[lines])
    except IndexError:  # a word beyond the end
        return None
    if joints is None:
        return None
    return RawRecording(frames, body_ids, frame_index, joints.reshape(-1, JOINTS, 3))


def _structure(
    content: bytes, ends: list[int]
) -> tuple[int, NDArray[np.int64], tuple[str, ...], NDArray[np.int64]] | None:
    """Number of frames; per body the line of its first joint, its id, its frame. ``ends``: where each line ends."""

    def count(line: int) -> int:
        digits = content[ends[line - 1] + 1 if line else 0 : ends[line]].rstrip(b"\r")
        if not digits.isdigit():
            raise ValueError(digits)
        return int(digits)

    bodies: list[int] = []
    frame_index: list[int] = []
    body_ids: list[bytes] = []
    at = 1
    try:
        frames = count(0)
        for frame in range(frames):
            present = count(at)
            at += 1
            for _ in range(present):
                before, header, joints = ends[at - 1], ends[at], ends[at + 1]
                if content[header + 1 : joints].rstrip(b"\r") != b"25" or content.count(b" ", before, header) != 9:
                    return None
                body_ids.append(content[before + 1 : content.index(b" ", before)])
                bodies.append(at + 2)
                frame_index.append(frame)
                at += BODY_LINES
    except (ValueError, IndexError):
        return None
    ids = {body: body.decode("ascii", "replace") for body in set(body_ids)}
    if not bodies or at > len(ends) or not all(_ID.fullmatch(body) for body in ids):
        return None
    return frames, np.asarray(bodies, np.int64), tuple([ids[body] for body in body_ids]), np.asarray(frame_index)


def _coordinates(content: bytes, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.float32] | None:
    """x y z of the lines [start, stop), (lines, 3), or None if they need a careful look.

    The text is read as 64-bit words of eight characters, the first in the lowest byte, from any position.
    """
    words: NDArray[np.uint64] = np.ndarray((len(content) - 7,), "<u8", content, strides=(1,))
    joints = np.empty((len(starts), 3), np.float32)
    begin = starts
    for axis in range(3):
        # A space after at most 15 characters: the lowest zero byte after exclusive-or with spaces.
        head = words[begin]
        found = _zero_bytes(head ^ _SPACES)
        beyond = found == 0
        found = np.where(beyond, _zero_bytes(words[begin + 8] ^ _SPACES), found)
        if not found.all():
            return None
        found &= ~found + _ONE
        end = found.astype(np.float64).view(np.int64)
        end >>= 52  # 1023 + 7 + 8 × position
        end -= 1030
        end >>= 3
        end += beyond.view(np.uint8) << 3
        end += begin
        values = _decimals(content, words, head, begin, end)
        if values is None:
            return None
        joints[:, axis] = values
        begin = end + 1
    return None if (begin >= stops).any() else joints


def _zero_bytes(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Bit 7 of the lowest byte that is zero, and perhaps bits above it; 0 if there is none."""
    return (word - np.uint64(0x0101010101010101)) & ~word & np.uint64(0x8080808080808080)


def _decimals(
    content: bytes,
    words: NDArray[np.uint64],
    head: NDArray[np.uint64],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
) -> NDArray[np.float64] | None:
    """The numbers in content[begin:end], of which ``head`` is the first word; None if one is no number or too large.

    Usual are one or two digits, a point and up to 13 digits; whatever is not usual goes through ``float``.
    """
    negative = head & _BYTE == _MINUS
    head = head >> (negative.astype(np.uint64) << np.uint64(3))
    at_1 = (head >> np.uint64(8)) & _BYTE == _DOT
    integer = (head & _BYTE) - _ZERO
    usual = at_1 & (integer <= 9)
    places = end - begin - 2 - negative  # digits behind the point
    if not usual.all():
        at_2 = ~at_1 & ((head >> np.uint64(16)) & _BYTE == _DOT)
        second = ((head >> np.uint64(8)) & _BYTE) - _ZERO
        usual |= at_2 & (integer <= 9) & (second <= 9)
        integer = np.where(at_2, integer * np.uint64(10) + second, integer)
        places -= at_2
    usual &= (places >= 1) & (places <= 13)
    if not usual.all():
        places = np.where(usual, places, 1)
    value, fine = _last_digits(words[end - 8], np.minimum(places, 8))
    usual &= fine
    long = np.flatnonzero(places > 8)
    if long.size:
        upper, fine = _last_digits(words[end[long] - 16], places[long] - 8)
        usual[long] &= fine
        value[long] += upper * _POWERS[8]
    scale = _POWERS[places]
    value += integer * scale
    result = value.astype(np.float64)
    result /= _FLOAT_POWERS[places]
    result *= 1 - 2.0 * negative
    for index in np.flatnonzero(~usual).tolist():
        token = content[begin[index] : end[index]]
        if not _NUMBER.fullmatch(token):
            return None
        result[index] = float(token)
    if not np.abs(result).max() <= FARTHEST:
        return None
    return result


def _last_digits(word: NDArray[np.uint64], count: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The number that the last ``count`` (1 to 8) of eight characters form, and whether they are digits.

    The others are shifted out; pairs, fours and eights of digits are combined by three multiplications.
    """
    shift = ((8 - count) << 3).view(np.uint64)
    word ^= np.uint64(0x3030303030303030)
    word >>= shift
    word <<= shift
    fine = ((word + np.uint64(0x7676767676767676)) | word) & np.uint64(0x8080808080808080) == 0
    word = word * np.uint64(10) + (word >> np.uint64(8))
    low = np.uint64(0x000000FF000000FF)
    pairs = (word & low) * np.uint64(0x000F424000000064)
    word = (pairs + ((word >> np.uint64(16)) & low) * np.uint64(0x0000271000000001)) >> np.uint64(32)
    return word, fine


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
