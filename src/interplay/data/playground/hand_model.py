"""Hands of 21 joints in the layout assembly101_hand21, posed by a palm frame and the curl of five fingers.

Millimetres. World frame right-handed: x to the right of the person whose hands these are, y up, z towards that
person; the origin lies between the hands on the working height. Palm frame of either hand: origin at the wrist, y
towards the fingers, z out of the palm; x = y × z is then the thumb's side of a right hand and the other side of a
left one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interplay.data.playground.profiles import Array

JOINTS = 21
WRIST, PALM_CENTER = 5, 20
LEFT_HAND, RIGHT_HAND = 0, 1
FINGERS = ((6, 7, 0), (8, 9, 10, 1), (11, 12, 13, 2), (14, 15, 16, 3), (17, 18, 19, 4))
"""Chains from the palm to the tip: thumb (inner, distal, tip), index, middle, ring, pinky."""

RIGID_BONES = (
    *((6, 5), (7, 6), (0, 7)),
    *(pair for chain in FINGERS[1:] for pair in ((chain[0], 5), *zip(chain[1:], chain[:-1], strict=True))),
    *((6, 8), (8, 11), (11, 14), (14, 17), (20, 5)),
)
"""Pairs of joints whose distance never changes: every edge of the layout, and palm centre to wrist."""

_ROOTS = np.array([[26.0, 32.0, 10.0], [25.0, 88.0, 0.0], [4.0, 91.0, 0.0], [-15.0, 85.0, 0.0], [-32.0, 75.0, 2.0]])
_PHALANGES = np.array(
    [[0.0, 36.0, 28.0], [42.0, 26.0, 21.0], [46.0, 29.0, 22.0], [43.0, 27.0, 22.0], [34.0, 20.0, 19.0]]
)
_SPREAD = np.array([0.55, 0.10, 0.0, -0.09, -0.18])
_BEND = np.array([1.25, 1.45, 0.95])
"""Radians of the three joints of a finger at full curl."""


@dataclass(frozen=True, slots=True)
class Hand:
    """Sizes of one person's hands (both alike), millimetres.

    Args:
        roots: (5, 3), where thumb and fingers start, in a right hand's palm frame.
        phalanges: (5, 3), lengths from there to the tip; the thumb's first is 0 (two bones).
    """

    roots: Array
    phalanges: Array


def random_hand(rng: np.random.Generator) -> Hand:
    """An adult's hand: size ±12 %, each bone ±5 %."""
    size = rng.uniform(0.88, 1.12)
    roots = _ROOTS * size * rng.uniform(0.95, 1.05, (5, 1))
    return Hand(roots, _PHALANGES * size * rng.uniform(0.95, 1.05, (5, 3)))


@dataclass(slots=True)
class HandControls:
    """What a script moves; first axis left and right hand.

    Args:
        grip: (2, T, 3), where the middle of the grip (a little in front of the palm) is, millimetres.
        fingers: (2, T, 3), direction from the wrist to the fingers.
        normal: (2, T, 3), direction out of the palm; made orthogonal to ``fingers``.
        curl: (2, T, 5), from 0 (stretched) to 1 (fist), thumb first.
    """

    grip: Array
    fingers: Array
    normal: Array
    curl: Array

    @classmethod
    def relaxed(cls, frames: int, apart: float = 240.0) -> HandControls:
        """Held in front of the body, palms to each other, fingers slightly curled."""
        sign = np.array([-1.0, 1.0])[:, None, None]
        grip = np.zeros((2, frames, 3)) + sign * np.array([apart / 2.0, 0.0, 0.0])
        fingers = np.zeros((2, frames, 3)) + np.array([0.0, 0.15, -1.0]) - sign * np.array([0.25, 0.0, 0.0])
        normal = np.zeros((2, frames, 3)) - sign * np.array([1.0, 0.0, 0.0]) + np.array([0.0, -0.25, 0.0])
        return cls(grip, fingers, normal, np.full((2, frames, 5), 0.25))


def palm_frames(controls: HandControls) -> Array:
    """Rotations (2, T, 3, 3) whose columns are the palm's x, y, z in the world."""
    y = controls.fingers / np.linalg.norm(controls.fingers, axis=-1, keepdims=True)
    z = controls.normal - (controls.normal * y).sum(-1, keepdims=True) * y
    z = z / np.linalg.norm(z, axis=-1, keepdims=True)
    return np.stack([np.cross(y, z), y, z], axis=-1)


def pose_hands(controls: HandControls, hands: Sequence[Hand]) -> Array:
    """All joints in the world frame, millimetres: (T, 2, 21, 3).

    A finger bends in the plane of its own direction in the palm and the palm's normal; with joint angles θ₁, θ₂, θ₃
    proportional to its curl, phalanx k points to cos(θ₁ + … + θₖ)·along + sin(θ₁ + … + θₖ)·normal.
    """
    frames = palm_frames(controls)
    count = controls.curl.shape[1]
    local = np.zeros((2, count, JOINTS, 3))
    for side in (LEFT_HAND, RIGHT_HAND):
        mirror = np.array([1.0 if side == RIGHT_HAND else -1.0, 1.0, 1.0])
        for finger, chain in enumerate(FINGERS):
            curl = controls.curl[side, :, finger]
            along = np.array([np.sin(_SPREAD[finger]), np.cos(_SPREAD[finger]), 0.0])
            point = np.broadcast_to(hands[side].roots[finger] * mirror, (count, 3))
            local[side, :, chain[0]] = point
            angle = np.zeros(count)
            for bone, bend in enumerate(_BEND if finger else 0.55 * _BEND):
                angle = angle + bend * curl
                if finger == 0 and bone == 0:
                    angle = angle + 0.45  # the thumb starts out in front of the palm
                    continue
                direction = np.cos(angle)[:, None] * along * mirror
                direction[:, 2] += np.sin(angle)
                point = point + hands[side].phalanges[finger, bone] * direction
                local[side, :, chain[bone if finger == 0 else bone + 1]] = point
        local[side, :, PALM_CENTER] = hands[side].roots[1:].mean(axis=0) * mirror * np.array([1.0, 0.6, 1.0])
    held = local[:, :, PALM_CENTER] + np.array([0.0, 22.0, 24.0])
    wrist = controls.grip - (frames @ held[..., None])[..., 0]
    joints = wrist[:, :, None] + local @ np.swapaxes(frames, -1, -2)
    return np.ascontiguousarray(np.moveaxis(joints, 0, 1))
