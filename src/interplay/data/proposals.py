"""Region proposals of a clip: where something might be, whatever it is.

Boxes are x1, y1, x2, y2 as shares (0 to 1) of the frame as it lies in the file, in float16: ten on each of sixteen
frames are 1,280 bytes a clip. Spec §3. Many clips' lie in a :class:`ProposalStore`; the authors' JSON is read by
:mod:`interplay.data.proposal_json`.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.json_files import Place, read_json
from interplay.errors import InterplayError

KINDS = ("rpn", "grid", "annotated", "rendered", "file")
"""From a region proposal network, a fixed grid, people, the playground's renderer, a file that does not say."""

FORMAT = "interplay proposals 1"
HEADER, INDEX, VALUES = "proposals.json", "index.jsonl", "boxes.bin"
Float16Array: TypeAlias = NDArray[np.float16]
Float32Array: TypeAlias = NDArray[np.float32]


@runtime_checkable
class FrameBoxes(Protocol):
    """Boxes of a clip's frames: :class:`Proposals`, or those of a detector that looks when it is asked.

    Attributes:
        kind: one of :data:`KINDS`.
    """

    @property
    def kind(self) -> str: ...

    def at(self, frame_indices: Sequence[int], count: int = 10) -> Float32Array:
        """See :meth:`Proposals.at`."""


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

    The full frame; its centre half; four quadrants that reach over the middle; the halves at the middle of each side:
    ten. Then 4 × 4 overlapping cells, 5 × 5, … as long as there are too few. The first ``count`` of one sequence.
    """
    if count < 1:
        raise ValueError(f"count: found {count}, expected at least 1")
    boxes: list[tuple[float, float, float, float]] = [(0.0, 0.0, 1.0, 1.0), (0.25, 0.25, 0.75, 0.75)]
    boxes += [(x, y, x + 0.625, y + 0.625) for y in (0.0, 0.375) for x in (0.0, 0.375)]
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


class ProposalStore(Mapping[str, Proposals]):
    """Proposals of many clips by id, in a folder that :class:`ProposalWriter` has filled.

    Args:
        folder: with ``proposals.json`` (kind, settings, whether it is whole), ``index.jsonl`` (a line per clip) and
            ``boxes.bin`` (float16 boxes, float16 scores and int32 frame numbers of one clip after the other).

    Only the index is in memory. Can be sent to another process.

    Raises:
        DataError: no store, one of another format, or one whose writing did not end. A clip whose bytes are not what
            was written raises when it is asked for.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        header = _header(self.folder)
        if not header["complete"]:
            raise DataError(self.folder / HEADER, "", "a store whose writing did not end", "a whole one: run it again")
        self.kind: str = header["kind"]
        self.settings: dict[str, Any] = header["settings"]
        self._rows = {row["id"]: row for row in _rows(self.folder)[0]}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __contains__(self, id: object) -> bool:
        return id in self._rows

    def __getitem__(self, id: str) -> Proposals:
        row, path = self._rows[id], self.folder / VALUES
        try:
            with path.open("rb") as file:
                file.seek(row["at"])
                data = file.read(row["bytes"])
        except OSError as error:
            raise DataError(path, "", error.strerror or type(error).__name__, "the boxes") from None
        if zlib.crc32(data) != row["crc"]:
            raise DataError(path, f"clip {id!r}", "other bytes than were written", "the boxes")
        rows, count = row["rows"], row["count"]
        boxes = np.frombuffer(data, np.float16, rows * count * 4).reshape(rows, count, 4)
        at, scores, frames = boxes.nbytes, None, None
        if row["scores"]:
            scores = np.frombuffer(data, np.float16, rows * count, at).reshape(rows, count)
            at += scores.nbytes
        if row["frames"]:
            frames = np.frombuffer(data, np.int32, rows, at).astype(np.int64)
        try:
            return Proposals(boxes, self.kind, scores, frames)
        except ValueError as error:
            raise DataError(path, f"clip {id!r}", str(error), "boxes of a clip") from None


