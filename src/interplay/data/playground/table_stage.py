"""Where a clip of the table is set up: its look, its camera, and the verbs that the scripts are written in.

A script draws every random number from ``rng``, the same ones whichever member of its family it acts: the classes of a
family are told apart by what happens and by nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from interplay.data.playground.objects import KINDS, random_colour
from interplay.data.playground.profiles import Array, step, sway
from interplay.data.playground.rendering import Colour, Shape, shade
from interplay.data.playground.table_hands import ANCHORS, Hand
from interplay.data.playground.table_look import Look, TableTop, random_look
from interplay.data.playground.table_things import BRIGHT, HANDY, SIZES, Thing
from interplay.data.playground.table_view import CameraPath, TableView

RATE = 12.0
"""Frames per second, as in Something-Something."""
SHORTEST, LONGEST = 36, 48

Event = Mapping[str, Any]
"""What truly happened: ``what`` (the class's code), ``start`` and ``end`` (seconds), what else the script says."""


@dataclass(slots=True)
class TableStage:
    """A table, a camera above it, T frames, and what is put there.

    Args:
        rng: of this clip's family; see above.
        size: width and height of a frame, pixels.
    """

    rng: np.random.Generator
    size: tuple[int, int]
    frames: int = field(init=False)
    time: Array = field(init=False)
    look: Look = field(init=False)
    top: TableTop = field(init=False)
    view: TableView = field(init=False)
    path: CameraPath = field(init=False)
    things: list[Thing] = field(init=False, default_factory=list)
    hands: list[Hand] = field(init=False, default_factory=list)
    fixtures: list[Shape] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.frames = int(self.rng.integers(SHORTEST, LONGEST + 1))
        self.time = np.arange(self.frames) / RATE
        self.look = random_look(self.rng)
        self.top = TableTop()
        self.see()
        shake = sway(self.rng, self.time, (2,), 0.006)
        self.path = CameraPath(shake[0], shake[1], np.ones(self.frames))

    @property
    def duration(self) -> float:
        return self.frames / RATE

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def side(self) -> float:
        """−1 or 1."""
        return 1.0 if self.rng.random() < 0.5 else -1.0

    def see(
        self,
        pitch: tuple[float, float] = (0.42, 0.58),
        span: tuple[float, float] = (0.95, 1.10),
        aim: tuple[float, float] = (0.06, 0.0),
        top: TableTop | None = None,
    ) -> None:
        """Where the camera stands: ranges of its pitch (radians) and of the metres that a frame's width shows."""
        self.view = TableView(*self.size, self.uniform(*pitch), self.uniform(1.5, 1.8), self.uniform(*span), aim)
        self.top = top or self.top

    def span(self, start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
        """Start and end of an action in seconds, drawn as shares of the clip."""
        return self.duration * self.uniform(*start), self.duration * self.uniform(*end)

    def progress(self, start: float, end: float) -> Array:
        """(T,), from 0 at ``start`` smoothly to 1 at ``end`` (seconds)."""
        return step(self.time, start, end - start)

    def track(self, x: Array | float, y: Array | float, z: Array | float) -> Array:
        """(T, 3) from three tracks or constants, metres."""
        return np.stack([np.broadcast_to(np.asarray(each, np.float64), (self.frames,)) for each in (x, y, z)], axis=-1)

    # -- what is on the table ------------------------------------------------------------------------------------

    def kind(self, kinds: Sequence[str] = HANDY) -> str:
        return kinds[int(self.rng.integers(len(kinds)))]

    def colours(self, kind: str) -> tuple[Colour, Colour]:
        """A kind's colour and a second one that stands out from it."""
        first = random_colour(self.rng, kind) if kind in KINDS else BRIGHT[int(self.rng.integers(len(BRIGHT)))]
        second = BRIGHT[int(self.rng.integers(len(BRIGHT)))]
        if sum(abs(a - b) for a, b in zip(first, second, strict=True)) < 150:
            second = shade(first, 0.35) if sum(first) > 330 else shade(first, 1.7)
        return first, second

    def thing(
        self,
        kind: str,
        position: Array,
        name: str = "thing",
        colours: tuple[Colour, Colour] | None = None,
        scale: float = 1.0,
    ) -> Thing:
        """Put something there; ``position`` (T, 3) is the middle of its lower edge."""
        first, second = colours or self.colours(kind)
        width, height = SIZES[kind]
        known = sum(each.name.startswith(name) for each in self.things)
        made = Thing(
            kind=kind,
            position=position,
            colour=first,
            second=second,
            name=f"{name} {known}",
            size=(width * scale, height * scale),
            angle=np.zeros(self.frames),
            detail=float(self.rng.random()),
            shadow=kind != "crate",
        )
        self.things.append(made)
        return made

    def clutter(self, most: int = 2, least: int = 0, z: tuple[float, float] = (-0.33, -0.26)) -> None:
        """Things that only stand there, at the back of the table."""
        count = int(self.rng.integers(least, most + 1))
        places = self.rng.permutation(np.linspace(-0.42, 0.42, 6))[:count]
        for x in places.tolist():
            self.thing(self.kind(), self.track(x + self.uniform(-0.04, 0.04), 0.0, self.uniform(*z)), "clutter")

    def hand(
        self,
        contact: Array,
        side: str,
        pose: str,
        enters: float | None,
        leaves: float | None,
        travel: float = 0.4,
        second: bool = False,
    ) -> Hand:
        """A hand that is at ``contact`` (T, 3) from ``enters + travel`` to ``leaves`` (seconds), else out of the
        picture; None: from the first, to the last frame. ``side`` is one of ``table_hands.ANCHORS``; ``second`` takes
        the other sleeve."""
        there = np.ones(self.frames)
        if enters is not None:
            there = there * step(self.time, enters, travel)
        if leaves is not None:
            there = there * (1.0 - step(self.time, leaves, travel))
        anchor = np.array(ANCHORS[side]) + self.rng.uniform(-0.06, 0.06, 3)
        sleeve = self.look.second_sleeve if second else self.look.sleeve
        made = Hand(contact, there, anchor, pose, self.look.skin, sleeve, f"hand {len(self.hands)}")
        self.hands.append(made)
        return made

    def polygon(self, points: Sequence[tuple[float, float, float]], fill: Colour) -> None:
        """Something flat that never moves, drawn with the background."""
        seen = self.view.project(np.array(points))[:, :2].tolist()
        self.fixtures.append(Shape(tuple((u, v) for u, v in seen), fill, edge=shade(fill, 0.6)))

    # -- afterwards ------------------------------------------------------------------------------------------------

    def mirror(self) -> None:
        """Left becomes right for everything that moves, is moved, or never moves but was put there by a script."""
        for thing in self.things:
            thing.position, thing.angle = thing.position * np.array([-1.0, 1.0, 1.0]), -thing.angle
            thing.pivot = (-thing.pivot[0], thing.pivot[1])
        for hand in self.hands:
            hand.contact, hand.anchor = hand.contact * np.array([-1.0, 1.0, 1.0]), hand.anchor * np.array([-1, 1, 1])
        width = float(self.view.width)
        self.fixtures = [
            shape._replace(points=tuple((width - u, v) for u, v in shape.points)) for shape in self.fixtures
        ]

    def reverse(self) -> None:
        """Everything backwards in time."""
        for thing in self.things:
            thing.reverse()
        for hand in self.hands:
            hand.reverse()
        self.path = self.path.reversed()


Script = Callable[..., Event]
"""``script(stage, **options)``: the options say which member of the family is acted and change no draw."""
