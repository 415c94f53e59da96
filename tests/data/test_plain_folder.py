"""A folder of one's own recordings."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from interplay.data.clips import SkeletonClip
from interplay.data.datasets import SkeletonDataset, open_dataset
from interplay.data.errors import DataError
from interplay.data.plain import write_plain
from interplay.data.plain_folder import PlainFolder, write_plain_folder
from interplay.errors import InterplayError


def clip(frames: int = 5, entities: int = 2, rate: float = 25.0, layout: str = "sbu15") -> SkeletonClip:
    joints = np.random.default_rng(frames).normal(size=(frames, entities, 15, 3)).astype(np.float32)
    return SkeletonClip("c", joints, layout, rate)


def table(folder: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("id", "label", "part")) -> None:
    with (folder / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def names(dataset: SkeletonDataset) -> dict[str, list[str]]:
    return {part: [dataset.ids[i] for i in indices] for part, indices in dataset.parts().items()}


def test_parts_and_classes_by_folder(tmp_path: Path) -> None:
    for name in ("train/hug/a", "train/push/deep/b", "test/hug/c", "validation/push/d"):
        write_plain(clip(), tmp_path / f"{name}.npz")
    dataset = open_dataset("plain", tmp_path)
    assert isinstance(dataset, SkeletonDataset)
    assert dataset.classes == ("hug", "push")
    assert (dataset.layout.name, dataset.frames_per_second, dataset.entity_names) == ("sbu15", 25, ("person", "person"))
    assert names(dataset) == {
        "train": ["train/hug/a", "train/push/deep/b"],
        "validation": ["validation/push/d"],
        "test": ["test/hug/c"],
    }
    assert [dataset.read(index).label for index in range(4)] == [0, 1, 1, 0]


def test_class_folders_are_split_by_seed_within_each_class(tmp_path: Path) -> None:
    for label, count in (("2", 10), ("10", 5), ("1", 1)):
        for index in range(count):
            write_plain(clip(), tmp_path / label / f"{index}.npz")
    dataset = PlainFolder(tmp_path, test_fraction=0.4, seed=3)
    assert dataset.classes == ("1", "2", "10")  # numbers in the order of numbers
    parts = names(dataset)
    assert sorted(parts["train"] + parts["test"]) == sorted(dataset.ids)
    assert {label: sum(name.startswith(f"{label}/") for name in parts["test"]) for label in ("1", "2", "10")} == {
        "1": 0,
        "2": 4,
        "10": 2,
    }
    assert names(PlainFolder(tmp_path, test_fraction=0.4, seed=3)) == parts
    assert names(PlainFolder(tmp_path, test_fraction=0.4, seed=4)) != parts


def test_a_table_of_labels(tmp_path: Path) -> None:
    for name in ("a", "deep/b.1", "c"):
        write_plain(clip(), tmp_path / f"{name}.npz")
    table(tmp_path, [("a.npz", "hug", "train"), ("deep/b.1", "push", "test"), ("c", "", "")])
    dataset = PlainFolder(tmp_path)
    assert names(dataset) == {"train": ["a"], "test": ["deep/b.1"]}
    assert [dataset.read(index).label for index in range(3)] == [0, 1, None]
    assert len(names(PlainFolder(tmp_path, split="random"))["train"]) == 3  # classes of one clip stay in train


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("nobody", "hug", "")], "line 2: found the id 'nobody'"),
        ([("a", "hug", ""), ("a.npz", "hug", "")], "line 3: found the id 'a.npz' again"),
        ([("a", "hug", "exam")], "line 2: found part 'exam'"),
        ([("a", "hug")], "line 2: found 2 values, expected 3"),
    ],
)
def test_bad_tables(tmp_path: Path, rows: list[tuple[str, ...]], message: str) -> None:
    write_plain(clip(), tmp_path / "a.npz")
    table(tmp_path, rows)
    with pytest.raises(DataError, match=message):
        PlainFolder(tmp_path)


def test_without_labels_everything_is_in_both_parts(tmp_path: Path) -> None:
    write_plain(clip(), tmp_path / "a.npz")
    (tmp_path / "b.csv").write_text("nonsense")
    dataset = PlainFolder(tmp_path)
    assert names(dataset) == {"train": ["a", "b"], "test": ["a", "b"]}
    assert dataset.read(0).label is None
    with pytest.raises(DataError, match=r"b\.csv"):
        dataset.read(1)


def test_always_two_entities(tmp_path: Path) -> None:
    write_plain(clip(entities=1), tmp_path / "hug" / "one.npz")
    write_plain(clip(entities=3), tmp_path / "hug" / "three.npz")
    dataset = PlainFolder(tmp_path)
    assert [dataset.read(index).entities for index in range(2)] == [2, 2]
    assert str(dataset.read(1).meta["notes"]).startswith("3 entities: kept ")
    assert dataset.read(0).meta["notes"] == "one entity only: the other is taken as absent"


def test_what_does_not_fit_together(tmp_path: Path) -> None:
    write_plain(clip(), tmp_path / "hug" / "a.npz")
    write_plain(clip(rate=30), tmp_path / "hug" / "b.npz")
    joints = np.ones((3, 2, 25, 3), np.float32)
    write_plain(SkeletonClip("c", joints, "ntu25", 25.0), tmp_path / "hug" / "c.npz")
    dataset = PlainFolder(tmp_path)
    with pytest.raises(DataError, match="found 30 frames per second, expected 25"):
        dataset.read(1)
    with pytest.raises(DataError, match="found ntu25, expected sbu15"):
        dataset.read(2)
    assert PlainFolder(tmp_path, frames_per_second=10).read(1).frames_per_second == 10
    write_plain(clip(), tmp_path / "hug" / "a.json.npz")
    (tmp_path / "hug" / "a.json").write_text("{}")
    with pytest.raises(DataError, match="the same name"):
        PlainFolder(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        PlainFolder(tmp_path / "x")
    with pytest.raises(DataError, match="no recordings"):
        PlainFolder(tmp_path)
    (tmp_path / "a.json").write_text("[")
    with pytest.raises(DataError, match="broken JSON"):
        PlainFolder(tmp_path)
    for keys in ({"split": "x"}, {"test_fraction": 1.5}):
        with pytest.raises(ValueError, match="must"):
            PlainFolder(tmp_path, **keys)  # type: ignore[arg-type]


def test_fingerprint_follows_files_and_settings(tmp_path: Path) -> None:
    write_plain(clip(), tmp_path / "hug" / "a.npz")
    first = PlainFolder(tmp_path).fingerprint()
    assert PlainFolder(tmp_path).fingerprint() == first
    assert PlainFolder(tmp_path, frames_per_second=10).fingerprint() != first
    write_plain(clip(frames=9), tmp_path / "hug" / "a.npz")
    assert PlainFolder(tmp_path).fingerprint() != first


def test_written_and_opened_again(tmp_path: Path) -> None:
    for name in ("train/punch, or slap/a", "train/hug/b", "test/hug/c"):
        write_plain(clip(len(name)), tmp_path / "in" / f"{name}.npz")
    (tmp_path / "in" / "test" / "hug" / "bad.npz").write_bytes(b"PK")
    dataset = PlainFolder(tmp_path / "in")
    written, bad = write_plain_folder(dataset, tmp_path / "out")
    assert (written, len(bad)) == (3, 1)
    assert "bad.npz" in bad[0]
    back = PlainFolder(tmp_path / "out")
    assert back.classes == dataset.classes
    assert names(back) == {"train": ["train/hug/b", "train/punch, or slap/a"], "test": ["test/hug/c"]}
    for index, name in enumerate(back.ids):
        same = dataset.read(list(dataset.ids).index(name))
        np.testing.assert_array_equal(back.read(index).joints, same.joints)
        assert back.read(index).label == same.label
    with pytest.raises(InterplayError, match=r"labels\.csv: found a data set there already"):
        write_plain_folder(dataset, tmp_path / "out")
    with pytest.raises(DataError, match="bad"):
        write_plain_folder(dataset, tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict" / "labels.csv").exists()
