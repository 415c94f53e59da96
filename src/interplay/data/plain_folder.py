"""A folder of one's own recordings in the plain format, as a data set."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.datasets import SkeletonDataset
from interplay.data.errors import DataError
from interplay.data.identities import exactly_two
from interplay.data.plain import SUFFIXES, read_plain, write_plain
from interplay.data.tables import read_table
from interplay.errors import InterplayError
from interplay.graph.layouts import SkeletonLayout, load_layout

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    file: Path
    label: str | None
    part: str | None


class PlainFolder:
    """Recordings in the plain format, labelled by folder or by a table.

    Args:
        root: one of
            ``root/train/<class>/*``, ``root/test/<class>/*`` (and ``root/validation/<class>/*``);
            ``root/<class>/*``, split by seed;
            ``root/labels.csv`` with the columns id, label and optionally part, where id is a file's path below root
            with or without its suffix; split by seed where there is no part;
            ``root/*`` without labels (a label inside an ``.npz`` or ``.json`` counts): every clip in every part.
        layout: of every file; None takes the one that the first readable file names.
        frames_per_second: of every file; None takes the one that the first readable file names.
        split: ``auto`` tries the four in the order labels.csv, train/test folders, class folders, no labels;
            ``folders`` / ``labels`` / ``random`` insist on one (``random`` ignores train and test parts of the table).
        test_fraction: share of each class that a split by seed puts into ``test`` (at least one clip of a class that
            has two).
        seed: of that split.

    Every clip has two entities: a recording of one is completed by zeros, of more than two the two of
    :func:`interplay.data.identities.choose_two` are taken. Ids are paths below root without suffix.

    Raises:
        DataError: no recordings, or a table that does not fit the folder.
    """

    name = "plain"

    def __init__(
        self,
        root: str | Path,
        layout: str | Path | None = None,
        frames_per_second: float | None = None,
        split: Literal["auto", "folders", "labels", "random"] = "auto",
        test_fraction: float = 0.2,
        seed: int = 0,
    ) -> None:
        if split not in ("auto", "folders", "labels", "random"):
            raise ValueError(f"split must be auto, folders, labels or random, got {split!r}")
        if not 0 < test_fraction < 1:
            raise ValueError(f"test_fraction must lie between 0 and 1, got {test_fraction}")
        self.root, self.split, self.test_fraction, self.seed = Path(root), split, test_fraction, seed
        if not self.root.is_dir():
            raise DataError(root, "", "no such folder", "a folder of recordings")
        self._entries = self._find()
        if not self._entries:
            raise DataError(root, "", "no recordings", f"{', '.join(SUFFIXES)} files")
        self._layout_given = layout
        first = self._first(layout, frames_per_second)
        self.layout: SkeletonLayout = load_layout(layout if layout is not None else first.layout)
        self.frames_per_second: float | None = first.frames_per_second
        self._rate_given = frames_per_second
        self.entity_names = (self.layout.entity, self.layout.entity)
        names = {entry.label for entry in self._entries if entry.label is not None}
        self.classes: tuple[str, ...] = tuple(sorted(names, key=lambda name: (not name.isdecimal(), len(name), name)))
        if not all(name.isdecimal() for name in names):
            self.classes = tuple(sorted(names))

    def _first(self, layout: str | Path | None, rate: float | None) -> SkeletonClip:
        problem: DataError | None = None
        for entry in self._entries:
            try:
                return read_plain(entry.file, layout, rate)
            except DataError as error:
                problem = problem or error
        assert problem is not None
        raise problem

    def _recordings(self, folder: Path) -> list[Path]:
        table = self.root / "labels.csv"
        found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        return sorted(path for path in found if path != table)

    def _id(self, path: Path) -> str:
        return path.relative_to(self.root).with_suffix("").as_posix()

    def _find(self) -> list[_Entry]:
        table = self.root / "labels.csv"
        parts = [part for part in PARTS if (self.root / part).is_dir()]
        if self.split == "labels" or (self.split in ("auto", "random") and table.is_file()):
            entries = self._by_table(table)
        elif self.split == "folders" or (self.split == "auto" and "train" in parts and "test" in parts):
            if not parts:
                raise DataError(
                    self.root, "", "neither train/ nor test/", "root/train/<class>/… and root/test/<class>/…"
                )
            entries = [
                _Entry(self._id(path), path, path.relative_to(self.root / part).parts[0], part)
                for part in parts
                for path in self._recordings(self.root / part)
                if path.parent != self.root / part
            ]
        else:
            entries = [
                _Entry(self._id(path), path, None if path.parent == self.root else _first_folder(path, self.root), None)
                for path in self._recordings(self.root)
            ]
        seen: dict[str, Path] = {}
        for entry in entries:
            if entry.id in seen:
                raise DataError(entry.file, "", f"the same name as {seen[entry.id].name}", "each name once")
            seen[entry.id] = entry.file
        return entries

    def _by_table(self, table: Path) -> list[_Entry]:
        files = {self._id(path): path for path in self._recordings(self.root)}
        entries: dict[str, _Entry] = {}
        for row in read_table(table, ("id", "label")):
            name = row.text("id")
            identity = name if name in files else name.rsplit(".", 1)[0]
            if identity not in files:
                raise row.error(f"the id {name[:80]!r}", "a recording below this folder")
            if identity in entries:
                raise row.error(f"the id {name[:80]!r} again", "each recording once")
            part = row.text("part") if row.has("part") and self.split != "random" else None
            if part is not None and part not in PARTS:
                raise row.error(f"part {part[:40]!r}", "train, validation or test")
            entries[identity] = _Entry(identity, files[identity], row.text("label") or None, part)
        return list(entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def ids(self) -> Sequence[str]:
        return [entry.id for entry in self._entries]

    def read(self, index: int) -> SkeletonClip:
        entry = self._entries[index]
        clip = read_plain(entry.file, self._layout_given, self._rate_given)
        if load_layout(clip.layout) != self.layout:
            raise DataError(entry.file, "layout", clip.layout, f"{self.layout.name}, as the other recordings")
        rate = self.frames_per_second
        if rate and clip.frames_per_second and abs(clip.frames_per_second / rate - 1) > 1e-3:
            found = f"{clip.frames_per_second:g} frames per second"
            raise DataError(entry.file, "", found, f"{rate:g} as in the first file (resample, or give the rate)")
        label = clip.label if entry.label is None else self.classes.index(entry.label)
        clip, notes = exactly_two(clip)
        meta = dict(clip.meta) | ({"notes": "; ".join(notes)} if notes else {})
        return SkeletonClip(entry.id, clip.joints, clip.layout, clip.frames_per_second, label, meta)

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        """By folder or table where these say it (a row without a part is in none); otherwise by seed within each
        class; without labels every clip is in both."""
        every = np.arange(len(self), dtype=np.int64)
        if any(entry.part is not None for entry in self._entries):
            return {
                part: np.array([i for i, entry in enumerate(self._entries) if entry.part == part], np.int64)
                for part in PARTS
                if part != "validation" or any(entry.part == part for entry in self._entries)
            }
        if not self.classes:
            return {"train": every, "test": every}
        test: list[int] = []
        generator = np.random.default_rng(self.seed)
        for name in self.classes:
            members = [i for i, entry in enumerate(self._entries) if entry.label == name]
            count = min(max(round(self.test_fraction * len(members)), 1), len(members) - 1)
            test += generator.permutation(members)[:count].tolist()
        chosen = np.array(sorted(test), np.int64)
        return {"train": np.setdiff1d(every, chosen), "test": chosen}

    def fingerprint(self) -> str:
        key = hashlib.sha256(f"plain 1 {self.layout.to_dict()} {self._rate_given}".encode())
        for entry in self._entries:
            status = entry.file.stat()
            key.update(f"{entry.id} {entry.label} {status.st_size} {status.st_mtime_ns}\n".encode())
        return key.hexdigest()


def _first_folder(path: Path, root: Path) -> str:
    return path.relative_to(root).parts[0]


def write_plain_folder(
    dataset: SkeletonDataset, folder: str | Path, strict: bool = False, indices: Iterable[int] | None = None
) -> tuple[int, list[str]]:
    """Write any data set as plain ``.npz`` files with a ``labels.csv``, which :class:`PlainFolder` opens.

    A clip that is in more than one part, or in none, gets no part.

    Returns:
        How many clips were written, and a line for each that could not be read.

    Raises:
        DataError: the first clip that cannot be read, under ``strict``.
        InterplayError: a folder that already holds a ``labels.csv``.
    """
    folder = Path(folder)
    table = folder / "labels.csv"
    if table.exists():
        raise InterplayError(f"{table}: found a data set there already, expected a new or empty folder")
    parts = dataset.parts()
    part_of: dict[int, list[str]] = {}
    for part, chosen in parts.items():
        for index in chosen.tolist():
            part_of.setdefault(index, []).append(part)
    rows: list[tuple[str, str, str]] = []
    bad: list[str] = []
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(len(dataset)) if indices is None else indices:
        try:
            clip = dataset.read(index)
        except DataError as error:
            if strict:
                raise
            bad.append(str(error))
            continue
        label = "" if clip.label is None else dataset.classes[clip.label]
        target = folder / f"{clip.id}.npz"
        if not target.resolve().is_relative_to(folder.resolve()):
            bad.append(str(DataError(folder, f"clip {clip.id!r}", "an id that leads out of the folder", "a plain id")))
            continue
        write_plain(clip, target, label or None)
        own = [part for part in part_of.get(index, []) if part in PARTS]
        rows.append((clip.id, label, own[0] if len(own) == 1 else ""))
    # Last, so that an interrupted conversion is not taken for a whole one.
    with table.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("id", "label", "part"), *rows])
    return len(rows), bad
