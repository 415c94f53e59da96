"""What training does to annotated relations at every access; evaluation sees every row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interplay.data.scenes import SceneImage


def one_per_pair(scene: SceneImage, generator: np.random.Generator) -> SceneImage:
    """Keep one relation of each ordered pair, drawn anew at each call (spec E.1, ``filter_duplicate_rels``).

    The draw is uniform over a pair's *rows*, so a predicate annotated twice is twice as likely. Pairs keep the order
    of their first row.
    """
    rows = scene.relations
    if len(rows) < 2:
        return scene
    _, first, inverse = np.unique(rows[:, :2], axis=0, return_index=True, return_inverse=True)
    if len(first) == len(rows):
        return scene
    order = generator.permutation(len(rows))  # the first of a pair's rows in a random order is uniform among them
    drawn = np.full(len(first), -1, np.int64)
    drawn[inverse.reshape(-1)[order][::-1]] = order[::-1]
    return replace(scene, relations=rows[drawn[np.argsort(first)]])


def overlapping_only(scene: SceneImage) -> SceneImage:
    """Keep the relations whose two boxes overlap, IoU > 0 with + 1 (spec E.1, ``filter_non_overlap``)."""
    return replace(scene, relations=scene.relations[overlaps(scene)])


def overlaps(scene: SceneImage) -> NDArray[np.bool_]:
    """(Q,) whether subject and object of each relation share a pixel (boxes include their last one)."""
    subject, other = scene.boxes[scene.relations[:, 0]], scene.boxes[scene.relations[:, 1]]
    low, high = np.maximum(subject[:, :2], other[:, :2]), np.minimum(subject[:, 2:], other[:, 2:])
    return np.asarray((high - low + 1 > 0).all(axis=1))
