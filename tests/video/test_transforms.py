"""Crops, mirrors, and what becomes of boxes."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from interplay.training.draws import generator
from interplay.video.transforms import DEVIATION, MEAN, Crop, centre_crop, largest, normalised, training_crop


def test_the_largest_crop_has_the_wanted_shape() -> None:
    assert largest(240, 320, 1.0) == (240, 240)
    assert largest(320, 240, 1.0) == (240, 240)
    assert largest(72, 96, 96 / 72) == (72, 96)
    assert largest(100, 100, 2.0) == (50, 100)
    assert centre_crop(240, 320) == Crop(40, 0, 280, 240, 240, 320)


def test_boxes_follow_the_crop_and_are_cut_at_its_border() -> None:
    crop = Crop(40, 0, 280, 240, 240, 320)
    boxes = torch.tensor([[40 / 320, 0.0, 160 / 320, 0.5], [0.0, 0.25, 0.5, 1.0], [0.0, 0.0, 0.1, 0.1]])
    found = crop.boxes(boxes)
    expected = [[0.0, 0.0, 0.5, 0.5], [0.0, 0.25, 0.5, 1.0], [0.0, 0.0, 0.0, 0.1]]
    torch.testing.assert_close(found, torch.tensor(expected))
    full = crop.boxes(boxes, "full")
    torch.testing.assert_close(full, torch.tensor([*expected[:2], [0.0, 0.0, 1.0, 1.0]]))


def test_a_mirror_changes_x_only() -> None:
    crop = Crop(0, 0, 100, 50, 50, 100, mirrored=True)
    box = torch.tensor([[0.1, 0.2, 0.4, 0.9]])
    torch.testing.assert_close(crop.boxes(box), torch.tensor([[0.6, 0.2, 0.9, 0.9]]))
    torch.testing.assert_close(crop.boxes(box, flip_bug=True), torch.tensor([[0.6, 0.1, 0.9, 0.8]]))
    frames = (
        torch.arange(50 * 100, dtype=torch.int64)
        .remainder(251)
        .to(torch.uint8)
        .view(1, 50, 100, 1)
        .expand(-1, -1, -1, 3)
    )
    assert torch.equal(crop.frames(frames, 50, 100), frames.flip(2))


def test_boxes_keep_to_their_pixels_whatever_the_crop() -> None:
    for seed in range(20):
        crop = training_crop(60, 80, generator(seed, "crop"), flip=0.5)
        frames = torch.zeros(1, 60, 80, 3, dtype=torch.uint8)
        frames[:, 24:36, 32:48] = 255
        box = crop.boxes(torch.tensor([[32 / 80, 24 / 60, 48 / 80, 36 / 60]]))[0]
        shown = crop.frames(frames, 120, 120)[0, :, :, 0] > 127
        rows, columns = shown.any(1).nonzero(), shown.any(0).nonzero()
        seen = torch.tensor([int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]) / 120
        assert (box - seen).abs().max() < 2 / 120


def test_training_crops_are_inside_and_of_both_scales() -> None:
    sides, mirrors, places = set(), 0, set()
    for seed in range(200):
        crop = training_crop(100, 150, generator(seed, "crop"))
        assert 0 <= crop.left < crop.right <= 150
        assert 0 <= crop.top < crop.bottom <= 100
        assert crop.right - crop.left == crop.bottom - crop.top
        sides.add(crop.right - crop.left)
        mirrors += crop.mirrored
        places.add(crop.left)
    assert sides == {100, 90}
    assert 70 < mirrors < 130
    assert len(places) > 20
    never = [training_crop(100, 150, generator(seed, "crop"), flip=0.0) for seed in range(50)]
    assert not any(crop.mirrored for crop in never)
    # What is switched off leaves the other draws as they are.
    assert [crop.left for crop in never] == [
        training_crop(100, 150, generator(seed, "crop")).left for seed in range(50)
    ]


def test_the_centre_is_what_resizing_the_short_side_shows() -> None:
    frames = torch.randint(0, 255, (1, 3, 96, 128), generator=torch.Generator().manual_seed(0)).float()
    frames = functional.avg_pool2d(frames, 9, 1, 4)  # smooth, so that a fraction of a pixel does not matter
    whole = frames.to(torch.uint8).permute(0, 2, 3, 1)
    shrunk = functional.interpolate(frames, size=(48, 64), mode="bilinear", antialias=True)[..., 8:56]
    ours = centre_crop(96, 128).frames(whole, 48, 48).permute(0, 3, 1, 2).float()
    assert (ours - shrunk).abs().mean() < 1


def test_pixels_are_normalised_channels_first() -> None:
    frames = torch.full((2, 4, 6, 8, 3), 51, dtype=torch.uint8)
    made = normalised(frames)
    assert made.shape == (2, 3, 4, 6, 8)
    for channel in range(3):
        assert float(made[0, channel, 0, 0, 0]) == pytest.approx((0.2 - MEAN[channel]) / DEVIATION[channel], rel=1e-5)
