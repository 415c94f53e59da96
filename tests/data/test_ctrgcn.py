"""CTR-GCN's npz: mapped, unpadded, checked."""

from __future__ import annotations

import contextlib
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged, memory_below

from interplay.data.cache import in_memory, prepare
from interplay.data.ctrgcn import CTRGCN
from interplay.data.datasets import SkeletonDataset, open_dataset
from interplay.data.errors import DataError
from interplay.data.ntu import names

EXCERPT = Path(__file__).parents[1] / "golden" / "excerpt" / "ntu_synthetic.npz"


def arrays(width: int = 11, lengths: tuple[int, ...] = (5, 300, 12, 1)) -> dict[str, np.ndarray]:
    """Two training and two test samples of random numbers, padded to 300 frames."""
    draw = np.random.default_rng(0)
    x = np.zeros((4, 300, 150), np.float32)
    for row, length in enumerate(lengths):
        x[row, :length] = draw.normal(size=(length, 150))
    y = np.eye(width)[[0, width - 1, 3, 2]]
    return {"x_train": x[:2], "y_train": y[:2], "x_test": x[2:], "y_test": y[2:]}


def write(path: Path, compressed: bool = False, **values: Any) -> Path:
    (np.savez_compressed if compressed else np.savez)(path, **values)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_samples_without_their_padding(tmp_path: Path, compressed: bool) -> None:
    values = arrays()
    dataset = open_dataset("ctrgcn", write(tmp_path / "NTU60_CS.npz", compressed, **values))
    assert isinstance(dataset, SkeletonDataset)
    assert list(dataset.ids) == ["train/0", "train/1", "test/0", "test/1"]
    assert {part: chosen.tolist() for part, chosen in dataset.parts().items()} == {"train": [0, 1], "test": [2, 3]}
    clips = [dataset.read(index) for index in range(4)]
    assert [clip.frames for clip in clips] == [5, 300, 12, 1]
    assert [clip.label for clip in clips] == [0, 10, 3, 2]
    assert clips[0].layout == "ntu25"
    # Columns are person, joint, xyz.
    assert np.array_equal(clips[2].joints[4, 1, 24], values["x_test"][0, 4, 147:150])
    other = pickle.loads(pickle.dumps(dataset))
    assert np.array_equal(other.read(1).joints, clips[1].joints)


def test_reference_clips_come_back_whole(tmp_path: Path) -> None:
    with np.load(EXCERPT) as archive:
        aligned, lengths = archive["aligned_ntu60"], archive["num_frames_final"]
    y = np.eye(60)[[54, 51]]
    path = write(tmp_path / "a.npz", x_train=aligned, y_train=y, x_test=aligned[:1], y_test=y[:1])
    dataset = CTRGCN(tmp_path)
    for index in range(2):
        clip = dataset.read(index)
        assert clip.frames == lengths[index]
        assert np.array_equal(clip.joints.reshape(-1, 150), aligned[index, : lengths[index]])
    assert dataset.classes[54] == "hugging"
    interactions = CTRGCN(path, interactions_only=True)
    assert interactions.classes == tuple(names.ACTIONS[action - 1] for action in names.INTERACTIONS_60)
    assert [interactions.read(index).label for index in range(3)] == [5, 2, 5]


@pytest.mark.parametrize(("width", "last"), [(11, 60), (26, 120), (60, 60), (120, 120)])
def test_classes_by_the_width_of_y(tmp_path: Path, width: int, last: int) -> None:
    dataset = CTRGCN(write(tmp_path / "a.npz", **arrays(width)))
    assert len(dataset.classes) == width
    assert dataset.classes[-1] == names.ACTIONS[last - 1]


def test_other_classes_by_number_or_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", **arrays(5))
    assert CTRGCN(path).classes == ("0", "1", "2", "3", "4")
    assert CTRGCN(path, classes=list("abcde")).classes == tuple("abcde")
    with pytest.raises(ValueError, match="2 names for 5 columns"):
        CTRGCN(path, classes=["a", "b"])
    with pytest.raises(ValueError, match="expected 60 or 120"):
        CTRGCN(path, interactions_only=True)


def test_a_large_file_is_mapped_not_loaded(tmp_path: Path) -> None:
    values = arrays()
    values["x_train"] = np.ones((300, 300, 150), np.float32)
    values["y_train"] = np.eye(11)[np.zeros(300, int)]
    path = write(tmp_path / "a.npz", **values)
    del values
    assert path.stat().st_size > 50e6
    with memory_below(5):
        dataset = CTRGCN(path)
        assert dataset.read(299).joints[7, 1, 3, 2] == 1


def test_a_compressed_file_is_unpacked_once_and_cleaned_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    dataset = CTRGCN(write(tmp_path / "a.npz", True, **arrays()))
    (folder,) = (tmp_path / "temporary").iterdir()
    assert len(list(folder.iterdir())) == 4
    dataset.read(0)
    del dataset
    assert not folder.exists()


