"""The playground's video view: hands and objects on a table, nothing on disk, frames drawn when they are asked for."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from interplay.data.playground.table_episode import TableEpisode, clip_generator
from interplay.data.playground.table_stage import RATE
from interplay.data.playground.video_classes import (
    BACKWARDS,
    DIAGNOSTICS,
    UNFLIPPABLE,
    VIDEO_CLASSES,
    VIDEO_SCRIPTS,
)
from interplay.data.playground.video_proposals import rendered_proposals
from interplay.data.videos import IntArray, UInt8Array, VideoClip, checked_indices

VERSION = 1
"""Of the clips and their proposals: to be raised whenever the same seed gives another one."""

PARTS = ("train", "validation", "test")
_CLIPS_AT_MOST = 1_000_000


@dataclass(eq=False)
class DrawnVideo:
    """Frames of a simulated clip (a :class:`~interplay.data.videos.VideoSource`); only those asked for are drawn.

    Args:
        label: class name.
        key: what the clip is drawn from.
        size: width and height, pixels.
    """

    label: str
    key: tuple[int, ...]
    size: tuple[int, int]
    frames_per_second: float | None = RATE
    replaced: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    _episode: TableEpisode | None = field(default=None, repr=False)

    def __reduce__(self) -> tuple[type[DrawnVideo], tuple[str, tuple[int, ...], tuple[int, int]]]:
        return (DrawnVideo, (self.label, self.key, self.size))

    @property
    def episode(self) -> TableEpisode:
        """What happens, acted when first asked for."""
        if self._episode is None:
            self._episode = TableEpisode(self.label, self.key, self.size)
        return self._episode

    @property
    def frame_count(self) -> int:
        return self.episode.frames

    @property
    def height(self) -> int:
        return self.size[1]

    @property
    def width(self) -> int:
        return self.size[0]

    def read(self, indices: Sequence[int]) -> UInt8Array:
        wanted = checked_indices(indices, self.frame_count)
        frames, place = np.unique(wanted, return_inverse=True)
        drawn = np.empty((len(frames), self.height, self.width, 3), dtype=np.uint8)
        for row, frame in enumerate(frames.tolist()):
            drawn[row] = self.episode.draw(frame)
        return drawn[place.reshape(-1)]


class PlaygroundVideos:
    """Simulated clips of hands and objects on a table: 38 classes in the manner of Something-Something.

    Clip n of a part is the same for the same ``seed``, whatever the other settings of counts and classes. Classes of a
    family (``video_classes``) share all that is drawn for clip n but what happens in it; such clips share a group.
    36 to 48 frames, 12 a second. ``meta``: ``template``, ``family``, ``part``, ``event`` (what truly happens, start and
    end in seconds) and ``boxes`` (name → (T, 4), shares of the frame; NaN where it is out of the picture).

    Args:
        root: ignored; there is nothing on disk.
        train_clips, validation_clips, test_clips: per class.
        classes: which, in which order; all by default.
        seed: other seeds give other clips in every part.
        height, width: of a frame, pixels.
        proposals: boxes a frame.
        misses: chance that the proposals miss a true box in a frame. Some classes have a thing that they always miss.

    Raises:
        ValueError: a class that does not exist (the nearest is named), counts or sizes out of range.
    """

    name = "playground_videos"
    proposals_kind = "rendered"

    def __init__(
        self,
        root: str | None = None,
        train_clips: int = 60,
        validation_clips: int = 8,
        test_clips: int = 25,
        classes: Sequence[str] | None = None,
        seed: int = 0,
        height: int = 72,
        width: int = 96,
        proposals: int = 10,
        misses: float = 0.1,
    ) -> None:
        counts = {"train": train_clips, "validation": validation_clips, "test": test_clips}
        for part, count in counts.items():
            if not 0 <= count <= _CLIPS_AT_MOST:
                raise ValueError(f"{self.name}: {part}_clips must be from 0 to {_CLIPS_AT_MOST} a class, got {count}")
        if seed < 0 or not 1 <= proposals <= 100 or not 0.0 <= misses <= 1.0:
            raise ValueError(
                f"{self.name}: seed must be ≥ 0, proposals from 1 to 100 and misses in [0, 1], got seed={seed}, "
                f"proposals={proposals}, misses={misses}"
            )
        if not (32 <= height <= 1024 and 32 <= width <= 2048 and 1.0 <= width / height <= 2.0):
            raise ValueError(
                f"{self.name}: height must be 32 to 1024 pixels and width from 1 to 2 times the height, "
                f"got {width}×{height}"
            )
        self.classes = VIDEO_CLASSES if classes is None else tuple(classes)
        for label in self.classes:
            if label not in VIDEO_SCRIPTS:
                near = difflib.get_close_matches(label, VIDEO_CLASSES, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"{self.name}: unknown class {label!r}{hint} (known: {'; '.join(VIDEO_CLASSES)})")
        if len(set(self.classes)) != len(self.classes) or not self.classes:
            raise ValueError(f"{self.name}: classes must be different ones, at least one, got {list(self.classes)}")
        self.unflippable = frozenset(k for k, label in enumerate(self.classes) if label in UNFLIPPABLE)
        self.size, self._seed, self._proposals, self._misses = (width, height), seed, proposals, misses
        settings = {"seed": seed, "height": height, "width": width, "proposals": proposals, "misses": misses}
        self._settings = {**settings, **counts, "classes": self.classes}
        self._records: list[tuple[str, int, int]] = []
        self._parts: dict[str, IntArray] = {}
        for part in PARTS:
            first = len(self._records)
            self._records += [(part, number, k) for number in range(counts[part]) for k in range(len(self.classes))]
            self._parts[part] = np.arange(first, len(self._records), dtype=np.int64)
        place = {label: index for index, label in enumerate(VIDEO_CLASSES)}
        self._ids = [f"{part}-{number:05d}-{place[self.classes[k]]:02d}" for part, number, k in self._records]
        self.groups: tuple[str, ...] | None = tuple(
            f"{part}-{number:05d} {VIDEO_SCRIPTS[self.classes[k]].family}" for part, number, k in self._records
        )

    def __len__(self) -> int:
        return len(self._records)

    @property
    def ids(self) -> Sequence[str]:
        return self._ids

    @property
    def labels(self) -> IntArray:
        return np.array([label for _, _, label in self._records], dtype=np.int64)

    def parts(self) -> Mapping[str, IntArray]:
        """Indices of ``train``, ``validation`` and ``test``."""
        return self._parts

    def fingerprint(self) -> str:
        text = json.dumps([self.name, VERSION, self._settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def read(self, index: int) -> VideoClip:
        """One clip, acted but not drawn (about a millisecond)."""
        part, number, label = self._records[index]
        key = (self._seed, PARTS.index(part), number)
        source = DrawnVideo(self.classes[label], key, self.size)
        episode = source.episode
        boxes = episode.true_boxes()
        rng = clip_generator(*key, episode.family, "proposals")
        return VideoClip(
            id=self._ids[index],
            source=source,
            label=label,
            proposals=rendered_proposals(rng, boxes, episode.findable(), self._proposals, self._misses),
            meta={
                "template": self.classes[label],
                "family": episode.family,
                "part": part,
                "event": dict(episode.event),
                "boxes": {name: each.astype(np.float32) for name, each in boxes.items()},
            },
        )


__all__ = ["BACKWARDS", "DIAGNOSTICS", "UNFLIPPABLE", "VIDEO_CLASSES", "DrawnVideo", "PlaygroundVideos"]
