"""Flat shapes in picture coordinates, what they are drawn through, and how they become pixels.

Picture frame: pixels, u to the right, v down, (0, 0) the outer corner of the first pixel, so that pixel k covers
[k, k + 1]. A shape carries its own colours; depth is the order in a list. The canvas is drawn at twice the size and
averaged over 2×2 pixels, which is all the antialiasing there is. Pictures are the same bit for bit on every run.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from interplay.data.playground.profiles import Array
from interplay.data.playground.scene import Camera

Colour = tuple[int, int, int]
Point = tuple[float, float]
Extent = tuple[float, float, float, float]
"""x1, y1, x2, y2 in the picture frame (outer edges, not pixel indices)."""

OVERSAMPLING = 2
"""Pixels of the canvas a pixel of the picture, along each side."""


class Shape(NamedTuple):
    """One flat primitive.

    Args:
        points: corners of a polygon; or the points of a stroke (``width`` > 0, ends round); or two opposite corners
            of the box of an ellipse (``round``).
        fill: RGB.
        width: of a stroke, pixels.
        round: an ellipse.
        edge: RGB of a thin outline, or None.
    """

    points: tuple[Point, ...]
    fill: Colour
    width: float = 0.0
    round: bool = False
    edge: Colour | None = None


def shade(colour: Colour, factor: float) -> Colour:
    """Darker (below 1) or lighter (above 1, towards white)."""
    if factor <= 1.0:
        return (int(colour[0] * factor), int(colour[1] * factor), int(colour[2] * factor))
    rest = 2.0 - min(factor, 2.0)
    return (
        255 - int((255 - colour[0]) * rest),
        255 - int((255 - colour[1]) * rest),
        255 - int((255 - colour[2]) * rest),
    )


def extent(shapes: Iterable[Shape]) -> Extent:
    """The smallest box around shapes, strokes with their width. ValueError without shapes."""
    x1 = y1 = math.inf
    x2 = y2 = -math.inf
    for shape in shapes:
        half = 0.5 * shape.width
        for x, y in shape.points:
            x1, y1, x2, y2 = min(x1, x - half), min(y1, y - half), max(x2, x + half), max(y2, y + half)
    if x2 < x1:
        raise ValueError("extent: no shapes, expected at least one")
    return (x1, y1, x2, y2)


def join_extents(extents: Iterable[Extent]) -> Extent:
    """The smallest box around boxes."""
    x1, y1, x2, y2 = zip(*extents, strict=True)
    return (min(x1), min(y1), max(x2), max(y2))


class Pen:
    """Draws in an object's own plane, which faces the camera.

    A point (x, y) of that plane, metres, y up, goes to (u, v) + scale · R(angle) (±x, y), v turned downwards.

    Args:
        u, v: picture point of the plane's origin.
        scale: pixels a metre.
        angle: radians, counter-clockwise in the picture.
        mirror: x is reversed before turning.
    """

    def __init__(self, u: float, v: float, scale: float, angle: float = 0.0, mirror: bool = False) -> None:
        self.u, self.v, self.scale = float(u), float(v), float(scale)
        self._cos, self._sin = math.cos(angle), math.sin(angle)
        self._sign, self._level = -1.0 if mirror else 1.0, angle == 0.0
        self.shapes: list[Shape] = []

    def at(self, x: float, y: float) -> Point:
        """Where a point of the plane is in the picture."""
        x *= self._sign
        across, up = self._cos * x - self._sin * y, self._sin * x + self._cos * y
        return (self.u + self.scale * across, self.v - self.scale * up)

    def polygon(self, points: Iterable[Point], fill: Colour, edge: bool = True) -> None:
        corners = tuple(self.at(x, y) for x, y in points)
        self.shapes.append(Shape(corners, fill, edge=shade(fill, 0.55) if edge else None))

    def rectangle(self, x1: float, y1: float, x2: float, y2: float, fill: Colour, edge: bool = True) -> None:
        self.polygon(((x1, y1), (x2, y1), (x2, y2), (x1, y2)), fill, edge)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Colour, edge: bool = True) -> None:
        outline = shade(fill, 0.55) if edge else None
        if self._level or rx == ry:
            u, v = self.at(x, y)
            box = ((u - self.scale * rx, v - self.scale * ry), (u + self.scale * rx, v + self.scale * ry))
            self.shapes.append(Shape(box, fill, round=True, edge=outline))
        else:
            turn = [2.0 * math.pi * k / 18 for k in range(18)]
            corners = tuple(self.at(x + rx * math.cos(t), y + ry * math.sin(t)) for t in turn)
            self.shapes.append(Shape(corners, fill, edge=outline))

    def stroke(self, points: Iterable[Point], width: float, fill: Colour, edge: bool = False) -> None:
        """A line with round ends, ``width`` in metres."""
        corners, pixels = tuple(self.at(x, y) for x, y in points), max(width * self.scale, 0.6)
        self.shapes.append(Shape(corners, fill, width=pixels, edge=shade(fill, 0.55) if edge else None))


class Lens:
    """A camera with a picture of ``size`` pixels: world metres to the picture frame, not mirrored."""

    def __init__(self, camera: Camera, size: tuple[int, int]) -> None:
        self.camera = dataclasses.replace(camera, size=size)
        self.width, self.height = size

    def project(self, points: Array) -> Array:
        """World points (…, 3) to (…, 3): u, v in pixels and the distance along the optical axis in metres."""
        view = self.camera.view(np.asarray(points, dtype=np.float64))
        depth = np.maximum(view[..., 2], 0.1)
        out = np.empty_like(view)
        out[..., 0] = 0.5 * self.width - self.camera.focal_length * view[..., 0] / depth
        out[..., 1] = 0.5 * self.height - self.camera.focal_length * view[..., 1] / depth
        out[..., 2] = depth
        return out

    def point(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """One point: u, v and pixels a metre there."""
        u, v, depth = self.project(np.array([x, y, z])).tolist()
        return (u, v, self.camera.focal_length / depth)

    def pen(self, x: float, y: float, z: float, angle: float = 0.0, mirror: bool = False) -> Pen:
        """A pen whose plane's origin is at a world point."""
        u, v, scale = self.point(x, y, z)
        return Pen(u, v, scale, angle, mirror)

    def polygon(self, points: Sequence[Sequence[float]], fill: Colour, edge: bool = True) -> Shape:
        """A flat polygon of world points."""
        corners = self.project(np.array(points, dtype=np.float64))[:, :2].tolist()
        return Shape(tuple((u, v) for u, v in corners), fill, edge=shade(fill, 0.55) if edge else None)


