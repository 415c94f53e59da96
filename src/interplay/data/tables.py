"""CSV files with a header, read row by row; whatever is wrong is a DataError with the line number."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from interplay.data.errors import DataError

MAX_LINE = 1 << 16
"""Characters. A longer line is no row of a table but a file of another kind."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    file: Path
    line: int
    values: Mapping[str, str]

    def error(self, found: str, expected: str) -> DataError:
        return DataError(self.file, f"line {self.line}", found, expected)

    def has(self, column: str) -> bool:
        return bool(self.values.get(column))

    def text(self, column: str) -> str:
        return self.values.get(column, "").strip()

    def integer(self, column: str, low: int = -(2**31), high: int = 2**31) -> int:
        text = self.text(column)
        try:
            value = int(text) if len(text) <= 20 else high + 1
        except ValueError:
            raise self.error(f"{column} {text!r}", "a whole number") from None
        if not low <= value <= high:
            raise self.error(f"{column} {text[:20]}", f"a whole number from {low} to {high}")
        return value

    def number(self, column: str) -> float:
        text = self.text(column)
        try:
            value = float(text)
        except ValueError:
            raise self.error(f"{column} {text[:40]!r}", "a number") from None
        if not math.isfinite(value):
            raise self.error(f"{column} {text[:40]}", "a finite number")
        return value


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        while line := stream.readline(MAX_LINE):
            if len(line) == MAX_LINE:
                raise DataError(path, "", f"a line of more than {MAX_LINE} characters", "a table")
            yield line


def read_table(path: str | Path, required: Sequence[str]) -> Iterator[Row]:
    """The rows of a CSV file as mappings from column name to text; memory for one row.

    Raises:
        DataError: unreadable, not UTF-8, a column missing, or a row that is shorter or longer than the header.
    """
    path = Path(path)
    try:
        reader = csv.reader(_lines(path), strict=True)
        header = [name.strip() for name in next(reader, [])]
        for column in required:
            if column not in header:
                raise DataError(path, "line 1", f"the columns {', '.join(header)[:120]!r}", f"a column {column!r}")
        if len(set(header)) != len(header):
            raise DataError(path, "line 1", "a column twice", "each column once")
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(header):
                raise DataError(path, f"line {reader.line_num}", f"{len(fields)} values", f"{len(header)}")
            yield Row(path, reader.line_num, dict(zip(header, fields, strict=True)))
    except OSError as error:
        raise DataError(path, "", error.strerror or type(error).__name__, "a readable table") from None
    except UnicodeDecodeError as error:
        raise DataError(path, f"byte {error.start}", "a byte that is no text", "UTF-8") from None
    except csv.Error as error:
        raise DataError(path, "", f"broken CSV ({error})", "a table") from None
