"""Our RoIAlign beside torchvision's: values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.ops import roi_align as theirs

from interplay.scene import roi_align as module
from interplay.scene.roi_align import roi_align


def drawn(regions: int = 40) -> tuple[Tensor, Tensor]:
    """Maps of three pictures, one of them without boxes; boxes inside, across the border, outside and without area."""
    draw = torch.Generator().manual_seed(0)
    ends = torch.rand(regions, 2, 2, dtype=torch.float64, generator=draw) * 70 - 10
    boxes = torch.cat([ends.amin(dim=1), ends.amax(dim=1)], dim=1)
    boxes[0] = torch.tensor([5.0, 5.0, 5.0, 5.0])
    boxes[1] = torch.tensor([90.0, 90.0, 99.0, 99.0])
    boxes[2] = torch.tensor([0.0, 0.0, 52.0, 36.0])
    images = torch.randint(0, 2, (regions, 1), generator=draw).double() * 2
    return torch.randn(3, 5, 9, 13, dtype=torch.float64, generator=draw), torch.cat([images, boxes], dim=1)


@pytest.mark.parametrize("at_once", [2**24, 7 * 5 * 13 * 4])
@pytest.mark.parametrize(("size", "sampling"), [(7, 2), (3, 1)])
def test_gradients_are_torchvisions(monkeypatch: pytest.MonkeyPatch, at_once: int, size: int, sampling: int) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    maps, regions = drawn()
    ours, others = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    found, expected = roi_align(ours, regions, size, 1 / 4, sampling), theirs(others, regions, size, 1 / 4, sampling)
    assert torch.equal(found, expected)
    weights = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    assert ours.grad is not None
    assert others.grad is not None
    torch.testing.assert_close(ours.grad, others.grad, rtol=0, atol=1e-12)
    assert not ours.grad[1].any()


def test_large_maps_have_torchvisions_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    maps, regions = drawn()
    maps.requires_grad_()
    assert "Products" in str(roi_align(maps, regions, 7, 1 / 4, 2).grad_fn)
    monkeypatch.setattr(module, "SMALL", 9 * 13 - 1)
    assert "Products" not in str(roi_align(maps, regions, 7, 1 / 4, 2).grad_fn)


def test_no_regions_give_no_gradient() -> None:
    maps, regions = drawn()
    maps.requires_grad_()
    roi_align(maps, regions[:0], 7, 1 / 4, 2).sum().backward()
    assert maps.grad is not None
    assert not maps.grad.any()
