"""NumPy files from outside: the header is believed only as far as the bytes on disk bear it out.

``numpy.load`` allocates what a header announces before it reads; a file of a hundred bytes may announce a terabyte.
Here the announced size is compared with the real one first, object arrays are refused (they are pickles), and every
way in which a file can be wrong is a DataError.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError

MAX_MEMBER_BYTES = 4 * 2**30
"""Of one array inside an ``.npz``: a zip bomb would otherwise unpack without limit."""


def _header(stream: IO[bytes], file: str | Path, record: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, Fortran order and dtype; the stream then stands at the first value."""
    expected = "a NumPy array of numbers or strings"
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version in ((2, 0), (3, 0)):
            # The header of version 3 is that of version 2 in UTF-8; NumPy reads both with one function.
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise DataError(file, record, f"NumPy format version {version}", "version 1.0, 2.0 or 3.0")
    except DataError:
        raise
    except Exception as error:  # numpy parses the header with ast and raises whatever that raises
        raise DataError(file, record, f"a broken header ({type(error).__name__})", expected) from None
    if dtype.hasobject:
        raise DataError(file, record, "pickled Python objects", expected)
    if dtype.kind not in "biufUS":
        raise DataError(file, record, f"values of type {dtype}", expected)
    if any(not isinstance(size, int) or size < 0 for size in shape):
        raise DataError(file, record, f"shape {shape}", "counts that are not negative")
    return shape, fortran, dtype


def _announced(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    return math.prod(shape) * dtype.itemsize


def open_npy(path: str | Path) -> NDArray[Any]:
    """Map a ``.npy`` file into memory, read-only. Costs no memory however large the file.

    Raises:
        DataError: not an ``.npy``, pickled objects inside, or a header that announces more than the file holds.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            shape, fortran, dtype = _header(stream, path, "")
            offset = stream.tell()
        held = path.stat().st_size - offset
        wanted = _announced(shape, dtype)
        if held < wanted:
            raise DataError(path, "", f"{held} bytes of values", f"{wanted} for shape {shape} of {dtype}")
        if wanted == 0:
            return np.empty(shape, dtype) if max(shape, default=0) < 2**31 else np.empty(0, dtype)
        return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")
    except OSError as error:
        raise DataError(path, "", error.strerror or type(error).__name__, "a readable .npy file") from None


def open_npz(
    path: str | Path, limit: int = MAX_MEMBER_BYTES, leave: Collection[str] = ()
) -> Mapping[str, NDArray[Any]]:
    """Read every array of an ``.npz``. For files that fit in memory; each array is at most ``limit`` bytes.

    Args:
        leave: names of arrays that are not read (see :class:`NpzRows`).

    Raises:
        DataError: not a zip, a damaged member, pickled objects, or sizes that contradict each other.
    """
    path = Path(path)
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".npy"):
                    key = info.filename.removesuffix(".npy")
                    if key in leave:
                        continue
                    arrays[key] = _member(archive, info, path, f"array {key!r}", limit)
    except DataError:
        raise
    except OSError as error:
        raise DataError(path, "", error.strerror or type(error).__name__, "a readable .npz file") from None
    except Exception as error:  # zipfile and zlib raise many kinds for damaged archives
        raise DataError(path, "", f"a damaged archive ({type(error).__name__}: {error})", "an .npz file") from None
    if not arrays:
        raise DataError(path, "", "no arrays", "an .npz file")
    return arrays


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, record: str, limit: int) -> NDArray[Any]:
    with archive.open(info) as stream:
        shape, fortran, dtype = _header(stream, path, record)
        wanted = _announced(shape, dtype)
        if wanted > limit:
            raise DataError(path, record, f"{wanted} bytes announced", f"at most {limit}")
        if wanted > info.file_size:
            raise DataError(path, record, f"{info.file_size} bytes", f"{wanted} for shape {shape} of {dtype}")
        values = stream.read(wanted)
    if len(values) < wanted:
        raise DataError(path, record, f"{len(values)} bytes of values", f"{wanted} for shape {shape} of {dtype}")
    if wanted == 0:
        return np.empty(0, dtype)
    flat = np.frombuffer(values, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


class NpzRows:
    """An array of an open ``.npz`` read a few rows at a time, front to back: memory for the rows asked for only.

    Args:
        archive: the open file; it has to stay open.
        key: name of the array.
        path: for messages.

    Raises:
        DataError: no such array, a header that contradicts the size of the member, columns first.
    """

    def __init__(self, archive: zipfile.ZipFile, key: str, path: str | Path) -> None:
        self._path, self._record = path, f"array {key!r}"
        try:
            info = archive.getinfo(f"{key}.npy")
        except KeyError:
            raise DataError(path, self._record, "nothing", "an array of this name") from None
        self._stream = archive.open(info)
        try:
            self.shape, fortran, self.dtype = _header(self._stream, path, self._record)
            wanted = _announced(self.shape, self.dtype)
            if wanted > info.file_size:
                raise DataError(path, self._record, f"{info.file_size} bytes", f"{wanted} for shape {self.shape}")
            if not self.shape or (fortran and len(self.shape) > 1):
                raise DataError(path, self._record, f"shape {self.shape}, columns first", "rows first (C order)")
        except DataError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the archive."""
        self._stream.close()

    def take(self, count: int) -> NDArray[Any]:
        """The next ``count`` rows. DataError where the archive is damaged or at its end."""
        size = _announced((count, *self.shape[1:]), self.dtype)
        try:
            values = self._stream.read(size)
        except Exception as error:  # zipfile and zlib raise many kinds for damaged archives
            raise DataError(self._path, self._record, f"damaged values ({type(error).__name__})", "rows") from None
        if len(values) < size:
            raise DataError(self._path, self._record, f"{len(values)} bytes", f"{size} for {count} rows")
        return np.frombuffer(values, self.dtype).reshape(count, *self.shape[1:])
