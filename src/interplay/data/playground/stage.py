"""Where an episode is set up: two people, their places, a camera, and the verbs that scripts are written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from interplay.data.playground.bodies import Body, Style
from interplay.data.playground.kinematics import HEAD, SHOULDERS, SPINE_SHOULDER, Controls, Torso, torso
from interplay.data.playground.profiles import Array, sway


@dataclass(frozen=True, slots=True)
class Prop:
    """An object that a script brings in.

    Args:
        kind: what it is ("cup").
        size: width, height, depth in metres.
        held: (T, 2, 2), share of its position that each person's left and right hand decides; sums to 1 a frame.
    """

    kind: str
    size: tuple[float, float, float]
    held: Array


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a script did: who was active (None: both alike), from when to when (seconds), and the objects used."""

    subject: int | None
    start: float
    end: float
    props: tuple[Prop, ...] = ()


@dataclass(slots=True)
class Stage:
    """Two people, ``frames`` frames, and the controls that a script writes into.

    Scripts draw every random number from ``rng`` and place people with :meth:`face_each_other` first, bodies second
    (steps, leaning), and the hands last, because a hand's target is a point in the world. ``side`` fixes where person
    0 stands (−1 left, 1 right); None draws it.
    """

    rng: np.random.Generator
    bodies: tuple[Body, Body]
    styles: tuple[Style, Style]
    frames: int
    rate: float
    side: float | None = None
    controls: Controls = field(init=False)
    time: Array = field(init=False)
    _torso: Torso | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.controls = Controls.standing(2, self.frames)
        self.time = np.arange(self.frames) / self.rate

    @property
    def duration(self) -> float:
        return self.frames / self.rate

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def coin(self, chance: float = 0.5) -> bool:
        return bool(self.rng.random() < chance)

    def span(self, start: tuple[float, float] = (0.05, 0.18), end: tuple[float, float] = (0.84, 0.97)) -> list[float]:
        """Start and end of the action in seconds, drawn as shares of the duration."""
        return [self.duration * self.uniform(*start), self.duration * self.uniform(*end)]

    # -- where people stand ------------------------------------------------------------------------------------

    def face_each_other(self, distance: float, askew: float = 0.15) -> None:
        """Person 0 and person 1 at ``distance`` metres, which of them is on the left drawn, turned to each other up
        to ``askew`` radians; involuntary sway of the torso, head and arms."""
        controls, rng, time = self.controls, self.rng, self.time
        flip = 1.0 if self.coin() else -1.0
        if self.side is not None:
            flip = -self.side
        for person, sign in ((0, -flip), (1, flip)):
            controls.root[person, :, 0] = sign * 0.5 * distance
            controls.yaw[person] = -sign * 0.5 * np.pi
        controls.root += rng.uniform(-0.06, 0.06, (2, 1, 2))
        controls.yaw += rng.uniform(-askew, askew, (2, 1)) + sway(rng, time, (2,), 0.04)
        controls.root += np.moveaxis(sway(rng, time, (2, 2), 0.015), 2, 1)
        controls.lean += rng.uniform(-0.03, 0.06, (2, 1)) + sway(rng, time, (2,), 0.03)
        controls.roll += sway(rng, time, (2,), 0.025)
        controls.twist += sway(rng, time, (2,), 0.05)
        controls.gaze += np.moveaxis(sway(rng, time, (2, 2), 0.10), 2, 1)
        controls.wrists += np.moveaxis(sway(rng, time, (2, 2, 3), 0.03), 3, 2)
        controls.wrists += rng.uniform(-0.04, 0.04, (2, 2, 1, 3))
        self.changed()

    def changed(self) -> None:
        """Call after moving a body, so that the next world position is computed anew."""
        self._torso = None

    def walk(self, person: int, forward: float | Array, sideways: float = 0.0) -> None:
        """Move along the own first heading (metres, left is positive sideways); give tracks to move over time."""
        yaw = self.controls.yaw[person, 0]
        ahead, left = np.array([np.sin(yaw), np.cos(yaw)]), np.array([np.cos(yaw), -np.sin(yaw)])
        self.controls.root[person] += np.multiply.outer(np.broadcast_to(forward, (self.frames,)), ahead)
        self.controls.root[person] += sideways * left
        self.changed()

    @property
    def shoulder_height(self) -> float:
        """Mean of the two people, standing, metres."""
        return 0.5 * (self.bodies[0].shoulder_height + self.bodies[1].shoulder_height)

    # -- where body parts are ----------------------------------------------------------------------------------

    def body(self) -> Torso:
        if self._torso is None:
            self._torso = torso(self.controls, self.bodies, self.styles, self.rate)
        return self._torso

    def joint(self, person: int, index: int) -> Array:
        """World position (T, 3) of a joint of spine, head, shoulders or hips."""
        return self.body().joints[person, :, index]

    def chest(self, person: int, forward: float = 0.0, up: float = 0.0, left: float = 0.0) -> Array:
        """A point (T, 3) relative to the chest (spine shoulder), metres."""
        frame = self.body().chest[person]
        return np.asarray(self.joint(person, SPINE_SHOULDER) + frame @ np.array([left, up, forward]))

    def head(self, person: int, forward: float = 0.0, up: float = 0.0, left: float = 0.0) -> Array:
        """A point (T, 3) relative to the head, in the chest's frame, metres."""
        return np.asarray(self.joint(person, HEAD) + self.body().chest[person] @ np.array([left, up, forward]))

    def between(self, height: float, share: float = 0.5) -> Array:
        """A point (T, 3) between the two chests (``share`` 0: at person 0), at ``height`` metres over the floor."""
        first, second = self.joint(0, SPINE_SHOULDER), self.joint(1, SPINE_SHOULDER)
        point = (1.0 - share) * first + share * second
        point[:, 1] = height
        return np.asarray(point)

    # -- hands ---------------------------------------------------------------------------------------------------

    def local(self, person: int, side: int, target: Array) -> Array:
        """A world target for the *hand*, as a wrist offset from the shoulder in units of reach (T, 3).

        The wrist stops short of the target by the palm's length, along the line from the shoulder.
        """
        shoulder = self.joint(person, SHOULDERS[side])
        offset = target - shoulder
        length = np.sqrt((offset * offset).sum(-1, keepdims=True)) + 1e-9
        offset = offset * np.maximum(1.0 - 0.8 * self.bodies[person].palm / length, 0.3)
        inverse = np.swapaxes(self.body().chest[person], -1, -2)
        return np.asarray((inverse @ offset[..., None])[..., 0] / self.bodies[person].arm)

    def reach(self, person: int, side: int, target: Array, weight: Array) -> None:
        """Move a hand from where it is to a world point (T, 3) by ``weight`` (T,)."""
        self.hold(person, side, self.local(person, side, target), weight)

    def hold(self, person: int, side: int, offset: Array, weight: Array) -> None:
        """The same with a target in the chest's frame, in units of reach: (3,) or (T, 3).

        Where the straight way would pass the shoulder (from hanging to raised), the hand goes round it in front.
        """
        wrists = self.controls.wrists[person, side]
        norms = np.sqrt((wrists * wrists).sum(-1) * (offset * offset).sum(-1)) + 1e-9
        around = (1.0 - (wrists * offset).sum(-1) / norms) * 1.5 * weight * (1.0 - weight)
        wrists += weight[:, None] * (offset - wrists)
        wrists += around[:, None] * np.array([0.35 * (1.0 - 2.0 * side), 0.0, 0.8])
        swing = self.controls.swing[person, side]
        swing *= 1.0 - weight


Script = Callable[[Stage], Outcome]
