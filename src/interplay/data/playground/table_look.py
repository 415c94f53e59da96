"""What a clip of the table looks like before anything happens: colours, patterns, light, and the still background.

All of it is drawn from one generator and never from what happens in the clip.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from interplay.data.playground.figures import CLOTHES, SKINS
from interplay.data.playground.profiles import Array
from interplay.data.playground.rendering import OVERSAMPLING, Colour, Shape, draw_shape
from interplay.data.playground.table_view import TableView

TABLES: tuple[Colour, ...] = (
    *((176, 128, 84), (132, 92, 60), (204, 166, 120), (96, 70, 52), (188, 188, 184), (224, 220, 210)),
    *((120, 134, 150), (150, 70, 64), (84, 120, 100), (70, 76, 92)),
)
WALLS: tuple[Colour, ...] = (
    *((214, 204, 186), (176, 192, 204), (204, 184, 186), (180, 200, 172), (228, 224, 216), (150, 160, 182)),
    *((226, 200, 150), (120, 128, 140), (168, 140, 120)),
)
FLOORS: tuple[Colour, ...] = ((120, 88, 62), (96, 96, 100), (150, 140, 128), (70, 66, 72), (134, 110, 90))
THICKNESS = 0.035
"""Of the table's top, metres."""

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TableTop:
    """Where the table ends, metres: half its length, its back and front edges, and how far below it the floor is."""

    half: float = 3.0
    back: float = -0.38
    front: float = 0.30
    floor: float = -0.70
    wall: float = -0.85


@dataclass(frozen=True, slots=True)
class Look:
    """Colours and patterns of a clip.

    Args:
        table, wall, floor: main colours.
        table_pattern: 0 wood, 1 planks, 2 checked cloth, 3 plain with specks.
        wall_pattern: 0 plain, 1 stripes, 2 tiles, 3 dots.
        phases: (8,) shares in [0, 1) that place patterns.
        skin, sleeve, second_sleeve: of the hands.
        light: overall level, red, green and blue tint, slope across and down.
        grain: standard deviation of the sensor's noise, in 1/255.
    """

    table: Colour
    wall: Colour
    floor: Colour
    table_pattern: int
    wall_pattern: int
    phases: tuple[float, ...]
    skin: Colour
    sleeve: Colour
    second_sleeve: Colour
    light: tuple[float, float, float, float, float, float]
    grain: float


def _varied(rng: np.random.Generator, colours: Sequence[Colour], by: int = 12) -> Colour:
    chosen = np.array(colours[int(rng.integers(len(colours)))]) + rng.integers(-by, by + 1, 3)
    red, green, blue = np.clip(chosen, 0, 255).tolist()
    return (int(red), int(green), int(blue))


def random_look(rng: np.random.Generator) -> Look:
    level, tint, slope = rng.uniform(0.78, 1.12), rng.uniform(0.94, 1.06, 3), rng.uniform(-0.13, 0.13, 2)
    return Look(
        table=_varied(rng, TABLES),
        wall=_varied(rng, WALLS),
        floor=_varied(rng, FLOORS),
        table_pattern=int(rng.integers(4)),
        wall_pattern=int(rng.integers(4)),
        phases=tuple(rng.random(8).tolist()),
        skin=_varied(rng, SKINS, 8),
        sleeve=_varied(rng, CLOTHES),
        second_sleeve=_varied(rng, CLOTHES),
        light=(float(level), *tint.tolist(), *slope.tolist()),
        grain=float(rng.uniform(1.5, 4.0)),
    )


def light_map(look: Look, size: tuple[int, int]) -> Float32Array:
    """Factor of every pixel's red, green and blue, (height, width, 3)."""
    width, height = size
    level, red, green, blue, across, down = look.light
    slopes = down * np.linspace(-1.0, 1.0, height)[:, None] + across * np.linspace(-1.0, 1.0, width)
    return np.asarray(((1.0 + slopes)[..., None] * level * np.array([red, green, blue])), dtype=np.float32)


