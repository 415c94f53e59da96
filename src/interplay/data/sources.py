"""Data sets that are one file: finding it, and noticing that it changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from interplay.data.errors import DataError


def single_file(root: Path, suffix: str) -> Path:
    """The file itself, or the only one with the suffix in a folder.

    Raises:
        DataError: no such file, none or several in the folder.
    """
    try:
        if root.is_dir():
            found = sorted(path for path in root.iterdir() if path.suffix == suffix)
            if len(found) != 1:
                raise DataError(root, "", f"{len(found)} {suffix} files", "one, or the path of one")
            return found[0]
    except OSError as error:
        raise DataError(root, "", f"an unreadable folder ({error.strerror})", f"a {suffix} file in it") from None
    if not root.is_file():
        raise DataError(root, "", "no such file", f"a {suffix} file")
    return root


def file_fingerprint(kind: str, path: Path, settings: object) -> str:
    """A key that changes with the file's name, size or time, or with the settings (anything with a stable repr)."""
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(path, "", f"an unreadable file ({error.strerror})", "the data") from None
    key = repr((path.name, status.st_size, status.st_mtime_ns, settings))
    return f"{kind} {hashlib.sha256(key.encode()).hexdigest()}"


def files_fingerprint(kind: str, paths: Iterable[Path], settings: object) -> str:
    """The same of several files."""
    keys = [file_fingerprint(kind, path, settings) for path in paths]
    return f"{kind} {hashlib.sha256(repr(keys).encode()).hexdigest()}"
