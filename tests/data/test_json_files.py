"""JSON read piece by piece agrees with JSON read at once, and refuses what that refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged, memory_below

from interplay.data.errors import DataError
from interplay.data.json_files import read_elements, read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@FUZZ
@given(values=st.lists(VALUES, max_size=6), size=st.integers(1, 9), indent=st.sampled_from((None, 0, 2)))
def test_elements(tmp_path: Path, values: list[Any], size: int, indent: int | None) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps(values, indent=indent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("interplay.data.json_files._CHUNK", size)
        assert list(read_elements(path, "a list")) == values == read_json(path, "a list")


@FUZZ
@given(data=st.data())
def test_damaged(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(data.draw(damaged(json.dumps([{"a": [1, 2.5]}, "x", None, 3]).encode())))
    try:
        whole = read_json(path, "a list")
    except DataError:
        whole = None
    try:
        pieces = list(read_elements(path, "a list"))
    except DataError:
        return
    assert whole is None or repr(pieces) == repr(whole)  # what stands behind the list is not looked at


@pytest.mark.parametrize("text", ["", "{}", "[1,]", "[1 2]", "[,1]", "[1", "[1,", '["a', "7", "[" * 100_000])
def test_what_is_no_list(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(DataError):
        list(read_elements(path, "a list"))


def test_memory_for_one_element(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    path.write_text("[" + ",".join(['{"a": [1, 2, 3, 4], "b": "some text"}'] * 200_000) + "]")
    with memory_below(12):
        assert sum(1 for _ in read_elements(path, "a list")) == 200_000


def test_too_large_for_reading_at_once(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text("[1, 2, 3]")
    with pytest.raises(DataError, match="9 bytes, expected at most 8"):
        read_json(path, "a list", limit=8)
    with pytest.raises(DataError, match="no such file"):
        read_json(tmp_path / "none.json", "a list")
