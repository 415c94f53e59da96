"""The diagnostic pairs: two classes with equal frames, told apart by one kind of relation (supplement 4.1).

Whatever could be seen in a single frame, or without its time, has the same distribution in both classes of a pair.
"""

from __future__ import annotations

import math

import numpy as np

from interplay.data.playground.profiles import Array
from interplay.data.playground.rendering import shade
from interplay.data.playground.table_stage import Event, TableStage
from interplay.data.playground.table_things import BRIGHT, Thing
from interplay.data.playground.video_scripts_camera import low_table


def slope(stage: TableStage, rolls: bool) -> Event:
    """A disc comes down a ramp, along the same way at the same times: it turns, or keeps its first angle."""
    stage.clutter(1)
    start, end = stage.span((0.16, 0.28), (0.78, 0.94))
    high, foot, back = stage.uniform(0.20, 0.28), stage.uniform(0.12, 0.22), stage.uniform(-0.02, 0.06)
    left, depth = -0.40, 0.15
    fill = BRIGHT[int(stage.rng.integers(len(BRIGHT)))]
    far, near = back - 0.5 * depth, back + 0.5 * depth
    stage.polygon([(left, high, far), (foot, 0.0, far), (foot, 0.0, near), (left, high, near)], shade(fill, 1.15))
    stage.polygon([(left, 0.0, near), (foot, 0.0, near), (left, high, near)], shade(fill, 0.75))
    disc = stage.thing("wheel", stage.track(0.0, 0.0, back), scale=stage.uniform(0.85, 1.05))
    disc.shadow = False  # it would lie on the ramp
    radius, length = 0.5 * disc.size[0], math.hypot(foot - left, high)
    gone = stage.uniform(0.06, 0.14) * length
    total = length - gone + stage.uniform(0.06, 0.16)
    way = total * np.clip((stage.time - start) / (end - start), 0.0, 1.0) ** 1.6
    along = (way + gone) / length  # 1 at the foot; then level
    flat = np.maximum(way + gone - length, 0.0)
    slant, rise = (foot - left) / length, high / length
    on = np.minimum(along, 1.0)
    turned = np.clip((along - 1.0) * length / radius + 0.5, 0.0, 1.0)  # the ramp's normal becomes the table's
    normal_x, normal_y = rise * (1.0 - turned), slant + (1.0 - slant) * turned
    x = left + on * (foot - left) + flat + radius * normal_x
    y = high * (1.0 - on) + radius * normal_y
    disc.position = stage.track(x, y - radius, back)
    disc.pivot = (0.0, radius)
    first = stage.uniform(0.0, 2.0 * math.pi)
    disc.angle = first - way / radius if rolls else np.full(stage.frames, first)
    reach = stage.track(x[0] - 0.6 * radius, y[0] + 0.8 * radius, back)
    stage.hand(reach, "left", "push", None, start - 0.1)
    if stage.side() > 0:
        stage.mirror()
    return {"what": "rolls" if rolls else "slides", "start": start, "end": end, "turn": float(way[-1] / radius)}


def over_the_edge(stage: TableStage, falls: bool) -> Event:
    """Of two equal things, one at each end of a table, a hand pushes one until it hangs over the edge, and leaves.
    Then one of the two falls: the one that was pushed, or the other.

    Neither is found by the proposals any more from when the hand leaves.
    """
    low_table(stage, stage.uniform(0.33, 0.38), stage.uniform(-0.36, -0.31))
    half, floor = stage.top.half, stage.top.floor
    start = stage.duration * stage.uniform(0.16, 0.22)
    end = start + stage.uniform(0.55, 0.85)
    tips = end + stage.uniform(0.45, 0.75)
    side = stage.side()
    kind = stage.kind(("can", "block", "box", "cup"))
    colours = stage.colours(kind)
    scale, z = stage.uniform(0.85, 1.05), stage.uniform(-0.04, 0.04)
    distance, over = stage.uniform(0.12, 0.20), stage.uniform(-0.025, 0.01)
    pushed = side * (half + over - distance * (1.0 - stage.progress(start, end)))
    other = np.full(stage.frames, -side * (half + stage.uniform(-0.025, 0.01)))
    things = [stage.thing(kind, stage.track(x, 0.0, z), colours=colours, scale=scale) for x in (pushed, other)]
    reach = things[0].position + np.array([-0.5 * side * things[0].size[0], 0.45 * things[0].size[1], 0.01])
    stage.hand(reach, "front left" if side > 0 else "front right", "push", start - 0.45, end, travel=0.42)
    _fall(stage, things[0 if falls else 1], side if falls else -side, tips, floor)
    for thing in things:
        thing.proposed = stage.time < end + 0.1
    return {"what": "pushed" if falls else "other", "start": start, "end": tips + 0.7, "tips": tips, "falls": falls}


