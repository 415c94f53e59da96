"""The playground as data sets: nothing on disk, every clip drawn from its seed when it is read."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.playground.episode import CLASSES, NEUTRAL, RATE, check_label, simulate
from interplay.data.playground.hand_actions import HAND_CLASSES, HAND_NEUTRAL
from interplay.data.playground.hand_episode import HAND_NAMES, HAND_RATE, check_hand_label, hand_view, simulate_hands
from interplay.data.playground.skeleton_view import skeleton_view
from interplay.graph.joint_map import joint_map, map_joints
from interplay.graph.layouts import load_layout

VERSION = 1
"""Of the simulator: to be raised whenever the same seed gives another clip."""

PARTS = ("train", "validation", "test", "unknown")
_SEEDS_PER_PART = 1 << 20


class Simulated:
    """What the simulated data sets share: parts with disjoint seeds, clips drawn when read.

    Seeds of part k are seed·2²² + k·2²⁰ + (0 … count − 1), the same in every class.
    """

    name: str
    unknown: tuple[str, ...] = ()

    def __init__(self, classes: Sequence[str], seed: int, counts: Mapping[str, int], settings: Mapping[str, object]):
        for part, count in counts.items():
            if not 0 <= count < _SEEDS_PER_PART:
                raise ValueError(f"{self.name}: {part} episodes must be from 0 to {_SEEDS_PER_PART - 1}, got {count}")
        if seed < 0:
            raise ValueError(f"{self.name}: seed must not be negative, got {seed}")
        if len(set(classes)) != len(classes) or not classes:
            raise ValueError(f"{self.name}: classes must be different and at least one, got {list(classes)}")
        self.classes = tuple(classes)
        self._settings = dict(settings)
        self._records: list[tuple[str, int | None, int, str]] = []
        self._parts: dict[str, NDArray[np.int64]] = {}
        for number, part in enumerate(PARTS):
            if part not in counts or (part == "unknown" and not counts[part]):
                continue
            first, start = len(self._records), (seed * len(PARTS) + number) * _SEEDS_PER_PART
            labels = self.unknown if part == "unknown" else self.classes
            for offset in range(counts[part]):
                for index, label in enumerate(labels):
                    self._records.append((label, None if part == "unknown" else index, start + offset, part))
            self._parts[part] = np.arange(first, len(self._records), dtype=np.int64)
        self._ids = [f"{label.replace(' ', '_')}-{episode}" for label, _, episode, _ in self._records]

    def __len__(self) -> int:
        return len(self._records)

    @property
    def ids(self) -> Sequence[str]:
        return self._ids

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        """``train``, ``validation`` and ``test``; and ``unknown``, whose clips have no label, if any were asked for."""
        return self._parts

    def fingerprint(self) -> str:
        text = json.dumps([self.name, VERSION, self.classes, self._settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def read(self, index: int) -> SkeletonClip:
        label, number, seed, part = self._records[index]
        clip = self._clip(label, seed)
        return dataclasses.replace(clip, id=self._ids[index], label=number, meta={"seed": seed, "part": part})

    def _clip(self, label: str, seed: int) -> SkeletonClip:
        raise NotImplementedError


def _checked(classes: Sequence[str] | None, default: tuple[str, ...], check: Callable[[str], None]) -> tuple[str, ...]:
    if classes is None:
        return default
    for label in classes:
        check(label)
    return tuple(classes)


class Playground(Simulated):
    """Two simulated people, layout ntu25, 30 frames per second, metres in Kinect's camera axes.

    Args:
        root: ignored; there is nothing on disk.
        train_episodes, validation_episodes, test_episodes: per class. Even numbers keep the two pairs of
            relation-only classes exactly balanced: no single person's clip occurs more often in one class.
        unknown_episodes: per neutral kind (standing, walking past, own business), in a part ``unknown`` whose clips
            have no label: for calibrating and testing "none of the known interactions".
        seed: other seeds give other episodes in every part.
        classes: which interactions, in which order; all by default. Neutral kinds may be named, too.
        noise: standard deviation of a joint's error in metres.
        dropout: share of frames in which a person is lost.
        frames: typical clip length; lengths vary by 15 % (80 frames are 2.7 s).
        layout: "ntu25", or another that its joints can be mapped to ("sbu15", "coco17"), in that layout's unit: for a
            model of simulated people that recordings in this layout start from.

    Raises:
        ValueError: a class that does not exist (the nearest is named), counts or sizes out of range.
    """

    name = "playground"
    unknown = NEUTRAL
    entity_names: tuple[str, ...] = ("person", "person")
    frames_per_second: float | None = RATE

    def __init__(
        self,
        root: str | None = None,
        train_episodes: int = 100,
        validation_episodes: int = 20,
        test_episodes: int = 40,
        unknown_episodes: int = 0,
        seed: int = 0,
        classes: Sequence[str] | None = None,
        noise: float = 0.008,
        dropout: float = 0.01,
        frames: int = 80,
        layout: str = "ntu25",
    ) -> None:
        if noise < 0 or not 0 <= dropout < 1 or not 45 <= frames <= 100_000:
            raise ValueError(
                f"playground: noise must be ≥ 0, dropout in [0, 1) and frames from 45 to 100000, got noise={noise}, "
                f"dropout={dropout}, frames={frames}"
            )
        counts = {
            "train": train_episodes,
            "validation": validation_episodes,
            "test": test_episodes,
            "unknown": unknown_episodes,
        }
        settings: dict[str, object] = {"seed": seed, "noise": noise, "dropout": dropout, "frames": frames, **counts}
        if layout != "ntu25":  # as before where nothing is mapped, so that caches stay valid
            settings["layout"] = layout
        self.layout = load_layout(layout)
        joint_map("ntu25", self.layout)  # whether there is a way is known before the first clip
        self.noise, self.dropout, self.frames = noise, dropout, frames
        super().__init__(_checked(classes, CLASSES, check_label), seed, counts, settings)

    def _clip(self, label: str, seed: int) -> SkeletonClip:
        clip = skeleton_view(simulate(label, seed, self.frames), self.noise, self.dropout)
        joints = map_joints(clip.joints, clip.layout, self.layout)
        return dataclasses.replace(clip, joints=joints, layout=self.layout.name)


class PlaygroundHands(Simulated):
    """Two simulated hands, layout assembly101_hand21, 60 frames per second, millimetres, left hand first.

    Args:
        root: ignored; there is nothing on disk.
        train_episodes, validation_episodes, test_episodes: per class.
        unknown_episodes: of hands that do nothing with each other, in a part ``unknown`` without labels.
        seed: other seeds give other episodes in every part.
        classes: which actions, in which order; all by default.
        noise: standard deviation of a joint's error in millimetres.
        dropout: share of frames in which a hand is lost.
        frames: typical clip length; lengths vary by 15 % (120 frames are 2 s).

    Raises:
        ValueError: a class that does not exist (the nearest is named), counts or sizes out of range.
    """

    name = "hands"
    unknown = tuple(HAND_NEUTRAL)
    entity_names: tuple[str, ...] = HAND_NAMES
    frames_per_second: float | None = HAND_RATE

    def __init__(
        self,
        root: str | None = None,
        train_episodes: int = 100,
        validation_episodes: int = 20,
        test_episodes: int = 40,
        unknown_episodes: int = 0,
        seed: int = 0,
        classes: Sequence[str] | None = None,
        noise: float = 2.0,
        dropout: float = 0.01,
        frames: int = 120,
    ) -> None:
        if noise < 0 or not 0 <= dropout < 1 or not 90 <= frames <= 100_000:
            raise ValueError(
                f"hands: noise must be ≥ 0, dropout in [0, 1) and frames from 90 to 100000, got noise={noise}, "
                f"dropout={dropout}, frames={frames}"
            )
        counts = {
            "train": train_episodes,
            "validation": validation_episodes,
            "test": test_episodes,
            "unknown": unknown_episodes,
        }
        settings = {"seed": seed, "noise": noise, "dropout": dropout, "frames": frames, **counts}
        self.layout = load_layout("assembly101_hand21")
        self.noise, self.dropout, self.frames = noise, dropout, frames
        super().__init__(_checked(classes, HAND_CLASSES, check_hand_label), seed, counts, settings)

    def _clip(self, label: str, seed: int) -> SkeletonClip:
        return hand_view(simulate_hands(label, seed, self.frames), self.noise, self.dropout)
