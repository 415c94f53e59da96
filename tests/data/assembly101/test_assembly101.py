"""Assembly101: tables, poses, packed arrays, the part without labels."""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged, memory_below, reads_or_says_why

from interplay.data.assembly101 import Assembly101, read_actions, read_pose_json, write_submission
from interplay.data.assembly101.actions import read_head_actions
from interplay.data.assembly101.dataset import fixed_length
from interplay.data.datasets import SkeletonDataset, open_dataset
from interplay.data.errors import DataError
from interplay.errors import InterplayError

# The first two are one (verb, noun) pair: an action cannot be told from it.
ACTIONS = [
    (0, 0, 0, "unscrew track with hand", "unscrew", "track"),
    (1, 0, 0, "unscrew track with screwdriver", "unscrew", "track"),
    (2, 1, 0, "screw track", "screw", "track"),
    (3, 1, 2, "screw wheel", "screw", "wheel"),
]
COLUMNS = ("id", "video", "start_frame", "end_frame", "action_id", "verb_id", "noun_id", "action_cls", "is_shared")


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def row(number: int, video: str, start: int, end: int, action: int, shared: int = 0) -> tuple[object, ...]:
    _, verb, noun, name, _, _ = ACTIONS[action]
    return (f"{number:07d}", video, f"{start:09d}", end, f"{action:04d}", verb, noun, name, shared)


def sequence(frames: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(0, 100, (frames, 2, 21, 3)).round(2).astype(np.float32)


def pose_text(values: np.ndarray[Any, Any]) -> str:
    frames = [
        {
            "landmarks": {str(hand): points.astype(float).round(2).tolist() for hand, points in enumerate(frame)},
            "tracking_confidence": {"0": 0.5, "1": 0.0},
        }
        for frame in values
    ]
    return json.dumps(frames)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "poses_60fps").mkdir()
    (tmp_path / "annotations").mkdir()
    for index, frames in enumerate((300, 90)):
        (tmp_path / "poses_60fps" / f"seq{index}.json").write_text(pose_text(sequence(frames, index)))
    tables = tmp_path / "annotations"
    write_csv(
        tables / "actions.csv",
        ("id", "action_id", "verb_id", "noun_id", "action_cls", "verb_cls", "noun_cls"),
        [(index, *action) for index, action in enumerate(ACTIONS)],
    )
    write_csv(
        tables / "train.csv",
        COLUMNS,
        [row(0, "seq1", 60, 80, 1), row(1, "seq0", 100, 130, 0, 1), row(2, "seq0", 10, 20, 2), row(3, "lost", 1, 2, 0)],
    )
    write_csv(tables / "validation.csv", COLUMNS, [row(0, "seq1", 0, 5, 3)])
    write_csv(
        tables / "test_challenge.csv",
        ("id", "video", "start_frame", "end_frame", "is_shared"),
        [("0000000", "seq0", 5, 9, 1), ("0000001", "lost", 5, 9, 1), ("0000002", "seq1", 50, 60, 0)],
    )
    (tables / "head_actions.txt").write_text("screw wheel\n0\n")
    return tmp_path


def test_segments_of_poses(root: Path) -> None:
    dataset = open_dataset("assembly101", root, length=None)
    assert isinstance(dataset, SkeletonDataset)
    assert isinstance(dataset, Assembly101)
    assert list(dataset.ids) == [
        "train/0000002",
        "train/0000001",
        "train/0000000",
        "validation/0000000",
        "test/0000000",
        "test/0000002",
    ]
    # Margins of 25 frames, cut at the ends of the sequence: [max(0, start − 25), min(end + 26, frames)).
    for index, (which, first, last, label) in enumerate(
        [(0, 0, 46, 2), (0, 75, 156, 0), (1, 35, 90, 1), (1, 0, 31, 3)]
    ):
        clip = dataset.read(index)
        np.testing.assert_array_equal(clip.joints, sequence((300, 90)[which], which)[first:last])
        assert (clip.label, clip.layout, clip.frames_per_second) == (label, "assembly101_hand21", 60)
    assert dataset.read(1).meta["is_shared"] == 1
    assert dataset.missing == {
        "segments of train.csv without poses": 1,
        "segments of validation.csv without poses": 0,
        "segments of test_challenge.csv without poses": 1,
    }
    assert dataset.entity_names == ("left hand", "right hand")


def test_fixed_length_cuts_or_repeats(root: Path) -> None:
    values = sequence(30)
    repeated = fixed_length(values, 200)
    for frame in range(200):
        np.testing.assert_array_equal(repeated[frame], values[frame % 30])
    np.testing.assert_array_equal(fixed_length(values, 7), values[:7])
    clip = Assembly101(root).read(3)
    assert (clip.frames, clip.meta["frames"]) == (200, 31)


def test_parts_and_the_closed_test_set(root: Path) -> None:
    parts = Assembly101(root).parts()
    assert {part: indices.tolist() for part, indices in parts.items()} == {
        "train": [0, 1, 2],
        "validation": [3],
        "test": [3],
    }
    closed = Assembly101(root, benchmark="test")
    assert closed.parts()["test"].tolist() == [4, 5]
    assert [closed.read(index).label for index in (4, 5)] == [None, None]


