"""What two hands do with each other or with a small thing between them: each a short script.

The leading hand is drawn. Time is in seconds, lengths in millimetres, axes as in ``hand_model``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from interplay.data.playground.hand_model import HandControls
from interplay.data.playground.profiles import Array, bump, ease, step, sway


@dataclass(frozen=True, slots=True)
class HandProp:
    """A thing: kind, size in millimetres, and the share (T, 2) of its position that each hand decides."""

    kind: str
    size: tuple[float, float, float]
    held: Array


@dataclass(frozen=True, slots=True)
class HandOutcome:
    """The leading hand (None: both alike), start and end in seconds, the things used."""

    leading: int | None
    start: float
    end: float
    props: tuple[HandProp, ...] = ()


@dataclass(slots=True)
class Workbench:
    """Two relaxed hands, their controls, and a generator to draw from."""

    rng: np.random.Generator
    frames: int
    rate: float
    lead: int
    time: Array = field(init=False)
    controls: HandControls = field(init=False)

    def __post_init__(self) -> None:
        self.time = np.arange(self.frames) / self.rate
        self.controls = HandControls.relaxed(self.frames, self.uniform(200.0, 300.0))
        controls, rng = self.controls, self.rng
        controls.grip += np.moveaxis(sway(rng, self.time, (2, 3), 8.0), 2, 1) + rng.uniform(-15.0, 15.0, (2, 1, 3))
        controls.fingers += np.moveaxis(sway(rng, self.time, (2, 3), 0.08), 2, 1) + rng.uniform(-0.12, 0.12, (2, 1, 3))
        controls.normal += np.moveaxis(sway(rng, self.time, (2, 3), 0.08), 2, 1) + rng.uniform(-0.12, 0.12, (2, 1, 3))
        controls.curl += np.moveaxis(sway(rng, self.time, (2, 5), 0.05), 2, 1) + rng.uniform(-0.08, 0.08, (2, 1, 5))

    @property
    def duration(self) -> float:
        return self.frames / self.rate

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def span(self) -> tuple[float, float]:
        return self.duration * self.uniform(0.03, 0.12), self.duration * self.uniform(0.88, 0.98)

    def side(self, hand: int) -> float:
        """−1 for the left hand, 1 for the right."""
        return 2.0 * hand - 1.0

    def move(self, hand: int, point: Array, weight: Array) -> None:
        """Bring the grip to a point (3,) or (T, 3)."""
        self.controls.grip[hand] += weight[:, None] * (point - self.controls.grip[hand])

    def turn(self, hand: int, fingers: Array, normal: Array, weight: Array) -> None:
        """Turn the palm; directions (3,) or (T, 3) for a right hand, mirrored in x for a left one."""
        mirror = np.array([self.side(hand), 1.0, 1.0])
        for now, wanted in ((self.controls.fingers, fingers), (self.controls.normal, normal)):
            now[hand] += weight[:, None] * (wanted * mirror - now[hand])

    def close(self, hand: int, curl: float | Array, weight: Array) -> None:
        """Curl the fingers, all alike (a number) or each by itself (5,)."""
        self.controls.curl[hand] += weight[:, None] * (np.asarray(curl) - self.controls.curl[hand])


PINCH = np.array([0.55, 0.55, 0.60, 0.70, 0.75])
"""Thumb against index and middle finger."""
ACROSS = np.array([-0.35, 0.1, -1.0])
INWARD = np.array([-1.0, -0.1, 0.1])
DOWN = np.array([-0.15, -1.0, -0.15])


def _wave(bench: Workbench, start: float, end: float, beats: tuple[float, float]) -> Array:
    """(1 − cos)/2 over ``start`` to ``end`` with a whole number of beats a second from the range."""
    count = max(2, round(bench.uniform(*beats) * (end - start)))
    phase = np.clip((bench.time - start) / (end - start), 0.0, 1.0) * count
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * phase))


def clap(bench: Workbench) -> HandOutcome:
    """Flat palms meet two or more times."""
    start, end = bench.span()
    flat = bump(bench.time, start, end, 0.3, 0.3)
    meeting = _wave(bench, start + 0.1, end - 0.1, (1.6, 2.8))
    height = bench.uniform(0.0, 60.0)
    for hand in (0, 1):
        bench.turn(hand, np.array([-0.2, 0.7, -0.7]), INWARD, flat)
        bench.close(hand, 0.05, flat)
        bench.move(hand, np.array([bench.side(hand) * -8.0, height, 0.0]), meeting)
    return HandOutcome(None, start, end)


def rub(bench: Workbench) -> HandOutcome:
    """Palms on each other, sliding to and fro in opposite directions."""
    start, end = bench.span()
    together = bump(bench.time, start, end, 0.45, 0.4)
    beat = np.sin(2.0 * np.pi * bench.uniform(1.8, 3.2) * bench.time + bench.uniform(0.0, 2.0 * np.pi))
    size = bench.uniform(22.0, 42.0)
    for hand in (0, 1):
        bench.turn(hand, np.array([-0.35, 0.4, -0.85]), INWARD, together)
        bench.close(hand, 0.08, together)
        point = np.zeros((bench.frames, 3)) + np.array([bench.side(hand) * -8.0, 10.0, 0.0])
        point[:, 1:] += bench.side(hand) * size * beat[:, None] * np.array([0.4, -0.9])
        bench.move(hand, point, together)
    return HandOutcome(None, start, end)


def _twist(bench: Workbench, opening: bool) -> HandOutcome:
    """A cap on a jar turned by grips of about 70 degrees; the fingers let go on the way back."""
    start, end = bench.span()
    lead, other = bench.lead, 1 - bench.lead
    grasp = bump(bench.time, start, end, 0.4, 0.35)
    base = np.array([0.0, bench.uniform(-60.0, -30.0), 0.0])
    bench.turn(other, ACROSS, INWARD, grasp)
    bench.move(other, base, grasp)
    bench.close(other, 0.55, grasp)
    turns = max(2, round(bench.uniform(1.1, 1.8) * (end - start - 0.6)))
    phase = np.clip((bench.time - start - 0.35) / (end - start - 0.65), 0.0, 1.0) * turns
    share = phase - np.floor(phase)
    stroke = ease(share / 0.55) * (1.0 - ease((share - 0.55) / 0.45))
    holding = ease(share / 0.22) * (1.0 - ease((share - 0.45) / 0.22))
    size = bench.uniform(1.0, 1.5)
    # Counter-clockwise from above opens; about +y that is the positive sense, for either hand.
    angle = (stroke - 0.5) * size * (1.0 if opening else -1.0)
    ahead = np.stack([-0.6 * np.sin(angle), np.full_like(angle, -0.8), -0.6 * np.cos(angle)], axis=1)
    palm = np.stack([0.8 * np.sin(angle), np.full_like(angle, -0.6), 0.8 * np.cos(angle)], axis=1)
    mirror = np.array([bench.side(lead), 1.0, 1.0])  # ``turn`` mirrors the left hand, the sense of rotation stays
    bench.turn(lead, ahead * mirror, palm * mirror, grasp)
    bench.move(lead, base + np.array([0.0, bench.uniform(75.0, 100.0), 0.0]), grasp)
    bench.close(lead, 0.30, grasp)
    bench.close(lead, bench.uniform(0.55, 0.7), grasp * holding)
    held = np.zeros((bench.frames, 2))
    held[:, other] = 1.0
    return HandOutcome(lead, start, end, (HandProp("jar", (60.0, 110.0, 60.0), held),))


def unscrew(bench: Workbench) -> HandOutcome:
    """A cap opened: the grip turns counter-clockwise."""
    return _twist(bench, True)


def screw(bench: Workbench) -> HandOutcome:
    """A cap closed: the grip turns clockwise."""
    return _twist(bench, False)


def _two_parts(bench: Workbench) -> tuple[HandProp, HandProp]:
    left, right = np.zeros((bench.frames, 2)), np.zeros((bench.frames, 2))
    left[:, 0], right[:, 1] = 1.0, 1.0
    size = (40.0, bench.uniform(25.0, 50.0), 40.0)
    return HandProp("part", size, left), HandProp("part", size, right)


def _pinching(bench: Workbench, weight: Array) -> None:
    for hand in (0, 1):
        bench.turn(hand, np.array([-0.75, 0.0, -0.65]), np.array([-0.6, -0.5, 0.5]), weight)
        bench.close(hand, PINCH, weight)


def pull_apart(bench: Workbench) -> HandOutcome:
    """Two parts held together, strained, then coming off with a jerk."""
    start, end = bench.span()
    _pinching(bench, np.ones(bench.frames))
    loose = start + bench.uniform(0.45, 0.7) * (end - start)
    apart = step(bench.time, loose, bench.uniform(0.2, 0.4))
    strain = 3.0 * np.sin(2.0 * np.pi * bench.uniform(4.0, 6.0) * bench.time) * bump(bench.time, start, loose, 0.3, 0.1)
    far = bench.uniform(80.0, 150.0)
    for hand in (0, 1):
        point = np.zeros((bench.frames, 3))
        point[:, 0] = bench.side(hand) * (26.0 + far * apart + 4.0 * step(bench.time, start, loose - start))
        point[:, 1] = strain * (1.0 if hand == bench.lead else 0.5)
        bench.move(hand, point, np.full(bench.frames, 0.95))
    return HandOutcome(None, start, end, _two_parts(bench))


def press_together(bench: Workbench) -> HandOutcome:
    """Two parts brought together, pressed, and held together."""
    start, end = bench.span()
    _pinching(bench, np.ones(bench.frames))
    meet = start + bench.uniform(0.35, 0.55) * (end - start)
    joined = step(bench.time, start, meet - start)
    press = bump(bench.time, meet, end, 0.15, 0.15)
    far = bench.uniform(80.0, 150.0)
    tremble = 2.0 * np.sin(2.0 * np.pi * bench.uniform(5.0, 7.0) * bench.time) * press
    for hand in (0, 1):
        point = np.zeros((bench.frames, 3))
        point[:, 0] = bench.side(hand) * (30.0 + far * (1.0 - joined) - 5.0 * press)
        point[:, 1] = tremble
        bench.move(hand, point, np.full(bench.frames, 0.95))
    return HandOutcome(None, start, end, _two_parts(bench))


def pass_on(bench: Workbench) -> HandOutcome:
    """The leading hand brings a thing to the middle; the other takes it away."""
    start, end = bench.span()
    lead, other = bench.lead, 1 - bench.lead
    meet = start + bench.uniform(0.42, 0.58) * (end - start)
    middle = np.array([bench.uniform(-20.0, 20.0), bench.uniform(-10.0, 40.0), 0.0])
    for hand in (lead, other):
        beside = np.array([bench.side(hand) * 26.0, 0.0, 0.0])
        near = bump(bench.time, meet - 0.6, meet + 0.65, 0.5, 0.5)
        bench.turn(hand, ACROSS, INWARD, np.ones(bench.frames))
        bench.move(hand, middle + beside, near)
    change = step(bench.time, meet - 0.08, 0.2)
    bench.close(lead, 0.6, 1.0 - change)
    bench.close(lead, 0.1, change * bump(bench.time, meet - 0.08, end, 0.2, 0.4))
    bench.close(other, 0.1, bump(bench.time, meet - 0.6, meet + 0.05, 0.35, 0.2))
    bench.close(other, 0.6, change)
    held = np.zeros((bench.frames, 2))
    held[:, lead], held[:, other] = 1.0 - change, change
    return HandOutcome(lead, start, end, (HandProp("ball", (60.0, 60.0, 60.0), held),))


def hammer(bench: Workbench) -> HandOutcome:
    """The leading fist falls fast and rises slowly over what the other hand holds."""
    start, end = bench.span()
    lead, other = bench.lead, 1 - bench.lead
    ready = bump(bench.time, start, end, 0.35, 0.3)
    bench.turn(other, ACROSS, DOWN, ready)
    bench.close(other, PINCH, ready)
    bench.move(other, np.array([bench.side(other) * 25.0, -70.0, 0.0]), ready)
    bench.turn(lead, np.array([-0.5, -0.2, -0.85]), INWARD, ready)
    bench.close(lead, 0.85, ready)
    strokes = max(2, round(bench.uniform(1.3, 2.2) * (end - start - 0.6)))
    share = np.clip((bench.time - start - 0.3) / (end - start - 0.6), 0.0, 1.0) * strokes % 1.0
    height = ease(share / 0.68) * (1.0 - ease((share - 0.68) / 0.32))
    point = np.zeros((bench.frames, 3)) + np.array([bench.side(lead) * 12.0, -15.0, 0.0])
    point[:, 1] += bench.uniform(70.0, 130.0) * height
    point[:, 2] += 20.0 * height
    bench.move(lead, point, ready)
    bench.controls.fingers[lead, :, 1] += 0.7 * height * ready
    held = np.zeros((bench.frames, 2))
    held[:, lead] = 1.0
    return HandOutcome(lead, start, end, (HandProp("hammer", (30.0, 30.0, 220.0), held),))


def stir(bench: Workbench) -> HandOutcome:
    """The leading hand goes round in circles over a bowl that the other steadies."""
    start, end = bench.span()
    lead, other = bench.lead, 1 - bench.lead
    ready = bump(bench.time, start, end, 0.4, 0.35)
    bench.turn(other, ACROSS, INWARD, ready)
    bench.close(other, 0.35, ready)
    bench.move(other, np.array([bench.side(other) * 75.0, -60.0, 0.0]), ready)
    bench.turn(lead, np.array([-0.4, -0.75, -0.5]), np.array([-0.8, -0.1, 0.4]), ready)
    bench.close(lead, PINCH, ready)
    angle = 2.0 * np.pi * bench.uniform(1.0, 1.9) * bench.time * bench.rng.choice([-1.0, 1.0])
    angle = angle + bench.uniform(0.0, 2.0 * np.pi)
    size = bench.uniform(22.0, 40.0)
    point = np.stack([size * np.cos(angle), np.full_like(angle, 15.0), size * np.sin(angle)], axis=1)
    bench.move(lead, point, ready)
    held = np.zeros((bench.frames, 2))
    held[:, lead] = 1.0
    return HandOutcome(lead, start, end, (HandProp("spoon", (12.0, 180.0, 12.0), held),))


def idle(bench: Workbench) -> HandOutcome:
    """Two hands that do nothing with each other."""
    for hand in (0, 1):
        way = np.array([bench.side(hand) * bench.uniform(-20.0, 120.0), bench.uniform(-60.0, 80.0), 0.0])
        bench.move(hand, bench.controls.grip[hand] + way, step(bench.time, 0.2 * bench.duration, 0.6 * bench.duration))
        bench.close(hand, bench.uniform(0.0, 0.7), step(bench.time, bench.uniform(0.0, 0.5), 0.6))
    return HandOutcome(None, 0.0, bench.duration)


HandScript = Callable[[Workbench], HandOutcome]

HAND_SCRIPTS: Mapping[str, HandScript] = {
    "clap": clap,
    "rub": rub,
    "unscrew": unscrew,
    "screw": screw,
    "pull apart": pull_apart,
    "press together": press_together,
    "pass": pass_on,
    "hammer": hammer,
    "stir": stir,
}
HAND_CLASSES = tuple(HAND_SCRIPTS)
"""The two-hand actions, in the order of their labels."""

HAND_NEUTRAL: Mapping[str, HandScript] = {"idle": idle}
