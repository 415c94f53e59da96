"""VRD's JSON: order of the box, entities merged, sizes, split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.data.damage import FUZZ, damaged
from tests.data.scene_files import write_vrd

from interplay.data.errors import DataError
from interplay.data.vrd import VRD


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_vrd(tmp_path / "vrd")


def test_boxes_and_entities(folder: Path) -> None:
    scene = VRD(folder).read(0)
    # ymin, ymax, xmin, xmax in the file; the same box of another class is another entity.
    assert scene.boxes.tolist() == [[20, 10, 60, 90], [1, 50, 120, 99], [25, 80, 40, 90], [20, 10, 60, 90]]
    assert scene.labels.tolist() == [3, 6, 4, 4]
    assert scene.relations.tolist() == [[0, 1, 4], [0, 2, 2], [3, 0, 2], [1, 1, 2]]
    assert (scene.width, scene.height, scene.file) == (120, 99, None)
    assert scene.meta == {"size": "estimated"}


def test_the_picture_tells_its_size(folder: Path) -> None:
    (folder / "images").mkdir()
    Image.new("RGB", (200, 150)).save(folder / "images" / "a.jpg")
    turned = Image.new("RGB", (200, 150))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "images" / "c.jpg", exif=exif)
    dataset = VRD(folder)
    assert (dataset.read(0).width, dataset.read(0).height) == (200, 150)
    scene = dataset.read(2)
    assert (scene.width, scene.height) == (150, 200)
    assert scene.pixels().shape == (200, 150, 3)
    (folder / "images" / "a.jpg").write_bytes(b"not a picture")
    assert VRD(folder).read(0).meta == {"size": "estimated"}


def test_parts(folder: Path) -> None:
    parts = VRD(folder).parts()
    assert {part: chosen.tolist() for part, chosen in parts.items()} == {
        "train": [0, 2],
        "validation": [],
        "test": [3, 4],
    }
    everything = VRD(folder, with_relations=False, validation=1).parts()
    assert [everything[part].tolist() for part in ("train", "validation", "test")] == [[1, 2], [0], [3, 4, 5]]


def test_zero_shot(folder: Path) -> None:
    assert VRD(folder).zero_shot.tolist() == [[1, 2, 2]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predicate": 4}, "predicate 5"),
        ({"predicate": -1}, "relation 0: something else"),
        ({"predicate": 1.5}, "relation 0: something else"),
        ({"subject": {"category": 6, "bbox": [1, 9, 3, 7]}}, "class 7"),
        ({"subject": {"category": 0, "bbox": [9, 1, 3, 7]}}, "without an area"),
        ({"subject": {"category": 0, "bbox": [1, 9, 3, 3]}}, "without an area"),
        ({"subject": {"category": 0, "bbox": [1, 9, 3]}}, "relation 0: something else"),
        ({"subject": {"category": 0, "bbox": [1, 9, 3, float("nan")]}}, "relation 0: something else"),
        ({"object": None}, "relation 0: something else"),
    ],
)
def test_one_bad_picture_leaves_the_others(folder: Path, change: dict[str, object], message: str) -> None:
    path = folder / "annotations_train.json"
    value = json.loads(path.read_text())
    value["c.jpg"][0].update(change)
    path.write_text(json.dumps(value))
    dataset = VRD(folder)
    with pytest.raises(DataError, match=message):
        dataset.read(2)
    assert len(dataset.read(0).boxes) == 4
    assert dataset.parts()["train"].tolist() == [0, 2]


@FUZZ
@given(data=st.data())
def test_damaged_files(folder: Path, data: st.DataObject) -> None:
    write_vrd(folder)
    names = ("annotations_train.json", "objects.json", "predicates.json", "annotations_test.json")
    name = data.draw(st.sampled_from(names))
    (folder / name).write_bytes(data.draw(damaged((folder / name).read_bytes())))
    try:
        dataset = VRD(folder)
    except DataError:
        return
    for index in range(len(dataset)):
        try:
            scene = dataset.read(index)
        except DataError:
            continue
        assert np.isfinite(scene.boxes).all()


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "predicates.json").unlink()
    with pytest.raises(DataError, match=r"predicates\.json: found no such file"):
        VRD(folder)


def test_published_counts(shared: Path) -> None:
    dataset = VRD(shared / "data" / "vrd")
    parts = dataset.parts()
    assert (len(dataset), len(parts["train"]), len(parts["test"])) == (5000, 3780, 955)
    relations = [len(dataset.table.triplets(parts[part])) for part in ("train", "test")]
    assert relations == [30355, 7638]
    unseen = {tuple(row) for row in dataset.zero_shot.tolist()}
    assert sum(tuple(row) in unseen for row in dataset.table.triplets(parts["test"]).tolist()) == 1169
    read = [dataset.read(index) for index in parts["test"]]
    assert sum(scene.file is not None for scene in read) == 30
    assert min(float(scene.boxes.min()) for scene in read) == 1  # coordinates count from 1
