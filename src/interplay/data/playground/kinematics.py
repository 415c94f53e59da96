"""From a few controls over time to 25 joints: torso chain, and two-bone arms and legs solved in closed form.

World frame: metres, right-handed, y up, the floor at y = 0. A person's own frame is (left, up, forward); heading θ
turns it about y, so that forward is (sin θ, 0, cos θ). P is the number of people, T of frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from interplay.data.playground.bodies import Body, Style
from interplay.data.playground.profiles import Array, bridge, ease

JOINTS = 25

(SPINE_BASE, MID_SPINE, NECK, HEAD) = range(4)
SHOULDERS, ELBOWS, WRISTS, HANDS = (4, 8), (5, 9), (6, 10), (7, 11)
HIPS, KNEES, ANKLES, FEET = (12, 16), (13, 17), (14, 18), (15, 19)
SPINE_SHOULDER = 20
TIPS, THUMBS = (21, 23), (22, 24)

RIGID_BONES = (
    *((1, 0), (20, 1), (2, 20), (3, 2)),
    *((4, 20), (5, 4), (6, 5), (7, 6), (21, 7), (22, 7), (21, 22)),
    *((8, 20), (9, 8), (10, 9), (11, 10), (23, 11), (24, 11), (23, 24)),
    *((12, 0), (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17), (19, 18), (4, 8), (12, 16)),
)
"""Pairs of joints whose distance never changes: every edge of the ntu25 layout and the rigid girdles."""

_SIDE = np.array([1.0, -1.0])
REST = np.array([[0.10, -0.92, 0.06], [-0.10, -0.92, 0.06]])
"""Where the wrists hang, from the shoulders, in units of the arm's reach (left, right)."""


@dataclass(slots=True)
class Controls:
    """What a script moves.

    Args:
        root: (P, T, 2), x and z of the pelvis on the floor, metres.
        yaw: (P, T), heading θ in radians.
        crouch: (P, T), how far the pelvis is lowered, metres.
        lean, roll, twist: (P, T), the chest's pitch forward, roll to the right, turn to the left, radians.
        gaze: (P, T, 2), the head's pitch downward and turn to the left relative to the chest, radians.
        wrists: (P, 2, T, 3), wrist targets from the shoulders in the chest's frame, in units of the arm's reach.
        bend: (P, 2, T), from 0 (hand in line with the forearm) to 1 (fingers upward).
        swing: (P, 2, T), how much of the arms' swing in walking is left, from 0 to 1.
        ankles: (P, 2, T, 3), offsets of the ankles from where walking puts them, in the pelvis' heading, metres.
    """

    root: Array
    yaw: Array
    crouch: Array
    lean: Array
    roll: Array
    twist: Array
    gaze: Array
    wrists: Array
    bend: Array
    swing: Array
    ankles: Array

    @classmethod
    def standing(cls, people: int, frames: int) -> Controls:
        """Upright at the origin, arms hanging."""
        flat, sides = (people, frames), (people, 2, frames)
        return cls(
            root=np.zeros((*flat, 2)),
            yaw=np.zeros(flat),
            crouch=np.zeros(flat),
            lean=np.zeros(flat),
            roll=np.zeros(flat),
            twist=np.zeros(flat),
            gaze=np.zeros((*flat, 2)),
            wrists=np.broadcast_to(REST[:, None], (*sides, 3)).copy(),
            bend=np.zeros(sides),
            swing=np.ones(sides),
            ankles=np.zeros((*sides, 3)),
        )

    @property
    def frames(self) -> int:
        return int(self.yaw.shape[1])


_TIME_AXIS = {"wrists": 2, "bend": 2, "swing": 2, "ankles": 2}


