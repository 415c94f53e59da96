"""The items of a large JSON object, one at a time: files of boxes are gigabytes, one clip's are kilobytes."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interplay.data.errors import DataError

MAX_ITEM = 1 << 25
"""Characters of one value; the boxes of a clip of 10,000 frames fit."""
_CHUNK = 1 << 20
_SPACE = " \t\r\n"


def read_items(path: str | Path, expected: str) -> Iterator[tuple[str, Any]]:
    """Keys and values of the object that a JSON file holds, in its order; only one value is in memory.

    A value has to be a list or an object.

    Raises:
        DataError: unreadable, no object of such values, or broken at the item that is named.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            yield from _Scanner(path, stream, expected).items()
    except FileNotFoundError:
        raise DataError(path, "", "no such file", expected) from None
    except OSError as error:
        raise DataError(path, "", error.strerror or type(error).__name__, "a readable file") from None
    except UnicodeDecodeError:
        raise DataError(path, "", "a byte that is no text", "UTF-8") from None


class _Scanner:
    def __init__(self, path: Path, stream: Any, expected: str) -> None:
        self.path, self.stream, self.expected = path, stream, expected
        self.decode = codecs.getincrementaldecoder("utf-8-sig")()
        self.scan = json.JSONDecoder().raw_decode
        self.text, self.at, self.finished, self.count = "", 0, False, 0

    def items(self) -> Iterator[tuple[str, Any]]:
        self._take("{")
        if self._peek() == "}":
            return
        while True:
            if self._peek() != '"':
                self._fail(repr(self._peek()))
            key = self._value()
            self._take(":")
            if self._peek() not in ("[", "{"):
                self._fail("a value that is neither a list nor an object")
            yield key, self._value()
            self.count += 1
            if self._peek() == "}":
                return
            self._take(",")

    def _fail(self, found: str) -> None:
        raise DataError(self.path, f"item {self.count}", found, self.expected)

    def _more(self) -> None:
        if self.finished or len(self.text) - self.at > MAX_ITEM:
            self._fail("broken JSON" if self.finished else f"a value of more than {MAX_ITEM} characters")
        # Twice as much each time: a long value is scanned few times.
        chunk = self.stream.read(max(_CHUNK, len(self.text) - self.at))
        self.finished = not chunk
        self.text, self.at = self.text[self.at :] + self.decode.decode(chunk, final=self.finished), 0

    def _peek(self) -> str:
        """The next character that is no blank."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _SPACE:
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            self._more()

    def _take(self, character: str) -> None:
        if (found := self._peek()) != character:
            self._fail(repr(found))
        self.at += 1

    def _value(self) -> Any:
        """A text, a list or an object; these end where they end, so a whole one is known when it is seen."""
        while True:
            try:
                value, self.at = self.scan(self.text, self.at)
                return value
            except (ValueError, RecursionError):  # broken, or not yet read to its end
                self._more()
