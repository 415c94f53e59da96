"""What the video data sets share: a table of clips, where their videos lie, and their proposals."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from interplay.data.errors import DataError
from interplay.data.proposals import Proposals
from interplay.data.sources import files_fingerprint
from interplay.data.video_files import SUFFIXES, open_video
from interplay.data.videos import IntArray, VideoClip, VideoDataset

PARTS = ("train", "validation", "test")


class ProposalsByClip(Protocol):
    """Proposals by the id of a clip: a :class:`interplay.data.proposals.ProposalStore` or another file's."""

    @property
    def kind(self) -> str: ...

    def proposals(self, id: str, height: int, width: int) -> Proposals | None:
        """Of one clip, whose frames have this size; None where it has none; DataError where they are broken."""

    def has(self, id: str) -> bool:
        """Whether there are boxes of a clip, broken ones included; reads none."""

    @property
    def files(self) -> Sequence[Path]:
        """What a fingerprint depends on."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One clip of a table.

    Args:
        id: unique in the data set.
        label: class index, −1 unknown.
        part: "train", "validation", "test" or another; empty: none.
        file: where its video must lie: a file, or a folder of frames; relative to the folders of videos, with or
            without suffix.
        group: what must not be split.
        meta: goes to the clip.
        error: why the clip cannot be used, raised when it is read.
    """

    id: str
    label: int = -1
    part: str = ""
    file: str = ""
    group: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    error: DataError | None = None


class VideoTable:
    """A data set whose list of clips fits in memory; subclasses make the entries and call :meth:`_finish`."""

    name: str
    classes: tuple[str, ...]
    unflippable: frozenset[int] = frozenset()
    frames_per_second: float | None = None

    def _finish(
        self,
        entries: Sequence[Entry],
        folders: Sequence[Path],
        files: Sequence[Path],
        settings: tuple[object, ...],
        proposals: ProposalsByClip | None = None,
        grouped: bool = False,
    ) -> None:
        """
        Args:
            entries: at least one.
            folders: where videos are looked for, in this order.
            files: lists and labels, on which the fingerprint depends.
            settings: what else it depends on; anything with a stable repr.
            proposals: of the clips.
            grouped: whether ``groups`` mean something.

        Raises:
            DataError: no entry, or an id twice.
        """
        where = files[0] if files else folders[0]
        if not entries:
            raise DataError(where, "", "no clips", "at least one")
        seen: set[str] = set()
        for entry in entries:
            if entry.id in seen:
                raise DataError(where, f"clip {entry.id[:80]!r}", "its id twice", "each id once")
            seen.add(entry.id)
        self._entries, self._folders = tuple(entries), tuple(folders)
        self._files, self._settings, self._proposals = tuple(files), settings, proposals
        self.groups = tuple(entry.group for entry in entries) if grouped else None
        self.proposals_kind = "none" if proposals is None else proposals.kind

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def ids(self) -> Sequence[str]:
        return [entry.id for entry in self._entries]

    @cached_property
    def labels(self) -> IntArray:
        return np.array([entry.label for entry in self._entries], np.int64)

    def part(self, name: str) -> IntArray:
        """Indices of the entries of a part."""
        return np.array([index for index, entry in enumerate(self._entries) if entry.part == name], np.int64)

    def parts(self) -> Mapping[str, IntArray]:
        return {part: self.part(part) for part in PARTS}

    def video(self, index: int, listed: FolderNames | None = None) -> Path:
        """The file or folder of a clip. DataError where there is none."""
        entry = self._entries[index]
        if entry.error is not None:
            raise entry.error.with_traceback(None)  # it may be raised often
        found = find_video(self._folders, entry.file or entry.id, listed)
        if found is None:
            places = " or ".join(str(folder) for folder in self._folders)
            raise DataError(places, f"clip {entry.id}", "no video", f"{entry.file or entry.id} as a file or folder")
        return found

    def read(self, index: int) -> VideoClip:
        entry = self._entries[index]
        source = open_video(self.video(index), self.frames_per_second)
        proposals = None
        if self._proposals is not None:
            proposals = self._proposals.proposals(entry.id, source.height, source.width)
        return VideoClip(entry.id, source, entry.label, proposals, entry.meta)

    def missing(self) -> list[tuple[int, DataError]]:
        """Clips that cannot be used because their entry is wrong or their video is not there; opens none."""
        found, listed = [], FolderNames()
        for index in range(len(self)):
            try:
                self.video(index, listed)
            except DataError as error:
                found.append((index, error))
        return found

    def box_kind(self, index: int) -> str:
        """Where a clip's boxes come from, "none" where it has none; opens no video."""
        there = self._proposals is not None and self._proposals.has(self._entries[index].id)
        return self.proposals_kind if there else "none"

    def stamp(self, index: int, listed: FolderNames | None = None) -> str:
        """Name, size and time of a clip's video, "" where there is none: another text, another video.

        A folder of frames counts by its time, which a picture that is added, removed or exchanged changes, but one
        that is written over in its place does not.
        """
        try:
            path = self.video(index, listed)
            status = path.stat()
        except (DataError, OSError):
            return ""
        return f"{path.name} {0 if stat.S_ISDIR(status.st_mode) else status.st_size} {status.st_mtime_ns}"

    def videos_fingerprint(self) -> str:
        """A key of clips, boxes and the videos themselves, whatever the split: it changes when a missing video is put
        there, or another in its place. One look at each video's entry in its folder, none is opened."""
        listed = FolderNames()
        stamps = [self.stamp(index, listed) for index in range(len(self))]
        boxes = files_fingerprint("boxes", self._proposals.files if self._proposals is not None else (), ())
        key = repr((self.ids, stamps, boxes, self._settings))
        return f"{self.name} videos 1 {hashlib.sha256(key.encode()).hexdigest()}"

    def fingerprint(self) -> str:
        files = [*self._files, *(self._proposals.files if self._proposals is not None else ())]
        return files_fingerprint(f"{self.name} 1", files, self._settings)