def draw_shape(canvas: ImageDraw.ImageDraw, shape: Shape) -> None:
    """One shape onto a canvas of ``OVERSAMPLING`` times the picture's size."""
    points = [(OVERSAMPLING * u - 0.5, OVERSAMPLING * v - 0.5) for u, v in shape.points]
    if shape.round:
        canvas.ellipse([points[0], points[1]], fill=shape.fill, outline=shape.edge)
    elif shape.width > 0.0:
        width = OVERSAMPLING * shape.width
        passes = [(width, shape.fill)] if shape.edge is None else [(width, shape.edge), (width - 2.0, shape.fill)]
        for wide, fill in passes:
            canvas.line(points, fill=fill, width=max(round(wide), 1))
            half = 0.5 * wide
            if half >= 1.0:
                for u, v in points:
                    canvas.ellipse([u - half, v - half, u + half, v + half], fill=fill)
    else:
        canvas.polygon(points, fill=shape.fill, outline=shape.edge)


def paint(shapes: Iterable[Shape], size: tuple[int, int], background: Colour, seed: int) -> NDArray[np.uint8]:
    """Pixels (height, width, 3) of shapes from back to front, under uneven light and with the camera's noise.

    Light and noise depend on ``seed`` and the picture's place only, never on what is drawn.
    """
    width, height = size
    picture = Image.new("RGB", (OVERSAMPLING * width, OVERSAMPLING * height), background)
    canvas = ImageDraw.Draw(picture)
    for shape in shapes:
        draw_shape(canvas, shape)
    pixels = np.asarray(picture.reduce(OVERSAMPLING), dtype=np.float32)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0x11617])))
    slope, level = rng.uniform(-0.10, 0.10, 2), rng.uniform(0.88, 1.08)
    tint = (level * rng.uniform(0.96, 1.04, 3)).astype(np.float32)
    across = (slope[0] * np.linspace(-1.0, 1.0, width)).astype(np.float32)
    down = (slope[1] * np.linspace(-1.0, 1.0, height)).astype(np.float32)
    light = (1.0 + down[:, None] + across)[..., None] * tint
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) * np.float32(rng.uniform(1.5, 4.0))
    lit = pixels * light + grain
    np.clip(lit + 0.5, 0.0, 255.0, out=lit)
    return np.asarray(lit.astype(np.uint8))
