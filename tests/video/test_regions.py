"""Regions of boxes: torchvision's RoIAlign, the legacy kernel as a loop, gradients, positions."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from tests.video import reference
from torch import Tensor
from torchvision.ops import roi_align

from interplay.video.regions import box_positions, pool_boxes, region_matrix

GRIDS = ((7, 7), (5, 8), (1, 3))


def drawn(batch: int = 2, steps: int = 3, count: int = 6, grid: tuple[int, int] = (7, 7)) -> tuple[Tensor, Tensor]:
    """Maps, and boxes inside, across the border, outside, without area, and the whole frame."""
    draw = torch.Generator().manual_seed(0)
    ends = torch.rand(batch, steps, count, 2, 2, dtype=torch.float64, generator=draw) * 1.6 - 0.3
    boxes = torch.cat((ends.amin(dim=3), ends.amax(dim=3)), dim=-1)
    boxes[:, 0, 0] = torch.tensor([0.0, 0.0, 1.0, 1.0])
    boxes[:, 0, 1] = torch.tensor([1.0, 0.2, 1.0, 0.7])
    boxes[:, 0, 2] = torch.tensor([0.4, 0.4, 0.4, 0.4])
    boxes[:, 1, 0] = torch.tensor([1.4, 1.4, 1.9, 1.9])
    return torch.randn(batch, steps, *grid, 4, dtype=torch.float64, generator=draw), boxes


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("pool", ["mean", "max"])
def test_standard_kernel_is_roi_align(grid: tuple[int, int], pool: Literal["mean", "max"]) -> None:
    maps, boxes = drawn(grid=grid)
    cells = boxes * torch.tensor([grid[1], grid[0]] * 2)
    bins = roi_align(maps.flatten(0, 1).permute(0, 3, 1, 2), list(cells.flatten(0, 1)), 7, 1.0, 2, True)
    theirs = bins.mean(dim=(2, 3)) if pool == "mean" else bins.amax(dim=(2, 3))
    found = pool_boxes(maps, boxes, "standard", pool)
    torch.testing.assert_close(found.flatten(0, 1), theirs, rtol=0, atol=1e-13)


@pytest.mark.parametrize("grid", GRIDS[:2])
@pytest.mark.parametrize("pool", ["mean", "max"])
def test_legacy_kernel_is_the_loop(grid: tuple[int, int], pool: Literal["mean", "max"]) -> None:
    maps, boxes = drawn(grid=grid)
    found = pool_boxes(maps, boxes, "legacy", pool).view(2, 3, 6, 4)
    for clip in range(2):
        for step in range(3):
            for box in range(6):
                cells = boxes[clip, step, box] * torch.tensor([grid[1], grid[0]] * 2)
                bins = reference.roi_align_legacy(maps[clip, step], cells)
                theirs = bins.mean(dim=(0, 1)) if pool == "mean" else bins.amax(dim=(0, 1))
                torch.testing.assert_close(found[clip, step, box], theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel", ["standard", "legacy"])
@pytest.mark.parametrize("pool", ["mean", "max"])
def test_a_map_of_more_cells_than_the_crop(kernel: Literal["standard", "legacy"], pool: Literal["mean", "max"]) -> None:
    """72 × 88 pixels at stride 16 are 4.5 × 5.5 cells of a map of 5 × 6: boxes are in pixels over the stride."""
    maps, boxes = drawn(grid=(5, 6))
    extent = (72 / 16, 88 / 16)
    scaled = boxes * torch.tensor([extent[1] / 6, extent[0] / 5] * 2, dtype=torch.float64)
    found = pool_boxes(maps, boxes, kernel, pool, extent)
    torch.testing.assert_close(found, pool_boxes(maps, scaled, kernel, pool), rtol=0, atol=1e-13)
    if kernel == "standard":
        pixels = boxes * torch.tensor([88.0, 72.0] * 2)
        bins = roi_align(maps.flatten(0, 1).permute(0, 3, 1, 2), list(pixels.flatten(0, 1)), 7, 1 / 16, 2, True)
        theirs = bins.mean(dim=(2, 3)) if pool == "mean" else bins.amax(dim=(2, 3))
        torch.testing.assert_close(found.flatten(0, 1), theirs, rtol=0, atol=1e-13)


def test_a_box_inside_shares_out_one() -> None:
    boxes = torch.tensor([[[[0.1, 0.2, 0.6, 0.9], [0.0, 0.0, 1.0, 1.0]]]])
    torch.testing.assert_close(region_matrix(boxes, (7, 7)).sum(dim=-1), torch.ones(1, 1, 2))


def test_gradients() -> None:
    maps, boxes = drawn(1, 2, 3)
    assert torch.autograd.gradcheck(lambda maps: pool_boxes(maps, boxes), (maps[..., :2].clone().requires_grad_(),))


def test_shares_are_in_full_precision_under_autocast() -> None:
    maps, boxes = (values.float() for values in drawn())
    with torch.autocast("cpu", torch.bfloat16):
        found = pool_boxes(maps, boxes)
    assert torch.equal(found, pool_boxes(maps, boxes))


def test_positions() -> None:
    boxes = torch.tensor([0.1, 0.2, 0.5, 0.8]).expand(1, 4, 2, 4).clone()
    boxes[0, 3, 1] = torch.tensor([0.0, 0.0, 1.0, 1.0])
    three, nine = box_positions(boxes, 3), box_positions(boxes, 9)
    torch.testing.assert_close(three[0, 2], torch.tensor([0.3, 0.5, 0.25]))
    torch.testing.assert_close(three[0, 7], torch.tensor([0.5, 0.5, 0.75]))
    torch.testing.assert_close(nine[0, 2], torch.tensor([0.1, 0.2, 0.5, 0.8, 0.3, 0.5, 0.4, 0.6, 0.25]))
