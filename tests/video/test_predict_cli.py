"""``interplay predict`` for videos: what it draws and where, detectors, devices, and the real clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.data.video_clips import encode, moving
from tests.video.made_up import random_model
from tests.video.test_one_pass import Bright

from interplay.cli import main
from interplay.cli.predict_videos import drawing_places
from interplay.data.video_files import open_video
from interplay.errors import InterplayError
from interplay.interactions import Prediction
from interplay.video.proposal_network import ProposalSettings


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("random") / "model", ["still", "moving"])


def answers(file: Path) -> list[Prediction]:
    return [Prediction.from_json(line) for line in file.read_text().splitlines()]


def test_clips_and_a_long_video_are_drawn(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = encode(tmp_path / "a.mp4", 12)
    long = encode(tmp_path / "long.mp4", moving(60))
    words = ["predict", str(model), str(clip), str(long), "--draw", str(tmp_path / "drawn")]
    assert main([*words, "--json", str(tmp_path / "answers.jsonl")]) == 0
    said = capsys.readouterr().err.splitlines()
    files = [Path(line.removeprefix("drawn: ")) for line in said]
    for file, source, frames in zip(files, (clip, long), (12, 60), strict=True):
        drawn = open_video(file)
        assert (drawn.frame_count, drawn.frames_per_second) == (frames, 12)
        assert drawn.width >= 480  # made large enough to read
        # The video's own pixels are there, and boxes over them.
        shown, own = drawn.read([0])[0], open_video(source).read([0])[0]
        scale = drawn.width // own.shape[1]
        large = own.repeat(scale, 0).repeat(scale, 1).astype(int)
        rows = range(len(shown) - len(large) + 1)  # text above or below
        apart = [np.abs(shown[row : row + len(large)].astype(int) - large) for row in rows]
        best = min(apart, key=lambda one: float(np.median(one[::8, ::8])))
        assert np.median(best) < 12
        assert best.max() > 60
    one, many = answers(tmp_path / "answers.jsonl")
    assert len(one.interactions) == 1
    assert len(many.details["windows"]) > 5


def test_inputs_of_one_name_are_drawn_apart_and_none_over_an_input(tmp_path: Path) -> None:
    places = drawing_places(["a.mp4", "a.mkv", "b/c.mp4", "b_c.avi", "b_c.mp4", "d.mp4", "d.mp4"], Path("out"))
    assert {name: place.name for name, place in places.items()} == {
        "a.mp4": "a_mp4",
        "a.mkv": "a_mkv",
        "b/c.mp4": "b_c_mp4",
        "b_c.avi": "b_c_avi",
        "b_c.mp4": "b_c_mp4_2",
        "d.mp4": "d",
    }
    own = str(tmp_path / "a.mp4")
    stem = str(tmp_path / "a").strip("/").replace("/", "_")
    assert drawing_places([own], tmp_path)[own].name == stem
    assert drawing_places([f"{stem}.mp4"], Path())[f"{stem}.mp4"].name == f"{stem}_drawn"


def test_a_drawing_that_fails_ends_nothing_else(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = [encode(tmp_path / f"{name}.mp4", 6) for name in "ab"]

    def failing(*given: object) -> Path:
        if str(given[3]).endswith("a"):
            raise InterplayError("cannot write a.mp4: the disk is full")
        return Path("b.mp4")

    monkeypatch.setattr("interplay.studies.video_drawing.draw_video", failing)
    words = ["predict", str(model), *map(str, inputs), "--draw", str(tmp_path / "drawn")]
    assert main([*words, "--json", str(tmp_path / "answers.jsonl")]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == ["interplay: error: cannot write a.mp4: the disk is full", "drawn: b.mp4"]
    assert [one.input for one in answers(tmp_path / "answers.jsonl")] == list(map(str, inputs))


def test_boxes_of_a_detector_are_drawn(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[ProposalSettings] = []

    def made(settings: ProposalSettings) -> Bright:
        asked.append(settings)
        return Bright(settings, random=True)

    monkeypatch.setattr("interplay.video.proposal_network.ProposalNetwork", made)
    clips = [encode(tmp_path / "a.mp4", moving(3, 48, 32)), encode(tmp_path / "long.mp4", moving(60, 48, 32))]
    words = ["predict", str(model), *map(str, clips), "--proposals", "rpn", "--draw", str(tmp_path / "drawn")]
    assert main(words) == 0
    assert [(one.detector, one.boxes) for one in asked] == [("COCO_V1", 3)]
    assert capsys.readouterr().out.count("region proposals of a detector") == 2
    assert len(list((tmp_path / "drawn").iterdir())) == 2


@pytest.mark.parametrize("verb", ["predict", "evaluate", "data"])
def test_a_device_that_is_none_is_one_line(
    model: Path, tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clips" / "x").mkdir(parents=True)
    clip = encode(tmp_path / "clips" / "x" / "a.mp4", 3)
    words = {
        "predict": ["predict", str(model), str(clip)],
        "evaluate": ["evaluate", str(model), "--data", "video_folder", "--data.root", str(tmp_path / "clips")],
        "data": ["data", "proposals", "video_folder", str(tmp_path / "clips"), "--data.folds", "1"],
    }[verb]
    if verb == "data":
        words += ["--detector", str(tmp_path / "none.pth"), "--out", str(tmp_path / "boxes")]
    assert main([*words, "--device", "nonsense"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("interplay: error: device: found 'nonsense', which cannot be used")
    assert said.count("\n") == 1


def test_the_real_clips_are_predicted_and_drawn(
    shared: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = sorted((shared / "data" / "clips").glob("*.mp4"))
    assert clips, f"no mp4 in {shared / 'data' / 'clips'}"
    words = ["predict", str(model), *map(str, clips), "--draw", str(tmp_path / "drawn")]
    assert main([*words, "--json", str(tmp_path / "answers.jsonl")]) == 0
    drawn = [Path(line.removeprefix("drawn: ")) for line in capsys.readouterr().err.splitlines()]
    for clip, file, found in zip(clips, drawn, answers(tmp_path / "answers.jsonl"), strict=True):
        source = open_video(clip)
        assert found.input == str(clip)
        assert found.details["frames"] == source.frame_count == open_video(file).frame_count
        assert found.interactions[-1].end == pytest.approx(source.frame_count / (source.frames_per_second or 0))
        assert {one.label for one in found.interactions} <= {"still", "moving"}
