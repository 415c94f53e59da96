"""Trees of raw NTU RGB+D recordings as data sets."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.data.ntu import names
from interplay.data.ntu.bodies import SingleActor, collect_bodies, denoise, translate, two_actors
from interplay.data.ntu.names import Benchmark, RecordingName, is_train, read_name_list
from interplay.data.ntu.raw import read_raw
from interplay.graph.layouts import load_layout

SUFFIX = ".skeleton"
FRAMES_PER_SECOND = 30.0
_READER = 1
"""Raised whenever the same file would give other coordinates, so that caches notice."""


def read_recording(path: str | Path, single_actor: SingleActor = "zeros", label: int | None = None) -> SkeletonClip:
    """One ``.skeleton`` file as a clip of two actors, metres from the first actor's mid-spine in its first frame.

    Body selection and denoising: :mod:`interplay.data.ntu.bodies`. ``meta`` has setup, camera, subject, replication
    and action if the file is named as NTU RGB+D names its files, and ``actors``: how many were found, 1 or 2.

    Raises:
        DataError: not such a file, or nobody in it.
    """
    path = Path(path)
    actors = translate(denoise(collect_bodies(read_raw(path), str(path)), str(path)))
    name = path.name.removesuffix(SUFFIX)
    recording = RecordingName.parse(name)
    meta: dict[str, int | float | str] = {} if recording is None else dict(recording._asdict())
    meta["actors"] = actors.shape[1]
    return SkeletonClip(name, two_actors(actors, single_actor), "ntu25", FRAMES_PER_SECOND, label, meta)


class NTUTree:
    """Any folder (searched to the bottom) of ``.skeleton`` files, or a single one.

    Args:
        root: the folder or file.
        benchmark: which official split :meth:`parts` follows, NTU120's subjects, cameras 2 and 3, or even setups.
            Recordings whose names do not tell are in no part.
        actions: the class list, as action numbers 1 to 120; recordings of others are left out. None: those that occur,
            in ascending order, and also recordings whose names do not tell their action.
        single_actor: what stands in for an absent second actor: "zeros" or a "duplicate" of the first.
        missing_list: a text file with names to leave out.

    Raises:
        DataError: no such folder, no recording in it, one recording twice.
        ValueError: an unknown benchmark, action or ``single_actor``.
    """

    name = "ntu"
    subjects_of = 120
    largest_setup = 999

    def __init__(
        self,
        root: str | Path,
        benchmark: Benchmark = "xsub",
        actions: Sequence[int] | None = None,
        single_actor: SingleActor = "zeros",
        missing_list: str | Path | None = None,
    ) -> None:
        self._open(Path(root), benchmark, actions, single_actor, missing_list, frozenset())

    def _open(
        self,
        root: Path,
        benchmark: str,
        actions: Sequence[int] | None,
        single_actor: str,
        missing_list: str | Path | None,
        missing: frozenset[str],
    ) -> None:
        if single_actor not in ("zeros", "duplicate"):
            raise ValueError(f"single_actor {single_actor!r}: expected zeros or duplicate")
        self.benchmark = names.check_benchmark(benchmark)
        self.single_actor: SingleActor = "zeros" if single_actor == "zeros" else "duplicate"
        self.root = root
        if missing_list is not None:
            missing |= frozenset(read_name_list(missing_list))
        chosen = None if actions is None else names.check_actions(actions)
        self._files: list[Path] = []
        self._recordings: list[RecordingName | None] = []
        seen: dict[str, Path] = {}
        for path in sorted(_files(root), key=lambda path: (path.name, path)):
            name = path.name.removesuffix(SUFFIX)
            recording = RecordingName.parse(name)
            if name in missing or not self._wanted(recording, chosen):
                continue
            if name in seen:
                raise DataError(path, "", "a recording that is also there as " + str(seen[name]), "each recording once")
            seen[name] = path
            self._files.append(path)
            self._recordings.append(recording)
        if not self._files:
            raise DataError(root, "", "no recording of the classes asked for", "S…C…P…R…A….skeleton files")
        if chosen is None:
            chosen = tuple(sorted({recording.action for recording in self._recordings if recording}))
        self.actions = chosen
        self.classes = tuple(names.ACTIONS[action - 1] for action in chosen)
        self.layout = load_layout("ntu25")
        self.frames_per_second: float | None = FRAMES_PER_SECOND
        self.entity_names: tuple[str, ...] = ("person", "person")
        self._labels = {action: label for label, action in enumerate(chosen)}
        self._ids = tuple(path.name.removesuffix(SUFFIX) for path in self._files)
        self._fingerprint: str | None = None

    def _wanted(self, recording: RecordingName | None, actions: tuple[int, ...] | None) -> bool:
        if recording is None:
            return actions is None
        return recording.setup <= self.largest_setup and (actions is None or recording.action in actions)

    def __len__(self) -> int:
        return len(self._files)

    @property
    def ids(self) -> Sequence[str]:
        return self._ids

    def read(self, index: int) -> SkeletonClip:
        """Read one recording; see :func:`read_recording`."""
        recording = self._recordings[index]
        label = None if recording is None else self._labels[recording.action]
        return read_recording(self._files[index], self.single_actor, label)

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        """``train`` and ``test`` of the benchmark."""
        train: list[int] = []
        test: list[int] = []
        for index, recording in enumerate(self._recordings):
            if recording is not None:
                (train if is_train(recording, self.benchmark, self.subjects_of) else test).append(index)
        return {"train": np.array(train, np.int64), "test": np.array(test, np.int64)}

    def fingerprint(self) -> str:
        """Names, sizes and times of the files, the class list and ``single_actor``; not the benchmark, so that all
        splits share one cache."""
        if self._fingerprint is None:
            digest = hashlib.sha256(repr((_READER, self.actions, self.single_actor)).encode())
            for path in self._files:
                try:
                    status = path.stat()
                except OSError as error:
                    raise DataError(path, "", f"an unreadable file ({error.strerror})", "a recording") from None
                digest.update(f"{path.relative_to(self.root)} {status.st_size} {status.st_mtime_ns}\n".encode())
            self._fingerprint = f"ntu {digest.hexdigest()}"
        return self._fingerprint


class NTU60(NTUTree):
    """NTU RGB+D 60 from its raw files.

    Args:
        root: folder of the ``.skeleton`` files (an NTU120 tree will do: setups above 17 are left out).
        benchmark: "xsub" (20 of 40 subjects train) or "xview" (cameras 2 and 3 train).
        actions: class list; None for the 11 interactions A050–A060.
        single_actor: "zeros" (as the public NTU60 script does) or "duplicate".
        missing_list: the official list of recordings without skeletons, needed only for ``actions`` beyond the
            interactions (whose 81 are known).
    """

    name = "ntu60"
    subjects_of = 60
    largest_setup = names.SETUPS_60

    def __init__(
        self,
        root: str | Path,
        benchmark: Literal["xsub", "xview"] = "xsub",
        actions: Sequence[int] | None = None,
        single_actor: SingleActor = "zeros",
        missing_list: str | Path | None = None,
    ) -> None:
        _one_of(benchmark, ("xsub", "xview"), "NTU60")
        chosen = names.INTERACTIONS_60 if actions is None else names.check_actions(actions, 60)
        self._open(Path(root), benchmark, chosen, single_actor, missing_list, names.MISSING_INTERACTIONS)


class NTU120(NTUTree):
    """NTU RGB+D 120 from its raw files.

    Args:
        root: folder of the ``.skeleton`` files of both releases.
        benchmark: "xsub" (53 of 106 subjects train) or "xset" (even setups train).
        actions: class list; None for the 26 interactions A050–A060 and A106–A120.
        single_actor: "duplicate" (as the public NTU120 script does) or "zeros".
        missing_list: the official list of recordings without skeletons, needed only for ``actions`` beyond the
            interactions (whose 96 are known).
    """

    name = "ntu120"
    largest_setup = names.SETUPS_120

    def __init__(
        self,
        root: str | Path,
        benchmark: Literal["xsub", "xset"] = "xsub",
        actions: Sequence[int] | None = None,
        single_actor: SingleActor = "duplicate",
        missing_list: str | Path | None = None,
    ) -> None:
        _one_of(benchmark, ("xsub", "xset"), "NTU120")
        chosen = names.INTERACTIONS_120 if actions is None else names.check_actions(actions)
        self._open(Path(root), benchmark, chosen, single_actor, missing_list, names.MISSING_INTERACTIONS)


def _one_of(benchmark: str, known: Iterable[str], dataset: str) -> None:
    if benchmark not in known:
        raise ValueError(f"benchmark {benchmark!r}: {dataset} has {' and '.join(known)}")


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    if not root.is_dir():
        raise DataError(root, "", "no such folder", "the folder of the .skeleton files")

    def refuse(error: OSError) -> None:
        raise DataError(error.filename or root, "", f"an unreadable folder ({error.strerror})", "readable folders")

    for folder, _, files in os.walk(root, onerror=refuse):
        for file in files:
            if file.endswith(SUFFIX):
                yield Path(folder) / file
