"""Long recordings: the same two people in several interactions, with nothing in particular in between."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from interplay.data.playground.bodies import random_body, random_style
from interplay.data.playground.episode import (
    CLASSES,
    RATE,
    Episode,
    act,
    check_label,
    interaction,
    random_camera,
    random_length,
    stream,
    track,
)
from interplay.data.playground.kinematics import Controls, join, pose
from interplay.data.playground.stage import Stage

WALKING, TURNING = 0.9, 1.8
"""How fast people come back to their places: metres and radians a second, on average."""


def _gap(before: Controls, after: Controls, least: float) -> int:
    """Frames that two people need from the end of one part to the beginning of the next."""
    way = np.linalg.norm(after.root[:, 0] - before.root[:, -1], axis=-1).max()
    turn = after.yaw[:, 0] - before.yaw[:, -1]
    turn = np.abs(turn - 2.0 * np.pi * np.round(turn / (2.0 * np.pi))).max()
    return math.ceil(RATE * max(least, float(way) / WALKING, float(turn) / TURNING))


def long_recording(
    seed: int,
    labels: Sequence[str] | None = None,
    count: int = 5,
    frames: int = 80,
    neutral: tuple[float, float] = (0.6, 1.6),
) -> Episode:
    """One episode of several interactions with neutral stretches before, between and after them.

    Args:
        seed: not negative; the same seed always gives the same recording.
        labels: the interactions in order; None draws ``count`` different ones.
        count: how many to draw.
        frames: typical length of one interaction.
        neutral: shortest and longest time in seconds that the two stand about between two parts. Coming back to
            their places takes them at least 0.7 s more, before and after it.

    Returns:
        An :class:`Episode` with the label "recording" and an interaction for each part, in order of time.
    """
    if labels is not None:
        for label in labels:
            check_label(label)
    elif not 1 <= count <= len(CLASSES):
        raise ValueError(f"long_recording: count must be from 1 to {len(CLASSES)}, got {count}")
    if seed < 0 or frames < 45 or not 0 < neutral[0] <= neutral[1]:
        raise ValueError(
            f"long_recording: seed must be ≥ 0, frames ≥ 45 and 0 < neutral[0] ≤ neutral[1], got seed={seed}, "
            f"frames={frames}, neutral={neutral}"
        )
    rng = stream(seed, "recording")
    chosen = list(labels) if labels is not None else [str(c) for c in rng.choice(CLASSES, count, replace=False)]
    bodies = (random_body(rng), random_body(rng))
    styles = (random_style(rng), random_style(rng))
    camera = random_camera(rng, np.zeros(3), near=3.4)
    side = float(rng.choice([-1.0, 1.0]))

    def pause() -> Controls:
        stage = Stage(rng, bodies, styles, math.ceil(RATE * rng.uniform(*neutral)), RATE, side)
        stage.face_each_other(stage.uniform(0.9, 1.5), askew=0.4)
        return stage.controls

    parts, outcomes = [pause()], []
    for label in chosen:
        stage = Stage(rng, bodies, styles, random_length(rng, frames), RATE, side)
        outcomes.append(act(label, stage, flip=bool(rng.random() < 0.5)))
        parts += [stage.controls, pause()]
    between = [_gap(before, after, 0.7) for before, after in itertools.pairwise(parts)]
    starts = np.cumsum([0] + [part.frames + gap for part, gap in zip(parts[:-1], between, strict=True)])[1::2]
    joints = pose(join(parts, between), bodies, styles, RATE)
    known, objects = [], []
    for label, outcome, start in zip(chosen, outcomes, starts, strict=True):
        if label in CLASSES:
            known.append(interaction(label, outcome, float(start) / RATE))
        objects += [track(prop, joints, int(start)) for prop in outcome.props]
    return Episode("recording", seed, RATE, bodies, styles, joints, tuple(objects), camera, tuple(known))
