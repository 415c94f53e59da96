from __future__ import annotations

import numpy as np
import pytest

from interplay.data.playground import CLASSES, NEUTRAL, RELATION_PAIRS, Episode, simulate
from interplay.data.playground.kinematics import HANDS, RIGID_BONES
from interplay.interactions import Interaction

EPISODES = 12


@pytest.fixture(scope="module", params=[*CLASSES, *NEUTRAL])
def episodes(request: pytest.FixtureRequest) -> list[Episode]:
    return [simulate(request.param, seed) for seed in range(EPISODES)]


def test_there_are_the_promised_classes() -> None:
    expected = "approach, depart, shake hands, hug, push, kick, punch, high-five, give, exchange, point, pat"
    assert set(expected.split(", ")) < set(CLASSES)
    assert len(set(CLASSES)) == len(CLASSES) >= 20
    assert all(label in CLASSES for pair in RELATION_PAIRS for label in pair)
    assert not set(NEUTRAL) & set(CLASSES)


def test_bones_keep_their_length(episodes: list[Episode]) -> None:
    for episode in episodes:
        for a, b in RIGID_BONES:
            length = np.linalg.norm(episode.joints[:, :, a] - episode.joints[:, :, b], axis=-1)
            assert np.ptp(length, axis=0).max() < 1e-6
            assert 0.02 < length.min() <= length.max() < 0.6


def test_motion_is_smooth(episodes: list[Episode]) -> None:
    """Below 10 m/s (a boxer's fist) and 250 m/s²; noise or a flipping elbow would be far above."""
    for episode in episodes:
        velocity = np.diff(episode.joints, axis=0) * episode.frames_per_second
        acceleration = np.diff(velocity, axis=0) * episode.frames_per_second
        assert np.linalg.norm(velocity, axis=-1).max() < 10.0
        assert np.linalg.norm(acceleration, axis=-1).max() < 250.0


def test_people_stand_on_the_floor_and_apart(episodes: list[Episode]) -> None:
    for episode in episodes:
        assert episode.joints[..., 1].min() > -0.02
        assert episode.joints[..., 1].max() < 2.5
        apart = np.linalg.norm(episode.joints[:, 0, 0] - episode.joints[:, 1, 0], axis=-1)
        assert apart.min() > 0.2
        assert apart.max() < 4.5


def test_truth_is_told(episodes: list[Episode]) -> None:
    for episode in episodes:
        if episode.label in NEUTRAL:
            assert episode.interactions == ()
            continue
        (truth,) = episode.interactions
        assert truth.label == episode.label
        assert truth.start is not None
        assert truth.end is not None
        assert 0.0 <= truth.start < truth.end <= episode.frames / episode.frames_per_second
        assert truth.subject is not None
        assert truth.object is not None
        assert {truth.subject.track, truth.object.track} == {"0", "1"}
        assert Interaction.from_dict(truth.to_dict()) == truth


def test_either_person_acts() -> None:
    for label in ("push", "kick", "punch", "point", "pat", "give", "whisper"):
        subjects = {simulate(label, seed).interactions[0].subject.track for seed in range(20)}  # type: ignore[union-attr]
        assert subjects == {"0", "1"}


def test_same_seed_same_episode_and_other_seed_another() -> None:
    for label in ("hug", "in phase", "stand"):
        first, again, other = simulate(label, 7), simulate(label, 7), simulate(label, 9)
        np.testing.assert_array_equal(first.joints, again.joints)
        np.testing.assert_array_equal(first.camera.position, again.camera.position)
        assert first.bodies == again.bodies != other.bodies


def test_a_known_episode_stays_the_same() -> None:
    """Guards against unnoticed changes of the simulator: then its VERSION must be raised and this value renewed."""
    episode = simulate("shake hands", 1)
    np.testing.assert_allclose(episode.joints[10, 0, 3], [-0.4573666, 1.6486327, -0.0104353], atol=1e-6)


def _distance(episode: Episode) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(np.linalg.norm(episode.joints[:, 0, 0] - episode.joints[:, 1, 0], axis=-1))


