"""What the table is seen through: a camera that looks down on it, and how that camera moves during a clip.

World frame: metres, x to the right, y up, z towards the viewer; the table's top is y = 0, its middle the origin.
Picture frame: pixels as in :mod:`~interplay.data.playground.rendering`. The camera of a clip stands still in the world;
turning and approaching are a shift and a magnification of its picture (without parallax), so that what stands still
is drawn once a clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from interplay.data.playground.profiles import Array


@dataclass(frozen=True, eq=False)
class CameraPath:
    """How the picture shifts and grows over T frames.

    Args:
        across, down: (T,), where the middle of the frame lies in the standing camera's picture, in shares of the
            picture's width; right and down are positive.
        zoom: (T,), magnification about the frame's middle.
    """

    across: Array
    down: Array
    zoom: Array

    def reversed(self) -> CameraPath:
        return CameraPath(self.across[::-1], self.down[::-1], self.zoom[::-1])


@dataclass(frozen=True, slots=True)
class TableView:
    """A standing camera.

    A point (x, y, z) goes to u = W/2 + F·x'/d, v = H/2 − F·y'/d with x', y' and d its coordinates in the camera's axes
    (right, up, ahead) and F = W · ``distance`` / ``span``.

    Args:
        width, height: of a frame, pixels.
        pitch: how far the camera looks down, radians.
        distance: from the point it looks at, metres.
        span: metres of the table that the frame's width shows at that point.
        aim: (y, z) of the point it looks at; its x is 0.
    """

    width: int
    height: int
    pitch: float
    distance: float
    span: float
    aim: tuple[float, float]

    @property
    def focal(self) -> float:
        """Pixels."""
        return self.width * self.distance / self.span

    @property
    def position(self) -> tuple[float, float, float]:
        """Of the camera, in the world."""
        y, z = self.aim
        return (0.0, y + self.distance * math.sin(self.pitch), z + self.distance * math.cos(self.pitch))

    def project(self, points: Array) -> Array:
        """World points (…, 3) to (…, 3): u, v and pixels a metre there."""
        sine, cosine = math.sin(self.pitch), math.cos(self.pitch)
        offset = np.asarray(points, dtype=np.float64) - np.array(self.position)
        up, ahead = offset[..., 1] * cosine - offset[..., 2] * sine, -offset[..., 1] * sine - offset[..., 2] * cosine
        scale = self.focal / np.maximum(ahead, 0.1)
        return np.stack(
            [0.5 * self.width + scale * offset[..., 0], 0.5 * self.height - scale * up, np.asarray(scale)], axis=-1
        )

    def through(self, path: CameraPath, points: Array) -> Array:
        """World points of every frame, (T, …, 3), as the moving camera sees them: u, v, pixels a metre."""
        seen = self.project(points)
        shape = (-1, *([1] * (seen.ndim - 2)))
        zoom = path.zoom.reshape(shape)
        for axis, side, shift in ((0, self.width, path.across), (1, self.height, path.down)):
            middle = 0.5 * side + self.width * shift.reshape(shape)
            seen[..., axis] = 0.5 * side + (seen[..., axis] - middle) * zoom
        seen[..., 2] *= zoom
        return seen

    def lens(self, across: float = 0.0, down: float = 0.0, zoom: float = 1.0) -> FrameLens:
        """The same for one frame and single points."""
        return FrameLens(self, across, down, zoom)


class FrameLens:
    """One frame's camera: single points quickly (a frame takes hundreds)."""

    def __init__(self, view: TableView, across: float, down: float, zoom: float) -> None:
        self._x, self._y, self._z = view.position
        self._sine, self._cosine = math.sin(view.pitch), math.cos(view.pitch)
        self._focal, self.zoom = view.focal * zoom, zoom
        self._u, self._v = 0.5 * view.width - across * view.width * zoom, 0.5 * view.height - down * view.width * zoom

    def point(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """u, v and pixels a metre there."""
        y, z = y - self._y, z - self._z
        scale = self._focal / max(-y * self._sine - z * self._cosine, 0.1)
        return (self._u + scale * (x - self._x), self._v - scale * (y * self._cosine - z * self._sine), scale)
