"""Things on the table: what they are over time, how they are drawn in a frame, and the boxes that hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interplay.data.playground.objects import KINDS, draw_object
from interplay.data.playground.profiles import Array
from interplay.data.playground.rendering import Colour, Pen, Shape, shade
from interplay.data.playground.table_view import CameraPath, FrameLens, TableView

Layer = tuple[float, list[Shape]]
"""How near (the world's z, larger is drawn later), and what is drawn."""

BRIGHT: tuple[Colour, ...] = (
    *((214, 60, 52), (52, 110, 200), (240, 190, 50), (70, 160, 80), (235, 235, 225), (150, 80, 170)),
    *((240, 130, 50), (40, 44, 56), (90, 200, 200)),
)
SIZES: Mapping[str, tuple[float, float]] = {
    "cup": (0.16, 0.17),
    "bottle": (0.09, 0.26),
    "book": (0.22, 0.07),
    "ball": (0.17, 0.17),
    "box": (0.20, 0.16),
    "vase": (0.11, 0.23),
    "bag": (0.19, 0.20),
    "hat": (0.22, 0.10),
    "phone": (0.11, 0.19),
    "block": (0.14, 0.14),
    "can": (0.11, 0.16),
    "wheel": (0.20, 0.20),
    "car": (0.23, 0.12),
    "bucket": (0.24, 0.24),
    "board": (0.30, 0.26),
    "stand": (0.28, 0.10),
    "crate": (0.28, 0.15),
}
"""Width and height, metres: a hand is a fifth larger than life, small things up to a third."""

DISCS = ("wheel", "ball")
"""Round however they have turned."""

HANDY = ("cup", "bottle", "box", "vase", "bag", "phone", "block", "can")
"""What a hand moves about: about as high as wide, or higher."""


@dataclass(eq=False)
class Thing:
    """One thing over T frames.

    Args:
        kind: of :data:`SIZES`.
        position: (T, 3), middle of its lower edge (of its base, for a crate), metres.
        colour, second: its colours.
        name: what ``meta`` calls it.
        size: width and height, metres.
        angle: (T,), radians, counter-clockwise in the picture, about ``pivot``.
        pivot: metres from the middle of the lower edge, in the thing's own axes.
        amount: (T,), of a crate's lid: 0 closed, 1 open; None without a lid.
        detail: in [0, 1).
        nearer: added to z when deciding what is drawn later.
        proposed: whether the proposals may find it: (T,) or one value for all frames.
        shadow: whether it throws one on the table.
    """

    kind: str
    position: Array
    colour: Colour
    second: Colour
    name: str
    size: tuple[float, float]
    angle: Array
    pivot: tuple[float, float] = (0.0, 0.0)
    amount: Array | None = None
    detail: float = 0.0
    nearer: float = 0.0
    proposed: NDArray[np.bool_] | bool = True
    shadow: bool = True

    def footprint(self, frame: int) -> tuple[float, float]:
        """Where it begins and ends across the picture, metres from its position, however it is tilted."""
        half = 0.5 * self.size[0]
        if self.kind in DISCS:
            return (-half, half)
        cosine, sine = math.cos(self.angle[frame]), math.sin(self.angle[frame])
        px, py = self.pivot
        ends = [px + cosine * (x - px) - sine * (y - py) for x in (-half, half) for y in (0.0, self.size[1])]
        return (min(ends), max(ends))

    def reverse(self) -> None:
        """The same backwards in time."""
        self.position, self.angle = self.position[::-1], self.angle[::-1]
        self.amount = None if self.amount is None else self.amount[::-1]
        if not isinstance(self.proposed, bool):
            self.proposed = self.proposed[::-1]

    def layers(self, frame: int, lens: FrameLens) -> list[Layer]:
        """What is drawn of it in one frame."""
        x, y, z = self.position[frame].tolist()
        if self.kind == "crate":
            return self._crate(frame, lens, x, y, z)
        u, v, scale = lens.point(x, y, z)
        angle = float(self.angle[frame])
        px, py = self.pivot
        cosine, sine = math.cos(angle), math.sin(angle)
        across, up = px - (cosine * px - sine * py), py - (sine * px + cosine * py)
        u, v = u + scale * across, v - scale * up
        if self.kind in _OWN:
            pen = Pen(u, v, scale, angle)
            _OWN[self.kind](pen, *self.size, self.colour, self.second)
        else:
            pen = Pen(u, v, scale * self.size[1] / KINDS[self.kind].size[1], angle)
            draw_object(pen, self.kind, self.colour, self.detail)
        return [(z + self.nearer, pen.shapes)]

    def _crate(self, frame: int, lens: FrameLens, x: float, y: float, z: float) -> list[Layer]:
        """Its inside first, then what may be in it, then its front, then a closed lid."""
        w, h, d = 0.5 * self.size[0], self.size[1], 0.5 * CRATE_DEPTH

        def quad(fill: Colour, *corners: tuple[float, float, float]) -> Shape:
            points = tuple(lens.point(x + a, y + b, z + c)[:2] for a, b, c in corners)
            return Shape(points, fill, edge=shade(fill, 0.6))

        inside = quad(shade(self.colour, 0.35), (-w, h, -d), (w, h, -d), (w, h, d), (-w, h, d))
        front = quad(self.colour, (-w, 0.0, d), (w, 0.0, d), (w, h, d), (-w, h, d))
        band = quad(self.second, (-w, 0.35 * h, d), (w, 0.35 * h, d), (w, 0.65 * h, d), (-w, 0.65 * h, d))
        layers: list[Layer] = [(z - d, [inside]), (z + d, [front, band])]
        if self.amount is not None:
            turn = LID_TURN * float(self.amount[frame])
            high, near = h + 2.0 * d * math.sin(turn), -d + 2.0 * d * math.cos(turn)
            fill = shade(self.colour, 1.15 - 0.3 * float(self.amount[frame]))
            lid = quad(fill, (-w, h, -d), (w, h, -d), (w, high, near), (-w, high, near))
            layers.append((z + d + 0.001 if turn < 1.2 else z - d - 0.001, [lid]))
        return layers

    def boxes(self, view: TableView, path: CameraPath) -> Array:
        """(T, 4): x1, y1, x2, y2 in pixels of each frame, not clipped to it."""
        w, h = 0.5 * self.size[0], self.size[1]
        if self.kind == "crate":
            d = 0.5 * CRATE_DEPTH
            corners = [(a, b, c) for a in (-w, w) for b in (0.0, h) for c in (-d, d)]
            points = self.position[:, None] + np.array(corners)
            if self.amount is not None:
                turn = LID_TURN * self.amount
                edge = np.stack([0 * turn, h + 2 * d * np.sin(turn), 2 * d * np.cos(turn) - d], axis=-1)
                sides = np.array([[-w, 0.0, 0.0], [w, 0.0, 0.0]])
                points = np.concatenate([points, (self.position + edge)[:, None] + sides], axis=1)
            return around(view.through(path, points)[..., :2])
        base = view.through(path, self.position)
        cosine, sine = np.cos(self.angle)[:, None], np.sin(self.angle)[:, None]
        if self.kind in DISCS:  # a disc: the same box however it has turned
            middle = self.pivot if self.pivot != (0.0, 0.0) else (0.0, w)
            dx, dy = -middle[0], w - middle[1]
            local = np.stack([cosine * dx - sine * dy + middle[0], sine * dx + cosine * dy + middle[1]], axis=-1)
            local = local + np.array([[-w, -w], [w, w]])
        else:
            x, y = np.array([-w, w, w, -w]) - self.pivot[0], np.array([0.0, 0.0, h, h]) - self.pivot[1]
            local = np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=-1) + np.array(self.pivot)
        return around(base[:, None, :2] + base[:, None, 2:] * local * np.array([1.0, -1.0]))


