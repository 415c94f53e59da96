"""How long the command line takes to answer."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.row import Row


def rows(repeats: int = 5) -> Iterator[Row]:
    """Wall time of ``interplay --help`` in a fresh process, files cached."""
    command = [sys.executable, "-m", "interplay", "--help"]
    subprocess.run(command, capture_output=True, check=True)
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        found.append(time.perf_counter() - start)
    yield Row("start-up", "interplay --help", statistics.median(found), "s")
