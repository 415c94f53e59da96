"""A scene of the picture view: its things, what people do, and boxes that do not tell which of two ways it is.

A scene is drawn from its seed in two steps. First everything that shows in boxes: the room, people, furniture,
objects, who attends to what (``scene_contents`` says what is put where). Then one *coin* for each way
(:data:`PART_PAIRS`): whether a ball is met by hand or foot, a hat worn or carried, a knife held by handle or blade, a
face turned to something or away from it. Coins change pixels inside boxes; every box is that of both ways together, so
labels and boxes are the same whatever the coins say.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from interplay.data.playground.figures import Figure, draw_head, draw_person
from interplay.data.playground.furniture import draw_furniture, shadow
from interplay.data.playground.objects import KINDS, TOOLS, draw_object, random_colour
from interplay.data.playground.profiles import Array
from interplay.data.playground.rendering import Colour, Extent, Lens, Pen, Shape, extent, join_extents, shade
from interplay.data.playground.scene import look_at
from interplay.data.playground.scene_people import Role, act_out

PART_PAIRS: tuple[tuple[str, str], ...] = (
    ("holding", "touching with the foot"),
    ("looking at", "facing away from"),
    ("wearing", "carrying"),
    ("holding by the handle", "holding by the blade"),
)
"""Predicates that differ in a part of the box only: same classes, same boxes, equally often."""

ACTS: Mapping[str, tuple[str, str]] = {
    "play": PART_PAIRS[0],
    "hat": PART_PAIRS[2],
    "bag": PART_PAIRS[2],
    "tool": PART_PAIRS[3],
    "use": ("using", "using"),
    "drink": ("drinking from", "drinking from"),
    "read": ("reading", "reading"),
}
"""Activity → predicate of a person to the thing, in either way."""

FURNITURE = ("table", "bench", "chair", "sofa", "shelf", "rug")


@dataclass(slots=True)
class Thing:
    """An object of a scene.

    Args:
        kind: class name.
        box: extent in the picture, the same for both ways.
        depth: distance from the camera, metres; nearer hides farther.
        x, y, z: middle of the lower edge in the world, metres.
        size: width, height, depth, metres.
        support: index of what it stands, sits or lies on, or −1 (the floor, the wall, a hand).
        posture: "standing", "sitting", "lying", or "" for things.
        place: "floor", "top" (on its support), "wall", "ceiling", "held" or "part".
        owner: index of the person whose part or garment it is, or who holds it; −1 for none.
        cover: what of it hides things behind it.
        chance: how likely an annotator draws a box around it.
    """

    kind: str
    box: Extent
    depth: float
    x: float
    y: float
    z: float
    size: tuple[float, float, float]
    support: int = -1
    posture: str = ""
    place: str = "floor"
    owner: int = -1
    cover: Extent | None = None
    chance: float = 0.9


@dataclass(slots=True)
class Scene:
    """Everything about a picture: what to draw, back to front, and what is true.

    Args:
        seed: what it was drawn from.
        size: width and height in pixels.
        backdrop: shapes behind everything.
        layers: (depth, shapes); to be drawn by falling depth.
        things: all objects, seen or not.
        events: (subject, object, predicate) of activities and attention, as the coins fell.
        indoors: a room (with a wall) or outdoors.
    """

    seed: int
    size: tuple[int, int]
    backdrop: list[Shape] = field(default_factory=list)
    layers: list[tuple[float, list[Shape]]] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)
    events: list[tuple[int, int, str]] = field(default_factory=list)
    indoors: bool = True

    def shapes(self) -> list[Shape]:
        """All shapes, back to front."""
        ordered = sorted(self.layers, key=lambda layer: -layer[0])
        return [*self.backdrop, *(shape for _, shapes in ordered for shape in shapes)]


def generator(seed: int, purpose: int) -> np.random.Generator:
    """An independent generator for each purpose of a scene's seed."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0x5CE7E, purpose])))


