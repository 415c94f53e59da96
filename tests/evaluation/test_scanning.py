"""Sliding windows and intervals, against loops over frames."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interplay.evaluation.scanning import frame_probabilities, to_intervals, window_starts, with_none


@given(st.integers(1, 200), st.integers(1, 60), st.integers(1, 30))
def test_windows_cover_every_frame_and_stay_inside(frames: int, window: int, stride: int) -> None:
    starts = window_starts(frames, window, stride)
    covered = np.zeros(frames, bool)
    for start in starts:
        assert start == 0 or start + window <= frames
        covered[start : start + window] = True
    if stride <= window:
        assert covered.all()
    assert covered[-1]
    assert (np.diff(starts) <= stride).all()


def test_frame_probabilities_against_loops() -> None:
    rng = np.random.default_rng(0)
    frames, window, starts = 23, 8, np.array([0, 4, 8, 12, 15])
    probabilities = rng.dirichlet(np.ones(3), len(starts))
    found = frame_probabilities(probabilities, starts, window, frames)
    for frame in range(frames):
        total, mass = np.zeros(3), 0.0
        for row, start in zip(probabilities, starts, strict=True):
            if start <= frame < start + window:
                weight = math.sin(math.pi * (frame - start + 0.5) / window) ** 2
                total, mass = total + weight * row, mass + weight
        np.testing.assert_allclose(found[frame], total / mass)
    np.testing.assert_allclose(found.sum(1), 1.0)


def test_frames_between_windows_take_the_nearest_that_has_some() -> None:
    rows = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    found = frame_probabilities(rows, np.array([0, 7, 14]), 3, 17)
    # Frames 0–2, 7–9 and 14–16 are in windows; 3, 4 and 5, 6 between the first two, as 4 and 5 are two away.
    expected = [0] * 5 + [1] * 7 + [2] * 5
    np.testing.assert_allclose(found, rows[expected], rtol=1e-12)


def test_intervals_partition_the_recording() -> None:
    rows = [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.9, 0.1, 0.0], [0.1, 0.2, 0.7]]
    found = to_intervals(np.repeat(rows, [10, 12, 2, 9], axis=0), shortest=4)
    assert [(item.start, item.end, item.label) for item in found] == [(0, 10, 0), (10, 24, 1), (24, 33, -1)]
    np.testing.assert_allclose(found[0].probabilities, [0.9, 0.1, 0.0])


def test_unsure_and_empty_windows_speak_for_none_of_the_known() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.0, 0.0]])
    np.testing.assert_allclose(with_none(probabilities, 0.7), [[0.9, 0.1, 0.0], [0, 0, 1], [0, 0, 1]])
    np.testing.assert_allclose(with_none(probabilities, None), [[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0, 0, 1]])


def test_no_threshold_never_answers_unknown() -> None:
    found = to_intervals(with_none(np.full((5, 2), 0.5), None), shortest=1)
    assert [(item.start, item.end, item.label) for item in found] == [(0, 5, 0)]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.integers(1, 10))
def test_no_interval_is_shorter_than_asked_unless_alone(labels: list[int], shortest: int) -> None:
    found = to_intervals(np.eye(4)[labels], shortest)
    assert found[0].start == 0
    assert found[-1].end == len(labels)
    assert all(a.end == b.start and a.label != b.label for a, b in pairwise(found))
    assert len(found) == 1 or all(item.end - item.start >= shortest for item in found)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        window_starts(10, 0, 1)
