"""Damaged, tiny, odd and very long videos through predict and evaluate: one line of what is wrong, or an answer."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.data.video_clips import encode, moving
from tests.video.made_up import random_model
from tests.video.test_run import tiny

from interplay.cli import main
from interplay.errors import InterplayError
from interplay.interactions import Prediction
from interplay.video.datamodule import VideoData, VideoInput
from interplay.video.run import train_recipe, videos_of

CLASSES = ["still", "moving"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("random") / "model", CLASSES)


def frame_folder(path: Path, frames: int, height: int, width: int) -> Path:
    path.mkdir(parents=True)
    for number, picture in enumerate(moving(frames, width, height), start=1):
        Image.fromarray(picture).save(path / f"{number:05d}.png")
    return path


def listed(folder: Path, clips: list[dict[str, Any]], **more: Any) -> None:
    (folder / "videos.json").write_text(json.dumps({"classes": CLASSES, "clips": clips, **more}))


def answers(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> tuple[list[Prediction], str]:
    assert main(["predict", *words, "--json", "-"]) == code
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return [Prediction.from_json(line) for line in printed.out.splitlines()], printed.err


def test_what_is_no_video_is_a_line_and_the_others_are_answered(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = encode(tmp_path / "good.mp4", 24)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "cut.mp4").write_bytes(good.read_bytes()[: good.stat().st_size // 2])  # its index was at the end
    (tmp_path / "words.webm").write_text("no video")
    (tmp_path / "nothing").mkdir()
    bad = ["empty.mp4", "cut.mp4", "words.webm", "nothing", "missing.mp4"]
    found, said = answers(capsys, 1, str(model), *(str(tmp_path / name) for name in bad), str(good))
    assert [one.input for one in found] == [str(good)]
    lines = said.splitlines()
    assert len(lines) == len(bad)
    for name, line in zip(bad, lines, strict=True):
        assert line.startswith("interplay: error: "), line
        assert name in line
    assert answers(capsys, 2, str(model), str(tmp_path / "empty.mp4"))[0] == []


def test_a_file_cut_short_is_answered_from_what_is_left(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = encode(tmp_path / "whole.avi", 24, "mpeg4")
    (tmp_path / "half.avi").write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    (found,), _ = answers(capsys, 0, str(model), str(tmp_path / "half.avi"))
    assert 1 <= found.details["frames"] < 24
    assert found.interactions[0].end == pytest.approx(found.details["frames"] / 12)


@pytest.mark.parametrize(("height", "width"), [(47, 33), (1, 1), (3, 200), (200, 3)])
def test_one_frame_of_any_size(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], height: int, width: int
) -> None:
    folder = frame_folder(tmp_path / "one", 1, height, width)
    (found,), _ = answers(capsys, 0, str(model), str(folder))
    assert (found.details["frames"], found.details["height"], found.details["width"]) == (1, height, width)
    assert found.details["shown"] == [0] * 4
    assert sum(score for _, score in found.interactions[0].alternatives) < 1


def test_cut_odd_and_long_files_are_evaluated(model: Path, tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.avi", 24, "mpeg4")
    (tmp_path / "cut.avi").write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    frame_folder(tmp_path / "odd", 7, 47, 33)
    encode(tmp_path / "long.mp4", moving(1500, 32, 32), options={"preset": "ultrafast", "g": "50"})
    files = ["cut.avi", "odd", "long.mp4"]
    listed(tmp_path, [{"file": name, "class": "still", "part": "test"} for name in files])
    words = ["evaluate", str(model), "--data", "plain_videos", "--data.root", str(tmp_path), "--strict"]
    assert main([*words, "--out", str(tmp_path / "scored")]) == 0
    found = json.loads((tmp_path / "scored" / "result.json").read_text())
    assert (found["count"], found["skipped"]) == (3, [])
    assert 0 <= found["metrics"]["top1"]["value"] <= 1


RESIDENT = """
import sys
from interplay.loading import load
model = load(sys.argv[1])
peaks = []
for video in sys.argv[2:]:
    found = model.predict(video)
    peaks += [int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(len(found.details["windows"]), *peaks)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of resident memory is read from /proc")
def test_a_long_file_takes_no_more_resident_memory_than_a_short_one(model: Path, tmp_path: Path) -> None:
    height, width, count = 270, 480, 280  # 109 MB of pixels
    options = {"preset": "ultrafast", "g": "10000"}  # one key frame
    few = moving(40, width, height)  # 3.3 s: scanned, too
    short = encode(tmp_path / "short.mp4", few, options=options)
    long = encode(tmp_path / "long.mp4", np.tile(few, (count // 40, 1, 1, 1)), options=options)
    command = [sys.executable, "-c", RESIDENT, str(model), str(short), str(long)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=400)
    windows, before, after = map(int, done.stdout.split())
    assert windows > 30
    assert after - before < 50, f"{before} MB, then {after} MB"


def test_ten_thousand_frames_in_little_memory(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    count, side = 10_000, 32
    video = encode(tmp_path / "long.mp4", moving(count, side, side), options={"preset": "ultrafast", "g": "50"})
    tracemalloc.start()
    (found,), _ = answers(capsys, 0, str(model), str(video), "--stride", "40")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < count * side * side * 3 / 4  # of the pixels
    assert found.details["frames"] == count
    assert len(found.details["windows"]) == pytest.approx(count / 480, abs=2)
    assert found.interactions[-1].end == pytest.approx(count / 12)


def test_lists_with_bad_clips_are_scored_without_them(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encode(tmp_path / "good.mp4", 24)
    frame_folder(tmp_path / "one", 1, 31, 17)
    (tmp_path / "empty.mp4").write_bytes(b"")
    files = ["good.mp4", "one", "empty.mp4", "missing.mp4"]
    listed(tmp_path, [{"file": name, "class": "still", "part": "test"} for name in files])
    words = ["evaluate", str(model), "--data", "plain_videos", "--data.root", str(tmp_path)]
    assert main([*words, "--out", str(tmp_path / "scored")]) == 0
    found = json.loads((tmp_path / "scored" / "result.json").read_text())
    assert found["count"] == 2
    assert [name for line in found["skipped"] for name in files if name in line] == ["empty.mp4", "missing.mp4"]
    assert "2 videos could not be used" in capsys.readouterr().out
    assert main([*words, "--strict"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_boxes_that_are_missing_or_outside(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A clip without boxes takes the grid; boxes beyond the frame are wrong, or cut at its border where it is told."""
    for name in ("with", "without", "outside", "empty"):
        encode(tmp_path / f"{name}.mp4", 12)
    boxes = {
        "with": [[[0.1, 0.1, 0.6, 0.6]]] * 12,
        "outside": [[[-0.4, 0.2, 1.7, 0.9], [2.0, 2.0, 3.0, 3.0]]] * 12,
        "empty": [[] for _ in range(12)],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    clips = [{"file": f"{name}.mp4", "class": "still", "part": "test"} for name in ("with", "without", "empty")]
    listed(tmp_path, [*clips, {"file": "outside.mp4", "class": "still", "part": "test"}], proposals="boxes.json")
    words = ["evaluate", str(model), "--data", "plain_videos", "--data.root", str(tmp_path)]
    assert main([*words, "--out", str(tmp_path / "scored")]) == 0
    found = json.loads((tmp_path / "scored" / "result.json").read_text())
    assert found["protocol"]["proposals"] == ["file", "grid"]
    assert found["count"] + len(found["skipped"]) == 4
    assert all("outside" in line for line in found["skipped"])
    assert "Traceback" not in capsys.readouterr().err


def test_missing_videos_are_dropped_before_training_and_reported_at_its_end(tmp_path: Path) -> None:
    clips: list[dict[str, Any]] = []
    for number in range(6):
        encode(tmp_path / f"{number}.mp4", 8)
        part = "test" if number > 3 else "train"
        clips.append({"file": f"{number}.mp4", "class": CLASSES[number % 2], "part": part})
    (tmp_path / "1.mp4").unlink()
    (tmp_path / "5.mp4").unlink()
    listed(tmp_path, clips)
    section = {"name": "plain_videos", "root": str(tmp_path)}
    data = VideoData(videos_of(section), VideoInput(frames=4, height=32, width=32, boxes=3, batch_size=2), 0)
    assert [len(data.parts[part]) for part in ("train", "test")] == [3, 1]
    assert set(data.unreadable) == {"1", "5"}  # known before the first epoch
    recipe = tiny(stage1__epochs=1, stage2__epochs=1, stage3__epochs=0, stage4__epochs=0, input__batch_size=2)
    result = train_recipe({**recipe, "data": section}, tmp_path / "run", quiet=True)
    assert set(result["unreadable"]) == {"1", "5"}
    assert all("no video" in line for line in result["unreadable"].values())
    assert result["count"] == {"train": 3, "test": 1}
    assert result["proposals"] == {"grid": 4}
    told = [json.dumps(result["protocol"])]
    told += [(tmp_path / "run" / "model" / name).read_text() for name in ("config.json", "README.md")]
    assert "Boxes: grid 4 clips." in told[-1]
    assert not any(str(tmp_path) in text for text in told)  # what travels says nothing of this machine
    for number in range(4):
        (tmp_path / f"{number}.mp4").unlink(missing_ok=True)
    with pytest.raises(InterplayError, match=r"found no train clips, expected some: .*no video"):
        VideoData(videos_of(section), VideoInput(frames=4, height=32, width=32), 0)
