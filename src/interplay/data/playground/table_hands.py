"""Hands that enter the picture from its border: where they are over time, how they are drawn, their boxes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interplay.data.playground.profiles import Array
from interplay.data.playground.rendering import Colour, Pen, shade
from interplay.data.playground.table_things import Layer, around
from interplay.data.playground.table_view import CameraPath, FrameLens, TableView

ANCHORS: Mapping[str, tuple[float, float, float]] = {
    "left": (-1.05, 0.20, 0.28),
    "right": (1.05, 0.20, 0.28),
    "front left": (-0.42, 0.12, 0.85),
    "front right": (0.42, 0.12, 0.85),
}
"""Where an arm comes from, metres: outside every picture."""

POSES = ("grip", "push", "point")


@dataclass(eq=False)
class Hand:
    """A hand and the arm behind it over T frames.

    Args:
        contact: (T, 3), where its fingers are when it is there, metres.
        there: (T,), 0 at its anchor, outside the picture, 1 at ``contact``.
        anchor: (3,) where its arm comes from.
        pose: of :data:`POSES`.
        skin, sleeve: colours.
        name: what ``meta`` calls it.
        nearer: added to z when deciding what is drawn later.
        proposed: whether the proposals ever find it.
    """

    contact: Array
    there: Array
    anchor: Array
    pose: str
    skin: Colour
    sleeve: Colour
    name: str
    nearer: float = 0.05
    proposed: NDArray[np.bool_] | bool = True

    def reverse(self) -> None:
        self.contact, self.there = self.contact[::-1], self.there[::-1]
        if not isinstance(self.proposed, bool):
            self.proposed = self.proposed[::-1]

    @property
    def position(self) -> Array:
        """(T, 3), of the finger tips."""
        return self.anchor + self.there[:, None] * (self.contact - self.anchor)

    def layers(self, frame: int, lens: FrameLens) -> list[Layer]:
        there = float(self.there[frame])
        if there < 0.03:
            return []
        ax, ay, az = self.anchor.tolist()
        cx, cy, cz = self.contact[frame].tolist()
        x, y, z = ax + there * (cx - ax), ay + there * (cy - ay), az + there * (cz - az)
        u, v, scale = lens.point(x, y, z)
        to_u, to_v, _ = lens.point(cx, cy, cz)
        from_u, from_v, _ = lens.point(ax, ay, az)
        angle = math.atan2(from_v - to_v, to_u - from_u)
        length = math.hypot(u - from_u, v - from_v) / scale + 0.6
        near = cz + self.nearer
        behind, front = Pen(u, v, scale, angle), Pen(u, v, scale, angle)
        thumb = 1.0 if abs(angle) < 0.5 * math.pi else -1.0  # the thumb is up
        _draw(behind, front, self.pose, thumb, length, self.skin, self.sleeve)
        return [(near - 0.07 if self.pose == "grip" else near, behind.shapes), (near, front.shapes)]

    def boxes(self, view: TableView, path: CameraPath) -> Array:
        """(T, 4): of the hand without its arm, pixels, not clipped to the frame."""
        at = view.through(path, self.position)
        to = view.through(path, self.contact)[:, :2]
        origin = view.through(path, np.broadcast_to(self.anchor, self.contact.shape))[:, :2]
        way = to - origin
        way = way / (np.linalg.norm(way, axis=-1, keepdims=True) + 1e-9)
        across = np.stack([-way[:, 1], way[:, 0]], axis=-1)
        front = 0.04 if self.pose == "grip" else 0.005
        corners = [
            at[:, :2] + at[:, 2:] * (a * way + b * across)
            for a, b in ((front, 0.05), (front, -0.05), (-0.09, 0.075), (-0.09, -0.075), (-0.19, 0.05), (-0.19, -0.05))
        ]
        return around(np.stack(corners, axis=1))


def _draw(behind: Pen, front: Pen, pose: str, thumb: float, length: float, skin: Colour, sleeve: Colour) -> None:
    """A hand along the pen's x, its finger tips at the origin, its arm towards negative x.

    ``thumb`` is the side (±1, y) of the thumb; with a grip the fingers go behind what is held, the thumb in front.
    """
    dark, light = shade(skin, 0.86), shade(skin, 1.12)
    first = behind if pose == "grip" else front
    if pose == "grip":
        for k in range(4):
            side = -thumb * (0.050 - 0.008 * k)
            tip = -thumb * (0.048 - 0.012 * k)
            points = ((-0.09, 0.6 * side), (-0.03, 1.25 * side), (0.025 + 0.01 * k, tip))
            first.stroke(points, 0.027, light if k % 2 else skin, edge=True)
    elif pose == "point":
        front.stroke(((-0.10, 0.018 * thumb), (0.0, 0.0)), 0.028, skin, edge=True)
        for k in range(3):
            side = thumb * (-0.008 - 0.023 * k)
            front.stroke(((-0.10, side), (-0.055 - 0.005 * k, side)), 0.03, light if k % 2 else skin, edge=True)
    else:
        for k in range(4):
            side = thumb * (0.036 - 0.024 * k)
            front.stroke(((-0.10, side), (-0.004 - 0.009 * abs(k - 1), 0.85 * side)), 0.026, skin, edge=True)
    front.stroke(((-0.16, 0.0), (-length, 0.0)), 0.082, skin, edge=True)
    front.stroke(((-0.27, 0.0), (-length, 0.0)), 0.115, sleeve, edge=True)
    front.stroke(((-0.265, -0.035), (-0.265, 0.035)), 0.022, shade(sleeve, 0.75))
    palm = ((-0.17, 0.040), (-0.15, 0.050), (-0.085, 0.052), (-0.075, -0.048), (-0.15, -0.046), (-0.17, -0.038))
    front.polygon(((x, thumb * y) for x, y in palm), skin, edge=True)
    front.ellipse(-0.115, -0.012 * thumb, 0.030, 0.026, dark, edge=False)
    if pose == "grip":
        points = ((-0.13, 0.042 * thumb), (-0.06, 0.066 * thumb), (0.015, 0.045 * thumb))
    elif pose == "point":
        points = ((-0.13, 0.042 * thumb), (-0.075, 0.058 * thumb), (-0.06, 0.03 * thumb))
    else:
        points = ((-0.14, 0.042 * thumb), (-0.10, 0.075 * thumb), (-0.065, 0.082 * thumb))
    front.stroke(points, 0.03, skin, edge=True)
