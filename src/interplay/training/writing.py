"""Files appear whole or not at all, and a target that cannot be written is one clear line."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interplay.errors import InterplayError

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOTDIR: "a part of the path is a file, expected a folder",
    errno.EFBIG: "the file would be larger than the file system allows",
}


def write_error(path: str | Path, error: OSError) -> InterplayError:
    """The one line for a failed write."""
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return InterplayError(f"cannot write {path}: {reason}")


@contextmanager
def clear_write_errors(path: str | Path) -> Iterator[None]:
    """Turn what the operating system says about writing ``path`` into one line."""
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


def write_whole(path: str | Path, content: bytes | str) -> None:
    """Write a file beside its target, flush it to the disk and rename it into place.

    A reader, or the next start after a kill or a power cut, sees the old content or the new one, nothing between.

    Raises:
        InterplayError: full disk, read-only target, no permission; nothing is left behind.
    """
    path = Path(path)
    with clear_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with temporary.open("wb") as stream:
                stream.write(content.encode("utf-8") if isinstance(content, str) else content)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
