"""``interplay predict`` through the real command line, on files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from interplay import Prediction
from interplay.cli import main
from interplay.data.playground import simulate
from interplay.data.playground.skeleton_view import skeleton_view


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    clip = skeleton_view(simulate("hug", 123_456))
    path = tmp_path / "hug.npz"
    np.savez(path, joints=clip.joints, layout="ntu25", frames_per_second=30.0)
    return path


def test_json_lines_on_standard_output(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "megcn-playground", str(recording), "--json", "-"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    prediction = Prediction.from_json(line)
    assert prediction.input == str(recording)
    assert prediction.model == "megcn-playground"
    assert prediction.interactions[0].end == pytest.approx(prediction.details["frames"] / 30)
    assert any("simulated playground only" in note for note in prediction.notes)


def test_bad_inputs_are_named_the_rest_answered(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"not a zip")
    lost = tmp_path / "lost.npz"
    out = tmp_path / "answers.jsonl"
    assert main(["predict", "megcn-playground", str(bad), str(recording), str(lost), "--json", str(out)]) == 1
    captured = capsys.readouterr()
    errors = captured.err.splitlines()
    assert len(errors) == 2
    assert all(line.startswith("interplay: error: ") for line in errors)
    assert str(bad) in errors[0]
    assert str(lost) in errors[1]
    assert len(out.read_text().splitlines()) == 1
    assert json.loads(out.read_text())["input"] == str(recording)


def test_nothing_but_bad_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "megcn-playground", str(tmp_path / "lost.npz")]) == 2
    assert capsys.readouterr().err.count("interplay: error") == 1


def test_drawn(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "megcn-playground", str(recording), "--draw", str(tmp_path / "drawn")]) == 0
    drawn = list((tmp_path / "drawn").glob("*.gif"))
    assert len(drawn) == 1
    assert drawn[0].read_bytes()[:6] in (b"GIF87a", b"GIF89a")
    assert "hug.npz" in capsys.readouterr().out


def test_a_recording_in_another_layout_meets_the_model(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "megcn-sbu", str(recording), "--json", "-"]) == 0
    prediction = Prediction.from_json(capsys.readouterr().out)
    assert "joints mapped from ntu25 to sbu15" in prediction.notes


def test_raw_sbu_text(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shared / "data" / "sbu_raw" / "skeleton_pos.txt"
    assert main(["predict", "megcn-sbu", str(file), "--json", "-"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = Prediction.from_json(line).interactions[0]
    assert found.label == "departing"  # clip 0 of fold 1, which the shipped model was trained on
    assert found.end == pytest.approx(21 / 15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--top", "0"], "--top"),
        (["--fps", "-3"], "--fps"),
        (["--stride", "0"], "--stride"),
    ],
)
def test_bad_options_are_one_line(
    recording: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "megcn-playground", str(recording), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_unknown_model(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "megcn-sb", str(recording)]) == 2
    assert "did you mean 'megcn-sbu'" in capsys.readouterr().err
