"""``interplay evaluate`` for videos: other folders, boxes that stay at home, submissions, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.video_clips import encode, write_frames
from tests.video.made_up import random_model

from interplay.cli import main
from interplay.data.proposals import ProposalWriter, proposals_from

FIGHTS = ["fight", "no_fight"]
LABELS = ["Throwing something", "Pushing something from left to right", "Approaching something with your camera"]


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def class_folders(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for clip in "ab":
            encode(root / name / f"{clip}{number}.mp4", 5 + number)
    return root


def test_any_folder_of_the_layout_is_scored_also_without_a_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model was trained with a fold of ``fights``; its own store of boxes must not follow it to other clips."""
    home = class_folders(tmp_path / "home", *FIGHTS)
    with ProposalWriter(home / "boxes", "rpn", {}) as writer:
        writer.add("fight/a0", proposals_from([np.array([[0.1, 0.1, 0.4, 0.4]])], "rpn"))
        writer.finish()
    data = {"name": "fights", "folds": 5, "fold": 0, "validation": False, "classes": FIGHTS, "proposals": "boxes"}
    model = random_model(tmp_path / "model", FIGHTS, data=data)
    both = class_folders(tmp_path / "both", *FIGHTS)
    lacking = class_folders(tmp_path / "lacking", "no_fight")
    found = {}
    for root in (home, both, lacking):
        assert main(["evaluate", str(model), "--data.root", str(root), "--out", str(tmp_path / "scored")]) == 0
        found[root] = result(tmp_path / "scored")
        assert "without fold 0 of 5" in capsys.readouterr().out
    assert [found[root]["count"] for root in (home, both, lacking)] == [4, 4, 2]
    assert found[home]["protocol"]["proposals"] == ["grid", "rpn"]
    assert found[both]["protocol"]["proposals"] == ["grid"]
    assert found[home]["protocol"]["data"]["proposals"] == "boxes"
    assert str(tmp_path) not in json.dumps(found[home]["protocol"])
    assert found[both]["dataset"] == "fights"
    with np.load(tmp_path / "scored" / "scores.npz", allow_pickle=False) as held:
        assert held["labels"].tolist() == [1, 1]  # no_fight keeps its number
        assert held["classes"].tolist() == FIGHTS


def test_a_model_of_the_playground_says_what_it_is_scored_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    domain = "trained on the playground (simulated) only: what it says of a real video means nothing"
    data = {"name": "playground_videos", "train_clips": 0, "validation_clips": 0, "test_clips": 1}
    classes = ["Moving something up", "Opening something"]
    model = random_model(tmp_path / "model", classes, data={**data, "classes": classes}, domain=domain, name="sim")
    root = class_folders(tmp_path / "real", *classes)
    assert main(["evaluate", str(model), "--data", "video_folder", "--data.root", str(root)]) == 0
    assert f"note: sim was {domain}" in capsys.readouterr().out
    assert main(["evaluate", str(model), "--data.height", "32", "--data.width", "32"]) == 0
    assert domain not in capsys.readouterr().out


def test_withheld_clips_give_a_submission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "v1"
    root.mkdir()
    (root / "something-something-v1-labels.csv").write_text("".join(f"{label}\n" for label in LABELS))
    (root / "something-something-v1-validation.csv").write_text(f"21;{LABELS[0]}\n")
    (root / "something-something-v1-test.csv").write_text("31\n32\n33\n")
    for clip in (21, 31, 33):
        write_frames(root / "frames" / str(clip), 4, "{:05d}.jpg")
    model = random_model(tmp_path / "model", [LABELS[2], "Juggling", LABELS[0]])
    words = ["evaluate", str(model), "--data", "something_v1", "--data.root", str(root), "--out", str(tmp_path / "out")]
    assert main([*words, "--part", "withheld"]) == 0
    assert "submission.csv names the best five classes of every test clip" in capsys.readouterr().out
    lines = [line.split(";") for line in (tmp_path / "out" / "submission.csv").read_text().splitlines()]
    assert [line[0] for line in lines] == ["31", "32", "33"]
    with np.load(tmp_path / "out" / "scores.npz", allow_pickle=False) as held:
        assert held["ids"].tolist() == ["31", "33"]
        best = [LABELS[2] if row[0] >= row[2] else LABELS[0] for row in held["logits"]]
    assert [lines[0][1], lines[2][1]] == best
    assert [lines[0][3], lines[2][3]] == [LABELS[1]] * 2  # a class that the model does not know comes last
    (tmp_path / "out" / "submission.csv").unlink()
    assert main([*words, "--part", "test"]) == 0
    assert not (tmp_path / "out" / "submission.csv").exists()
