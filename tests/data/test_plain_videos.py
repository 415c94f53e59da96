"""Own clips in a plain list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from tests.data.damage import FUZZ, damaged, reads_or_says_why
from tests.data.video_clips import write_frames

from interplay.data.datasets import open_videos
from interplay.data.errors import DataError
from interplay.data.plain_videos import PlainVideos
from interplay.data.proposals import ProposalWriter, grid_proposals
from interplay.data.videos import VideoDataset


def write(root: Path, clips: list[Any], **more: Any) -> Path:
    root.mkdir(exist_ok=True)
    path = root / "videos.json"
    path.write_text(json.dumps({"clips": clips, **more}))
    return path


def test_json(tmp_path: Path) -> None:
    clips = [
        {"file": "day/a.mp4", "class": "push", "part": "train", "group": "monday"},
        {"file": "b", "class": "pull left", "part": "test", "id": "second"},
        {"file": "c"},
    ]
    write_frames(tmp_path / "b", 3)
    path = write(tmp_path, clips)
    with ProposalWriter(tmp_path / "boxes", "grid", {}) as writer:
        writer.add("second", grid_proposals())
        writer.finish()
    dataset = open_videos("plain_videos", tmp_path, frames_per_second=10.0)
    assert isinstance(dataset, VideoDataset)
    assert dataset.classes == ("pull left", "push")
    assert dataset.unflippable == {0}
    assert dataset.ids == ["day/a", "second", "c"]
    assert dataset.labels.tolist() == [1, 0, -1]
    assert dataset.groups == ("monday", "only second", "only c")
    assert {part: chosen.tolist() for part, chosen in dataset.parts().items()} == {
        "train": [0],
        "validation": [],
        "test": [1],
    }
    clip = dataset.read(1)
    assert (clip.source.frame_count, clip.source.frames_per_second, clip.proposals) == (3, 10.0, None)
    with pytest.raises(DataError, match=r"clip day/a: found no video"):
        dataset.read(0)
    write(tmp_path, clips, classes=["push", "pull left"], unflippable=[], proposals="boxes")
    dataset = PlainVideos(path)
    assert (dataset.classes, dataset.unflippable) == (("push", "pull left"), frozenset())
    assert dataset.proposals_kind == "grid"
    assert dataset.read(1).proposals is not None


def test_csv(tmp_path: Path) -> None:
    (tmp_path / "videos.csv").write_text("file,class,part,group\na.mp4,push,,x\nb.mp4,,,\nc.mp4,pull,,x\n")
    dataset = PlainVideos(tmp_path)
    assert dataset.classes == ("pull", "push")
    assert dataset.ids == ["a", "b", "c"]
    assert dataset.labels.tolist() == [1, -1, 0]
    assert dataset.groups == ("x", "only b", "x")
    (tmp_path / "videos.csv").write_text("file,class,part\na.mp4,push,tests\n")
    with pytest.raises(DataError, match="line 2: found part 'tests'"):
        PlainVideos(tmp_path).read(0)


def test_drawn_parts_keep_groups_together(tmp_path: Path) -> None:
    clips = [{"file": f"{k}.mp4", "class": "ab"[k % 2], "group": f"g{k % 20}"} for k in range(80)]
    dataset = PlainVideos(write(tmp_path, clips))
    parts = dataset.parts()
    assert [len(parts[part]) for part in ("train", "validation", "test")] == [56, 8, 16]
    assert dataset.groups is not None
    held = [{dataset.groups[index] for index in chosen} for chosen in parts.values()]
    assert sum(map(len, held)) == len(set.union(*held)) == 20
    few = PlainVideos(write(tmp_path, clips[:2])).parts()
    assert [few[part].tolist() for part in ("train", "validation", "test")] == [[0, 1], [], [0, 1]]


def test_entries_that_are_wrong_are_said_one_by_one(tmp_path: Path) -> None:
    clips = [
        {"file": "a", "class": "x"},
        {"class": "x"},
        {"file": "/etc/passwd", "class": "x"},
        {"file": "../b", "class": "x"},
        {"file": "c", "class": "y"},
        {"file": "d", "class": "x", "part": 3},
        "e",
    ]
    write_frames(tmp_path / "a", 2)
    dataset = PlainVideos(write(tmp_path, clips, classes=["x"]))
    assert dataset.read(0).label == 0
    for index in range(1, 7):
        with pytest.raises(DataError, match=f"clip {index}: found"):
            dataset.read(index)
    assert not np.isin(range(1, 7), np.concatenate(list(dataset.parts().values()))).any()


def test_lists_that_are_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"0 of videos.json and videos.csv"):
        PlainVideos(tmp_path)
    clip = {"file": "a", "class": "x"}
    for clips, more in (([], {}), ([{"file": "a"}], {}), ([clip, clip], {}), ([clip], {"classes": ["x", "x"]})):
        with pytest.raises(DataError):
            PlainVideos(write(tmp_path, clips, **more))
    for more in ({"unflippable": ["z"]}, {"unflippable": 3}, {"proposals": "none"}, {"classes": "x"}):
        with pytest.raises(DataError):
            PlainVideos(write(tmp_path, [clip], **more))
    with pytest.raises(ValueError, match="test_fraction"):
        PlainVideos(tmp_path, test_fraction=1)


@given(damaged(b'{"classes": ["x"], "clips": [{"file": "a", "class": "x", "part": "train"}, {"file": "b", "id": 4}]}'))
@FUZZ
def test_damaged_lists(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    def read(path: Path) -> None:
        dataset = PlainVideos(path)
        for index in range(len(dataset)):
            with pytest.raises(DataError):
                dataset.read(index)  # there are no videos

    reads_or_says_why(read, tmp_path_factory.mktemp("d") / "videos.json", content)
