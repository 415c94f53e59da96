"""Ways in which files go wrong, for the readers' fuzz tests: the outcome is a sample or a DataError, nothing else."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from interplay.data.errors import DataError

FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

INSERTS = (
    b"",
    b"nan",
    b"inf",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"\xff\xfe",
    b"\x00",
    b",",
    b"\n",
    b'"',
    b"[",
    b"}",
)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The content, truncated, with lines moved, bytes flipped, or something else in the place of some of it."""
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(("truncate", "replace", "flip", "lines", "encode")))
        at = draw(st.integers(0, max(0, len(content) - 1)))
        if kind == "truncate":
            content = content[:at]
        elif kind == "replace":
            length = draw(st.integers(0, 12))
            content = content[:at] + draw(st.sampled_from(INSERTS)) + content[at + length :]
        elif kind == "flip" and content:
            content = content[:at] + bytes([content[at] ^ draw(st.integers(1, 255))]) + content[at + 1 :]
        elif kind == "lines":
            lines = content.splitlines(keepends=True)
            if lines:
                first, second = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
                lines[first], lines[second] = lines[second], lines[second] if draw(st.booleans()) else lines[first]
                content = b"".join(lines)
        elif kind == "encode":
            content = content.decode("latin-1").encode(draw(st.sampled_from(("utf-16", "utf-8-sig"))))
    return content


def reads_or_says_why(reader: Callable[[Path], Any], path: Path, content: bytes) -> Any:
    """What the reader returns, or None where it raised a DataError."""
    path.write_bytes(content)
    try:
        return reader(path)
    except DataError:
        return None


@contextmanager
def memory_below(megabytes: float) -> Iterator[None]:
    """What Python and NumPy allocate inside must stay below this at every moment."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * 2**20, f"{peak / 2**20:.1f} MB"
