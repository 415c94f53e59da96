"""A model for videos on the command line: trained, evaluated, asked about files, exported."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from tests.video.test_run import tiny

import interplay
from interplay.cli import main
from interplay.data.playground.videos import PlaygroundVideos
from interplay.interactions import Prediction
from interplay.video.recogniser import VideoRecogniser


def write_video(path: Path, frames: int, rate: int = 12) -> None:
    draws = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            picture = np.full((48, 64, 3), 40, np.uint8)
            picture[10:30, number % 40 : number % 40 + 16] = draws.integers(100, 255, 3)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(tiny()))
    words = ["train", str(folder / "tiny.yaml"), "--out", str(folder / "run"), "--quiet"]
    assert main([*words, "--stage", "1", "--stage4.epochs", "1"]) == 0
    assert not (folder / "run" / "result.json").exists()
    assert main([*words, "--resume", "--stage4.epochs", "1"]) == 0
    return folder / "run"


def test_a_clip_and_a_long_video_are_answered(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short, long, broken = tmp_path / "short.mp4", tmp_path / "long.mp4", tmp_path / "broken.mp4"
    write_video(short, 40)
    write_video(long, 200)
    broken.write_bytes(b"no video")
    words = ["predict", str(run), str(short), str(broken), str(long), "--json", "-"]
    assert main(words) == 1
    printed = capsys.readouterr()
    assert "broken.mp4" in printed.err
    one, many = (Prediction.from_json(line) for line in printed.out.splitlines())
    assert one.input == str(short)
    assert len(one.interactions) == 1
    assert one.interactions[0].start == 0.0
    assert one.interactions[0].end == pytest.approx(40 / 12)
    assert len(one.interactions[0].alternatives) == 2
    assert len(one.details["structure"]["operations"]) == 6
    assert one.details["proposals"] == "grid"
    assert any("trained on the playground (simulated) only" in note for note in one.notes)
    assert any("grid of boxes" in note and "trained with the renderer's" in note for note in one.notes)
    assert any("windows" in note for note in many.notes)
    assert many.interactions[0].start == 0.0
    assert many.interactions[-1].end == pytest.approx(200 / 12)
    assert all(a.end == b.start for a, b in zip(many.interactions, many.interactions[1:], strict=False))
    assert len(many.details["windows"]) > 10
    assert main(["predict", str(run), str(short)]) == 0
    assert "structure" in capsys.readouterr().out


def test_a_clip_of_the_playground_is_not_warned_about(run: Path) -> None:
    model = interplay.load(run)
    assert isinstance(model, VideoRecogniser)
    clip = PlaygroundVideos(train_clips=0, validation_clips=0, test_clips=1, height=32, width=32).read(0)
    prediction = model.predict(clip)
    assert prediction.details["proposals"] == "rendered"
    assert not any("simulated" in note for note in prediction.notes)
    forced = model.predict(clip, structure=model.most_frequent)
    assert model.most_frequent is not None
    assert forced.details["structure"]["operations"] == list(model.most_frequent.operations)


def test_the_model_folder_goes_around_without_loss(run: Path, tmp_path: Path) -> None:
    model = interplay.load(run)
    assert isinstance(model, VideoRecogniser)
    model.save_pretrained(tmp_path / "copy")
    copy = interplay.load(tmp_path / "copy")
    assert isinstance(copy, VideoRecogniser)
    assert copy.config() == model.config()
    assert all(np.array_equal(value, copy.state_dict()[name]) for name, value in model.state_dict().items())
    card = (run / "model" / "README.md").read_text(encoding="utf-8")
    assert "playground (simulated)" in card
    assert "test top-1" in card


def test_evaluate(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), "--out", str(tmp_path / "scored")]) == 0
    assert "test: 3 clips" in capsys.readouterr().out
    found = json.loads((tmp_path / "scored" / "result.json").read_text())
    (model,) = found["protocol"]["models"]
    assert {key: model[key] for key in ("name", "graph", "clips", "test_clips", "test_seed", "proposals")} == {
        "name": "agos-playground_videos",
        "graph": "agos",
        "clips": 5,
        "test_clips": "draws",
        "test_seed": 3,
        "proposals": "given",
    }
    measured = json.loads((run / "result.json").read_text())["metrics"]["last"]["test"]
    for name, value in measured.items():  # the same clips of the same videos; the folder's weights are half precision
        assert found["metrics"][name]["value"] == pytest.approx(value["value"], rel=0.01), name
    assert found["protocol"]["proposals"] == ["rendered"]
    assert found["count"] == 3


def test_another_folder_of_videos_is_scored_by_the_names_of_its_classes(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("Opening something", "Moving something up"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        write_video(tmp_path / "mine" / name / "a.mp4", 20)
    (tmp_path / "mine" / "Opening something" / "bad.mp4").write_bytes(b"nothing")
    words = ["evaluate", str(run), "--data", "video_folder", "--data.root", str(tmp_path / "mine")]
    assert main([*words, "--out", str(tmp_path / "scored")]) == 0
    found = json.loads((tmp_path / "scored" / "result.json").read_text())
    assert found["count"] == 2
    assert len(found["skipped"]) == 1
    assert "bad.mp4" in found["skipped"][0]
    assert "could not be used" in capsys.readouterr().out


def test_proposals_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine" / "waving").mkdir(parents=True)
    write_video(tmp_path / "mine" / "waving" / "a.mp4", 6)
    words = ["data", "proposals", "video_folder", str(tmp_path / "mine"), "--data.folds", "1"]
    assert main([*words, "--out", str(tmp_path / "boxes"), "--detector", "grid"]) == 0
    assert "grid proposals of 1 videos" in capsys.readouterr().out
    assert main([*words, "--out", str(tmp_path / "other"), "--detector", "COCO_V9"]) == 2
    assert "COCO_V1" in capsys.readouterr().err
    assert main(["data", "proposals", "sbu", str(tmp_path), "--out", str(tmp_path / "no")]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "megcn/sbu", "--stage", "1", "--data.root", "x"], "expected it with a recipe of AGOS"),
        (["train", "agos/playground", "--stage2.epoch", "3"], "did you mean 'stage2.epochs'"),
        (["train", "agos/playground", "--model.graph", "tree"], "model.graph"),
    ],
)
def test_what_cannot_be_is_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
