"""Frames of clips, with the specification's numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.training.draws import generator
from interplay.video.sampling import FrameSampler, grid_frames, segment_frames


def test_a_frame_of_each_of_equal_segments() -> None:
    # 64 frames in 32 segments of two: the middle of segment s is floor((s + ½)·2) = 2s + 1.
    assert FrameSampler(32).centre(64).tolist() == list(range(1, 64, 2))
    # 40 frames, 32 segments of 1.25: frame floor(1.25·(s + u)).
    assert segment_frames(40, np.zeros(32)).tolist() == [s * 5 // 4 for s in range(32)]
    assert segment_frames(10, np.array([0.0, 0.99])).tolist() == [0, 9]


def test_short_videos_repeat_frames() -> None:
    frames = FrameSampler(32).centre(8)
    assert frames.tolist() == [s // 4 for s in range(32)]
    assert FrameSampler(32).centre(1).tolist() == [0] * 32


def test_the_release_samples_a_jittered_grid() -> None:
    # L = 94, n = 32: step 3, jitter 0 or 1; the first frame is not moved.
    low, high = grid_frames(94, np.zeros(32)), grid_frames(94, np.full(32, 0.999))
    assert low.tolist() == list(range(0, 94, 3))
    assert high.tolist() == [0, *range(4, 94, 3), 93]
    # L = 40: step 39/31, no jitter.
    assert grid_frames(40, np.full(32, 0.999)).tolist() == [int(39 / 31 * i) for i in range(32)]
    assert FrameSampler(32, "grid").centre(94).tolist() == low.tolist()


def test_five_clips_without_chance_are_spread_over_each_segment() -> None:
    sampler = FrameSampler(2)
    clips = [sampler.offset(20, number, 5).tolist() for number in range(5)]
    assert clips == [[1, 11], [3, 13], [5, 15], [7, 17], [9, 19]]
    with pytest.raises(ValueError, match="expected 0 to 4"):
        sampler.offset(20, 5, 5)


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(1, 400),
    count=st.integers(1, 40),
    seed=st.integers(0, 99),
    kind=st.sampled_from(["segments", "grid"]),
)
def test_drawn_frames_are_in_order_and_inside(length: int, count: int, seed: int, kind: str) -> None:
    frames = FrameSampler(count, kind).drawn(length, generator(seed, "clip"))  # type: ignore[arg-type]
    assert len(frames) == count
    assert frames.min() >= 0
    assert frames.max() < length
    assert (np.diff(frames) >= 0).all()
    if kind == "segments":
        assert (frames >= np.floor(np.arange(count) * length / count)).all()
        assert (frames <= np.ceil((np.arange(count) + 1) * length / count)).all()


def test_draws_are_those_of_their_clip() -> None:
    first = FrameSampler(8).drawn(100, generator(1, "clip", 0, "a"))
    assert first.tolist() == FrameSampler(8).drawn(100, generator(1, "clip", 0, "a")).tolist()
    assert first.tolist() != FrameSampler(8).drawn(100, generator(1, "clip", 1, "a")).tolist()


def test_nothing_has_no_frames() -> None:
    with pytest.raises(ValueError, match="at least 1 frame"):
        FrameSampler(4).centre(0)
    with pytest.raises(ValueError, match="at least 1 frame"):
        FrameSampler(0)