def _noise(rng: np.random.Generator, size: tuple[int, int], cells: tuple[int, int]) -> Float32Array:
    """Smooth noise in about [−1, 1]: random values on a grid of (down, across) cells, bilinear in between."""
    grid = Image.fromarray(rng.uniform(-1.0, 1.0, cells).astype(np.float32))
    return np.asarray(grid.resize(size, Image.Resampling.BILINEAR), dtype=np.float32)


def _table_tone(look: Look, x: Array, z: Array, noise: Float32Array) -> Array:
    """Factor of the table's colour at points of its top."""
    a, b = look.phases[0], look.phases[1]
    if look.table_pattern == 0:
        rings = np.sin(2.0 * math.pi * (z * (11.0 + 8.0 * a) + 0.35 * np.sin(3.0 * x + 6.0 * b) + 0.6 * noise))
        return 1.0 + 0.09 * rings + 0.05 * noise
    if look.table_pattern == 1:
        plank = np.floor((z + a) / 0.11)
        tone = 1.0 + 0.09 * np.sin(12.9898 * plank + 40.0 * b) + 0.07 * noise
        return np.where((z + a) / 0.11 - plank < 0.10, 0.72 * tone, tone)
    if look.table_pattern == 2:
        size = 0.07 + 0.06 * b
        checks = (np.floor((x + a) / size) + np.floor((z + b) / size)) % 2.0
        return 0.94 + 0.16 * checks + 0.04 * noise
    return np.asarray(1.0 + 0.13 * noise, dtype=np.float64)


def _wall_tone(look: Look, x: Array, y: Array, noise: Float32Array) -> Array:
    a, b = look.phases[2], look.phases[3]
    size = 0.10 + 0.12 * b
    if look.wall_pattern == 1:
        return 1.0 - 0.13 * (((x + a) / size) % 1.0 < 0.4) + 0.03 * noise
    if look.wall_pattern == 2:
        joints = (((x + a) / size) % 1.0 < 0.09) | (((y + a) / size) % 1.0 < 0.09)
        return 1.0 - 0.20 * joints + 0.03 * noise
    if look.wall_pattern == 3:
        dx, dy = ((x + a) / size) % 1.0 - 0.5, ((y + b) / size) % 1.0 - 0.5
        return 1.0 - 0.16 * (dx * dx + dy * dy < 0.06) + 0.03 * noise
    return np.asarray(1.0 + 0.05 * noise, dtype=np.float64)


