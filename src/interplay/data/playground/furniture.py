"""What stands in a scene with depth, seen in perspective: tables, benches, chairs, sofas, shelves, rugs, the room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interplay.data.playground.objects import KINDS
from interplay.data.playground.rendering import Colour, Lens, Shape, shade

WALL_Z = -1.35
"""Where the back wall of a room stands, metres in the world's z (the camera looks towards negative z)."""


def slab(lens: Lens, x: float, y: float, z: float, size: Sequence[float], colour: Colour) -> list[Shape]:
    """Visible faces of an upright cuboid whose lower face has its middle at (x, y, z); width, height, depth."""
    w, h, d = (0.5 * size[0], size[1], 0.5 * size[2])
    low, high, back, front = y, y + h, z - d, z + d
    shapes = []
    if lens.camera.position[1] > high:
        top = ((x - w, high, back), (x + w, high, back), (x + w, high, front), (x - w, high, front))
        shapes.append(lens.polygon(top, shade(colour, 1.18)))
    side = 1.0 if lens.camera.position[0] > x + w else -1.0 if lens.camera.position[0] < x - w else 0.0
    if side:
        face = (
            (x + side * w, low, back),
            (x + side * w, high, back),
            (x + side * w, high, front),
            (x + side * w, low, front),
        )
        shapes.append(lens.polygon(face, shade(colour, 0.7)))
    face = ((x - w, low, front), (x + w, low, front), (x + w, high, front), (x - w, high, front))
    shapes.append(lens.polygon(face, colour))
    return shapes


def _legs(
    lens: Lens, x: float, z: float, w: float, d: float, height: float, colour: Colour, thick: float
) -> list[Shape]:
    shapes = []
    for dz in (-d, d):
        for dx in (-w, w):
            shapes += slab(lens, x + dx, 0.0, z + dz, (thick, height, thick), shade(colour, 0.75 if dz < 0 else 0.9))
    return shapes


def draw_furniture(lens: Lens, kind: str, x: float, y: float, z: float, colour: Colour) -> list[Shape]:
    """Shapes of a table, bench, chair, sofa, shelf or rug standing at (x, y, z), facing the camera."""
    w, h, d = KINDS[kind].size
    if kind == "rug":
        corners = (
            (x - 0.5 * w, 0.0, z - 0.5 * d),
            (x + 0.5 * w, 0.0, z - 0.5 * d),
            (x + 0.5 * w, 0.0, z + 0.5 * d),
            (x - 0.5 * w, 0.0, z + 0.5 * d),
        )
        inner = [(x + 0.86 * (a - x), 0.0, z + 0.8 * (b - z)) for a, _, b in corners]
        return [lens.polygon(corners, colour), lens.polygon(inner, shade(colour, 1.25))]
    if kind == "shelf":
        dark = shade(colour, 0.7)
        brackets = [slab(lens, x + k * 0.35 * w, y - 0.10, z - 0.3 * d, (0.05, 0.10, 0.05), dark) for k in (-1.0, 1.0)]
        return [*brackets[0], *brackets[1], *slab(lens, x, y, z, (w, h, d), colour)]
    if kind in ("table", "bench"):
        legs = _legs(lens, x, z, 0.44 * w, 0.40 * d, h - 0.06, colour, 0.06)
        return [*legs, *slab(lens, x, h - 0.07, z, (w, 0.07, d), colour)]
    if kind == "chair":
        back = slab(lens, x, 0.46, z - 0.45 * d, (w, h - 0.46, 0.05), shade(colour, 0.9))
        rails = [
            slab(lens, x + k * w, 0.54, z - 0.42 * d, (0.08, h - 0.62, 0.02), shade(colour, 0.6))
            for k in (-0.25, 0.0, 0.25)
        ]
        legs = _legs(lens, x, z, 0.43 * w, 0.42 * d, 0.40, colour, 0.05)
        return [
            *legs[:6],
            *back,
            *(shape for rail in rails for shape in rail),
            *legs[6:],
            *slab(lens, x, 0.40, z, (w, 0.06, d), colour),
        ]
    if kind == "sofa":
        back = slab(lens, x, 0.1, z - 0.4 * d, (w, h - 0.1, 0.2 * d), shade(colour, 0.85))
        seat = slab(lens, x, 0.06, z, (w, 0.38, d), colour)
        arms = [slab(lens, x + k * 0.46 * w, 0.06, z, (0.10 * w, 0.55, d), shade(colour, 0.92)) for k in (-1.0, 1.0)]
        return [*back, *seat, *arms[0], *arms[1]]
    raise ValueError(f"draw_furniture: unknown kind {kind!r}, expected table, bench, chair, sofa, shelf or rug")


def shadow(lens: Lens, x: float, z: float, width: float, ground: Colour) -> Shape:
    """A flat ellipse on the floor, darker than the ground."""
    u, v, scale = lens.point(x, 0.0, z)
    rx, ry = 0.5 * width * scale, 0.13 * width * scale
    return Shape(((u - rx, v - ry), (u + rx, v + ry)), shade(ground, 0.82), round=True)


