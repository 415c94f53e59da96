"""Videos as folders of numbered pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.video_clips import moving, write_frames

from interplay.data.errors import DataError
from interplay.data.frame_folders import FrameFolderSource, nearest_good
from interplay.data.video_files import open_video
from interplay.data.videos import VideoSource, read_frames


@pytest.mark.parametrize("first", [0, 1, 7])
@pytest.mark.parametrize(
    "name", ["{}.png", "{:04d}.png", "{:09d}.png", "img_{:05d}.png", "frame-{:06d}.png", "my clip {}.PNG"]
)
def test_any_width_and_beginning(tmp_path: Path, name: str, first: int) -> None:
    folder = write_frames(tmp_path / "clip", 12, name, first)  # past 9, where names without zeros sort otherwise
    source = open_video(folder, 12.0)
    assert isinstance(source, VideoSource)
    assert isinstance(source, FrameFolderSource)
    assert (source.frame_count, source.height, source.width, source.frames_per_second) == (12, 48, 64, 12.0)
    assert np.array_equal(source.read([11, 0, 0, 5]), moving(12)[[11, 0, 0, 5]])
    assert np.array_equal(np.stack(list(read_frames(source, [2, 3]))), moving(12)[2:4])
    assert source.numbers == tuple(range(first, first + 12))
    assert (dict(source.replaced), source.broken_frames()) == ({}, [])
    with pytest.raises(ValueError, match="found frame 12"):
        source.read([12])


def test_broken_pictures_show_their_neighbour(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "clip", 8)
    (folder / "00001.png").write_bytes(b"")
    whole = (folder / "00004.png").read_bytes()
    (folder / "00004.png").write_bytes(whole[: len(whole) // 2])
    (folder / "00005.png").write_bytes(b"no picture")
    source = FrameFolderSource(folder)
    frames = moving(8)
    assert np.array_equal(source.read([4, 3, 0, 3, 7]), frames[[5, 2, 1, 2, 7]])
    assert dict(source.replaced) == {0: 1, 3: 2, 4: 5}
    assert source.broken_frames() == [0, 3, 4]
    for file in folder.iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError, match="none of 8 pictures"):
        FrameFolderSource(folder).read([0])


def test_what_is_in_a_folder(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "clip", 3, "flow_x_{:05d}.png")
    write_frames(folder, 2, "img_{:05d}.png")
    (folder / "notes.txt").write_text("1")
    (folder / "cover.png").write_bytes(b"")
    assert [path.name for path in FrameFolderSource(folder).files] == ["img_00001.png", "img_00002.png"]
    Image.new("RGB", (64, 48)).save(folder / "img_1.jpg")
    with pytest.raises(DataError, match="each number once"):
        FrameFolderSource(folder).frame_count  # noqa: B018
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no picture with a number"):
        open_video(tmp_path / "empty").frame_count  # noqa: B018
    with pytest.raises(DataError, match="No such file"):
        FrameFolderSource(tmp_path / "none").frame_count  # noqa: B018


def test_other_sizes_are_scaled(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "clip", 2)
    Image.new("RGB", (33, 17), (9, 9, 9)).save(folder / "00003.png")
    Image.new("L", (64, 48), 7).save(folder / "00004.png")
    read = FrameFolderSource(folder).read([2, 3])
    assert read.shape == (2, 48, 64, 3)
    assert (read[0] == 9).all()
    assert (read[1] == 7).all()


def test_nearest_good() -> None:
    for pattern in ("1", "0110", "1000001", "00100"):
        good = np.array([letter == "1" for letter in pattern])
        there = np.flatnonzero(good)
        slow = [min(there.tolist(), key=lambda other: (abs(other - frame), other)) for frame in range(len(good))]
        assert nearest_good(good).tolist() == slow
