"""Data sets' pickles, read without running anything.

A pickle is a program for a small stack machine whose instructions can import and call anything. This is that machine
with the dangerous instructions left out and the few constructors that NumPy's arrays need put in by name: the result
can only be made of None, booleans, numbers, strings, bytes, lists, tuples, dicts, sets and NumPy arrays, scalars and
dtypes of plain numbers or text. Nothing is imported, looked up or called on the file's behalf.

Arrays are views into the memory-mapped file, so that a pickle of gigabytes costs only what is looked at. What hostile
instructions can build is bounded: no announced size is believed before that many bytes are there, and the number of
objects is limited.
"""

from __future__ import annotations

import codecs
import mmap
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from interplay.data.errors import DataError
from interplay.data.pickle_values import (
    FUNCTIONS,
    INTERNAL,
    MARK,
    VIEWED,
    Arguments,
    Function,
    Raw,
    Refused,
    Unfinished,
    copied,
    hashable,
    plain_array,
    plain_dtype,
)

MOST_OBJECTS = 20_000_000
"""Instructions and copied elements; the largest public skeleton pickles take 8 million."""


def load_pickle(path: str | Path) -> Any:
    """Read a ``.pkl`` of any protocol made of lists, dicts, tuples, sets, strings, numbers and NumPy arrays.

    Arrays are read-only views of the file. Text that Python 2 wrote as bytes comes back as str if it is ASCII.

    Raises:
        DataError: the file cannot be read, is no whole pickle, or wants anything else.
    """
    try:
        with Path(path).open("rb") as stream:
            size = stream.seek(0, 2)
            content: bytes | mmap.mmap = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(path, "", f"an unreadable file ({reason})", "a pickle") from None
    return _load(memoryview(content), str(path))


def load_pickle_bytes(content: bytes, name: str = "pickle") -> Any:
    """The same from bytes; ``name`` is what errors call them."""
    return _load(memoryview(content), name)


def _load(content: memoryview, name: str) -> Any:
    machine = _Machine(content)
    try:
        return machine.run()
    except Refused as refusal:
        found, expected = refusal.found, refusal.expected
    except (IndexError, KeyError, ValueError, TypeError, OverflowError, AttributeError, struct.error) as error:
        found, expected = f"a malformed instruction ({type(error).__name__}: {str(error)[:80]})", "a whole pickle"
    except (MemoryError, RecursionError) as error:
        found, expected = f"more than fits ({type(error).__name__})", "a pickle of reasonable size"
    raise DataError(name, f"byte {machine.instruction}", found, expected)