def join(parts: Sequence[Controls], gaps: Sequence[int]) -> Controls:
    """One track out of several, ``gaps[k]`` frames of transition after part ``k``; headings turn the short way."""
    if len(gaps) != len(parts) - 1:
        raise ValueError(f"join: {len(parts)} parts need {len(parts) - 1} gaps, got {len(gaps)}")
    joined = {}
    for field in fields(Controls):
        axis = _TIME_AXIS.get(field.name, 1)
        tracks = [np.moveaxis(getattr(part, field.name), axis, 0) for part in parts]
        pieces = [tracks[0]]
        for track, gap in zip(tracks[1:], gaps, strict=True):
            if field.name == "yaw":
                track = track + 2.0 * np.pi * np.round((pieces[-1][-1] - track[0]) / (2.0 * np.pi))
            pieces += [bridge(pieces[-1], track, gap), track]
        joined[field.name] = np.ascontiguousarray(np.moveaxis(np.concatenate(pieces), 0, axis))
    return Controls(**joined)


def heading(yaw: Array) -> Array:
    """Rotation (…, 3, 3) by ``yaw`` about y."""
    c, s = np.cos(yaw), np.sin(yaw)
    out = np.zeros((*yaw.shape, 3, 3))
    out[..., 0, 0], out[..., 0, 2], out[..., 2, 0], out[..., 2, 2] = c, s, -s, c
    out[..., 1, 1] = 1.0
    return out


def tilt(pitch: Array, roll: Array) -> Array:
    """Rotation (…, 3, 3): roll about z after pitch about x, R = R_x(pitch) R_z(roll)."""
    c, s, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    out = np.empty((*pitch.shape, 3, 3))
    out[..., 0, 0], out[..., 0, 1], out[..., 0, 2] = cr, -sr, 0.0
    out[..., 1, 0], out[..., 1, 1], out[..., 1, 2] = c * sr, c * cr, -s
    out[..., 2, 0], out[..., 2, 1], out[..., 2, 2] = s * sr, s * cr, c
    return out


def two_bone(
    root: Array, target: Array, upper: Array, lower: Array, pole: Array, soft: float = 0.85, hard: float = 0.985
) -> tuple[Array, Array]:
    """Middle and end joint of a two-bone limb, in closed form.

    With d the distance to the (reachable) end, the middle joint lies x = (d² + u² − l²) / 2d along the way and
    h = √(u² − x²) off it, towards ``pole``. A target out of reach is approached smoothly: beyond ``soft`` of the
    reach the distance saturates like tanh towards ``hard``, and below 22 % it stays above that, so that the middle
    joint's speed stays bounded near the straight limb.

    Args:
        root, target, pole: (…, 3); ``pole`` is the direction in which the middle joint bends.
        upper, lower: (…), bone lengths u and l.

    Returns:
        middle and end joint, (…, 3) each.
    """
    reach = upper + lower
    offset = target - root
    distance = np.sqrt((offset * offset).sum(-1)) + 1e-9
    direction = offset / distance[..., None]
    linear, rest = soft * reach, (hard - soft) * reach
    far = linear + rest * np.tanh((distance - linear) / rest)
    distance = np.where(distance > linear, far, distance)
    least = 0.22 * reach
    distance = np.sqrt(np.sqrt(distance**4 + least**4))
    along = (distance * distance + upper * upper - lower * lower) / (2.0 * distance)
    height = np.sqrt(np.maximum(upper * upper - along * along, 0.0))
    across = pole - (pole * direction).sum(-1, keepdims=True) * direction
    across = across / (np.sqrt((across * across).sum(-1, keepdims=True)) + 1e-9)
    middle = root + along[..., None] * direction + height[..., None] * across
    return middle, root + distance[..., None] * direction


@dataclass(slots=True)
class Torso:
    """The chain that arms and legs hang from: world positions and frames.

    Args:
        joints: (P, T, 25, 3); spine, neck, head, shoulders and hips are filled in.
        chest: (P, T, 3, 3), columns are the chest's left, up and forward.
        pelvis: (P, T, 3, 3), the same for the heading alone.
        step: (P, T), phase of the walking cycle in radians.
        pace: (P, T), 0 standing to 1 walking.
        walk: (P, T, 2), ground velocity in metres a frame.
    """

    joints: Array
    chest: Array
    pelvis: Array
    step: Array
    pace: Array
    walk: Array


def _of(bodies: Sequence[Body], name: str) -> Array:
    return np.array([getattr(body, name) for body in bodies])[:, None]


