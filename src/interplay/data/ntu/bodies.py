"""From the bodies a sensor tracked to the two actors of a clip.

The pipeline of the public CTR-GCN code (used unchanged for me-GCN), with its quirks, because published numbers rest
on them: bodies are ranked by motion, ghosts are removed by duration and spread, two tracks are filled, the origin moves
to the first actor's spine. All arithmetic is float32, as there: near-ties of motion would order differently otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.ntu.raw import JOINTS, RawRecording

SingleActor = Literal["zeros", "duplicate"]

SHORTEST = 11
"""Bodies with at most so many frames are ghosts."""
SPREAD = 0.8
"""A frame whose skeleton is wider than this times its height is noisy."""
NOISY = 0.69754
"""A body with at least this share of noisy frames is a ghost."""
ORIGIN_JOINT = 1
"""Mid-spine."""


@dataclass(frozen=True, eq=False)
class Body:
    """One tracking id.

    Args:
        id: as in the file.
        first: first frame (frames without any body not counted).
        joints: float32 (frames, 25, 3), metres. They are taken to be consecutive: after a gap the later frames move up.
        motion: sum over x, y, z of the variance of all its coordinates, square metres.
    """

    id: str
    first: int
    joints: NDArray[np.float32]
    motion: np.float32

    @property
    def frames(self) -> int:
        return len(self.joints)

    @property
    def last(self) -> int:
        return self.first + self.frames - 1


@dataclass(frozen=True, eq=False)
class Bodies:
    """The bodies of a recording in order of first appearance.

    Args:
        frames: number of frames with at least one body.
        dropped: int64, 0-based indices of the frames without a body.
        bodies: one for each id.
    """

    frames: int
    dropped: NDArray[np.int64]
    bodies: tuple[Body, ...]


def motion(joints: NDArray[np.float32]) -> np.float32:
    """Σ over x, y, z of the population variance over all frames and joints, in float32."""
    total: np.float32 = np.var(joints.reshape(-1, 3), axis=0).sum()
    return total


def collect_bodies(raw: RawRecording, file: str = "recording") -> Bodies:
    """Group by id; frames without a body disappear.

    Raises:
        DataError: an id occurs twice in a frame.
    """
    present, frame = np.unique(raw.frame_index, return_inverse=True)
    rows: dict[str, list[int]] = {}
    for row, body in enumerate(raw.body_ids):
        rows.setdefault(body, []).append(row)
    bodies = []
    for body, chosen in rows.items():
        at = frame[chosen]
        twice = np.flatnonzero(np.diff(at) == 0)
        if twice.size:
            number = int(raw.frame_index[chosen[twice[0]]]) + 1
            raise DataError(file, f"frame {number}", f"body id {body} twice", "each body once")
        joints = raw.joints[chosen]
        bodies.append(Body(body, int(at[0]), joints, motion(joints)))
    dropped = np.setdiff1d(np.arange(raw.frames), present)
    return Bodies(len(present), dropped, tuple(bodies))


def select_bodies(bodies: Sequence[Body]) -> list[Body]:
    """Without ghosts, in order of decreasing motion.

    A single id is kept whatever it is. Otherwise bodies of at most 11 frames go (if none is longer, the longest stays:
    our rule, the public code fails there); then, in order of first appearance and never the last one, bodies of which
    at least 69.754 % of the frames are noisy. Noisy frames of a body that stays are left out of its motion if that
    lowers it.
    """
    if len(bodies) == 1:
        return list(bodies)
    long = [body for body in bodies if body.frames > SHORTEST]
    if not long:
        return [max(bodies, key=lambda body: body.frames)]  # the first of equals
    kept = list(long)
    for body in long:
        if len(kept) == 1:
            break
        extent = np.ptp(body.joints, axis=1)
        valid = extent[:, 0] <= np.float32(SPREAD) * extent[:, 1]
        noisy = body.frames - int(valid.sum())
        if noisy / body.frames >= NOISY:
            kept.remove(body)
        elif noisy:
            kept[kept.index(body)] = replace(body, motion=min(body.motion, motion(body.joints[valid])))
    return sorted(kept, key=lambda body: -body.motion)


def place_tracks(actors: Sequence[Body], frames: int) -> NDArray[np.float32]:
    """Two tracks (frames, 2, 25, 3) from bodies in order of decreasing motion.

    The first body opens track 1. Each further one joins track 1 if it does not overlap its interval, else track 2 if it
    does not overlap that one's, else it is dropped. Intervals that share one frame do not overlap: the later body wins
    that frame. Track 2's interval starts as [0, 0] and is only ever widened, so it always begins at frame 0.
    """
    tracks = np.zeros((frames, 2, JOINTS, 3), np.float32)
    intervals = [(actors[0].first, actors[0].last), (0, 0)]
    tracks[actors[0].first : actors[0].last + 1, 0] = actors[0].joints
    for body in actors[1:]:
        for track, (first, last) in enumerate(intervals):
            if min(last, body.last) - max(first, body.first) <= 0:
                tracks[body.first : body.last + 1, track] = body.joints
                intervals[track] = (min(first, body.first), max(last, body.last))
                break
    return tracks


def denoise(bodies: Bodies, file: str = "recording") -> NDArray[np.float32]:
    """The selected actors (frames, 1 or 2, 25, 3) in the sensor's coordinates; absent ones are zeros.

    In a recording with several ids the frames in which nobody is left disappear, also when one actor remains.

    Raises:
        DataError: nobody is left in any frame (all coordinates are zero).
    """
    actors = select_bodies(bodies.bodies)
    clip = actors[0].joints[:, None] if len(actors) == 1 else place_tracks(actors, bodies.frames)
    if len(bodies.bodies) > 1:
        clip = clip[clip.reshape(len(clip), -1).sum(axis=1) != 0]
    if not clip.any():
        raise DataError(file, "", "zeros for all coordinates", "at least one body away from the sensor")
    return clip


def translate(clip: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move the origin to the first actor's mid-spine in its first non-zero frame, for all actors alike.

    Frames (T, M, 25, 3) in which an actor is absent (its coordinates sum to zero) stay zero for that actor when there
    are two.
    """
    shown = np.flatnonzero(clip[:, 0].any(axis=(1, 2)))
    origin = clip[shown[0], 0, ORIGIN_JOINT] if shown.size else np.zeros(3, np.float32)
    moved = clip - origin
    if clip.shape[1] > 1:
        moved[clip.reshape(*clip.shape[:2], -1).sum(axis=2) == 0] = 0
    return moved


def two_actors(clip: NDArray[np.float32], single_actor: SingleActor) -> NDArray[np.float32]:
    """(T, 2, 25, 3) from (T, 1 or 2, 25, 3): the second of a single actor is zeros or a copy of the first."""
    if clip.shape[1] == 2:
        return clip
    second = clip if single_actor == "duplicate" else np.zeros_like(clip)
    return np.concatenate([clip, second], axis=1)
