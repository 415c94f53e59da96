"""JSON from outside: bounded in size, and whatever is wrong with it is a DataError."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError

MAX_BYTES = 512 * 2**20
"""Of a file that is read at once: Python objects take several times its size."""
MAX_ELEMENT = 1 << 22
"""Characters of one element of a list that is read piece by piece."""
_CHUNK = 1 << 20
_SPACE = " \t\r\n"
ENDS = (*_SPACE, ",", "]")
"""What may follow an element."""


def read_json(path: str | Path, expected: str, limit: int = MAX_BYTES) -> Any:
    """The content of a JSON file; ``NaN`` and ``Infinity`` become floats and are for the caller to refuse.

    Raises:
        DataError: unreadable, longer than ``limit`` bytes, or no JSON.
    """
    path = Path(path)
    try:
        if (size := path.stat().st_size) > limit:
            raise DataError(path, "", f"{size} bytes", f"at most {limit}")
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(path, "", "no such file", expected) from None
    except OSError as error:
        raise DataError(path, "", error.strerror or type(error).__name__, "a readable file") from None
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise DataError(path, "", f"broken JSON ({type(error).__name__})", expected) from None


def read_elements(path: str | Path, expected: str) -> Iterator[Any]:
    """The elements of the list that a JSON file holds, one at a time, so that only one is ever in memory.

    Raises:
        DataError: unreadable, not a list, or broken; ``element 3`` counts from 0.
    """
    path = Path(path)
    scan = json.JSONDecoder().raw_decode
    text, at, count, finished, opened, separated = "", 0, 0, False, False, True
    try:
        with path.open("rb") as stream:
            decode = codecs.getincrementaldecoder("utf-8-sig")()
            while True:
                while at < len(text) and text[at] in _SPACE:
                    at += 1
                if at == len(text) or (separated and opened and text[at] != "]"):
                    value = _try(scan, text, at) if at < len(text) else None
                    # "0" may go on as "0.5": a value has ended where a blank, a comma or the bracket follows it.
                    ended = value is not None and text[value[1] : value[1] + 1] in ENDS
                    if value is not None and (finished or ended):
                        yield value[0]
                        at, count, separated = value[1], count + 1, False
                        continue
                    if finished or len(text) - at > MAX_ELEMENT:
                        raise DataError(path, f"element {count}", "broken JSON", expected)
                    chunk = stream.read(_CHUNK)
                    finished = not chunk
                    text, at = text[at:] + decode.decode(chunk, final=finished), 0
                elif not opened:
                    if text[at] != "[":
                        raise DataError(path, "", f"{text[at : at + 20]!r}", expected)
                    opened, at = True, at + 1
                elif text[at] == "]" and not (separated and count):
                    return
                elif text[at] == "," and not separated:
                    separated, at = True, at + 1
                else:
                    raise DataError(path, f"element {count}", f"{text[at : at + 20]!r}", expected)
    except FileNotFoundError:
        raise DataError(path, "", "no such file", expected) from None
    except OSError as error:
        raise DataError(path, "", error.strerror or type(error).__name__, "a readable file") from None
    except UnicodeDecodeError:
        raise DataError(path, f"element {count}", "a byte that is no text", "UTF-8") from None


def _try(scan: Callable[[str, int], tuple[Any, int]], text: str, at: int) -> tuple[Any, int] | None:
    try:
        return scan(text, at)
    except (ValueError, RecursionError):  # broken, or not yet read to its end
        return None


class Place:
    """Where in a file something stands; turns what is not as expected into a DataError.

    Args:
        file: the file.
        record: where in it.
    """

    def __init__(self, file: str | Path, record: str) -> None:
        self.file, self.record = file, record

    def fail(self, found: str, expected: str) -> NoReturn:
        raise DataError(self.file, self.record, found, expected)

    def at(self, record: str) -> Place:
        return Place(self.file, f"{self.record}, {record}" if self.record else record)

    def mapping(self, value: object, keys: Sequence[str] = ()) -> dict[str, Any]:
        """An object that has the keys."""
        if not isinstance(value, dict):
            self.fail(_kind(value), "an object")
        for key in keys:
            if key not in value:
                self.fail(f"no {key!r}", f"an object with {', '.join(keys)}")
        return value

    def sequence(self, value: object, what: str, most: int = 2**24) -> list[Any]:
        """A list of at most ``most`` elements."""
        if not isinstance(value, list):
            self.fail(f"{what}: {_kind(value)}", "a list")
        if len(value) > most:
            self.fail(f"{what}: {len(value)} elements", f"at most {most}")
        return value

    def integer(self, value: object, what: str, low: int, high: int) -> int:
        """A whole number, also written 3.0, within the limits."""
        if isinstance(value, float) and math.isfinite(value) and value == int(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fail(f"{what} {_short(value)}", f"a whole number from {low} to {high}")
        return value

    def text(self, value: object, what: str) -> str:
        """A string that is not empty, or a whole number as one."""
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
            return str(value)
        if not isinstance(value, str) or not value or len(value) > 1000:
            self.fail(f"{what} {_short(value)}", "a text of at most 1000 characters")
        return value

    def names(self, value: object, what: str) -> tuple[str, ...]:
        """A list of different names."""
        names = [self.text(name, what) for name in self.sequence(value, what, 2**16)]
        if len(set(names)) != len(names):
            self.fail(f"{what}: a name twice", "each name once")
        return tuple(names)

    def table(self, value: object, what: str, columns: int, most: int) -> NDArray[np.float64]:
        """A list of rows of ``columns`` numbers each, as float64 (rows, columns). NaN is for the caller to refuse."""
        rows = self.sequence(value, what, most)
        expected = f"rows of {columns} numbers"
        if any(not isinstance(row, list) or len(row) != columns for row in rows):
            self.fail(f"{what}: something else", expected)
        flat = [number for row in rows for number in row]
        if any(type(number) not in (int, float) for number in flat):
            self.fail(f"{what}: something else than numbers", expected)
        try:
            return np.array(flat, np.float64).reshape(len(rows), columns)
        except OverflowError:
            self.fail(f"{what}: a number beyond all bounds", expected)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", type(None): "null", bool: "true or false"}
    return names.get(type(value), "a number")


def _short(value: object) -> str:
    return _kind(value) if isinstance(value, dict | list) else repr(value)[:60]
