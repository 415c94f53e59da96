"""What is put where in a scene: walls and what hangs there, furniture and what lies on it, people and animals."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from interplay.data.playground.furniture import WALL_Z, draw_outdoors, draw_room
from interplay.data.playground.objects import KINDS
from interplay.data.playground.scene_layout import Scene, SceneBuilder, Thing, visible
from interplay.data.playground.scene_people import SEAT, random_role

_ACTIVITIES = (*("play",) * 4, *("hat", "bag") * 2, *("tool",) * 3, "use", "drink", "read", "none")

LEAST_OBJECTS = 12
"""Boxes in every picture at least."""


def _wall(build: SceneBuilder) -> None:
    slots = [-1.55, -0.75, 0.05, 0.85, 1.6]
    build.rng.shuffle(slots)
    z = WALL_Z + 0.02
    for x in slots[: int(build.rng.integers(2, 5))]:
        kind = build.pick(("window", "picture", "picture", "clock", "shelf", "shelf", "tv"))
        x += build.uniform(-0.08, 0.08)
        y = build.uniform(1.35, 1.5) if kind in ("window", "tv", "shelf") else build.uniform(1.5, 1.75)
        if kind == "shelf":
            shelf = build.furniture("shelf", x, z + 0.11, y, place="wall")
            for dx in (-0.25, 0.2)[: int(build.rng.integers(1, 3))]:
                item = build.pick(("book", "vase", "cup", "bottle", "hat", "book"))
                lies = "lying" if item == "book" else ""
                build.object(item, x + dx, y + KINDS["shelf"].size[1], z + 0.11, shelf, "top", lies)
        else:
            build.object(kind, x, y, z, place="wall")


def _on_top(build: SceneBuilder, support: int, count: int, kinds: Sequence[str]) -> None:
    thing = build.scene.things[support]
    height = {"sofa": 0.44, "chair": SEAT}.get(thing.kind, thing.y + thing.size[1])
    places = np.linspace(-0.38, 0.38, max(count, 1)) if count > 1 else [build.uniform(-0.25, 0.25)]
    for share in places:
        kind = build.pick(kinds)
        x = thing.x + thing.size[0] * float(share) + build.uniform(-0.05, 0.05)
        lies = "lying" if kind in ("knife", "saw", "hammer", "book") else ""
        build.object(kind, x, height, thing.z + build.uniform(-0.1, 0.15), support, "top", lies)


def _furnish(build: SceneBuilder) -> None:
    indoors = build.scene.indoors
    x = build.uniform(-0.45, 0.45)
    kind = build.pick(("table", "table", "table", "sofa")) if indoors else build.pick(("bench", "bench", "table"))
    z = build.uniform(-0.85, -0.6)
    main = build.furniture(kind, x, z)
    if kind == "table":
        _on_top(
            build,
            main,
            int(build.rng.integers(2, 5)),
            ("cup", "cup", "bottle", "book", "phone", "laptop", "knife", "vase", "hammer", "box"),
        )
        if build.chance(0.55):
            under = build.pick(("box", "ball", "bag", "ball"))
            build.object(under, x + build.uniform(-0.3, 0.3), 0.0, z + build.uniform(-0.05, 0.1))
        if indoors and build.chance(0.45):
            build.object("lamp", x + build.uniform(-0.1, 0.1), build.uniform(1.62, 1.75), z, place="ceiling")
        if build.chance(0.4):
            side = -1.0 if build.chance(0.5) else 1.0
            chair = build.furniture("chair", x + side * 0.95, z + build.uniform(-0.1, 0.15))
            if build.chance(0.35):
                _on_top(build, chair, 1, ("book", "bag", "hat", "box"))
    else:
        count = int(build.rng.integers(1, 3))
        _on_top(build, main, count, ("book", "bag", "phone", "hat", "ball", "box", "laptop"))
    for _ in range(int(build.rng.integers(0, 2 if indoors else 3))):
        where = build.uniform(1.3, 1.7) * (-1.0 if build.chance(0.5) else 1.0)
        build.object("plant" if indoors else "tree", where, 0.0, build.uniform(-1.1, -0.8))


def build_scene(seed: int, size: tuple[int, int], other_way: bool = False) -> Scene:
    """Draw a scene.

    Args:
        seed: not negative.
        size: width and height in pixels.
        other_way: every coin turned: same boxes and labels, the other member of every pair of predicates.
    """
    build = SceneBuilder(seed, size, other_way)
    scene = build.scene
    scene.indoors = build.chance(0.7)
    if scene.indoors:
        scene.backdrop, build.ground, wall = draw_room(build.lens, build.rng)
        scene.things.append(Thing("wall", wall, 95.0, 0.0, 0.0, WALL_Z, (9.0, 3.0, 0.1), place="wall", chance=0.6))
        _wall(build)
        if build.chance(0.5):
            build.furniture("rug", build.uniform(-0.4, 0.4), build.uniform(0.15, 0.4))
    else:
        scene.backdrop, build.ground = draw_outdoors(build.lens, build.rng)
    _furnish(build)
    rug = next((index for index, thing in enumerate(scene.things) if thing.kind == "rug"), -1)

    def carpet(x: float, z: float) -> int:
        if rug < 0:
            return -1
        thing = scene.things[rug]
        inside = abs(x - thing.x) < 0.5 * thing.size[0] and abs(z - thing.z) < 0.5 * thing.size[2]
        return rug if inside else -1

    roles, seats = [], []
    sides = [-1.0, 1.0] if build.chance(0.85) else [-1.0 if build.chance(0.5) else 1.0]
    for side in sides:
        x, z = side * build.uniform(0.72, 1.05), build.uniform(0.05, 0.5)
        sits = build.chance(0.22)
        activity = build.pick(_ACTIVITIES)
        if sits and activity in ("play", "hat", "bag"):
            activity = "tool"
        role = random_role(build.rng, x, z, sits, activity)
        if activity in ("play", "tool", "bag") and side * role.outward > 0.0 and not sits:
            role = dataclasses.replace(role, x=0.75 * x)  # so that what it holds stays in the picture
        roles.append(role)
        seats.append(build.furniture("chair", x, z - 0.05) if sits else carpet(role.x, z))
    build.people(roles, seats)
    middle = build.uniform(-0.22, 0.22)
    if build.chance(0.6):
        z = build.uniform(0.45, 0.8)
        build.animal("dog", middle, 0.0, z, carpet(middle, z))
    elif build.chance(0.6):
        tops = [index for index, thing in enumerate(scene.things) if thing.kind in ("sofa", "bench")]
        if tops and build.chance(0.7):
            thing = scene.things[tops[0]]
            height = 0.44 if thing.kind == "sofa" else thing.size[1]
            build.animal("cat", thing.x + build.uniform(-0.3, 0.3), height, thing.z + 0.05, tops[0], "lying")
        else:
            build.animal("cat", middle, 0.0, build.uniform(0.4, 0.8), -1)
    if build.chance(0.45):
        x, z = build.uniform(-0.6, 0.6), build.uniform(0.85, 1.1)
        build.object(build.pick(("ball", "box", "bag", "book", "bottle", "hammer", "hat")), x, 0.0, z, carpet(x, z))
    for _ in range(24):
        if len(visible(scene)) >= LEAST_OBJECTS + 1:
            break
        x, z = build.uniform(-1.5, 1.5), build.uniform(-1.0, 0.2)
        build.object(build.pick(("ball", "box", "bag", "plant", "box", "bottle")), x, 0.0, z, carpet(x, z))
    return scene