def draw_room(lens: Lens, rng: np.random.Generator) -> tuple[list[Shape], Colour, tuple[float, float, float, float]]:
    """Wall and floor of a room: shapes, the floor's colour, and the wall's extent in the picture."""
    walls: tuple[Colour, ...] = (
        (214, 204, 186),
        (186, 200, 208),
        (204, 188, 190),
        (190, 204, 182),
        (226, 222, 214),
        (168, 178, 194),
        (222, 200, 160),
    )
    floors: tuple[Colour, ...] = ((172, 132, 92), (140, 104, 74), (176, 170, 162), (128, 124, 120), (190, 160, 120))
    wall, floor = walls[int(rng.integers(len(walls)))], floors[int(rng.integers(len(floors)))]
    far = 3.5
    foot = lens.point(0.0, 0.0, WALL_Z)[1]
    width, height = float(lens.width), float(lens.height)
    shapes = [Shape(((0.0, 0.0), (width, 0.0), (width, foot), (0.0, foot)), wall)]
    style = int(rng.integers(4))
    step = float(rng.uniform(0.22, 0.45))
    count = int(far / step)
    if style == 1:
        for k in range(-count, count + 1):
            u = lens.point(k * step, 1.0, WALL_Z)[0]
            shapes.append(Shape(((u, 0.0), (u, foot)), shade(wall, 0.92), width=0.35 * step * 50.0 * width / 192.0))
    elif style == 2:
        for k in range(-count, count + 1):
            for row in range(7):
                u, v, scale = lens.point((k + 0.5 * (row % 2)) * step, 0.25 + row * 0.34, WALL_Z)
                r = 0.045 * scale
                shapes.append(Shape(((u - r, v - r), (u + r, v + r)), shade(wall, 0.88), round=True))
    elif style == 3:
        middle = lens.point(0.0, 0.9, WALL_Z)[1]
        shapes.append(Shape(((0.0, middle), (width, middle), (width, foot), (0.0, foot)), shade(wall, 0.82)))
    shapes.append(Shape(((0.0, foot), (width, foot), (width, height), (0.0, height)), floor))
    tiles = bool(rng.random() < 0.5)
    gap = float(rng.uniform(0.3, 0.55))
    dark = shade(floor, 0.86)
    for k in range(-9, 10):
        points = lens.project(np.array([[k * gap, 0.0, WALL_Z], [k * gap, 0.0, 1.8]]))[:, :2].tolist()
        shapes.append(Shape(((points[0][0], points[0][1]), (points[1][0], points[1][1])), dark, width=0.7))
    if tiles:
        for k in range(int(3.2 / gap)):
            v = lens.point(0.0, 0.0, WALL_Z + k * gap)[1]
            shapes.append(Shape(((0.0, v), (width, v)), dark, width=0.7))
    shapes.append(Shape(((0.0, foot), (width, foot)), shade(wall, 0.6), width=1.2))
    return shapes, floor, (0.0, 0.0, width, foot)


def draw_outdoors(lens: Lens, rng: np.random.Generator) -> tuple[list[Shape], Colour]:
    """Sky, hills or houses, and grass or sand: shapes and the ground's colour."""
    skies: tuple[Colour, ...] = ((150, 196, 236), (186, 208, 226), (236, 204, 170), (130, 170, 220))
    grounds: tuple[Colour, ...] = ((110, 150, 76), (134, 162, 90), (196, 176, 126), (150, 148, 144))
    sky, ground = skies[int(rng.integers(len(skies)))], grounds[int(rng.integers(len(grounds)))]
    width, height = float(lens.width), float(lens.height)
    horizon = lens.point(0.0, 0.0, -6.0)[1]
    shapes = []
    for k in range(8):
        top, low = horizon * k / 8.0, horizon * (k + 1) / 8.0
        shapes.append(Shape(((0.0, top), (width, top), (width, low), (0.0, low)), shade(sky, 1.0 + 0.05 * k)))
    for _ in range(int(rng.integers(0, 4))):
        u, v, r = (
            float(rng.uniform(0, width)),
            float(rng.uniform(0.05, 0.5) * horizon),
            float(rng.uniform(0.04, 0.09) * width),
        )
        for dx in (-0.8, 0.0, 0.8):
            shapes.append(
                Shape(((u + dx * r - r, v - 0.4 * r), (u + dx * r + r, v + 0.4 * r)), (244, 246, 250), round=True)
            )
    hill = shade(ground, 0.75)
    if rng.random() < 0.6:
        for _ in range(3):
            u, r = float(rng.uniform(0, width)), float(rng.uniform(0.2, 0.45) * width)
            shapes.append(Shape(((u - r, horizon - 0.45 * r), (u + r, horizon + 0.45 * r)), hill, round=True))
    else:
        u = 0.0
        while u < width:
            wide, tall = float(rng.uniform(0.08, 0.2) * width), float(rng.uniform(0.12, 0.3) * height)
            tone = int(rng.integers(120, 190))
            shapes.append(
                Shape(
                    ((u, horizon - tall), (u + wide, horizon - tall), (u + wide, horizon), (u, horizon)),
                    (tone, tone - 12, tone - 20),
                    edge=(90, 86, 84),
                )
            )
            u += wide
    shapes.append(Shape(((0.0, horizon), (width, horizon), (width, height), (0.0, height)), ground))
    for _ in range(60):
        u, v = float(rng.uniform(0, width)), float(rng.uniform(horizon, height))
        size = 1.0 + 2.5 * (v - horizon) / (height - horizon + 1e-6)
        shapes.append(
            Shape(((u, v), (u + 0.3 * size, v - size)), shade(ground, float(rng.uniform(0.8, 1.2))), width=0.7)
        )
    return shapes, ground