class SceneBuilder:
    """Fills a scene. ``rng`` draws what shows in boxes, ``coins`` only the ways.

    Args:
        seed: of the scene.
        size: width and height in pixels.
        other_way: turn every coin: the scene's twin, with the same boxes and labels.
    """

    def __init__(self, seed: int, size: tuple[int, int], other_way: bool = False) -> None:
        self.scene = Scene(seed, size)
        self.rng = generator(seed, 0)
        self._coins = generator(seed, 1)
        self._flip = int(other_way)
        rng = self.rng
        position = np.array([rng.uniform(-0.25, 0.25), rng.uniform(1.25, 1.6), rng.uniform(4.1, 4.5)])
        target = np.array([rng.uniform(-0.08, 0.08), rng.uniform(0.92, 1.0), 0.0])
        focal = float(rng.uniform(1.14, 1.24)) * size[0]
        self.lens = Lens(dataclasses.replace(look_at(position, target), focal_length=focal), size)
        self.ground: Colour = (128, 128, 128)
        self.faces: list[tuple[int, float, float]] = []

    def coin(self) -> int:
        """0 or 1, fair."""
        return int(self._coins.integers(2)) ^ self._flip

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, kinds: Sequence[str]) -> str:
        return kinds[int(self.rng.integers(len(kinds)))]

    def depth(self, x: float, y: float, z: float) -> float:
        return self.lens.camera.focal_length / self.lens.point(x, y, z)[2]

    # -- things ----------------------------------------------------------------------------------------------------

    def add(self, thing: Thing, shapes: list[Shape], lift: float = 0.0) -> int:
        """Add a thing and its shapes; ``lift`` brings its layer nearer than its place says."""
        self.scene.things.append(thing)
        if shapes:
            self.scene.layers.append((thing.depth - lift, shapes))
        return len(self.scene.things) - 1

    def furniture(self, kind: str, x: float, z: float, y: float = 0.0, place: str = "floor") -> int:
        """A piece of furniture facing the camera."""
        colour = random_colour(self.rng, kind)
        shapes = draw_furniture(self.lens, kind, x, y, z, colour)
        box = extent(shapes)
        depth = self.depth(x, 0.5, z)
        if kind == "rug":
            depth = 90.0
        elif place == "floor":
            self.scene.backdrop.append(shadow(self.lens, x, z, 1.1 * KINDS[kind].size[0], self.ground))
        cover = extent(shapes[-3:]) if kind in ("table", "bench") else box if kind == "sofa" else None
        return self.add(Thing(kind, box, depth, x, y, z, KINDS[kind].size, place=place, cover=cover), shapes)

    def object(
        self, kind: str, x: float, y: float, z: float, support: int = -1, place: str = "floor", posture: str = ""
    ) -> int:
        """A small object on the floor, on something, on the wall or under the ceiling."""
        size, colour, detail = KINDS[kind].size, random_colour(self.rng, kind), float(self.rng.random())
        mirror = self.chance(0.5)
        middle = 0.5 * size[1] if kind in TOOLS else 0.0
        pen = self.lens.pen(x, y + middle, z, mirror=mirror and kind in TOOLS)
        draw_object(pen, kind, colour, detail)
        if kind == "lamp":
            u, v = pen.at(0.0, size[1])
            pen.shapes.insert(0, Shape(((u, 0.0), (u, v)), (70, 70, 74), width=1.2))
        box = extent(pen.shapes)
        depth = self.depth(x, y, z)
        if place == "floor":
            self.scene.backdrop.append(shadow(self.lens, x, z, 1.1 * size[0], self.ground))
        solid = kind in ("box", "plant", "bag", "ball", "dog")
        thing = Thing(kind, box, depth, x, y, z, size, support, posture, place, cover=box if solid else None)
        lift = 0.45 if place == "top" else 0.0
        return self.add(thing, pen.shapes, lift)

    def animal(self, kind: str, x: float, y: float, z: float, support: int = -1, posture: str = "standing") -> int:
        """A dog or cat seen from the side; which way it faces is settled by :meth:`attention`."""
        colour = random_colour(self.rng, kind)
        ways = []
        for mirror in (False, True):
            pen = self.lens.pen(x, y, z, mirror=mirror)
            draw_object(pen, kind, colour)
            ways.append(pen.shapes)
        box = join_extents(extent(shapes) for shapes in ways)
        on_floor = support < 0 or self.scene.things[support].kind == "rug"
        if support < 0:
            self.scene.backdrop.append(shadow(self.lens, x, z, KINDS[kind].size[0], self.ground))
        place = "floor" if on_floor else "top"
        thing = Thing(kind, box, self.depth(x, y, z), x, y, z, KINDS[kind].size, support, posture, place, cover=box)
        index = self.add(thing, [])
        toward = self.attention(index)
        shapes = ways[int(toward < 0.0)] if toward else ways[int(self.chance(0.5))]
        self.scene.layers.append((thing.depth - (0.0 if on_floor else 0.45), shapes))
        return index

    # -- people ----------------------------------------------------------------------------------------------------

    def people(self, roles: Sequence[Role], seats: Sequence[int]) -> None:
        """Add people with what they hold; ``seats`` are the chairs of those who sit, or −1."""
        joints, places = act_out(roles)
        first = len(self.scene.things)
        plans = []
        for number, role in enumerate(roles):
            ways = [draw_person(joints[number, way], self.lens, role.look, 0.9) for way in (0, 1)]
            plans.append(ways)
            self._person(role, ways, seats[number])
        owners = [index for index in range(first, len(self.scene.things)) if self.scene.things[index].kind == "person"]
        ways_taken = [self.coin() for _ in roles]
        held = [
            self._held(role, owner, places[number], way)
            for number, (role, owner, way) in enumerate(zip(roles, owners, ways_taken, strict=True))
        ]
        for number, (role, owner, way) in enumerate(zip(roles, owners, ways_taken, strict=True)):
            figure = plans[number][way]
            toward = 0.0 if role.activity in ("drink", "read") else self.attention(owner)
            u, v, scale = figure.head_at
            pen = Pen(u, v, scale, angle=figure.head_tilt)
            draw_head(pen, role.look, toward)
            figure.head = pen.shapes
            self.scene.layers.append((self.scene.things[owner].depth, self._dressed(role, figure, held[number], way)))

    def _person(self, role: Role, ways: Sequence[Figure], seat: int) -> None:
        """The person's and its parts' boxes, of both ways together."""
        bodies = [extent([*way.body(), *_mirrored_head(way, role)]) for way in ways]
        torso = join_extents(extent(way.trunk) for way in ways)
        posture = "sitting" if role.sits else "standing"
        size = (0.5, role.body.height, 0.3)
        depth = float(np.mean([way.depth for way in ways])) - (0.3 if role.sits else 0.0)
        person = Thing("person", join_extents(bodies), depth, role.x, 0.0, role.z, size, seat, posture, chance=1.0)
        person.cover = torso
        owner = self.add(person, [])
        if seat < 0:
            self.scene.backdrop.append(shadow(self.lens, role.x, role.z, 0.62, self.ground))

        def part(kind: str, boxes: Sequence[Extent], chance: float) -> None:
            if _overlap(boxes[0], boxes[1]) < 0.72:
                return  # it is elsewhere in the other way: its box would tell
            box = join_extents(boxes)
            place = Thing(kind, box, depth - 0.02, role.x, 0.8, role.z, (0.2, 0.2, 0.2), place="part", owner=owner)
            place.chance = chance
            self.add(place, [])

        part("head", [extent(_mirrored_head(way, role)) for way in ways], 0.8)
        for side in (0, 1):
            part("hand", [extent(way.hands[side]) for way in ways], 0.45)
        for side in (0, 1):
            part("foot", [extent(way.feet[side]) for way in ways], 0.35)
        part("shirt", [extent(way.shirt) for way in ways], 0.75)
        part("trousers", [extent(way.trousers) for way in ways], 0.4)

    def _held(self, role: Role, owner: int, at: Array, way: int) -> list[Shape]:
        """What a person does something with: its shapes as the coin fell, its box, and the event."""
        if not role.thing:
            return []
        kind, colour, detail = role.thing, random_colour(self.rng, role.thing), float(self.rng.random())
        u, v, scale = self.lens.point(*at.tolist())
        width, height, _ = KINDS[kind].size
        ways: list[list[Shape]] = []
        for each in (0, 1):
            if kind in TOOLS:
                angle = role.angle if role.outward > 0.0 else math.pi - role.angle
                away = scale * (0.5 * width - 0.06)
                mirror = each == 1 and role.activity == "tool"
                pen = Pen(u + away * math.cos(angle), v - away * math.sin(angle), scale, angle, mirror)
            else:
                down = {"ball": 0.5, "balloon": 0.5, "hat": 0.0, "bag": 0.97, "bottle": 0.35}.get(kind, 0.4)
                pen = Pen(u, v + down * height * scale, scale)
            draw_object(pen, kind, colour, detail)
            ways.append(pen.shapes)
        box = join_extents(extent(shapes) for shapes in ways)
        x, y, z = at.tolist()
        person = self.scene.things[owner]
        thing = Thing(kind, box, person.depth - 0.05, x, y, z, KINDS[kind].size, place="held", owner=owner, chance=1.0)
        index = self.add(thing, [])
        self.scene.events.append((owner, index, ACTS[role.activity][way]))
        shapes = list(ways[way])
        if role.activity == "bag" and way == 0:
            shapes.append(Shape(((u, v), (u, v)), shade(colour, 0.55)))  # the strap's lower end; see _dressed
        return shapes

    def _dressed(self, role: Role, figure: Figure, held: list[Shape], way: int) -> list[Shape]:
        """A person's shapes with what it holds in between, back to front."""
        kicks = role.activity == "play" and way == 1
        feet = [shape for side in (0, 1) if not (kicks and side == role.side) for shape in figure.feet[side]]
        strap = []
        if role.activity == "bag" and way == 0:
            end = held.pop()
            over = figure.shoulders[1 - role.side]
            strap = [Shape((end.points[0], over), end.fill, width=0.045 * figure.head_at[2])]
        order = [*figure.legs, *feet, *figure.trunk, *figure.head, *strap, *held, *figure.arms]
        order += [*figure.hands[0], *figure.hands[1]]
        return order + (figure.feet[role.side] if kicks else [])

    # -- attention ---------------------------------------------------------------------------------------------------

    def attention(self, subject: int) -> float:
        """Choose what someone attends to (or ignores) among what is there, to one side; the sign of where it faces.

        0 where there is nothing to attend to.
        """
        things = self.scene.things
        me = things[subject]
        middle = 0.5 * (me.box[0] + me.box[2])
        weights = []
        for index, thing in enumerate(things):
            apart = abs(0.5 * (thing.box[0] + thing.box[2]) - middle)
            weight = _INTEREST.get(thing.kind, 0.0)
            if (
                index == subject
                or thing.owner == subject
                or apart < 0.14 * self.scene.size[0]
                or not _inside(thing.box, self.scene.size)
            ):
                weight = 0.0
            weights.append(weight)
        total = sum(weights)
        draw = float(self.rng.random()) * total
        if total == 0.0:
            return 0.0
        target = int(np.searchsorted(np.cumsum(weights), draw, side="right"))
        away = self.coin()
        sign = 1.0 if 0.5 * (things[target].box[0] + things[target].box[2]) > middle else -1.0
        self.scene.events.append((subject, target, PART_PAIRS[1][away]))
        return -sign if away else sign


