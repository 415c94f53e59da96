"""``interplay train`` through the command line, also killed and also in two processes."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tests.signals import heard

from interplay.cli import main

Recipe = dict[str, Any]
COMMAND = [sys.executable, "-m", "interplay"]


@pytest.fixture
def recipe_file(tmp_path: Path, tiny_recipe: Recipe) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny_recipe))
    return path


def errors(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert main(["train", *map(str, arguments)]) == 2
    text = capsys.readouterr().err
    assert text.startswith("interplay: error: ")
    assert text.count("\n") == 1
    return text


@pytest.mark.parametrize(
    ("option", "nearest"),
    [
        ("--optimiser.l_r", "optimiser.lr"),
        ("--optimizer.lr", "optimiser.lr"),
        ("--data.testfold", "data.test_fold"),
        ("--model.mtee", "model.mte"),
        ("--training.epoch", "training.epochs"),
    ],
)
def test_a_misspelt_option_names_the_nearest(
    capsys: pytest.CaptureFixture[str], recipe_file: Path, option: str, nearest: str
) -> None:
    assert f"unknown option {option}; did you mean {nearest!r}?" in errors(capsys, recipe_file, option, "1")


def test_a_misspelt_key_in_the_file_names_file_and_nearest(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny_recipe: Recipe
) -> None:
    tiny_recipe["input"]["windw"] = 8
    path = tmp_path / "typo.yaml"
    path.write_text(yaml.safe_dump(tiny_recipe))
    assert f"{path}: unknown key 'input.windw'; did you mean 'input.window'?" in errors(capsys, path)


def test_an_unknown_recipe_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert "unknown recipe 'megcn/sbuu'; did you mean 'megcn/sbu'?" in errors(capsys, "megcn/sbuu")


def test_an_unknown_data_set_names_the_nearest(capsys: pytest.CaptureFixture[str], recipe_file: Path) -> None:
    assert "unknown data set 'playgrund'; did you mean 'playground'?" in errors(
        capsys, recipe_file, "--data", "playgrund"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--optimiser.lr", "fast"], "optimiser.lr: expected float, found fast"),
        (["--optimiser.lr", "-1"], "optimiser.lr: found -1.0, expected a positive number"),
        (["--model.tc", "triple"], "model.tc: expected one of 'multiscale', 'single', 'none', found triple"),
        (["--training.seed"], "--training.seed: expected a value"),
        (["--out"], "--out: expected a value"),
        (["--resume", "--overwrite"], "--resume and --overwrite together"),
        (["surplus"], "unexpected argument 'surplus'"),
        (["--data.test_fold", "7"], "fold 7 as test_fold"),
        (["--training.devices", "3"], "expected a multiple of 3 processes"),
    ],
)
def test_bad_values_are_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, recipe_file: Path, arguments: list[str], said: str
) -> None:
    given = arguments if "--out" in arguments else [*arguments, "--out", str(tmp_path / "run")]
    assert said in errors(capsys, recipe_file, *given)


def test_data_root_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert "megcn/sbu: data.root is missing, give --data.root" in errors(capsys, "megcn/sbu")


def test_files_that_are_no_recipes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for content, said in (
        ("[1, 2", "not YAML"),
        ("- a\n- b\n", "found list, expected sections"),
        ("system: megcn\n", "found no data.name"),
        ("system: sign\ndata: {name: sbu}\n", "found system 'sign', expected one of megcn"),
    ):
        path = tmp_path / "bad.yaml"
        path.write_text(content)
        assert said in errors(capsys, path)


def test_help_is_quick_and_recipe_help_lists_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": ""}
    code = "import sys, interplay.cli as c; c.main(['train', '--help']); sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False).returncode == 0
    )
    assert main(["train", "megcn/sbu", "--help"]) == 0
    text = capsys.readouterr().out
    for key in ("--data.test_fold", "--model.mutual_layers", "--optimiser.milestones", "--input.mirror"):
        assert key in text


def test_train_evaluates_and_never_overwrites_silently(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, recipe_file: Path
) -> None:
    out = tmp_path / "run"
    arguments = [str(recipe_file), "--training.epochs=1", "--model.mte", "false", "--out", str(out)]
    assert main(["train", *arguments]) == 0
    said = capsys.readouterr().err
    assert "16 training and 8 test clips" in said
    assert "test top-1" in said
    assert json.loads((out / "result.json").read_text())["protocol"]["model"]["mte"] is False
    before = (out / "result.json").read_bytes()
    assert "holds a finished run" in errors(capsys, *arguments)
    assert main(["train", *arguments, "--resume"]) == 0
    assert (out / "result.json").read_bytes() == before
    # The folder is itself a recipe.
    assert main(["train", str(out), "--training.seed", "5", "--quiet", "--out", str(tmp_path / "again")]) == 0
    again = yaml.safe_load((tmp_path / "again" / "recipe.yaml").read_text())
    assert again["model"]["mte"] is False
    assert again["training"]["seed"] == 5
    assert capsys.readouterr().err.count("\n") == 1  # "already finished" of the resumed one; the quiet one says nothing


def test_a_folder_with_other_things_is_left_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, recipe_file: Path
) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.txt").write_text("years of work")
    assert "is not empty and holds no run" in errors(capsys, recipe_file, "--overwrite", "--out", out)
    assert (out / "chapter.txt").read_text() == "years of work"


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return state


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_killed_and_resumed_is_uninterrupted(tmp_path: Path, recipe_file: Path, times: int) -> None:
    arguments = [str(recipe_file), "--training.epochs", "40", "--input.noise", "0.01", "--model.dropout", "0.2"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = time.monotonic()
    command = [*COMMAND, "train", *arguments, "--quiet", "--out"]
    subprocess.run([*command, str(whole)], env=environment, check=True, timeout=300)
    random_moments = random.Random(0)
    lifetimes = []
    for _ in range(times):
        process = subprocess.Popen([*command, str(broken), "--resume"], env=environment)
        # Anything from "right after the first epoch it trains" to "a second later" (an epoch takes some 0.1 s).
        before = _stamp(broken)
        while _stamp(broken) == before and process.poll() is None:
            time.sleep(0.005)
        time.sleep(random_moments.uniform(0.0, 0.5))
        process.send_signal(signal.SIGKILL)
        lifetimes.append(process.wait())
    assert -signal.SIGKILL in lifetimes
    subprocess.run([*command, str(broken), "--resume"], env=environment, check=True, timeout=300)
    a, b = _weights(whole), _weights(broken)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)
    results = [json.loads((folder / "result.json").read_text()) for folder in (whole, broken)]
    assert results[0]["metrics"]["last"] == results[1]["metrics"]["last"]
    assert time.monotonic() - started < 600


def _stamp(folder: Path) -> int:
    path = folder / "checkpoints" / "last.ckpt"
    return path.stat().st_mtime_ns if path.exists() else 0


def test_two_processes_train_one_model(tmp_path: Path, recipe_file: Path) -> None:
    out = tmp_path / "two"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "interplay", "train", str(recipe_file), "--training.epochs", "2", "--out", str(out)]
    done = subprocess.run(command, env=environment, check=False, timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert done.stderr.count("16 training and 8 test clips") == 1  # said once, not by each process
    result = json.loads((out / "result.json").read_text())
    assert result["metrics"]["last"]["test"]["top1"]["count"] == 8
    rows = list(csv.DictReader((out / "metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    # What the two counted together while training is what one of them finds alone in the end.
    assert float(rows[-1]["test_top1"]) == pytest.approx(result["metrics"]["last"]["test"]["top1"]["value"])
    assert float(rows[-1]["test_loss"]) == pytest.approx(
        result["metrics"]["last"]["test"]["cross_entropy"]["value"], rel=1e-5
    )


def test_interrupted_by_the_user_says_so_and_leaves_a_run_to_resume(tmp_path: Path, recipe_file: Path) -> None:
    out = tmp_path / "run"
    command = [*COMMAND, "train", str(recipe_file), "--training.epochs", "2000", "--quiet", "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with heard(signal.SIGINT):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        while not _stamp(out) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said == "interplay: interrupted\n"
    assert not list(out.rglob("*.part"))
    assert not (out / "result.json").exists()
