"""Any supported file as clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, reads_or_says_why

from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.data.plain import write_plain
from interplay.data.recordings import SUPPORTED, read_recording

GENERATOR = np.random.default_rng(0)


def hands(frames: int) -> list[dict[str, Any]]:
    points = GENERATOR.normal(size=(frames, 2, 21, 3)).round(3)
    return [{"landmarks": {"0": frame[0].tolist(), "1": frame[1].tolist()}} for frame in points]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    joints = GENERATOR.uniform(0.1, 1, (5, 2, 15, 3)).astype(np.float32)
    line = ",".join(["1"] * 91)
    (tmp_path / "skeleton_pos.txt").write_text(f"{line}\n{line.replace('1', '2', 1)}\n")
    np.save(tmp_path / "fold4_data.npy", np.pad(joints[None], [(0, 0), (0, 4)] + [(0, 0)] * 3).transpose(0, 4, 1, 3, 2))
    write_plain(SkeletonClip("x", joints, "sbu15", 25.0), tmp_path / "plain.npz")
    value = {"joints": joints.tolist(), "layout": "sbu15", "frames_per_second": 20}
    (tmp_path / "plain.json").write_text(json.dumps(value))
    (tmp_path / "poses.json").write_text("\n " + json.dumps(hands(4)))
    poses = GENERATOR.normal(size=(2, 3, 8, 21, 2)).astype(np.float32)
    np.savez(tmp_path / "hands.npz", poses=poses, names=["tr0_a1_v2_n3_len6_x.pkl", "va7_a2_v2_n3_len80_x.pkl"])
    return {path.name: path for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("name", "frames", "layout", "rate"),
    [
        ("skeleton_pos.txt", [2], "sbu15", 15),
        ("fold4_data.npy", [5], "sbu15", 15),
        ("plain.npz", [5], "sbu15", 25),
        ("plain.json", [5], "sbu15", 20),
        ("poses.json", [4], "assembly101_hand21", 60),
        ("hands.npz", [6, 8], "assembly101_hand21", 60),
    ],
)
def test_each_format(files: dict[str, Path], name: str, frames: list[int], layout: str, rate: float) -> None:
    clips = read_recording(files[name])
    assert [clip.frames for clip in clips] == frames
    assert {(clip.layout, clip.frames_per_second) for clip in clips} == {(layout, rate)}
    assert read_recording(files[name], layout, 12.5)[0].frames_per_second == 12.5
    with pytest.raises(DataError, match=r"layout|joints"):
        read_recording(files[name], "coco17")


def test_what_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found a folder"):
        read_recording(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_recording(tmp_path / "a.npz")
    (tmp_path / "film.mp4").write_bytes(b"x")
    with pytest.raises(DataError, match=r"found a \.mp4 file, expected \.skeleton"):
        read_recording(tmp_path / "film.mp4")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    with pytest.raises(DataError, match=r"found arrays \['weights'\]"):
        read_recording(tmp_path / "other.npz")
    np.save(tmp_path / "other.npy", np.zeros((3, 4)))
    with pytest.raises(DataError, match=r"found shape \(3, 4\)"):
        read_recording(tmp_path / "other.npy")
    with pytest.raises(ValueError, match="positive rate"):
        read_recording(tmp_path / "other.npy", frames_per_second=-1)


@FUZZ
@given(st.sampled_from([Path(f"x{part}").suffix for part in SUPPORTED.split(", ")]), st.binary(max_size=200))
def test_any_bytes_under_any_suffix(tmp_path: Path, suffix: str, content: bytes) -> None:
    reads_or_says_why(lambda path: read_recording(path, "sbu15", 10), tmp_path / f"a{suffix}", content)


def test_real_files(shared: Path) -> None:
    (handshake,) = read_recording(shared / "data" / "ntu" / "S001C003P008R002A058.skeleton")
    assert (handshake.joints.shape, handshake.frames_per_second) == ((70, 2, 25, 3), 30)
    assert len(read_recording(shared / "data" / "sbu" / "fold2_data.npy")) == 52
    assert [clip.frames for clip in read_recording(shared / "data" / "sbu_raw" / "skeleton_pos_2.txt")] == [29, 17]
    assert [clip.label for clip in read_recording(shared / "data" / "assembly101" / "train_fragment.npz")] == [
        1,
        89,
        2,
        25,
        25,
    ]


def test_the_examples_of_the_documentation_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    blocks = [block.split("```", 1)[0] for block in text.split("```python\n")[1:]]
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 3
    (layout,) = (block.split("```", 1)[0] for block in text.split("```yaml\n")[1:])
    (tmp_path / "stick6.yaml").write_text(layout)
    np.savez(tmp_path / "own.npz", joints=GENERATOR.normal(size=(3, 2, 6, 3)), layout="stick6.yaml")
    assert read_recording(tmp_path / "own.npz")[0].frames_per_second == 25
