"""Videos in class folders: what is a clip, sources, folds that keep sources together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged, reads_or_says_why
from tests.data.video_clips import encode, moving, write_frames

from interplay.data.datasets import open_videos
from interplay.data.errors import DataError
from interplay.data.grouped_folds import grouped_folds
from interplay.data.video_folder import Fights, VideoFolder, read_sources
from interplay.data.videos import VideoDataset

SOURCES = """https://example.org/watch?v=1
fi001: 0.13.50 - 0.15.60
no001.mp4: 1.00.00 - 1.02.00

https://example.org/watch?v=2
fi002: 4.03.10 - 4.03.50
no002 : 4

no003 - no004 : another data set
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "clips"
    (root / "fight").mkdir(parents=True)
    (root / "no_fight").mkdir()
    for name in ("fight/fi001.mp4", "fight/fi002.avi", "no_fight/no001.mp4", "no_fight/no002.mp4"):
        encode(root / name, moving(2, 16, 16), "mpeg4")
    write_frames(root / "no_fight" / "no003", 2)
    encode(root / "no_fight" / "no004.gif", moving(2, 16, 16), "gif", "rgb8")
    (root / "no_fight" / "notes.txt").write_text("x")
    (root / "no_fight" / "empty").mkdir()
    (root / ".hidden").mkdir()
    (root / "sources.txt").write_text(SOURCES)
    return root


def test_clips_groups_and_folds(folder: Path) -> None:
    dataset = open_videos("fights", folder, folds=3)
    assert isinstance(dataset, VideoDataset)
    assert dataset.classes == ("fight", "no_fight")
    names = ["fight/fi001", "fight/fi002", "no_fight/no001", "no_fight/no002", "no_fight/no003", "no_fight/no004"]
    assert dataset.ids == names
    assert dataset.labels.tolist() == [0, 0, 1, 1, 1, 1]
    one, two = "https://example.org/watch?v=1", "https://example.org/watch?v=2"
    assert dataset.groups == (one, two, one, two, "another data set", "another data set")
    assert all(dataset.read(index).source.frame_count == 2 for index in range(6))
    tested = []
    for fold in range(3):
        parts = Fights(folder, folds=3, fold=fold, validation=True).parts()
        assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(6))
        held = {dataset.groups[index] for index in parts["test"]}
        assert len(held) == 1
        assert held.isdisjoint({dataset.groups[index] for index in parts["train"]})
        tested += parts["test"].tolist()
    assert sorted(tested) == list(range(6))
    everything = Fights(folder, folds=1).parts()
    assert [len(everything[part]) for part in ("train", "validation", "test")] == [0, 0, 6]
    with pytest.raises(DataError, match="3 sources of clips, expected at least as many as folds"):
        Fights(folder)


def test_any_other_folder_of_the_layout(tmp_path: Path) -> None:
    for name in ("turn left", "turn right", "wave"):
        for number in range(2):
            write_frames(tmp_path / name / f"{number}", 2)
    dataset = VideoFolder(tmp_path)
    assert dataset.classes == ("turn left", "turn right", "wave")
    assert dataset.unflippable == {0, 1}
    assert dataset.groups == tuple(dataset.ids)
    assert {part: len(chosen) for part, chosen in dataset.parts().items()}["test"] in (1, 2)
    assert VideoFolder(tmp_path, unflippable=["wave"]).unflippable == {2}
    other = VideoFolder(tmp_path, classes=["wave", "absent"], folds=2)
    assert other.labels.tolist() == [0, 0]
    assert other.facts["folders of other classes, left out"] == "turn left, turn right"
    with pytest.raises(DataError, match=r"no video in its folders \(turn left, .* expected clips of fight, no_fight"):
        Fights(tmp_path)
    with pytest.raises(ValueError, match="unflippable: found 'jump'"):
        VideoFolder(tmp_path, unflippable=["jump"])
    with pytest.raises(ValueError, match="expected fold from 0"):
        VideoFolder(tmp_path, fold=5)
    with pytest.raises(ValueError, match="a name twice"):
        VideoFolder(tmp_path, classes=["wave", "wave"])
    before = dataset.fingerprint()
    assert VideoFolder(tmp_path).fingerprint() == before
    write_frames(tmp_path / "wave" / "2", 2)
    assert VideoFolder(tmp_path).fingerprint() != before
    with pytest.raises(DataError, match="No such file"):
        VideoFolder(tmp_path / "none")
    with pytest.raises(DataError, match="no folder in it"):
        VideoFolder(tmp_path / "wave" / "2")