_INTEREST = {
    "person": 6.0,
    "dog": 6.0,
    "cat": 6.0,
    "tv": 2.5,
    "ball": 2.0,
    "balloon": 2.0,
    "laptop": 1.0,
    "window": 0.5,
}


def _inside(box: Extent, size: tuple[int, int]) -> bool:
    """At least half of the box is in the picture."""
    w = min(box[2], size[0]) - max(box[0], 0.0)
    h = min(box[3], size[1]) - max(box[1], 0.0)
    return w > 0.0 and h > 0.0 and w * h >= 0.5 * (box[2] - box[0]) * (box[3] - box[1])


def _overlap(a: Extent, b: Extent) -> float:
    """Intersection over union of two extents."""
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0.0 or h <= 0.0:
        return 0.0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h / union


def _mirrored_head(figure: Figure, role: Role) -> list[Shape]:
    """The head looking to either side."""
    shapes = []
    for toward in (-1.0, 1.0):
        pen = Pen(*figure.head_at, angle=figure.head_tilt)
        draw_head(pen, role.look, toward)
        shapes += pen.shapes
    return shapes


def visible(scene: Scene) -> list[int]:
    """Things that can be made out: half inside the picture, 3 pixels or more, 40 % not behind something nearer.

    Told from boxes alone, so that the coins make no difference.
    """
    covers = [(thing.depth, thing.cover, index) for index, thing in enumerate(scene.things) if thing.cover]
    seen = []
    for index, thing in enumerate(scene.things):
        x1, y1, x2, y2 = thing.box
        if not _inside(thing.box, scene.size) or min(x2 - x1, y2 - y1) < 3.0:
            continue
        near = [
            c
            for depth, c, other in covers
            if depth < thing.depth - 0.06 and other not in (thing.owner, thing.support)
            if c[0] < x2 and c[2] > x1 and c[1] < y2 and c[3] > y1
        ]
        if thing.depth > 50.0 or not near:
            seen.append(index)
            continue
        left = 0
        for k in range(36):
            u, v = x1 + (k % 6 + 0.5) / 6.0 * (x2 - x1), y1 + (k // 6 + 0.5) / 6.0 * (y2 - y1)
            left += not any(c[0] <= u <= c[2] and c[1] <= v <= c[3] for c in near)
        if left >= 15:
            seen.append(index)
    return seen
