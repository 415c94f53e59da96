"""VG150's layout: decoding, split, traps, damaged files."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.data.damage import FUZZ, damaged, memory_below
from tests.data.scene_files import CLASSES, IDS, PICTURES, PREDICATES, SIZES, write_vg150

from interplay.data.errors import DataError
from interplay.data.json_files import Place
from interplay.data.scenes import BACKGROUND
from interplay.data.visual_genome import VisualGenome, decode_boxes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_vg150(tmp_path / "vg")


def test_integer_boxes_are_truncated_in_their_own_type() -> None:
    stored = np.array([[500, 100, 201, 2], [500, 100, 200, 2], [100, 9, 201, 2], [10, 9, 21, 2]], np.int32)
    found = decode_boxes(stored, Place("file", ""))
    assert found[:, [0, 2]].tolist() == [[399, 600], [400, 600], [0, 201], [0, 21]]  # spec I.4
    exact = decode_boxes(stored.astype(np.float32), Place("file", ""))
    assert exact[:, 0].tolist() == [399.5, 400, -0.5, -0.5]


@pytest.mark.parametrize("with_attributes", [True, False])
def test_every_picture(tmp_path: Path, with_attributes: bool) -> None:
    dataset = VisualGenome(write_vg150(tmp_path, with_attributes))
    assert dataset.vocabulary.classes == (BACKGROUND, *CLASSES)
    assert dataset.vocabulary.predicates == (BACKGROUND, *PREDICATES)
    assert list(dataset.ids) == [str(id) for id in IDS]
    for index, (_, entities, relations) in enumerate(PICTURES):
        scene = dataset.read(index)
        width, height = SIZES[index]
        assert (scene.width, scene.height, scene.id, scene.file) == (width, height, str(IDS[index]), None)
        boxes = []
        for cx, cy, w, h, _ in entities:
            x, y = int(cx - w / 2), int(cy - h / 2)  # int() truncates towards zero
            corners = [value / 1024 * max(width, height) for value in (x, y, x + w, y + h)]
            boxes.append(
                [min(max(value, 0), side - 1) for value, side in zip(corners, (width, height) * 2, strict=True)]
            )
        np.testing.assert_array_equal(scene.boxes, np.array(boxes, np.float32).reshape(-1, 4))
        assert scene.labels.tolist() == [entity[4] for entity in entities]
        assert scene.relations.tolist() == [list(row) for row in relations]


def test_statistics_see_boxes_that_are_not_clipped(folder: Path) -> None:
    dataset = VisualGenome(folder)
    assert dataset.read(3).boxes[0, 2] == 1023
    assert dataset.annotation(3).boxes[0, 2] == 1024
    assert dataset.annotation(3).boxes[0, 1] == 0


def test_split(folder: Path) -> None:
    def ids(parts: object) -> dict[str, list[int]]:
        assert isinstance(parts, dict)
        return {part: [IDS[index] for index in chosen] for part, chosen in parts.items()}

    assert ids(VisualGenome(folder, validation=1).parts()) == {
        "train": [3, 7, 10],
        "validation": [1],
        "test": [4, 6, 8],
    }
    assert ids(VisualGenome(folder).parts())["train"] == [1, 3, 7, 10]  # a tenth of four is none
    assert ids(VisualGenome(folder, with_relations=False).parts()) == {
        "train": [1, 2, 3, 7, 10],
        "validation": [],
        "test": [4, 6, 8, 9],
    }
    assert ids(VisualGenome(folder, require_overlap=True).parts())["train"] == [1, 3, 10]
    split = np.array([0, 0, 1, 2, 0, 2, 0, 2, 2, 0], np.int32)
    marked = VisualGenome(write_vg150(folder / "marked", split=split)).parts()
    assert ids(marked) == {"train": [1, 7, 10], "validation": [3], "test": [4, 6, 8]}


def test_relations_without_overlap_are_left_out_on_request(folder: Path) -> None:
    dataset = VisualGenome(folder, require_overlap=True)
    assert dataset.read(6).relations.tolist() == []
    assert dataset.read(0).relations.tolist() == [[0, 1, 3], [0, 1, 2]]  # the cup is far from the table
    assert dataset.read(7).relations.tolist() == [[0, 1, 4], [0, 1, 4]]  # test pictures keep everything


def test_zero_shot(folder: Path) -> None:
    expected = sorted({(1, 6, 3), (1, 2, 1)})
    assert [tuple(row) for row in VisualGenome(folder).zero_shot.tolist()] == expected
    np.save(folder / "zeroshot_triplet.npy", np.array([[1, 2, 1]], np.int16))
    assert VisualGenome(folder).zero_shot.tolist() == [[1, 2, 1]]
    assert len(VisualGenome(folder, zero_shot_list="computed").zero_shot) == 2
    (folder / "mine.json").write_text("[[3, 4, 4]]")
    assert VisualGenome(folder, zero_shot_list=str(folder / "mine.json")).zero_shot.tolist() == [[3, 4, 4]]
    np.save(folder / "zeroshot_triplet.npy", np.array([[1, 2, 5]]))
    with pytest.raises(DataError, match="row 0"):
        _ = VisualGenome(folder).zero_shot


def test_pictures_by_name_with_or_without_leading_zeros(folder: Path) -> None:
    for name in ("VG_100K/1.jpg", "VG_100K_2/0000003.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 6), (255, 0, 0)).save(folder / name)
    dataset = VisualGenome(folder)
    found = [dataset.read(index).file for index in range(3)]
    assert [path and path.name for path in found] == ["1.jpg", None, "0000003.jpg"]
    assert dataset.read(0).pixels().shape == (6, 8, 3)
    with pytest.raises(DataError, match="annotations only"):
        dataset.read(1).pixels()
    with pytest.raises(DataError, match="no such folder"):
        VisualGenome(folder, images=folder / "nowhere")


def test_it_travels_to_another_process(folder: Path) -> None:
    dataset = VisualGenome(folder)
    dataset.read(0)
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy.read(0).boxes, dataset.read(0).boxes)
    assert copy.fingerprint() == dataset.fingerprint() != VisualGenome(folder, validation=1).fingerprint()


def test_blocks_are_joined(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [VisualGenome(folder).read(index) for index in range(10)]
    monkeypatch.setattr("interplay.data.hdf5.BLOCK_ROWS", 2)
    monkeypatch.setattr("interplay.data.visual_genome.BLOCK_ROWS", 2)
    monkeypatch.setattr("interplay.data.hdf5.MAX_BLOCKS", 3)
    dataset = VisualGenome(folder)
    for index, scene in enumerate(whole):
        np.testing.assert_array_equal(dataset.read(index).boxes, scene.boxes)
        np.testing.assert_array_equal(dataset.read(index).relations, scene.relations)
    assert len(dataset.zero_shot) == 2


WRONG = {
    "no labels": ({"labels": None}, "labels"),
    "labels of another length": ({"labels": np.ones((3, 1), np.int32)}, "labels"),
    "boxes of another shape": ({"boxes_1024": np.ones((19, 3), np.int32)}, "boxes_1024"),
    "boxes as text": ({"boxes_1024": np.full((19, 4), b"x")}, "boxes_1024"),
    "boxes in one row": ({"boxes_1024": np.ones(76, np.int32)}, "boxes_1024"),
    "a split too short": ({"split": np.zeros(9, np.int32)}, "pictures"),
    "no picture": ({"split": np.zeros(0, np.int32)}, "split"),
    "a split of floats": ({"split": np.zeros(10)}, "split"),
    "first box of floats": ({"img_to_first_box": np.zeros(10)}, "img_to_first_box"),
    "a scalar": ({"img_to_last_rel": 3}, "img_to_last_rel"),
    "predicates missing": ({"predicates": np.zeros((2, 1), np.int32)}, "predicates"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arrays(tmp_path: Path, name: str) -> None:
    replaced, key = WRONG[name]
    with pytest.raises(DataError, match=key):
        VisualGenome(write_vg150(tmp_path, **replaced))


def changed(key: str, row: int, value: object) -> dict[str, np.ndarray]:
    """An array of the right file with one row replaced."""
    with TemporaryDirectory() as folder, h5py.File(write_vg150(Path(folder)) / "VG-SGG-with-attri.h5") as file:
        array = file[key][:]
    array[row] = value
    return {key: array}


@pytest.mark.parametrize(
    ("key", "row", "value", "message"),
    [
        ("relationships", 0, (0, 5), "a subject and an object from 0 to 2"),  # an entity of another picture
        ("relationships", 0, (-1, 1), "a subject and an object from 0 to 2"),
        ("labels", 1, 7, "found entity 1: class 7, expected 1 to 6"),
        ("labels", 1, 0, "class 0"),
        ("predicates", 2, 5, "predicate 5"),
        ("boxes_1024", 0, (5, 5, 0, 5), "a width and a height above 0"),
        ("boxes_1024", 0, (5, 5, 5, -5), "a width and a height above 0"),
        ("img_to_last_box", 0, 100, "rows of the 19"),
        ("img_to_first_box", 0, 3, "rows of the 19"),
        ("img_to_last_rel", 0, -7, "rows of the"),
    ],
)
def test_one_bad_picture_leaves_the_others(tmp_path: Path, key: str, row: int, value: object, message: str) -> None:
    dataset = VisualGenome(write_vg150(tmp_path, **changed(key, row, value)))
    with pytest.raises(DataError, match=message):
        dataset.read(0)
    assert len(dataset.read(9).boxes) == 3
    assert dataset.zero_shot is not None


def test_boxes_that_are_not_numbers(tmp_path: Path) -> None:
    boxes = np.full((19, 4), 50.0, np.float32)
    boxes[0, 2] = np.nan
    boxes[18, 0] = np.inf
    dataset = VisualGenome(write_vg150(tmp_path, boxes_1024=boxes))
    for index in (0, 9):
        with pytest.raises(DataError, match="a width and a height"):
            dataset.read(index)


def test_sizes_that_cannot_be(folder: Path) -> None:
    entries = json.loads((folder / "image_data.json").read_text())
    entries[0]["width"] = 0
    (folder / "image_data.json").write_text(json.dumps(entries))
    dataset = VisualGenome(folder)
    with pytest.raises(DataError, match="0×600"):
        dataset.read(0)
    entries[0]["width"] = "wide"
    (folder / "image_data.json").write_text(json.dumps(entries))
    with pytest.raises(DataError, match="element 0: found width 'wide'"):
        VisualGenome(folder)


def test_absurd_counts_cost_no_memory(folder: Path) -> None:
    with h5py.File(folder / "VG-SGG-with-attri.h5", "a") as file:
        del file["boxes_1024"], file["labels"]
        file.create_dataset("boxes_1024", (2**40, 4), "i4", chunks=(1024, 4))
        file.create_dataset("labels", (2**40, 1), "i4", chunks=(1024, 1))
    with memory_below(8), pytest.raises(DataError, match="rows"):
        VisualGenome(folder)
    with h5py.File(folder / "VG-SGG-with-attri.h5", "a") as file:
        del file["boxes_1024"]
        file.create_dataset("boxes_1024", (2**40, 4), "i4", chunks=(2**26, 4), compression="gzip")
    with memory_below(8), pytest.raises(DataError, match="chunks"):
        VisualGenome(folder)


def test_values_kept_elsewhere_are_refused(folder: Path) -> None:
    with h5py.File(folder / "VG-SGG-with-attri.h5", "a") as file:
        del file["labels"]
        file["labels"] = h5py.ExternalLink("other.h5", "/labels")
    with pytest.raises(DataError, match="labels"):
        VisualGenome(folder)


def read_all(folder: Path) -> int:
    """Every picture: a sample or a DataError."""
    try:
        dataset = VisualGenome(folder)
        dataset.parts()
        _ = dataset.zero_shot
    except DataError:
        return 0
    read = 0
    for index in range(len(dataset)):
        try:
            read += len(dataset.read(index).boxes) >= 0
        except DataError:
            continue
    return read


KEYS = ("split", "img_to_first_box", "img_to_last_box", "img_to_first_rel", "img_to_last_rel", "boxes_1024", "labels",
        "relationships", "predicates")  # fmt: skip


@FUZZ
@given(data=st.data())
def test_arrays_with_anything_in_them(tmp_path: Path, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(KEYS))
    dtype = data.draw(
        st.sampled_from(("int8", "uint8", "int32", "int64", "uint64", "float32", "float64", "bool", "S3"))
    )
    shape = data.draw(
        st.one_of(
            st.sampled_from(((10,), (10, 1), (19, 4), (19, 1), (19,), (14, 2), (14, 1), (14,))),
            st.lists(st.integers(0, 20), max_size=3).map(tuple),
        )
    )
    values = data.draw(
        st.lists(st.integers(-(2**31), 2**31) | st.sampled_from((-1, 0, 1, 2, 5)), min_size=1, max_size=8)
    )
    with np.errstate(all="ignore"):
        array = np.resize(np.array(values, np.float64), shape).astype(dtype)
    if dtype.startswith("float") and data.draw(st.booleans()) and array.size:
        array.reshape(-1)[0] = data.draw(st.sampled_from((np.nan, np.inf, -np.inf, 1e30)))
    folder = write_vg150(tmp_path / "fuzz", **{key: array})
    read_all(folder)


@FUZZ
@given(data=st.data())
@pytest.mark.parametrize("name", ["image_data.json", "VG-SGG-dicts-with-attri.json"])
def test_damaged_json(tmp_path: Path, name: str, data: st.DataObject) -> None:
    folder = write_vg150(tmp_path / "fuzz")
    (folder / name).write_bytes(data.draw(damaged((folder / name).read_bytes())))
    read_all(folder)


@FUZZ
@given(data=st.data())
def test_truncated_h5(tmp_path: Path, data: st.DataObject) -> None:
    folder = write_vg150(tmp_path / "fuzz")
    content = (folder / "VG-SGG-with-attri.h5").read_bytes()
    (folder / "VG-SGG-with-attri.h5").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    read_all(folder)


def test_no_file_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        VisualGenome(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"VG-SGG-with-attri\.h5 or VG-SGG\.h5"):
        VisualGenome(tmp_path)
    write_vg150(tmp_path)
    (tmp_path / "image_data.json").unlink()
    with pytest.raises(DataError, match="no such file"):
        VisualGenome(tmp_path)


def test_remote_sensing(shared: Path) -> None:
    dataset = VisualGenome(shared / "data" / "visual_genome" / "remote_sensing")
    assert (len(dataset), len(dataset.vocabulary.classes), len(dataset.vocabulary.predicates)) == (7306, 31, 53)
    with h5py.File(dataset.root / "VG-SGG.h5") as file:
        boxes, relations = file["boxes_1024"][:5], len(file["relationships"])
    scene = dataset.read(0)
    np.testing.assert_allclose(
        scene.boxes[:5, 2:] - scene.boxes[:5, :2], boxes[:, 2:], atol=1e-3
    )  # floats: not truncated
    assert sum(len(dataset.read(index).relations) for index in range(len(dataset))) == relations


def test_published_zero_shot_list(shared: Path) -> None:
    from interplay.data.visual_genome import read_vocabulary
    from interplay.data.zero_shot import read_zero_shot

    folder = shared / "data" / "visual_genome"
    vocabulary = read_vocabulary(folder / "VG-SGG-dicts-with-attri.json")
    assert (len(vocabulary.classes), len(vocabulary.predicates)) == (151, 51)
    rows = read_zero_shot(folder / "vg150_zero_shot.npy", vocabulary)
    assert len(rows) == len(np.unique(rows, axis=0)) == 5971


def test_the_generator_has_every_trap() -> None:
    entities = [box for _, boxes, _ in PICTURES for box in boxes]
    assert (len(PICTURES), len(CLASSES), len(PREDICATES)) == (10, 6, 4)
    assert any(not rows for _, _, rows in PICTURES)
    assert any(not boxes for _, boxes, _ in PICTURES)
    assert any(len(set(rows)) < len(rows) for _, _, rows in PICTURES)
    assert any(len({row[:2] for row in rows}) < len(set(rows)) for _, _, rows in PICTURES)
    assert any(w % 2 for _, _, w, _, _ in entities)
    assert any(cx - w / 2 < 0 for cx, _, w, _, _ in entities)
