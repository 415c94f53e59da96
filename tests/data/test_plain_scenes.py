"""The plain JSON of one's own pictures."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.data.damage import FUZZ, damaged
from tests.data.scene_files import PLAIN, write_plain

from interplay.data.errors import DataError
from interplay.data.plain_scenes import PlainScenes
from interplay.data.scenes import BACKGROUND


def changed(*path: Any, value: object) -> Any:
    """PLAIN with one thing replaced."""
    whole = copy.deepcopy(PLAIN)
    at: Any = whole
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return whole


def test_pictures(tmp_path: Path) -> None:
    dataset = PlainScenes(write_plain(tmp_path))
    assert dataset.vocabulary.classes == (BACKGROUND, "cup", "person", "table")
    assert dataset.vocabulary.predicates == (BACKGROUND, "holding", "near", "on")
    assert list(dataset.ids) == ["kitchen/1", "2", "3"]
    scene = dataset.read(0)
    assert scene.boxes.tolist() == [[10, 20, 110, 220], [100.5, 50, 120, 70]]
    assert scene.labels.tolist() == [2, 1]
    assert scene.relations.tolist() == [[0, 1, 1], [1, 0, 2]]
    assert dataset.read(2).boxes.shape == (0, 4)
    assert {part: rows.tolist() for part, rows in dataset.parts().items()} == {
        "train": [0],
        "validation": [],
        "test": [1],
    }
    assert dataset.zero_shot.tolist() == [[1, 3, 3]]


def test_sizes_and_pixels_of_the_files(tmp_path: Path) -> None:
    whole = copy.deepcopy(PLAIN)
    del whole["pictures"][0]["width"], whole["pictures"][0]["height"]
    write_plain(tmp_path, whole)
    with pytest.raises(DataError, match=r"no picture 'kitchen/1.jpg' that decodes"):
        PlainScenes(tmp_path).read(0)
    (tmp_path / "kitchen").mkdir()
    Image.new("RGB", (320, 240)).save(tmp_path / "kitchen" / "1.jpg")
    Image.new("RGB", (10, 10)).save(tmp_path / "1.jpg")  # another picture of that name
    scene = PlainScenes(tmp_path / "scenes.json").read(0)
    assert (scene.width, scene.height) == (320, 240)
    assert scene.pixels().shape == (240, 320, 3)


def test_a_split_by_seed(tmp_path: Path) -> None:
    picture = {key: value for key, value in PLAIN["pictures"][0].items() if key != "part"}
    write_plain(tmp_path, {"pictures": [dict(picture, file=f"{number}.jpg") for number in range(20)]})
    parts = PlainScenes(tmp_path).parts()
    assert [len(parts[part]) for part in ("train", "validation", "test")] == [14, 2, 4]
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(20))
    other = PlainScenes(tmp_path, seed=1).parts()
    assert other["test"].tolist() != parts["test"].tolist()
    write_plain(tmp_path, {"pictures": [picture]})
    assert [rows.tolist() for rows in PlainScenes(tmp_path).parts().values()] == [[0], [], [0]]


def test_lists_of_names(tmp_path: Path) -> None:
    whole = dict(PLAIN, classes=["table", "person", "cup"], predicates=["on", "holding", "near", "under"])
    dataset = PlainScenes(write_plain(tmp_path, whole))
    assert dataset.read(0).labels.tolist() == [2, 3]
    with pytest.raises(DataError, match="class 'cup'"):
        PlainScenes(write_plain(tmp_path, dict(PLAIN, classes=["table", "person", "cups"]))).read(0)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("entities", 0, "box"), [10, 20, 10, 220], "without an area"),
        (("entities", 0, "box"), [10, 20, 30], "rows of 4 numbers"),
        (("entities", 0, "box"), [10, 20, float("inf"), 30], "entity 0: box"),
        (("entities", 0, "box"), "10 20 30 40", "rows of 4 numbers"),
        (("entities", 0, "class"), "", "class ''"),
        (("entities", 1, "id"), "me", "id 'me' again"),
        (("relations", 0, "subject"), "you", "subject 'you'"),
        (("relations", 0, "object"), 2, "a subject and an object from 0 to 1"),
        (("relations", 0, "object"), -1, "object -1"),
        (("relations", 0, "predicate"), None, "predicate None"),
        (("relations",), {}, "relations: an object"),
        (("entities",), None, "entities: null"),
        (("part",), "training", "part 'training'"),
        (("width",), 0, "width 0"),
        (("file",), "../secret.jpg", "a path below the folder"),
        (("file",), "/etc/picture.jpg", "a path below the folder"),
    ],
)
def test_one_bad_picture_leaves_the_others(tmp_path: Path, path: tuple[Any, ...], value: object, message: str) -> None:
    dataset = PlainScenes(write_plain(tmp_path, changed("pictures", 0, *path, value=value)))
    with pytest.raises(DataError, match=message):
        dataset.read(0)
    assert len(dataset.read(1).boxes) == 2


@pytest.mark.parametrize(
    "value", [[], {}, {"pictures": 3}, {"pictures": []}, {"pictures": [], "classes": ["a", "a"]}, 7]
)
def test_files_of_another_kind(tmp_path: Path, value: object) -> None:
    with pytest.raises(DataError):
        PlainScenes(write_plain(tmp_path, value))


def test_a_name_twice(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="each picture once"):
        PlainScenes(write_plain(tmp_path, changed("pictures", 2, "file", value="2.png")))


@FUZZ
@given(data=st.data())
def test_damaged_files(tmp_path: Path, data: st.DataObject) -> None:
    (tmp_path / "scenes.json").write_bytes(data.draw(damaged(json.dumps(PLAIN).encode())))
    try:
        dataset = PlainScenes(tmp_path)
        dataset.parts()
        _ = dataset.zero_shot
    except DataError:
        return
    for index in range(len(dataset)):
        try:
            assert np.isfinite(dataset.read(index).boxes).all()
        except DataError:
            continue
