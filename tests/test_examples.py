"""Every example runs, with settings as small as it allows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.video_clips import encode, moving
from tests.docs.blocks import ROOT, run_example

import interplay
from interplay.evaluation.scores import Scores

EXAMPLES = ROOT / "examples"
MAKERS = ("full_size_scene_graphs.py", "full_size_videos.py", "vrd_heads.py", "make_readme_picture.py", "sbu_folds.py")
"""They take minutes to hours; their results are looked at, and stand in the README and in docs/results.md."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERPLAY_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_predict_file(capsys: pytest.CaptureFixture[str]) -> None:
    run_example(EXAMPLES / "predict_file.py", [])
    prediction = interplay.Prediction.from_json(capsys.readouterr().out.splitlines()[-1])
    assert prediction.model == "megcn-playground"
    assert prediction.interactions[0].label == "shake hands"


def test_stream(capsys: pytest.CaptureFixture[str]) -> None:
    run_example(EXAMPLES / "stream.py", ["--stride", "3"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("a window of ")
    assert 3 <= len(lines) <= 12


def test_train_in_python(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_example(EXAMPLES / "train_in_python.py", ["--epochs", "1", "--episodes", "4", "--out", "small"])
    assert interplay.load(folder / "small").classes == ("approach", "depart", "hug")
    assert "of 12 simulated clips" in capsys.readouterr().out


def test_own_layout(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_example(EXAMPLES / "own_layout.py", ["--epochs", "1", "--out", "own"])
    model = interplay.load(folder / "own")
    assert model.layout == interplay.load_layout(EXAMPLES / "own_layout.yaml")
    assert model.layout.joint_count == 9
    assert "Interaction(label=" in capsys.readouterr().out


def test_fuse_streams(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Each stream is wrong about another clip; together they are right about both.
    ids, classes, labels = ("a", "b"), ("hug", "push"), np.array([0, 1])
    Scores(ids, np.array([[4.0, 0.0], [1.0, 0.0]]), labels, classes).save(folder / "joint.npz")
    Scores(ids, np.array([[0.0, 1.0], [0.0, 4.0]]), labels, classes).save(folder / "bone.npz")
    run_example(EXAMPLES / "fuse_streams.py", ["joint.npz", "bone.npz"])
    assert Scores.load(folder / "fused.npz").predictions.tolist() == [0, 1]
    assert "fused: top-1 100.0 %" in capsys.readouterr().out


def test_combine_models(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = interplay.load("megcn-playground")
    model.save_pretrained(folder / "one")
    run_example(EXAMPLES / "combine_models.py", ["one", "one", "--name", "two", "--out", "two"])
    both = interplay.load(folder / "two")
    assert (both.name, len(both.networks)) == ("two", 2 * len(model.networks))
    assert "2 networks" in capsys.readouterr().out or len(model.networks) > 1


def test_show_playground_scenes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_example(EXAMPLES / "show_playground_scenes.py", ["--count", "2", "--scale", "2"])
    with Image.open(folder / "scenes.png") as picture:
        assert picture.size == (2 * 2 * 192, 2 * 2 * 144)
    assert capsys.readouterr().out.count("twin:") == 2


def test_show_playground_videos(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_example(EXAMPLES / "show_playground_videos.py", ["--only", "slope", "edge", "--frames", "4", "--scale", "1"])
    with Image.open(folder / "videos.png") as picture:
        assert picture.size == (4 * 96, 4 * 72)
    assert capsys.readouterr().out.count("difference_propagation") == 2


def test_sil_in_torchvision_detector(capsys: pytest.CaptureFixture[str]) -> None:
    run_example(EXAMPLES / "sil_in_torchvision_detector.py", ["--side", "96", "--boxes-at-most", "5"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("picture 0: 5 boxes, features (1024,) moved by ")
    assert not lines[0].endswith(" 0.0%")
    assert [line.split(":")[0] for line in lines[2:]] == ["level 0", "level 1", "level 2", "level 3"]


def test_full_size_scene_graphs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draws = np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(draws.integers(0, 255, (60, 100, 3), np.uint8)).save(folder / f"{name}.png")
    things = [{"class": kind, "box": [x, 10, x + 30, 50]} for kind, x in (("person", 5), ("cup", 40), ("cup", 60))]
    rows = [{"subject": 0, "predicate": "holding", "object": 1}]
    entry = {"part": "test", "width": 100, "height": 60, "entities": things, "relations": rows}
    pictures = [{"file": f"{name}.png", **entry} for name in ("a", "b")]
    (folder / "scenes.json").write_text(json.dumps({"pictures": pictures}))
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:2000])
    sizes = {"backbone": "small", "channels": 16, "width": 16, "short": 96, "detections": 5}
    small = [word for key, value in sizes.items() for word in (f"--{key}", str(value))]
    run_example(EXAMPLES / "full_size_scene_graphs.py", [".", "--dataset", "plain_scenes", "--sil", *small])
    printed = capsys.readouterr().out
    assert "sgcls a: 100 × 60 → 160 × 96, 3 objects" in printed
    assert all(f"{task} b: " in printed for task in ("sgcls", "sggen"))  # what is broken is named
    assert sorted(file.name for file in (folder / "drawn").glob("*.png")) == ["a_sgcls.png", "a_sggen.png"]


def test_full_size_videos(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encode(folder / "mine.mp4", 20)
    for name in ("1", "2"):
        (folder / "v2" / "frames" / name).mkdir(parents=True)
        for number, picture in enumerate(moving(6), start=1):
            Image.fromarray(picture).save(folder / "v2" / "frames" / name / f"{number:04d}.png")
    templates = ["Holding [something]", "Throwing [something]"]
    (folder / "v2" / "labels.json").write_text(
        json.dumps({text.replace("[", "").replace("]", ""): str(n) for n, text in enumerate(templates)})
    )
    (folder / "v2" / "clips.txt").write_text("1 6 0\n3 6 1\n2 6 1\n")
    hand = {"box2d": {"x1": 10, "y1": 5, "x2": 40, "y2": 30}, "category": "hand", "standard_category": "hand"}
    entry = [{"name": f"1/{n:04d}.jpg", "gt_placeholders": [], "labels": [hand]} for n in range(1, 7)]
    (folder / "v2" / "boxes.json").write_text(json.dumps({"1": entry}))
    small = ["--size", "64", "--width", "16", "--backbone-width", "2", "--short", "48", "--classes", "2"]
    data = ["--data", "something_v2", "--root", "v2", "--data.validation", "clips.txt", "--data.boxes", "boxes.json"]
    words = ["mine.mp4", *data, "--data.boxes_height=48", "--boxes", "given", "grid", "rpn", *small]
    run_example(EXAMPLES / "full_size_videos.py", words)
    printed = capsys.readouterr().out
    assert "mine.mp4: no boxes of its own" in printed
    assert "1, annotated: 6 frames of 64 × 48 → frames (32, 64, 64, 3), boxes (16, 10, 4), logits (1, 2)" in printed
    assert "clip 3: " in printed  # what is missing is named
    assert "2: no boxes of its own" in printed
    assert printed.count("; structure ") == 7
    drawn = sorted(file.name for file in (folder / "drawn").glob("*.png"))
    assert drawn == [*(f"1_{kind}.png" for kind in ("annotated", "grid", "rpn")), "2_grid.png", "2_rpn.png"] + [
        f"mine_{kind}.png" for kind in ("grid", "rpn")
    ]


@pytest.mark.parametrize("script", MAKERS)
def test_scripts_that_make_what_the_documentation_shows_can_be_called(
    script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        run_example(EXAMPLES / script, ["--help"])
    assert stop.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_every_example_is_short_and_tested() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    for script in EXAMPLES.glob("*.py"):
        assert f'"{script.name}"' in tests, script.name
        if script.name not in MAKERS:
            assert len(script.read_text(encoding="utf-8").splitlines()) <= 60, script.name
