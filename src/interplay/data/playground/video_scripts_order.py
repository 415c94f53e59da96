"""Clips that a class and its opposite differ in by order alone: the opposite is the same clip backwards in time."""

from __future__ import annotations

import numpy as np

from interplay.data.playground.profiles import Array
from interplay.data.playground.table_stage import Event, TableStage
from interplay.data.playground.table_things import CRATE_DEPTH, LID_TURN, SIZES

SMALL = ("can", "block", "cup", "phone")


def _carried(stage: TableStage, start: float, end: float, here: Array, there: Array, high: float) -> Array:
    """(T, 3): up from ``here``, over and down to ``there``, ``high`` metres above the higher of the two."""
    rise = (end - start) / 3.0
    up, over, down = (stage.progress(start + k * rise, start + (k + 1) * rise) for k in range(3))
    top = max(float(here[1]), float(there[1])) + high
    track = here + over[:, None] * (there - here)
    track[:, 1] = here[1] + up * (top - here[1]) + down * (there[1] - top)
    return track


def open_lid(stage: TableStage) -> Event:
    """A hand turns the lid of a crate up."""
    stage.clutter()
    start, end = stage.span((0.22, 0.34), (0.60, 0.76))
    # From a state of its own to another: a first frame does not say much of which way the lid will go.
    lowest, wider = stage.uniform(0.0, 0.5), stage.uniform(0.35, 0.5)
    share = lowest + wider * stage.progress(start, end)
    x, z = stage.uniform(-0.22, 0.22), stage.uniform(-0.10, 0.05)
    crate = stage.thing("crate", stage.track(x, 0.0, z), scale=stage.uniform(0.9, 1.15))
    crate.amount = share
    turn = LID_TURN * share
    edge = np.stack([0.0 * turn, np.sin(turn), np.cos(turn)], axis=-1) * CRATE_DEPTH
    reach = stage.track(x + stage.uniform(-0.08, 0.08), crate.size[1], z - 0.5 * CRATE_DEPTH) + edge
    hand = stage.hand(reach, "front right" if stage.side() > 0 else "front left", "grip", start - 0.45, end + 0.05)
    hand.nearer = CRATE_DEPTH
    return {"what": "opens", "start": start, "end": end}


def put_onto(stage: TableStage) -> Event:
    """A hand puts a thing on top of a stand."""
    stage.clutter()
    start, end = stage.span((0.20, 0.30), (0.68, 0.80))
    side = stage.side()
    x, z = side * stage.uniform(0.14, 0.26), stage.uniform(-0.10, 0.05)
    stand = stage.thing("stand", stage.track(x, 0.0, z), "under", scale=stage.uniform(0.9, 1.1))
    here = np.array([-side * stage.uniform(0.12, 0.26), 0.0, z + stage.uniform(0.0, 0.06)])
    there = np.array([x + stage.uniform(-0.05, 0.05), 1.25 * stand.size[1], z + 0.005])
    thing = stage.thing(stage.kind(), _carried(stage, start, end, here, there, stage.uniform(0.05, 0.10)))
    thing.nearer = 0.01
    _held(stage, thing.position, thing.size, -side, start, end)
    return {"what": "onto", "start": start, "end": end}


def put_into(stage: TableStage) -> Event:
    """A hand puts a thing into a crate without a lid."""
    stage.clutter()
    start, end = stage.span((0.20, 0.30), (0.68, 0.80))
    side = stage.side()
    x, z = side * stage.uniform(0.14, 0.26), stage.uniform(-0.10, 0.05)
    stage.thing("crate", stage.track(x, 0.0, z), "holder", scale=stage.uniform(0.95, 1.15))
    here = np.array([-side * stage.uniform(0.12, 0.26), 0.0, z + stage.uniform(0.0, 0.06)])
    there = np.array([x + stage.uniform(-0.05, 0.05), 0.01, z])
    thing = stage.thing(stage.kind(SMALL), _carried(stage, start, end, here, there, stage.uniform(0.20, 0.26)))
    _held(stage, thing.position, thing.size, -side, start, end, high=0.75)
    return {"what": "into", "start": start, "end": end}


def _held(
    stage: TableStage, track: Array, size: tuple[float, float], side: float, start: float, end: float, high: float = 0.5
) -> None:
    """A hand that comes from ``side``, holds what moves along ``track``, and leaves it."""
    reach = track + np.array([side * 0.5 * size[0], high * size[1], 0.01])
    stage.hand(reach, "right" if side > 0 else "left", "grip", start - 0.42, end + 0.05)


def cover(stage: TableStage) -> Event:
    """A hand puts a bucket over a thing."""
    stage.clutter()
    start, end = stage.span((0.20, 0.30), (0.66, 0.80))
    side = stage.side()
    x, z = side * stage.uniform(0.05, 0.22), stage.uniform(-0.10, 0.05)
    stage.thing(stage.kind(SMALL), stage.track(x, 0.0, z), "under")
    here = np.array([x - side * stage.uniform(0.27, 0.33), 0.0, z + stage.uniform(0.0, 0.06)])
    there = np.array([x, 0.0, z + 0.02])
    bucket = stage.thing("bucket", _carried(stage, start, end, here, there, stage.uniform(0.22, 0.26)))
    bucket.nearer = 0.02
    _held(stage, bucket.position, bucket.size, -side, start, end, high=0.7)
    return {"what": "covers", "start": start, "end": end}


def tip_over(stage: TableStage) -> Event:
    """A hand tips an upright thing over."""
    stage.clutter()
    start, end = stage.span((0.22, 0.34), (0.56, 0.74))
    share = stage.progress(start, end)
    side = stage.side()
    kind, z = stage.kind(("bottle", "vase", "can", "phone")), stage.uniform(-0.10, 0.08)
    thing = stage.thing(kind, stage.track(stage.uniform(-0.2, 0.2) - 0.5 * side * SIZES[kind][1], 0.0, z))
    width, height = thing.size
    thing.pivot = (0.5 * side * width, 0.0)
    thing.angle = -side * 0.5 * np.pi * share
    cosine, sine = np.cos(thing.angle), np.sin(thing.angle)
    dx, dy = -0.9 * side * width, 0.8 * height  # where the hand is, from the pivot: at the top of the far side
    reach = stage.track(
        thing.position[:, 0] + thing.pivot[0] + cosine * dx - sine * dy,
        np.maximum(sine * dx + cosine * dy, 0.4 * width),
        z + 0.01,
    )
    stage.hand(reach, "left" if side > 0 else "right", "push", start - 0.42, end + 0.03)
    return {"what": "tips over", "start": start, "end": end}
