"""Who is who: one person, three, exchanged ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.identities import choose_two, exactly_two, motion, reassign_identities
from interplay.data.sbu import read_packed_fold

Joints = NDArray[np.float32]


def person(frames: int, x: float, speed: float, seed: int = 0) -> Joints:
    """(frame, 15, 3): a body about 1.7 m tall at x, walking along z."""
    still = np.random.default_rng(seed).uniform(-0.2, 0.2, (15, 3)) + np.linspace(0, 1.5, 15)[:, None] * [0, 1, 0]
    path = np.arange(frames)[:, None, None] * [0, 0, speed] + [x, 0, 0]
    return (still + path).astype(np.float32)


def clip_of(*people: Joints) -> SkeletonClip:
    return SkeletonClip("c", np.stack(people, axis=1), "sbu15", 10.0)


def test_two_stay_two() -> None:
    clip = clip_of(person(20, 0, 0.01), person(20, 1, 0.01))
    assert choose_two(clip) == (clip, [])
    assert exactly_two(clip) == (clip, [])


def test_one_gets_an_absent_second() -> None:
    clip, notes = exactly_two(clip_of(person(20, 0, 0.01)))
    assert clip.joints.shape == (20, 2, 15, 3)
    assert not clip.joints[:, 1].any()
    assert notes == ["one entity only: the other is taken as absent"]


def test_the_two_who_act_of_three() -> None:
    bystander, first, second = person(40, 0, 0.0), person(40, 1, 0.02), person(40, 2, 0.03)
    clip, notes = choose_two(clip_of(first, bystander, second))
    np.testing.assert_array_equal(clip.joints, clip_of(first, second).joints)
    assert notes == ["3 entities: kept 0 and 2, present and moving most"]


def test_a_ghost_that_moves_much_but_briefly_is_no_actor() -> None:
    ghost = person(40, 3, 1.0)
    ghost[11:] = 0
    brief = person(40, 3, 1.0)
    brief[15:] = 0  # longer than noise, but less than half of the second person
    people = person(40, 0, 0.01), person(40, 1, 0.01)
    for third in (ghost, brief):
        assert motion(clip_of(*people, third)).argmax() == 2
        np.testing.assert_array_equal(choose_two(clip_of(third, *people))[0].joints, clip_of(*people).joints)


def test_the_most_present_fill_up() -> None:
    short, shorter = person(40, 1, 0.5), person(40, 2, 0.5)
    short[6:], shorter[3:] = 0, 0
    everybody = clip_of(shorter, person(40, 0, 0.0), short)
    np.testing.assert_array_equal(choose_two(everybody)[0].joints, everybody.joints[:, 1:])


@pytest.mark.parametrize("seed", range(5))
def test_exchanged_people_get_their_places_back(seed: int) -> None:
    clip = clip_of(person(60, 0, 0.01), person(60, 1, -0.01, seed=1))
    exchanged = clip.joints.copy()
    swap = np.random.default_rng(seed).random(60) < 0.3
    swap[0] = False
    exchanged[swap] = exchanged[swap][:, ::-1]
    back, notes = reassign_identities(SkeletonClip("c", exchanged, "sbu15", 10.0))
    np.testing.assert_array_equal(back.joints, clip.joints)
    times = np.flatnonzero(swap[1:] != swap[:-1]) + 1
    assert notes == [
        f"entities exchanged places {len(times)} times (first at {times[0] / 10:.2f} s); identities were re-assigned"
    ]


def test_who_is_alone_keeps_the_place_he_had() -> None:
    first, second = person(30, 0, 0.01), person(30, 1, 0.01, seed=1)
    joints = np.stack([first, second], axis=1)
    joints[10:20, 0], joints[10:20, 1] = second[10:20], 0  # the first has gone, the tracker renames the second
    back, notes = reassign_identities(SkeletonClip("c", joints, "sbu15", None))
    np.testing.assert_array_equal(back.joints[:, 1], second)
    assert not back.joints[10:20, 0].any()
    assert "first at frame 10" in notes[0]


def test_who_appears_far_away_is_somebody_new() -> None:
    first, second = person(30, 0, 0.01), person(30, 9, 0.01, seed=1)
    joints = np.stack([first, second], axis=1)
    joints[:15, 1], joints[15:, 0] = 0, 0
    joints[15:, 0], joints[15:, 1] = second[15:], 0  # the tracker reuses the first slot for a newcomer
    back, _ = reassign_identities(SkeletonClip("c", joints, "sbu15", 10.0))
    np.testing.assert_array_equal(back.joints[15:, 1], second[15:])
    assert not back.joints[15:, 0].any()


def test_nothing_to_do_changes_nothing() -> None:
    three = clip_of(person(20, 0, 0.01), person(20, 1, 0.02), person(20, 2, 0.0))
    alike = clip_of(person(20, 0, 0.01), person(20, 0, 0.01))  # nobody can tell these apart
    empty = clip_of(np.zeros((5, 15, 3), np.float32), np.zeros((5, 15, 3), np.float32))
    for clip in (three, alike, empty, clip_of(person(5, 0, 0))):
        assert reassign_identities(clip) == (clip, [])


def test_nobody_is_exchanged_in_the_real_folds(shared: Path) -> None:
    for fold in (1, 2, 3):
        for joints in read_packed_fold(shared / "data" / "sbu" / f"fold{fold}_data.npy"):
            clip = SkeletonClip("c", joints, "sbu15", 15.0)
            assert reassign_identities(clip) == (clip, [])
