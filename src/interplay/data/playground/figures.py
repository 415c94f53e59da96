"""A person as flat shapes: 25 joints seen through a lens, dressed, with a head that looks somewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from interplay.data.playground.kinematics import (
    ANKLES,
    ELBOWS,
    FEET,
    HANDS,
    HEAD,
    HIPS,
    KNEES,
    MID_SPINE,
    NECK,
    SHOULDERS,
    SPINE_BASE,
    TIPS,
    WRISTS,
)
from interplay.data.playground.profiles import Array
from interplay.data.playground.rendering import Colour, Lens, Pen, Point, Shape, shade

SKINS: tuple[Colour, ...] = (
    (244, 205, 172),
    (232, 184, 148),
    (214, 160, 120),
    (180, 124, 84),
    (136, 90, 60),
)
HAIRS: tuple[Colour, ...] = ((40, 28, 22), (82, 52, 30), (20, 20, 24), (150, 92, 40), (120, 40, 24), (96, 96, 100))
CLOTHES: tuple[Colour, ...] = (
    *((196, 48, 48), (46, 92, 170), (52, 140, 82), (226, 178, 52), (130, 70, 150), (226, 120, 46)),
    *((60, 160, 170), (210, 96, 140), (120, 130, 60), (70, 74, 96), (206, 206, 196), (104, 66, 52)),
)
TROUSERS: tuple[Colour, ...] = ((44, 58, 96), (62, 62, 66), (110, 88, 62), (78, 92, 70), (36, 36, 44), (130, 126, 118))

HEAD_WIDTH, HEAD_HEIGHT, HAND_SIZE = 0.115, 0.142, 0.062
"""Half axes of the head and radius of the hand, metres: a third larger than life, so that they can be made out."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """What a person looks like: colours, the shirt's pattern (0 plain, 1 stripes, 2 two colours), sleeves, hair."""

    skin: Colour
    hair: Colour
    shirt: Colour
    second: Colour
    trousers: Colour
    shoes: Colour
    pattern: int
    long_sleeves: bool
    shorts: bool
    long_hair: bool


def random_appearance(rng: np.random.Generator) -> Appearance:
    def pick(colours: Sequence[Colour]) -> Colour:
        return colours[int(rng.integers(len(colours)))]

    shirt = pick(CLOTHES)
    second = pick([colour for colour in CLOTHES if colour != shirt])
    return Appearance(
        skin=pick(SKINS),
        hair=pick(HAIRS),
        shirt=shirt,
        second=second,
        trousers=pick(TROUSERS),
        shoes=pick(((40, 36, 34), (190, 190, 190), (120, 50, 40), (70, 70, 110))),
        pattern=int(rng.integers(3)),
        long_sleeves=bool(rng.random() < 0.6),
        shorts=bool(rng.random() < 0.25),
        long_hair=bool(rng.random() < 0.4),
    )


@dataclass(slots=True)
class Figure:
    """Shapes of one person, by part, back to front: ``legs``, ``trunk``, ``head``, ``arms``, and per side ``feet``
    and ``hands`` (left, right). ``shirt`` and ``trousers`` repeat the shapes that belong to clothes; ``head_at`` is the
    head's middle (pixels) and pixels a metre there, ``head_tilt`` its angle, ``depth`` the pelvis' distance."""

    legs: list[Shape] = field(default_factory=list)
    trunk: list[Shape] = field(default_factory=list)
    head: list[Shape] = field(default_factory=list)
    arms: list[Shape] = field(default_factory=list)
    feet: tuple[list[Shape], list[Shape]] = field(default_factory=lambda: ([], []))
    hands: tuple[list[Shape], list[Shape]] = field(default_factory=lambda: ([], []))
    shirt: list[Shape] = field(default_factory=list)
    trousers: list[Shape] = field(default_factory=list)
    head_at: tuple[float, float, float] = (0.0, 0.0, 1.0)
    head_tilt: float = 0.0
    shoulders: tuple[Point, Point] = ((0.0, 0.0), (0.0, 0.0))
    depth: float = 0.0

    def body(self) -> list[Shape]:
        """Everything but what is held or worn besides clothes."""
        return [
            *self.legs,
            *self.feet[0],
            *self.feet[1],
            *self.trunk,
            *self.head,
            *self.arms,
            *self.hands[0],
            *self.hands[1],
        ]


