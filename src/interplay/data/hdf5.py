"""Columns of an HDF5 file, read lazily in blocks of rows: memory stays bounded however long they are."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError

BLOCK_ROWS = 1 << 16
MAX_BLOCKS = 48
"""Blocks kept of one file: 12 million numbers of boxes. The whole of VG150 has 28 blocks of boxes and relations."""
MAX_CHUNK_BYTES = 1 << 27
"""Of one compressed chunk, which is unpacked whole."""


class Hdf5Columns:
    """Integer or float arrays of one HDF5 file whose first axis counts rows.

    The file is opened when first read, once in each process, so that the object may be sent to workers.

    Args:
        path: the file.

    Raises:
        DataError: no HDF5 file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file: Any = None
        self._process = 0
        self._blocks: OrderedDict[tuple[str, int], NDArray[Any]] = OrderedDict()
        self._open()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_file": None, "_process": 0, "_blocks": OrderedDict()}

    def _open(self) -> Any:
        # A handle that was opened before a fork must not be used after it.
        if self._file is None or self._process != os.getpid():
            if not self.path.is_file():
                raise DataError(self.path, "", "no such file", "an HDF5 file")
            try:
                self._file = _opened(self.path)
            except Exception as error:  # h5py raises OSError, RuntimeError, KeyError and more for broken files
                raise DataError(self.path, "", _reason(error), "an HDF5 file") from None
            self._process = os.getpid()
            self._blocks = OrderedDict()
        return self._file

    def __contains__(self, key: str) -> bool:
        try:
            return key in self._open()
        except DataError:
            raise
        except Exception as error:
            raise DataError(self.path, f"key {key!r}", _reason(error), "an array") from None

    def marked(self, name: str) -> bool:
        """Whether the file itself has an attribute of this name that is not 0."""
        try:
            return bool(np.all(self._open().attrs.get(name, 0)))
        except DataError:
            raise
        except Exception as error:
            raise DataError(self.path, f"attribute {name!r}", _reason(error), "a number") from None

    def _dataset(self, key: str) -> Any:
        file = self._open()
        try:
            link = file.get(key, getlink=True) if key in file else None
            found = file[key] if isinstance(link, h5py.HardLink) else None
        except Exception as error:
            raise DataError(self.path, f"key {key!r}", _reason(error), "an array") from None
        if not isinstance(found, h5py.Dataset):
            raise DataError(self.path, f"key {key!r}", "nothing" if link is None else "something else", "an array")
        return found

    def describe(self, key: str, width: int | None) -> tuple[int, np.dtype[Any]]:
        """Rows and dtype of a column of ``width`` values a row (None: one value, as (n,) or (n, 1)).

        Raises:
            DataError: missing, of another shape, not numbers, or stored so that a small part of it takes much memory.
        """
        found = self._dataset(key)
        try:
            shape, dtype, chunks = found.shape, found.dtype, found.chunks
            elsewhere = bool(found.is_virtual or found.external)
        except Exception as error:
            raise DataError(self.path, f"key {key!r}", _reason(error), "an array") from None
        expected = "integers or floats " + ("(n,) or (n, 1)" if width is None else f"(n, {width})")
        fits = shape is not None and (
            shape[1:] in ((), (1,)) and len(shape) > 0 if width is None else shape[1:] == (width,)
        )
        if not fits or dtype.kind not in "iuf" or dtype.itemsize > 8:
            raise DataError(self.path, f"key {key!r}", f"{dtype} {shape}", expected)
        if elsewhere:
            raise DataError(self.path, f"key {key!r}", "values kept in other files", "values in this file")
        if chunks is not None and int(np.prod([float(side) for side in chunks])) * dtype.itemsize > MAX_CHUNK_BYTES:
            raise DataError(self.path, f"key {key!r}", f"chunks of {chunks}", f"chunks up to {MAX_CHUNK_BYTES} bytes")
        return int(shape[0]), dtype

    def whole(self, key: str, rows: int) -> NDArray[np.int64]:
        """A column of ``rows`` integers, as int64 (rows,)."""
        found, dtype = self.describe(key, None)
        if found != rows or dtype.kind == "f":
            raise DataError(self.path, f"key {key!r}", f"{found} values of type {dtype}", f"{rows} integers")
        return self._read(key, 0, rows).reshape(rows).astype(np.int64)

    def rows(self, key: str, start: int, stop: int) -> NDArray[Any]:
        """Rows start to stop of a column that :meth:`describe` has accepted, as stored; do not write into them."""
        self._open()
        first, last = start // BLOCK_ROWS, (stop - 1) // BLOCK_ROWS
        if first == last:
            base = first * BLOCK_ROWS
            return self._block(key, first)[start - base : stop - base]
        parts = [self._block(key, number) for number in range(first, last + 1)] if stop > start else []
        if not parts:
            return self._block(key, first)[:0]
        joined = np.concatenate(parts)
        return joined[start - first * BLOCK_ROWS : stop - first * BLOCK_ROWS]

    def _block(self, key: str, number: int) -> NDArray[Any]:
        at = (key, number)
        if at in self._blocks:
            self._blocks.move_to_end(at)
            return self._blocks[at]
        block = self._read(key, number * BLOCK_ROWS, (number + 1) * BLOCK_ROWS)
        self._blocks[at] = block
        if len(self._blocks) > MAX_BLOCKS:
            self._blocks.popitem(last=False)
        return block

    def _read(self, key: str, start: int, stop: int) -> NDArray[Any]:
        found = self._dataset(key)
        try:
            return np.asarray(found[start : min(stop, found.shape[0])])
        except Exception as error:
            raise DataError(self.path, f"key {key!r}", _reason(error), "values that can be read") from None


def _opened(path: Path) -> Any:
    try:
        return h5py.File(path, "r")
    except OSError:
        return h5py.File(path, "r", locking=False)  # some network file systems cannot lock


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:120]}"
