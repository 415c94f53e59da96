"""Animated skeletons: as many frames as promised, something moves, and the label of the moment is shown."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from interplay.data.clips import SkeletonClip
from interplay.errors import InterplayError
from interplay.interactions import NONE_OF_THE_KNOWN, Interaction
from interplay.viz.animation import animate, can_write_video, current, save_animation


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    with Image.open(path) as picture:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture)]


def test_a_clip_moves_on_white_under_its_label(tmp_path: Path, clip: NDArray[np.float32]) -> None:
    halves = [Interaction("approach", 0.9, start=0.0, end=0.6), Interaction("hug", 0.8, start=0.65, end=1.2)]
    files = animate(clip, "ntu25", tmp_path / "a clip", halves, 10.0, "clip 1", width=300, video="never")
    assert [file.name for file in files] == ["a clip.gif"]
    frames = frames_of(files[0])
    assert len(frames) == 12
    assert all(frame.shape[1] == 300 for frame in frames)
    assert (frames[0][60, 150] == 255).all()
    body = slice(70, -45)
    assert any((one[body] != other[body]).any() for one, other in pairwise(frames))
    assert (frames[1][:34] != frames[10][:34]).any(), "another label"
    assert (frames[1][:34] == frames[2][:34]).all(), "the same label"
    with Image.open(files[0]) as picture:
        assert picture.info["duration"] == 100
        assert picture.info["loop"] == 0
    assert files[0].stat().st_size < 12 * 12_000


def test_a_long_recording_is_thinned_out(tmp_path: Path, clip: NDArray[np.float32]) -> None:
    long = np.tile(clip, (5, 1, 1, 1))
    (file,) = animate(long, "ntu25", tmp_path / "long", (), 10.0, max_frames=7, width=200, video="never")
    assert len(frames_of(file)) <= 7
    with Image.open(file) as picture:
        assert picture.info["duration"] <= 100


def test_what_is_going_on_at_a_moment() -> None:
    one, other = Interaction("hug", 0.6, start=0, end=2), Interaction("pat", 0.7, start=1, end=3)
    nothing, always = Interaction(NONE_OF_THE_KNOWN, 0.9, start=0, end=9), Interaction("bow", 0.5)
    assert current([one, other, nothing], 0.5) is one
    assert current([one, other, nothing], 1.5) is other
    assert current([one, other, nothing], 5.0) is nothing
    assert current([one, always], 5.0) is always
    assert current([], 1.0) is None


def test_a_clip_without_a_rate_or_bodies_is_drawn(tmp_path: Path) -> None:
    empty = SkeletonClip("none", np.zeros((3, 1, 25, 3), np.float32), "ntu25", None)
    path = save_animation(empty, "ntu25", [Interaction("hug", 0.5)], tmp_path / "empty")
    assert path.suffix == ".gif"
    assert len(frames_of(path)) >= 1


def test_video_only_where_it_can_be_written(tmp_path: Path, clip: NDArray[np.float32]) -> None:
    if can_write_video():
        files = animate(clip, "ntu25", tmp_path / "clip", frames_per_second=10.0, width=200, video="always")
        assert [file.suffix for file in files] == [".gif", ".mp4"]
        assert files[1].read_bytes()[4:8] == b"ftyp"
    else:
        with pytest.raises(ValueError, match="needs the package 'av'"):
            animate(clip, "ntu25", tmp_path / "clip", video="always")
        assert len(animate(clip, "ntu25", tmp_path / "clip", width=200)) == 1


def test_what_cannot_be_drawn_or_written_is_said(tmp_path: Path, clip: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="joints must be"):
        animate(clip, "sbu15", tmp_path / "clip")
    (tmp_path / "file").write_text("")
    with pytest.raises(InterplayError, match="cannot write"):
        animate(clip[:2], "ntu25", tmp_path / "file" / "clip", video="never")