class _Machine:
    """Stack, memo and position. Handlers are methods; see :data:`_HANDLERS`."""

    def __init__(self, content: memoryview) -> None:
        self.content, self.at, self.instruction = content, 0, 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.spent = 0

    def run(self) -> Any:
        handlers, content, end, stop = _HANDLERS, self.content, len(self.content), pickle.STOP[0]
        while self.at < end:
            self.instruction = self.at
            code = content[self.at]
            self.at += 1
            if code == stop:
                return self.plain(self.stack.pop())
            handler = handlers[code]
            if handler is None:
                raise Refused(_describe(code))
            handler(self)
            self.spend(1)
        raise Refused("the end of the file", "a pickle with its last instruction")

    def spend(self, count: int) -> None:
        self.spent += count
        if self.spent > MOST_OBJECTS:
            raise Refused(f"more than {MOST_OBJECTS} objects", "fewer")

    # Reading

    def take(self, count: int) -> memoryview:
        left = len(self.content) - self.at
        if count > left:
            raise Refused(f"{count} bytes announced", f"at most the {left} that are left")
        self.at += count
        return self.content[self.at - count : self.at]

    def unsigned(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def line(self) -> bytes:
        pieces: list[bytes] = []
        while self.at < len(self.content):
            piece = bytes(self.content[self.at : self.at + 256])
            found = piece.find(b"\n")
            if found >= 0:
                self.at += found + 1
                return b"".join([*pieces, piece[:found]])
            self.at += len(piece)
            pieces.append(piece)
        raise Refused("a line without end", "a line break")

    def raw(self, count: int, kind: type[bytes] | type[bytearray] | type[str]) -> None:
        content = Raw(self.take(count), kind)
        self.stack.append(content if count >= VIEWED else copied(content))

    def long(self, count: int) -> None:
        if count > 1024:
            raise Refused(f"an integer of {count} bytes")
        self.stack.append(int.from_bytes(self.take(count), "little", signed=True))

    def decimal(self) -> None:
        line = self.line()
        self.stack.append(line == b"01" if line in (b"00", b"01") else int(line.removesuffix(b"L")))

    # Stack

    def plain(self, value: Any) -> Any:
        """A value that may be part of the result."""
        if type(value) not in INTERNAL:
            return value
        if type(value) is Raw:
            self.spend(len(value.view) // 64)  # a few bytes of instructions could copy them again and again
            return copied(value)
        if type(value) is Arguments:
            self.spend(len(value))
            return tuple([self.plain(item) for item in value])
        if value is MARK:
            raise ValueError("a mark instead of a value")
        raise Refused("a constructor without a call" if type(value) is Function else "an array without content")

    def to_mark(self) -> list[Any]:
        stack = self.stack
        index = len(stack) - 1
        while stack[index] is not MARK:
            if index <= 0:
                raise ValueError("no mark")
            index -= 1
        items = stack[index + 1 :]
        del stack[index:]
        return items

    def tuple_(self, count: int | None) -> None:
        if count is None:
            items = self.to_mark()
        else:
            if len(self.stack) < count:
                raise ValueError("too few values")
            items = self.stack[len(self.stack) - count :]
            del self.stack[len(self.stack) - count :]
        internal = False
        for index, item in enumerate(items):
            if type(item) is Function or type(item) is Raw:
                internal = True
            else:
                items[index] = self.plain(item)
        self.stack.append(Arguments(items) if internal else tuple(items))

    def set_items(self, items: list[Any], target: Any = None) -> None:
        target = self.stack[-1] if target is None else target
        if type(target) is not dict or len(items) % 2:
            raise TypeError("items without a dict or a value")
        for index in range(0, len(items), 2):
            target[hashable(items[index])] = self.plain(items[index + 1])

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError("elements without a list")
        target.extend([self.plain(item) for item in items])

    def add(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not set:
            raise TypeError("elements without a set")
        target.update([hashable(item) for item in items])

    def put(self, key: int) -> None:
        if self.stack[-1] is MARK:
            raise ValueError("a mark instead of a value")
        self.memo[key] = self.stack[-1]

    def get(self, key: int) -> None:
        value = self.memo[key]
        if type(value) is Unfinished:
            value = self.plain(value) if value.value is None else value.value
        self.stack.append(value)

    # Constructors

    def find(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise TypeError("a name that is no text")
        function = FUNCTIONS.get((module, name))
        if function is None:
            raise Refused(f"a call for {module}.{name}"[:120])
        self.stack.append(function)

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(function) is not Function or not isinstance(arguments, tuple):
            raise Refused("a call of something that is no constructor")
        for argument in arguments:
            if isinstance(argument, str | bytes | bytearray):
                self.spend(len(argument) // 64)
            elif isinstance(argument, list | tuple):
                self.spend(len(argument))
        self.stack.append(self.call(function.name, arguments))

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        match name, arguments:
            case "_reconstruct", (Function(name="ndarray"), tuple(), _):
                return Unfinished()
            case "dtype", (str() | bytes() as code, *_):
                return Unfinished(plain_dtype(code if isinstance(code, str) else code.decode("ascii")))
            case "scalar", (np.dtype() as dtype, bytes() | str() as content):
                return plain_array(content, dtype, (), False)[()]
            case "_frombuffer", (content, np.dtype() as dtype, tuple() as shape, "C" | "F" as order, *rest) if not any(
                rest
            ):
                return plain_array(content, dtype, shape, order == "F")
            case "_frombuffer", (content, np.dtype() as dtype, tuple() as shape, "K", tuple() as axes):
                return plain_array(content, dtype, shape, False).transpose(axes)
            case "encode", (str() as text, "latin1" | "latin-1"):
                return text.encode("latin1")
            case "bytes" | "bytearray", ():
                return b"" if name == "bytes" else bytearray()
            case "bytearray", (Raw() | bytes() as content,):
                return bytearray(content.view if isinstance(content, Raw) else content)
            case "bytearray", (str() as text, "latin-1" | "latin1"):
                return bytearray(text, "latin1")
            case "set" | "frozenset", (list() | tuple() as values,):
                return (set if name == "set" else frozenset)([hashable(value) for value in values])
            case "complex", (int() | float() as real, int() | float() as imaginary):
                return complex(real, imaginary)
        raise Refused(f"{name} with unusual arguments")

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is not Unfinished or target.value is not None or not isinstance(state, tuple):
            raise Refused(f"a state for {type(target).__name__.strip('_')}")
        if target.dtype is not None:
            match state:
                case (int(), "<" | ">" | "|" | "=" | b"<" | b">" | b"|" | b"=" as order, None, None, None, *_):
                    text = order if isinstance(order, str) else order.decode("ascii")
                    target.value = target.dtype.newbyteorder(text)  # type: ignore[arg-type]
                case _:
                    raise Refused("an array of records or of an unusual dtype")
        else:
            match state:
                case (int(), tuple() as shape, np.dtype() as dtype, bool() | int() as fortran, content):
                    target.value = plain_array(content, dtype, shape, bool(fortran))
                case _:
                    raise Refused("an array with an unusual state")
        self.stack[-1] = target.value


def _describe(code: int) -> str:
    for name in ("INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "PERSID", "BINPERSID", "NEXT_BUFFER", "EXT1", "EXT2", "EXT4"):
        if getattr(pickle, name)[0] == code:
            return f"the instruction {name}"
    return f"the instruction {code:#04x}"


def _proto(machine: _Machine) -> None:
    version = machine.unsigned(1)
    if version > 5:
        raise Refused(f"protocol {version}", "a protocol up to 5")


def _text(machine: _Machine, size: int) -> None:
    machine.stack.append(str(machine.take(machine.unsigned(size)), "utf-8", "surrogatepass"))


def _string(machine: _Machine) -> None:
    line = machine.line().strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise ValueError("a string without quotes")
    content, _ = codecs.escape_decode(line[1:-1])
    machine.stack.append(copied(Raw(memoryview(content), str)))


def _find_lines(machine: _Machine) -> None:
    machine.find(machine.line().decode("utf-8"), machine.line().decode("utf-8"))


def _find_stack(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.find(module, name)


def _dict(machine: _Machine) -> None:
    value: dict[Any, Any] = {}
    machine.set_items(machine.to_mark(), value)
    machine.stack.append(value)


def _popped(machine: _Machine, count: int) -> list[Any]:
    if len(machine.stack) <= count:
        raise ValueError("too few values")
    items = machine.stack[len(machine.stack) - count :]
    del machine.stack[len(machine.stack) - count :]
    return items


_BY_NAME: dict[str, Callable[[_Machine], object]] = {
    "PROTO": _proto,
    "FRAME": lambda m: m.take(8),
    "MARK": lambda m: m.stack.append(MARK),
    "POP": lambda m: m.stack.pop(),
    "POP_MARK": lambda m: m.to_mark(),
    "DUP": lambda m: m.stack.append(m.stack[-1]),
    "NONE": lambda m: m.stack.append(None),
    "NEWTRUE": lambda m: m.stack.append(True),
    "NEWFALSE": lambda m: m.stack.append(False),
    "INT": _Machine.decimal,
    "LONG": _Machine.decimal,
    "BININT": lambda m: m.stack.append(int.from_bytes(m.take(4), "little", signed=True)),
    "BININT1": lambda m: m.stack.append(m.unsigned(1)),
    "BININT2": lambda m: m.stack.append(m.unsigned(2)),
    "LONG1": lambda m: m.long(m.unsigned(1)),
    "LONG4": lambda m: m.long(m.unsigned(4)),
    "FLOAT": lambda m: m.stack.append(float(m.line())),
    "BINFLOAT": lambda m: m.stack.append(struct.unpack(">d", m.take(8))[0]),
    "STRING": _string,
    "BINSTRING": lambda m: m.raw(m.unsigned(4), str),
    "SHORT_BINSTRING": lambda m: m.raw(m.unsigned(1), str),
    "UNICODE": lambda m: m.stack.append(m.line().decode("raw-unicode-escape")),
    "SHORT_BINUNICODE": lambda m: _text(m, 1),
    "BINUNICODE": lambda m: _text(m, 4),
    "BINUNICODE8": lambda m: _text(m, 8),
    "SHORT_BINBYTES": lambda m: m.raw(m.unsigned(1), bytes),
    "BINBYTES": lambda m: m.raw(m.unsigned(4), bytes),
    "BINBYTES8": lambda m: m.raw(m.unsigned(8), bytes),
    "BYTEARRAY8": lambda m: m.raw(m.unsigned(8), bytearray),
    "EMPTY_LIST": lambda m: m.stack.append([]),
    "EMPTY_DICT": lambda m: m.stack.append({}),
    "EMPTY_TUPLE": lambda m: m.stack.append(()),
    "EMPTY_SET": lambda m: m.stack.append(set()),
    "LIST": lambda m: m.stack.append([m.plain(item) for item in m.to_mark()]),
    "TUPLE": lambda m: m.tuple_(None),
    "TUPLE1": lambda m: m.tuple_(1),
    "TUPLE2": lambda m: m.tuple_(2),
    "TUPLE3": lambda m: m.tuple_(3),
    "DICT": _dict,
    "FROZENSET": lambda m: m.stack.append(frozenset([hashable(item) for item in m.to_mark()])),
    "APPEND": lambda m: m.extend(_popped(m, 1)),
    "APPENDS": lambda m: m.extend(m.to_mark()),
    "SETITEM": lambda m: m.set_items(_popped(m, 2)),
    "SETITEMS": lambda m: m.set_items(m.to_mark()),
    "ADDITEMS": lambda m: m.add(m.to_mark()),
    "PUT": lambda m: m.put(int(m.line())),
    "BINPUT": lambda m: m.put(m.unsigned(1)),
    "LONG_BINPUT": lambda m: m.put(m.unsigned(4)),
    "MEMOIZE": lambda m: m.put(len(m.memo)),
    "GET": lambda m: m.get(int(m.line())),
    "BINGET": lambda m: m.get(m.unsigned(1)),
    "LONG_BINGET": lambda m: m.get(m.unsigned(4)),
    "GLOBAL": _find_lines,
    "STACK_GLOBAL": _find_stack,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
}
_HANDLERS: list[Callable[[_Machine], object] | None] = [None] * 256
for _name, _handler in _BY_NAME.items():
    _HANDLERS[getattr(pickle, _name)[0]] = _handler
