"""Pickles are read without running anything."""

from __future__ import annotations

import contextlib
import os
import pickle
import struct
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged, memory_below

from interplay.data import unpickler
from interplay.data.errors import DataError
from interplay.data.unpickler import load_pickle, load_pickle_bytes

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def same(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, np.dtype):
        assert ours == theirs
        return
    assert type(ours) is type(theirs)
    if isinstance(theirs, np.ndarray):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key, value in theirs.items():
            same(ours[key], value)
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            same(one, other)
    else:
        assert ours == theirs or (ours != ours and theirs != theirs)


ARRAYS = [
    np.arange(6, dtype=np.float16).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(5000, dtype=np.float32).reshape(50, 2, 50),
    np.arange(3, dtype=">i4"),
    np.array(3.5),
    np.zeros((0, 3)),
    np.array([True, False]),
    np.array(["kick", "é"]),
    np.array([b"ab", b"c"]),
    np.array([1 + 2j]),
    np.arange(10)[::2],
    np.arange(8, dtype=np.uint8).reshape(2, 2, 2).transpose(2, 0, 1),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_data_sets_are_made_of(protocol: int) -> None:
    shared = np.arange(4.0)
    value = {
        "split": {"xsub_train": ["S001", "S002"], "empty": []},
        "annotations": [{"frame_dir": "S001", "label": 7, "keypoint": array} for array in ARRAYS],
        "numbers": [0, 1, -1, 255, 256, 65536, -(2**31), 2**31, 2**70, -(2**70), 1.5, float("inf"), True, None],
        "bytes": [b"", b"abc", b"x" * 5000, (b"y" * 5000, b"z"), bytearray(b"q" * 3000), bytearray(), bytearray(b"w")],
        "text": ["", "é", "line\nbreak", "\U0001f600" * 3, "t" * 3000],
        "sets": [{1, 2}, frozenset("ab"), set()],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, (4,))],
        "scalars": [np.float32(2.5), np.int64(-3), np.bool_(True), 1 + 2j],
        "dtype": np.dtype(">f4"),
        "twice": [shared, shared],
        3: "key",
        (1, "a"): "key",
    }
    ours = load_pickle_bytes(pickle.dumps(value, protocol))
    same(ours, value)
    assert ours["twice"][0] is ours["twice"][1]


def test_numpy_1_module_names() -> None:
    for protocol in PROTOCOLS:
        modern = pickle.dumps([np.arange(3), np.float32(1)], protocol)
        for old, new in ((b"numpy._core.", b"numpy.core."),):
            classic = modern
            if protocol < 4:
                classic = modern.replace(old, new)
            else:  # text with a length before it
                for name in (b"numpy._core.multiarray", b"numpy._core.numeric"):
                    shorter = name.replace(old, new)
                    classic = classic.replace(bytes([len(name)]) + name, bytes([len(shorter)]) + shorter)
                start = classic.index(b"\x95") + 1
                classic = classic[:start] + struct.pack("<Q", len(classic) - start - 8) + classic[start + 8 :]
            same(load_pickle_bytes(classic), [np.arange(3), np.float32(1)])


def test_python_2_pickles() -> None:
    """An array and labels as Python 2 and NumPy 1 wrote them: text and bytes were one type."""
    content = (
        b"\x80\x02}q\x00(U\x05labelq\x01]q\x02(K\x01K\x02eU\x04dataq\x03cnumpy.core.multiarray\n_reconstruct\nq\x04"
        b"cnumpy\nndarray\nq\x05K\x00\x85U\x01b\x87Rq\x06(K\x01K\x02\x85cnumpy\ndtype\nq\x07U\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08\x00\x00\x80?\x00\x00\x00\xc0tbu."
    )
    same(load_pickle_bytes(content), {"label": [1, 2], "data": np.array([1, -2], np.float32)})
    same(load_pickle_bytes(b"(lp0\nS'a\\'b'\np1\naI5\naL7L\naI01\naF2.5\naV\\u00e9\na."), ["a'b", 5, 7, True, 2.5, "é"])
    same(load_pickle_bytes(b"(dp0\nS'k'\n(I1\nI2\ntp1\ns."), {"k": (1, 2)})


class Evil:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path, protocol: int) -> None:
    trace, path = tmp_path / "ran", tmp_path / "evil.pkl"
    for value in (Evil(str(trace)), [1, {"a": (Evil(str(trace)),)}]):
        path.write_bytes(pickle.dumps(value, protocol))
        with pytest.raises(DataError, match=r"evil\.pkl: byte \d+: found a call for (posix|nt)\.system"):
            load_pickle(path)
        assert not trace.exists()
    pickle.loads(pickle.dumps(Evil(str(trace)), protocol))
    assert trace.exists(), "the real thing would have run it"


