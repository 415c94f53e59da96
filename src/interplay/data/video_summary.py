"""Open every video of a data set once and count: what `data check` and `data stats` print of videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from interplay.data.errors import DataError
from interplay.data.scene_summary import Published
from interplay.data.videos import VideoClip, VideoDataset

Pixels = Literal["none", "some", "all"]
SOMETHING = {
    "something_v1": {"train": 86_017, "validation": 11_522, "withheld": 10_960},
    "something_v2": {"train": 168_913, "validation": 24_777, "withheld": 27_157},
}
"""Clips of the official lists, which the paper's are (spec §9)."""
FIGHTS = {"clips": 300, "fight": 150, "no_fight": 150}


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What is counted of one clip."""

    id: str
    label: int
    frames: int
    frames_per_second: float | None
    height: int
    width: int
    proposals: int | None
    """Rows of boxes; None where there are no proposals."""

    @property
    def seconds(self) -> float | None:
        return self.frames / self.frames_per_second if self.frames_per_second else None


@dataclass(slots=True)
class VideoSummary:
    """Counts over a data set of videos.

    Attributes:
        parts: part → clips.
        clips: facts of every clip that could be read.
        part_of: id → its parts.
        bad: one line for each clip that could not be read.
        broken: id → frames that do not decode (of those that were looked at).
        other_length: clips with another number of frames than their list says: id → (listed, found).
        groups: sources of clips, None where the data set does not say.
        facts: what else the data set says of itself (its ``facts``, where it has them).
        published: official counts beside those found.
    """

    dataset: str
    classes: tuple[str, ...]
    proposals_kind: str
    total: int
    parts: dict[str, int]
    clips: list[VideoFacts] = field(default_factory=list)
    part_of: dict[str, set[str]] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    broken: dict[str, list[int]] = field(default_factory=dict)
    other_length: dict[str, tuple[int, int]] = field(default_factory=dict)
    groups: int | None = None
    facts: dict[str, int | str] = field(default_factory=dict)
    published: list[Published] = field(default_factory=list)

    def lengths(self) -> dict[str, float]:
        """Shortest, median, mean and longest clip in frames; all frames; all seconds (of clips whose rate is known)."""
        frames = np.array([clip.frames for clip in self.clips] or [0])
        return {
            "shortest": int(frames.min()),
            "median": float(np.median(frames)),
            "mean": round(float(frames.mean()), 2),
            "longest": int(frames.max()),
            "frames": int(frames.sum()),
            "seconds": round(sum(clip.seconds or 0.0 for clip in self.clips), 3),
        }

    def sizes(self) -> dict[str, int]:
        """``width x height`` → clips, the most frequent first."""
        return dict(Counter(f"{clip.width} x {clip.height}" for clip in self.clips).most_common())

    def rates(self) -> list[float]:
        """The frame rates that occur, rounded to hundredths."""
        return sorted({round(clip.frames_per_second, 2) for clip in self.clips if clip.frames_per_second is not None})

    def with_proposals(self) -> int:
        return sum(clip.proposals is not None for clip in self.clips)

    def classes_table(self) -> list[dict[str, Any]]:
        """For each class that occurs: its clips, those in each part, and the median length."""
        members: dict[int, list[VideoFacts]] = {}
        for clip in self.clips:
            members.setdefault(clip.label, []).append(clip)
        names = (*self.classes, "(not known)")  # −1 is unknown
        return [
            {"label": label, "class": names[label], "clips": len(members[label])}
            | {part: sum(part in self.part_of.get(clip.id, ()) for clip in members[label]) for part in self.parts}
            | {"median frames": float(np.median([clip.frames for clip in members[label]]))}
            for label in sorted(members, key=lambda label: (label < 0, label))
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; clips one by one are left out."""
        return {
            "dataset": self.dataset,
            "clips": self.total,
            "read": len(self.clips),
            "bad": list(self.bad),
            "broken_frames": dict(self.broken),
            "other_length_than_listed": {id: list(pair) for id, pair in self.other_length.items()},
            "groups": self.groups,
            "proposals": {"kind": self.proposals_kind, "clips": self.with_proposals()},
            "facts": dict(self.facts),
            "frames": self.lengths(),
            "sizes": self.sizes(),
            "frames_per_second": self.rates(),
            "parts": dict(self.parts),
            "classes": self.classes_table(),
            "published": [{**asdict(row), "agrees": row.agrees} for row in self.published],
        }


