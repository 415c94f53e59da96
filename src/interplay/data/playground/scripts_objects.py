"""Interactions around an object: giving, exchanging, raising cups, carrying."""

from __future__ import annotations

import numpy as np

from interplay.data.playground.bodies import LEFT, RIGHT
from interplay.data.playground.profiles import Array, bump, step
from interplay.data.playground.stage import Outcome, Prop, Stage

SMALL = {
    "cup": (0.08, 0.10, 0.08),
    "book": (0.16, 0.03, 0.22),
    "phone": (0.07, 0.15, 0.01),
    "bottle": (0.07, 0.24, 0.07),
}
"""Things for one hand: width, height, depth in metres."""


def _held(stage: Stage, person: int, side: int) -> Array:
    held = np.zeros((stage.frames, 2, 2))
    held[:, person, side] = 1.0
    return held


def _pass_on(held: Array, share: Array, person: int, side: int) -> Array:
    """Hand over: ``share`` of the object's position goes over to a hand."""
    out = held * (1.0 - share)[:, None, None]
    out[:, person, side] += share
    return np.asarray(out)


def _small(stage: Stage) -> str:
    return str(stage.rng.choice(list(SMALL)))


def give(stage: Stage) -> Outcome:
    """One holds out an object, the other reaches, takes it and draws it in."""
    subject = int(stage.coin())
    other = 1 - subject
    stage.face_each_other((stage.bodies[0].arm + stage.bodies[1].arm) * stage.uniform(0.78, 1.0))
    start, end = stage.span((0.03, 0.12), (0.88, 0.97))
    out, into = stage.styles[subject].hand, stage.styles[other].hand
    for person in (0, 1):
        stage.controls.lean[person] += stage.uniform(0.0, 0.12) * bump(stage.time, start, end, 0.7, 0.6)
    stage.changed()
    meet = start + stage.uniform(0.42, 0.55) * (end - start)
    point = stage.between(stage.shoulder_height - stage.uniform(0.15, 0.35))
    carry = np.array([-0.1 * (1 - 2 * out), -0.50, 0.50])
    stage.hold(subject, out, carry, 1.0 - step(stage.time, meet + 0.1, 0.5))
    stage.reach(subject, out, point, bump(stage.time, meet - 0.65, meet + 0.6, 0.55, 0.5))
    keep = np.array([-0.1 * (1 - 2 * into), -0.50, 0.50])
    stage.hold(other, into, keep, step(stage.time, meet - 0.1, 0.6))
    stage.reach(other, into, point, bump(stage.time, meet - 0.55, meet + 0.75, 0.5, 0.6))
    kind = _small(stage)
    held = _pass_on(_held(stage, subject, out), step(stage.time, meet - 0.05, 0.15), other, into)
    return Outcome(subject, start, end, (Prop(kind, SMALL[kind], held),))


def exchange(stage: Stage) -> Outcome:
    """Both hold something out and take the other's with the free hand."""
    stage.face_each_other((stage.bodies[0].arm + stage.bodies[1].arm) * stage.uniform(0.75, 0.95))
    start, end = stage.span((0.03, 0.12), (0.88, 0.97))
    out = [style.hand for style in stage.styles]
    for person in (0, 1):
        stage.controls.lean[person] += stage.uniform(0.0, 0.12) * bump(stage.time, start, end, 0.7, 0.6)
    stage.changed()
    meet = start + stage.uniform(0.42, 0.55) * (end - start)
    height = stage.shoulder_height - stage.uniform(0.15, 0.35)
    props = []
    for giver in (0, 1):
        taker, hand = 1 - giver, out[giver]
        free = 1 - out[taker]
        beside = 0.10 * stage.body().chest[giver, :, :, 0] * (1.0 - 2.0 * hand)
        point = stage.between(height) + beside
        carry = np.array([-0.05 * (1 - 2 * hand), -0.50, 0.50])
        stage.hold(giver, hand, carry, 1.0 - step(stage.time, meet + 0.1, 0.5))
        stage.reach(giver, hand, point, bump(stage.time, meet - 0.65, meet + 0.6, 0.55, 0.5))
        stage.hold(taker, free, np.array([-0.05 * (1 - 2 * free), -0.50, 0.50]), step(stage.time, meet - 0.1, 0.6))
        stage.reach(taker, free, point, bump(stage.time, meet - 0.55, meet + 0.75, 0.5, 0.6))
        kind = _small(stage)
        held = _pass_on(_held(stage, giver, hand), step(stage.time, meet - 0.05, 0.15), taker, free)
        props.append(Prop(kind, SMALL[kind], held))
    return Outcome(None, start, end, tuple(props))