def test_prepared_with_workers(tmp_path: Path) -> None:
    dataset = CTRGCN(write(tmp_path / "a.npz", **arrays()))
    cache = prepare(dataset, tmp_path / "cache", dtype="float32", workers=2)
    for index in range(4):
        assert np.array_equal(cache.clip(index).joints, dataset.read(index).joints)


def test_fingerprint(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", **arrays(60))
    first = CTRGCN(path).fingerprint()
    assert CTRGCN(path).fingerprint() == first
    assert CTRGCN(path, interactions_only=True).fingerprint() != first
    write(path, **arrays(26))
    assert CTRGCN(path).fingerprint() != first


def wrong(name: str) -> dict[str, Any]:
    values: dict[str, Any] = arrays()
    match name:
        case "no y_test":
            del values["y_test"]
        case "flat y":
            values["y_train"] = np.array([1, 2])
        case "not one-hot":
            values["y_train"] = np.ones((2, 11))
        case "nan in y":
            values["y_train"][1] = np.nan
        case "two in y":
            values["y_train"] = values["y_train"] * 2
        case "widths differ":
            values["y_test"] = np.eye(12)[:2]
        case "rows differ":
            values["y_test"] = np.eye(11)[:1]
        case "columns":
            values["x_train"] = np.zeros((2, 300, 75), np.float32)
        case "axes":
            values["x_test"] = np.zeros((2, 3, 300, 25, 2), np.float32)
        case "no frames":
            values["x_test"] = np.zeros((2, 0, 150), np.float32)
        case "objects":
            values["x_test"] = np.array([None, None])
        case "text":
            values["y_test"] = np.array(["a", "b"])
    return values


WRONG = ("no y_test", "flat y", "not one-hot", "nan in y", "two in y", "widths differ", "rows differ", "columns")
WRONG += ("axes", "no frames", "objects", "text")


@pytest.mark.parametrize("name", WRONG)
def test_files_of_another_form_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"a\.npz: "):
        CTRGCN(write(tmp_path / "a.npz", **wrong(name)))


def test_bad_samples_are_refused_when_read(tmp_path: Path) -> None:
    values = arrays()
    values["x_train"][0] = 0
    values["x_train"][1, 7, 3] = np.inf
    dataset = CTRGCN(write(tmp_path / "a.npz", **values))
    with pytest.raises(DataError, match="x_train row 0: found zeros only"):
        dataset.read(0)
    with pytest.raises(DataError, match="x_train row 1: found NaN or infinite"):
        dataset.read(1)
    assert len(in_memory(dataset)) == 2


def member(shape: str, data: bytes = b"") -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (118 - len(header) - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize("shape", ["(1000000000000, 300, 150)", "(-1, 300, 150)", "(2, 300, 150)", "(2**9, 1, 150)"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_headers_that_lie_about_the_size(tmp_path: Path, shape: str, compression: int) -> None:
    path = write(tmp_path / "a.npz", **arrays())
    values = arrays()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, value in values.items():
            buffer = io.BytesIO()
            np.save(buffer, value)
            archive.writestr(f"{name}.npy", member(shape, b"abcd") if name == "x_train" else buffer.getvalue())
    with memory_below(5), pytest.raises(DataError):
        CTRGCN(path)


def test_an_archive_that_unpacks_to_far_more_than_it_is_worth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interplay.data.ctrgcn._SMALL", 1000)
    monkeypatch.setattr("interplay.data.ctrgcn._LARGEST_EXPANSION", 100)
    values = arrays()
    values["x_train"] = np.zeros((2, 300, 150), np.float32)
    with pytest.raises(DataError, match="packed into"):
        CTRGCN(write(tmp_path / "a.npz", True, **values))


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        CTRGCN(tmp_path / "none.npz")
    with pytest.raises(DataError, match=r"0 \.npz files"):
        CTRGCN(tmp_path)
    write(tmp_path / "a.npz", **arrays())
    write(tmp_path / "b.npz", **arrays())
    with pytest.raises(DataError, match=r"2 \.npz files"):
        CTRGCN(tmp_path)


@pytest.fixture(scope="module")
def contents() -> list[bytes]:
    values = arrays(lengths=(3, 4, 3, 4))
    values["x_train"], values["x_test"] = values["x_train"][:, :5], values["x_test"][:, :5]
    result = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, **values)
        result.append(buffer.getvalue())
    return result


@FUZZ
@given(st.data(), st.sampled_from([0, 1]), st.booleans())
def test_any_damage_gives_clips_or_a_data_error(
    tmp_path: Path, contents: list[bytes], data: st.DataObject, which: int, directory: bool
) -> None:
    content = contents[which]
    if directory:  # the archive's own bookkeeping rather than the numbers
        start = len(content) - 400
        content = content[:start] + data.draw(damaged(content[start:]))
    else:
        content = data.draw(damaged(content[:200])) + content[200:]
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with memory_below(30), contextlib.suppress(DataError):
        dataset = CTRGCN(path)
        for index in range(len(dataset)):
            clip = dataset.read(index)
            assert clip.joints.shape[1:] == (2, 25, 3)
            assert np.isfinite(clip.joints).all()
