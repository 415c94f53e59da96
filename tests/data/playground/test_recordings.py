from __future__ import annotations

import numpy as np
import pytest

from interplay.data.playground import CLASSES, long_recording, skeleton_view
from interplay.data.playground.kinematics import RIGID_BONES


def test_named_interactions_in_order_with_gaps() -> None:
    labels = ["shake hands", "give", "hug", "depart", "in phase"]
    for seed in range(3):
        episode = long_recording(seed, labels)
        assert [truth.label for truth in episode.interactions] == labels
        last = 0.0
        for truth in episode.interactions:
            assert truth.start is not None
            assert truth.end is not None
            assert truth.start - last > 1.5  # standing about, and coming back to the places
            assert 1.0 < truth.end - truth.start < 3.5
            last = truth.end
        assert last < episode.frames / episode.frames_per_second - 0.6


def test_movement_goes_on_without_jumps() -> None:
    for seed in range(6):
        episode = long_recording(seed)
        velocity = np.diff(episode.joints, axis=0) * episode.frames_per_second
        acceleration = np.diff(velocity, axis=0) * episode.frames_per_second
        assert np.linalg.norm(velocity, axis=-1).max() < 10.0
        assert np.linalg.norm(acceleration, axis=-1).max() < 250.0
        assert np.linalg.norm(episode.joints[:, 0, 0] - episode.joints[:, 1, 0], axis=-1).min() > 0.2
        for a, b in RIGID_BONES:
            length = np.linalg.norm(episode.joints[:, :, a] - episode.joints[:, :, b], axis=-1)
            assert np.ptp(length, axis=0).max() < 1e-6


def test_objects_are_there_in_their_part_only() -> None:
    episode = long_recording(3, ["bow", "give", "bow"])
    (thing,) = episode.objects
    start, end = episode.interactions[1].start, episode.interactions[1].end
    assert start is not None
    assert end is not None
    times = np.flatnonzero(thing.present) / episode.frames_per_second
    assert start - 0.5 < times[0] <= start
    assert end <= times[-1] + 1 / 30 < end + 0.5
    assert len(thing.positions) == len(thing.present) == episode.frames


def test_drawn_recording_is_seeded() -> None:
    first, again = long_recording(4, count=3), long_recording(4, count=3)
    np.testing.assert_array_equal(first.joints, again.joints)
    assert len({truth.label for truth in first.interactions}) == 3
    assert all(truth.label in CLASSES for truth in first.interactions)
    clip = skeleton_view(first)
    assert clip.frames == first.frames
    assert clip.id == "recording-00000004"


def test_neutral_parts_are_no_interactions() -> None:
    assert long_recording(0, ["stand", "hug"]).interactions[0].label == "hug"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": ["huge"]}, "did you mean 'hug'"),
        ({"count": 0}, "count must be from 1"),
        ({"count": 99}, "count must be from 1"),
        ({"neutral": (0.0, 1.0)}, "0 < neutral"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        long_recording(0, **arguments)  # type: ignore[arg-type]