def test_labels_come_from_the_action_never_from_verb_and_noun(root: Path) -> None:
    table = read_actions(root / "annotations" / "actions.csv")
    assert table.pairs == 3
    assert (table.verbs, table.nouns) == (("unscrew", "screw"), ("track", "", "wheel"))
    assert (table.verb_of.tolist(), table.noun_of.tolist()) == ([0, 0, 1, 1], [0, 0, 0, 2])
    head, tail = read_head_actions(root / "annotations" / "head_actions.txt", table.actions)
    assert (head.tolist(), tail.tolist()) == ([0, 3], [1, 2])


def test_the_release_has_a_row_per_view_at_30_frames_a_second(root: Path) -> None:
    rows = [row(10 + i, f"seq0/C1009{view}_rgb.mp4", 20, 40, 1) for i, view in enumerate((5, 5, 7))]
    rows[1] = row(11, "seq0/C10095_rgb.mp4", 50, 60, 1)
    write_csv(root / "annotations" / "train.csv", COLUMNS, rows)
    dataset = Assembly101(root, length=None)
    assert [name for name in dataset.ids if name.startswith("train")] == ["train/0000010", "train/0000011"]
    np.testing.assert_array_equal(dataset.read(0).joints, sequence(300)[41 - 25 : 81 + 26])


def test_one_bad_row_does_not_stop_the_others(root: Path) -> None:
    bad = [
        row(0, "seq0", 60, 80, 1),
        row(1, "seq0", 80, 60, 1),
        (*row(2, "seq0", 60, 80, 1)[:5], 1, *row(2, "seq0", 60, 80, 1)[6:]),
        (*row(3, "seq0", 60, 80, 1)[:7], "screw wheel", 0),
        (*row(4, "seq0", 60, 80, 1)[:4], 99, 0, 0, "", 0),
        row(0, "seq0", 90, 99, 1),
        row(6, "seq0", 5000, 5010, 1),
    ]
    write_csv(root / "annotations" / "train.csv", COLUMNS, bad)
    dataset = Assembly101(root)
    messages = {}
    for index, name in enumerate(dataset.ids):
        try:
            dataset.read(index)
        except DataError as error:
            messages[name] = str(error)
    expected = {
        "train/0000001": "line 3: found end frame 60 before start frame 80",
        "train/0000002": "line 4: found verb_id 1, expected 0",
        "train/0000003": "line 5: found action 'screw wheel'",
        "train/0000004": "line 6: found action_id 99",
        "train/0000000~line7": "line 7: found the id 0000000 again",
        "train/0000006": "found 300 frames, expected frame 5000",
    }
    assert set(messages) == set(expected)
    for name, message in expected.items():
        assert message in messages[name]


def test_packed_arrays(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "packed"
    folder.mkdir()
    actions = root / "annotations" / "actions.csv"
    poses = np.random.default_rng(0).normal(size=(3, 3, 12, 21, 2)).astype(np.float32)
    names = ["tr5_a1_v0_n0_len8_x_y.pkl", "validation7_a3_v1_n2_len500_z.pkl", "te9_a0_v0_n0_len12.pkl"]
    np.save(folder / "train_data_joint_12.npy", poses)
    (folder / "train_label.pkl").write_bytes(pickle.dumps((names, [1, 3, 0])))
    np.savez(tmp_path / "same.npz", poses=poses, names=names)
    for place in (folder, tmp_path / "same.npz"):
        dataset = Assembly101(place, length=None, actions=actions)
        assert list(dataset.ids) == ["tr5", "va7", "te9"]
        assert [dataset.read(i).label for i in range(3)] == [1, 3, 0]
        assert [dataset.read(i).frames for i in range(3)] == [8, 12, 12]
        np.testing.assert_array_equal(dataset.read(0).joints, poses[0, :, :8].transpose(1, 3, 2, 0))
        assert dataset.parts()["test"].tolist() == [1]
    assert Assembly101(folder, actions=actions).read(0).frames == 200
    np.savez(tmp_path / "bad.npz", poses=poses, names=["x", *names[1:]])
    with pytest.raises(DataError, match="clip 0: found the name 'x'"):
        Assembly101(tmp_path / "bad.npz", actions=actions)
    np.savez(tmp_path / "bad.npz", poses=poses, names=[names[0], *names[:2]])
    with pytest.raises(DataError, match="the same id"):
        Assembly101(tmp_path / "bad.npz", actions=actions)


def test_what_is_missing_is_said(tmp_path: Path, root: Path) -> None:
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    with pytest.raises(DataError, match=r"found no actions\.csv"):
        Assembly101(tmp_path / "empty" / "deep")
    for path in (root / "poses_60fps").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="no poses for any of 8 segments"):
        Assembly101(root)
    for keys in ({"benchmark": "tests"}, {"source": "x"}, {"length": 0}):
        with pytest.raises(ValueError, match="must"):
            Assembly101(root, **keys)  # type: ignore[arg-type]


