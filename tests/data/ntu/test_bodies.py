"""Choosing two actors from the tracked bodies: every rule and every quirk."""

from __future__ import annotations

import numpy as np
import pytest

from interplay.data.errors import DataError
from interplay.data.ntu.bodies import (
    Bodies,
    Body,
    collect_bodies,
    denoise,
    motion,
    place_tracks,
    select_bodies,
    translate,
    two_actors,
)
from interplay.data.ntu.raw import RawRecording


def figure(frames: int, amount: float, seed: int = 0, width: float = 0.4) -> np.ndarray:
    """Upright skeletons (height 1.7 m) that move by about ``amount`` metres."""
    draw = np.random.default_rng(seed)
    shape = draw.uniform(-0.5, 0.5, (1, 25, 3)) * [width, 0.1, 0.2]
    shape[..., 1] = np.linspace(-0.85, 0.85, 25)
    walk = np.zeros((frames, 1, 3))
    walk[:, 0, 2] = amount * np.sin(np.linspace(0, 6, frames))
    return (shape + walk + [0.0, 0.0, 3.0]).astype(np.float32)


def body(name: str, first: int, frames: int, amount: float = 0.3, width: float = 0.4, seed: int = 0) -> Body:
    joints = figure(frames, amount, seed, width)
    return Body(name, first, joints, motion(joints))


def names(bodies: list[Body]) -> list[str]:
    return [body.id for body in bodies]


def test_motion_is_the_population_variance_summed_over_axes() -> None:
    joints = figure(20, 0.5)
    points = joints.reshape(-1, 3).astype(np.float64)
    by_hand = 0.0
    for axis in range(3):
        mean = sum(points[:, axis]) / len(points)
        by_hand += sum((value - mean) ** 2 for value in points[:, axis]) / len(points)
    assert motion(joints).dtype == np.float32
    assert motion(joints) == pytest.approx(by_hand, rel=1e-5)


def test_collecting_drops_empty_frames_and_closes_gaps() -> None:
    joints = np.arange(5 * 75, dtype=np.float32).reshape(5, 25, 3)
    # Frames 0 and 3 are empty; "a" is missing in frame 2.
    raw = RawRecording(6, ("a", "b", "b", "a", "a"), np.array([1, 1, 2, 4, 5]), joints)
    found = collect_bodies(raw)
    assert found.frames == 4
    assert found.dropped.tolist() == [0, 3]
    a, b = found.bodies
    assert (a.id, a.first, a.last, a.frames) == ("a", 0, 2, 3)
    assert np.array_equal(a.joints, joints[[0, 3, 4]])
    assert (b.id, b.first, b.last) == ("b", 0, 1)


def test_an_id_twice_in_a_frame_is_refused() -> None:
    raw = RawRecording(2, ("7", "7"), np.array([1, 1]), np.ones((2, 25, 3), np.float32))
    with pytest.raises(DataError, match=r"clip\.skeleton: frame 2: found body id 7 twice"):
        collect_bodies(raw, "clip.skeleton")


def test_a_single_id_stays_however_short_or_wide() -> None:
    only = body("a", 0, 3, width=5.0)
    assert select_bodies([only]) == [only]


def test_short_bodies_go_and_the_rest_is_ordered_by_motion() -> None:
    still, moving, short = body("still", 0, 40, 0.1), body("moving", 0, 12, 0.6), body("short", 5, 11, 2.0)
    assert names(select_bodies([still, short, moving])) == ["moving", "still"]


def test_if_all_are_short_the_longest_stays_and_the_first_of_equals() -> None:
    assert names(select_bodies([body("a", 0, 5), body("b", 0, 11), body("c", 0, 11)])) == ["b"]


def test_wide_bodies_go_but_never_the_last() -> None:
    upright, wide, wider = body("u", 0, 30, 0.1), body("w", 0, 30, 0.9, width=4.0), body("x", 0, 30, 0.5, width=5.0)
    assert names(select_bodies([wide, upright])) == ["u"]
    # In order of first appearance: the last one standing is kept though it is as wide.
    assert names(select_bodies([wide, wider])) == ["x"]


@pytest.mark.parametrize(("noisy", "kept"), [(69, True), (70, False)])
def test_the_share_of_noisy_frames_that_makes_a_ghost(noisy: int, kept: bool) -> None:
    """69.754 %: of 100 frames 69 may be noisy, 70 may not."""
    joints = figure(100, 0.3)
    joints[:noisy, :, 0] *= 10
    suspect = Body("s", 0, joints, motion(joints))
    chosen = select_bodies([suspect, body("b", 0, 100, 0.01)])
    assert ("s" in names(chosen)) is kept