def draw_head(pen: Pen, look: Appearance, towards: float, facing: bool = True) -> None:
    """A head about the pen's origin.

    Args:
        pen: where it is; its mirror is not used.
        look: colours.
        towards: −1 profile to the left of the picture, 0 to the camera, 1 to the right.
        facing: False shows the back of the head.
    """
    w, h = HEAD_WIDTH, HEAD_HEIGHT
    if look.long_hair:
        pen.polygon(((-w, 0.0), (w, 0.0), (0.95 * w, -1.05 * h), (-0.95 * w, -1.05 * h)), shade(look.hair, 0.85))
    if not facing:
        pen.ellipse(0.0, 0.0, w, h, look.hair)
        return
    dark = (28, 22, 22)
    if abs(towards) < 0.5:
        pen.ellipse(0.0, 0.0, w, h, look.skin)
        pen.polygon(
            ((-w, 0.15 * h), (-0.8 * w, 0.75 * h), (0.0, h), (0.8 * w, 0.75 * h), (w, 0.15 * h), (0.0, 0.5 * h)),
            look.hair,
        )
        for side in (-1.0, 1.0):
            pen.ellipse(w * (0.40 * side + 0.3 * towards), 0.02 * h, 0.13 * w, 0.13 * h, dark, edge=False)
        pen.stroke(((-0.3 * w, -0.5 * h), (0.3 * w, -0.5 * h)), 0.016, (150, 50, 50))
        return
    s = 1.0 if towards > 0.0 else -1.0
    pen.ellipse(0.0, 0.0, w, h, look.hair)
    face = [
        (0.05, 0.62),
        (0.55, 0.62),
        (0.90, 0.30),
        (1.0, 0.05),
        (1.22, -0.22),
        (0.98, -0.30),
        (0.90, -0.62),
        (0.5, -0.95),
        (0.0, -0.85),
        (-0.12, -0.2),
    ]
    pen.polygon(((s * w * x, h * y) for x, y in face), look.skin, edge=False)
    bun = [(-0.85, 0.45), (-1.22, 0.30), (-1.20, -0.05), (-0.85, -0.25)]
    pen.polygon(((s * w * x, h * y) for x, y in bun), look.hair, edge=False)
    pen.ellipse(s * 0.60 * w, 0.12 * h, 0.20 * w, 0.19 * h, (250, 250, 250), edge=False)
    pen.ellipse(s * 0.68 * w, 0.12 * h, 0.13 * w, 0.15 * h, dark, edge=False)
    pen.stroke(((s * 0.55 * w, -0.52 * h), (s * 0.85 * w, -0.5 * h)), 0.018, (160, 50, 50))


def _torso(seen: Array, look: Appearance, scale: float) -> tuple[list[Shape], list[Shape]]:
    """Trunk and hips: a tapered hexagon with the shirt's pattern, and a short one below in the trousers' colour."""
    left, right = seen[SHOULDERS[0], :2], seen[SHOULDERS[1], :2]
    hip_left, hip_right = seen[HIPS[0], :2], seen[HIPS[1], :2]
    wide = 0.045 * scale
    across = (left - right) / (np.linalg.norm(left - right) + 1e-6)
    top = 0.5 * (left + right) + (seen[NECK, :2] - 0.5 * (left + right)) * 0.55
    outline = [
        right - wide * across,
        top,
        left + wide * across,
        hip_left + 1.3 * wide * across,
        hip_right - 1.3 * wide * across,
    ]
    corners = tuple((float(u), float(v)) for u, v in outline)
    edge = shade(look.shirt, 0.55)
    upper, lower = 0.5 * (left + right), 0.5 * (hip_left + hip_right)
    spine = tuple((float(u), float(v)) for u, v in (upper + 0.2 * (lower - upper), upper + 0.85 * (lower - upper)))
    trunk = [Shape(spine, look.shirt, width=0.20 * scale, edge=edge), Shape(corners, look.shirt, edge=edge)]
    half_top, half_low = 0.5 * (left - right) + wide * across, 0.5 * (hip_left - hip_right) + 1.3 * wide * across
    if look.pattern == 1:
        for share in (0.2, 0.45, 0.7):
            middle, half = upper + share * (lower - upper), half_top + share * (half_low - half_top)
            ends = tuple((float(u), float(v)) for u, v in (middle - 0.9 * half, middle + 0.9 * half))
            trunk.append(Shape(ends, look.second, width=0.055 * scale))
    elif look.pattern == 2:
        middle, half = upper + 0.5 * (lower - upper), 0.5 * (half_top + half_low)
        block = (middle - half, middle + half, lower + half_low, lower - half_low)
        trunk.append(Shape(tuple((float(u), float(v)) for u, v in block), look.second, edge=edge))
    seat = ((float(u), float(v)) for u, v in (lower - 0.6 * half_low, lower + 0.6 * half_low))
    return trunk, [Shape(tuple(seat), look.trousers, width=0.16 * scale)]