def _up(frame: Array, length: Array) -> Array:
    return np.asarray(frame[..., :, 1] * length[..., None])


def torso(controls: Controls, bodies: Sequence[Body], styles: Sequence[Style], rate: float) -> Torso:
    """Spine, head, girdles and the walking cycle of every person."""
    joints = np.zeros((*controls.yaw.shape, JOINTS, 3))
    walk = np.gradient(controls.root, axis=1)
    speed = np.sqrt((walk * walk).sum(-1)) * rate
    turning = np.abs(np.gradient(controls.yaw, axis=1)) * rate
    stride = np.array([style.stride for style in styles])[:, None] * _of(bodies, "leg")
    travelled = np.cumsum(speed + 0.15 * turning, axis=1) / rate
    step = 2.0 * np.pi * travelled / stride
    pace = np.tanh((speed + 0.15 * turning) / 0.35) ** 2

    pelvis = heading(controls.yaw)
    lean, roll = controls.lean, controls.roll
    hips = pelvis @ tilt(0.25 * lean, 0.25 * roll)
    middle = pelvis @ tilt(0.6 * lean, 0.6 * roll)
    chest = pelvis @ tilt(lean, roll) @ heading(controls.twist)
    face = chest @ heading(controls.gaze[..., 1]) @ tilt(controls.gaze[..., 0], np.zeros_like(lean))

    base = joints[:, :, SPINE_BASE]
    base[..., 0], base[..., 2] = controls.root[..., 0], controls.root[..., 1]
    base[..., 1] = _of(bodies, "pelvis_height") - controls.crouch - 0.035 * pace * (1.0 + 0.3 * np.cos(2.0 * step))
    joints[:, :, MID_SPINE] = base + _up(middle, _of(bodies, "lower_spine"))
    top = joints[:, :, MID_SPINE] + _up(chest, _of(bodies, "upper_spine"))
    joints[:, :, SPINE_SHOULDER] = top
    joints[:, :, NECK] = top + _up(chest, _of(bodies, "neck"))
    joints[:, :, HEAD] = joints[:, :, NECK] + _up(face, _of(bodies, "head"))
    for side in (0, 1):
        across, drop = _SIDE[side] * _of(bodies, "shoulder"), _of(bodies, "shoulder_drop")
        joints[:, :, SHOULDERS[side]] = top + chest[..., 0] * across[..., None] - _up(chest, drop)
        across, drop = _SIDE[side] * _of(bodies, "hip"), _of(bodies, "hip_drop")
        joints[:, :, HIPS[side]] = base + hips[..., 0] * across[..., None] - _up(hips, drop)
    return Torso(joints, chest, pelvis, step, pace, walk)


def wrist_targets(controls: Controls, bodies: Sequence[Body], frame: Torso) -> Array:
    """World positions (P, 2, T, 3) that the wrists are asked to reach, the swing of walking included."""
    local = controls.wrists * _of(bodies, "arm")[:, :, None, None]
    phase = np.stack([np.sin(frame.step + np.pi), np.sin(frame.step)], axis=1)
    swing = 0.16 * controls.swing * frame.pace[:, None] * phase
    local = local + np.stack([np.zeros_like(swing), 0.3 * np.abs(swing), swing], axis=-1)
    shoulders = np.moveaxis(frame.joints[:, :, SHOULDERS], 2, 1)
    return np.asarray(shoulders + (frame.chest[:, None] @ local[..., None])[..., 0])


_POLES = np.array([[0.45, 0.0, -1.0], [0.2, -1.0, -0.25], [1.0, 0.0, 0.3]])


def _elbow_pole(offset: Array, chest: Array) -> Array:
    """Where elbows point, (P, 2, T, 3): backwards when the arm hangs, down when it is level, outwards when it is up.

    Blended by the height of the hand, so that hands go (almost) nowhere along the pole, where the elbow would flip.
    """
    height = offset[..., 1] / (np.sqrt((offset * offset).sum(-1)) + 1e-9)
    hanging, raised = ease(-height), ease((height - 0.5) / 0.5)
    blend = np.stack([hanging, 1.0 - hanging - raised, raised], axis=-1) @ _POLES
    blend[..., 0] *= _SIDE[None, :, None]
    return np.asarray((chest[:, None] @ blend[..., None])[..., 0])


