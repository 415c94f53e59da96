from __future__ import annotations

import numpy as np
import pytest

from interplay.data.playground import simulate, skeleton_view
from interplay.data.playground.skeleton_view import gaps, sensor_noise


def test_without_noise_the_view_is_the_camera() -> None:
    episode = simulate("hug", 3)
    clip = skeleton_view(episode, noise=0.0, dropout=0.0)
    np.testing.assert_array_equal(clip.joints, episode.camera.view(episode.joints).astype(np.float32))
    assert clip.layout == "ntu25"
    assert clip.frames_per_second == 30.0
    assert clip.meta["seed"] == 3
    distances = np.linalg.norm(clip.joints[:, 0, 0] - clip.joints[:, 1, 0], axis=-1)
    world = np.linalg.norm(episode.joints[:, 0, 0] - episode.joints[:, 1, 0], axis=-1)
    np.testing.assert_allclose(distances, world, atol=1e-5)


def test_noise_has_the_stated_size() -> None:
    noise = sensor_noise(np.random.default_rng(0), (400, 2, 25, 3), 0.01)
    assert abs(noise.std() - 0.01) < 1e-4
    np.testing.assert_allclose(noise.std(axis=(1, 2, 3)), 0.01, atol=0.002)  # from the first frame on
    lag = [(noise[:-k] * noise[k:]).mean() / noise.var() for k in (1, 2, 3)]
    np.testing.assert_allclose(lag, [1 / 3, 1 / 6, 0.0], atol=0.02)
    episode = simulate("hug", 3)
    error = skeleton_view(episode, noise=0.01, dropout=0.0).joints - episode.camera.view(episode.joints)
    assert 0.008 < error[:, :, 1].std() < 0.012
    assert error[:, :, 21].std() > 1.3 * error[:, :, 1].std()


def test_gaps_have_the_stated_share_and_are_short() -> None:
    lost = gaps(np.random.default_rng(0), 50_000, 2, 0.05)
    assert not lost[0].any()
    assert abs(lost.mean() - 0.05) < 0.005
    edges = np.flatnonzero(np.diff(np.concatenate([[0], lost[:, 0], [0]]).astype(int)))
    assert np.median(edges[1::2] - edges[::2]) <= 4
    clip = skeleton_view(simulate("hug", 3), dropout=0.3)
    absent = ~clip.joints.any(axis=(2, 3))
    assert 0.1 < absent.mean() < 0.5


@pytest.mark.parametrize("setting", [{"noise": -0.1}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_bad_settings(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        skeleton_view(simulate("hug", 3), **setting)