CRATE_DEPTH = 0.20
LID_TURN = 1.85
"""How far an open lid has turned, radians."""


def around(points: Array) -> Array:
    """(T, K, 2) → (T, 4), the boxes around K points each."""
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=-1)


def _wheel(pen: Pen, w: float, h: float, colour: Colour, second: Colour) -> None:
    r = 0.5 * w
    pen.ellipse(0.0, r, r, r, colour)
    half = [(0.86 * r * math.cos(t), r + 0.86 * r * math.sin(t)) for t in (math.pi * k / 8 for k in range(9))]
    pen.polygon(half, second, edge=False)
    pen.ellipse(0.5 * r, 0.55 * r, 0.2 * r, 0.2 * r, second, edge=False)
    pen.ellipse(0.0, r, 0.18 * r, 0.18 * r, (245, 245, 240))


def _block(pen: Pen, w: float, h: float, colour: Colour, second: Colour) -> None:
    pen.rectangle(-0.5 * w, 0.0, 0.5 * w, h, colour)
    pen.rectangle(-0.5 * w, 0.30 * h, 0.5 * w, 0.52 * h, second, edge=False)
    pen.rectangle(-0.32 * w, 0.68 * h, -0.08 * w, 0.88 * h, second, edge=False)


def _can(pen: Pen, w: float, h: float, colour: Colour, second: Colour) -> None:
    pen.rectangle(-0.5 * w, 0.03 * h, 0.5 * w, 0.93 * h, colour)
    pen.rectangle(-0.5 * w, 0.25 * h, 0.5 * w, 0.62 * h, second, edge=False)
    pen.ellipse(0.0, 0.92 * h, 0.5 * w, 0.08 * h, (206, 210, 214))


