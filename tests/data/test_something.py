"""Something-Something: labels in their order, both forms of lists, left and right, boxes, submissions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from tests.data.damage import FUZZ, damaged, reads_or_says_why
from tests.data.video_clips import write_frames

from interplay.data.datasets import open_videos
from interplay.data.errors import DataError
from interplay.data.something import SomethingV1, SomethingV2
from interplay.data.something_labels import PartReader, direction_classes, read_labels_v1, read_labels_v2
from interplay.data.something_submission import write_submission
from interplay.data.video_table import box_kinds, missing_videos
from interplay.data.videos import VideoDataset
from interplay.errors import InterplayError

LABELS = ("Throwing something", "Pushing something from left to right", "Approaching something with your camera")
OUT = "Plugging something into something but pulling it right out as you remove your hand"


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    root = tmp_path / "v1"
    root.mkdir()
    (root / "something-something-v1-labels.csv").write_text("".join(f"{label}\n" for label in LABELS))
    (root / "something-something-v1-train.csv").write_text(f"11;{LABELS[2]}\n12;{LABELS[0]}\n")
    (root / "something-something-v1-validation.txt").write_text("21 4 1\nsome/where/22 5 0\n")
    (root / "something-something-v1-test.csv").write_text("31\n32\n33\n")
    for id, frames in ((11, 3), (12, 3), (21, 4), (31, 2)):
        write_frames(root / "20bn-something-something-v1" / str(id), frames, "{:05d}.jpg")
    return root


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    root = tmp_path / "v2"
    root.mkdir()
    numbers = {LABELS[0]: "2", LABELS[1]: "0", LABELS[2]: "1"}
    (root / "something-something-v2-labels.json").write_text(json.dumps(numbers))
    clips = [
        {"id": "1", "label": "throwing a cup", "template": "Throwing [something]", "placeholders": ["a cup"]},
        {"id": "2", "label": "x", "template": "Pushing [something] from left to right", "placeholders": ["x"]},
    ]
    (root / "something-something-v2-train.json").write_text(json.dumps(clips[:1]))
    (root / "something-something-v2-validation.json").write_text(json.dumps(clips[1:]))
    (root / "something-something-v2-test.json").write_text(json.dumps([{"id": "9"}]))
    for id in (1, 2):
        write_frames(root / "frames" / str(id), 3, "{:06d}.jpg")
    return root


def test_v1(v1: Path) -> None:
    dataset = open_videos("something_v1", v1)
    assert isinstance(dataset, VideoDataset)
    assert dataset.classes == LABELS  # the rows of the file, not sorted
    assert dataset.unflippable == {1}
    assert dataset.ids == ["11", "12", "21", "22", "31", "32", "33"]
    assert dataset.labels.tolist() == [2, 0, 1, 0, -1, -1, -1]
    parts = {part: chosen.tolist() for part, chosen in dataset.parts().items()}
    assert parts == {"train": [0, 1], "validation": [2, 3], "test": [2, 3], "withheld": [4, 5, 6]}
    clip = dataset.read(2)
    assert (clip.id, clip.label, clip.source.frame_count, clip.source.frames_per_second) == ("21", 1, 4, 12.0)
    assert clip.meta == {"template": LABELS[1], "listed_frames": 4}
    assert clip.proposals is None
    missing = missing_videos(dataset)
    assert [index for index, _ in missing] == [3, 5, 6]
    with pytest.raises(DataError, match=r"clip 22: found no video, expected some/where/22"):
        dataset.read(3)
    videos = dataset.videos_fingerprint()
    assert SomethingV1(v1).videos_fingerprint() == videos
    folder = v1 / "20bn-something-something-v1"
    write_frames(folder / "some" / "where" / "22", 2)
    assert dataset.videos_fingerprint() != videos
    assert [index for index, _ in missing_videos(dataset)] == [5, 6]
    before = dataset.fingerprint()
    assert SomethingV1(v1).fingerprint() == before
    with (v1 / "something-something-v1-train.csv").open("a") as file:
        file.write(f"13;{LABELS[0]}\n")
    assert SomethingV1(v1).fingerprint() != before


def test_v2(v2: Path, tmp_path: Path) -> None:
    boxes = {"1": [{"name": "1/0001.jpg", "labels": [{"box2d": {"x1": 0, "y1": 0, "x2": 160, "y2": 240}}]}]}
    (v2 / "boxes.json").write_text(json.dumps(boxes))
    dataset = SomethingV2(v2, boxes="boxes.json")
    assert dataset.classes == (LABELS[1], LABELS[2], LABELS[0])
    assert dataset.labels.tolist() == [2, 0, -1]
    assert dataset.read(0).meta == {"template": LABELS[0], "placeholders": ("a cup",)}
    assert dataset.proposals_kind == "annotated"
    proposals = dataset.read(0).proposals
    assert proposals is not None
    assert proposals.at([0, 2], 1).tolist() == [[[0, 0, 0.5, 1]]] * 2  # 240 pixels high when it was annotated
    assert dataset.read(1).proposals is None
    assert box_kinds(dataset, range(3)) == {"annotated": 1, "none": 2}
    (v2 / "own.txt").write_text("2 3 0\n")
    listed = SomethingV2(v2, validation="own.txt", videos=v2 / "frames")
    assert {part: len(chosen) for part, chosen in listed.parts().items()}["validation"] == 1
    assert listed.read(1).label == 0
    with pytest.raises(ValueError, match="one of them"):
        SomethingV2(v2, boxes="boxes.json", proposals="x")
    with pytest.raises(DataError, match="no such file"):
        SomethingV2(v2, boxes="none.json")


def test_lines_that_are_wrong_are_said_one_by_one(v1: Path) -> None:
    path = v1 / "something-something-v1-train.csv"
    path.write_text(f"11;{LABELS[2]}\n12;Juggling\n13 3 9\n;{LABELS[0]}\n14;{LABELS[0]}\n")
    dataset = SomethingV1(v1)
    assert dataset.parts()["train"].tolist() == [0, 1, 2, 3, 4]
    assert dataset.read(0).label == 2
    for index, message in ((1, "line 2: found the label 'Juggling'"), (2, "line 3: found class 9"), (3, "the id ''")):
        with pytest.raises(DataError, match=message):
            dataset.read(index)
    assert dataset.facts["lines of the lists that are wrong"] == 3
    path.write_text(f"11;{LABELS[2]}\n11;{LABELS[2]}\n")
    with pytest.raises(DataError, match="its id twice"):
        SomethingV1(v1)


def test_files_that_are_missing_or_of_another_kind(v1: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        SomethingV1(tmp_path / "none")
    with pytest.raises(DataError, match="no file of labels"):
        SomethingV2(v1)
    (v1 / "other-labels.csv").write_text("a\n")
    with pytest.raises(DataError, match="2 files for"):
        SomethingV1(v1)
    assert SomethingV1(v1, labels="something-something-v1-labels.csv").classes == LABELS
    (v1 / "other-labels.csv").unlink()
    for file in v1.glob("*-t*"):
        file.unlink()
    (v1 / "something-something-v1-validation.txt").unlink()
    with pytest.raises(DataError, match="no list of clips"):
        SomethingV1(v1)
    for content, message in (("a\nb\na\n", "twice"), ("\n\n", "no labels")):
        (tmp_path / "labels.csv").write_text(content)
        with pytest.raises(DataError, match=message):
            read_labels_v1(tmp_path / "labels.csv")
    for value in ([], {"a": "1", "b": "1"}, {"a": "5"}, {"a": None}, {"a": "-1"}, {}):
        (tmp_path / "labels.json").write_text(json.dumps(value))
        with pytest.raises(DataError):
            read_labels_v2(tmp_path / "labels.json")


def test_left_and_right() -> None:
    assert direction_classes([*LABELS, OUT, "Turning the camera Left", "Righting", "Leftover"]) == {1, 4}


def test_official_labels(shared: Path) -> None:
    root = shared / "data" / "something"
    v1 = read_labels_v1(root / "v1" / "something-something-v1-labels.csv")
    assert len(v1) == 174
    # The rows of the paper's class numbers (specification §9): camera motions, and what moves, is thrown or falls.
    assert {row: v1[row] for row in (2, 4, 6, 8, 12, 15, 26, 29, 30, 41)} == {
        2: "Turning the camera left while filming something",
        4: "Turning the camera right while filming something",
        6: "Approaching something with your camera",
        8: "Pushing something so that it almost falls off but doesn't",
        12: "Moving away from something with your camera",
        15: "Turning the camera upwards while filming something",
        26: "Moving something towards the camera",
        29: "Throwing something",
        30: "Pushing something from left to right",
        41: "Pushing something from right to left",
    }
    assert direction_classes(v1) == {2, 4, 30, 41, 52, 66}
    one, two = SomethingV1(root / "v1"), SomethingV2(root / "v2")
    assert (one.unflippable, two.unflippable) == ({2, 4, 30, 41, 52, 66}, {86, 87, 93, 94, 166, 167})
    assert [len(dataset.parts()["test"]) for dataset in (one, two)] == [11_522, 24_777]
    assert OUT in v1
    assert v1.index(OUT) == 104
    assert two.classes.index(OUT) == 50
    assert two.classes[:2] == ("Approaching something with your camera", "Attaching something to something")


def test_sorted_labels_are_refused(shared: Path, tmp_path: Path) -> None:
    root = shared / "data" / "something" / "v1"
    labels = read_labels_v1(root / "something-something-v1-labels.csv")
    (tmp_path / "labels.csv").write_text("".join(f"{label}\n" for label in sorted(labels)))
    with pytest.raises(DataError, match="found left and right in the classes 86, 87, 93, 94, 166, 167"):
        SomethingV1(root, labels=tmp_path / "labels.csv")


def test_real_clips(shared: Path) -> None:
    root = shared / "data" / "something" / "v2"
    dataset = SomethingV2(root, validation="clips.txt", boxes="boxes.json")
    assert len(dataset) == 8
    assert dataset.labels.tolist() == [79, 99, 68, 100, 45, 32, 129, 10]
    shorter = 0
    for index in range(8):
        clip = dataset.read(index)
        assert clip.source.frame_count == clip.meta["listed_frames"]
        assert clip.source.read([clip.source.frame_count - 1]).shape == (1, clip.source.height, clip.source.width, 3)
        assert clip.proposals is not None
        boxes = clip.proposals.at(range(clip.source.frame_count), 2)
        assert (boxes[..., 2:] >= boxes[..., :2]).all()
        assert (boxes[:, 0] != [0, 0, 1, 1]).any()
        shorter += clip.proposals.rows < clip.source.frame_count
    assert shorter == 2


@given(damaged(b"11;Throwing something\n12 3 1\n[13];x\n"))
@FUZZ
def test_damaged_lists(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    reader, path = PartReader(LABELS), tmp_path_factory.mktemp("d")
    found = reads_or_says_why(lambda path: reader.read(path, "train", True), path / "a.csv", content)
    assert found is None or all(entry.error is not None or 0 <= entry.label < 3 for entry in found)


@given(damaged(b'[{"id": "1", "template": "Throwing [something]", "placeholders": ["a"]}, {"id": 2, "label": "x"}]'))
@FUZZ
def test_damaged_json_lists(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    reader, path = PartReader(LABELS), tmp_path_factory.mktemp("d")
    found = reads_or_says_why(lambda path: reader.read(path, "train", True), path / "a.json", content)
    assert found is None or all(entry.error is not None or 0 <= entry.label < 3 for entry in found)


def test_submission(v1: Path, tmp_path: Path) -> None:
    dataset = SomethingV1(v1)
    scores = np.array([[0.1, 0.7, 0.2], [0.5, 0.5, 0.6]])
    path = write_submission(tmp_path / "out", dataset, ["33", "31"], scores)
    assert path.read_text().splitlines() == [
        ";".join(["31", LABELS[2], LABELS[0], LABELS[1]]),
        ";".join(["32", *LABELS]),  # no scores
        ";".join(["33", LABELS[1], LABELS[2], LABELS[0]]),
    ]
    assert np.load(tmp_path / "out" / "scores.npy").tolist()[1] == [0, 0, 0]
    with pytest.raises(InterplayError, match="no test clip '11'"):
        write_submission(tmp_path, dataset, ["11"], scores[:1])
    with pytest.raises(ValueError, match="expected \\(1, 3\\)"):
        write_submission(tmp_path, dataset, ["31"], scores)
    with pytest.raises(ValueError, match="NaN"):
        write_submission(tmp_path, dataset, ["31"], scores[:1] * np.nan)
    (v1 / "something-something-v1-test.csv").unlink()
    with pytest.raises(InterplayError, match="no list of test clips"):
        write_submission(tmp_path, SomethingV1(v1), [], np.zeros((0, 3)))
