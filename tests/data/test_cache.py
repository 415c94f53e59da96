"""The clip cache: what it keeps, how it is interrupted, continued and damaged."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged
from tests.data.fake_dataset import FakeDataset
from tests.signals import heard

from interplay.data import cache as cache_module
from interplay.data.cache import ClipCache, default_folder, in_memory, prepare
from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.errors import InterplayError

SCRIPT = Path(__file__).with_name("fake_dataset.py")
ROOT = Path(__file__).parents[2]


def same_clip(ours: SkeletonClip, theirs: SkeletonClip) -> None:
    assert (ours.id, ours.label, ours.layout) == (theirs.id, theirs.label, theirs.layout)
    assert ours.frames_per_second == theirs.frames_per_second
    assert dict(ours.meta) == dict(theirs.meta)
    assert ours.joints.dtype == np.float32
    assert ours.joints.shape == theirs.joints.shape


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".lock"}


def script(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), str(folder), *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stderr=pipe, stdout=pipe, text=True, start_new_session=True)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_clips_come_back(tmp_path: Path, dtype: str) -> None:
    dataset = FakeDataset()
    cache = prepare(dataset, tmp_path / "cache", dtype=dtype)
    assert len(cache) == 40
    assert list(cache.ids) == list(dataset.ids)
    assert (cache.classes, cache.entity_names, cache.frames_per_second) == (dataset.classes, ("person",) * 2, 30.0)
    assert cache.layout == dataset.layout
    assert cache.dtype == dtype
    for index in range(40):
        ours, theirs = cache.clip(index), dataset.read(index)
        same_clip(ours, theirs)
        assert cache.lengths[index] == theirs.frames
        assert cache.labels[index] == (-1 if theirs.label is None else theirs.label)
        error = np.abs(ours.joints - theirs.joints)
        bound = 0.0 if dtype == "float32" else np.maximum(np.abs(theirs.joints) * 2.0**-11, 2.0**-25)
        assert (error <= bound).all(), "the error bound that the documentation states"
    for part, chosen in dataset.parts().items():
        assert cache.parts()[part].tolist() == chosen.tolist()


def test_no_padding(tmp_path: Path) -> None:
    """24,732 clips of 80 frames stay below 0.8 GB: the data are the coordinates, and the index is small."""
    cache = prepare(FakeDataset(60), tmp_path)
    sizes = {path.suffix: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes[".bin"] == int(cache.lengths.sum()) * 150 * 2
    assert 24_732 * (80 * 150 * 2 + sizes[".json"] / len(cache)) < 0.8e9


def test_in_memory_has_the_same_interface_and_exact_values() -> None:
    dataset = FakeDataset(12, bad=(3,))
    cache = in_memory(dataset)
    assert isinstance(cache, ClipCache)
    assert cache.skipped[0][0] == "clip é 3"
    for row, index in enumerate(index for index in range(12) if index != 3):
        same_clip(cache.clip(row), dataset.read(index))
        assert np.array_equal(cache.clip(row).joints, dataset.read(index).joints)
    assert [cache.ids[index] for index in cache.parts()["test"]] == ["clip é 0", "clip é 6", "clip é 9"]
    with pytest.raises(DataError, match=r"clip é 3.*line 3"):
        in_memory(dataset, strict=True)
    again = pickle.loads(pickle.dumps(cache))
    assert np.array_equal(again.clip(5).joints, cache.clip(5).joints)


def test_worker_processes_write_the_same_bytes(tmp_path: Path) -> None:
    prepare(FakeDataset(70, bad=(9,)), tmp_path / "one", workers=1)
    prepare(FakeDataset(70, bad=(9,)), tmp_path / "three", workers=3)
    assert content(tmp_path / "one") == content(tmp_path / "three")
    assert len(content(tmp_path / "one")) == 2, "nothing but data and index is left"


def test_a_finished_cache_is_opened_not_read_again(tmp_path: Path) -> None:
    prepare(FakeDataset(), tmp_path)
    before = content(tmp_path)
    dataset = FakeDataset()
    prepare(dataset, tmp_path)
    assert dataset.read_indices == []
    assert content(tmp_path) == before


def test_changed_data_or_dtype_replace_it(tmp_path: Path) -> None:
    prepare(FakeDataset(10), tmp_path)
    changed = FakeDataset(10, scale=2.0)
    cache = prepare(changed, tmp_path, dtype="float32")
    assert np.array_equal(cache.clip(4).joints, changed.read(4).joints)
    assert prepare(FakeDataset(10, scale=2.0), tmp_path).dtype == "float16"
    assert len([name for name in content(tmp_path) if name.endswith(".bin")]) == 1


def test_another_split_shares_the_cache(tmp_path: Path) -> None:
    prepare(FakeDataset(9), tmp_path)
    dataset = FakeDataset(9)
    dataset.parts = lambda: {"train": np.array([8, 1]), "validation": np.array([0])}  # type: ignore[method-assign]
    parts = prepare(dataset, tmp_path).parts()
    assert {part: chosen.tolist() for part, chosen in parts.items()} == {"train": [8, 1], "validation": [0]}
    assert dataset.read_indices == []


def test_bad_clips_are_listed_or_fatal(tmp_path: Path) -> None:
    dataset = FakeDataset(10, bad=(2, 7))
    cache = prepare(dataset, tmp_path / "lenient")
    assert [name for name, _ in cache.skipped] == ["clip é 2", "clip é 7"]
    assert "line 3: found nothing, expected something" in cache.skipped[0][1]
    assert len(cache) == 8
    assert [cache.ids[index] for index in cache.parts()["test"]] == ["clip é 0", "clip é 3", "clip é 6", "clip é 9"]
    assert ClipCache.open(tmp_path / "lenient").skipped == cache.skipped
    for folder in ("lenient", "strict", "strict"):  # finished, new, and interrupted by the first refusal
        with pytest.raises(DataError, match="clip é 2"):
            prepare(FakeDataset(10, bad=(2, 7)), tmp_path / folder, strict=True)
    with pytest.raises(DataError, match=r"3 unreadable clips; the first: clip0\.skeleton"):
        prepare(FakeDataset(3, bad=(0, 1, 2)), tmp_path / "none")


def test_interrupted_and_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "CHUNK", 4)
    prepare(FakeDataset(30), tmp_path / "whole")
    for stop in (1, 9, 22):
        with pytest.raises(KeyboardInterrupt):
            prepare(FakeDataset(30, stop_at=stop), tmp_path / "parts")
        with pytest.raises(DataError, match="prepare it first"):
            ClipCache.open(tmp_path / "parts")
    dataset = FakeDataset(30)
    prepare(dataset, tmp_path / "parts")
    assert dataset.read_indices == list(range(20, 30)), "chunks that were whole are not read again"
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


def test_damaged_leftovers_of_an_interruption_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "CHUNK", 4)
    prepare(FakeDataset(30), tmp_path / "whole")
    for damage in ("short data", "other data", "short journal", "no journal", "no data", "noise"):
        folder = tmp_path / damage
        with pytest.raises(KeyboardInterrupt):
            prepare(FakeDataset(30, stop_at=25), folder)
        (data,), (journal,) = folder.glob("*.partial"), folder.glob("*.journal")
        match damage:
            case "short data":
                data.write_bytes(data.read_bytes()[:-1001])
            case "other data":
                data.write_bytes(data.read_bytes()[:5000] + b"x" + data.read_bytes()[5001:])
            case "short journal":
                journal.write_bytes(journal.read_bytes()[:-20])
            case "no journal":
                journal.unlink()
            case "no data":
                data.unlink()
            case "noise":
                journal.write_bytes(journal.read_bytes() + b'{"lengths": -5}\n[]\n{"ids": 3}\n')
        prepare(FakeDataset(30), folder)
        assert content(folder) == content(tmp_path / "whole"), damage


def test_stopped_between_the_data_and_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(FakeDataset(30), tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "write_index", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare(FakeDataset(30), tmp_path / "parts")
    dataset = FakeDataset(30)
    prepare(dataset, tmp_path / "parts")
    assert dataset.read_indices == []
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_and_continued(tmp_path: Path, how: signal.Signals) -> None:
    prepare(FakeDataset(120), tmp_path / "whole", workers=1)
    with heard(signal.SIGINT):
        killed = script(tmp_path / "parts", "--count", "120", "--seconds", "0.02", "--workers", "2")
    journal: list[Path] = []
    deadline = time.monotonic() + 60
    while not (journal and journal[0].stat().st_size > 2000) and time.monotonic() < deadline:
        time.sleep(0.02)
        journal = list((tmp_path / "parts").glob("*.journal"))
    children = psutil.Process(killed.pid).children(recursive=True)
    os.killpg(killed.pid, how) if how == signal.SIGINT else killed.send_signal(how)  # Ctrl-C reaches the group
    killed.communicate()
    assert journal, "it was killed before it had begun"
    assert journal[0].stat().st_size > 2000
    assert children, "the workers were running"
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive, "workers outlive a killed parent"
    with pytest.raises(DataError):
        ClipCache.open(tmp_path / "parts")
    dataset = FakeDataset(120)
    prepare(dataset, tmp_path / "parts", workers=1)
    assert 0 < len(dataset.read_indices) < 120, "it continued"
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


def test_two_processes_prepare_the_same_folder(tmp_path: Path) -> None:
    """As the ranks of a distributed run do: one reads, the other waits and opens."""
    both = [script(tmp_path / "shared", "--seconds", "0.01") for _ in range(2)]
    for process in both:
        assert process.communicate(timeout=60)[1] == ""
        assert process.returncode == 0
    prepare(FakeDataset(), tmp_path / "whole")
    assert content(tmp_path / "shared") == content(tmp_path / "whole")


def test_full_disk_is_one_line_and_can_be_continued(tmp_path: Path) -> None:
    done = script(tmp_path / "full", "--file_limit", "20000")
    _, errors = done.communicate(timeout=60)
    assert done.returncode == 1
    last = errors.strip().splitlines()[-1]
    assert last.startswith("interplay.errors.InterplayError: ")
    assert str(tmp_path / "full") in last
    assert "cannot write the cache" in last
    prepare(FakeDataset(), tmp_path / "full")
    prepare(FakeDataset(), tmp_path / "whole")
    assert content(tmp_path / "full") == content(tmp_path / "whole")


def test_target_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InterplayError, match=r"file.*cannot write the cache"):
        prepare(FakeDataset(), tmp_path / "file" / "cache")


def test_coordinates_beyond_float16_are_refused_not_made_infinite(tmp_path: Path) -> None:
    dataset = FakeDataset(5, scale=60_000.0)
    with pytest.raises(InterplayError, match=r"clip é 0.*float16.*float32"):
        prepare(dataset, tmp_path)
    cache = prepare(dataset, tmp_path, dtype="float32")
    assert np.isfinite(cache.clip(0).joints).all()


def test_clips_that_no_cache_can_hold_are_bad_clips(tmp_path: Path) -> None:
    class Odd(FakeDataset):
        def read(self, index: int) -> SkeletonClip:
            clip = super().read(index)
            joints = clip.joints.copy()
            if index == 1:
                joints[0, 0, 0, 0] = np.nan
            if index == 2:
                joints = joints[:, :, :20]
            if index == 3:
                joints = joints[:0]
            return SkeletonClip(clip.id, joints, clip.layout, clip.frames_per_second, clip.label, clip.meta)

    cache = prepare(Odd(5), tmp_path)
    assert len(cache) == 2
    assert ["NaN" in cache.skipped[0][1], "20 joints" in cache.skipped[1][1], "0 frames" in cache.skipped[2][1]] == [
        True
    ] * 3


def test_arguments_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="float16, float32"):
        prepare(FakeDataset(), tmp_path, dtype="int8")
    with pytest.raises(ValueError, match="workers 0"):
        prepare(FakeDataset(), tmp_path, workers=0)
    cache = in_memory(FakeDataset(3))
    with pytest.raises(IndexError):
        cache.clip(3)
    assert cache.clip(-1).id == "clip é 2"


def test_stored_coordinates_are_read_only_views(tmp_path: Path) -> None:
    cache = prepare(FakeDataset(5), tmp_path)
    view = cache.joints(2)
    assert view.dtype == np.float16
    assert not view.flags.writeable
    assert cache.clip(2).joints.flags.writeable
    copy = pickle.loads(pickle.dumps(cache))
    assert np.array_equal(copy.joints(2), view)
    assert len(pickle.dumps(cache)) < 10_000


def test_silent_unless_on_a_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    prepare(FakeDataset(), tmp_path)
    assert capfd.readouterr() == ("", "")


def test_progress_on_a_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    prepare(FakeDataset(), tmp_path / "shown")
    assert "40/40" in capfd.readouterr().err
    prepare(FakeDataset(), tmp_path / "hidden", progress=False)
    assert capfd.readouterr().err == ""


def test_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INTERPLAY_CACHE", str(tmp_path))
    folder = default_folder(FakeDataset())
    assert folder.parent == tmp_path
    assert folder.name.startswith("fake-")
    assert default_folder(FakeDataset(version="2")) != folder
    prepare(FakeDataset(3))
    assert len(ClipCache.open(default_folder(FakeDataset(3)))) == 3
    monkeypatch.delenv("INTERPLAY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if sys.platform == "linux":
        assert default_folder(FakeDataset()).parent == tmp_path / "xdg" / "interplay"


def test_damage_to_a_finished_cache(tmp_path: Path) -> None:
    prepare(FakeDataset(10), tmp_path)
    (data,) = tmp_path.glob("*.bin")
    original = data.read_bytes()
    data.write_bytes(original[:-1])
    with pytest.raises(DataError, match=f"found {len(original) - 1} bytes, expected {len(original)} bytes"):
        ClipCache.open(tmp_path)
    data.write_bytes(original[:100] + bytes([original[100] ^ 1]) + original[101:])
    cache = ClipCache.open(tmp_path)
    with pytest.raises(DataError, match="clip é 0: found other bytes"):
        cache.clip(0)
    with pytest.raises(DataError, match="clip é 0"):
        cache.verify()
    assert cache.clip(5).frames
    data.unlink()
    with pytest.raises(DataError, match="no such file"):
        ClipCache.open(tmp_path)
    assert len(prepare(FakeDataset(10), tmp_path)) == 10, "a damaged cache is prepared again"
    ClipCache.open(tmp_path).verify()
    with pytest.raises(DataError, match="no index"):
        ClipCache.open(tmp_path / "nowhere")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    prepare(FakeDataset(4), folder)
    return folder


@FUZZ
@given(st.data(), st.booleans())
def test_any_damage_to_the_index_is_a_data_error(finished: Path, data: st.DataObject, signed: bool) -> None:
    import hashlib

    index = finished / "index.json"
    original = index.read_bytes()
    try:
        body = original.partition(b"\n")[2].rstrip(b"\n")
        if signed:  # somebody meant it: the checksum fits
            body = data.draw(damaged(body))
            index.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body + b"\n")
        else:
            index.write_bytes(data.draw(damaged(original)))
        try:
            cache = ClipCache.open(finished)
            for position in range(len(cache)):
                assert cache.clip(position).joints.shape[0] == cache.lengths[position]
        except DataError:
            pass
    finally:
        index.write_bytes(original)
