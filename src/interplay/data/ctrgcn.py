"""The ``.npz`` that the public CTR-GCN scripts write: ``x_train``, ``y_train``, ``x_test``, ``y_test``.

x is (samples, frames, 150), columns person, joint, xyz, padded with zero frames to 300; y is one-hot. The padding is
taken off again. Arrays that are stored uncompressed (as those scripts write them) are mapped, not loaded; a compressed
archive is unpacked once to a temporary file.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import warnings
import weakref
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.data.ntu import names
from interplay.data.sources import file_fingerprint, single_file
from interplay.graph.layouts import load_layout

FRAMES_PER_SECOND = 30.0
COLUMNS = 150
_PARTS = ("train", "test")
_READER = 1
_LARGEST_EXPANSION = 1000
"""Unpacked over packed size; deflate itself reaches 1032 only for constants."""
_SMALL = 64 * 2**20


@dataclass(frozen=True)
class _Member:
    """Where an array lies: a file, the offset of its first number, and what the numbers are."""

    path: Path
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool

    def map(self) -> NDArray[Any]:
        if math.prod(self.shape) == 0:
            return np.zeros(self.shape, self.dtype)
        mapped: NDArray[Any] = np.memmap(
            self.path, self.dtype, mode="r", offset=self.offset, shape=self.shape, order="F" if self.fortran else "C"
        )
        return mapped


class NpzArrays:
    """Arrays of an ``.npz`` without loading them.

    Args:
        path: the archive.
        wanted: names of the arrays.

    Raises:
        DataError: no such archive, an array missing, of objects, or of another size than its header says.
    """

    def __init__(self, path: str | Path, wanted: Sequence[str]) -> None:
        self.path = Path(path)
        self._temporary: Path | None = None
        self._arrays: dict[str, NDArray[Any]] = {}
        try:
            with self.path.open("rb") as raw, zipfile.ZipFile(raw) as archive:
                present = set(archive.namelist())
                for name in wanted:
                    if f"{name}.npy" not in present:
                        raise DataError(path, f"array {name!r}", "no such array", f"the arrays {', '.join(wanted)}")
                self._members = {name: self._locate(archive, raw, archive.getinfo(f"{name}.npy")) for name in wanted}
        except DataError:
            raise
        except OSError as error:
            raise DataError(path, "", f"an unreadable file ({error.strerror or error})", "an .npz file") from None
        except Exception as error:  # zipfile and NumPy's header parser raise a dozen types on damaged bytes
            raise DataError(
                path, "", f"no readable archive ({type(error).__name__}: {error})"[:200], "an .npz file"
            ) from None

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._arrays:
            try:
                self._arrays[name] = self._members[name].map()
            except (OSError, ValueError, OverflowError, MemoryError) as error:
                raise DataError(self.path, f"array {name!r}", f"an unreadable array ({error})", "an array") from None
        return self._arrays[name]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_arrays": {}}  # other processes map the same files

    def _locate(self, archive: zipfile.ZipFile, raw: Any, info: zipfile.ZipInfo) -> _Member:
        record = f"array {info.filename.removesuffix('.npy')!r}"
        with archive.open(info) as stream:
            version = npy.read_magic(stream)
            reader = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
            if reader is None:
                raise DataError(self.path, record, f"npy version {version}", "version 1 or 2")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about headers that Python 2 wrote
                shape, fortran, dtype = reader(stream)
            header = stream.tell()
        if dtype.kind not in "biuf" or any(size < 0 for size in shape):
            raise DataError(self.path, record, f"dtype {dtype}", "plain numbers")
        if header + math.prod(shape) * dtype.itemsize != info.file_size:
            size = info.file_size - header
            raise DataError(self.path, record, f"{size} bytes for shape {shape} of {dtype}", "as many as it needs")
        if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1:
            # The local header repeats the name and has an extra field of its own length.
            raw.seek(info.header_offset + 26)
            lengths = raw.read(4)
            start = (
                info.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
            )
            if start + info.file_size > raw.seek(0, 2):
                raise DataError(self.path, record, "the end of the file", f"{info.file_size} bytes")
            return _Member(self.path, start + header, dtype, shape, fortran)
        return _Member(self._unpack(archive, info, record), header, dtype, shape, fortran)

    def _unpack(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, record: str) -> Path:
        if info.file_size > max(_SMALL, _LARGEST_EXPANSION * info.compress_size):
            raise DataError(self.path, record, f"{info.file_size} bytes packed into {info.compress_size}", "a data set")
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="interplay-"))
            weakref.finalize(self, shutil.rmtree, str(self._temporary), ignore_errors=True)
        free = shutil.disk_usage(self._temporary).free
        if info.file_size > free:
            found = f"{free >> 20} MiB free in {self._temporary.parent}"
            raise DataError(self.path, record, found, f"{info.file_size >> 20} MiB to unpack it (set TMPDIR)")
        target = self._temporary / Path(info.filename).name
        with archive.open(info) as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
        if target.stat().st_size != info.file_size:
            raise DataError(self.path, record, "the end of the file", f"{info.file_size} bytes")
        return target


class CTRGCN:
    """A data set in CTR-GCN's ``.npz``: one file per benchmark, its parts inside.

    Labels are the columns of y. 11 or 26 columns are the interactions of NTU60 and NTU120 in ascending order of their
    action numbers, 60 or 120 all actions; other widths get numbers for names unless ``classes`` is given.

    Args:
        root: the file, or a folder with exactly one ``.npz``.
        classes: class names in column order.
        interactions_only: of 60 or 120 columns keep the two-person classes, renumbered from 0.

    Raises:
        DataError: not such a file.
        ValueError: ``classes`` of another number, or ``interactions_only`` where that has no meaning.
    """

    name = "ctrgcn"

    def __init__(self, root: str | Path, classes: Sequence[str] | None = None, interactions_only: bool = False) -> None:
        self.path = single_file(Path(root), ".npz")
        self._arrays = NpzArrays(self.path, [f"{letter}_{part}" for part in _PARTS for letter in "xy"])
        labels = [self._check(part) for part in _PARTS]
        widths = {array.shape[1] for array in labels}
        if len(widths) != 1:
            raise DataError(self.path, "y_test", f"{labels[1].shape[1]} classes", f"{labels[0].shape[1]} as in y_train")
        width = widths.pop()
        actions = _actions(width)
        if classes is not None and len(classes) != width:
            raise ValueError(f"classes: {len(classes)} names for {width} columns in {self.path}")
        if interactions_only and width not in (60, 120):
            raise ValueError(f"interactions_only: {self.path} has {width} classes, expected 60 or 120")
        all_names = tuple(classes) if classes else tuple(actions) if actions else tuple(map(str, range(width)))
        kept = list(range(width))
        if interactions_only:
            kept = [action - 1 for action in (names.INTERACTIONS_60 if width == 60 else names.INTERACTIONS_120)]
        self.classes = tuple(all_names[column] for column in kept)
        renumbered = {column: label for label, column in enumerate(kept)}
        self._samples: list[tuple[str, int, int]] = []
        for part, one_hot in zip(_PARTS, labels, strict=True):
            for row, column in enumerate(self._columns(part, one_hot)):
                if column in renumbered:
                    self._samples.append((part, row, renumbered[column]))
        if not self._samples:
            raise DataError(self.path, "", "no samples of the classes asked for", "at least one")
        digits = len(str(max(len(array) for array in labels)))
        self._ids = tuple(f"{part}/{row:0{digits}d}" for part, row, _ in self._samples)
        self.layout = load_layout("ntu25")
        self.frames_per_second: float | None = FRAMES_PER_SECOND
        self.entity_names: tuple[str, ...] = ("person", "person")
        self._settings = (interactions_only, self.classes)

    def _check(self, part: str) -> NDArray[Any]:
        x, y = self._arrays[f"x_{part}"], self._arrays[f"y_{part}"]
        if x.ndim != 3 or x.shape[2] != COLUMNS or x.shape[1] < 1:
            raise DataError(self.path, f"x_{part}", f"shape {x.shape}", f"(samples, frames, {COLUMNS})")
        if y.ndim != 2 or len(y) != len(x) or not 0 < y.shape[1] <= 100_000:
            raise DataError(self.path, f"y_{part}", f"shape {y.shape}", f"({len(x)}, classes)")
        return y

    def _columns(self, part: str, one_hot: NDArray[Any]) -> list[int]:
        columns: list[int] = []
        for start in range(0, len(one_hot), 4096):
            block = np.asarray(one_hot[start : start + 4096])
            wrong = np.flatnonzero(((block != 0).sum(axis=1) != 1) | ((block == 1).sum(axis=1) != 1))
            if wrong.size:
                raise DataError(self.path, f"y_{part} row {start + wrong[0]}", "no one-hot label", "a single 1")
            columns += block.argmax(axis=1).tolist()
        return columns

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def ids(self) -> Sequence[str]:
        return self._ids

    def read(self, index: int) -> SkeletonClip:
        """One sample without its padding: (frames, 2, 25, 3), metres, translated and denoised by whoever wrote it.

        Raises:
            DataError: all zeros, or numbers that are not finite.
        """
        part, row, label = self._samples[index]
        block = np.asarray(self._arrays[f"x_{part}"][row])
        with np.errstate(over="ignore"):
            frames = block.astype(np.float32)
        record = f"x_{part} row {row}"
        if not np.isfinite(frames).all():
            raise DataError(self.path, record, "NaN or infinite coordinates", "finite numbers")
        shown = np.flatnonzero(frames.any(axis=1))
        if not shown.size:
            raise DataError(self.path, record, "zeros only", "at least one frame with a person")
        joints = frames[: shown[-1] + 1].reshape(-1, 2, 25, 3)
        return SkeletonClip(self._ids[index], joints, "ntu25", FRAMES_PER_SECOND, label, {"part": part, "row": row})

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        """``train`` and ``test`` as in the file."""
        return {
            part: np.array([i for i, (of, _, _) in enumerate(self._samples) if of == part], np.int64) for part in _PARTS
        }

    def fingerprint(self) -> str:
        """Size and time of the file, and the settings."""
        return file_fingerprint("ctrgcn", self.path, (_READER, *self._settings))


def _actions(width: int) -> tuple[str, ...] | None:
    if width in (60, 120):
        return names.ACTIONS[:width]
    chosen = {11: names.INTERACTIONS_60, 26: names.INTERACTIONS_120}.get(width)
    return None if chosen is None else tuple(names.ACTIONS[action - 1] for action in chosen)
