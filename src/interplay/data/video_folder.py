"""Videos in a folder per class, split by the recording they were cut from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from interplay.data.errors import DataError
from interplay.data.frame_folders import SUFFIXES as PICTURES
from interplay.data.grouped_folds import grouped_folds
from interplay.data.proposal_json import proposal_files
from interplay.data.something_labels import direction_classes, text_lines
from interplay.data.video_files import SUFFIXES
from interplay.data.video_table import Entry, VideoTable
from interplay.data.videos import IntArray

SOURCES = "sources.txt"
MAX_RANGE = 100_000
_RANGE = re.compile(r"([^\s:/\\]*?)([0-9]{1,9})\s+-\s+([^\s:/\\]*?)([0-9]{1,9})\s*:\s*(.*\S)")
_CLIP_OF_SOURCE = re.compile(r"([^\s:/\\]+)\s*:(?!//)")


class VideoFolder(VideoTable):
    """A folder per class, in it video files or folders of frames: ``root/fight/fi001.mp4``.

    Args:
        root: the folder of the class folders.
        sources: which clips come from the same recording (see :func:`read_sources`); None: ``sources.txt`` in the
            root where it is there, otherwise every clip is a group of its own.
        folds: number of folds; each group is in one. 1: every clip is in the test part, for scoring a trained model.
        fold: the one that is tested on, from 0.
        validation: the fold after it is for validation, not for training.
        classes: names of the class folders in the order of their index, for a model that was trained elsewhere; a
            folder may be missing or empty. None: those that are there, sorted.
        unflippable: classes whose clips must not be mirrored; None: those whose names say left or right.
        proposals: a store of proposals, or the authors' JSON; clip ids are ``class/name``.

    Files that are neither videos nor folders are ignored. The split depends on nothing but names, classes and groups.

    Raises:
        DataError: no such folder, no clip, a broken list of sources, or fewer groups than folds.
    """

    name = "video_folder"

    def __init__(
        self,
        root: str | Path,
        sources: str | Path | None = None,
        folds: int = 5,
        fold: int = 0,
        validation: bool = False,
        classes: Sequence[str] | None = None,
        unflippable: Sequence[str] | None = None,
        proposals: str | Path | None = None,
    ) -> None:
        if folds < 1 or not 0 <= fold < folds:
            raise ValueError(f"folds, fold: found {folds} and {fold}, expected fold from 0 to folds − 1")
        if validation and folds < 3:
            raise ValueError(f"validation: found {folds} folds, expected at least 3")
        self.root, self.folds, self.fold, self.validation = Path(root), folds, fold, validation
        there = _class_folders(self.root)
        self.classes = tuple(classes) if classes is not None else tuple(there)
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes: found a name twice, expected each once")
        self.other_folders = tuple(name for name in there if name not in self.classes)
        self.unflippable = _unflippable(self.classes, unflippable)
        found = [(name, path) for name in self.classes if name in there for path in _clips(self.root / name)]
        file = self.root / SOURCES if sources is None else Path(sources)
        groups = read_sources(file) if sources is not None or file.is_file() else {}
        self.without_source = sum(_name(path) not in groups for _, path in found) if groups else 0
        if not found:
            names = ", ".join(there[:10])
            raise DataError(self.root, "", f"no video in its folders ({names})", f"clips of {', '.join(self.classes)}")
        entries = []
        for name, path in found:
            id = f"{name}/{_name(path)}"
            group = groups.get(_name(path), id)
            entries.append(Entry(id, self.classes.index(name), "", str(path.relative_to(self.root)), group))
        by_clip = None if proposals is None else proposal_files(proposals, [entry.id for entry in entries])
        files = [file] if groups else []
        self._finish(_own_ids(entries), [self.root], files, (), by_clip, grouped=True)
        assert self.groups is not None
        distinct = len(set(self.groups))
        if distinct < folds:
            raise DataError(self.root, "", f"{distinct} sources of clips", f"at least as many as folds ({folds})")
        self.fold_of = grouped_folds(self.labels, self.groups, folds)

    def parts(self) -> Mapping[str, IntArray]:
        """``test`` is the fold ``fold``, ``validation`` the one after it where asked for, ``train`` the others."""
        next_fold = (self.fold + 1) % self.folds if self.validation else -1
        return {
            "train": np.flatnonzero((self.fold_of != self.fold) & (self.fold_of != next_fold)).astype(np.int64),
            "validation": np.flatnonzero(self.fold_of == next_fold).astype(np.int64),
            "test": np.flatnonzero(self.fold_of == self.fold).astype(np.int64),
        }

    @property
    def facts(self) -> dict[str, int | str]:
        """For people: groups, folds, and what was left aside."""
        assert self.groups is not None
        sizes = [len(part) for part in (np.flatnonzero(self.fold_of == fold) for fold in range(self.folds))]
        found: dict[str, int | str] = {
            "source videos": len(set(self.groups)),
            "clips of each fold": ", ".join(map(str, sizes)),
        }
        if self.without_source:
            found["clips that sources.txt does not name"] = self.without_source
        if self.other_folders:
            found["folders of other classes, left out"] = ", ".join(self.other_folders)
        return found

    def fingerprint(self) -> str:
        split = (self.groups, self.classes, sorted(self.unflippable), self.folds, self.fold, self.validation)
        key = repr((self.videos_fingerprint(), split))
        return f"{self.name} 2 {hashlib.sha256(key.encode()).hexdigest()}"


class Fights(VideoFolder):
    """Surveillance Camera Fight: 300 clips (1 to 5 s) of 'fight' and 'no_fight', in the layout of `video_folder`.

    Args:
        root: folder with ``fight``, ``no_fight`` and ``sources.txt``, or any other of that layout.
        sources: which clips come from the same recording; None: ``sources.txt`` in the root where it is there.
        folds: number of folds; each source video is in one. 1: every clip is in the test part.
        fold: the one that is tested on, from 0.
        validation: the fold after it is for validation, not for training.
        classes: names of the class folders in the order of their index.
        proposals: a store of proposals, or the authors' JSON; clip ids are ``fight/fi001``.
    """

    name = "fights"

    def __init__(
        self,
        root: str | Path,
        sources: str | Path | None = None,
        folds: int = 5,
        fold: int = 0,
        validation: bool = False,
        classes: Sequence[str] | None = ("fight", "no_fight"),
        proposals: str | Path | None = None,
    ) -> None:
        super().__init__(root, sources, folds, fold, validation, classes, proposals=proposals)


def read_sources(path: Path) -> dict[str, str]:
    """Clip (its file's name without suffix) → the recording it was cut from.

    A line is the name of a recording (an address, a title), or ``clip: anything``, a clip of the last recording above
    it, or ``first - last: recording``, a range of numbered clips::

        https://example.org/watch?v=1
        fi001: 0.13.50 - 0.15.60
        nofi001: 2.34.70 - 2.37.80
        nofi062 - nofi076 : another data set

    A clip that is listed under two recordings ties them: all their clips are one group, so that whichever is right,
    none is split.

    Raises:
        DataError: a clip before any recording, a range that is none, or no text.
    """
    first_of: dict[str, str] = {}
    tied: dict[str, str] = {}

    def root(source: str) -> str:
        while (above := tied.get(source, source)) != source:
            source = above
        return source

    source = ""
    for number, line in text_lines(path, "names of recordings and 'clip: …' lines"):
        if match := _RANGE.fullmatch(line):
            clips, owner = _numbered(path, number, match), match[5]
        elif match := _CLIP_OF_SOURCE.match(line):
            if not source:
                raise DataError(path, f"line {number}", f"{line[:80]!r} of no recording", "a recording above it")
            clips, owner = [match[1]], source
        else:
            source = line
            continue
        for clip in clips:
            name = Path(clip).stem if Path(clip).suffix.lower() in SUFFIXES else clip
            before, now = root(first_of.setdefault(name, owner)), root(owner)
            tied[max(before, now)] = min(before, now)
    return {clip: root(owner) for clip, owner in first_of.items()}


def _numbered(path: Path, number: int, match: re.Match[str]) -> list[str]:
    """``nofi062 - nofi076``: all names between, both included."""
    first, last = int(match[2]), int(match[4])
    if match[1] != match[3] or not first <= last <= first + MAX_RANGE:
        raise DataError(path, f"line {number}", f"{match[0][:80]!r}", "a range such as fi001 - fi009")
    return [f"{match[1]}{value:0{len(match[2])}d}" for value in range(first, last + 1)]


def _class_folders(root: Path) -> list[str]:
    """Names of the folders that may be classes, sorted."""
    try:
        names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise DataError(root, "", error.strerror or type(error).__name__, "a folder of class folders") from None
    if not names:
        raise DataError(root, "", "no folder in it", "a folder of videos for each class")
    return names


def _clips(folder: Path) -> list[Path]:
    """Video files and folders that hold pictures, sorted."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if any(inside.suffix.lower() in PICTURES for inside in path.iterdir()):
                found.append(path)
        elif path.suffix.lower() in SUFFIXES:
            found.append(path)
    return found


def _name(path: Path) -> str:
    """Of a clip: a file's without its suffix; a folder of frames may have a dot in its name."""
    return path.stem if path.is_file() else path.name


def _own_ids(entries: list[Entry]) -> list[Entry]:
    """``a.mp4`` and ``a.avi`` of one class keep their suffixes."""
    times: dict[str, int] = {}
    for entry in entries:
        times[entry.id] = times.get(entry.id, 0) + 1
    return [
        entry
        if times[entry.id] == 1
        else Entry(Path(entry.file).as_posix(), entry.label, entry.part, entry.file, entry.group)
        for entry in entries
    ]


def _unflippable(classes: Sequence[str], names: Sequence[str] | None) -> frozenset[int]:
    """Given by name, or those whose names say left or right."""
    if names is None:
        return direction_classes(classes)
    for name in names:
        if name not in classes:
            raise ValueError(f"unflippable: found {name!r}, expected one of {', '.join(classes)}")
    return frozenset(classes.index(name) for name in names)
