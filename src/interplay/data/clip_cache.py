"""Prepared clips in one flat file: variable length, no padding, memory-mapped.

A cache is a folder with two files. ``clips-<key>.bin`` holds the coordinates of all clips one after another, each as
(frame, entity, joint, xyz), little endian. ``index.json`` holds everything else and is renamed into place last, so
that a folder without it is not a cache. The index carries a checksum of itself, the size of the data and a CRC-32 of
each clip: a truncated or damaged cache ends in a :class:`DataError`, never in wrong coordinates.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.graph.layouts import LayoutError, SkeletonLayout

FORMAT = 1
INDEX = "index.json"
DTYPES: Mapping[str, np.dtype[Any]] = {"float16": np.dtype("<f2"), "float32": np.dtype("<f4")}
_LONGEST_INDEX = 1 << 30


@dataclass
class ClipTable:
    """What is known of each clip besides its coordinates; one entry per clip in every list."""

    ids: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    entities: list[int] = field(default_factory=list)
    rates: list[float | None] = field(default_factory=list)
    layouts: list[str] = field(default_factory=list)
    checksums: list[int] = field(default_factory=list)
    meta: list[dict[str, Any]] = field(default_factory=list)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one clip given by the column names."""
        for name in self.__dataclass_fields__:
            getattr(self, name).append(row[name])

    def __len__(self) -> int:
        return len(self.ids)


class ClipCache:
    """Prepared clips of one data set, on disk (:meth:`open`) or in memory (``interplay.data.cache.in_memory``).

    float16 coordinates differ from the originals by at most 2⁻¹¹ of their magnitude (half a unit in the last of 11
    significant bits), or by 2⁻²⁵ below 2⁻¹⁴: in an NTU clip, whose coordinates are metres from the first actor's
    spine, 0.5 mm at one metre and 2 mm at four. float32 keeps them as they are.

    Attributes:
        ids: name of each clip.
        labels: int64 (clips), class index, -1 where unknown.
        lengths: int64 (clips), frames.
        classes, layout, frames_per_second, entity_names, name: as in the data set.
        dtype: "float16" or "float32".
        fingerprint: of the data set that it was prepared from.
        skipped: (id, message) of the clips that could not be read.
    """

    def __init__(
        self,
        data: NDArray[Any],
        table: ClipTable,
        *,
        name: str,
        layout: SkeletonLayout,
        frames_per_second: float | None,
        classes: tuple[str, ...],
        entity_names: tuple[str, ...],
        fingerprint: str,
        parts: Mapping[str, NDArray[np.int64]],
        skipped: Sequence[tuple[str, str]] = (),
        folder: Path | None = None,
    ) -> None:
        self.name, self.layout, self.frames_per_second = name, layout, frames_per_second
        self.classes, self.entity_names = classes, entity_names
        self.fingerprint, self.skipped, self.folder = fingerprint, tuple(skipped), folder
        self.ids = tuple(table.ids)
        self.labels = np.asarray(table.labels, np.int64)
        self.lengths = np.asarray(table.lengths, np.int64)
        self.entities = np.asarray(table.entities, np.int64)
        self.dtype = "float16" if data.dtype.itemsize == 2 else "float32"
        self._table, self._data = table, data
        self._parts = {key: np.asarray(value, np.int64) for key, value in parts.items()}
        sizes = self.lengths * self.entities * (layout.joint_count * 3)
        self._offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._checked = bytearray(len(table))

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def open(cls, folder: str | Path) -> ClipCache:
        """Open a prepared folder.

        Raises:
            DataError: no index (never prepared, or not to the end), or files that do not belong together.
        """
        return _open(Path(folder))

    def joints(self, index: int) -> NDArray[Any]:
        """Coordinates of one clip as stored: read-only (frame, entity, joint, xyz), float16 or float32.

        Raises:
            DataError: the bytes on disk are not those that were written.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        index %= len(self)
        flat = self._data[self._offsets[index] : self._offsets[index + 1]]
        if not self._checked[index]:
            if self.folder is not None and zlib.crc32(flat.tobytes()) != self._table.checksums[index]:
                raise DataError(
                    self.folder, f"clip {self.ids[index]}", "other bytes than were written", "an undamaged cache"
                )
            self._checked[index] = 1
        shape = (int(self.lengths[index]), int(self.entities[index]), self.layout.joint_count, 3)
        view = np.asarray(flat).reshape(shape)
        view.flags.writeable = False
        return view

    def clip(self, index: int) -> SkeletonClip:
        """One clip with its label and meta, as float32. Raises DataError as :meth:`joints` does."""
        joints, table = self.joints(index), self._table
        return SkeletonClip(
            id=self.ids[index],
            joints=joints.astype(np.float32),
            layout=table.layouts[index],
            frames_per_second=table.rates[index],
            label=None if table.labels[index] < 0 else table.labels[index],
            meta=dict(table.meta[index]),
        )

    def meta(self, index: int) -> Mapping[str, Any]:
        """What splits and folds need of one clip (subject, camera, …), without touching its coordinates."""
        return self._table.meta[index]

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        """Indices of ``train`` and ``test`` (and ``validation``) under the protocol that the data set was opened
        with; clips that could not be read are in none."""
        return dict(self._parts)

    def with_parts(self, parts: Mapping[str, NDArray[np.int64]]) -> ClipCache:
        """The same clips under another protocol: part → indices."""
        other = object.__new__(ClipCache)
        other.__dict__.update(self.__dict__)
        other._parts = dict(parts)
        return other

    def verify(self) -> None:
        """Read every clip once. Raises DataError for the first one that is damaged."""
        for index in range(len(self)):
            self.joints(index)

    def __getstate__(self) -> dict[str, Any]:
        # Worker processes map the file themselves instead of receiving a copy of it.
        state = dict(self.__dict__)
        if self.folder is not None:
            state["_data"] = (str(getattr(self._data, "filename", "")), self._data.dtype, self._data.shape)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.folder is not None:
            filename, dtype, shape = state["_data"]
            self._data = _map(Path(filename), dtype, shape, self.folder)


def positions(part_ids: Mapping[str, Sequence[str]], ids: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Part → indices into ``ids``, from part → clip ids. Clips that are not among ``ids`` are left out."""
    where = {name: index for index, name in enumerate(ids)}
    return {
        part: np.array([where[name] for name in names if name in where], np.int64) for part, names in part_ids.items()
    }


