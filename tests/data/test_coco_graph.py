"""COCO-style scene graphs, with the relations inside or beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged
from tests.data.scene_files import coco, write_coco

from interplay.data.coco_graph import CocoGraph
from interplay.data.errors import DataError
from interplay.data.scenes import BACKGROUND


def test_relations_inside(tmp_path: Path) -> None:
    dataset = CocoGraph(write_coco(tmp_path))
    assert dataset.vocabulary.classes == (BACKGROUND, "cat", "man", "shoe")  # ids 0, 4, 9
    assert dataset.vocabulary.predicates == (BACKGROUND, "of", "wearing")  # ids 2, 5
    assert list(dataset.ids) == ["train1", "train2", "val1", "val2", "test1", "test2"]
    scene = dataset.read(0)
    assert scene.boxes.tolist() == [[10, 20, 109, 219], [50.5, 60, 51, 69]]  # the last pixel is part of the box
    assert scene.labels.tolist() == [2, 3]
    assert scene.relations.tolist() == [[0, 1, 2], [1, 0, 1]]
    assert dataset.read(1).relations.shape == (0, 3)
    assert {part: rows.tolist() for part, rows in dataset.parts().items()} == {
        "train": [0],
        "validation": [2],
        "test": [4],
    }


def test_one_file_is_a_test_set(tmp_path: Path) -> None:
    dataset = CocoGraph(write_coco(tmp_path) / "val_relations.json")
    assert [len(rows) for rows in dataset.parts().values()] == [0, 0, 1]


@pytest.mark.parametrize("names", [[BACKGROUND, "of", "wearing"], ["of", "wearing"]])
def test_relations_beside(tmp_path: Path, names: list[str]) -> None:
    for part in ("train", "val", "test"):
        value = coco(part)
        del value["rel_annotations"], value["rel_categories"]
        (tmp_path / f"{part}.json").write_text(json.dumps(value))
    last = len(names) - 1
    rows = {"7": [[0, 1, last], [1, 0, last - 1]]}
    relations = {"train": rows, "val": rows, "test": {"3": []}, "rel_categories": names}
    (tmp_path / "rel.json").write_text(json.dumps(relations))
    dataset = CocoGraph(tmp_path)
    assert dataset.vocabulary.predicates == (BACKGROUND, "of", "wearing")
    assert dataset.read(0).relations.tolist() == [[0, 1, 2], [1, 0, 1]]
    assert [len(rows) for rows in dataset.parts().values()] == [1, 1, 0]


def change(value: dict[str, Any], where: str, number: int, **changes: object) -> dict[str, Any]:
    value[where][number].update(changes)
    return value


@pytest.mark.parametrize(
    ("where", "number", "changes", "message"),
    [
        ("annotations", 0, {"bbox": [1, 2, 0, 5]}, "without an area"),
        ("annotations", 0, {"bbox": [1, 2, 5]}, "rows of 4 numbers"),
        ("annotations", 0, {"bbox": [1, 2, float("nan"), 5]}, "without an area"),
        ("annotations", 0, {"bbox": [900, 2, 5, 5]}, "within 640×480"),
        ("annotations", 0, {"category_id": 5}, "category_id 5"),
        ("annotations", 2, {"id": 50}, "id 50 again"),
        ("rel_annotations", 0, {"object_id": 40}, "object_id 40"),  # an entity of another picture
        ("rel_annotations", 0, {"predicate_id": 0}, "predicate_id 0"),
        ("images", 0, {"width": 0}, "width 0"),
    ],
)
def test_one_bad_picture_leaves_the_others(
    tmp_path: Path, where: str, number: int, changes: dict[str, object], message: str
) -> None:
    (tmp_path / "test.json").write_text(json.dumps(change(coco(), where, number, **changes)))
    dataset = CocoGraph(tmp_path)
    with pytest.raises(DataError, match=message):
        dataset.read(0)
    assert len(dataset.read(1).boxes) == 1


@pytest.mark.parametrize("key", ["images", "annotations", "categories", "rel_annotations", "rel_categories"])
def test_a_list_that_is_missing(tmp_path: Path, key: str) -> None:
    value = coco()
    del value[key]
    (tmp_path / "test.json").write_text(json.dumps(value))
    with pytest.raises(DataError, match=key):
        CocoGraph(tmp_path)


def test_parts_of_different_categories(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "val_relations.json").write_text(json.dumps(change(coco("val"), "categories", 0, name="boot")))
    with pytest.raises(DataError, match="other categories"):
        CocoGraph(tmp_path)
    (tmp_path / "val.json").write_text("{}")
    with pytest.raises(DataError, match="one file of the part validation"):
        CocoGraph(tmp_path)


@FUZZ
@given(data=st.data())
def test_damaged_files(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "test.json"
    path.write_bytes(data.draw(damaged(json.dumps(coco()).encode())))
    try:
        dataset = CocoGraph(path)
    except DataError:
        return
    for index in range(len(dataset)):
        try:
            assert np.isfinite(dataset.read(index).boxes).all()
        except DataError:
            continue
