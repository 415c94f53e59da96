"""NumPy files from outside: sizes are checked against the bytes that are there."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged, memory_below, reads_or_says_why

from interplay.data.errors import DataError
from interplay.data.npy import open_npy, open_npz


def npy(array: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array))
    return stream.getvalue()


def header(description: str) -> bytes:
    text = description.encode() + b" " * (63 - (10 + len(description)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize("order", ["C", "F"])
def test_reads_what_numpy_wrote(tmp_path: Path, order: str) -> None:
    array = np.asarray(np.arange(24.0).reshape(2, 3, 4), order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(open_npy(tmp_path / "a.npy"), array)
    np.savez_compressed(tmp_path / "a.npz", joints=array, name="ntu25", empty=np.zeros((0, 3)))
    arrays = open_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(arrays["joints"], array)
    assert (str(arrays["name"]), arrays["empty"].size) == ("ntu25", 0)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ("(99999999, 99999999)", "<f4"),
        ("(10000000000000000000000000000,)", "<f4"),
        ("(-4, 2)", "<f4"),
        ("(2,)", "|O"),
        ("(2,)", "<f99"),
        ("(2,)", "<M8[s]"),
        ("2", "<f4"),
        ("(" * 200, "<f4"),
    ],
)
def test_absurd_headers(tmp_path: Path, shape: str, kind: str) -> None:
    content = header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}") + b"12345678"
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("joints.npy", content)
    with memory_below(8):
        with pytest.raises(DataError, match=r"a\.npy"):
            open_npy(tmp_path / "a.npy")
        with pytest.raises(DataError, match="array 'joints'"):
            open_npz(tmp_path / "a.npz")


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("joints.npy", npy(np.zeros(40_000_000, np.uint8)))
    with memory_below(4), pytest.raises(DataError, match="40000000 bytes announced, expected at most 1000"):
        open_npz(tmp_path / "a.npz", limit=1000)


@FUZZ
@given(st.data())
def test_damaged_files(tmp_path: Path, data: st.DataObject) -> None:
    array = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    result = reads_or_says_why(open_npy, tmp_path / "a.npy", data.draw(damaged(npy(array))))
    assert result is None or isinstance(result, np.ndarray)
    stream = io.BytesIO()
    np.savez(stream, joints=array, layout="ntu25")
    arrays = reads_or_says_why(open_npz, tmp_path / "a.npz", data.draw(damaged(stream.getvalue())))
    assert arrays is None or all(isinstance(value, np.ndarray) for value in arrays.values())