def summarise_videos(
    dataset: VideoDataset, strict: bool = False, indices: Iterable[int] | None = None, pixels: Pixels = "none"
) -> VideoSummary:
    """Open every video (those of ``indices``, an iterable that may draw a progress bar).

    Args:
        pixels: "none": frames are counted; "some": first, middle and last are decoded; "all": every frame is.

    Raises:
        DataError: the first clip that cannot be read, under ``strict``; otherwise it is listed in ``bad``. A broken
            frame is no such clip: it is in ``broken``.
    """
    ids, parts = dataset.ids, dataset.parts()
    summary = VideoSummary(
        dataset.name, dataset.classes, dataset.proposals_kind, len(dataset), {p: len(of) for p, of in parts.items()}
    )
    for part, members in parts.items():
        for index in members.tolist():
            summary.part_of.setdefault(ids[index], set()).add(part)
    for index in range(len(dataset)) if indices is None else indices:
        try:
            clip = dataset.read(index)
            summary.clips.append(_facts(clip))
            broken = _broken(clip, pixels)
        except DataError as error:
            if strict:
                raise
            summary.bad.append(str(error))
            summary.clips = [facts for facts in summary.clips if facts.id != ids[index]]
            continue
        if broken:
            summary.broken[clip.id] = broken
        listed = clip.meta.get("listed_frames")
        if isinstance(listed, int) and listed != summary.clips[-1].frames:
            summary.other_length[clip.id] = listed, summary.clips[-1].frames
    summary.groups = None if dataset.groups is None else len(set(dataset.groups))
    facts = getattr(dataset, "facts", {})
    summary.facts = dict(facts) if isinstance(facts, dict) else {}
    summary.published = published_counts(summary)
    return summary


def _facts(clip: VideoClip) -> VideoFacts:
    source = clip.source
    rows = None if clip.proposals is None else clip.proposals.rows
    size = source.height, source.width
    return VideoFacts(clip.id, clip.label, source.frame_count, source.frames_per_second, *size, rows)


def _broken(clip: VideoClip, pixels: Pixels) -> list[int]:
    """Frames that do not decode, of those that are looked at."""
    source, last = clip.source, clip.source.frame_count - 1
    if pixels == "all":
        every = getattr(source, "broken_frames", None)
        if every is not None:
            found: list[int] = every()
            return found
        source.read(range(last + 1))
    elif pixels == "some":
        source.read(sorted({0, last // 2, last}))
    return sorted(source.replaced)


def published_counts(summary: VideoSummary) -> list[Published]:
    """Official numbers of clips and classes of Something-Something and of the fights, beside those found."""
    rows: list[tuple[str, int, int, str]] = []  # what, found, published, by whom
    if (official := SOMETHING.get(summary.dataset)) is not None:
        for part, count in official.items():
            if found := summary.parts.get(part, 0):
                rows.append((f"{part} clips in the list", found, count, "official lists, AGOS §4"))
        rows.append(("classes", len(summary.classes), 174, "official labels, AGOS §4"))
        if sum(summary.parts.get(part, 0) for part in official) == sum(official.values()):
            rows.append(("videos at hand", len(summary.clips), sum(official.values()), "official lists"))
    elif summary.dataset == "fights" and summary.classes == ("fight", "no_fight"):
        clips = Counter(summary.classes[clip.label] for clip in summary.clips if clip.label >= 0)
        found_of = {"clips": len(summary.clips), **{name: clips[name] for name in summary.classes}}
        rows = [(what, found_of[what], count, "the set's authors") for what, count in FIGHTS.items()]
    return [Published(*row, "" if row[1] == row[2] else _why(row[1], row[2])) for row in rows]


def _why(found: int, published: int) -> str:
    return "some of the clips only" if found < published else "more than were published"
