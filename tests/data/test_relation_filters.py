"""What training does to relations at every access."""

from __future__ import annotations

import numpy as np

from interplay.data.relation_filters import one_per_pair, overlapping_only
from interplay.data.scenes import SceneImage


def scene(relations: list[list[int]]) -> SceneImage:
    boxes = np.array([[0, 0, 9, 9], [5, 5, 20, 20], [10, 0, 12, 4], [11, 0, 12, 4]], np.float32)
    rows = np.array(relations, np.int64).reshape(-1, 3)
    return SceneImage("1", 30, 30, boxes, np.ones(4, np.int64), rows)


def test_one_of_each_pair_uniform_over_rows() -> None:
    image = scene([[0, 1, 1], [2, 0, 4], [0, 1, 1], [0, 1, 2], [1, 0, 3]])
    generator = np.random.default_rng(0)
    drawn = [one_per_pair(image, generator).relations for _ in range(3000)]
    assert all(rows[:, :2].tolist() == [[0, 1], [2, 0], [1, 0]] for rows in drawn)
    share = np.mean([rows[0, 2] == 1 for rows in drawn])
    assert abs(share - 2 / 3) < 4 * np.sqrt(2 / 9 / 3000)
    assert {int(rows[1, 2]) for rows in drawn} == {4}
    assert len(image.relations) == 5


def test_nothing_to_choose() -> None:
    for image in (scene([]), scene([[0, 1, 1]]), scene([[0, 1, 1], [1, 0, 1]])):
        assert one_per_pair(image, np.random.default_rng(0)) is image


def test_overlap_counts_the_last_pixel() -> None:
    kept = overlapping_only(scene([[0, 1, 1], [0, 2, 1], [0, 3, 1]])).relations
    assert kept.tolist() == [[0, 1, 1]]  # boxes end at 9 and begin at 10
    touching = scene([[0, 2, 1]])
    touching.boxes[2, 0] = 9.5
    assert len(overlapping_only(touching).relations) == 1
