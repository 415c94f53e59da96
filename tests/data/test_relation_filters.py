"""Relations that training leaves out on request."""

from __future__ import annotations

import numpy as np

from interplay.data.relation_filters import overlapping_only
from interplay.data.scenes import SceneImage


def scene(relations: list[list[int]]) -> SceneImage:
    boxes = np.array([[0, 0, 9, 9], [5, 5, 20, 20], [10, 0, 12, 4], [11, 0, 12, 4]], np.float32)
    rows = np.array(relations, np.int64).reshape(-1, 3)
    return SceneImage("1", 30, 30, boxes, np.ones(4, np.int64), rows)


def test_overlap_counts_the_last_pixel() -> None:
    kept = overlapping_only(scene([[0, 1, 1], [0, 2, 1], [0, 3, 1]])).relations
    assert kept.tolist() == [[0, 1, 1]]  # boxes end at 9 and begin at 10
    touching = scene([[0, 2, 1]])
    touching.boxes[2, 0] = 9.5
    assert len(overlapping_only(touching).relations) == 1
