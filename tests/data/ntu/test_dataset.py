"""Trees of raw recordings as data sets."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tests.data.ntu.ntu_text import write_text

from interplay.data.datasets import SkeletonDataset, open_dataset
from interplay.data.errors import DataError
from interplay.data.ntu import names
from interplay.data.ntu.dataset import NTU60, NTU120, NTUTree, read_recording


def make(folder: Path, name: str, people: int = 2, frames: int = 15) -> Path:
    draw = np.random.default_rng(len(name) + people)
    shapes = draw.uniform(-0.5, 0.5, (people, 25, 3)) * [0.4, 1.7, 0.3] + [0, 0, 3]
    shapes[:, 0, 1], shapes[:, 3, 1] = -0.9, 0.9
    text = [[(f"720{k}", shapes[k] + [0.02 * frame * k, 0, 0]) for k in range(people)] for frame in range(frames)]
    path = folder / f"{name}.skeleton"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(write_text(text))
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "nturgb+d_skeletons"
    make(root, "S001C001P001R001A050")
    make(root, "S001C002P003R001A058")
    make(root / "deeper", "S002C003P002R002A060", people=1)
    make(root, "S001C001P001R001A001", people=1)
    make(root, "S018C001P045R001A112")
    make(root, "S001C003P002R001A055")  # on the list of missing skeletons
    (root / "notes.txt").write_text("not a recording")
    return root


def test_ntu60_takes_its_interactions(tree: Path) -> None:
    dataset = open_dataset("ntu60", tree)
    assert isinstance(dataset, SkeletonDataset)
    assert list(dataset.ids) == ["S001C001P001R001A050", "S001C002P003R001A058", "S002C003P002R002A060"]
    assert dataset.classes == tuple(names.ACTIONS[action - 1] for action in range(50, 61))
    clip = dataset.read(1)
    assert clip.label == dataset.classes.index("handshaking") == 8
    assert clip.joints.shape == (15, 2, 25, 3)
    assert (clip.layout, clip.frames_per_second) == ("ntu25", 30.0)
    assert clip.meta == {"setup": 1, "camera": 2, "subject": 3, "replication": 1, "action": 58, "actors": 2}
    assert {part: chosen.tolist() for part, chosen in dataset.parts().items()} == {"train": [0, 2], "test": [1]}
    by_view = NTU60(tree, benchmark="xview")
    assert {part: chosen.tolist() for part, chosen in by_view.parts().items()} == {"train": [1, 2], "test": [0]}


def test_ntu120_takes_all_setups_and_26_classes(tree: Path) -> None:
    dataset = NTU120(tree, benchmark="xset")
    assert len(dataset.classes) == 26
    assert [dataset.read(index).label for index in range(len(dataset))] == [0, 8, 10, 17]
    assert dataset.parts()["train"].tolist() == [2, 3]
    assert dataset.parts()["test"].tolist() == [0, 1]
    assert NTU120(tree).parts()["train"].tolist() == [0, 2, 3]


def test_absent_second_actor_by_data_set(tree: Path) -> None:
    zeros, copy = NTU60(tree).read(2), NTU120(tree).read(2)
    assert zeros.meta["actors"] == copy.meta["actors"] == 1
    assert not zeros.joints[:, 1].any()
    assert np.array_equal(copy.joints[:, 0], copy.joints[:, 1])
    assert np.array_equal(NTU60(tree, single_actor="duplicate").read(2).joints, copy.joints)


def test_any_class_list_in_the_order_given(tree: Path) -> None:
    dataset = NTU60(tree, actions=[58, 1])
    assert dataset.classes == ("handshaking", "drink water")
    assert [dataset.read(index).label for index in range(len(dataset))] == [1, 0]


def test_any_tree(tree: Path) -> None:
    make(tree, "my recording")
    dataset = NTUTree(tree)
    assert len(dataset) == 7
    assert dataset.actions == (1, 50, 55, 58, 60, 112)
    labels = [dataset.read(index).label for index in range(len(dataset))]
    assert labels[list(dataset.ids).index("my recording")] is None
    assert sum(map(len, dataset.parts().values())) == 6
    missing = tree / "missing.txt"
    missing.write_text("S001C001P001R001A050\nS001C001P001R001A001.skeleton\n")
    assert len(NTUTree(tree, missing_list=missing)) == 5
    assert len(NTUTree(tree, actions=[50, 112])) == 2
    single = NTUTree(tree / "my recording.skeleton")
    assert list(single.ids) == ["my recording"]
    assert single.fingerprint()


def test_one_frame(tmp_path: Path) -> None:
    """Of two bodies in one frame the first stays: both are as short as ghosts."""
    clip = read_recording(make(tmp_path, "S001C001P001R001A050", frames=1))
    assert clip.joints.shape == (1, 2, 25, 3)
    assert clip.meta["actors"] == 1
    alone = read_recording(make(tmp_path, "S001C001P001R001A051", people=1, frames=1), "duplicate")
    assert np.array_equal(alone.joints[:, 0], alone.joints[:, 1])


def test_real_recordings(shared: Path) -> None:
    dataset = NTUTree(shared / "data" / "ntu")
    clips = {clip.id: clip for clip in (dataset.read(index) for index in range(len(dataset)))}
    shaking = clips["S001C003P008R002A058"]
    assert shaking.frames == 70
    assert shaking.meta["actors"] == 2
    assert shaking.joints.any(axis=(2, 3)).all()
    assert clips["S001C001P001R001A011"].meta["actors"] == 1
    assert not clips["S001C001P001R001A011"].joints[:, 1].any()


def test_fingerprint_follows_files_and_settings_but_not_the_split(tree: Path) -> None:
    first = NTU60(tree).fingerprint()
    assert NTU60(tree).fingerprint() == first
    assert NTU60(tree, benchmark="xview").fingerprint() == first
    assert NTU60(tree, single_actor="duplicate").fingerprint() != first
    assert NTU60(tree, actions=[50, 58, 60]).fingerprint() != first
    os.utime(tree / "S001C001P001R001A050.skeleton", ns=(1, 1))
    assert NTU60(tree).fingerprint() != first


def test_what_cannot_be_opened_is_named(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        NTU60(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no recording"):
        NTU60(tmp_path / "empty")
    with pytest.raises(ValueError, match="NTU60 has xsub and xview"):
        NTU60(tree, benchmark="xset")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="NTU120 has xsub and xset"):
        NTU120(tree, benchmark="xview")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="zeros or duplicate"):
        NTUTree(tree, single_actor="copy")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1 to 60"):
        NTU60(tree, actions=[112])
    make(tree / "again", "S001C001P001R001A050")
    with pytest.raises(DataError, match="each recording once"):
        NTU60(tree)


def test_a_bad_file_is_a_data_error_when_read(tree: Path) -> None:
    path = tree / "S001C001P001R001A050.skeleton"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"A050\.skeleton: line"):
        NTU60(tree).read(0)
    path.unlink()
    with pytest.raises(DataError, match="unreadable"):
        read_recording(path)
