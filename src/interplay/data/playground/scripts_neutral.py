"""Two people who do nothing to each other: none of the known interactions."""

from __future__ import annotations

import numpy as np

from interplay.data.playground.profiles import bump, step
from interplay.data.playground.stage import Outcome, Stage


def _turn_away(stage: Stage) -> None:
    stage.controls.yaw += stage.rng.uniform(-np.pi, np.pi, (2, 1))
    stage.changed()


def stand(stage: Stage) -> Outcome:
    """Both stand about, looking anywhere."""
    stage.face_each_other(stage.uniform(0.8, 2.2))
    _turn_away(stage)
    return Outcome(None, 0.0, stage.duration)


def walk_past(stage: Stage) -> Outcome:
    """Two ways that cross or pass, neither person stopping."""
    way = stage.uniform(1.2, 2.2)
    stage.face_each_other(way * stage.uniform(0.8, 1.2), askew=0.1)
    beside = stage.uniform(0.45, 0.9) * stage.rng.choice([-1.0, 1.0])
    if stage.coin(0.3):  # one behind the other, the same way
        stage.controls.yaw[1] += np.pi
    for person, sign in ((0, 0.5), (1, 0.5)):
        start = stage.uniform(-0.15, 0.15) * stage.duration
        forward = way * step(stage.time, start, stage.duration * stage.uniform(0.9, 1.2))
        stage.walk(person, forward, sideways=sign * beside)
    return Outcome(None, 0.0, stage.duration)


def own_business(stage: Stage) -> Outcome:
    """Each for himself: scratches his head, stretches, checks the time, holds the hips."""
    stage.face_each_other(stage.uniform(0.9, 2.2))
    _turn_away(stage)
    for person in (0, 1):
        start, end = stage.span((0.0, 0.3), (0.6, 1.0))
        weight = bump(stage.time, start, end, 0.6, 0.6)
        hands = (0, 1) if stage.coin(0.4) else (stage.styles[person].hand,)
        gesture = int(stage.rng.integers(4))
        for side in hands:
            out = 1.0 - 2.0 * side
            target = (
                stage.head(person, up=0.08, left=0.08 * out),  # head
                stage.chest(person, up=0.55, left=0.25 * out),  # stretch
                stage.chest(person, up=-0.20, forward=0.28, left=-0.02 * out),  # watch
                stage.chest(person, up=-0.50, left=0.20 * out, forward=0.02),  # hips
            )[gesture]
            stage.reach(person, side, target, weight)
    return Outcome(None, 0.0, stage.duration)