def pose(controls: Controls, bodies: Sequence[Body], styles: Sequence[Style], rate: float) -> Array:
    """All joints, world frame, metres: (T, P, 25, 3)."""
    frame = torso(controls, bodies, styles, rate)
    joints = frame.joints
    shape = controls.wrists.shape[:-1]
    ones = np.ones(shape)

    shoulders = np.moveaxis(joints[:, :, SHOULDERS], 2, 1)
    targets = wrist_targets(controls, bodies, frame)
    pole = _elbow_pole(targets - shoulders, frame.chest)
    upper, lower = _of(bodies, "upper_arm")[..., None] * ones, _of(bodies, "forearm")[..., None] * ones
    elbows, wrists = two_bone(shoulders, targets, upper, lower, pole)
    along = (wrists - elbows) / lower[..., None]
    hand = along.copy()
    hand[..., 1] += 1.25 * controls.bend * (1.0 + along[..., 1])
    hand /= np.sqrt((hand * hand).sum(-1, keepdims=True))
    # Thumbs point inward. The hand itself (almost) never points inward and back, where this would be undefined.
    inward = -_SIDE[None, :, None, None] * frame.chest[:, None, :, :, 0] - 0.35 * frame.chest[:, None, :, :, 2]
    inward = inward - (inward * hand).sum(-1, keepdims=True) * hand
    inward /= np.sqrt((inward * inward).sum(-1, keepdims=True)) + 1e-9
    palms = wrists + hand * _of(bodies, "palm")[..., None, None]
    tips = palms + hand * _of(bodies, "fingers")[..., None, None]
    thumbs = palms + (0.5 * hand + 0.866 * inward) * _of(bodies, "thumb")[..., None, None]

    # Legs. In the stance half of its cycle a foot moves backwards under the body as fast as the body moves forwards.
    hips = np.moveaxis(joints[:, :, HIPS], 2, 1)
    left, ahead = frame.pelvis[..., 0], frame.pelvis[..., 2]
    speed = np.sqrt((frame.walk * frame.walk).sum(-1)) + 1e-6
    quarter = np.array([style.stride for style in styles])[:, None] * _of(bodies, "leg") / 4.0
    ankles = np.empty((*shape, 3))
    for side in (0, 1):
        phase = frame.step + np.pi * side
        reach = (quarter * frame.pace * np.sin(phase) / speed)[..., None] * frame.walk
        across = 1.15 * _SIDE[side] * _of(bodies, "hip")
        ankles[:, side, :, 0] = controls.root[..., 0] + across * left[..., 0] + reach[..., 0]
        ankles[:, side, :, 2] = controls.root[..., 1] + across * left[..., 2] + reach[..., 1]
        raised = 0.10 * frame.pace * np.maximum(np.cos(phase), 0.0) ** 3
        ankles[:, side, :, 1] = _of(bodies, "ankle_height") + raised
    ankles += (frame.pelvis[:, None] @ controls.ankles[..., None])[..., 0]
    upper, lower = _of(bodies, "thigh")[..., None] * ones, _of(bodies, "shank")[..., None] * ones
    pole = np.broadcast_to(ahead[:, None], (*shape, 3))
    knees, ankles = two_bone(hips, ankles, upper, lower, pole, soft=0.96, hard=0.994)
    foot = 0.94 * ahead - 0.34 * frame.pelvis[..., 1]
    feet = ankles + foot[:, None] * (_of(bodies, "foot") / np.hypot(0.94, 0.34))[..., None, None]

    limbs = ((ELBOWS, elbows), (WRISTS, wrists), (HANDS, palms), (TIPS, tips), (THUMBS, thumbs), (KNEES, knees))
    for indices, positions in (*limbs, (ANKLES, ankles), (FEET, feet)):
        joints[:, :, indices] = np.moveaxis(positions, 1, 2)
    return np.ascontiguousarray(np.moveaxis(joints, 0, 1))
