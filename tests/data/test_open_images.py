"""Open Images: the JSON layout and the official CSV files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.data.damage import FUZZ, damaged
from tests.data.scene_files import CLASSES, PREDICATES, write_official, write_open_images

from interplay.data.errors import DataError
from interplay.data.open_images import OpenImages
from interplay.data.scenes import BACKGROUND


def read_all(folder: Path) -> None:
    try:
        dataset = OpenImages(folder)
        dataset.parts()
        _ = dataset.zero_shot
    except DataError:
        return
    for index in range(len(dataset)):
        try:
            scene = dataset.read(index)
        except DataError:
            continue
        assert np.isfinite(scene.boxes).all()


def test_layout(tmp_path: Path) -> None:
    dataset = OpenImages(write_open_images(tmp_path))
    assert dataset.vocabulary.classes == (BACKGROUND, *CLASSES)
    assert dataset.vocabulary.predicates == (BACKGROUND, *PREDICATES)
    assert list(dataset.ids) == ["00a1", "00a2", "00a3", "00c1", "00b1", "00b2"]
    scene = dataset.read(0)
    assert (scene.width, scene.height) == (640, 480)
    assert scene.boxes.tolist() == [[10.5, 20, 300, 400.25], [0, 300, 640, 480]]  # not rounded
    assert scene.labels.tolist() == [3, 6]
    assert scene.relations.tolist() == [[0, 1, 3]]
    assert dataset.read(2).boxes.shape == (0, 4)
    assert {part: rows.tolist() for part, rows in dataset.parts().items()} == {
        "train": [0],
        "validation": [3],
        "test": [4, 5],
    }
    assert OpenImages(tmp_path, with_relations=False).parts()["train"].tolist() == [0, 1, 2]
    assert dataset.zero_shot.tolist() == [[6, 3, 1]]


def test_files_directly_in_the_root_and_pictures(tmp_path: Path) -> None:
    write_open_images(tmp_path)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "images" / "00a1.jpg")
    assert OpenImages(tmp_path).read(0).pixels().shape == (48, 64, 3)
    dataset = OpenImages(tmp_path / "annotations", images=tmp_path / "images")
    assert dataset.read(0).file is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox": [[0, 0, 5, 5]]}, "1 boxes and 2 det_labels"),
        ({"bbox": [[0, 0, 5, 5], [5, 5, 5, 9]]}, "without an area"),
        ({"bbox": [[0, 0, 5, 5], [5, float("nan"), 6, 9]]}, "entity 1: box"),
        ({"bbox": [[0, 0, 5, 5], [5, "5", 6, 9]]}, "bbox: something else than numbers"),
        ({"bbox": [[0, 0, 5, 5], [700, 5, 800, 9]]}, "within 640×480"),
        ({"det_labels": [0, 6]}, "class 7"),
        ({"det_labels": [0, 1.5]}, "class 2.5"),
        ({"rel": [[0, 2, 0]]}, "a subject and an object from 0 to 1"),
        ({"rel": [[0, 1, 4]]}, "predicate 5"),
        ({"rel": [[0, 1]]}, "rows of 3 numbers"),
        ({"img_size": [0, 5]}, "img_size 0"),
        ({"img_size": [5]}, "1 values"),
        ({"img_fn": ""}, "img_fn"),
        ({"img_fn": None}, "img_fn"),
    ],
)
def test_one_bad_picture_leaves_the_others(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = write_open_images(tmp_path) / "annotations" / "vrd-train-anno.json"
    entries = json.loads(path.read_text())
    entries[0].update(change)
    path.write_text(json.dumps(entries))
    dataset = OpenImages(tmp_path)
    with pytest.raises(DataError, match=message):
        dataset.read(0)
    assert len(dataset.read(3).boxes) == 2


@FUZZ
@given(data=st.data())
def test_damaged_layout(tmp_path: Path, data: st.DataObject) -> None:
    folder = write_open_images(tmp_path / "fuzz")
    name = data.draw(st.sampled_from(("vrd-train-anno.json", "categories_dict.json")))
    path = folder / "annotations" / name
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    read_all(folder)


def test_official_files(tmp_path: Path) -> None:
    dataset = OpenImages(write_official(tmp_path))
    assert dataset.vocabulary.classes == (BACKGROUND, "Cup", "Man", "Shoe", "Table")
    assert dataset.vocabulary.predicates == (BACKGROUND, "at", "holds", "on")
    scene = dataset.read(0)
    np.testing.assert_allclose(scene.boxes, [[10, 40, 50, 180], [40, 100, 50, 120], [0, 100, 100, 200]])
    assert scene.labels.tolist() == [2, 1, 4]
    assert scene.relations.tolist() == [[0, 1, 2], [0, 2, 1], [1, 2, 3]]
    assert dataset.facts["attribute rows left out"] == 1
    assert {part: len(rows) for part, rows in dataset.parts().items()} == {"train": 2, "validation": 0, "test": 1}


def test_official_sizes_from_pictures(tmp_path: Path) -> None:
    write_official(tmp_path)
    (tmp_path / "image_sizes.csv").unlink()
    (tmp_path / "images").mkdir()
    Image.new("RGB", (50, 40)).save(tmp_path / "images" / "00a2.jpg")
    dataset = OpenImages(tmp_path)
    np.testing.assert_allclose(dataset.read(1).boxes[0], [5, 8, 25, 36])
    with pytest.raises(DataError, match="nothing that tells its size"):
        dataset.read(0)


def test_official_classes_that_occur(tmp_path: Path) -> None:
    write_official(tmp_path)
    (tmp_path / "class-descriptions-boxable.csv").unlink()
    assert OpenImages(tmp_path).vocabulary.classes == (BACKGROUND, "/m/cup", "/m/man", "/m/table")


@FUZZ
@given(data=st.data())
def test_damaged_official_files(tmp_path: Path, data: st.DataObject) -> None:
    folder = write_official(tmp_path / "fuzz")
    names = ("oidv6-train-annotations-vrd.csv", "class-descriptions-boxable.csv", "image_sizes.csv")
    path = folder / data.draw(st.sampled_from(names))
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    read_all(folder)


def test_neither_layout(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither"):
        OpenImages(tmp_path)
    (tmp_path / "train-annotations-vrd.csv").write_text("ImageID,LabelName1\n")
    with pytest.raises(DataError, match="RelationshipLabel"):
        OpenImages(tmp_path)