def write_index(folder: Path, data_file: str, data_bytes: int, dtype: str, cache: Mapping[str, Any]) -> bytes:
    """The bytes of ``index.json``: the same input gives the same bytes."""
    body = json.dumps(
        {"format": FORMAT, "data": {"file": data_file, "bytes": data_bytes, "dtype": dtype}, **cache},
        ensure_ascii=True,
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    ).encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body + b"\n"


def _map(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], folder: Path) -> NDArray[Any]:
    if math.prod(shape) == 0:
        return np.zeros(shape, dtype)
    try:
        return np.memmap(path, dtype=dtype, mode="r", shape=shape)
    except (OSError, ValueError) as error:
        raise DataError(folder, path.name, f"an unreadable file ({error})", "the data of this cache") from None


def read_index(folder: Path) -> dict[str, Any]:
    """The checked content of ``index.json``. Raises DataError."""
    path = folder / INDEX
    try:
        if not folder.is_dir() or not path.is_file():
            raise DataError(folder, "", f"no {INDEX}", "a finished cache (prepare it first)")
        if path.stat().st_size > _LONGEST_INDEX:
            raise DataError(path, "", "more than 1 GiB", "the index of a cache")
        checksum, _, body = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise DataError(path, "", f"an unreadable file ({error.strerror})", "the index of a cache") from None
    body = body.removesuffix(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != checksum:
        raise DataError(path, "", "a checksum that does not fit the content", "an undamaged index")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise DataError(path, "", "no JSON", "the index of a cache") from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        found = value.get("format") if isinstance(value, dict) else type(value).__name__
        raise DataError(path, "key 'format'", repr(found)[:40], f"{FORMAT} (prepare the cache again)")
    return value


def _open(folder: Path) -> ClipCache:
    index = read_index(folder)
    path = folder / INDEX

    def fail(record: str, found: str, expected: str) -> NoReturn:
        raise DataError(path, record, found, expected)

    try:
        layout = SkeletonLayout.from_dict(index["layout"], where=str(path))
        dtype = DTYPES[index["data"]["dtype"]]
        data_file, size = str(index["data"]["file"]), int(index["data"]["bytes"])
        table = ClipTable(**{name: list(index["clips"][name]) for name in ClipTable.__dataclass_fields__})
        classes = tuple(str(name) for name in index["classes"])
        entity_names = tuple(str(name) for name in index["entity_names"])
        skipped = [(str(name), str(message)) for name, message in index["skipped"]]
        parts = {str(key): np.asarray(list(value), dtype=np.int64) for key, value in index["parts"].items()}
        rate = None if index["frames_per_second"] is None else float(index["frames_per_second"])
        name, fingerprint = str(index["name"]), str(index["fingerprint"])
        columns_of_integers = (table.lengths, table.entities, table.labels, table.checksums)
        numbers = np.array(columns_of_integers, dtype=np.int64)
        strings = all(isinstance(value, str) for value in (*table.ids, *table.layouts))
        rates = all(value is None or isinstance(value, float | int) for value in table.rates)
        metas = all(isinstance(value, dict) for value in table.meta)
        integers = all(type(value) is int for column in columns_of_integers for value in column)
        columns = {len(getattr(table, column)) for column in ClipTable.__dataclass_fields__}
    except LayoutError as error:
        fail("key 'layout'", str(error), "a joint layout")
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        fail("", f"an unusable entry ({type(error).__name__}: {error})", "the index of a cache")
    count = len(table)
    if columns != {count} or not (strings and rates and metas and integers):
        fail("key 'clips'", "columns of different lengths or types", "one entry per clip in each")
    if count and (numbers[0].min() < 1 or numbers[1].min() < 1 or numbers[2].min() < -1):
        fail("key 'clips'", "a negative or empty clip", "positive lengths")
    if count and numbers[2].max() >= max(len(classes), 1):
        fail("key 'clips'", f"label {numbers[2].max()}", f"labels below {len(classes)}")
    for part, chosen in parts.items():
        if chosen.ndim != 1 or (chosen.size and not 0 <= chosen.min() <= chosen.max() < count):
            fail(f"part {part!r}", "an index outside the clips", f"0 to {count - 1}")
    values = sum(
        length * entities * layout.joint_count * 3
        for length, entities in zip(table.lengths, table.entities, strict=True)
    )
    if Path(data_file).name != data_file or values * dtype.itemsize != size:
        fail("key 'data'", f"{size} bytes in {data_file!r}", f"{values * dtype.itemsize} bytes")
    data_path = folder / data_file
    actual = data_path.stat().st_size if data_path.is_file() else None
    if actual != size:
        raise DataError(data_path, "", "no such file" if actual is None else f"{actual} bytes", f"{size} bytes")
    return ClipCache(
        _map(data_path, dtype, (values,), folder),
        table,
        name=name,
        layout=layout,
        frames_per_second=rate,
        classes=classes,
        entity_names=entity_names,
        fingerprint=fingerprint,
        parts=parts,
        skipped=skipped,
        folder=folder,
    )
