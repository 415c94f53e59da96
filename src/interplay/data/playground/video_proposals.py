"""Region proposals of a simulated clip: what an imperfect detector would have found."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from interplay.data.playground.profiles import Array
from interplay.data.proposals import Proposals

_FALSE_PER_BOX = 3
_HIDES = 0.3
"""Share of a thing that is missed on purpose which a false box may cover at most, in any frame."""


def _shaken(rng: np.random.Generator, boxes: Array, still: float, moving: float) -> Array:
    """Boxes (T, K, 4) whose sides are off by shares of their width and height: one error a box, one a frame."""
    frames, count, _ = boxes.shape
    sides = np.tile(boxes[..., 2:] - boxes[..., :2], 2)
    errors = still * rng.standard_normal((1, count, 4)) + moving * rng.standard_normal((frames, count, 4))
    return np.asarray(boxes + np.clip(errors, -0.45, 0.45) * sides)


def _false_boxes(rng: np.random.Generator, frames: int, count: int) -> Array:
    """(T, count, 4): places that only look like a thing, each about the same in all frames."""
    size = np.exp(rng.uniform(np.log(0.08), np.log(0.55), (count, 1)))
    shape = np.exp(rng.uniform(-0.5, 0.5, (count, 1)))
    half = 0.5 * np.concatenate([size * shape, size / shape], axis=-1)
    middle = rng.uniform(0.05, 0.95, (count, 2))
    boxes = np.concatenate([middle - half, middle + half], axis=-1)
    return _shaken(rng, np.broadcast_to(boxes, (frames, count, 4)), 0.0, 0.03)


def _covered(boxes: Array, things: Array) -> NDArray[np.bool_]:
    """(K,): whether box k ever covers more than :data:`_HIDES` of one of the things (T, N, 4; NaN where it is not)."""
    low = np.maximum(boxes[:, :, None, :2], things[:, None, :, :2])
    high = np.minimum(boxes[:, :, None, 2:], things[:, None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=-1)
    area = np.prod(things[..., 2:] - things[..., :2], axis=-1)[:, None]
    with np.errstate(invalid="ignore"):
        return np.asarray((shared > _HIDES * area).any(axis=(0, 2)))


def rendered_proposals(
    rng: np.random.Generator,
    true: Mapping[str, Array],
    findable: Mapping[str, NDArray[np.bool_]],
    count: int = 10,
    misses: float = 0.1,
) -> Proposals:
    """``count`` boxes a frame in the order of their scores: true boxes shaken by a few percent, looser second boxes of
    the same things, and false ones, with scores that overlap.

    Args:
        rng: of this clip.
        true: name → (T, 4), shares of the frame, NaN where it is not in the picture.
        findable: name → (T,), False where the thing is missed on purpose; no false box covers it either.
        count: boxes a frame. Where fewer are left the rest are NaN.
        misses: chance that a true box is not found in a frame.
    """
    frames = len(next(iter(true.values())))
    things = np.stack(list(true.values()), axis=1)
    found = np.stack([findable[name] for name in true], axis=1)
    number = things.shape[1]
    sure = 0.72 + 0.12 * rng.standard_normal(number)
    candidates, scores = [], []
    for looser, less, chance in ((0.05, 0.0, misses), (0.16, 0.22, 0.5)):
        candidates.append(_shaken(rng, things, looser, 0.025))
        marks = sure - less + 0.05 * rng.standard_normal((frames, number))
        seen = found & ~np.isnan(things[..., 0]) & (rng.random((frames, number)) >= chance)
        scores.append(np.where(seen, marks, -np.inf))
    false = _false_boxes(rng, frames, _FALSE_PER_BOX * count)
    marks = 0.36 + 0.13 * rng.standard_normal(false.shape[1]) + 0.05 * rng.standard_normal(false.shape[:2])
    hidden = np.where(found[..., None], np.nan, things)
    scores.append(np.where(_covered(false, hidden), -np.inf, marks))
    every, rank = np.concatenate([*candidates, false], axis=1), np.concatenate(scores, axis=1)
    order = np.argsort(-rank, axis=1, kind="stable")[:, :count]
    rank = np.take_along_axis(rank, order, axis=1)
    boxes = np.clip(np.take_along_axis(every, order[..., None], axis=1), 0.0, 1.0)
    boxes[np.isinf(rank)] = np.nan
    marks = np.where(np.isinf(rank), 0.0, np.clip(rank, 0.01, 0.99))
    return Proposals(boxes.astype(np.float16), "rendered", marks.astype(np.float16))
