"""Clips whose camera moves, and things moved in a direction: what the classes' names say, left and right included."""

from __future__ import annotations

import dataclasses

import numpy as np

from interplay.data.playground.profiles import Array
from interplay.data.playground.table_stage import Event, TableStage
from interplay.data.playground.table_view import CameraPath


def _still_life(stage: TableStage, half: float, count: tuple[int, int]) -> None:
    """Things all along the table, so that a frame holds as many wherever the camera looks."""
    number = int(stage.rng.integers(*count))
    for k in range(number):
        x = -half + 2.0 * half * (k + stage.uniform(0.2, 0.8)) / number
        stage.thing(stage.kind(), stage.track(x, 0.0, stage.uniform(-0.22, 0.12)))


def _moved(stage: TableStage, across: Array | float, down: Array | float, zoom: Array | float) -> None:
    old = stage.path
    stage.path = CameraPath(old.across + across, old.down + down, old.zoom * zoom)


def turn_sideways(stage: TableStage) -> Event:
    """The camera turns to the left: the whole picture moves to the right."""
    start, end = stage.span((0.03, 0.22), (0.78, 0.97))
    stage.see(pitch=(0.42, 0.58))
    _still_life(stage, 1.25, (7, 11))
    amount, middle = stage.uniform(0.16, 0.36), stage.uniform(-0.15, 0.15)
    _moved(stage, middle + amount * (1.0 - 2.0 * stage.progress(start, end)), 0.0, 1.0)
    return {"what": "camera left", "start": start, "end": end}


def turn_upwards(stage: TableStage) -> Event:
    """The camera turns upwards: the whole picture moves down."""
    start, end = stage.span((0.03, 0.22), (0.78, 0.97))
    stage.see(pitch=(0.42, 0.58))
    _still_life(stage, 0.62, (3, 6))
    amount, middle = stage.uniform(0.06, 0.12), stage.uniform(-0.13, 0.13)
    _moved(stage, 0.0, middle + amount * (1.0 - 2.0 * stage.progress(start, end)), 1.0)
    return {"what": "camera up", "start": start, "end": end}


def approach(stage: TableStage) -> Event:
    """The camera comes nearer: the whole picture grows."""
    start, end = stage.span((0.03, 0.22), (0.78, 0.97))
    stage.see(pitch=(0.42, 0.58))
    _still_life(stage, 0.75, (4, 7))
    factor, middle = stage.uniform(1.35, 1.75), stage.uniform(0.95, 1.15)
    zoom = middle * np.exp(np.log(factor) * (stage.progress(start, end) - 0.5))
    _moved(stage, stage.uniform(-0.08, 0.08), stage.uniform(-0.02, 0.06), zoom)
    return {"what": "camera nearer", "start": start, "end": end}


def push_along(stage: TableStage, leftwards: bool) -> Event:
    """A hand behind a thing pushes it along the table, to the right or, mirrored, to the left."""
    stage.clutter()
    start, end = stage.span((0.20, 0.32), (0.64, 0.80))
    kind = stage.kind()
    distance, middle = stage.uniform(0.20, 0.36), stage.uniform(-0.17, 0.17)
    x = middle + distance * (stage.progress(start, end) - 0.5)
    z = stage.uniform(-0.12, 0.10)
    thing = stage.thing(kind, stage.track(x, 0.0, z))
    reach = thing.position + np.array([-0.5 * thing.size[0], stage.uniform(0.35, 0.6) * thing.size[1], 0.0])
    stage.hand(reach, "left", "push", start - 0.45, end + 0.05)
    if leftwards:
        stage.mirror()
    return {"what": "leftwards" if leftwards else "rightwards", "start": start, "end": end, "distance": distance}


def towards_camera(stage: TableStage) -> Event:
    """A hand brings a thing from the back of the table to the camera."""
    stage.clutter()
    start, end = stage.span((0.05, 0.2), (0.8, 0.95))
    share = stage.progress(start, end)
    kind, x = stage.kind(), stage.uniform(-0.12, 0.12)
    near, high = stage.uniform(0.42, 0.58), stage.uniform(0.12, 0.20)
    thing = stage.thing(kind, stage.track(x * (1.0 - 0.5 * share), 0.03 + high * share, -0.22 + near * share))
    side = stage.side()
    reach = thing.position + np.array([side * 0.5 * thing.size[0], 0.45 * thing.size[1], 0.0])
    hand = stage.hand(reach, "right" if side > 0 else "left", "grip", None, None)
    hand.anchor = hand.anchor + np.array([0.0, 0.0, 0.25])
    return {"what": "nearer", "start": start, "end": end}


def lift(stage: TableStage) -> Event:
    """A hand moves a thing up."""
    stage.clutter()
    start, end = stage.span((0.05, 0.25), (0.7, 0.95))
    share = stage.progress(start, end)
    kind, x, z = stage.kind(), stage.uniform(-0.25, 0.25), stage.uniform(-0.12, 0.08)
    low, high = stage.uniform(0.0, 0.10), stage.uniform(0.10, 0.18)
    thing = stage.thing(kind, stage.track(x, low + high * share, z))
    side = stage.side()
    reach = thing.position + np.array([side * 0.5 * thing.size[0], 0.5 * thing.size[1], 0.0])
    stage.hand(reach, "right" if side > 0 else "left", "grip", None, None)
    return {"what": "up", "start": start, "end": end}


def towards_each_other(stage: TableStage, both: bool) -> Event:
    """Two things in two hands come closer, at the same speed relative to each other: one of them moves, or both.

    Where they are at half time is the same either way, so that places say as little as they can.
    """
    stage.clutter()
    start, end = stage.span((0.05, 0.38), (0.60, 0.95))
    share = stage.progress(start, end)
    near = stage.uniform(0.22, 0.30)
    far = near + stage.uniform(0.10, 0.30)
    gap = far + (near - far) * share
    centre, mover, z = stage.uniform(-0.10, 0.10), stage.side(), stage.uniform(-0.06, 0.06)
    # Where one stays, the middle between the two moves towards it; where both move, it is somewhere on that way.
    shift = np.full(stage.frames, stage.uniform(-0.5, 0.5) * (far - near))
    middle = centre + 0.5 * mover * (shift if both else gap - 0.5 * (far + near))
    for side in (-1.0, 1.0):
        thing = stage.thing(stage.kind(), stage.track(middle + 0.5 * side * gap, 0.0, z))
        reach = thing.position + np.array([side * 0.5 * thing.size[0], 0.5 * thing.size[1], 0.0])
        stage.hand(reach, "right" if side > 0 else "left", "grip", None, None, second=side > 0)
    moving = ["thing 0", "thing 1"] if both else [f"thing {int(mover > 0)}"]
    return {"what": "both" if both else "one", "start": start, "end": end, "moving": moving}


def low_table(stage: TableStage, half: float, floor: float) -> None:
    """A short table whose ends, and the floor below, are in the picture."""
    top = dataclasses.replace(stage.top, half=half, back=-0.20, front=0.16, floor=floor, wall=-0.6)
    stage.see(pitch=(0.27, 0.36), span=(1.12, 1.25), aim=(-0.07, 0.0), top=top)
