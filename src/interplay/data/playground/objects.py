"""Everyday objects and animals of the picture view: their sizes, and how each is drawn in its own plane.

Sizes are larger than life where the real thing would be a few pixels. The plane's origin is the middle of the object's
lower edge, except for tools (see :func:`draw_tool`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from interplay.data.playground.rendering import Colour, Pen, shade


class Kind(NamedTuple):
    """Width, height and depth in metres, and the colours that it comes in."""

    size: tuple[float, float, float]
    colours: tuple[Colour, ...]


_BRIGHT: tuple[Colour, ...] = (
    *((214, 60, 52), (52, 110, 200), (240, 190, 50), (70, 160, 80), (235, 235, 225), (150, 80, 170), (240, 130, 50)),
)
_WOOD: tuple[Colour, ...] = ((150, 100, 56), (120, 76, 44), (186, 140, 88), (96, 66, 46), (206, 172, 122))
_METAL: tuple[Colour, ...] = ((196, 202, 208), (176, 184, 192), (214, 216, 218))

KINDS: Mapping[str, Kind] = {
    "cup": Kind((0.13, 0.14, 0.12), _BRIGHT),
    "bottle": Kind((0.10, 0.30, 0.10), ((40, 110, 60), (60, 130, 170), (130, 70, 30), (170, 200, 210))),
    "book": Kind((0.26, 0.08, 0.20), _BRIGHT),
    "phone": Kind((0.10, 0.17, 0.03), ((30, 30, 36), (60, 62, 70), (220, 220, 224), (150, 40, 60))),
    "laptop": Kind((0.38, 0.27, 0.28), ((90, 92, 98), (180, 182, 186), (50, 52, 58))),
    "hammer": Kind((0.40, 0.16, 0.05), _WOOD),
    "knife": Kind((0.46, 0.085, 0.03), ((60, 36, 26), (150, 40, 36), (30, 30, 34), (120, 80, 40))),
    "saw": Kind((0.50, 0.15, 0.03), ((200, 120, 40), (150, 60, 40), (90, 60, 36), (40, 90, 150))),
    "ball": Kind((0.27, 0.27, 0.27), _BRIGHT),
    "balloon": Kind((0.28, 0.36, 0.28), _BRIGHT),
    "box": Kind((0.36, 0.28, 0.30), ((190, 150, 100), (168, 128, 84), (206, 176, 130))),
    "bag": Kind((0.32, 0.34, 0.14), ((150, 60, 50), (60, 70, 110), (110, 80, 50), (50, 110, 90), (200, 150, 60))),
    "hat": Kind((0.36, 0.17, 0.34), ((110, 76, 46), (40, 42, 50), (180, 50, 48), (210, 190, 140), (60, 90, 140))),
    "vase": Kind((0.16, 0.34, 0.16), _BRIGHT),
    "plant": Kind((0.45, 0.85, 0.45), ((60, 130, 60), (80, 150, 70), (50, 110, 80))),
    "dog": Kind((0.78, 0.58, 0.26), ((150, 104, 60), (90, 62, 42), (206, 176, 130), (60, 56, 56), (226, 220, 210))),
    "cat": Kind((0.50, 0.36, 0.20), ((60, 60, 64), (206, 130, 60), (170, 166, 160), (236, 232, 224))),
    "chair": Kind((0.50, 0.95, 0.48), _WOOD),
    "table": Kind((1.25, 0.76, 0.65), _WOOD),
    "bench": Kind((1.35, 0.48, 0.42), _WOOD),
    "sofa": Kind((1.50, 0.85, 0.70), ((150, 60, 60), (70, 90, 130), (110, 120, 90), (170, 140, 110), (96, 96, 104))),
    "lamp": Kind((0.40, 0.26, 0.40), ((240, 220, 150), (220, 120, 80), (120, 170, 160), (236, 236, 226))),
    "picture": Kind((0.52, 0.42, 0.03), _WOOD),
    "window": Kind((0.74, 0.80, 0.05), ((240, 240, 236), (190, 150, 110), (120, 86, 60))),
    "clock": Kind((0.32, 0.32, 0.04), ((60, 60, 66), (170, 60, 50), (150, 110, 60))),
    "shelf": Kind((0.74, 0.06, 0.22), _WOOD),
    "tv": Kind((0.76, 0.48, 0.06), ((26, 26, 30),)),
    "rug": Kind((2.00, 0.01, 1.10), ((170, 70, 60), (70, 100, 140), (200, 170, 120), (110, 130, 90), (140, 100, 150))),
    "tree": Kind((1.30, 2.40, 1.20), ((56, 120, 56), (76, 140, 60), (44, 100, 66), (150, 140, 60))),
}

TOOLS = ("knife", "saw", "hammer")
_BLADE: Mapping[str, Colour] = {"knife": (212, 218, 226), "saw": (186, 194, 204), "hammer": (92, 96, 104)}


def _cup(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.stroke(
        ((0.32 * w, 0.75 * h), (0.56 * w, 0.65 * h), (0.54 * w, 0.35 * h), (0.30 * w, 0.25 * h)),
        0.025,
        shade(colour, 0.7),
    )
    pen.polygon(((-0.42 * w, h), (0.34 * w, h), (0.26 * w, 0.0), (-0.34 * w, 0.0)), colour)
    pen.ellipse(-0.04 * w, h, 0.38 * w, 0.10 * h, shade(colour, 0.5), edge=False)


def _bottle(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.polygon(
        (
            (-0.5 * w, 0),
            (0.5 * w, 0),
            (0.5 * w, 0.55 * h),
            (0.18 * w, 0.75 * h),
            (0.18 * w, h),
            (-0.18 * w, h),
            (-0.18 * w, 0.75 * h),
            (-0.5 * w, 0.55 * h),
        ),
        colour,
    )
    pen.rectangle(-0.5 * w, 0.18 * h, 0.5 * w, 0.45 * h, (236, 230, 210), edge=False)


def _book(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.rectangle(-0.5 * w, 0.0, 0.5 * w, h, colour)
    pen.rectangle(-0.42 * w, 0.22 * h, 0.5 * w, 0.78 * h, (244, 240, 226), edge=False)


def _phone(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.rectangle(-0.5 * w, 0.0, 0.5 * w, h, colour)
    pen.rectangle(-0.36 * w, 0.16 * h, 0.36 * w, 0.88 * h, (120, 190, 230), edge=False)


def _laptop(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.rectangle(-0.46 * w, 0.12 * h, 0.46 * w, h, colour)
    pen.rectangle(-0.40 * w, 0.24 * h, 0.40 * w, 0.92 * h, (110, 170, 220), edge=False)
    pen.polygon(((-0.46 * w, 0.14 * h), (0.46 * w, 0.14 * h), (0.5 * w, 0.0), (-0.5 * w, 0.0)), shade(colour, 0.8))


def _ball(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.ellipse(0.0, 0.5 * h, 0.5 * w, 0.5 * h, colour)
    light = shade(colour, 1.6) if sum(colour) < 600 else shade(colour, 0.6)
    pen.stroke(((-0.42 * w, 0.42 * h), (-0.1 * w, 0.32 * h), (0.25 * w, 0.36 * h), (0.42 * w, 0.55 * h)), 0.04, light)
    pen.ellipse(-0.12 * w, 0.72 * h, 0.10 * w, 0.08 * h, (255, 255, 255), edge=False)


def _balloon(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.polygon(((0.0, 0.14 * h), (-0.1 * w, 0.0), (0.1 * w, 0.0)), shade(colour, 0.8))
    pen.ellipse(0.0, 0.56 * h, 0.5 * w, 0.44 * h, colour)
    pen.ellipse(-0.18 * w, 0.74 * h, 0.09 * w, 0.10 * h, shade(colour, 1.8), edge=False)


def _box(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.polygon(((-0.5 * w, 0.8 * h), (-0.36 * w, h), (0.5 * w, h), (0.42 * w, 0.8 * h)), shade(colour, 1.25))
    pen.polygon(((0.42 * w, 0.8 * h), (0.5 * w, h), (0.5 * w, 0.14 * h), (0.42 * w, 0.0)), shade(colour, 0.7))
    pen.rectangle(-0.5 * w, 0.0, 0.42 * w, 0.8 * h, colour)
    pen.rectangle(-0.10 * w, 0.0, 0.02 * w, 0.8 * h, shade(colour, 0.8), edge=False)


def _bag(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.stroke(
        ((-0.24 * w, 0.68 * h), (-0.14 * w, 0.96 * h), (0.14 * w, 0.96 * h), (0.24 * w, 0.68 * h)),
        0.03,
        shade(colour, 0.55),
    )
    pen.polygon(((-0.5 * w, 0.0), (0.5 * w, 0.0), (0.40 * w, 0.72 * h), (-0.40 * w, 0.72 * h)), colour)
    pen.polygon(
        ((-0.44 * w, 0.42 * h), (0.44 * w, 0.42 * h), (0.40 * w, 0.72 * h), (-0.40 * w, 0.72 * h)), shade(colour, 0.75)
    )
    pen.ellipse(0.0, 0.42 * h, 0.05 * w, 0.05 * w, (240, 220, 120), edge=False)


def _hat(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.polygon(
        ((-0.27 * w, 0.15 * h), (-0.22 * w, 0.92 * h), (0.0, h), (0.22 * w, 0.92 * h), (0.27 * w, 0.15 * h)), colour
    )
    pen.rectangle(-0.27 * w, 0.22 * h, 0.27 * w, 0.42 * h, shade(colour, 1.6 if sum(colour) < 300 else 0.5), edge=False)
    pen.ellipse(0.0, 0.16 * h, 0.5 * w, 0.16 * h, shade(colour, 0.9))


def _vase(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    for x, y in ((-0.4, 0.85), (0.0, 0.95), (0.42, 0.82)):
        pen.stroke(((0.0, 0.5 * h), (x * w, y * h)), 0.012, (60, 130, 60))
        pen.ellipse(x * w, y * h, 0.17 * w, 0.17 * w, _BRIGHT[int(detail * 4 + x + 0.5) % 4], edge=False)
    pen.polygon(
        (
            (-0.22 * w, 0.6 * h),
            (0.22 * w, 0.6 * h),
            (0.45 * w, 0.3 * h),
            (0.25 * w, 0.0),
            (-0.25 * w, 0.0),
            (-0.45 * w, 0.3 * h),
        ),
        colour,
    )


def _plant(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    for k, (x, y) in enumerate(((-0.42, 0.62), (0.42, 0.66), (-0.25, 0.86), (0.28, 0.90), (0.0, 0.97))):
        leaf = (
            (0.0, 0.30 * h),
            (0.5 * x * w - 0.08 * w, 0.6 * y * h + 0.05 * h),
            (x * w, y * h),
            (0.5 * x * w + 0.1 * w, 0.55 * y * h + 0.06 * h),
        )
        pen.polygon(leaf, shade(colour, (0.85, 0.95, 1.05, 1.15, 1.25)[k]))
    pen.polygon(((-0.24 * w, 0.34 * h), (0.24 * w, 0.34 * h), (0.17 * w, 0.0), (-0.17 * w, 0.0)), (178, 98, 62))


def _lamp(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.stroke(((0.0, 0.9 * h), (0.0, h)), 0.03, (60, 60, 60))
    pen.ellipse(0.0, 0.12 * h, 0.16 * w, 0.12 * h, (255, 250, 200), edge=False)
    pen.polygon(((-0.5 * w, 0.12 * h), (0.5 * w, 0.12 * h), (0.22 * w, 0.92 * h), (-0.22 * w, 0.92 * h)), colour)


def _picture(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.rectangle(-0.5 * w, 0.0, 0.5 * w, h, colour)
    sky, land = (
        ((150, 200, 235), (240, 190, 120), (120, 130, 190))[int(detail * 3)],
        ((70, 130, 70), (150, 90, 50), (60, 60, 90))[int(detail * 9) % 3],
    )
    pen.rectangle(-0.40 * w, 0.12 * h, 0.40 * w, 0.88 * h, sky, edge=False)
    pen.polygon(
        (
            (-0.40 * w, 0.12 * h),
            (-0.40 * w, 0.4 * h),
            (-0.1 * w, 0.62 * h),
            (0.15 * w, 0.38 * h),
            (0.40 * w, 0.5 * h),
            (0.40 * w, 0.12 * h),
        ),
        land,
        edge=False,
    )


def _window(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.rectangle(-0.5 * w, 0.0, 0.5 * w, h, colour)
    sky = ((150, 200, 240), (110, 150, 210), (60, 70, 110))[int(detail * 3)]
    for x in (-1.0, 1.0):
        for y in (0.06, 0.53):
            left, right = sorted((0.04 * w * x, 0.44 * w * x))
            pen.rectangle(left, y * h, right, (y + 0.41) * h, sky if y > 0.3 else shade(sky, 1.25), edge=False)


def _clock(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.ellipse(0.0, 0.5 * h, 0.5 * w, 0.5 * h, colour)
    pen.ellipse(0.0, 0.5 * h, 0.40 * w, 0.40 * h, (248, 246, 236), edge=False)
    turn = 6.283 * detail
    pen.stroke(((0.0, 0.5 * h), (0.28 * w * np.sin(turn), 0.5 * h + 0.28 * h * np.cos(turn))), 0.02, (30, 30, 30))
    pen.stroke(
        ((0.0, 0.5 * h), (0.2 * w * np.sin(12 * turn), 0.5 * h + 0.2 * h * np.cos(12 * turn))), 0.028, (30, 30, 30)
    )


def _tv(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.rectangle(-0.5 * w, 0.0, 0.5 * w, h, colour)
    screen = ((70, 120, 170), (90, 150, 90), (150, 90, 110), (44, 50, 60))[int(detail * 4)]
    pen.rectangle(-0.46 * w, 0.07 * h, 0.46 * w, 0.93 * h, screen, edge=False)
    pen.polygon(
        ((-0.3 * w, 0.07 * h), (0.1 * w, 0.93 * h), (0.24 * w, 0.93 * h), (-0.16 * w, 0.07 * h)),
        shade(screen, 1.25),
        edge=False,
    )


def _tree(pen: Pen, w: float, h: float, colour: Colour, detail: float) -> None:
    pen.polygon(((-0.07 * w, 0.0), (0.07 * w, 0.0), (0.05 * w, 0.55 * h), (-0.05 * w, 0.55 * h)), (104, 74, 48))
    for x, y, r in ((-0.26, 0.62, 0.24), (0.26, 0.62, 0.24), (0.0, 0.82, 0.30), (0.0, 0.60, 0.26)):
        pen.ellipse(x * w, y * h, r * w, r * w * 0.9, shade(colour, 0.85 + 0.35 * y * detail + 0.1), edge=False)


def draw_dog(pen: Pen, colour: Colour) -> None:
    """A dog that stands with its head at positive x, symmetric in extent about the origin."""
    w, h, _ = KINDS["dog"].size
    dark = shade(colour, 0.7)
    for x in (-0.24, -0.14, 0.14, 0.24):
        pen.stroke(((x * w, 0.42 * h), (x * w, 0.04 * h)), 0.07, dark if x in (-0.14, 0.24) else colour, edge=True)
    pen.stroke(((-0.28 * w, 0.58 * h), (-0.40 * w, 0.72 * h), (-0.47 * w, 0.92 * h)), 0.05, colour, edge=True)
    pen.ellipse(0.0, 0.52 * h, 0.32 * w, 0.19 * h, colour)
    pen.stroke(((0.22 * w, 0.58 * h), (0.32 * w, 0.78 * h)), 0.13, colour)
    pen.ellipse(0.33 * w, 0.80 * h, 0.125 * w, 0.17 * h, colour)
    pen.ellipse(0.43 * w, 0.73 * h, 0.075 * w, 0.085 * h, shade(colour, 1.3))
    pen.ellipse(0.48 * w, 0.76 * h, 0.025 * w, 0.04 * h, (20, 18, 18), edge=False)
    pen.polygon(((0.22 * w, 0.95 * h), (0.31 * w, 0.92 * h), (0.22 * w, 0.62 * h)), shade(colour, 0.5))
    pen.ellipse(0.37 * w, 0.84 * h, 0.028 * w, 0.04 * h, (15, 15, 15), edge=False)


def draw_cat(pen: Pen, colour: Colour) -> None:
    """A cat that crouches with its head at positive x, symmetric in extent about the origin."""
    w, h, _ = KINDS["cat"].size
    pen.stroke(((-0.30 * w, 0.16 * h), (-0.44 * w, 0.30 * h), (-0.44 * w, 0.85 * h)), 0.045, colour, edge=True)
    pen.ellipse(-0.05 * w, 0.34 * h, 0.33 * w, 0.33 * h, colour)
    for x in (-0.2, 0.0):
        pen.stroke(((x * w, 0.62 * h), (x * w + 0.03 * w, 0.35 * h)), 0.03, shade(colour, 0.65))
    pen.ellipse(0.28 * w, 0.55 * h, 0.20 * w, 0.25 * h, colour)
    for x in (0.14, 0.34):
        pen.polygon(((x * w, 0.72 * h), (x * w + 0.03 * w, h), (x * w + 0.11 * w, 0.72 * h)), shade(colour, 0.8))
    for x in (0.28, 0.41):
        pen.ellipse(x * w, 0.60 * h, 0.03 * w, 0.06 * h, (40, 120, 40), edge=False)
    pen.ellipse(0.46 * w, 0.48 * h, 0.025 * w, 0.03 * h, (220, 120, 130), edge=False)


def draw_tool(pen: Pen, kind: str, colour: Colour) -> None:
    """A knife, saw or hammer along x, its middle in the origin, the handle at negative x.

    Both ends have the same extent in x, so that a mirrored tool has the same box.
    """
    w, h, _ = KINDS[kind].size
    blade = _BLADE[kind]
    if kind == "knife":
        pen.polygon(
            (
                (-0.08 * w, -0.5 * h),
                (0.30 * w, -0.5 * h),
                (0.5 * w, 0.25 * h),
                (0.5 * w, 0.5 * h),
                (-0.08 * w, 0.5 * h),
            ),
            blade,
        )
        pen.rectangle(-0.5 * w, -0.5 * h, -0.08 * w, 0.5 * h, colour)
        pen.stroke(((-0.44 * w, 0.0), (-0.16 * w, 0.0)), 0.02, shade(colour, 1.5))
    elif kind == "saw":
        teeth = [(0.5 * w - k * 0.1 * w, -0.34 * h if k % 2 else -0.12 * h) for k in range(7)]
        pen.polygon(((-0.12 * w, 0.42 * h), (0.5 * w, 0.30 * h), *teeth, (-0.12 * w, -0.42 * h)), blade)
        pen.polygon(((-0.5 * w, 0.5 * h), (-0.12 * w, 0.5 * h), (-0.12 * w, -0.5 * h), (-0.5 * w, -0.5 * h)), colour)
        pen.rectangle(-0.40 * w, -0.2 * h, -0.24 * w, 0.22 * h, shade(colour, 0.35), edge=False)
    else:
        pen.rectangle(-0.5 * w, -0.15 * h, 0.4 * w, 0.15 * h, colour)
        pen.rectangle(0.26 * w, -0.5 * h, 0.5 * w, 0.5 * h, blade)


_DRAW: Mapping[str, Callable[[Pen, float, float, Colour, float], None]] = {
    "cup": _cup,
    "bottle": _bottle,
    "book": _book,
    "phone": _phone,
    "laptop": _laptop,
    "ball": _ball,
    "balloon": _balloon,
    "box": _box,
    "bag": _bag,
    "hat": _hat,
    "vase": _vase,
    "plant": _plant,
    "lamp": _lamp,
    "picture": _picture,
    "window": _window,
    "clock": _clock,
    "tv": _tv,
    "tree": _tree,
}


def draw_object(pen: Pen, kind: str, colour: Colour, detail: float = 0.0) -> None:
    """Draw one object standing (or hanging) on the pen's origin.

    Args:
        pen: its plane.
        kind: of :data:`KINDS`; furniture is drawn elsewhere because it has depth.
        colour: main colour.
        detail: in [0, 1), what a picture shows, the time on a clock.
    """
    if kind in TOOLS:
        draw_tool(pen, kind, colour)
    elif kind == "dog":
        draw_dog(pen, colour)
    elif kind == "cat":
        draw_cat(pen, colour)
    else:
        width, height, _ = KINDS[kind].size
        _DRAW[kind](pen, width, height, colour, detail)


def random_colour(rng: np.random.Generator, kind: str) -> Colour:
    """One of the kind's colours, a little varied."""
    colours = KINDS[kind].colours
    colour = colours[int(rng.integers(len(colours)))]
    r, g, b = np.clip(np.array(colour) + rng.integers(-14, 15, 3), 0, 255).tolist()
    return (int(r), int(g), int(b))