def test_submission(root: Path, tmp_path: Path) -> None:
    table = read_actions(root / "annotations" / "actions.csv")
    file = root / "annotations" / "test_challenge.csv"
    scores = np.array([[0, 0, 5, 1], [0, 3, 0, 0]], np.float32)
    path = write_submission(tmp_path / "out", file, table, ["test/0000002", "test/0000000"], scores)
    assert json.loads(path.read_text()) == {
        "0000000": {"action": 1, "verb": 0, "noun": 0},
        "0000001": {"action": 0, "verb": 0, "noun": 0},
        "0000002": {"action": 2, "verb": 1, "noun": 0},
    }
    assert np.load(path.with_name("preds.npy")).tolist() == [1, 0, 2]
    np.testing.assert_array_equal(np.load(path.with_name("scores.npy"))[[2, 0]], scores)
    with pytest.raises(InterplayError, match="no segment 'test/9'"):
        write_submission(tmp_path, file, table, ["test/9"], scores[:1])
    with pytest.raises(ValueError, match=r"must be \(1, 4\)"):
        write_submission(tmp_path, file, table, ["test/0000000"], scores)


def test_a_hand_may_be_absent_and_numbers_may_cross_chunks(tmp_path: Path) -> None:
    values = sequence(1500)
    values[3, 1] = 0
    frames = json.loads(pose_text(values))
    del frames[3]["landmarks"]["1"]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(frames, indent=2))
    assert path.stat().st_size > 3 * 2**20  # chunks of the reader
    with memory_below(12):
        read = read_pose_json(path)
    np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "end of the file"),
        ("[", "end of the file"),
        ("[]", "no frames"),
        ("{}", "a JSON list"),
        ("[3]", "frame 0: found int"),
        ('[{"landmarks": 3}]', "'landmarks'"),
        ('[{"landmarks": {"0": [[1, 2, 3]]}}]', "frame 0, hand 0"),
        ('[{"landmarks": {"0": "x"}}]', "frame 0, hand 0"),
        ('[{"landmarks": {}}, {"land', "frame 1: found broken JSON"),
        ("[" * 100_000, "broken JSON"),
        ('[{"landmarks": {"0": ' + "1" * 5000 + "}}]", "broken JSON"),
        ('[{"landmarks": {"0": ' + "1" * 400 + "}}]", "frame 0, hand 0"),
    ],
)
def test_bad_poses(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_pose_json(tmp_path / "a.json")


def test_an_endless_frame_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"landmarks": "' + "x" * 20_000_000 + '"}]')
    with memory_below(16), pytest.raises(DataError, match="broken JSON"):
        read_pose_json(tmp_path / "a.json")


@FUZZ
@given(st.data())
def test_damaged_poses_and_tables(tmp_path: Path, data: st.DataObject) -> None:
    content = data.draw(damaged(pose_text(sequence(2)).encode()))
    result = reads_or_says_why(read_pose_json, tmp_path / "a.json", content)
    assert result is None or result.shape[1:] == (2, 21, 3)
    rows = [(index, *action) for index, action in enumerate(ACTIONS)]
    header = ("id", "action_id", "verb_id", "noun_id", "action_cls", "verb_cls", "noun_cls")
    write_csv(tmp_path / "actions.csv", header, rows)
    table = (tmp_path / "actions.csv").read_bytes()
    reads_or_says_why(read_actions, tmp_path / "actions.csv", data.draw(damaged(table)))
    (tmp_path / "actions.csv").write_bytes(table)
    (tmp_path / "seq0.json").write_text(pose_text(sequence(3)))
    write_csv(tmp_path / "train.csv", COLUMNS, [row(0, "seq0", 0, 1, 1), row(1, "seq0", 1, 2, 0)])

    def read_all(path: Path) -> list[int]:
        dataset = Assembly101(path.parent, length=9)
        return [dataset.read(index).frames for index in range(len(dataset))]

    assert reads_or_says_why(
        read_all, tmp_path / "train.csv", data.draw(damaged((tmp_path / "train.csv").read_bytes()))
    ) in (None, [9], [9, 9])


def test_real_table_and_fragment(shared: Path) -> None:
    dataset = Assembly101(shared / "data" / "assembly101", length=None)
    assert dataset.facts == {"actions": 1380, "verbs": 24, "nouns": 90, "verb-noun pairs": 1198}
    clips = [dataset.read(index) for index in range(len(dataset))]
    assert [clip.label for clip in clips] == [1, 89, 2, 25, 25]
    assert [clip.frames for clip in clips] == [105, 200, 106, 73, 86]
    names = ["rotate partial toy", "position rear base", "put down screw", "tilt down partial toy"]
    assert [dataset.classes[clip.label] for clip in clips if clip.label is not None][:4] == names
    # Hand 0 is the left one: fingers curl to the palm's side, which is mirrored between the hands.
    for clip in clips:
        palm = np.cross(clip.joints[:, :, 8] - clip.joints[:, :, 5], clip.joints[:, :, 17] - clip.joints[:, :, 5])
        curl = np.einsum("tmc,tmc->tm", palm, clip.joints[:, :, 2] - clip.joints[:, :, 11])
        assert (np.sign(curl).mean(axis=0) * [-1, 1] > 0.8).all()
