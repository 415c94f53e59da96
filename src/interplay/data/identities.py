"""Who is who: two entities out of many, and people whom a tracker has exchanged between frames.

What to do is defined here once, for every reader and for ``predict``; each function says in words what it did.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from interplay.data.clips import SkeletonClip

MIN_FRAMES = 11
"""A body seen in no more frames than this is noise (NTU's rule), unless too few others are left."""


def presence(clip: SkeletonClip) -> NDArray[np.bool_]:
    """(frame, entity): is the entity there, that is, not all zeros?"""
    there: NDArray[np.bool_] = (clip.joints != 0).any(axis=(2, 3))
    return there


def motion(clip: SkeletonClip) -> NDArray[np.float64]:
    """(entity,): sum over x, y, z of the population variance over an entity's joints and frames (as for NTU)."""
    there = presence(clip)
    values = np.zeros(clip.entities)
    for entity in range(clip.entities):
        points = clip.joints[there[:, entity], entity].reshape(-1, 3).astype(np.float64)
        values[entity] = points.var(axis=0).sum() if len(points) else 0.0
    return values


def choose_two(clip: SkeletonClip) -> tuple[SkeletonClip, list[str]]:
    """Keep the two entities that act; of two or fewer, keep all.

    An entity must be present in more than :data:`MIN_FRAMES` frames and in at least half as many as the second most
    present one (where fewer than two are, the most present ones fill up). Among those the two with the greatest
    motion are kept, in their old order.

    Returns:
        The clip, and a note that names the kept and the dropped entities (none where nothing was dropped).
    """
    if clip.entities <= 2:
        return clip, []
    frames = presence(clip).sum(axis=0)
    by_presence = np.argsort(-frames, kind="stable")
    needed = max(MIN_FRAMES + 1, frames[by_presence[1]] / 2)
    candidates = [entity for entity in by_presence.tolist() if frames[entity] >= needed]
    candidates += [entity for entity in by_presence.tolist() if entity not in candidates][: max(0, 2 - len(candidates))]
    moved = motion(clip)
    kept = sorted(sorted(candidates, key=lambda entity: (-moved[entity], entity))[:2])
    note = f"{int((frames > 0).sum())} entities: kept {kept[0]} and {kept[1]}, present and moving most"
    return replace(clip, joints=np.ascontiguousarray(clip.joints[:, kept])), [note]


def exactly_two(clip: SkeletonClip) -> tuple[SkeletonClip, list[str]]:
    """:func:`choose_two`, and a second entity of zeros where there is only one."""
    clip, notes = choose_two(clip)
    if clip.entities < 2:
        clip = replace(clip, joints=np.concatenate([clip.joints, np.zeros_like(clip.joints)], axis=1))
        notes = [*notes, "one entity only: the other is taken as absent"]
    return clip, notes


def reassign_identities(clip: SkeletonClip) -> tuple[SkeletonClip, list[str]]:
    """Undo exchanges: give each slot to one entity over the whole clip.

    Frame by frame, the entities present are matched to the tracks so that the sum of mean joint displacements since
    each track was last seen is least (Hungarian algorithm). Taking up a track that nobody has used yet costs one body
    size (the median diagonal of an entity's bounding box), so that somebody who appears far from a lost track starts a
    new one. Equal costs leave everybody in place.

    Returns:
        The clip (the same object where nobody was exchanged), and a note with the number of exchanges and the first
        one's time.
    """
    there = presence(clip)
    if clip.entities < 2 or not there.any():
        return clip, []
    joints = clip.joints.astype(np.float64)
    size = float(np.median(np.linalg.norm(np.ptp(joints[there], axis=1), axis=-1)))
    order = np.tile(np.arange(clip.entities), (clip.frames, 1))  # order[t, track] = slot
    last: list[NDArray[np.float64] | None] = [None] * clip.entities
    for frame in range(clip.frames):
        slots = np.flatnonzero(there[frame])
        cost = np.empty((len(slots), clip.entities))
        for row, slot in enumerate(slots.tolist()):
            for track, seen in enumerate(last):
                if seen is None:
                    cost[row, track] = size
                else:
                    cost[row, track] = np.linalg.norm(joints[frame, slot] - seen, axis=-1).mean()
                if track != slot:
                    cost[row, track] += 1e-9 * max(size, 1e-9)
        rows, tracks = linear_sum_assignment(cost)
        free = [slot for slot in range(clip.entities) if slot not in slots]
        chosen = dict(zip(tracks.tolist(), slots[rows].tolist(), strict=True))
        order[frame] = [chosen[track] if track in chosen else free.pop() for track in range(clip.entities)]
        for track, slot in chosen.items():
            last[track] = joints[frame, slot]
    exchanges = np.flatnonzero((order[1:] != order[:-1]).any(axis=1) & there[1:].any(axis=1)) + 1
    moved = np.take_along_axis(clip.joints, order[:, :, None, None], axis=1)
    if np.array_equal(moved, clip.joints):
        return clip, []
    when = f"frame {exchanges[0]}" if len(exchanges) else "frame 0"
    if len(exchanges) and clip.frames_per_second:
        when = f"{exchanges[0] / clip.frames_per_second:.2f} s"
    note = f"entities exchanged places {len(exchanges)} times (first at {when}); identities were re-assigned"
    return replace(clip, joints=np.ascontiguousarray(moved)), [note]
