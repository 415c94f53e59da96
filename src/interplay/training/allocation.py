"""Keep freed memory for the next tensor instead of giving it back to the kernel.

glibc maps every block above 128 KiB afresh and unmaps it when it is freed; a network that makes and drops megabytes
in every layer then spends much of its time in page faults. Raising the two thresholds at run time, as the environment
variables ``MALLOC_MMAP_THRESHOLD_`` and ``MALLOC_TRIM_THRESHOLD_`` do before a start, keeps the blocks in the heap.
"""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
OLD_MAXIMUM = 32 * 1024 * 1024
"""What older versions of glibc accept at most for the first threshold."""


def keep_freed_memory() -> bool:
    """Raise glibc's thresholds for this process; True if that was possible.

    A no-op (False) on other systems and with other C libraries. Memory that was freed then stays with the process, up
    to its peak.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    kept = mallopt(M_TRIM_THRESHOLD, -1) == 1  # -1: never give the top of the heap back
    mallopt(M_ARENA_MAX, 1)  # heaps of other threads are limited to 64 MiB and given back when they are empty
    mapped = any(mallopt(M_MMAP_THRESHOLD, limit) == 1 for limit in (2**31 - 1, OLD_MAXIMUM))
    return kept and mapped
