"""Something-Something V1 and V2: 174 things that people do with objects."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from interplay.data.errors import DataError
from interplay.data.proposal_json import ANNOTATED_HEIGHT, AnnotatedBoxes, proposal_files
from interplay.data.something_labels import (
    DIRECTIONS_V1,
    DIRECTIONS_V2,
    PartReader,
    checked_directions,
    read_labels_v1,
    read_labels_v2,
)
from interplay.data.video_table import Entry, ProposalsByClip, VideoTable
from interplay.data.videos import IntArray

WITHHELD = "withheld"
"""The part of the official test clips, whose labels nobody has."""


class _Something(VideoTable):
    """What both versions share; see there."""

    frames_per_second = 12.0
    _folders_of_videos: ClassVar[tuple[str, ...]]
    _label_files: ClassVar[tuple[str, ...]]
    _list_files: ClassVar[tuple[str, ...]]
    _directions: ClassVar[frozenset[int]]

    @staticmethod
    def _read_labels(path: Path) -> tuple[str, ...]:
        raise NotImplementedError

    def __init__(
        self,
        root: str | Path,
        videos: str | Path | None = None,
        labels: str | Path | None = None,
        train: str | Path | None = None,
        validation: str | Path | None = None,
        test: str | Path | None = None,
        proposals: str | Path | None = None,
        boxes: str | Path | None = None,
        boxes_height: int | None = ANNOTATED_HEIGHT,
    ) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError(root, "", "no such folder", f"a folder with {self._label_files[0]}")
        if proposals is not None and boxes is not None:
            raise ValueError("found proposals and boxes, expected one of them")
        if boxes_height is not None and boxes_height < 1:
            raise ValueError(f"boxes_height: found {boxes_height}, expected pixels, or null for those of the frames")
        label_file = self._file(labels) or self._first(self._label_files)
        if label_file is None:
            raise DataError(self.root, "", "no file of labels", " or ".join(self._label_files))
        self.classes = self._read_labels(label_file)
        self.unflippable = checked_directions(label_file, self.classes, self._directions)
        reader, entries, files = PartReader(self.classes), [], [label_file]
        for part, given in (("train", train), ("validation", validation), (WITHHELD, test)):
            file = self._file(given) or self._first([name.format(_WORDS[part]) for name in self._list_files])
            if file is not None:
                entries += reader.read(file, part, labelled=part != WITHHELD)
                files.append(file)
        if len(files) == 1:
            raise DataError(self.root, "", "no list of clips", self._list_files[0].format("val"))
        folders = [self.root / name for name in self._folders_of_videos] if videos is None else [self._given(videos)]
        by_clip = self._proposals_of([entry.id for entry in entries], proposals, boxes, boxes_height)
        settings = (*map(str, folders), boxes_height)
        self._finish(_each_once(entries), folders, files, settings, by_clip)

    def _proposals_of(
        self,
        ids: Collection[str],
        proposals: str | Path | None,
        boxes: str | Path | None,
        boxes_height: int | None,
    ) -> ProposalsByClip | None:
        if proposals is not None:
            return proposal_files(self._given(proposals), ids)
        if boxes is None:
            return None
        path = self._given(boxes)
        files = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not files:
            raise DataError(path, "", "no JSON file", "Something-Else's boxes")
        return AnnotatedBoxes(files, ids, boxes_height)

    def _given(self, path: str | Path) -> Path:
        """Relative to the root where it is there, as it is otherwise."""
        return self.root / path if (self.root / path).exists() else Path(path)

    def _file(self, path: str | Path | None) -> Path | None:
        return None if path is None else self._given(path)

    def _first(self, patterns: Sequence[str]) -> Path | None:
        """The first file that matches; DataError where one pattern matches several."""
        for pattern in patterns:
            found = sorted(self.root.glob(pattern))
            if len(found) > 1:
                names = ", ".join(path.name for path in found[:3])
                raise DataError(self.root, "", f"{len(found)} files for {pattern} ({names})", "one, or a setting")
            if found:
                return found[0]
        return None

    def parts(self) -> Mapping[str, IntArray]:
        """``train``, ``validation``, ``test`` and ``withheld``.

        Labels of the official test clips were never given out: they are ``withheld``, and figures are those of the
        official validation clips, as in the paper. ``test`` and ``validation`` are the same clips.
        """
        validation = self.part("validation")
        parts = {"train": self.part("train"), "validation": validation, "test": validation}
        withheld = self.part(WITHHELD)
        return {**parts, WITHHELD: withheld} if len(withheld) else parts

    @cached_property
    def facts(self) -> dict[str, int | str]:
        """For people: what the lists say."""
        found: dict[str, int | str] = {
            "classes that tell left from right": ", ".join(map(str, sorted(self.unflippable)))
        }
        wrong = sum(entry.error is not None for entry in self._entries)
        return {**found, "lines of the lists that are wrong": wrong} if wrong else found


_WORDS = {"train": "train", "validation": "val", WITHHELD: "test"}


def _each_once(entries: list[Entry]) -> list[Entry]:
    """Entries that are wrong may have an id twice; they get one of their own."""
    seen: set[str] = set()
    out = []
    for number, entry in enumerate(entries):
        if entry.id in seen and entry.error is not None:
            entry = Entry(f"{entry.id} (entry {number})", part=entry.part, error=entry.error)
        seen.add(entry.id)
        out.append(entry)
    return out


class SomethingV1(_Something):
    """Something-Something V1: 108,499 clips as frame folders, labels by the row order of the official csv.

    Args:
        root: folder of the label file and the lists.
        videos: folder of the frame folders ``<id>/00001.jpg``; None: ``20bn-something-something-v1``, ``frames``,
            ``videos`` in the root, or the root.
        labels: ``*labels*.csv``, a label on each line; the row, from 0, is the class. Never sorted.
        train, validation, test: official ``*train*.csv``, ``*val*.csv``, ``*test*.csv`` (``id;label``) or lists
            ``*.txt`` (``id frames class``); None: found by name in the root, the official ones first.
        proposals: a store of proposals, or the authors' JSON.
        boxes: annotated boxes in Something-Else's layout, a file or a folder of them; in V1 nobody made any.
        boxes_height: pixels of the annotated frames; null: those of the stored frames.

    Paths are relative to the root where they are there. A clip in a list whose video is missing raises when it is
    read. Left and right are told apart by the classes 2, 4, 30, 41, 52 and 66 (spec §7), found from the labels and
    checked: labels in another order are an error.

    Raises:
        DataError: labels or lists that are missing or broken as a whole.
    """

    name = "something_v1"
    _folders_of_videos = ("20bn-something-something-v1", "frames", "videos", ".")
    _label_files = ("*labels*.csv",)
    _list_files = ("*{}*.csv", "*{}*.txt")
    _directions = DIRECTIONS_V1

    @staticmethod
    def _read_labels(path: Path) -> tuple[str, ...]:
        return read_labels_v1(path)


class SomethingV2(_Something):
    """Something-Something V2: 220,847 clips as webm or frames, labels by the numbers of ``labels.json``.

    Args:
        root: folder of the label file and the lists.
        videos: folder of ``<id>.webm`` or ``<id>/000001.jpg``; None: ``20bn-something-something-v2``, ``frames``,
            ``videos`` in the root, or the root.
        labels: ``*labels*.json``, ``{"label": "class"}``.
        train, validation, test: official ``*train*.json``, ``*val*.json``, ``*test*.json`` or lists ``*.txt``
            (``id frames class``); None: found by name in the root, the official ones first.
        proposals: a store of proposals, or the authors' JSON.
        boxes: annotated boxes of Something-Else, a file or a folder of them.
        boxes_height: pixels of the annotated frames (240 as in the videos); null: those of the stored frames.

    Paths are relative to the root where they are there. A clip in a list whose video is missing raises when it is
    read. Left and right are told apart by the classes 86, 87, 93, 94, 166 and 167 (spec §7), found from the labels
    and checked.

    Raises:
        DataError: labels or lists that are missing or broken as a whole.
    """

    name = "something_v2"
    _folders_of_videos = ("20bn-something-something-v2", "frames", "videos", ".")
    _label_files = ("*labels*.json",)
    _list_files = ("*-{}*.json", "{}*.json", "*{}*.txt")
    _directions = DIRECTIONS_V2

    @staticmethod
    def _read_labels(path: Path) -> tuple[str, ...]:
        return read_labels_v2(path)
