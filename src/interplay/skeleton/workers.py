"""Parts of a batch on several threads, each of which computes on its own.

PyTorch splits every operation over its threads and waits for all of them at the end of each. Where a batch is walked
in chunks anyway, giving each thread chunks of its own needs no waiting: it scales better over cores, and a core that is
busy with something else delays one chunk instead of every operation.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

import torch

Part = TypeVar("Part")
Made = TypeVar("Made")
_lock = threading.Lock()


@cache
def _pool(count: int, process: int) -> ThreadPoolExecutor:
    """``count`` threads that compute with one thread each; made once per process (a fork has none of its parent's)."""
    pool = ThreadPoolExecutor(count, thread_name_prefix="interplay")
    everyone = threading.Barrier(count + 1)

    def start() -> None:
        torch.get_num_threads()  # a thread takes the default when it is first asked; after that it keeps its own
        torch.set_num_threads(1)  # of this thread, but also the default of threads to come …
        everyone.wait()

    for _ in range(count):
        pool.submit(start)
    everyone.wait()
    torch.set_num_threads(count)  # … which is set back here
    return pool


def shares(count: int, of: int) -> list[range]:
    """``count`` things dealt out to ``of`` workers: contiguous, as even as possible, the same every time."""
    bounds = [count * index // of for index in range(of + 1)]
    return [range(first, last) for first, last in pairwise(bounds) if last > first]


def workers(device: torch.device, parts: int) -> int:
    """How many threads to deal ``parts`` chunks out to: PyTorch's number of them on a CPU, 1 elsewhere."""
    if device.type != "cpu" or torch.compiler.is_compiling():
        return 1
    return max(1, min(torch.get_num_threads(), parts))


def side_by_side(work: Callable[[Part], Made], parts: Sequence[Part]) -> list[Made]:
    """``[work(part) for part in parts]``, each part on a thread of its own, without gradients.

    Inference mode and CPU autocast are those of the caller.
    """
    if len(parts) <= 1:
        return [work(part) for part in parts]
    inference = torch.is_inference_mode_enabled()
    autocast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def run(part: Part) -> Made:
        with (
            torch.inference_mode(inference),
            torch.set_grad_enabled(False),
            torch.autocast("cpu", dtype, enabled=autocast),
        ):
            return work(part)

    with _lock:
        pool = _pool(torch.get_num_threads(), os.getpid())
    return list(pool.map(run, parts))