def _car(pen: Pen, w: float, h: float, colour: Colour, second: Colour) -> None:
    cabin = ((-0.26 * w, 0.6 * h), (-0.17 * w, h), (0.17 * w, h), (0.26 * w, 0.6 * h))
    pen.polygon(cabin, shade(colour, 0.8))
    pen.rectangle(-0.13 * w, 0.65 * h, 0.13 * w, 0.92 * h, (190, 220, 240), edge=False)
    pen.rectangle(-0.5 * w, 0.2 * h, 0.5 * w, 0.64 * h, colour)
    pen.rectangle(-0.5 * w, 0.34 * h, 0.5 * w, 0.46 * h, second, edge=False)
    for side in (-0.28, 0.28):
        pen.ellipse(side * w, 0.18 * h, 0.11 * w, 0.11 * w, (30, 30, 34))


def _bucket(pen: Pen, w: float, h: float, colour: Colour, second: Colour) -> None:
    pen.polygon(((-0.5 * w, 0.0), (0.5 * w, 0.0), (0.36 * w, h), (-0.36 * w, h)), colour)
    pen.polygon(((-0.47 * w, 0.18 * h), (0.47 * w, 0.18 * h), (0.44 * w, 0.36 * h), (-0.44 * w, 0.36 * h)), second)
    pen.ellipse(0.0, h - 0.03 * h, 0.36 * w, 0.05 * h, shade(colour, 1.3))


def _board(pen: Pen, w: float, h: float, colour: Colour, second: Colour) -> None:
    pen.rectangle(-0.5 * w, 0.0, 0.5 * w, h, colour)
    for k in range(3):
        pen.rectangle((-0.42 + 0.3 * k) * w, 0.1 * h, (-0.26 + 0.3 * k) * w, 0.9 * h, second, edge=False)


def _stand(pen: Pen, w: float, h: float, colour: Colour, second: Colour) -> None:
    pen.polygon(((-0.5 * w, h), (-0.42 * w, 1.45 * h), (0.42 * w, 1.45 * h), (0.5 * w, h)), shade(colour, 1.25))
    pen.rectangle(-0.5 * w, 0.0, 0.5 * w, h, colour)
    pen.rectangle(-0.5 * w, 0.35 * h, 0.5 * w, 0.6 * h, second, edge=False)


_OWN = {
    "wheel": _wheel,
    "block": _block,
    "can": _can,
    "car": _car,
    "bucket": _bucket,
    "board": _board,
    "stand": _stand,
}
