"""Interactions at a distance: coming, leaving, pointing, bowing."""

from __future__ import annotations

import numpy as np

from interplay.data.playground.bodies import LEFT, RIGHT
from interplay.data.playground.profiles import bump, step
from interplay.data.playground.stage import Outcome, Stage


def approach(stage: Stage) -> Outcome:
    """One walks up to the other, or both to each other, and stops."""
    way = stage.uniform(0.9, 1.7)
    near = stage.uniform(0.65, 1.0)
    stage.face_each_other(way + near)
    start, end = stage.span((0.0, 0.15), (0.80, 0.97))
    subject = None if stage.coin(0.35) else int(stage.coin())
    share = stage.uniform(0.35, 0.65)
    forward = way * step(stage.time, start, end - start)
    if subject is None:
        stage.walk(0, share * forward)
        stage.walk(1, (1.0 - share) * forward)
    else:
        stage.walk(subject, forward)
    return Outcome(subject, start, end)


def depart(stage: Stage) -> Outcome:
    """One turns and walks away, or both; some step backwards first."""
    stage.face_each_other(stage.uniform(0.65, 1.0))
    start, end = stage.span((0.0, 0.15), (0.85, 1.0))
    both = stage.coin(0.35)
    subject = int(stage.coin())
    for person in (0, 1) if both else (subject,):
        delay = stage.uniform(0.0, 0.15)
        turn = stage.uniform(0.75, 1.0) * np.pi * stage.rng.choice([-1.0, 1.0])
        way = stage.uniform(0.8, 1.5) * (0.8 if both else 1.0)
        stage.walk(person, -way * step(stage.time, start + delay, end - start - delay))
        if stage.coin(0.85):
            stage.controls.yaw[person] += turn * step(stage.time, start + delay, stage.uniform(0.8, 1.1))
    stage.changed()
    return Outcome(None if both else subject, start, end)


def point(stage: Stage) -> Outcome:
    """An arm stretched out towards the other's face or chest, from too far away to touch."""
    subject = int(stage.coin())
    other = 1 - subject
    stage.face_each_other(stage.uniform(1.2, 2.1), askew=0.25)
    start, end = stage.span()
    hand = stage.styles[subject].hand
    stage.controls.lean[subject] += stage.uniform(0.0, 0.12) * bump(stage.time, start, end, 0.6, 0.5)
    stage.changed()
    target = stage.head(other) if stage.coin() else stage.chest(other, up=-0.1)
    shake = stage.uniform(0.0, 0.05) * np.sin(2.0 * np.pi * stage.uniform(1.5, 2.5) * stage.time)
    origin = stage.chest(subject)
    target = origin + (target - origin) * (0.62 / np.linalg.norm(target - origin, axis=1, keepdims=True))
    target[:, 1] += shake
    rise, fall = stage.uniform(0.4, 0.65), stage.uniform(0.4, 0.6)
    stage.reach(subject, hand, target, bump(stage.time, start, end, rise, fall))
    return Outcome(subject, start, end)


def bow(stage: Stage) -> Outcome:
    """Both bow from the hips, one perhaps a little later."""
    stage.face_each_other(stage.uniform(1.0, 1.9))
    start, end = stage.span()
    joined = stage.coin(0.3)
    for person in (0, 1):
        depth = stage.uniform(0.45, 0.95)
        delay = stage.uniform(0.0, 0.35)
        nod = bump(stage.time, start + delay, end, stage.uniform(0.7, 0.9), stage.uniform(0.6, 0.8))
        stage.controls.lean[person] += depth * nod
        stage.controls.gaze[person, :, 0] += stage.uniform(0.1, 0.4) * nod
        stage.controls.crouch[person] += 0.02 * nod
        stage.walk(person, -0.10 * depth * nod)
        for side in (LEFT, RIGHT):
            offset = np.array([-0.18 * (1 - 2 * side), -0.62, 0.45]) if joined else np.array([0.0, -0.80, 0.38])
            stage.hold(person, side, offset, nod)
    return Outcome(None, start, end)