class Backdrop:
    """The still background of a clip, drawn once, a little larger than a frame where the camera moves.

    Args:
        view, look, top: what is seen, in which colours, and where the table ends.
        fixtures: shapes in the standing camera's picture that never move (a ramp, a poster), back to front.
        reach: x1, y1, x2, y2 of what the camera ever sees in the standing camera's picture, pixels.
        sharpness: pixels of the canvas a pixel of that picture: more where the camera comes near.
        rng: for noise.
    """

    def __init__(
        self,
        view: TableView,
        look: Look,
        top: TableTop,
        fixtures: Sequence[Shape],
        reach: tuple[float, float, float, float],
        sharpness: float,
        rng: np.random.Generator,
    ) -> None:
        self._left, self._top = math.floor(reach[0]) - 1, math.floor(reach[1]) - 1
        self._sharpness = OVERSAMPLING * sharpness
        self._size = (view.width, view.height)
        width = math.ceil((reach[2] + 1 - self._left) * self._sharpness) + 2
        height = math.ceil((reach[3] + 1 - self._top) * self._sharpness) + 2
        canvas = Image.fromarray(self._surfaces(view, look, top, (width, height), rng))
        draw = ImageDraw.Draw(canvas)
        step = self._sharpness / OVERSAMPLING
        for shape in fixtures:
            moved = tuple(((u - self._left) * step, (v - self._top) * step) for u, v in shape.points)
            draw_shape(draw, shape._replace(points=moved, width=shape.width * step))
        self.canvas = canvas

    def _surfaces(
        self, view: TableView, look: Look, top: TableTop, size: tuple[int, int], rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Wall, floor, and the table's top and front, each where the ray through a pixel meets it first."""
        width, height = size
        u = self._left + (np.arange(width) + 0.5) / self._sharpness
        v = self._top + (np.arange(height) + 0.5)[:, None] / self._sharpness
        right = (u - 0.5 * view.width)[None] / view.focal
        up = (0.5 * view.height - v) / view.focal
        sine, cosine = math.sin(view.pitch), math.cos(view.pitch)
        toward_y, toward_z = up * cosine - sine, -cosine - up * sine
        _, camera_y, camera_z = view.position
        coarse = _noise(rng, size, (max(height // 5, 2), max(width // 9, 2)))
        fine = 0.6 * coarse + 0.4 * rng.uniform(-1.0, 1.0, (height, width)).astype(np.float32)

        reach = (top.wall - camera_z) / np.minimum(toward_z, -1e-3)
        tone = _wall_tone(look, reach * right, camera_y + reach * toward_y, fine)
        pixels = tone[..., None] * np.array(look.wall, dtype=np.float64)

        downward = np.minimum(toward_y, -1e-3)
        reach = (top.floor - camera_y) / downward
        on_floor = (toward_y < -1e-3) & (camera_z + reach * toward_z > top.wall)
        shown = np.broadcast_to(on_floor, (height, width))
        z = np.broadcast_to(camera_z + reach * toward_z, (height, width))
        boards = 1.0 - 0.22 * (((z + look.phases[4]) / 0.16) % 1.0 < 0.10) + 0.10 * fine
        pixels[shown] = (boards[..., None] * np.array(look.floor, dtype=np.float64))[shown]

        table = np.array(look.table, dtype=np.float64)
        reach = (top.front - camera_z) / np.minimum(toward_z, -1e-3)
        y = camera_y + reach * toward_y
        shown = (y < 0.0) & (y > -THICKNESS) & (np.abs(reach * right) < top.half)
        pixels[shown] = ((0.62 + 0.05 * fine)[..., None] * table)[shown]
        legs = (y <= -THICKNESS) & (y > top.floor) & (np.abs(np.abs(reach * right) - top.half + 0.07) < 0.03)
        pixels[legs] = 0.45 * table

        reach = -camera_y / downward
        z = camera_z + reach * toward_z
        shown = (toward_y < -1e-3) & (z > top.back) & (z < top.front) & (np.abs(reach * right) < top.half)
        tone = _table_tone(look, reach * right, np.broadcast_to(z, (height, width)), fine)
        rim = np.minimum(np.minimum(z - top.back, top.front - z), top.half - np.abs(reach * right)) < 0.012
        tone = np.where(rim, 1.22, tone)
        pixels[shown] = (tone[..., None] * table)[shown]
        return np.asarray(np.clip(pixels, 0.0, 255.0).astype(np.uint8))

    def seen(self, across: float, down: float, zoom: float) -> Image.Image:
        """The frame that a camera sees (:class:`~interplay.data.playground.table_view.CameraPath`), oversampled."""
        width, height = self._size
        u = 0.5 * width * (1.0 - 1.0 / zoom) + across * width - self._left
        v = 0.5 * height * (1.0 - 1.0 / zoom) + down * width - self._top
        out = (OVERSAMPLING * width, OVERSAMPLING * height)
        if zoom == 1.0 and self._sharpness == OVERSAMPLING:
            x, y = round(u * OVERSAMPLING), round(v * OVERSAMPLING)
            return self.canvas.crop((x, y, x + out[0], y + out[1]))
        box = (u, v, u + width / zoom, v + height / zoom)
        x1, y1, x2, y2 = (self._sharpness * side for side in box)
        return self.canvas.resize(out, Image.Resampling.BILINEAR, box=(x1, y1, x2, y2))