def missing_videos(dataset: VideoDataset) -> list[tuple[int, DataError]]:
    """Clips that cannot be used, with the reason, as far as that is known without opening a video."""
    return dataset.missing() if isinstance(dataset, VideoTable) else []


def videos_fingerprint(dataset: VideoDataset) -> str:
    """A key that changes with the videos, too, where they are files."""
    return dataset.videos_fingerprint() if isinstance(dataset, VideoTable) else dataset.fingerprint()


def video_stamps(dataset: VideoDataset) -> Callable[[int], str]:
    """Row → :meth:`VideoTable.stamp`, "" for videos that are not files. Folders are listed once."""
    listed = FolderNames()
    return (lambda row: dataset.stamp(row, listed)) if isinstance(dataset, VideoTable) else (lambda row: "")


def box_kinds(dataset: VideoDataset, rows: Iterable[int]) -> Counter[str]:
    """How many of these clips have boxes of which kind ("none": have none of their own); opens no video."""
    if isinstance(dataset, VideoTable):
        return Counter(dataset.box_kind(int(row)) for row in rows)
    return Counter({dataset.proposals_kind: sum(1 for _ in rows)})


class FolderNames:
    """What lies in folders, each listed once: asking for every suffix of every clip is slow in large data sets."""

    def __init__(self) -> None:
        self._names: dict[Path, frozenset[str]] = {}

    def of(self, folder: Path) -> frozenset[str]:
        """Names in a folder; none where it cannot be listed."""
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(folder))
            except OSError:
                self._names[folder] = frozenset()
        return self._names[folder]


def find_video(folders: Sequence[Path], name: str, listed: FolderNames | None = None) -> Path | None:
    """A file of that name, or with a suffix of videos, or a folder of frames; None where there is none."""
    for folder in folders:
        exact = folder / name
        names = None if listed is None else listed.of(exact.parent)
        for suffix in ("", *SUFFIXES):
            if names is not None and exact.name + suffix not in names:
                continue
            path = folder / f"{name}{suffix}"
            if path.is_file() or (not suffix and path.exists()):
                return path
    return None
