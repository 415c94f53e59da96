"""People of different sizes: bone lengths, and how a person tends to move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEFT, RIGHT = 0, 1


@dataclass(frozen=True, slots=True)
class Body:
    """Lengths of one person's bones in metres; they stay constant over time.

    Proportions of a person of height 1.75 m come from what Kinect v2 reports of adults; an episode scales them by
    height and varies each a little.

    Args:
        height: standing height, from the sole to the top of the head.
        lower_spine, upper_spine, neck, head: spine base → mid spine → spine shoulder → neck → head.
        shoulder, shoulder_drop: sideways and downward from spine shoulder to a shoulder.
        upper_arm, forearm, palm, fingers, thumb: along the arm; the thumb starts at the hand.
        hip, hip_drop: sideways and downward from spine base to a hip.
        thigh, shank, foot, ankle_height: along the leg; the ankle's height over the sole.
    """

    height: float
    lower_spine: float
    upper_spine: float
    neck: float
    head: float
    shoulder: float
    shoulder_drop: float
    upper_arm: float
    forearm: float
    palm: float
    fingers: float
    thumb: float
    hip: float
    hip_drop: float
    thigh: float
    shank: float
    foot: float
    ankle_height: float

    @property
    def arm(self) -> float:
        """Reach from shoulder to wrist."""
        return self.upper_arm + self.forearm

    @property
    def leg(self) -> float:
        """Reach from hip to ankle."""
        return self.thigh + self.shank

    @property
    def pelvis_height(self) -> float:
        """Height of the spine base when standing with the knees a little bent."""
        return 0.975 * self.leg + self.hip_drop + self.ankle_height

    @property
    def shoulder_height(self) -> float:
        return self.pelvis_height + self.lower_spine + self.upper_spine - self.shoulder_drop


PROPORTIONS = {
    "lower_spine": 0.300,
    "upper_spine": 0.225,
    "neck": 0.075,
    "head": 0.130,
    "shoulder": 0.165,
    "shoulder_drop": 0.035,
    "upper_arm": 0.275,
    "forearm": 0.245,
    "palm": 0.080,
    "fingers": 0.080,
    "thumb": 0.055,
    "hip": 0.085,
    "hip_drop": 0.050,
    "thigh": 0.410,
    "shank": 0.390,
    "foot": 0.130,
    "ankle_height": 0.085,
}
"""Metres, for a height of 1.75 m."""


def random_body(rng: np.random.Generator) -> Body:
    """A person between 1.50 m and 1.95 m whose proportions differ from the average by up to 6 %."""
    height = float(rng.uniform(1.50, 1.95))
    factors = rng.uniform(0.94, 1.06, len(PROPORTIONS))
    lengths = {
        name: length * height / 1.75 * float(factor)
        for (name, length), factor in zip(PROPORTIONS.items(), factors, strict=True)
    }
    return Body(height=height, **lengths)


@dataclass(frozen=True, slots=True)
class Style:
    """How a person moves.

    Args:
        tempo: factor on the duration of strokes (below 1 is brisk).
        vigour: factor on amplitudes.
        hand: the hand this person prefers, ``LEFT`` or ``RIGHT``.
        stride: length of two steps as a share of the leg's length.
    """

    tempo: float
    vigour: float
    hand: int
    stride: float


def random_style(rng: np.random.Generator) -> Style:
    """One person in five prefers the left hand."""
    return Style(
        tempo=float(rng.uniform(0.8, 1.2)),
        vigour=float(rng.uniform(0.85, 1.15)),
        hand=LEFT if rng.random() < 0.2 else RIGHT,
        stride=float(rng.uniform(1.1, 1.5)),
    )