def _limb(
    seen: Array, joints: Sequence[int], widths: Sequence[float], colours: Sequence[Colour], scale: float
) -> list[Shape]:
    points = [(float(seen[joint, 0]), float(seen[joint, 1])) for joint in joints]
    return [
        Shape((start, end), colour, width=width * scale, edge=shade(colour, 0.6))
        for start, end, width, colour in zip(points[:-1], points[1:], widths, colours, strict=True)
    ]


def draw_person(joints: Array, lens: Lens, look: Appearance, towards: float, facing: bool = True) -> Figure:
    """A person's shapes.

    Args:
        joints: (25, 3), layout ntu25, world frame, metres.
        lens: what it is seen through.
        look: colours.
        towards, facing: as for :func:`draw_head`.
    """
    seen = lens.project(joints)
    scale = lens.camera.focal_length / float(seen[SPINE_BASE, 2])
    figure = Figure(depth=float(seen[SPINE_BASE, 2]))
    shank = look.skin if look.shorts else look.trousers
    for side in sorted((0, 1), key=lambda each: -float(seen[KNEES[each], 2])):
        chain = (HIPS[side], KNEES[side], ANKLES[side])
        leg = _limb(seen, chain, (0.155, 0.115), (look.trousers, shank), scale)
        figure.legs += leg
        figure.trousers += leg[:1] if look.shorts else leg
        (u1, v1), (u2, v2) = seen[ANKLES[side], :2].tolist(), seen[FEET[side], :2].tolist()
        v1 += 0.03 * scale
        figure.feet[side].append(
            Shape(((u1, v1), (u2, v2)), look.shoes, width=0.105 * scale, edge=shade(look.shoes, 0.6))
        )
    trunk, seat = _torso(seen, look, scale)
    figure.legs += seat
    figure.trousers += seat
    neck = (tuple(seen[NECK, :2].tolist()), tuple(seen[HEAD, :2].tolist()))
    figure.trunk = [Shape(neck, shade(look.skin, 0.9), width=0.095 * scale), *trunk]
    u, v, depth = seen[HEAD].tolist()
    head_scale = lens.camera.focal_length / depth
    tilt = float(np.arctan2(seen[HEAD, 0] - seen[MID_SPINE, 0], seen[MID_SPINE, 1] - seen[HEAD, 1]))
    figure.head_tilt = -tilt if abs(tilt) > 0.05 else 0.0
    pen = Pen(u, v - 0.02 * head_scale, head_scale, figure.head_tilt)
    draw_head(pen, look, towards, facing)
    figure.head, figure.head_at = pen.shapes, (pen.u, pen.v, head_scale)
    left, right = (tuple(seen[joint, :2].tolist()) for joint in SHOULDERS)
    figure.shoulders = (left, right)
    sleeve = look.shirt if look.pattern != 2 else look.second
    forearm = sleeve if look.long_sleeves else look.skin
    figure.shirt += trunk
    for side in (0, 1):
        arm = _limb(seen, (SHOULDERS[side], ELBOWS[side], WRISTS[side]), (0.105, 0.085), (sleeve, forearm), scale)
        figure.arms += arm
        figure.shirt += arm if look.long_sleeves else arm[:1]
        u, v = (0.5 * (seen[HANDS[side], :2] + seen[TIPS[side], :2])).tolist()
        radius = HAND_SIZE * lens.camera.focal_length / float(seen[HANDS[side], 2])
        box = ((u - radius, v - radius), (u + radius, v + radius))
        figure.hands[side].append(Shape(box, look.skin, round=True, edge=shade(look.skin, 0.55)))
    return figure
