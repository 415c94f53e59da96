"""Kept frames follow the videos: what is put there, exchanged or readable again is read, and nothing else anew."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.video_clips import encode, moving
from tests.video.made_up import MadeUp

from interplay.data.plain_videos import PlainVideos
from interplay.data.proposals import ProposalWriter, grid_proposals
from interplay.errors import InterplayError
from interplay.video.datamodule import VideoData, VideoInput
from interplay.video.kept_features import _key
from interplay.video.kept_frames import KeptFrames
from interplay.video.network import AGOS
from interplay.video.settings import BackboneSettings, VideoSettings

KEEP: dict[str, Any] = {"short": 16, "frames": 4, "boxes": 3}
INPUT = VideoInput(frames=4, height=16, width=16, boxes=3, batch_size=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A list of three clips, the last of which is missing."""
    root = tmp_path / "videos"
    root.mkdir()
    clips = [{"file": f"{name}.avi", "class": "x", "part": "train"} for name in "abc"]
    (root / "videos.json").write_text(json.dumps({"clips": clips}))
    for name in "ab":
        encode(root / f"{name}.avi", moving(4, 16, 16), "mpeg4")
    return root


def test_a_missing_video_is_found_once_it_is_there_and_another_one_is_read_anew(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []

    def kept() -> KeptFrames:
        return KeptFrames.prepare(PlainVideos(folder), range(3), **KEEP, folder=str(tmp_path / "kept"), say=said.append)

    first = kept()
    assert set(first.unreadable) == {2}
    assert "no video" in first.unreadable[2]
    assert kept().clips == first.clips
    assert len(said) == 1  # nothing was decoded again
    encode(folder / "c.avi", moving(6, 16, 16), "mpeg4")
    second = kept()
    assert not second.unreadable
    assert second.reader(2).frame_count == 4
    before = second.reader(0).pixels.copy()
    encode(folder / "a.avi", 255 - moving(4, 16, 16), "mpeg4")
    assert np.abs(kept().reader(0).pixels.astype(int) - before).mean() > 50
    assert np.array_equal(kept().reader(1).pixels, second.reader(1).pixels)
    os.utime(folder / "a.avi", ns=(1, 1))  # as large as before, but another time
    calls = len(said)
    kept()
    assert len(said) == calls + 1


def test_maps_kept_of_other_videos_are_not_taken(folder: Path) -> None:
    backbone = BackboneSettings(width=2, blocks=(1, 1), strides=(1, 2))
    model = VideoSettings(width=8, na_neighbours=2, tc_kernel=1)
    network = AGOS(1, model=model, backbone=backbone, frames=4, size=16, boxes=3)

    def key() -> str:
        return _key(network.backbone, VideoData(PlainVideos(folder), INPUT, 1), 2, "")

    first = key()
    assert key() == first
    encode(folder / "a.avi", moving(5, 16, 16), "mpeg4")
    assert key() != first


class Flaky(MadeUp):
    """A disk that comes back: nothing about the files changes."""

    def fingerprint(self) -> str:
        return "flaky"


def test_what_could_not_be_read_is_tried_again(tmp_path: Path) -> None:
    said: list[str] = []
    keep: dict[str, Any] = {**KEEP, "folder": str(tmp_path), "say": said.append}
    first = KeptFrames.prepare(Flaky(broken=("square-1",)), range(4), **keep)
    assert set(first.unreadable) == {1}
    assert set(KeptFrames.prepare(Flaky(broken=("square-1",)), range(4), **keep).unreadable) == {1}
    assert len(said) == 1
    second = KeptFrames.prepare(Flaky(), range(4), **keep)
    assert not second.unreadable
    assert second.reader(1).frame_count == 4
    assert np.array_equal(first.reader(0).pixels, second.reader(0).pixels)
    with pytest.raises(InterplayError, match="no clip can be read"):
        KeptFrames.prepare(Flaky(broken=tuple(MadeUp().ids)), range(3), **keep)


def test_how_many_clips_have_boxes_of_their_own_is_counted(folder: Path) -> None:
    with ProposalWriter(folder / "boxes", "rpn", {}) as writer:
        writer.add("a", type(grid_proposals())(grid_proposals(3).boxes, "rpn"))
        writer.finish()
    dataset = PlainVideos(folder, proposals=folder / "boxes")
    data = VideoData(dataset, INPUT, 1)
    assert data.boxes_used() == {"rpn": 1, "grid": 1}  # the missing clip counts for none
    grid = VideoData(dataset, VideoInput(**{**vars(INPUT), "proposals": "grid"}), 1)
    assert grid.boxes_used() == {"grid": 2}
    assert VideoData(MadeUp(proposals=False), INPUT, 1).boxes_used(("train",)) == {"grid": 12}
    assert VideoData(MadeUp(), INPUT, 1).boxes_used() == {"rendered": 20}
