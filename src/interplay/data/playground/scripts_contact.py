"""Interactions in which the two touch, or nearly do: each a short script over a stage."""

from __future__ import annotations

import numpy as np

from interplay.data.playground.bodies import LEFT, RIGHT
from interplay.data.playground.profiles import bump, pulse, step
from interplay.data.playground.stage import Outcome, Stage


def _roles(stage: Stage) -> tuple[int, int]:
    """Who acts and who is acted on, drawn evenly."""
    subject = int(stage.coin())
    return subject, 1 - subject


def _reach(stage: Stage) -> float:
    return stage.bodies[0].arm + stage.bodies[1].arm


def shake_hands(stage: Stage) -> Outcome:
    """Same hands meet between the two at belly height and go up and down two to four times."""
    stage.face_each_other(_reach(stage) * stage.uniform(0.72, 0.95))
    start, end = stage.span()
    side = stage.styles[0].hand
    lag = stage.uniform(-0.12, 0.12)
    height = stage.shoulder_height - stage.uniform(0.22, 0.38)
    clasp = bump(stage.time, start + 0.3, end - 0.3, 0.25, 0.25)
    shake = stage.uniform(0.03, 0.07) * np.sin(2.0 * np.pi * stage.uniform(1.6, 2.6) * (stage.time - start))
    for person in (0, 1):
        stage.controls.lean[person] += stage.uniform(0.0, 0.15) * bump(stage.time, start, end, 0.6, 0.5)
    stage.changed()
    meeting = stage.between(height)
    meeting[:, 1] += clasp * shake
    for person, delay in ((0, 0.0), (1, lag)):
        rise, fall = stage.uniform(0.5, 0.75), stage.uniform(0.45, 0.65)
        stage.reach(person, side, meeting, bump(stage.time, start + max(delay, 0.0), end, rise, fall))
    return Outcome(None, start, end)


def hug(stage: Stage) -> Outcome:
    """Both step together, arms around the other's back, hold, and let go."""
    apart = stage.uniform(0.75, 1.15)
    close = stage.uniform(0.30, 0.38)
    stage.face_each_other(apart, askew=0.1)
    start, end = stage.span((0.02, 0.10), (0.90, 0.98))
    share = stage.uniform(0.25, 0.75)
    together = bump(stage.time, start, end, 0.9, 0.75)
    for person, part in ((0, share), (1, 1.0 - share)):
        stage.walk(person, (apart - close) * part * together)
        stage.controls.lean[person] += stage.uniform(0.08, 0.22) * together
        stage.controls.gaze[person, :, 1] += stage.uniform(-0.4, 0.4) * together
    stage.changed()
    over = stage.uniform(0.0, 1.0)
    embrace = bump(stage.time, start + 0.15, end - 0.05, 0.8, 0.7)
    for person in (0, 1):
        other = 1 - person
        height = -0.10 + 0.14 * (over if person else 1.0 - over)
        for side, sign in ((LEFT, -1.0), (RIGHT, 1.0)):  # the other's right is on the own left
            target = stage.chest(other, forward=-0.13, up=height - stage.uniform(0.0, 0.2), left=0.07 * sign)
            stage.hold(person, side, np.array([-sign * 0.45, -0.15, 0.55]), embrace * (1.0 - embrace))
            stage.reach(person, side, target, embrace)
    return Outcome(None, start, end)


def push(stage: Stage) -> Outcome:
    """Both palms to the other's chest and through; the other staggers back."""
    subject, other = _roles(stage)
    stage.face_each_other(_reach(stage) * stage.uniform(0.72, 0.95))
    start, end = stage.span((0.03, 0.18), (0.80, 0.97))
    style = stage.styles[subject]
    hit = start + stage.uniform(0.50, 0.65) * style.tempo
    gain = stage.uniform(0.30, 0.60) * style.vigour
    stage.walk(subject, stage.uniform(0.15, 0.30) * bump(stage.time, start, end, hit - start + 0.15, 0.7))
    stage.controls.lean[subject] += stage.uniform(0.10, 0.25) * bump(stage.time, hit - 0.3, end - 0.1, 0.4, 0.6)
    stage.walk(other, -gain * step(stage.time, hit - 0.06, 0.65))
    stage.controls.lean[other] -= stage.uniform(0.15, 0.30) * pulse(stage.time, hit + 0.22, 0.28, 0.6)
    stage.changed()
    draw = pulse(stage.time, hit - 0.25, 0.35, 0.25)
    strike = bump(stage.time, hit - 0.32, hit + 0.75, 0.32, 0.55)
    aim = stage.uniform(-0.12, 0.0)
    for side, sign in ((LEFT, -1.0), (RIGHT, 1.0)):
        stage.hold(subject, side, np.array([-0.15 * sign, -0.25, 0.35]), draw)
        stage.reach(subject, side, stage.chest(other, forward=0.08, up=aim, left=0.11 * sign), strike)
        stage.controls.bend[subject, side] += 0.8 * bump(stage.time, hit - 0.4, hit + 0.75, 0.35, 0.5)
        flail = stage.uniform(0.2, 0.6) * pulse(stage.time, hit + 0.28, 0.3, 0.6)
        stage.hold(other, side, np.array([-0.35 * sign, -0.45, 0.5]), flail)
    return Outcome(subject, start, end)


