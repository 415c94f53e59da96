"""Crop, resize, rotation and derived streams against values of the reference pipeline, to 1e-6."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from tests.golden.sources import archive
from torch import Tensor

from interplay.graph.layouts import load_layout
from interplay.skeleton import transforms
from interplay.skeleton.inputs import STREAMS

LAYOUT = load_layout("ntu25")
WINDOW = 64
Arrays = Mapping[str, np.ndarray]


@pytest.fixture(params=["excerpt/transforms.npz", "transforms.npz"])
def values(request: pytest.FixtureRequest) -> Arrays:
    return archive(request, request.param)


def clips(values: Arrays) -> Tensor:
    """(n, time, entity, joint, xyz)"""
    return torch.from_numpy(values["clips"].reshape(*values["clips"].shape[:2], 2, 25, 3))


def kept(values: Arrays, made: Tensor) -> np.ndarray:
    """The frames that the archive has (an excerpt has some), of (batch, channel, time, joint, entity)."""
    frames = values.get("frames", np.arange(WINDOW))
    return made[:, :, frames].numpy()


def draws(values: Arrays) -> list[tuple[int, str]]:
    """Clip and key prefix of each training example."""
    found = sorted({match[0] for key in values if (match := re.match(r"train/clip(\d+)_draw\d+/", key))})
    assert found
    return [(int(prefix.split("clip")[1].split("_")[0]), prefix) for prefix in found]


def stream(joints: Tensor, name: str) -> Tensor:
    return transforms.to_network(transforms.streams(joints, [name], LAYOUT))


def test_test_crop_and_streams(values: Arrays) -> None:
    start, length = transforms.crop_bounds_test(torch.from_numpy(values["lengths"]))
    joints = transforms.crop_resize(clips(values), start, length, WINDOW)
    for name in STREAMS:
        np.testing.assert_allclose(kept(values, stream(joints, name)), values[f"test/{name}"], rtol=0, atol=1e-6)


def test_training_crop_rotation_and_streams(values: Arrays) -> None:
    lengths = torch.from_numpy(values["lengths"])
    for k, prefix in draws(values):
        of = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
        n = lengths[k : k + 1]
        share = torch.tensor([float(of["u"])], dtype=torch.float64)
        begin = torch.tensor([int(of["crop_start"])])
        _, length = transforms.crop_bounds_train(n, WINDOW, share, torch.zeros(1, dtype=torch.float64))
        assert length.item() == int(of["crop_len"])
        # the start as a uniform number in the middle of its cell gives the same start
        room = int(n) - int(of["crop_len"])
        uniform = (begin.double() + 0.5) / (room + 1)
        start, _ = transforms.crop_bounds_train(n, WINDOW, share, uniform)
        assert start.item() == begin.item()
        joints = transforms.crop_resize(clips(values)[k : k + 1], start, length, WINDOW)
        unrotated = kept(values, transforms.to_network(joints))[0]
        np.testing.assert_allclose(unrotated, of["joint_no_rotation"], rtol=0, atol=1e-6)
        matrix = transforms.rotation(torch.from_numpy(of["angles"])[None])
        np.testing.assert_allclose(matrix[0].numpy(), of["R"], rtol=0, atol=1e-6)
        joints = transforms.rotate(joints, matrix)
        for name in STREAMS:
            np.testing.assert_allclose(kept(values, stream(joints, name))[0], of[name], rtol=0, atol=1e-6)


def test_order_of_the_random_draws(values: Arrays) -> None:
    """p, start, then the angles: the reference's generators, seeded as the archive says, give its numbers."""
    for k, prefix in draws(values):
        seed, n = int(values[f"{prefix}seed"]), int(values["lengths"][k])
        numpy_draws = np.random.RandomState(seed)
        u = numpy_draws.rand()
        assert u == values[f"{prefix}u"]
        length = min(max(int(np.floor(n * (0.5 + 0.5 * u))), WINDOW), n)
        assert length == values[f"{prefix}crop_len"]
        assert numpy_draws.randint(0, n - length + 1) == values[f"{prefix}crop_start"]
        angles = torch.empty(3).uniform_(-0.3, 0.3, generator=torch.Generator().manual_seed(seed))
        np.testing.assert_allclose(angles.numpy(), values[f"{prefix}angles"], rtol=0, atol=1e-7)
