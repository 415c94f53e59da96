"""``interplay evaluate`` through the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from interplay.cli import main
from interplay.cli.evaluate import data_settings, split_data_settings, table
from interplay.data.datasets import open_dataset
from interplay.errors import InterplayError
from interplay.evaluation.scores import Scores
from interplay.graph.layouts import load_layout
from interplay.skeleton.recogniser import SkeletonRecogniser
from interplay.studies.evaluation import evaluate_models


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model folder that says it was trained on SBU with fold 3 held out."""
    from interplay.data.sbu import CLASSES

    torch.manual_seed(0)
    recogniser = SkeletonRecogniser(
        networks=[{"streams": ["joint"], "model": {"channels": [8, 8, 8], "depth": [1, 0, 0]}}],
        classes=list(CLASSES),
        layout=load_layout("sbu15").to_dict(),
        input={"window": 8},
        data={"name": "sbu", "test_fold": 3, "variant": "clean"},
        name="megcn-tiny",
    )
    folder = tmp_path_factory.mktemp("model")
    recogniser.save_pretrained(folder)
    return folder


def errors(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert main(["evaluate", *map(str, arguments)]) == 2
    text = capsys.readouterr().err
    assert text.startswith("interplay: error: ")
    assert text.count("\n") == 1
    return text


def test_the_models_own_data_set_and_every_fold(
    capsys: pytest.CaptureFixture[str], model: Path, tiny_sbu: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert main(["evaluate", str(model), "--data.root", str(tiny_sbu), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "megcn-tiny on sbu, part test: 24 clips" in text
    assert "mean-class accuracy" in text
    assert "fold 3 held out" in text
    result = json.loads((out / "result.json").read_text())
    keys = {"model", "dataset", "protocol", "metrics", "count", "seed", "commit", "versions"}
    assert keys <= set(result)
    assert result["protocol"]["data"] == {"name": "sbu", "test_fold": None, "variant": "clean"}
    assert str(tiny_sbu) not in json.dumps(result)
    scores = Scores.load(out / "scores.npz")
    assert len(scores) == 24
    assert result["metrics"]["top1"]["value"] == pytest.approx(np.mean(scores.predictions == scores.labels))
    with open(out / "per_class.csv", newline="") as file:
        assert [row["count"] for row in csv.DictReader(file)] == ["3"] * 8
    with open(out / "confusion.csv", newline="") as file:
        assert sum(int(cell) for row in list(csv.reader(file))[1:] for cell in row[1:]) == 24


def test_a_fold_is_held_out_on_request_and_json_is_json(
    capsys: pytest.CaptureFixture[str], model: Path, tiny_sbu: Path
) -> None:
    command = ["evaluate", str(model), "--data.root", str(tiny_sbu), "--data.test_fold=2", "--json"]
    assert main(command) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["count"], result["protocol"]["data"]["test_fold"]) == (8, 2)
    assert result["notes"] == []


def test_clips_without_labels_have_a_table_too(capsys: pytest.CaptureFixture[str]) -> None:
    from interplay.data.playground.episode import CLASSES

    recogniser = SkeletonRecogniser(
        networks=[{"streams": ["joint"], "model": {"channels": [8, 8, 8], "depth": [1, 0, 0]}}],
        classes=list(CLASSES),
        layout=load_layout("ntu25").to_dict(),
        input={"window": 8},
        unknown_threshold=1.0,
    ).eval()
    dataset = open_dataset("playground", train_episodes=1, validation_episodes=1, test_episodes=1, unknown_episodes=1)
    text = table(evaluate_models([recogniser], dataset, {}, "unknown"))
    assert "unlabelled clips rejected  100.0 %" in text
    assert "no clip has a known label" in text


def test_predictions_instead_of_a_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = Scores(("a", "b"), np.eye(2, dtype=np.float32), np.array([0, 0]), ("x", "y")).save(tmp_path / "s.npz")
    assert main(["evaluate", "--predictions", str(file)]) == 0
    text = capsys.readouterr().out
    assert "50.0 % (9.5–90.5)" in text
    assert "1 × x called y" in text
    assert main(["evaluate", "--predictions", str(file), str(file), "--fuse", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["protocol"]["fusion"]["weights"] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "either models or --predictions"),
        (("MODEL", "--data.root", "ROOT", "--data.tst_fold", "1"), "did you mean 'data.test_fold'"),
        (("MODEL", "--data.root", "ROOT", "--data.test_fold", "9"), "expected fold 9"),
        (("MODEL", "--data.root", "ROOT", "--data.test_fold"), "--data.test_fold: expected a value"),
        (("MODEL", "--data.root", "ROOT", "--part", "tst"), "no part 'tst'"),
        (("MODEL", "--data.root", "ROOT", "--weights", "1", "2"), "expected 1 non-negative"),
        (("MODEL", "--data.root", "/nowhere"), "/nowhere"),
        (("MODEL",), "data.root"),
        (("MODEL", "--data", "sbuu"), "did you mean 'sbu'"),
        (("MODEL", "--data.root", "ROOT", "--batch", "0"), "expected at least 1"),
        (("--predictions", "absent.npz"), "absent.npz"),
        (("--predictions", "absent.npz", "--data", "sbu"), "--data has nothing to do"),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], model: Path, tiny_sbu: Path, arguments: tuple[str, ...], says: str
) -> None:
    places = {"MODEL": str(model), "ROOT": str(tiny_sbu)}
    assert says in errors(capsys, *(places.get(word, word) for word in arguments))


def test_data_settings_are_taken_apart() -> None:
    words = ["m", "--data", "sbu", "--data.root", "d", "--data.test_fold", "2", "--data.variant=noisy", "--json"]
    rest, settings = split_data_settings(words)
    assert rest == ["m", "--data", "sbu", "--data.root", "d", "--json"]
    assert settings == ["--data.test_fold=2", "--data.variant=noisy"]


def test_settings_of_another_data_set_do_not_apply() -> None:
    trained = {"name": "sbu", "variant": "noisy", "test_fold": 1}
    name, settings, remark = data_settings(trained, None, "d", ())
    assert (name, settings["variant"], settings["test_fold"]) == ("sbu", "noisy", None)
    assert "fold 1 held out" in remark
    name, settings, remark = data_settings(trained, "playground", None, ())
    assert (name, remark) == ("playground", "")
    assert "variant" not in settings
    with pytest.raises(InterplayError, match="expected --data NAME"):
        data_settings({}, None, None, ())