@pytest.mark.parametrize("seed", range(6))
def test_actions_are_what_they_are_called(seed: int) -> None:
    """Each interaction by its plainest sign."""
    apart = _distance(simulate("approach", seed))
    assert apart[-1] < apart[0] - 0.5
    apart = _distance(simulate("depart", seed))
    assert apart[-1] > apart[0] + 0.4
    assert _distance(simulate("hug", seed)).min() < 0.5

    def nearest_hands(label: str) -> tuple[float, float]:
        hands = simulate(label, seed).joints[:, :, HANDS]
        gaps = np.linalg.norm(hands[:, 0, :, None] - hands[:, 1, None], axis=-1)
        frame = np.unravel_index(gaps.argmin(), gaps.shape)
        return float(gaps.min()), float(hands[frame[0], 0, frame[1], 1])

    for label in ("shake hands", "high-five", "give", "exchange", "cheers"):
        assert nearest_hands(label)[0] < 0.16, label
    assert nearest_hands("high-five")[1] > nearest_hands("shake hands")[1] + 0.2
    assert nearest_hands("bow")[0] > 0.25

    def closest_to_other(label: str, part: int | tuple[int, ...], target: int) -> float:
        episode = simulate(label, seed)
        subject = int(episode.interactions[0].subject.track)  # type: ignore[union-attr,arg-type]
        parts = episode.joints[:, subject, np.atleast_1d(part)]
        return float(np.linalg.norm(parts - episode.joints[:, 1 - subject, [target]], axis=-1).min())

    assert min(closest_to_other("punch", HANDS, 3), closest_to_other("punch", HANDS, 20)) < 0.3
    assert closest_to_other("push", HANDS, 20) < 0.3
    assert closest_to_other("pat", HANDS, 20) < 0.3
    assert closest_to_other("point", HANDS, 20) > 0.35
    assert closest_to_other("whisper", 3, 3) < 0.65
    kick = simulate("kick", seed)
    assert kick.joints[:, :, [15, 19], 1].max() > 0.25


def test_objects_are_where_the_hands_are() -> None:
    for seed in range(6):
        episode = simulate("give", seed)
        (thing,) = episode.objects
        subject = int(episode.interactions[0].subject.track)  # type: ignore[union-attr,arg-type]
        assert thing.positions.shape == (episode.frames, 3)
        np.testing.assert_allclose(thing.held.sum((1, 2)), 1.0)
        assert thing.held[0, subject].sum() == 1.0
        assert thing.held[-1, 1 - subject].sum() == 1.0
        assert thing.present.all()
        nearest = np.linalg.norm(episode.joints[:, :, HANDS] - thing.positions[:, None, None], axis=-1).min((1, 2))
        assert nearest.max() < 0.12
        assert np.abs(np.diff(thing.positions, n=2, axis=0)).max() * 900 < 250
        eye = np.broadcast_to(np.eye(3), thing.orientations.shape)
        np.testing.assert_allclose(thing.orientations @ np.swapaxes(thing.orientations, -1, -2), eye, atol=1e-9)
    assert len(simulate("exchange", 0).objects) == 2
    assert simulate("carry", 0).objects[0].kind == "box"


def test_camera_is_kinects() -> None:
    """People stand in front of it; right-handed axes, as in recorded NTU files: left × up points the way one faces."""
    for seed in range(10):
        episode = simulate("bow", seed)
        np.testing.assert_allclose(episode.camera.rotation @ episode.camera.rotation.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(episode.camera.rotation), 1.0)
        seen = episode.camera.view(episode.joints)
        assert 1.2 < seen[..., 2].min() < seen[..., 2].max() < 6.5
        assert np.all(seen[..., 3, 1] > seen[..., 0, 1] - 0.2)
        left, up = seen[0, :, 4] - seen[0, :, 8], seen[0, :, 20] - seen[0, :, 0]
        ahead = (seen[0, :, 15] - seen[0, :, 14]) + (seen[0, :, 19] - seen[0, :, 18])
        assert np.all((np.cross(left, up) * ahead).sum(-1) > 0)


@pytest.mark.parametrize(
    ("label", "seed", "frames", "message"),
    [
        ("shake hand", 0, 80, "did you mean 'shake hands'"),
        ("hug", -1, 80, "seed must be ≥ 0"),
        ("hug", 0, 10, "frames ≥ 45"),
    ],
)
def test_bad_arguments(label: str, seed: int, frames: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate(label, seed, frames)
