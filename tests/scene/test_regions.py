"""Levels of boxes and pooling from them, against a plain RoIAlign."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.scene.detector.reference import pooled

from interplay.scene.regions import LEVELS, RegionPooler

RANDOM = torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("side", "level"), [(56, 2), (111.9, 2), (112, 3), (223.9, 3), (224, 4), (448, 5), (900, 5), (1, 2)]
)
def test_level_of_a_square(side: float, level: int) -> None:
    box = torch.tensor([[10.0, 10, 9 + side, 9 + side]])
    assert int(RegionPooler().levels_of(box)) + 2 == level
    half_open = torch.tensor([[10.0, 10, 10 + side, 10 + side]])
    assert int(RegionPooler("torchvision").levels_of(half_open)) + 2 == level


def test_canonical_side() -> None:
    box = torch.tensor([[0.0, 0, 55, 55]])
    assert int(RegionPooler(canonical_side=56.0).levels_of(box)) + 2 == 4


def test_pooling_against_a_plain_roi_align() -> None:
    shapes = ((1, 3, 64, 96), (1, 3, 32, 48), (1, 3, 16, 24), (1, 3, 8, 12))
    features = {level: torch.randn(shape, generator=RANDOM) for level, shape in zip(LEVELS, shapes, strict=True)}
    boxes = torch.tensor(
        [[3.0, 5, 40, 60], [0, 0, 383, 255], [100, 20, 300, 220], [-5, -9, 20, 20], [380, 250, 383, 255]]
    )
    found = RegionPooler()(features, boxes, (5,))
    for row, box in enumerate(boxes.numpy()):
        np.testing.assert_allclose(found[row].numpy(), pooled(features, box), atol=1e-4)


def test_boxes_are_pooled_from_their_own_image() -> None:
    features = {level: torch.randn(3, 2, 64 >> i, 64 >> i, generator=RANDOM) for i, level in enumerate(LEVELS)}
    boxes = torch.tensor([[3.0, 5, 40, 60], [10, 10, 200, 200], [0, 0, 90, 30]])
    together = RegionPooler()(features, boxes, (1, 0, 2))
    for row, image in enumerate((0, 2, 2)):
        own = {level: value[image : image + 1] for level, value in features.items()}
        assert torch.equal(RegionPooler()(own, boxes[row : row + 1], (1,))[0], together[row])
    stacked = RegionPooler().all_levels(features, torch.cat([torch.tensor([[2.0]]), boxes[1:2]], dim=1))
    assert stacked.shape == (1, 8, 7, 7)