def test_noisy_frames_do_not_count_towards_motion() -> None:
    joints = figure(60, 0.1)
    joints[:10, :, 0] *= 30
    jumping = Body("j", 0, joints, motion(joints))
    steady = body("s", 0, 60, 0.5)
    assert jumping.motion > steady.motion
    chosen = select_bodies([jumping, steady])
    assert names(chosen) == ["s", "j"]
    assert chosen[1].motion == motion(joints[10:])


def test_two_bodies_that_overlap_take_a_track_each() -> None:
    a, b = body("a", 0, 30), body("b", 10, 20, seed=1)
    tracks = place_tracks([a, b], 40)
    assert np.array_equal(tracks[:30, 0], a.joints)
    assert np.array_equal(tracks[10:30, 1], b.joints)
    assert not tracks[30:].any()
    assert not tracks[:10, 1].any()


def test_a_body_that_follows_joins_the_first_track_and_may_share_one_frame() -> None:
    a, b = body("a", 0, 20), body("b", 19, 20, seed=1)
    tracks = place_tracks([a, b], 39)
    assert np.array_equal(tracks[:19, 0], a.joints[:19])
    assert np.array_equal(tracks[19:, 0], b.joints), "the body placed later wins the shared frame"
    assert not tracks[:, 1].any()


def test_the_second_track_begins_at_zero_once_it_is_used() -> None:
    a, late, early = body("a", 0, 60), body("late", 40, 20, seed=1), body("early", 5, 20, seed=2)
    tracks = place_tracks([a, late, early], 60)
    assert np.array_equal(tracks[40:, 1], late.joints)
    assert not tracks[:40, 1].any(), "an earlier body is dropped although the track is free there"
    other_order = place_tracks([a, early, late], 60)
    assert np.array_equal(other_order[5:25, 1], early.joints)
    assert np.array_equal(other_order[40:, 1], late.joints)


def test_a_third_person_who_overlaps_both_is_dropped() -> None:
    people = [body("a", 0, 30, 0.9), body("b", 0, 30, 0.5, seed=1), body("c", 0, 30, 0.2, seed=2)]
    clip = denoise(Bodies(30, np.array([], int), tuple(people)))
    assert np.array_equal(clip, np.stack([people[0].joints, people[1].joints], axis=1))


def test_persons_swapped_between_frames_stay_one_track() -> None:
    """The sensor gives a person a new id: the tracks follow in time, not in id."""
    before, after, other = body("1", 0, 20, 0.5), body("2", 20, 20, 0.4, seed=1), body("3", 0, 40, 0.1, seed=2)
    clip = denoise(Bodies(40, np.array([], int), (before, other, after)))
    assert np.array_equal(clip[:, 0], np.concatenate([before.joints, after.joints]))
    assert np.array_equal(clip[:, 1], other.joints)


def test_frames_without_anybody_disappear_also_when_one_actor_remains() -> None:
    person, ghost = body("p", 0, 30), body("g", 30, 8)
    clip = denoise(Bodies(38, np.array([], int), (person, ghost)))
    assert clip.shape == (30, 1, 25, 3)
    late = denoise(Bodies(38, np.array([], int), (body("g", 0, 8), body("p", 8, 30))))
    assert late.shape == (30, 1, 25, 3)


def test_zeros_for_all_coordinates_are_refused() -> None:
    empty = Body("a", 0, np.zeros((20, 25, 3), np.float32), np.float32(0))
    with pytest.raises(DataError, match="zeros"):
        denoise(Bodies(20, np.array([], int), (empty,)), "clip")


def test_translation_keeps_relative_placement_and_absence() -> None:
    a, b = body("a", 0, 30), body("b", 10, 20, seed=1)
    tracks = place_tracks([a, b], 30)
    moved = translate(tracks)
    assert not moved[0, 0, 1].any(), "mid-spine of the first frame is the origin"
    assert np.array_equal(moved[10:, 1], tracks[10:, 1] - tracks[0, 0, 1])
    assert not moved[:10, 1].any()
    # The origin is where actor 1 first appears, not in frame 0.
    later = tracks.copy()
    later[:5, 0] = 0
    assert np.array_equal(translate(later)[5, 0], tracks[5, 0] - tracks[5, 0, 1])


def test_what_stands_in_for_an_absent_second_actor() -> None:
    alone = figure(10, 0.2)[:, None]
    zeros, copy = two_actors(alone, "zeros"), two_actors(alone, "duplicate")
    assert not zeros[:, 1].any()
    assert np.array_equal(copy[:, 1], alone[:, 0])
    assert np.array_equal(zeros[:, 0], copy[:, 0])
    both = np.concatenate([alone, alone], axis=1)
    assert two_actors(both, "zeros") is both
