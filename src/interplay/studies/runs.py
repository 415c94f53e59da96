"""The runs of a study: those not yet finished are trained, some at a time."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from interplay.errors import InterplayError

Recipe = Mapping[str, Any]


def usual_jobs() -> int:
    """Runs at a time: two on a CPU with two cores or more, where a small model does not fill two cores; else one."""
    return 1 if torch.accelerator.is_available() else min(2, os.cpu_count() or 1)


def finish_runs(
    runs: Mapping[Path, Recipe],
    runner: str,
    *,
    jobs: int | None = None,
    quiet: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Train what is not finished; what an earlier call began goes on from its last checkpoint.

    Args:
        runs: run folder → resolved recipe.
        runner: module that offers ``run_resolved``.
        jobs: runs at a time, each in a process of its own with its share of the cores; None for :func:`usual_jobs`.
        quiet: no progress.
        say: where lines go.

    Raises:
        InterplayError: what a run met; the runs beside it are finished first.
    """
    waiting = {place: recipe for place, recipe in runs.items() if not (place / "result.json").is_file()}
    jobs = min(usual_jobs() if jobs is None else jobs, max(len(waiting), 1))
    if jobs < 1:
        raise InterplayError(f"--jobs: found {jobs}, expected 1 or more")
    numbers = {place: number for number, place in enumerate(runs, start=1)}
    if jobs == 1:
        for place, recipe in waiting.items():
            if not quiet:
                say(f"run {numbers[place]} of {len(runs)}: {place.name}")
            import_module(runner).run_resolved(recipe, place, resume=True, quiet=quiet, say=say)
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    if not quiet:
        say(f"{jobs} runs at a time, {threads} {'thread' if threads == 1 else 'threads'} each")
    context = multiprocessing.get_context("spawn")  # a fork of a process that has computed with threads may hang
    with ProcessPoolExecutor(jobs, context, _begin, (threads,)) as pool:
        futures = [pool.submit(_run, runner, dict(recipe), place) for place, recipe in waiting.items()]
        for future, place in zip(futures, waiting, strict=True):
            if not quiet:
                future.add_done_callback(partial(_tell, say, f"run {numbers[place]} of {len(runs)}: {place.name}"))
        done, left = wait(futures, return_when=FIRST_EXCEPTION)
        for future in left:
            future.cancel()
        for future in done:
            future.result()


def _tell(say: Callable[[str], None], line: str, future: Future[None]) -> None:
    if not future.cancelled():
        say(f"{line}: {'finished' if future.exception() is None else 'not finished'}")


def _begin(threads: int) -> None:
    torch.set_num_threads(threads)


def _run(runner: str, recipe: Recipe, place: Path) -> None:
    import_module(runner).run_resolved(recipe, place, resume=True, quiet=True)
