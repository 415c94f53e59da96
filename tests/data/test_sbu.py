"""SBU: packed folds and raw text give the same clips."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.data.damage import FUZZ, damaged, reads_or_says_why

from interplay.data.clips import SkeletonClip
from interplay.data.datasets import SkeletonDataset, open_dataset
from interplay.data.errors import DataError
from interplay.data.sbu import CLASSES, FOLDS, SBU, read_packed_fold, to_metres
from interplay.data.sbu_text import read_skeleton_pos


def joints(frames: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(0.1, 1.9, (frames, 2, 15, 3)).round(5).astype(np.float32)


def write_fold(folder: Path, fold: int, clips: list[NDArray[np.float32]], labels: list[int], length: int = 60) -> None:
    data = np.zeros((len(clips), 3, length, 15, 2), np.float32)
    for index, clip in enumerate(clips):
        data[index, :, : len(clip)] = clip.transpose(3, 0, 2, 1)
    np.save(folder / f"fold{fold}_data.npy", data)
    (folder / f"fold{fold}_label.pkl").write_bytes(pickle.dumps(labels))


def text(clip: NDArray[np.float32], first: int = 100) -> str:
    return "".join(
        f"{first + t}," + ",".join(f"{value:.5f}" for value in frame.ravel()) + "\r\n" for t, frame in enumerate(clip)
    )


def write_raw(folder: Path, pair: str, number: int, take: int, content: str) -> Path:
    path = folder / pair / f"{number:02d}" / f"{take:03d}" / "skeleton_pos.txt"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    return path


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    for fold, count in ((1, 3), (2, 2), (5, 1)):
        write_fold(tmp_path, fold, [joints(10 + i, fold * 10 + i) for i in range(count)], list(range(count)))
    return tmp_path


def test_packed_folds(packed: Path) -> None:
    dataset = open_dataset("sbu", packed, test_fold=2)
    assert isinstance(dataset, SkeletonDataset)
    assert list(dataset.ids) == ["fold1/0000", "fold1/0001", "fold1/0002", "fold2/0000", "fold2/0001", "fold5/0000"]
    clip = dataset.read(1)
    np.testing.assert_array_equal(clip.joints, joints(11, 11))
    assert (clip.layout, clip.frames_per_second, clip.label, clip.meta["fold"]) == ("sbu15", 15.0, 1, 1)
    assert {part: indices.tolist() for part, indices in dataset.parts().items()} == {
        "train": [0, 1, 2, 5],
        "test": [3, 4],
    }
    assert {part: len(indices) for part, indices in SBU(packed, test_fold=None).parts().items()} == {
        "train": 6,
        "test": 6,
    }
    with pytest.raises(DataError, match=r"folds \[1, 2, 5\].*fold 3"):
        SBU(packed, test_fold=3)


def test_fingerprint_follows_the_files(packed: Path) -> None:
    before = SBU(packed).fingerprint()
    assert SBU(packed, test_fold=5).fingerprint() == before
    write_fold(packed, 5, [joints(20)], [3])
    assert SBU(packed).fingerprint() != before


def test_raw_tree_equals_packed(tmp_path: Path) -> None:
    takes = [("s01s02", 1, 1), ("s01s02", 8, 2), ("s03s05", 3, 1)]
    for index, (pair, number, take) in enumerate(takes):
        write_raw(tmp_path / "release" / "clean", pair, number, take, text(joints(12, index)))
    dataset = SBU(tmp_path, test_fold=2)
    assert list(dataset.ids) == ["s01s02/01/001", "s01s02/08/002", "s03s05/03/001"]
    clips = [dataset.read(index) for index in range(3)]
    assert [clip.label for clip in clips] == [0, 7, 2]
    assert [clip.meta["fold"] for clip in clips] == [1, 1, 2]
    (tmp_path / "packed").mkdir()
    write_fold(tmp_path / "packed", 1, [joints(12, index) for index in range(3)], [0, 7, 2])
    for clip, same in zip(clips, read_packed_fold(tmp_path / "packed" / "fold1_data.npy"), strict=True):
        np.testing.assert_array_equal(clip.joints, same)
    assert dataset.parts()["test"].tolist() == [2]
    # Opened deeper in the tree, the ids and labels stay.
    deeper = SBU(tmp_path / "release" / "clean" / "s01s02" / "08", test_fold=1)
    assert (list(deeper.ids), deeper.read(0).label) == (["s01s02/08/002"], 7)


def test_clean_and_noisy_are_not_mixed(tmp_path: Path) -> None:
    write_raw(tmp_path / "SBU_Noisy", "s01s02", 1, 1, text(joints(12)))
    with pytest.raises(DataError, match="found the noisy release, expected the clean one"):
        SBU(tmp_path)
    write_raw(tmp_path / "SBU_Clean", "s01s02", 2, 1, text(joints(12)))
    assert (list(SBU(tmp_path).ids), list(SBU(tmp_path, variant="noisy").ids)) == (["s01s02/02/001"], ["s01s02/01/001"])
    assert SBU(tmp_path).fingerprint() != SBU(tmp_path, variant="noisy").fingerprint()


def test_two_recordings_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "skeleton_pos.txt"
    path.write_text(text(joints(5, 1), first=50) + text(joints(7, 2), first=3))
    dataset = SBU(path)
    assert list(dataset.ids) == ["skeleton_pos#1", "skeleton_pos#2"]
    assert [dataset.read(i).frames for i in range(2)] == [5, 7]
    assert dataset.read(1).label is None
    assert dataset.parts()["test"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no frames"),
        ("1,2,3\n", "line 1: found 3 values"),
        (text(joints(2)).replace("\r\n", ",0\r\n"), "line 1: found 92 values"),
        (text(joints(2)).replace("101,", "nan,"), "line 2.*not finite"),
        (text(joints(2)).replace("101,", "1e99,"), "line 2.*not finite"),
        (text(joints(2)).replace("101,", "1.5,"), "line 2: found frame number 1.5"),
        (text(joints(2)).replace("101,", "x,"), "line 2: found something that is no number"),
        (text(np.zeros((2, 2, 15, 3), np.float32)), "zeros only"),
    ],
)
def test_bad_text(tmp_path: Path, content: str, message: str) -> None:
    path = write_raw(tmp_path, "s01s02", 1, 1, content)
    with pytest.raises(DataError, match=message):
        SBU(tmp_path).read(0)
    with pytest.raises(DataError) as caught:
        read_skeleton_pos(path)
    assert caught.value.file == str(path)


def test_bad_packed_files(packed: Path) -> None:
    data = np.load(packed / "fold1_data.npy")
    data[1, 0, 0, 0, 0] = np.nan
    data[2] = 0
    np.save(packed / "fold1_data.npy", data)
    dataset = SBU(packed)
    dataset.read(0)
    with pytest.raises(DataError, match="clip 1: found a value that is not finite"):
        dataset.read(1)
    with pytest.raises(DataError, match="clip 2: found zeros only"):
        dataset.read(2)
    (packed / "fold2_label.pkl").write_bytes(pickle.dumps([1]))
    with pytest.raises(DataError, match="found 1 labels, expected 2"):
        SBU(packed)
    (packed / "fold2_label.pkl").write_bytes(pickle.dumps([1, 9]))
    with pytest.raises(DataError, match="label 9"):
        SBU(packed).read(4)
    (packed / "fold2_label.pkl").unlink()
    with pytest.raises(DataError, match=r"fold2_label\.pkl"):
        SBU(packed)
    np.save(packed / "fold1_data.npy", data[..., :14, :])
    with pytest.raises(DataError, match="expected float32"):
        SBU(packed)


@FUZZ
@given(st.data())
def test_damaged_files(tmp_path: Path, data: st.DataObject) -> None:
    def read_all(path: Path) -> list[SkeletonClip]:
        dataset = SBU(path if path.suffix == ".txt" else path.parent)
        return [dataset.read(index) for index in range(len(dataset))]

    content = text(joints(3)).encode()
    clips = reads_or_says_why(read_all, tmp_path / "skeleton_pos.txt", data.draw(damaged(content)))
    assert clips is None or all(np.isfinite(clip.joints).all() and clip.frames > 0 for clip in clips)
    write_fold(tmp_path, 3, [joints(2), joints(3)], [0, 7], length=4)
    for name in ("fold3_data.npy", "fold3_label.pkl"):
        whole = (tmp_path / name).read_bytes()
        clips = reads_or_says_why(read_all, tmp_path / name, data.draw(damaged(whole)))
        assert clips is None or all(np.isfinite(clip.joints).all() and clip.frames > 0 for clip in clips)
        (tmp_path / name).write_bytes(whole)


def test_lines_in_disorder_become_recordings_of_their_own(tmp_path: Path) -> None:
    lines = text(joints(6)).splitlines(keepends=True)
    path = tmp_path / "skeleton_pos.txt"
    path.write_text("".join(lines[i] for i in (0, 1, 4, 2, 3, 3, 5)))
    assert [len(clip) for clip, _ in read_skeleton_pos(path)] == [3, 2, 2]


def test_to_metres() -> None:
    values = joints(3)
    values[1, 1] = 0
    metres = to_metres(values)
    assert not metres[1, 1].any()
    x, y, z = values[2, 0, 4].astype(float)
    np.testing.assert_allclose(metres[2, 0, 4], [1.28 - 2.56 * x, 0.96 - 1.92 * y, z * 10 / 7.8125], rtol=1e-5)


def test_every_pair_has_one_fold() -> None:
    pairs = [pair for fold in FOLDS.values() for pair in fold]
    assert len(pairs) == len(set(pairs)) == 21


def test_real_folds(shared: Path) -> None:
    dataset = SBU(shared / "data" / "sbu", test_fold=2)
    clips = [dataset.read(index) for index in range(len(dataset))]
    assert len(clips) == 163
    assert {part: len(indices) for part, indices in dataset.parts().items()} == {"train": 111, "test": 52}
    assert (min(clip.frames for clip in clips), max(clip.frames for clip in clips)) == (10, 46)
    assert {clip.label for clip in clips} == set(range(len(CLASSES)))
    heights = [np.median(np.ptp(to_metres(clip.joints)[..., 1], axis=2)) for clip in clips]
    assert 1.2 < np.median(heights) < 1.8  # metres, head to foot


def test_real_text_is_the_packed_values(shared: Path) -> None:
    """What one can know only by measuring: neither form is scaled or centred against the other."""
    fold = read_packed_fold(shared / "data" / "sbu" / "fold1_data.npy")
    (only,) = read_skeleton_pos(shared / "data" / "sbu_raw" / "skeleton_pos.txt")
    np.testing.assert_array_equal(only[0], fold[0])
    first, second = read_skeleton_pos(shared / "data" / "sbu_raw" / "skeleton_pos_2.txt")
    np.testing.assert_array_equal(first[0], fold[42])
    np.testing.assert_array_equal(second[0], fold[22])
    dataset = SBU(shared / "data" / "sbu_raw")
    assert list(dataset.ids) == ["skeleton_pos", "skeleton_pos_2#1", "skeleton_pos_2#2"]
