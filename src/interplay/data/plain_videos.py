"""One's own clips: the plain list of ``docs/data_videos.md``, as JSON or as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interplay.data.errors import DataError
from interplay.data.grouped_folds import grouped_folds
from interplay.data.json_files import Place, read_json
from interplay.data.proposal_json import proposal_files
from interplay.data.something_labels import direction_classes
from interplay.data.tables import read_table
from interplay.data.video_files import SUFFIXES
from interplay.data.video_table import PARTS, Entry, VideoTable
from interplay.data.videos import IntArray

FILES = ("videos.json", "videos.csv")
LAYOUT = "an object with 'clips', each with file and class"


class PlainVideos(VideoTable):
    """Clips listed in a plain JSON or CSV file: file and class of each, and what else is known.

    Args:
        root: ``videos.json`` or ``videos.csv``, or the folder that holds one of them.
        videos: folder of the videos; None: the one of the list.
        test_fraction: share of the clips that go to ``test`` where no clip says its part, and half as many that go to
            ``validation``. Clips of one group stay together; without enough groups, everything is in ``train`` and
            in ``test``.
        proposals: a store of proposals, or the authors' JSON; None: what the list names.
        frames_per_second: of folders of frames.

    JSON: ``{"clips": [{"file": "a/b.mp4", "class": "push", "part": "train", "group": "monday", "id": "b"}, …]}``, all
    but ``file`` optional (a clip without class has label −1), and beside ``clips`` optionally ``classes`` (names in
    the order of their index; anything else is then an error), ``unflippable`` (names of classes that must not be
    mirrored; those that say left or right where there is no such list), ``proposals`` (path). CSV: columns ``file``,
    ``class``, and optionally ``part``, ``group``, ``id``.

    Raises:
        DataError: no file, or one that is broken as a whole. A clip whose entry is wrong raises when it is read.
    """

    name = "plain_videos"

    def __init__(
        self,
        root: str | Path,
        videos: str | Path | None = None,
        test_fraction: float = 0.2,
        proposals: str | Path | None = None,
        frames_per_second: float | None = None,
    ) -> None:
        if not 0 < test_fraction < 1:
            raise ValueError(f"test_fraction: found {test_fraction}, expected a number between 0 and 1")
        if frames_per_second is not None and not 0 < frames_per_second < 1e6:
            raise ValueError(f"frames_per_second: found {frames_per_second}, expected a rate above 0")
        path = _list_file(Path(root))
        self.test_fraction, self.frames_per_second = test_fraction, frames_per_second
        whole = _rows_of_table(path) if path.suffix.lower() == ".csv" else read_json(path, LAYOUT)
        place = Place(path, "")
        clips = place.sequence(place.mapping(whole, ("clips",))["clips"], "clips")
        self.classes = _classes(place, whole, clips)
        self.unflippable = _unflippable(place, whole, self.classes)
        number_of = {name: number for number, name in enumerate(self.classes)}
        line = "line {}" if path.suffix.lower() == ".csv" else "clip {}"
        first = 2 if path.suffix.lower() == ".csv" else 0
        entries = [_entry(place.at(line.format(first + row)), clip, row, number_of) for row, clip in enumerate(clips)]
        if proposals is None and "proposals" in whole:
            proposals = path.parent / place.text(whole["proposals"], "proposals")
        by_clip = None if proposals is None else proposal_files(proposals, [entry.id for entry in entries])
        folder = path.parent if videos is None else Path(videos)
        grouped = any(entry.group for entry in entries)
        if grouped:
            entries = [entry if entry.group else _grouped(entry) for entry in entries]
        self._finish(entries, [folder], [path], (str(folder), test_fraction, frames_per_second), by_clip, grouped)
        self._given = any(entry.part for entry in entries)

    def parts(self) -> Mapping[str, IntArray]:
        """As the clips say (one that says nothing is in none), or drawn where none says anything."""
        if self._given:
            return super().parts()
        every = np.flatnonzero([entry.error is None for entry in self._entries]).astype(np.int64)
        groups = [self.groups[index] if self.groups else self._entries[index].id for index in every]
        tenths = max(round(2 / self.test_fraction), 2)  # folds, each half as large as the test part
        folds = min(tenths, len(set(groups)))
        if folds < 3:
            return {"train": every, "validation": every[:0], "test": every}
        fold = grouped_folds(self.labels[every], groups, folds)
        tests = max(round(self.test_fraction * folds), 1)
        validations = max(round(self.test_fraction * folds / 2), 1) if folds - tests > 1 else 0
        return {
            "train": every[fold >= tests + validations],
            "validation": every[(fold >= tests) & (fold < tests + validations)],
            "test": every[fold < tests],
        }


def _list_file(root: Path) -> Path:
    if root.is_file():
        return root
    found = [root / name for name in FILES if (root / name).is_file()]
    if len(found) != 1:
        raise DataError(root, "", f"{len(found)} of {' and '.join(FILES)}", "one of them, or the path of a list")
    return found[0]


def _rows_of_table(path: Path) -> dict[str, Any]:
    rows = (
        {key: value.strip() for key, value in row.values.items() if value.strip()} for row in read_table(path, ["file"])
    )
    return {"clips": list(rows)}


def _classes(place: Place, whole: Mapping[str, Any], clips: Sequence[Any]) -> tuple[str, ...]:
    """As listed, or what occurs, sorted."""
    if "classes" in whole:
        names = place.names(whole["classes"], "classes")
    else:
        found = {clip.get("class") for clip in clips if isinstance(clip, dict) and isinstance(clip.get("class"), str)}
        names = tuple(sorted(name for name in found if name))
    if not names:
        place.fail("no classes", "'classes', or a clip with a class")
    return names


def _unflippable(place: Place, whole: Mapping[str, Any], classes: Sequence[str]) -> frozenset[int]:
    if "unflippable" not in whole:
        return direction_classes(classes)
    names = place.names(whole["unflippable"], "unflippable")
    for name in names:
        if name not in classes:
            place.fail(f"unflippable: {name[:80]!r}", "names of classes")
    return frozenset(classes.index(name) for name in names)


def _entry(place: Place, value: object, row: int, number_of: Mapping[str, int]) -> Entry:
    id, part = f"clip {row}", ""
    try:
        clip = place.mapping(value, ("file",))
        file = place.text(clip["file"], "file")
        if Path(file).is_absolute() or ".." in Path(file).parts:
            place.fail(f"file {file[:80]!r}", "a path below the folder of the videos")
        id = place.text(clip["id"], "id") if "id" in clip else _name(file)
        part = place.text(clip["part"], "part") if "part" in clip else ""
        if part not in ("", *PARTS):
            found, part = part[:40], ""
            place.fail(f"part {found!r}", f"one of {', '.join(PARTS)}")
        group = place.text(clip["group"], "group") if "group" in clip else ""
        label = -1
        if "class" in clip:
            name = place.text(clip["class"], "class")
            if name not in number_of:
                place.fail(f"class {name[:80]!r}", f"one of the {len(number_of)} classes")
            label = number_of[name]
        return Entry(id, label, part, file, group)
    except DataError as error:
        return Entry(f"{id} (entry {row})", -1, part, error=error)


def _name(file: str) -> str:
    path = Path(file)
    return path.with_suffix("").as_posix() if path.suffix.lower() in SUFFIXES else path.as_posix()


def _grouped(entry: Entry) -> Entry:
    """A clip that names no group where others do is one of its own."""
    return Entry(entry.id, entry.label, entry.part, entry.file, f"only {entry.id}", entry.meta, entry.error)