def punch(stage: Stage) -> Outcome:
    """One fist, drawn back and shot at the other's head or chest, once or twice; the other recoils."""
    subject, other = _roles(stage)
    stage.face_each_other(_reach(stage) * stage.uniform(0.72, 0.95))
    start, end = stage.span((0.03, 0.15), (0.78, 0.95))
    style = stage.styles[subject]
    twice = stage.coin(0.4)
    stage.walk(subject, stage.uniform(0.10, 0.25) * bump(stage.time, start, end, 0.5, 0.6))
    hits = [start + stage.uniform(0.55, 0.70) * style.tempo]
    if twice:
        hits.append(hits[0] + stage.uniform(0.60, 0.75))
    high = stage.coin(0.6)
    for hit in hits:
        stage.controls.lean[other] -= stage.uniform(0.12, 0.30) * pulse(stage.time, hit + 0.18, 0.2, 0.4)
        stage.controls.gaze[other, :, 0] -= stage.uniform(0.2, 0.5) * pulse(stage.time, hit + 0.15, 0.17, 0.4)
        turn = (1.0 if style.hand == RIGHT else -1.0) * stage.uniform(0.25, 0.5)
        stage.controls.twist[subject] += turn * pulse(stage.time, hit, 0.25, 0.35)
        stage.controls.twist[subject] -= 0.5 * turn * pulse(stage.time, hit - 0.25, 0.25, 0.25)
    stage.changed()
    sign = 1.0 if style.hand == LEFT else -1.0
    guard = bump(stage.time, start, end, 0.4, 0.5)
    for side in (LEFT, RIGHT):
        stage.hold(subject, side, np.array([-0.1 * (1 - 2 * side), -0.20, 0.42]), guard * stage.uniform(0.7, 1.0))
    for hit in hits:
        stage.hold(subject, style.hand, np.array([0.20 * sign, -0.45, 0.15]), pulse(stage.time, hit - 0.23, 0.3, 0.24))
        aim = stage.head(other, forward=0.07) if high else stage.chest(other, forward=0.06, up=-0.12)
        stage.reach(subject, style.hand, aim, pulse(stage.time, hit, 0.24, 0.36))
    return Outcome(subject, start, end)


def kick(stage: Stage) -> Outcome:
    """One foot to the other's shin, thigh or hip; arms out for balance; the other flinches."""
    subject, other = _roles(stage)
    stage.face_each_other(stage.uniform(0.75, 1.05))
    start = stage.duration * stage.uniform(0.05, 0.26)
    style, body = stage.styles[subject], stage.bodies[subject]
    hit = start + stage.uniform(0.55, 0.75) * style.tempo
    foot = style.hand if stage.coin(0.8) else 1 - style.hand
    sign = 1.0 if foot == LEFT else -1.0
    stage.controls.lean[subject] -= stage.uniform(0.10, 0.30) * pulse(stage.time, hit, 0.4, 0.55)
    stage.controls.roll[subject] += sign * stage.uniform(0.0, 0.12) * pulse(stage.time, hit, 0.4, 0.55)
    stage.walk(other, -stage.uniform(0.08, 0.25) * step(stage.time, hit - 0.03, 0.5))
    stage.controls.lean[other] += stage.uniform(0.10, 0.35) * pulse(stage.time, hit + 0.2, 0.22, 0.6)
    stage.changed()
    lift = stage.uniform(0.45, 0.95) * style.vigour * body.leg * 0.62
    ahead = stage.uniform(0.62, 0.80) * body.leg
    ankles = stage.controls.ankles[subject, foot]
    ankles += pulse(stage.time, hit - 0.26, 0.3, 0.3)[:, None] * np.array([0.0, 0.18, -0.28])
    ankles += pulse(stage.time, hit, 0.3, 0.5)[:, None] * np.array([-0.3 * sign * body.hip, lift, ahead])
    balance = pulse(stage.time, hit, 0.45, 0.6)
    for side in (LEFT, RIGHT):
        out = 1.0 - 2.0 * side
        spread = stage.uniform(0.4, 0.9)
        stage.hold(subject, side, np.array([0.5 * out, -0.6, stage.uniform(-0.3, 0.3)]), spread * balance)
        shield = stage.uniform(0.2, 0.7) * pulse(stage.time, hit + 0.2, 0.25, 0.6)
        stage.hold(other, side, np.array([0.0, -0.6, 0.45]), shield)
    return Outcome(subject, max(hit - 0.56, 0.0), min(hit + 0.85, stage.duration))


