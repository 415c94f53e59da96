"""Raising the allocator's thresholds: does what it says where there is glibc, nothing elsewhere."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from interplay.training import allocation

MEASURE = """
import resource, torch
from interplay.training.allocation import keep_freed_memory
torch.set_num_threads(1)
kept = keep_freed_memory() if {raise_} else None
x = torch.zeros(12_000_000)
for _ in range(3):
    x + 1
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    x + 1
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(raise_: bool) -> int:
    made = subprocess.run(
        [sys.executable, "-c", MEASURE.format(raise_=raise_)], capture_output=True, text=True, check=True
    )
    return int(made.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="thresholds are glibc's")
def test_freed_memory_is_used_again() -> None:
    """Ten results of 48 MB: mapped afresh they cost page faults every time, kept they cost few."""
    assert allocation.keep_freed_memory()
    # The kernel may take pages back at any moment, so the best of a few tries counts.
    afresh = faults(False)
    assert any(faults(True) < afresh / 2 for _ in range(3))


def test_no_op_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert not allocation.keep_freed_memory()
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("musl", "1.2"))
    assert not allocation.keep_freed_memory()


def test_a_library_without_mallopt(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare:
        def __init__(self, name: None) -> None:
            pass

    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(allocation.ctypes, "CDLL", Bare)
    assert not allocation.keep_freed_memory()
