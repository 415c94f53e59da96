from __future__ import annotations

import numpy as np
import pytest

from interplay.data.playground import HAND_CLASSES, HandEpisode, hand_view, simulate_hands
from interplay.data.playground.hand_actions import HAND_NEUTRAL
from interplay.data.playground.hand_model import (
    FINGERS,
    PALM_CENTER,
    RIGID_BONES,
    WRIST,
    HandControls,
    palm_frames,
    pose_hands,
    random_hand,
)
from interplay.graph.layouts import load_layout


@pytest.fixture(scope="module", params=[*HAND_CLASSES, *HAND_NEUTRAL])
def episodes(request: pytest.FixtureRequest) -> list[HandEpisode]:
    return [simulate_hands(request.param, seed) for seed in range(10)]


def test_joints_mean_what_the_layout_says() -> None:
    layout = load_layout("assembly101_hand21")
    names = ("thumb", "index", "middle", "ring", "pinky")
    for name, chain in zip(names, FINGERS, strict=True):
        assert layout.joints[chain[-1]] == f"{name}_tip"
        assert all(layout.joints[joint].startswith(name) for joint in chain)
    assert layout.joints[WRIST] == "wrist"
    assert layout.joints[PALM_CENTER] == "palm_center"
    assert {frozenset(edge) for edge in layout.edges} <= {frozenset(bone) for bone in RIGID_BONES}


def test_anatomy() -> None:
    """Right palm towards the viewer (z) and fingers up (y): thumb at x > 0; the left hand is its mirror image."""
    controls = HandControls.relaxed(1)
    controls.fingers[:] = [0.0, 1.0, 0.0]
    controls.normal[:] = [0.0, 0.0, 1.0]
    controls.grip[:] = 0.0
    hand = random_hand(np.random.default_rng(0))
    for curl in (0.0, 0.5, 1.0):
        controls.curl[:] = curl
        left, right = pose_hands(controls, (hand, hand))[0]
        np.testing.assert_allclose(left * [-1.0, 1.0, 1.0], right, atol=1e-9)
        assert right[6, 0] > right[11, 0] > right[17, 0]
        tips, knuckles = right[[1, 2, 3, 4]], right[[8, 11, 14, 17]]
        if curl == 0.0:
            assert right[0, 0] > right[1, 0] > right[4, 0]
            assert np.all(tips[:, 1] > knuckles[:, 1] + 50)
            assert 150 < right[2, 1] - right[WRIST, 1] < 230
        if curl == 1.0:  # a fist: tips come down in front of the palm
            assert np.all(tips[:, 1] < knuckles[:, 1])
            assert np.all(tips[:, 2] > 0)
        assert right[WRIST, 1] < right[PALM_CENTER, 1] < knuckles[:, 1].min()
    frames = palm_frames(controls)
    np.testing.assert_allclose(np.linalg.det(frames), 1.0)


def test_bones_keep_their_length_and_motion_is_smooth(episodes: list[HandEpisode]) -> None:
    """Below 3 m/s and 80 m/s² at the finger tips."""
    for episode in episodes:
        for a, b in RIGID_BONES:
            length = np.linalg.norm(episode.joints[:, :, a] - episode.joints[:, :, b], axis=-1)
            assert np.ptp(length, axis=0).max() < 1e-6
            assert length.min() > 10.0
        velocity = np.diff(episode.joints, axis=0) * episode.frames_per_second
        acceleration = np.diff(velocity, axis=0) * episode.frames_per_second
        assert np.linalg.norm(velocity, axis=-1).max() < 3_000.0
        assert np.linalg.norm(acceleration, axis=-1).max() < 80_000.0


def test_truth_is_told(episodes: list[HandEpisode]) -> None:
    for episode in episodes:
        if episode.label in HAND_NEUTRAL:
            assert episode.interactions == ()
            continue
        (truth,) = episode.interactions
        assert truth.label == episode.label
        assert truth.start is not None
        assert truth.end is not None
        assert 0.0 <= truth.start < truth.end <= episode.frames / episode.frames_per_second
        assert {truth.subject and truth.subject.label, truth.object and truth.object.label} == {
            "left hand",
            "right hand",
        }
        for thing in episode.objects:
            assert thing.positions.shape == (episode.frames, 3)
            np.testing.assert_allclose(thing.held.sum(1), 1.0)


def palms(label: str, seed: int) -> np.ndarray:  # type: ignore[type-arg]
    joints = simulate_hands(label, seed).joints[:, :, PALM_CENTER]
    return np.asarray(np.linalg.norm(joints[:, 0] - joints[:, 1], axis=-1))


@pytest.mark.parametrize("seed", range(5))
def test_actions_are_what_they_are_called(seed: int) -> None:
    gap = palms("clap", seed)
    assert gap.min() < 90
    assert ((gap[1:-1] < gap[:-2]) & (gap[1:-1] <= gap[2:]) & (gap[1:-1] < 100)).sum() >= 2
    assert palms("rub", seed)[40:80].max() < 170
    gap = palms("pull apart", seed)
    assert gap[-1] > gap[5] + 100
    gap = palms("press together", seed)
    assert gap[-1] < gap[5] - 100
    hands = simulate_hands("pass", seed)
    first, last = hands.objects[0].held[0], hands.objects[0].held[-1]
    np.testing.assert_array_equal(first, last[::-1])


@pytest.mark.parametrize("seed", range(8))
def test_screwing_is_unscrewing_the_other_way_round(seed: int) -> None:
    """While the fingers are closed the palm turns about y: counter-clockwise opens, for either leading hand."""
    for label, sense in (("unscrew", 1.0), ("screw", -1.0)):
        episode = simulate_hands(label, seed)
        subject = episode.interactions[0].subject
        assert subject is not None
        lead = int(subject.track or 0)
        joints = episode.joints[:, lead]
        across = joints[:, 8] - joints[:, 17]
        angle = np.unwrap(np.arctan2(across[:, 0], across[:, 2]))
        closed = -np.linalg.norm(joints[:, 1] - joints[:, 5], axis=-1)
        middle = slice(40, -35)
        turning = np.gradient(angle)[middle]
        grip = closed[middle] - closed[middle].mean()
        assert sense * (turning * grip).mean() > 0


def test_view() -> None:
    episode = simulate_hands("clap", 2)
    clean = hand_view(episode, noise=0.0, dropout=0.0)
    rotation, origin = episode.viewpoint
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_array_equal(clean.joints, (episode.joints @ rotation.T + origin).astype(np.float32))
    noisy = hand_view(episode, noise=3.0, dropout=0.1)
    seen = noisy.joints.any(axis=(2, 3))
    assert not seen.all()
    assert abs((noisy.joints - clean.joints)[seen].std() - 3.0) < 0.3
    np.testing.assert_array_equal(noisy.joints, hand_view(simulate_hands("clap", 2), noise=3.0, dropout=0.1).joints)
    with pytest.raises(ValueError, match="noise"):
        hand_view(episode, noise=-1.0)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="did you mean 'hammer'"):
        simulate_hands("hamer", 0)
    with pytest.raises(ValueError, match="frames ≥ 90"):
        simulate_hands("clap", 0, frames=10)
