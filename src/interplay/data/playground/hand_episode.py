"""One episode of two hands: 60 frames per second, millimetres, layout assembly101_hand21."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np

from interplay.data.clips import SkeletonClip
from interplay.data.playground.episode import random_length, stream
from interplay.data.playground.hand_actions import HAND_CLASSES, HAND_NEUTRAL, HAND_SCRIPTS, Workbench
from interplay.data.playground.hand_model import Hand, palm_frames, pose_hands, random_hand
from interplay.data.playground.kinematics import heading, tilt
from interplay.data.playground.profiles import Array
from interplay.data.playground.scene import ObjectTrack
from interplay.data.playground.skeleton_view import gaps, sensor_noise
from interplay.interactions import Entity, Interaction

HAND_RATE = 60.0
HAND_NAMES = ("left hand", "right hand")


@dataclass(frozen=True, eq=False)
class HandEpisode:
    """What two hands did, exactly.

    Args:
        label, seed, frames_per_second: as in an :class:`~interplay.data.playground.episode.Episode`.
        hand: sizes of the person's hands.
        joints: (T, 2, 21, 3), left then right hand, millimetres, in the world of ``hand_model``.
        viewpoint: (3, 3) rotation and (3,) origin, from that world to the one the recording uses.
        objects: sizes and positions in millimetres; ``held`` is (T, 2), left and right hand.
        interactions: subject is the leading hand (the left one where both do the same).
    """

    label: str
    seed: int
    frames_per_second: float
    hand: Hand
    joints: Array
    viewpoint: tuple[Array, Array]
    objects: tuple[ObjectTrack, ...]
    interactions: tuple[Interaction, ...]

    @property
    def frames(self) -> int:
        return int(self.joints.shape[0])


def check_hand_label(label: str) -> None:
    known = (*HAND_CLASSES, *HAND_NEUTRAL)
    if label not in known:
        near = difflib.get_close_matches(label, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown two-hand action {label!r}{hint} (known: {', '.join(known)})")


def simulate_hands(label: str, seed: int, frames: int = 120) -> HandEpisode:
    """Draw one episode of two hands.

    Args:
        label: one of ``HAND_CLASSES``, or "idle".
        seed: not negative; the same seed always gives the same episode.
        frames: typical length; an episode's own differs by up to 15 %.
    """
    check_hand_label(label)
    if seed < 0 or frames < 90:
        raise ValueError(f"simulate_hands: seed must be ≥ 0 and frames ≥ 90, got seed={seed}, frames={frames}")
    rng = stream(seed, f"hands: {label}")
    hand = random_hand(rng)
    length = random_length(rng, frames)
    turn = heading(np.asarray(rng.uniform(-0.6, 0.6))) @ tilt(*np.asarray(rng.uniform(-0.25, 0.25, 2)))
    origin = rng.uniform([-150.0, 900.0, -150.0], [150.0, 1100.0, 150.0])
    bench = Workbench(rng, length, HAND_RATE, lead=int(rng.random() < 0.8))
    outcome = ({**HAND_SCRIPTS, **HAND_NEUTRAL}[label])(bench)
    controls = bench.controls
    frame = palm_frames(controls)
    objects = []
    for prop in outcome.props:
        positions = np.einsum("th,htc->tc", prop.held, controls.grip)
        orientations = frame[int(prop.held[0].argmax())]
        present = np.ones(length, dtype=bool)
        objects.append(ObjectTrack(prop.kind, prop.size, positions, orientations, prop.held, present))
    known: tuple[Interaction, ...] = ()
    if label in HAND_SCRIPTS:
        lead = outcome.leading or 0
        pair = [Entity(HAND_NAMES[side], track=str(side)) for side in (lead, 1 - lead)]
        known = (Interaction(label, 1.0, pair[0], pair[1], outcome.start, outcome.end),)
    joints = pose_hands(controls, (hand, hand))
    return HandEpisode(label, seed, HAND_RATE, hand, joints, (turn, origin), tuple(objects), known)


def hand_view(episode: HandEpisode, noise: float = 2.0, dropout: float = 0.01) -> SkeletonClip:
    """The episode as a clip: millimetres, entity 0 the left hand, with tracking error and lost hands (zeros)."""
    if noise < 0 or not 0 <= dropout < 1:
        raise ValueError(f"noise must be ≥ 0 and dropout in [0, 1), got noise={noise}, dropout={dropout}")
    rng = stream(episode.seed, f"sensor of hands: {episode.label}")
    rotation, origin = episode.viewpoint
    joints = episode.joints @ rotation.T + origin
    joints = joints + sensor_noise(rng, joints.shape, noise)
    joints[gaps(rng, episode.frames, 2, dropout)] = 0.0
    return SkeletonClip(
        id=f"{episode.label.replace(' ', '_')}-{episode.seed:08d}",
        joints=joints.astype(np.float32),
        layout="assembly101_hand21",
        frames_per_second=episode.frames_per_second,
        meta={"seed": episode.seed},
    )
