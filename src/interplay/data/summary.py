"""Read every clip of a data set once and count: what `data check` and `data stats` print."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from interplay.data.clips import SkeletonClip
from interplay.data.datasets import SkeletonDataset
from interplay.data.errors import DataError
from interplay.data.ntu.names import compare_with_published, read_name_list

_NAME_LIST = re.compile(r"ntu(60|120)\w*names\w*\.txt")
WHOLE_TREE = 9_000
"""Recordings of interactions from which on an NTU tree is taken for a whole one and compared with the published
counts (NTU60 has 10,347 of them)."""


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What is counted of one clip: ``bodies`` is how many entities are ever present."""

    id: str
    label: int | None
    frames: int
    bodies: int
    seconds: float | None
    frames_per_second: float | None

    @classmethod
    def of(cls, clip: SkeletonClip) -> ClipFacts:
        # A lone NTU actor may have been duplicated into the second slot; the reader says how many it found.
        actors = clip.meta.get("actors")
        bodies = actors if isinstance(actors, int) else int((clip.joints != 0).any(axis=(0, 2, 3)).sum())
        rate = clip.frames_per_second
        return cls(clip.id, clip.label, clip.frames, bodies, clip.frames / rate if rate else None, rate)


@dataclass(slots=True)
class Summary:
    """Counts over a data set.

    Attributes:
        clips: facts of every clip that could be read.
        bad: one line for each that could not.
        missing: what the data set itself left out, by reason (segments without poses, recordings on a missing list).
        facts: what else the data set says of itself (its ``facts``, where it has them).
        published: (what, found here, published) for the sets whose counts are known.
    """

    dataset: str
    layout: str
    joints: int
    classes: tuple[str, ...]
    entity_names: tuple[str, ...]
    frames_per_second: float | None
    total: int
    parts: dict[str, int]
    clips: list[ClipFacts] = field(default_factory=list)
    part_of: dict[str, set[str]] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)
    facts: dict[str, int | str] = field(default_factory=dict)
    published: list[tuple[str, int, int]] = field(default_factory=list)

    def lengths(self) -> dict[str, float]:
        """Shortest, median, mean and longest clip in frames, and all seconds together (0 without a frame rate)."""
        frames = np.array([clip.frames for clip in self.clips] or [0])
        seconds = sum(clip.seconds or 0.0 for clip in self.clips)
        return {
            "shortest": int(frames.min()),
            "median": float(np.median(frames)),
            "mean": round(float(frames.mean()), 2),
            "longest": int(frames.max()),
            "seconds": round(seconds, 3),
        }

    def bodies(self) -> dict[int, int]:
        """Bodies present → clips."""
        return dict(sorted(Counter(clip.bodies for clip in self.clips).items()))

    def rates(self) -> list[float]:
        """The frame rates that occur."""
        return sorted({clip.frames_per_second for clip in self.clips if clip.frames_per_second is not None})

    def classes_table(self) -> list[dict[str, Any]]:
        """For each class that occurs: its clips, those in each part, and the median length."""
        rows: list[dict[str, Any]] = []
        for label in [*range(len(self.classes)), None]:
            members = [clip for clip in self.clips if clip.label == label]
            if not members:
                continue
            name = "(no label)" if label is None else self.classes[label]
            parts = {
                part: sum(part in self.part_of.get(clip.id, ()) for clip in members) for part in sorted(self.parts)
            }
            median = float(np.median([clip.frames for clip in members]))
            rows.append({"label": label, "class": name, "clips": len(members), **parts, "median frames": median})
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; clips one by one are left out."""
        return {
            "dataset": self.dataset,
            "layout": self.layout,
            "joints": self.joints,
            "entities": list(self.entity_names),
            "frames_per_second": self.frames_per_second,
            "clips": self.total,
            "read": len(self.clips),
            "bad": list(self.bad),
            "missing": dict(self.missing),
            "facts": dict(self.facts),
            "frames": self.lengths(),
            "bodies": {str(count): clips for count, clips in self.bodies().items()},
            "parts": dict(self.parts),
            "classes": self.classes_table(),
            "published": [
                {"what": what, "found": found, "published": published, "agrees": found == published}
                for what, found, published in self.published
            ],
        }


def summarise(dataset: SkeletonDataset, strict: bool = False, indices: Iterable[int] | None = None) -> Summary:
    """Read every clip (those of ``indices``, an iterable that may draw a progress bar).

    Raises:
        DataError: the first clip that cannot be read, under ``strict``; otherwise it is listed in ``bad``.
    """
    parts = dataset.parts()
    summary = Summary(
        dataset=dataset.name,
        layout=dataset.layout.name,
        joints=dataset.layout.joint_count,
        classes=tuple(dataset.classes),
        entity_names=tuple(dataset.entity_names),
        frames_per_second=dataset.frames_per_second,
        total=len(dataset),
        parts={part: len(chosen) for part, chosen in parts.items()},
    )
    ids = dataset.ids
    for part, chosen in parts.items():
        for index in chosen.tolist():
            summary.part_of.setdefault(str(ids[index]), set()).add(part)
    for index in range(len(dataset)) if indices is None else indices:
        try:
            summary.clips.append(ClipFacts.of(dataset.read(index)))
        except DataError as error:
            if strict:
                raise
            summary.bad.append(str(error))
    missing = getattr(dataset, "missing", {})
    if isinstance(missing, dict):
        summary.missing = {str(reason): int(count) for reason, count in missing.items() if count}
    facts = getattr(dataset, "facts", {})
    if isinstance(facts, dict):
        summary.facts = dict(facts)
    summary.published = _published(dataset, [str(identity) for identity in ids])
    return summary


def _published(dataset: SkeletonDataset, ids: Sequence[str]) -> list[tuple[str, int, int]]:
    """NTU's counts: of the lists of names in the folder, or of the tree itself where it is a whole one."""
    if dataset.name not in ("ntu", "ntu60", "ntu120"):
        return []
    root = Path(getattr(dataset, "root", "."))
    rows: list[tuple[str, int, int]] = []
    for path in sorted(root.glob("*.txt")) if root.is_dir() else []:
        if match := _NAME_LIST.fullmatch(path.name):
            names = read_name_list(path)
            for item in compare_with_published(names, 60 if match[1] == "60" else 120):
                rows.append((f"{path.name}: {item.what}", item.found, item.published))
    if not rows and len(ids) >= WHOLE_TREE:
        which = (60,) if dataset.name == "ntu60" else (120,) if dataset.name == "ntu120" else (60, 120)
        for actions in which:
            items = compare_with_published(ids, 60 if actions == 60 else 120)
            if sum(item.found for item in items) >= WHOLE_TREE:
                rows += [(item.what, item.found, item.published) for item in items]
    return rows