def test_two_files_of_one_name_keep_their_suffixes(folder: Path) -> None:
    encode(folder / "fight" / "fi001.avi", moving(2, 16, 16), "mpeg4")
    dataset = Fights(folder, folds=3)
    assert dataset.ids[:3] == ["fight/fi001.avi", "fight/fi001.mp4", "fight/fi002"]
    assert dataset.groups is not None
    assert len({*dataset.groups[:2]}) == 1


def test_a_dot_in_the_name_of_a_folder_of_frames(folder: Path) -> None:
    write_frames(folder / "fight" / "fi003.5", 2)
    with (folder / "sources.txt").open("a") as file:
        file.write("\nlast\nfi003.5: 0\n")
    dataset = Fights(folder, folds=3)
    assert dataset.groups is not None
    assert dict(zip(dataset.ids, dataset.groups, strict=True))["fight/fi003.5"] == "last"
    assert dataset.without_source == 0


def test_another_video_in_the_place_of_one_is_another_fingerprint(folder: Path) -> None:
    first = Fights(folder, folds=3)
    videos, whole = first.videos_fingerprint(), first.fingerprint()
    assert Fights(folder, folds=3, fold=1).videos_fingerprint() == videos
    assert Fights(folder, folds=3, fold=1).fingerprint() != whole
    encode(folder / "fight" / "fi001.mp4", moving(3, 16, 16), "mpeg4")
    assert Fights(folder, folds=3).videos_fingerprint() != videos
    turned = VideoFolder(folder, folds=3, unflippable=["fight"])
    assert turned.fingerprint() != VideoFolder(folder, folds=3).fingerprint()  # kept maps of mirrored clips


def test_sources(tmp_path: Path) -> None:
    path = tmp_path / "sources.txt"
    # b2 is said to be of both recordings: whichever is right, nothing is split when both are one group.
    path.write_text("first\na1: 0\nb2: 0\nsecond\nb2: 1\nc3: 1\nthird\nd4:1\ne08 - e11: fourth\n")
    groups = read_sources(path)
    assert groups == {
        **dict.fromkeys(("a1", "b2", "c3"), "first"),
        "d4": "third",
        **dict.fromkeys(("e08", "e09", "e10", "e11"), "fourth"),
    }
    for content, message in (
        ("a1: 0\n", "line 1: found 'a1: 0' of no"),
        ("a9 - a1: x\n", "a range"),
        ("a1 - b2: x", "a range"),
    ):
        path.write_text(content)
        with pytest.raises(DataError, match=message):
            read_sources(path)


@given(damaged(SOURCES.encode()))
@FUZZ
def test_damaged_sources(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    reads_or_says_why(read_sources, tmp_path_factory.mktemp("d") / "sources.txt", content)


CLIPS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abcdefgh")), min_size=8, max_size=60)


@given(CLIPS, st.integers(1, 4))
@FUZZ
def test_folds_hold_whole_groups(clips: list[tuple[int, str]], folds: int) -> None:
    clips = clips + [(0, group) for group in "abcd"]
    labels, groups = zip(*clips, strict=True)
    found = grouped_folds(labels, groups, folds)
    assert set(found.tolist()) == set(range(folds))
    of_group = {
        group: {int(fold) for fold, other in zip(found, groups, strict=True) if other == group} for group in groups
    }
    assert all(len(held) == 1 for held in of_group.values())
    order = np.random.default_rng(len(clips)).permutation(len(clips))
    again = grouped_folds([labels[k] for k in order], [groups[k] for k in order], folds)
    assert again.tolist() == found[order].tolist()  # the order of the clips does not matter


def even(found: Sequence[int], labels: Sequence[int]) -> list[list[int]]:
    return [np.bincount(np.array(labels)[np.array(found) == fold], minlength=2).tolist() for fold in range(5)]


def test_folds_are_balanced() -> None:
    labels = [0] * 50 + [1] * 50
    groups = [f"g{k % 25}" for k in range(100)]
    assert even(grouped_folds(labels, groups, 5).tolist(), labels) == [[10, 10]] * 5
    with pytest.raises(ValueError, match="found 26, expected 1 to 25"):
        grouped_folds(labels, groups, 26)


def test_fights(shared: Path) -> None:
    dataset = Fights(shared / "data" / "fights")
    assert len(dataset) == 200
    assert dataset.groups is not None
    assert "nofi080" in read_sources(shared / "data" / "fights" / "sources.txt")
    assert dataset.without_source == 0
    counts = np.array(even(dataset.fold_of.tolist(), dataset.labels.tolist()))
    assert counts.sum(axis=0).tolist() == [100, 100]
    # 31 clips of no_fight are of one source (a clip is listed under both names of it), which is more than a fifth.
    assert counts[:, 0].min() >= 18
    assert counts[:, 1].min() >= 15
    for group in set(dataset.groups):
        assert len({int(f) for f, other in zip(dataset.fold_of, dataset.groups, strict=True) if other == group}) == 1