def cheers(stage: Stage) -> Outcome:
    """Cups raised, touched, and drunk from."""
    stage.face_each_other((stage.bodies[0].arm + stage.bodies[1].arm) * stage.uniform(0.75, 0.95))
    start, end = stage.span((0.02, 0.08), (0.90, 0.98))
    clink = start + stage.uniform(0.30, 0.38) * (end - start)
    point = stage.between(stage.shoulder_height + stage.uniform(-0.10, 0.08))
    props = []
    for person in (0, 1):
        hand = stage.styles[person].hand
        inward = -(1.0 - 2.0 * hand)
        stage.hold(person, hand, np.array([0.1 * inward, -0.45, 0.50]), np.ones(stage.frames))
        stage.reach(person, hand, point, bump(stage.time, clink - 0.5, clink + 0.45, 0.5, 0.4))
        late = stage.uniform(0.0, 0.15)
        mouth = stage.head(person, forward=0.13, up=-0.02, left=-0.03 * inward)
        drink = bump(stage.time, clink + 0.15 + late, end, 0.6, 0.45)
        stage.reach(person, hand, mouth, drink)
        stage.controls.gaze[person, :, 0] -= stage.uniform(0.15, 0.4) * drink
        props.append(Prop("cup", SMALL["cup"], _held(stage, person, hand)))
    return Outcome(None, start, end, tuple(props))


def carry(stage: Stage) -> Outcome:
    """A box between the two, held by four hands, lifted and carried sideways."""
    stage.face_each_other((stage.bodies[0].arm + stage.bodies[1].arm) * stage.uniform(0.62, 0.72) + 0.35, askew=0.08)
    start, end = stage.span((0.0, 0.08), (0.92, 1.0))
    way = stage.uniform(0.45, 0.95) * stage.rng.choice([-1.0, 1.0])
    across = np.array([-np.cos(stage.controls.yaw[0, 0]), np.sin(stage.controls.yaw[0, 0])])
    moved = way * step(stage.time, start + 0.35, end - start - 0.35)
    stage.controls.root += (moved[:, None] * across)[None]
    rise = step(stage.time, start, 0.7)
    deep = stage.uniform(0.10, 0.25)
    for person in (0, 1):
        stage.controls.lean[person] += stage.uniform(0.15, 0.35) * (1.0 - 0.7 * rise)
        stage.controls.crouch[person] += deep * (1.0 - rise)
    stage.changed()
    width, depth, tall = stage.uniform(0.25, 0.40), stage.uniform(0.30, 0.42), stage.uniform(0.15, 0.35)
    waist = np.mean([body.pelvis_height for body in stage.bodies])
    height = waist + stage.uniform(-0.30, -0.15) * (1.0 - rise) + stage.uniform(0.05, 0.18) * rise
    everything = np.ones(stage.frames)
    held = np.full((stage.frames, 2, 2), 0.25)
    for person in (0, 1):
        centre = stage.between(0.0)
        centre[:, 1] = height
        towards = stage.chest(person) - centre
        towards[:, 1] = 0.0
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        for side in (LEFT, RIGHT):
            left = stage.body().pelvis[person, :, :, 0] * (1.0 - 2.0 * side)
            stage.reach(person, side, centre + 0.45 * depth * towards + 0.5 * width * left, everything)
    return Outcome(None, start, end, (Prop("box", (width, tall, depth), held),))
