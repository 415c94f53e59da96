"""The one exception that unreadable data turns into."""

from __future__ import annotations

from pathlib import Path

from interplay.errors import InterplayError


class DataError(InterplayError):
    """A file that cannot be used, said in one line: what, where, and what was expected.

    Args:
        file: path of the file (or the name of the input).
        record: where in it, e.g. ``"line 12"``, ``"clip 3"``, ``"key 'poses'"``; empty for the whole file.
        found: what stands there.
        expected: what should stand there.
    """

    def __init__(self, file: str | Path, record: str, found: str, expected: str) -> None:
        self.file, self.record, self.found, self.expected = str(file), record, found, expected
        where = f"{self.file}: {record}" if record else self.file
        super().__init__(f"{where}: found {found}, expected {expected}")

    def __reduce__(self) -> tuple[type[DataError], tuple[str, str, str, str]]:
        # Exceptions cross process borders when a data set is prepared in parallel.
        return type(self), (self.file, self.record, self.found, self.expected)
