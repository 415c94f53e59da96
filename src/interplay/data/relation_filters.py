"""Relations that a reader leaves out of training pictures on request; evaluation sees every row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interplay.data.scenes import SceneImage


def overlapping_only(scene: SceneImage) -> SceneImage:
    """Keep the relations whose two boxes overlap, IoU > 0 with + 1 (spec E.1, ``filter_non_overlap``)."""
    return replace(scene, relations=scene.relations[overlaps(scene)])


def overlaps(scene: SceneImage) -> NDArray[np.bool_]:
    """(Q,) whether subject and object of each relation share a pixel (boxes include their last one)."""
    subject, other = scene.boxes[scene.relations[:, 0]], scene.boxes[scene.relations[:, 1]]
    low, high = np.maximum(subject[:, :2], other[:, :2]), np.minimum(subject[:, 2:], other[:, 2:])
    return np.asarray((high - low + 1 > 0).all(axis=1))
