"""Preparing a data set once: read every clip, keep the coordinates in one memory-mapped file.

Reading uses all cores and a bounded number of clips at a time. Work is written in order, with a journal beside it:
interrupted at any moment, the next call continues behind the last clip that is whole on disk, and ends with the same
bytes. See :mod:`interplay.data.clip_cache` for what is written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import zlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock

from interplay.data.clip_cache import DTYPES, FORMAT, INDEX, ClipCache, ClipTable, positions, read_index, write_index
from interplay.data.clips import SkeletonClip
from interplay.data.datasets import SkeletonDataset
from interplay.data.errors import DataError
from interplay.errors import InterplayError

__all__ = ["ClipCache", "default_folder", "in_memory", "prepare", "user_cache"]

CHUNK = 16
"""Clips read by a worker at a time; twice as many chunks as workers wait in memory."""
_FEW = 256
"""So few clips are read faster than worker processes start."""


def user_cache() -> Path:
    """``$INTERPLAY_CACHE``, or the user's cache folder."""
    given = os.environ.get("INTERPLAY_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "interplay"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "interplay"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interplay"


def default_folder(dataset: SkeletonDataset) -> Path:
    """Where the cache of a data set goes unless told otherwise: :func:`user_cache`, then the data set's name and a
    digest of its fingerprint."""
    return user_cache() / f"{dataset.name}-{hashlib.sha256(dataset.fingerprint().encode()).hexdigest()[:16]}"


def _key(dataset: SkeletonDataset, dtype: str) -> str:
    return hashlib.sha256(f"{FORMAT} {dtype} {dataset.fingerprint()}".encode()).hexdigest()[:16]


def _row(clip: SkeletonClip, name: str, joint_count: int) -> dict[str, Any]:
    """Everything but the coordinates. Raises DataError for a clip that the cache cannot hold."""
    length, entities, joints, _ = clip.joints.shape
    if length < 1 or entities < 1 or joints != joint_count:
        shape = f"{length} frames of {entities} entities with {joints} joints"
        raise DataError(name, "", shape, f"at least one of each, and {joint_count} joints")
    if not np.isfinite(clip.joints).all():
        raise DataError(name, "", "NaN or infinite coordinates", "finite numbers")
    meta = {str(k): v.item() if isinstance(v, np.generic) else v for k, v in clip.meta.items()}
    rate = clip.frames_per_second
    return {
        "ids": name,
        "labels": -1 if clip.label is None else int(clip.label),
        "lengths": length,
        "entities": entities,
        "rates": None if rate is None else float(rate),
        "layouts": str(clip.layout),
        "meta": meta,
    }


def _read(dataset: SkeletonDataset, name: str, index: int, dtype: str) -> tuple[dict[str, Any], bytes]:
    """One clip as journal row and bytes; a clip that cannot be read as a row with the message."""
    try:
        clip = dataset.read(index)
        row = _row(clip, name, dataset.layout.joint_count)
    except DataError as error:
        return {"ids": name, "error": str(error)}, b""
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(clip.joints, DTYPES[dtype])
    if not np.isfinite(stored).all():
        raise InterplayError(
            f"{dataset.name}: clip {name} has a coordinate of {np.abs(clip.joints).max():g}, which float16 cannot hold "
            "(up to 65504): prepare with dtype float32, or in a larger unit"
        )
    content = stored.tobytes()
    row["checksums"] = zlib.crc32(content)
    return row, content


_worker_dataset: tuple[SkeletonDataset, list[str]] | None = None
"""In a worker: what it reads, and the ids (once, in case the data set makes them up whenever asked)."""


def _start_worker(dataset: SkeletonDataset) -> None:
    global _worker_dataset
    _worker_dataset = dataset, [str(name) for name in dataset.ids]
    # Ctrl-C reaches the whole group; the parent decides what it means. A parent that is killed takes the workers along.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            multiprocessing.connection.wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _read_chunk(indices: range, dtype: str) -> list[tuple[dict[str, Any], bytes]]:
    assert _worker_dataset is not None
    dataset, ids = _worker_dataset
    return [_read(dataset, ids[index], index, dtype) for index in indices]


def _read_all(
    dataset: SkeletonDataset, indices: range, dtype: str, workers: int
) -> Generator[list[tuple[dict[str, Any], bytes]]]:
    """Chunks of clips in order."""
    chunks = [indices[start : start + CHUNK] for start in range(0, len(indices), CHUNK)]
    if workers <= 1:
        ids = [str(name) for name in dataset.ids]
        for chunk in chunks:
            yield [_read(dataset, ids[index], index, dtype) for index in chunk]
        return
    # Spawned, not forked: the caller may hold threads (torch) that do not survive a fork.
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(dataset,)
    )
    waiting: deque[Future[list[tuple[dict[str, Any], bytes]]]] = deque()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(_read_chunk, chunk, dtype))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise InterplayError(
            f"{dataset.name}: a worker process ended while preparing (out of memory, or started from a script without "
            "`if __name__ == '__main__':`); run again to continue, or with workers=1"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Journal:
    """The half-written cache: data file and one JSON line per clip, both cut back to what is whole."""

    def __init__(self, folder: Path, key: str, joint_count: int, dtype: str) -> None:
        self.data_path, self.journal_path = folder / f"clips-{key}.partial", folder / f"clips-{key}.journal"
        finished = folder / f"clips-{key}.bin"
        if not self.data_path.exists() and self.journal_path.exists() and finished.exists():
            os.replace(finished, self.data_path)  # stopped between the data and its index
        self.rows: list[dict[str, Any]] = []
        self._clip_bytes = joint_count * 3 * DTYPES[dtype].itemsize
        data_end, journal_end = self._whole()
        self._data: IO[bytes] = self.data_path.open("r+b" if self.data_path.exists() else "w+b")
        self._journal: IO[bytes] = self.journal_path.open("r+b" if self.journal_path.exists() else "w+b")
        for stream, end in ((self._data, data_end), (self._journal, journal_end)):
            stream.truncate(end)
            stream.seek(end)
        self.bytes = data_end

    def _whole(self) -> tuple[int, int]:
        """Ends of data and journal behind the last clip that both hold completely."""
        data_end = journal_end = 0
        if not (self.data_path.is_file() and self.journal_path.is_file()):
            return 0, 0
        with self.data_path.open("rb") as data, self.journal_path.open("rb") as journal:
            for line in journal:
                try:
                    row = json.loads(line)
                    if not line.endswith(b"\n") or not isinstance(row, dict):
                        break
                    if "error" not in row:
                        size = row["lengths"] * row["entities"] * self._clip_bytes
                        content = data.read(size)
                        if len(content) != size or zlib.crc32(content) != row["checksums"]:
                            break
                        data_end += size
                except (ValueError, KeyError, TypeError, OverflowError):
                    break
                self.rows.append(row)
                journal_end += len(line)
        return data_end, journal_end

    def write(self, results: Iterable[tuple[dict[str, Any], bytes]]) -> None:
        rows = []
        for row, content in results:
            self._data.write(content)
            self.bytes += len(content)
            rows.append(row)
        self._data.flush()  # before the journal claims it
        for row in rows:
            self._journal.write(json.dumps(row, sort_keys=True, allow_nan=False).encode() + b"\n")
        self._journal.flush()
        self.rows += rows

    def close(self, whole: bool) -> None:
        if whole:
            self._data.flush()
            os.fsync(self._data.fileno())
        for stream in (self._data, self._journal):
            with contextlib.suppress(OSError):  # a full disk has been reported by then
                stream.close()


def _progress(enabled: bool, name: str, total: int, done: int) -> Any:
    """A context with ``advance(count)``: a bar with ETA on a terminal, nothing elsewhere."""

    @contextlib.contextmanager
    def silent() -> Iterator[Any]:
        yield lambda count: None

    @contextlib.contextmanager
    def bar() -> Iterator[Any]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = (TextColumn("preparing {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(name, total=total, completed=done)
            yield lambda count: progress.advance(task, count)

    return bar() if enabled and sys.stderr.isatty() else silent()


def prepare(
    dataset: SkeletonDataset,
    folder: str | Path | None = None,
    dtype: str = "float16",
    workers: int | None = None,
    strict: bool = False,
    progress: bool = True,
) -> ClipCache:
    """Read a data set into a cache, or open the one that is there.

    Args:
        dataset: what to read.
        folder: where to; :func:`default_folder` if None. A cache of the same data and dtype is opened as it is, one of
            other data is replaced once the new one is whole.
        dtype: "float16" (relative error ≤ 2⁻¹¹, see :class:`ClipCache`) or "float32".
        workers: processes; None for one per available core.
        strict: one unreadable clip ends the preparation instead of being listed in ``skipped``.
        progress: show a bar when standard error is a terminal.

    Raises:
        DataError: a clip that cannot be read under ``strict``, or no clip that can.
        InterplayError: a disk that is full or read-only; coordinates beyond float16.
        ValueError: unknown dtype, workers below one.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r}: expected one of {', '.join(DTYPES)}")
    if workers is not None and workers < 1:
        raise ValueError(f"workers {workers}: expected at least 1")
    target = default_folder(dataset) if folder is None else Path(folder)
    key = _key(dataset, dtype)
    part_ids = _part_ids(dataset)
    found = _finished(target, key, strict)
    if found is None:
        try:
            target.mkdir(parents=True, exist_ok=True)
            with FileLock(target / ".lock"):  # of several processes one prepares, the others wait and open
                found = _finished(target, key, strict)
                if found is None:
                    _prepare(dataset, target, key, dtype, workers, strict, progress, part_ids)
                    found = ClipCache.open(target)
        except OSError as error:
            place = error.filename if isinstance(error.filename, str) else target
            reason = error.strerror or str(error)
            raise InterplayError(f"{place}: cannot write the cache ({reason}); expected a writable folder") from error
    return found.with_parts(positions(part_ids, found.ids))


def _part_ids(dataset: SkeletonDataset) -> dict[str, list[str]]:
    ids = dataset.ids
    return {part: [str(ids[int(index)]) for index in chosen] for part, chosen in dataset.parts().items()}


def _finished(folder: Path, key: str, strict: bool) -> ClipCache | None:
    try:
        if read_index(folder).get("key") != key:
            return None
        cache = ClipCache.open(folder)
    except DataError:
        return None  # damaged or absent: prepare it (again)
    if strict and cache.skipped:
        name, message = cache.skipped[0]
        raise _unreadable(folder, name, message)
    return cache


def _unreadable(folder: Path, name: str, message: str) -> DataError:
    return DataError(folder, f"clip {name}", f"an unreadable clip ({message})", "readable clips only (strict)")


def _prepare(
    dataset: SkeletonDataset,
    folder: Path,
    key: str,
    dtype: str,
    workers: int | None,
    strict: bool,
    progress: bool,
    part_ids: Mapping[str, list[str]],
) -> None:
    total = len(dataset)
    journal = _Journal(folder, key, dataset.layout.joint_count, dtype)
    whole = False
    try:
        done = len(journal.rows)
        remaining = range(done, total)
        if workers is None:
            workers = 1 if len(remaining) < _FEW else _cores()
        with _progress(progress, dataset.name, total, done) as advance:
            _refuse_bad(folder, journal.rows, strict)
            with contextlib.closing(_read_all(dataset, remaining, dtype, workers)) as chunks:
                for results in chunks:
                    journal.write(results)
                    _refuse_bad(folder, [row for row, _ in results], strict)
                    advance(len(results))
        whole = True
    finally:
        journal.close(whole)
    table, skipped = ClipTable(), []
    for row in journal.rows:
        if "error" in row:
            skipped.append((row["ids"], row["error"]))
        else:
            table.append(row)
    if not len(table):
        first = f"; the first: {skipped[0][1]}" if skipped else ""
        raise DataError(folder, "", f"{len(skipped)} unreadable clips{first}", "at least one readable clip")
    data_file = f"clips-{key}.bin"
    os.replace(journal.data_path, folder / data_file)
    content = write_index(
        folder,
        data_file,
        journal.bytes,
        dtype,
        {
            "key": key,
            "name": dataset.name,
            "layout": dataset.layout.to_dict(),
            "frames_per_second": dataset.frames_per_second,
            "classes": list(dataset.classes),
            "entity_names": list(dataset.entity_names),
            "fingerprint": dataset.fingerprint(),
            "parts": {part: chosen.tolist() for part, chosen in positions(part_ids, table.ids).items()},
            "skipped": skipped,
            "clips": {name: getattr(table, name) for name in ClipTable.__dataclass_fields__},
        },
    )
    temporary = folder / f"{INDEX}.partial"
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, folder / INDEX)
    # Only now is anything else in the folder superseded: other journals, the data of an older cache.
    for path in folder.glob("clips-*"):
        if path.name != data_file:
            path.unlink(missing_ok=True)


def _refuse_bad(folder: Path, rows: Iterable[Mapping[str, Any]], strict: bool) -> None:
    for row in rows:
        if strict and "error" in row:
            raise _unreadable(folder, row["ids"], row["error"])


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_memory(dataset: SkeletonDataset, strict: bool = False) -> ClipCache:
    """The interface of a cache for a small data set, without a disk: float32, read at once.

    Raises:
        DataError: as :func:`prepare`.
    """
    table, skipped, pieces = ClipTable(), [], []
    for index, name in enumerate(map(str, dataset.ids)):
        row, content = _read(dataset, name, index, "float32")
        if "error" in row:
            skipped.append((row["ids"], row["error"]))
            if strict:
                raise _unreadable(Path(dataset.name), row["ids"], row["error"])
            continue
        table.append(row)
        pieces.append(content)
    if not pieces:
        first = f"; the first: {skipped[0][1]}" if skipped else ""
        raise DataError(dataset.name, "", f"{len(skipped)} unreadable clips{first}", "at least one readable clip")
    return ClipCache(
        np.frombuffer(b"".join(pieces), DTYPES["float32"]),
        table,
        name=dataset.name,
        layout=dataset.layout,
        frames_per_second=dataset.frames_per_second,
        classes=dataset.classes,
        entity_names=dataset.entity_names,
        fingerprint=dataset.fingerprint(),
        parts=positions(_part_ids(dataset), table.ids),
        skipped=skipped,
    )
