"""What the pickle reader builds results from: plain values, and NumPy arrays checked before they are made."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

ADMITTED = "lists, dicts, strings, numbers and NumPy arrays only"
_DTYPE = re.compile(r"[<>|=]?(?:[biu][1248]|b1|f[248]|c8|c16|[SU][0-9]{1,6}|\?)")


class Refused(Exception):
    """What the file asks for and what would have been admitted."""

    def __init__(self, found: str, expected: str = ADMITTED) -> None:
        self.found, self.expected = found, expected


@dataclass(frozen=True)
class Function:
    """A constructor by name: never the real thing."""

    name: str


FUNCTIONS = {
    **{
        (f"numpy.{core}.multiarray", name): Function(name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    },
    **{(f"numpy.{core}.numeric", "_frombuffer"): Function("_frombuffer") for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "_frombuffer"): Function("_frombuffer") for core in ("core", "_core")},
    ("numpy", "ndarray"): Function("ndarray"),
    ("numpy", "dtype"): Function("dtype"),
    ("_codecs", "encode"): Function("encode"),
    **{
        (module, name): Function(name)
        for module in ("builtins", "__builtin__")
        for name in ("bytes", "bytearray", "set", "frozenset", "complex")
    },
}


class Arguments(tuple[Any, ...]):
    """A tuple that holds something which may only be an argument: a constructor, or bytes not yet copied."""


@dataclass(frozen=True)
class Raw:
    """Bytes left where they are in the file. ``kind`` is what they become if they are not an array's content."""

    view: memoryview
    kind: type[bytes] | type[bytearray] | type[str]


class Unfinished:
    """What a constructor leaves on the stack until its state arrives: an array, or a dtype without its byte order."""

    def __init__(self, dtype: np.dtype[Any] | None = None) -> None:
        self.dtype = dtype
        self.value: np.ndarray[Any, Any] | np.dtype[Any] | None = None


INTERNAL = (Function, Arguments, Raw, Unfinished, object)
MARK = object()
VIEWED = 1024
"""Bytes from which on content is not copied."""


def copied(content: Raw) -> bytes | bytearray | str:
    value = bytes(content.view) if content.kind is not bytearray else bytearray(content.view)
    # Python 2 had one type for text and bytes.
    return value.decode("ascii") if content.kind is str and value.isascii() else value


def hashable(value: Any) -> Hashable:
    """A dict key or set element: text, a number, or a flat tuple of those (hashing a deep one can end the process)."""
    plain = (str, bytes, int, float, complex, bool, type(None), np.generic)
    if isinstance(value, plain) or (type(value) is tuple and all(isinstance(item, plain) for item in value)):
        return value
    raise Refused(f"a {type(value).__name__.strip('_')} as a key")


def plain_dtype(code: str) -> np.dtype[Any]:
    if not _DTYPE.fullmatch(code):
        raise Refused(f"an array of dtype {code[:20]!r}")
    dtype = np.dtype(code)
    if dtype.itemsize == 0:
        raise Refused("an array of empty elements")
    return dtype


def plain_array(content: Any, dtype: np.dtype[Any], shape: tuple[Any, ...], fortran: bool) -> np.ndarray[Any, Any]:
    if isinstance(content, Raw):
        content = content.view
    elif isinstance(content, str):
        content = content.encode("latin1")  # written by Python 2
    if not isinstance(content, bytes | bytearray | memoryview):
        raise Refused(f"an array made of {type(content).__name__}")
    if len(shape) > 32 or not all(type(size) is int and 0 <= size < 2**48 for size in shape):
        raise ValueError("an impossible shape")
    size = math.prod(shape) * dtype.itemsize
    if size != len(content):
        raise ValueError(f"{len(content)} bytes for an array of {size}")
    array = np.frombuffer(content, dtype) if size else np.zeros(0, dtype)
    array = array.reshape(shape, order="F" if fortran else "C")
    array.flags.writeable = False
    return array
