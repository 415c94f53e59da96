"""What a depth sensor would have reported of an episode: joints in camera coordinates, with noise and gaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.playground.episode import Episode, base_seed, family, stream
from interplay.data.playground.profiles import Array

_UNSTEADY = np.ones(25)
_UNSTEADY[[7, 11, 21, 22, 23, 24]] = 1.6  # hands, tips and thumbs
_UNSTEADY[[14, 15, 18, 19]] = 1.3  # feet


def sensor_noise(rng: np.random.Generator, shape: tuple[int, ...], size: float) -> Array:
    """Gaussian error of standard deviation ``size``, half of its variance white and half correlated over about three
    frames; time is the first axis."""
    white = rng.standard_normal((2, *shape))
    slow = white[1].copy()
    slow[1:] += white[1, :-1]
    slow[2:] += white[1, :-2]
    slow[1:2] *= np.sqrt(3.0 / 2.0)
    slow[:1] *= np.sqrt(3.0)
    return np.asarray(size * np.sqrt(0.5) * (white[0] + slow / np.sqrt(3.0)))


def gaps(rng: np.random.Generator, frames: int, entities: int, share: float) -> NDArray[np.bool_]:
    """Which entity is lost in which frame, (T, M): runs of one to four frames, ``share`` of all frames on average."""
    lost = np.zeros((frames, entities), dtype=bool)
    starts = rng.random((frames, entities)) < share / 2.5
    lengths = rng.integers(1, 5, (frames, entities))
    for frame, entity in zip(*np.nonzero(starts), strict=True):
        lost[frame : frame + lengths[frame, entity], entity] = True
    lost[0] = False  # tracking starts with both in view
    return lost


def skeleton_view(
    episode: Episode, noise: float = 0.008, dropout: float = 0.01, **meta: int | float | str
) -> SkeletonClip:
    """The episode as a clip of layout ntu25, metres, Kinect's camera axes.

    Args:
        episode: what happened.
        noise: standard deviation of a steady joint's error in metres; hands and feet are worse.
        dropout: share of frames in which a person is lost (all zeros).
        meta: added to the clip's meta (the part, …); the seed is always in it.

    Noise and gaps come from the episode's own seed and are, like the camera, the same in all four episodes of a
    balanced group of a relation pair (see ``scripts_relation``).
    """
    if noise < 0 or not 0 <= dropout < 1:
        raise ValueError(f"noise must be ≥ 0 and dropout in [0, 1), got noise={noise}, dropout={dropout}")
    rng = stream(base_seed(episode.label, episode.seed), f"sensor: {family(episode.label)}")
    joints = episode.camera.view(episode.joints)
    joints = joints + sensor_noise(rng, joints.shape, noise) * _UNSTEADY[:, None]
    joints[gaps(rng, episode.frames, 2, dropout)] = 0.0
    return SkeletonClip(
        id=f"{episode.label.replace(' ', '_')}-{episode.seed:08d}",
        joints=joints.astype(np.float32),
        layout="ntu25",
        frames_per_second=episode.frames_per_second,
        meta={"seed": episode.seed, **meta},
    )