def high_five(stage: Stage) -> Outcome:
    """Palms meet above shoulder height, once, briskly."""
    stage.face_each_other(_reach(stage) * stage.uniform(0.70, 0.95))
    start = stage.duration * stage.uniform(0.03, 0.30)
    side = stage.styles[0].hand
    clap = start + stage.uniform(0.60, 0.80) * stage.styles[0].tempo
    height = stage.shoulder_height + stage.uniform(0.12, 0.30)
    for person in (0, 1):
        stage.controls.lean[person] += stage.uniform(0.0, 0.12) * pulse(stage.time, clap, 0.5, 0.5)
    stage.changed()
    meeting = stage.between(height)
    for person in (0, 1):
        out = 1.0 if side == LEFT else -1.0
        ready = bump(stage.time, clap - 0.60, clap + 0.6, 0.40, 0.45)
        stage.hold(person, side, np.array([0.25 * out, 0.35, 0.30]), ready * stage.uniform(0.8, 1.0))
        stage.reach(person, side, meeting, bump(stage.time, clap - 0.26, clap + 0.40, 0.26, 0.32))
        stage.controls.bend[person, side] += bump(stage.time, clap - 0.45, clap + 0.55, 0.35, 0.4)
    return Outcome(None, max(clap - 0.6, 0.0), min(clap + 0.6, stage.duration))


def pat(stage: Stage) -> Outcome:
    """A hand on the other's shoulder, two to four light taps."""
    subject, other = _roles(stage)
    stage.face_each_other(_reach(stage) * stage.uniform(0.58, 0.78), askew=0.25)
    start, end = stage.span()
    hand = stage.styles[subject].hand
    stage.walk(subject, stage.uniform(0.0, 0.12) * bump(stage.time, start, end, 0.6, 0.6))
    stage.controls.gaze[other, :, 1] += stage.uniform(-0.5, 0.5) * bump(stage.time, start + 0.5, end, 0.4, 0.4)
    stage.changed()
    left = 0.14 * (1.0 if hand == RIGHT else -1.0) * (1.0 if stage.coin(0.8) else -1.0)
    target = stage.chest(other, forward=-0.02, up=0.03, left=left)
    taps = bump(stage.time, start + 0.55, end - 0.35, 0.25, 0.25)
    tapping = 1.0 - np.cos(2.0 * np.pi * stage.uniform(2.0, 3.0) * (stage.time - start))
    target[:, 1] += stage.uniform(0.035, 0.065) * taps * tapping
    stage.reach(subject, hand, target, bump(stage.time, start, end, stage.uniform(0.55, 0.75), 0.5))
    return Outcome(subject, start, end)


def whisper(stage: Stage) -> Outcome:
    """One leans to the side of the other's head, a hand before the mouth."""
    subject, other = _roles(stage)
    apart, close = stage.uniform(0.6, 0.9), stage.uniform(0.34, 0.44)
    stage.face_each_other(apart, askew=0.25)
    start, end = stage.span((0.02, 0.12), (0.88, 0.98))
    hand = stage.styles[subject].hand
    ear = stage.rng.choice([-1.0, 1.0])
    near = bump(stage.time, start, end, 0.8, 0.7)
    stage.walk(subject, (apart - close) * near)
    stage.controls.lean[subject] += stage.uniform(0.15, 0.30) * near
    stage.controls.roll[subject] += ear * stage.uniform(0.10, 0.22) * near
    stage.controls.gaze[subject, :, 1] += ear * stage.uniform(0.2, 0.5) * near
    stage.controls.roll[other] -= ear * stage.uniform(0.0, 0.10) * near
    stage.changed()
    out = 1.0 if hand == LEFT else -1.0
    stage.reach(subject, hand, stage.head(subject, forward=0.16, left=0.06 * out, up=-0.03), near)
    stage.controls.bend[subject, hand] += 0.7 * near
    return Outcome(subject, start, end)