class ProposalWriter:
    """Fills a :class:`ProposalStore`, clip by clip; interrupted at any moment, it goes on behind the last whole clip.

    Args:
        folder: made if needed.
        kind: one of :data:`KINDS`.
        settings: what the boxes depend on (detector, weights, data set, …), plain values.

    A context manager; :meth:`finish` marks the store as whole. ``done`` are the ids that it has already, each with the
    stamp that it was written with (which video it was, for whoever writes to know).

    Raises:
        InterplayError: the folder holds a store of other settings, or somebody is writing to it.
    """

    def __init__(self, folder: str | Path, kind: str, settings: Mapping[str, Any]) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind: found {kind!r}, expected one of {', '.join(KINDS)}")
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._header = {"format": FORMAT, "kind": kind, "settings": json.loads(json.dumps(dict(settings)))}
        self._lock = FileLock(self.folder / ".lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise InterplayError(f"{self.folder}: somebody is writing proposals to it") from None
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> None:
        if (self.folder / HEADER).exists():
            found = {key: value for key, value in _header(self.folder).items() if key != "complete"}
            if found != self._header:
                raise InterplayError(f"{self.folder}: holds proposals of other settings, expected an empty folder")
        self._write_header(complete=False)
        rows, length = _rows(self.folder)
        self.done: dict[str, str] = {row["id"]: str(row.get("stamp", "")) for row in rows}
        self._end = max((row["at"] + row["bytes"] for row in rows), default=0)
        for name, size in ((INDEX, length), (VALUES, self._end)):
            with (self.folder / name).open("ab") as file:
                file.truncate(size)
        self._index = (self.folder / INDEX).open("ab")
        self._values = (self.folder / VALUES).open("ab")

    def __enter__(self) -> ProposalWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, id: str, proposals: Proposals, stamp: str = "") -> None:
        """Write one clip's; ValueError for another kind, or for an id that is there with this stamp.

        With another stamp the boxes take the place of those before, which stay in the file and are not read again.
        """
        if self.done.get(id) == stamp:
            raise ValueError(f"id: found {id!r} again, expected each once")
        if proposals.kind != self._header["kind"]:
            raise ValueError(f"proposals: found kind {proposals.kind!r}, expected {self._header['kind']!r}")
        data = proposals.boxes.tobytes()
        if proposals.scores is not None:
            data += proposals.scores.tobytes()
        if proposals.frames is not None:
            data += proposals.frames.astype(np.int32).tobytes()
        rows, count = proposals.boxes.shape[:2]
        row = {"id": id, "at": self._end, "bytes": len(data), "crc": zlib.crc32(data), "rows": rows, "count": count}
        row |= {"scores": proposals.scores is not None, "frames": proposals.frames is not None}
        if stamp:
            row["stamp"] = stamp
        self._values.write(data)
        self._values.flush()  # before its line: a line in the index says that the boxes are there
        self._index.write(json.dumps(row).encode() + b"\n")
        self._index.flush()
        self._end += len(data)
        self.done[id] = stamp

    def finish(self) -> None:
        """Everything is there."""
        self._write_header(complete=True)
        self.close()

    def close(self) -> None:
        """Stop here; the next writer goes on."""
        self._index.close()
        self._values.close()
        self._lock.release()

    def _write_header(self, complete: bool) -> None:
        text = json.dumps({**self._header, "complete": complete}, indent=1) + "\n"
        beside = self.folder / f"{HEADER}.new"
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, self.folder / HEADER)


def _header(folder: Path) -> dict[str, Any]:
    path = folder / HEADER
    place = Place(path, "")
    header = place.mapping(read_json(path, "a store of proposals"), ("format", "kind", "settings", "complete"))
    if header["format"] != FORMAT or header["kind"] not in KINDS:
        place.fail(f"{str(header['format'])[:40]!r}, kind {str(header['kind'])[:40]!r}", f"{FORMAT!r} and a known kind")
    place.mapping(header["settings"])
    return header


def _rows(folder: Path) -> tuple[list[dict[str, Any]], int]:
    """The whole lines of the index, and their length in bytes."""
    path = folder / INDEX
    data = path.read_bytes() if path.exists() else b""
    length = data.rfind(b"\n") + 1
    rows = []
    for number, line in enumerate(data[:length].splitlines(), 1):
        place = Place(path, f"line {number}")
        try:
            row = json.loads(line)
        except ValueError:
            place.fail("broken JSON", "a line of the index")
        place.mapping(row, ("id", "at", "bytes", "crc", "rows", "count", "scores", "frames"))
        place.text(row["id"], "id")
        for key in ("at", "bytes", "crc", "rows", "count"):
            place.integer(row[key], key, 0, 2**62)
        cells = row["rows"] * row["count"]
        if row["bytes"] != cells * (10 if row["scores"] else 8) + (4 * row["rows"] if row["frames"] else 0):
            place.fail(f"{row['bytes']} bytes", "as many as its boxes take")
        rows.append(row)
    return rows, length
