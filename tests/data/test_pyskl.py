"""PYSKL's annotation pickles."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged, memory_below

from interplay.data.cache import prepare
from interplay.data.datasets import SkeletonDataset, open_dataset
from interplay.data.errors import DataError
from interplay.data.ntu import names
from interplay.data.pyskl import PYSKL

EXCERPT = Path(__file__).parents[1] / "golden" / "excerpt" / "ntu_synthetic.npz"


def annotation(name: str, people: int = 2, frames: int = 6, label: int | None = None, **more: Any) -> dict[str, Any]:
    draw = np.random.default_rng(len(name) + people)
    return {
        "frame_dir": name,
        "label": int(name[-3:]) - 1 if label is None else label,
        "total_frames": frames,
        "keypoint": draw.normal(size=(people, frames, 25, 3)).astype(np.float16),
        **more,
    }


NTU = [
    annotation("S001C001P001R001A050"),
    annotation("S001C002P003R001A058", people=1),
    annotation("S001C003P002R001A001", people=1),
    annotation("S001C003P002R001A060", frames=9),
]
SPLIT = {
    "xsub_train": ["S001C001P001R001A050", "S001C003P002R001A001", "S001C003P002R001A060"],
    "xsub_val": ["S001C002P003R001A058", "S999C001P001R001A050"],
    "xview_train": ["S001C002P003R001A058"],
    "xview_val": ["S001C001P001R001A050"],
}


def write(path: Path, annotations: Any = NTU, split: Any = SPLIT, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps({"split": split, "annotations": annotations}, protocol))
    return path


def test_ntu_interactions(tmp_path: Path) -> None:
    dataset = open_dataset("pyskl", write(tmp_path / "ntu60_3danno.pkl"))
    assert isinstance(dataset, SkeletonDataset)
    assert list(dataset.ids) == ["S001C001P001R001A050", "S001C002P003R001A058", "S001C003P002R001A060"]
    assert dataset.classes == tuple(names.ACTIONS[action - 1] for action in names.INTERACTIONS_60)
    assert {part: chosen.tolist() for part, chosen in dataset.parts().items()} == {"train": [0, 2], "test": [1]}
    clip = dataset.read(2)
    assert (clip.label, clip.frames, clip.frames_per_second, clip.layout) == (10, 9, 30.0, "ntu25")
    assert clip.meta == {"people": 2, "setup": 1, "camera": 3, "subject": 2, "replication": 1, "action": 60}
    by_view = PYSKL(tmp_path, benchmark="xview")
    assert {part: chosen.tolist() for part, chosen in by_view.parts().items()} == {"train": [1], "test": [0]}


def test_axes_and_translation(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pkl")
    keypoint = NTU[0]["keypoint"].astype(np.float32)
    assert np.array_equal(PYSKL(path, translated=False).read(0).joints, keypoint.transpose(1, 0, 2, 3))
    moved = PYSKL(path).read(0).joints
    np.testing.assert_array_equal(moved, (keypoint - keypoint[0, 0, 1]).transpose(1, 0, 2, 3))
    alone = PYSKL(path).read(1).joints
    assert not alone[:, 1].any()
    copied = PYSKL(path, single_actor="duplicate").read(1).joints
    assert np.array_equal(copied[:, 0], copied[:, 1])


def test_same_clips_as_from_the_raw_text(tmp_path: Path) -> None:
    """What the raw reader makes of a recording is what it makes of the denoised bodies in such a file."""
    with np.load(EXCERPT) as archive:
        values = {key: archive[key] for key in archive.files}
    annotations = []
    for name in map(str, values["names"]):
        people = values[f"{name}/denoised"].reshape(len(values[f"{name}/denoised"]), -1, 25, 3).transpose(1, 0, 2, 3)
        annotations.append(annotation(name, frames=people.shape[1]) | {"keypoint": people})
    path = write(tmp_path / "a.pkl", annotations, {"xsub_train": [], "xsub_val": values["names"].tolist()})
    for index, name in enumerate(map(str, values["names"])):
        joints = PYSKL(path).read(index).joints.reshape(-1, 150)
        assert np.array_equal(joints, values["aligned_ntu60"][index, : len(joints)]), name
        duplicated = PYSKL(path, single_actor="duplicate").read(index).joints.reshape(-1, 150)
        assert np.array_equal(duplicated, values["aligned_ntu120"][index, : len(joints)]), name


def test_class_lists(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pkl")
    dataset = PYSKL(path, actions=[60, 1])
    assert dataset.classes == ("walking apart from each other", "drink water")
    assert [dataset.read(index).label for index in range(2)] == [1, 0]
    write(path, [*NTU, annotation("S018C001P045R001A120")])
    assert len(PYSKL(path).classes) == 26


def pixels(name: str, people: int, label: int) -> dict[str, Any]:
    draw = np.random.default_rng(people)
    keypoint = draw.uniform(0, 1000, (people, 4, 17, 2)).astype(np.float32)
    score = draw.uniform(0, 1, (people, 4, 17)).astype(np.float16)
    return {"frame_dir": name, "label": label, "total_frames": 4, "keypoint": keypoint, "keypoint_score": score}


@pytest.mark.parametrize(
    ("split", "benchmark"),
    [
        ({"train": ["a"], "val": ["b", "c"]}, ""),
        ({"train": ["a"], "test": ["b", "c"]}, ""),
        ({"train1": ["a"], "test1": ["b", "c"]}, "1"),
        ({"sub1_train": ["a"], "sub1_test": ["b", "c"]}, "sub1"),
    ],
)
def test_pixels_of_coco_joints(tmp_path: Path, split: Any, benchmark: str) -> None:
    annotations = [pixels("a", 2, 4), pixels("b", 1, 0), pixels("c", 3, 2)]
    dataset = PYSKL(write(tmp_path / "gym.pkl", annotations, split), benchmark=benchmark)
    assert dataset.layout.name == "coco17"
    assert dataset.classes == ("0", "1", "2", "3", "4")
    assert dataset.frames_per_second is None
    assert PYSKL(tmp_path / "gym.pkl", benchmark=benchmark, frames_per_second=25).read(0).frames_per_second == 25
    assert {part: chosen.tolist() for part, chosen in dataset.parts().items()} == {"train": [0], "test": [1, 2]}
    clip = dataset.read(0)
    assert np.array_equal(clip.joints[..., :2], annotations[0]["keypoint"].transpose(1, 0, 2, 3))
    assert not clip.joints[..., 2].any()
    assert clip.meta["confidence"] == pytest.approx(annotations[0]["keypoint_score"].astype(float).mean())


def test_of_three_people_the_two_who_move_most_stay_in_order(tmp_path: Path) -> None:
    crowd = pixels("c", 3, 0)
    crowd["keypoint"][0] = crowd["keypoint"][0] * 0.5
    crowd["keypoint"][1] = 500.0
    dataset = PYSKL(write(tmp_path / "a.pkl", [crowd], {"train": ["c"], "val": []}), benchmark="")
    clip = dataset.read(0)
    assert clip.meta["people"] == 3
    assert np.array_equal(clip.joints[:, 0, :, :2], crowd["keypoint"][0])
    assert np.array_equal(clip.joints[:, 1, :, :2], crowd["keypoint"][2])


def test_arrays_stay_in_the_file(tmp_path: Path) -> None:
    many = [annotation(f"S001C001P{number:03d}R001A050", frames=300) for number in range(1, 100)]
    path = write(tmp_path / "a.pkl", many, {"xsub_train": [], "xsub_val": []})
    del many
    assert path.stat().st_size > 8e6
    with memory_below(3):
        dataset = PYSKL(path)
        assert dataset.read(50).frames == 300


def test_prepared_with_workers(tmp_path: Path) -> None:
    dataset = PYSKL(write(tmp_path / "a.pkl"))
    cache = prepare(dataset, tmp_path / "cache", dtype="float32", workers=2)
    for index in range(len(dataset)):
        assert np.array_equal(cache.clip(index).joints, dataset.read(index).joints)


def test_fingerprint(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pkl")
    first = PYSKL(path).fingerprint()
    assert PYSKL(path, benchmark="xview").fingerprint() == first
    assert PYSKL(path, single_actor="duplicate").fingerprint() != first
    assert PYSKL(path, translated=False).fingerprint() != first
    assert PYSKL(path, actions=[50]).fingerprint() != first
    write(path, NTU[:2])
    assert PYSKL(path).fingerprint() != first


BAD_FILES: dict[str, Any] = {
    "a list": [1, 2],
    "no split": {"annotations": NTU},
    "split of text": {"split": "xsub", "annotations": NTU},
    "parts of text": {"split": {"xsub_train": "S001"}, "annotations": NTU},
    "no annotations": {"split": SPLIT, "annotations": []},
    "annotations of numbers": {"split": SPLIT, "annotations": [1]},
    "no name": {"split": SPLIT, "annotations": [{"label": 49}]},
    "no label": {"split": SPLIT, "annotations": [{"frame_dir": "S001C001P001R001A050"}]},
    "negative label": {"split": SPLIT, "annotations": [annotation("S001C001P001R001A050", label=-1)]},
    "absurd label": {"split": SPLIT, "annotations": [annotation("S001C001P001R001A050", label=10**30)]},
    "name twice": {"split": SPLIT, "annotations": [NTU[0], NTU[0]]},
    "other split": {"split": {"xset_train": [], "xset_val": []}, "annotations": NTU},
    "no test part": {"split": {"xsub_train": []}, "annotations": NTU},
    "no interactions": {"split": SPLIT, "annotations": [NTU[2]]},
    "other joints": {"split": SPLIT, "annotations": [NTU[0] | {"keypoint": np.zeros((1, 6, 18, 3))}]},
    "no keypoint": {"split": SPLIT, "annotations": [{"frame_dir": "S001C001P001R001A050", "label": 49}]},
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_of_another_form_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(BAD_FILES[name]))
    with pytest.raises(DataError, match=r"a\.pkl: "):
        PYSKL(tmp_path / "a.pkl")


BAD_CLIPS: dict[str, dict[str, Any]] = {
    "keypoint": {"keypoint": np.zeros((2, 6, 25, 3), np.float16)},
    "shape": {"keypoint": np.zeros((2, 6, 17, 2), np.float16)},
    "nobody": {"keypoint": np.zeros((0, 6, 25, 3), np.float16)},
    "no frames": {"keypoint": np.zeros((2, 0, 25, 3), np.float16), "total_frames": 0},
    "nan": {"keypoint": np.full((2, 6, 25, 3), np.nan, np.float16)},
    "too large": {"keypoint": np.full((2, 6, 25, 3), 1e300)},
    "text": {"keypoint": np.full((2, 6, 25, 3), "a")},
    "a list": {"keypoint": [[1, 2]]},
    "length": {"total_frames": 7},
    "length of text": {"total_frames": "6"},
}


@pytest.mark.parametrize("name", BAD_CLIPS)
def test_bad_clips_are_refused_when_read(tmp_path: Path, name: str) -> None:
    bad = annotation("S001C001P002R001A050") | BAD_CLIPS[name]
    dataset = PYSKL(write(tmp_path / "a.pkl", [*NTU, bad]))
    with pytest.raises(DataError, match=r"annotation 4 \(S001C001P002R001A050\)"):
        dataset.read(len(dataset) - 1)


def test_arguments(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pkl")
    with pytest.raises(ValueError, match="zeros or duplicate"):
        PYSKL(path, single_actor="copy")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="actions"):
        PYSKL(path, actions=[0])
    with pytest.raises(ValueError, match="positive rate"):
        PYSKL(path, frames_per_second=0)
    with pytest.raises(DataError, match=r"found xsub_train, .*expected xset_train and xset_val"):
        PYSKL(path, benchmark="xset")
    with pytest.raises(DataError, match="no such file"):
        PYSKL(tmp_path / "none.pkl")


@FUZZ
@given(st.data(), st.sampled_from([2, 4, 5]))
def test_any_damage_gives_clips_or_a_data_error(tmp_path: Path, data: st.DataObject, protocol: int) -> None:
    path = write(tmp_path / "a.pkl", [annotation("S001C001P001R001A050", people=1, frames=1)], SPLIT, protocol)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    with memory_below(30), contextlib.suppress(DataError):
        dataset = PYSKL(path)
        for index in range(len(dataset)):
            assert dataset.read(index).joints.shape[1:] == (2, 25, 3)