def _fall(stage: TableStage, thing: Thing, side: float, when: float, floor: float) -> None:
    """Tips over the edge and falls to the floor, slower than on earth so that 12 frames a second show it."""
    width, height = thing.size
    tilt = stage.progress(when, when + 0.45)
    later = np.maximum(stage.time - when - 0.25, 0.0)
    thing.pivot = (0.0, 0.5 * height)
    lowest = floor + 0.5 * (width - height)
    drop = np.maximum(-1.6 * later**2, lowest)
    share = drop / lowest
    thing.angle = -side * 0.5 * math.pi * (0.6 * tilt + 0.4 * share)
    thing.position = thing.position + stage.track(side * (0.05 * tilt + 0.05 * share), drop, 0.0)


def along_with(stage: TableStage, same: bool) -> Event:
    """A hand moves a thing sideways while a toy car runs behind it, the same way or the opposite way.

    The proposals never find the car.
    """
    start, end = stage.span((0.10, 0.22), (0.76, 0.92))
    share = stage.progress(start, end) - 0.5
    side = stage.side()
    distances = stage.uniform(0.15, 0.24), stage.uniform(0.18, 0.28)
    places = stage.uniform(-0.22, 0.22), stage.uniform(-0.26, 0.26)
    z = stage.uniform(-0.02, 0.10)
    car = stage.thing("car", stage.track(0.0, 0.0, stage.uniform(-0.31, -0.26)), "car", scale=stage.uniform(0.95, 1.15))
    car.position[:, 0] = places[1] + (side if same else -side) * distances[1] * share
    car.proposed = False
    thing = stage.thing(stage.kind(("can", "block", "cup", "box")), stage.track(0.0, 0.0, z), scale=0.9)
    thing.position[:, 0] = places[0] + side * distances[0] * share
    hand = stage.side()
    reach = thing.position + np.array([0.5 * hand * thing.size[0], 0.5 * thing.size[1], 0.0])
    stage.hand(reach, "front right" if hand > 0 else "front left", "grip", None, None)
    return {"what": "same" if same else "opposite", "start": start, "end": end}


def meet(stage: TableStage, deflected: bool) -> Event:
    """Two balls run towards each other, meet behind a board, and come out again: each on its own side, or past."""
    stage.clutter(1)
    start, end = stage.span((0.06, 0.18), (0.82, 0.95))
    swing = 1.0 - 2.0 * np.clip((stage.time - start) / (end - start), 0.0, 1.0)
    far, middle = stage.uniform(0.36, 0.40), stage.uniform(-0.03, 0.03)
    z, side = stage.uniform(-0.14, -0.08), stage.side()
    scale = stage.uniform(0.85, 1.0)
    kinds = [stage.kind(("wheel", "ball")) for _ in range(2)]
    for k, own in enumerate((side, -side)):
        place: Array = far * (np.abs(swing) if deflected else swing)
        ball = stage.thing(kinds[k], stage.track(middle + own * place, 0.0, z - 0.02 * k), scale=scale)
        ball.pivot = (0.0, 0.5 * ball.size[1])
        ball.angle = stage.uniform(0.0, 2.0 * math.pi) - own * place / (0.5 * ball.size[0])
    stage.thing("board", stage.track(middle, 0.0, z + 0.10), "board", scale=stage.uniform(0.95, 1.1))
    return {"what": "deflected" if deflected else "past", "start": start, "end": end}


def poke(stage: TableStage, moves: bool) -> Event:
    """A finger pokes one of many things; it gives way a little, or does not."""
    stage.clutter(5, 4)
    touch = stage.duration * stage.uniform(0.38, 0.58)
    side, distance = stage.side(), stage.uniform(0.07, 0.11)
    places = stage.rng.permutation([-0.28, 0.0, 0.28]) + stage.rng.uniform(-0.04, 0.04, 3)
    z = stage.uniform(-0.08, 0.10)
    for x in places[1:].tolist():
        stage.thing(stage.kind(), stage.track(x, 0.0, stage.uniform(-0.10, 0.12)), "clutter", scale=0.85)
    gives = stage.progress(touch, touch + 0.3) if moves else np.zeros(stage.frames)
    # Half of the way before, half after: where it stands says nothing about whether it moved.
    stands = 0.5 * distance * stage.side()
    offset = side * distance * (gives - 0.5) if moves else stands + 0.0 * gives
    thing = stage.thing(stage.kind(), stage.track(places[0] + offset, 0.0, z))
    reach = thing.position + np.array([-0.5 * side * thing.size[0], 0.55 * thing.size[1], 0.01])
    stage.hand(reach, "left" if side > 0 else "right", "point", touch - 0.45, touch + 0.4)
    return {"what": "moves" if moves else "stays", "start": touch, "end": touch + 0.4, "distance": distance * moves}