REFUSED = {
    "builtins eval": b"cbuiltins\neval\n(S'1'\ntR.",
    "getattr": b"cbuiltins\ngetattr\n.",
    "instance": b"(i__main__\nEvil\n.",
    "object": b"(cos\nsystem\no.",
    "newobj": b"\x80\x02cbuiltins\nset\n)\x81.",
    "extension": b"\x80\x02\x82\x01.",
    "persistent": b"Pid\n.",
    "out of band": b"\x80\x05\x97.",
    "constructor as result": b"cnumpy\ndtype\n.",
    "constructor in a list": b"]cnumpy\ndtype\na.",
    "constructor in a tuple": b"cnumpy\ndtype\n\x85.",
    "constructor in a dict": b"}I1\ncnumpy\ndtype\ns.",
    "array without content": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR.",
    "call of a value": b"])R.",
    "call with other arguments": b"c_codecs\nencode\n(S'abc'\nS'rot13'\ntR.",
    "state for a dict": b"}}b.",
    "protocol 9": b"\x80\x09N.",
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(DataError):
        load_pickle_bytes(REFUSED[name])


@pytest.mark.parametrize(
    "value",
    [
        np.array([{"a": 1}, None], dtype=object),
        np.zeros(2, [("x", "f4")]),
        np.array(["2020-01-01"], "M8[D]"),
        OrderedDict(a=1),
        Fraction(1, 2),
        Path("x"),
        range(3),
        DataError("a", "b", "c", "d"),
        np.float64,
        {(1, (2,)): 1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_types_are_refused(value: Any) -> None:
    for protocol in (2, 4, 5):
        with pytest.raises(DataError):
            load_pickle_bytes(pickle.dumps(value, protocol))


HOSTILE = {
    "announced bytes": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.",
    "announced text": b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7f.",
    "announced array": b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f.",
    "absurd shape": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(L99999999999999L\ntcnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS''\ntb."
    ),
    "empty elements": b"cnumpy\ndtype\n(S'S0'\nI0\nI1\ntR.",
    "long integer": b"\x80\x02\x8b\xff\xff\xff\x00" + b"\x01" * 100 + b".",
    "decimal integer": b"L" + b"9" * 100_000 + b"L\n.",
    "text copied again and again": b"U\xff"
    + b"a" * 255
    + b"q\x00"
    + (b"c_codecs\nencode\n(h\x00S'latin1'\ntR0") * 20
    + b"h",
    "no end": b"]" * 100,
    "nothing": b"",
    "deep tuple as a key": b"}" + b")" + b"\x85" * 100_000 + b"Ns.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sizes_cost_nothing(name: str) -> None:
    with memory_below(30), pytest.raises(DataError):
        load_pickle_bytes(HOSTILE[name])


def test_a_large_memo_index_costs_nothing() -> None:
    with memory_below(1):
        assert load_pickle_bytes(b"\x80\x02]r\xff\xff\xff\x7f0j\xff\xff\xff\x7f.") == []


def test_copies_of_what_is_there_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpickler, "MOST_OBJECTS", 50_000)
    text = b"X" + struct.pack("<I", 1_000_000) + b"a" * 1_000_000 + b"q\x000"
    with memory_below(10), pytest.raises(DataError, match="more than 50000 objects"):
        load_pickle_bytes(b"\x80\x02]" + text + b"c_codecs\nencode\n(h\x00U\x06latin1tRa" * 10_000 + b".")
    big = b"B" + struct.pack("<I", 1_000_000) + b"a" * 1_000_000 + b"q\x000"
    with memory_below(10), pytest.raises(DataError, match="more than 50000 objects"):
        load_pickle_bytes(b"\x80\x03]" + big + b"h\x00a" * 10_000 + b".")
    many = b"\x80\x02](" + b"K\x01" * 1000 + b"e" + b"q\x000]" + b"cbuiltins\nset\nh\x00\x85Ra" * 10_000 + b"."
    with pytest.raises(DataError, match="more than 50000 objects"):
        load_pickle_bytes(many)


def test_deep_nesting_ends_well() -> None:
    value = load_pickle_bytes(b"N" + b"\x85" * 200_000 + b".")
    for _ in range(200_000):
        (value,) = value
    assert value is None


def test_arrays_are_views_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "big.pkl"
    path.write_bytes(pickle.dumps([np.ones((1000, 1000), np.float32), np.zeros((2000, 1000), np.float32)], 4))
    with memory_below(1):
        ones, zeros = load_pickle(path)
        assert zeros.shape == (2000, 1000)
        assert ones[500, 3] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        ones[0, 0] = 2


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.sampled_from(ARRAYS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
    ),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(VALUES, st.sampled_from(PROTOCOLS))
def test_any_admitted_value_in_any_protocol(value: Any, protocol: int) -> None:
    same(load_pickle_bytes(pickle.dumps(value, protocol)), value)


SAMPLE = {"split": {"a": ["x"]}, "list": [(1, 2.5), {"k": np.arange(6, dtype=np.float16).reshape(2, 3)}, b"abc", {1}]}


@FUZZ
@given(st.data(), st.sampled_from(PROTOCOLS))
def test_any_damage_gives_a_value_or_a_data_error(data: st.DataObject, protocol: int) -> None:
    content = data.draw(damaged(pickle.dumps(SAMPLE, protocol)))
    with memory_below(30), contextlib.suppress(DataError):
        load_pickle_bytes(content)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([bytes([code]) for code in range(256)]) | st.binary(max_size=6), max_size=30))
def test_noise_gives_a_value_or_a_data_error(pieces: list[bytes]) -> None:
    with memory_below(30), contextlib.suppress(DataError):
        load_pickle_bytes(b"".join(pieces))


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.pkl").touch()
    for path in (tmp_path / "none.pkl", tmp_path, tmp_path / "empty.pkl"):
        with pytest.raises(DataError):
            load_pickle(path)


def test_real_labels(shared: Path) -> None:
    labels = load_pickle(shared / "data" / "sbu" / "fold1_label.pkl")
    assert isinstance(labels, list)
    assert all(type(label) is int and 0 <= label < 8 for label in labels)
