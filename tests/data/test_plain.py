"""The plain format: three kinds of file, one clip; and everything that may be wrong with them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged, memory_below, reads_or_says_why

from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.data.plain import read_plain, write_plain
from interplay.graph.layouts import load_layout

Array = np.ndarray[Any, Any]


def joints(frames: int = 4, entities: int = 2, size: int = 3, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(frames, entities, 15, size)).round(4).astype(np.float32)


def write_npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **({"joints": joints(), "layout": "sbu15", "frames_per_second": 15.0} | arrays))
    return path


def json_text(values: Array, **keys: Any) -> str:
    return json.dumps({"joints": values.tolist(), "layout": "sbu15", "frames_per_second": 15} | keys)


def csv_text(values: Array, names: bool = True) -> str:
    layout = load_layout("sbu15")
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["frame", "entity", "joint", *"xyz"[: values.shape[3]]])
    for frame, entity, joint in np.ndindex(*values.shape[:3]):
        if values[frame, entity].any():
            name = layout.joints[joint] if names else joint
            writer.writerow([frame + 7, entity, name, *(repr(float(v)) for v in values[frame, entity, joint])])
    return stream.getvalue()


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("kind", ["npz", "json", "csv"])
def test_three_files_one_clip(tmp_path: Path, kind: str, size: int) -> None:
    values = joints(size=size)
    values[1, 1] = 0  # the second entity is away in this frame
    path = tmp_path / f"clip.{kind}"
    if kind == "npz":
        write_npz(path, joints=values)
        clip = read_plain(path)
    elif kind == "json":
        nested = values.tolist()
        nested[1][1] = None
        path.write_text(json.dumps({"joints": nested, "layout": "sbu15", "frames_per_second": 15}))
        clip = read_plain(path)
    else:
        lines = csv_text(values, names=size == 3).splitlines()
        path.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")  # any order of rows
        clip = read_plain(path, "sbu15", 15)
    expected = np.zeros((4, 2, 15, 3), np.float32)
    expected[..., :size] = values
    np.testing.assert_array_equal(clip.joints, expected)
    assert (clip.id, clip.layout, clip.frames_per_second, clip.label) == ("clip", "sbu15", 15.0, None)


def test_label_by_name_or_number(tmp_path: Path) -> None:
    assert read_plain(write_npz(tmp_path / "a.npz", label=3)).label == 3
    clip = read_plain(write_npz(tmp_path / "b.npz", label="hugging"))
    assert (clip.label, clip.meta["label"]) == (None, "hugging")


def test_the_caller_wins_and_missing_things_are_asked_for(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz")
    assert read_plain(path, frames_per_second=30).frames_per_second == 30
    np.savez(tmp_path / "b.npz", joints=joints())
    with pytest.raises(DataError, match="give `layout`"):
        read_plain(tmp_path / "b.npz")
    with pytest.raises(DataError, match="give `frames_per_second`"):
        read_plain(tmp_path / "b.npz", "sbu15")
    with pytest.raises(DataError, match="found 15 joints, expected 25"):
        read_plain(path, "ntu25")
    with pytest.raises(DataError, match="did you mean 'sbu15'"):
        read_plain(path, "sbu51")


def test_a_users_layout_beside_the_file(tmp_path: Path) -> None:
    layout = load_layout("sbu15").to_dict() | {"name": "mine", "frames_per_second": 50}
    (tmp_path / "mine.yaml").write_text(json.dumps(layout))  # JSON is YAML
    np.savez(tmp_path / "a.npz", joints=joints(), layout="mine.yaml")
    clip = read_plain(tmp_path / "a.npz")
    assert clip.frames_per_second == 50  # that layout is the user's own, and says so
    assert load_layout(clip.layout).name == "mine"


def test_write_and_read(tmp_path: Path) -> None:
    clip = SkeletonClip("c", joints(), "sbu15", 15.0, 4)
    back = read_plain(write_plain(clip, tmp_path / "deep" / "c.npz"))
    np.testing.assert_array_equal(back.joints, clip.joints)
    assert (back.layout, back.frames_per_second, back.label) == ("sbu15", 15.0, 4)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"joints": joints()[..., 0]}, r"shape \(4, 2, 15\)"),
        ({"joints": joints()[:0]}, "none of them empty"),
        ({"joints": joints() * np.nan}, "frame 0, entity 0, joint head: found a value that is not finite"),
        ({"joints": joints().astype(np.float64) * 1e60}, "not finite"),
        ({"joints": joints() * 0}, "zeros only"),
        ({"joints": np.full((4, 2, 15, 3), "1")}, "values of type"),
        ({"joints": np.ones((1, 65, 15, 3))}, "65 entities"),
        ({"frames_per_second": -3.0}, "positive number"),
        ({"frames_per_second": np.nan}, "positive number"),
        ({"frames_per_second": "fast"}, "positive number"),
        ({"frames_per_second": [1.0, 2.0]}, "2 values, expected one"),
        ({"layout": 3}, "give `layout`"),
        ({"layout": "a\0b.yaml"}, "layout"),
    ],
)
def test_bad_arrays(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_plain(write_npz(tmp_path / "a.npz", **arrays))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "broken JSON"),
        ("[1]", "found list"),
        ("[" * 100_000, "broken JSON"),
        ('{"joints": 3}', "an object with a list 'joints'"),
        ('{"joints": [3]}', "frame 0: found int"),
        ('{"joints": [[[1, 2], [3]]]}', "frame 0, entity 0"),
        ('{"joints": [[[[1, 2]], [[1, 2, 3]]]]}', "expected \\(1, 2\\), as before"),
        ('{"joints": [[[[1e999, 2]]]], "layout": "sbu15"}', "found 1 joints"),
        ('{"joints": [[null]], "layout": "sbu15"}', "shape"),
    ],
)
def test_bad_json(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_plain(tmp_path / "a.json", frames_per_second=10)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("frame,", "time,", "a column 'frame'"),
        ("head", "haed", "line 2: found joint 'haed'"),
        ("8,0,head", "7,0,head", "joint head again"),
        ("10,1,torso", "10,1,neck", "joint neck again"),
        ("7,0,head,", "7,0,head,nan,", "expected 6"),
        ("7,0,head,", "x,0,head,", "line 2: found frame 'x', expected a whole number"),
        ("10,1,right_foot", "1999999999,1,right_foot", "no joint right_foot"),
    ],
)
def test_bad_csv(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = csv_text(joints())
    assert old in text
    (tmp_path / "a.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        read_plain(tmp_path / "a.csv", "sbu15", 10)


def test_a_table_with_a_hole_of_years_takes_no_memory(tmp_path: Path) -> None:
    first, second = csv_text(joints(frames=1)), csv_text(joints(frames=1)).replace("\n7,", "\n2000000000,")
    (tmp_path / "a.csv").write_text(first + second.split("\n", 1)[1])
    with memory_below(4), pytest.raises(DataError, match="frames 7 to 2000000000"):
        read_plain(tmp_path / "a.csv", "sbu15", 10)


def test_one_frame_and_one_entity(tmp_path: Path) -> None:
    clip = read_plain(write_npz(tmp_path / "a.npz", joints=joints(1, 1)))
    assert clip.joints.shape == (1, 1, 15, 3)


def test_not_a_recording(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_plain(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"found a \.mp4 file"):
        read_plain(tmp_path / "a.mp4")


def _is_clip(value: Any) -> bool:
    return value is None or (isinstance(value, SkeletonClip) and bool(np.isfinite(value.joints).all()))


@FUZZ
@given(st.data())
def test_damaged_files(tmp_path: Path, data: st.DataObject) -> None:
    values = joints(2)
    write_npz(tmp_path / "whole.npz", joints=values)
    for name, content in (
        ("a.npz", (tmp_path / "whole.npz").read_bytes()),
        ("a.json", json_text(values).encode()),
        ("a.csv", csv_text(values).encode()),
    ):
        damage = data.draw(damaged(content))
        assert _is_clip(reads_or_says_why(lambda path: read_plain(path, "sbu15", 10), tmp_path / name, damage))
        assert _is_clip(reads_or_says_why(read_plain, tmp_path / name, damage))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
NESTED = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=20)


@FUZZ
@given(NESTED, NESTED, NESTED, NESTED)
def test_any_json(tmp_path: Path, joints_: Any, layout: Any, rate: Any, label: Any) -> None:
    value = {"joints": joints_, "layout": layout, "frames_per_second": rate, "label": label}
    for keys in (value, value | {"layout": "sbu15"}, value | {"joints": joints().tolist(), "layout": "sbu15"}):
        assert _is_clip(reads_or_says_why(read_plain, tmp_path / "a.json", json.dumps(keys).encode()))
