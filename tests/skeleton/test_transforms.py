"""Crop, resize, rotation, centring and streams against plain loops and PyTorch's interpolation."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from interplay.graph.layouts import load_layout
from interplay.skeleton import transforms
from interplay.skeleton.inputs import InputSettings

LAYOUT = load_layout("sbu15")


def clips(lengths: list[int], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    made = torch.randn(len(lengths), max(lengths), 2, 15, 3, generator=torch.Generator().manual_seed(seed)) + 1
    for row, length in zip(made, lengths, strict=True):
        row[length:] = 0
    return made, torch.tensor(lengths)


def test_bounds_by_the_rule() -> None:
    for n in range(1, 400):
        start, length = transforms.crop_bounds_test(torch.tensor([n]), 0.95)
        bias = int((1 - 0.95) * n / 2)
        assert (start.item(), length.item()) == (bias, n - 2 * bias)
        for share in (0.0, 0.3, 0.999):
            begins = []
            for u in (0.0, 0.5, 0.9999999):
                numbers = torch.tensor([share], dtype=torch.float64), torch.tensor([u], dtype=torch.float64)
                start, length = transforms.crop_bounds_train(torch.tensor([n]), 64, *numbers)
                assert length.item() == min(max(int(n * (0.5 + 0.5 * share)), 64), n)
                assert 0 <= start.item() <= n - length.item()
                begins.append(start.item())
            assert begins[0] == 0
            assert begins[-1] == n - length.item()


@pytest.mark.parametrize("window", [1, 16, 64])
def test_resize_is_linear_interpolation(window: int) -> None:
    batch, lengths = clips([1, 2, 15, 64, 100])
    start, length = transforms.crop_bounds_test(lengths)
    made = transforms.crop_resize(batch, start, length, window)
    for row, first, count, ours in zip(batch, start, length, made, strict=True):
        part = row[first : first + count].reshape(1, int(count), -1).transpose(1, 2)
        theirs = functional.interpolate(part, size=window, mode="linear", align_corners=False)
        torch.testing.assert_close(ours.reshape(window, -1), theirs[0].T, rtol=0, atol=2e-6)


def test_rotation_is_a_rotation_about_fixed_axes() -> None:
    matrix = transforms.rotation(torch.tensor([[0.3, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, 0.0, 0.1], [0.3, -0.2, 0.1]]))
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(3).expand(4, 3, 3))
    torch.testing.assert_close(torch.linalg.det(matrix), torch.ones(4))
    torch.testing.assert_close(matrix[0] @ torch.tensor([1.0, 0, 0]), torch.tensor([1.0, 0, 0]))
    turned = matrix[2] @ torch.tensor([1.0, 0, 0])
    torch.testing.assert_close(turned, torch.tensor([math.cos(0.1), -math.sin(0.1), 0.0]))
    x, y, z = (transforms.rotation(torch.diag(torch.tensor([0.3, -0.2, 0.1]))[i : i + 1])[0] for i in range(3))
    torch.testing.assert_close(matrix[3], z @ y @ x)
    batch, _ = clips([3, 3, 3, 3])
    made = transforms.rotate(batch, matrix)
    torch.testing.assert_close(made[3, 1, 0, 4], matrix[3] @ batch[3, 1, 0, 4])


def test_centre() -> None:
    batch, _ = clips([6, 6, 6, 6])
    batch[0, :2, 0] = 0  # entity 0 comes in the third frame
    batch[0, 4, 1] = 0  # entity 1 is away for one
    batch[1, :, 0] = 0  # entity 0 never comes
    batch[2, :] = 0  # nobody at all
    made = transforms.centre(batch, LAYOUT)
    torch.testing.assert_close(made[0, 2:, 0], batch[0, 2:, 0] - batch[0, 2, 0, LAYOUT.origin])
    torch.testing.assert_close(made[0, 5, 1], batch[0, 5, 1] - batch[0, 2, 0, LAYOUT.origin])
    assert not made[0, :2, 0].any()
    assert not made[0, 4, 1].any()
    torch.testing.assert_close(made[1, :, 1], batch[1, :, 1] - batch[1, 0, 1, LAYOUT.origin])
    assert not made[1, :, 0].any()
    assert not made[2].any()
    torch.testing.assert_close(made[3, :, 1] - made[3, :, 0], batch[3, :, 1] - batch[3, :, 0])


def test_streams() -> None:
    batch, _ = clips([7, 7])
    made = transforms.streams(batch, ["motion", "joint", "bone_motion", "bone"], LAYOUT)
    assert made.shape == (2, 7, 2, 15, 12)
    motion, joint, bone_motion, bone = made.split_with_sizes([3] * 4, dim=-1)
    torch.testing.assert_close(joint, batch)
    for v, parent in enumerate(LAYOUT.parents):
        expected = torch.zeros_like(batch[:, :, :, v]) if parent < 0 else batch[:, :, :, v] - batch[:, :, :, parent]
        torch.testing.assert_close(bone[:, :, :, v], expected)
    for values, moved in ((joint, motion), (bone, bone_motion)):
        torch.testing.assert_close(moved[:, 2], values[:, 3] - values[:, 2])
        assert not moved[:, -1].any()
    with pytest.raises(ValueError, match="expected one of joint, bone, motion, bone_motion"):
        transforms.streams(batch, ["speed"], LAYOUT)


def test_network_input() -> None:
    batch, lengths = clips([5, 30])
    settings = InputSettings(window=8, axes=(1.0, -2.0, 1.0))
    made = transforms.network_input(batch, lengths, settings, ["joint", "motion"], LAYOUT)
    assert made.shape == (2, 6, 8, 15, 2)
    start, length = transforms.crop_bounds_test(lengths, settings.crop)
    centred = transforms.centre(batch, LAYOUT) * torch.tensor([1.0, -2.0, 1.0])
    expected = transforms.crop_resize(centred, start, length, 8)
    torch.testing.assert_close(made[:, :3], expected.permute(0, 4, 1, 3, 2))
    alone = transforms.network_input(batch[:1, :5], lengths[:1], settings, ["joint", "motion"], LAYOUT)
    torch.testing.assert_close(made[:1], alone)


def test_training_draws_change_the_clip_and_nothing_else_does() -> None:
    batch, lengths = clips([40, 40])
    settings = InputSettings(window=8)
    draws = torch.rand(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    draws[1] = draws[0]
    batch[1] = batch[0]
    made = transforms.network_input(batch, lengths, settings, ["joint"], LAYOUT, draws)
    assert torch.equal(made[0], made[1])
    plain = transforms.network_input(batch, lengths, settings, ["joint"], LAYOUT)
    assert (made - plain).abs().max() > 0.01
    # bones keep their length under the rotation: with the crop of the whole clip only the angles differ
    whole = torch.tensor([[1.0, 0.0, *draws[0, 2:]]] * 2, dtype=torch.float64)
    turned = transforms.network_input(batch, lengths, settings, ["bone"], LAYOUT, whole)
    straight = transforms.network_input(batch, lengths, InputSettings(window=8, crop=1.0), ["bone"], LAYOUT)
    torch.testing.assert_close(turned.norm(dim=1), straight.norm(dim=1))
