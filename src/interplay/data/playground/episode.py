"""One episode of the playground: who did what to whom, when, seen from where. Skeletons are one view of it."""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from interplay.data.playground import scripts_contact as contact
from interplay.data.playground import scripts_distance as distance
from interplay.data.playground import scripts_neutral as neutral
from interplay.data.playground import scripts_objects as objects
from interplay.data.playground.bodies import Body, Style, random_body, random_style
from interplay.data.playground.kinematics import HANDS, pose
from interplay.data.playground.profiles import Array
from interplay.data.playground.scene import Camera, ObjectTrack, look_at
from interplay.data.playground.scripts_relation import RELATION_SCRIPTS
from interplay.data.playground.stage import Outcome, Prop, Script, Stage
from interplay.interactions import Entity, Interaction

RATE = 30.0
"""Frames per second of people."""

SCRIPTS: Mapping[str, Script] = {
    "approach": distance.approach,
    "depart": distance.depart,
    "shake hands": contact.shake_hands,
    "hug": contact.hug,
    "push": contact.push,
    "kick": contact.kick,
    "punch": contact.punch,
    "high-five": contact.high_five,
    "give": objects.give,
    "exchange": objects.exchange,
    "point": distance.point,
    "pat": contact.pat,
    "bow": distance.bow,
    "whisper": contact.whisper,
    "cheers": objects.cheers,
    "carry": objects.carry,
}

RELATION_PAIRS = (("mirrored side", "same side"), ("in phase", "counter-phase"))
"""Classes that no single person's motion tells apart: one pair in pose, one in time."""

CLASSES = (*SCRIPTS, *RELATION_PAIRS[0], *RELATION_PAIRS[1])
"""The interactions that the playground knows, in the order of their labels."""

NEUTRAL_SCRIPTS: Mapping[str, Script] = {
    "stand": neutral.stand,
    "walk past": neutral.walk_past,
    "own business": neutral.own_business,
}
NEUTRAL = tuple(NEUTRAL_SCRIPTS)
"""Two people without an interaction; never among the default classes."""


@dataclass(frozen=True, eq=False)
class Episode:
    """What happened, exactly: no noise, nothing missing.

    Args:
        label: class name (of the whole episode), or "recording" for several interactions.
        seed: what it was drawn from.
        frames_per_second: of all tracks.
        bodies, styles: of the two people.
        joints: (T, 2, 25, 3), layout ntu25, world frame, metres (right-handed, y up, floor at 0).
        objects: what the people handle.
        camera: where it is seen from.
        interactions: true interactions, each with subject, object, start and end in seconds; entities carry the
            person's index as track ("0", "1"). For mutual interactions the subject is person 0.
    """

    label: str
    seed: int
    frames_per_second: float
    bodies: tuple[Body, Body]
    styles: tuple[Style, Style]
    joints: Array
    objects: tuple[ObjectTrack, ...]
    camera: Camera
    interactions: tuple[Interaction, ...]

    @property
    def frames(self) -> int:
        return int(self.joints.shape[0])


def stream(seed: int, purpose: str) -> np.random.Generator:
    """An independent generator for each purpose of a seed."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode())])))


def family(label: str) -> str:
    """What the draws of a class are named after: the two classes of a relation pair share theirs."""
    for pair in RELATION_PAIRS:
        if label in pair:
            return pair[0]
    return label


def base_seed(label: str, seed: int) -> int:
    """The seed of everything but the balanced side or phase: in relation pairs 2k and 2k + 1 share it."""
    return seed // 2 if label in RELATION_SCRIPTS else seed


def check_label(label: str) -> None:
    known = (*CLASSES, *NEUTRAL)
    if label not in known:
        near = difflib.get_close_matches(label, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown interaction {label!r}{hint} (known: {', '.join(known)})")


def act(label: str, stage: Stage, flip: bool) -> Outcome:
    """Run the script of a class on a stage."""
    if label in RELATION_SCRIPTS:
        script, relation = RELATION_SCRIPTS[label]
        return script(stage, relation, flip)
    return (SCRIPTS.get(label) or NEUTRAL_SCRIPTS[label])(stage)


def random_length(rng: np.random.Generator, frames: int) -> int:
    return round(frames * float(rng.uniform(0.85, 1.15)))


def random_camera(rng: np.random.Generator, centre: Array, near: float = 2.8, far: float = 4.2) -> Camera:
    """Seen mostly from the side, 2.8–4.2 m away, 0.9–1.7 m high."""
    angle, height, away = rng.uniform(-0.95, 0.95), rng.uniform(0.9, 1.7), rng.uniform(near, far)
    position = centre + np.array([away * np.sin(angle), 0.0, away * np.cos(angle)])
    position[1] = height
    aim = centre + np.append(rng.uniform(-0.25, 0.25), [0.0, rng.uniform(-0.25, 0.25)])
    aim[1] = rng.uniform(0.75, 1.1)
    return look_at(position, aim)


def interaction(label: str, outcome: Outcome, shift: float = 0.0) -> Interaction:
    subject = outcome.subject or 0
    people = [Entity("person", track=str(person)) for person in (subject, 1 - subject)]
    return Interaction(label, 1.0, people[0], people[1], shift + outcome.start, shift + outcome.end)


def track(prop: Prop, joints: Array, first: int = 0) -> ObjectTrack:
    """Where an object is: the mean of the hands that hold it; upright, turned as the line between the two people.

    Its part begins at frame ``first``; before and after, whoever has it keeps it, and it is not ``present``.
    """
    frames, count = len(joints), len(prop.held)
    held = np.pad(prop.held, ((first, frames - first - count), (0, 0), (0, 0)), mode="edge")
    present = np.zeros(frames, dtype=bool)
    present[first : first + count] = True
    hands = joints[:, :, HANDS]
    positions = (held[..., None] * hands).sum(axis=(1, 2))
    across = joints[:, 1, 0] - joints[:, 0, 0]
    across[:, 1] = 0.0
    across /= np.linalg.norm(across, axis=1, keepdims=True) + 1e-9
    up = np.broadcast_to(np.array([0.0, 1.0, 0.0]), across.shape)
    orientations = np.stack([np.cross(up, across), up, across], axis=-1)
    return ObjectTrack(prop.kind, prop.size, positions, orientations, held, present)


def simulate(label: str, seed: int, frames: int = 80) -> Episode:
    """Draw one episode.

    Args:
        label: one of :data:`CLASSES` or :data:`NEUTRAL`.
        seed: not negative; the same seed always gives the same episode.
        frames: typical length; an episode's own differs by up to 15 %.
    """
    check_label(label)
    if seed < 0 or frames < 45:
        raise ValueError(f"simulate: seed must be ≥ 0 and frames ≥ 45, got seed={seed}, frames={frames}")
    rng = stream(base_seed(label, seed), family(label))
    bodies = (random_body(rng), random_body(rng))
    styles = (random_style(rng), random_style(rng))
    length = random_length(rng, frames)
    camera = random_camera(rng, np.zeros(3))
    stage = Stage(rng, bodies, styles, length, RATE)
    outcome = act(label, stage, flip=seed % 2 == 1)
    joints = pose(stage.controls, bodies, styles, RATE)
    known = (interaction(label, outcome),) if label in CLASSES else ()
    tracks = tuple(track(prop, joints) for prop in outcome.props)
    return Episode(label, seed, RATE, bodies, styles, joints, tracks, camera, known)


__all__ = [
    "CLASSES",
    "NEUTRAL",
    "RATE",
    "RELATION_PAIRS",
    "Camera",
    "Episode",
    "ObjectTrack",
    "simulate",
]
