"""The four stages in two processes: one model, in which operations that a process does not use do no harm."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tests.video.test_run import tiny

from interplay.video.run import train_recipe
from interplay.video.stage_folder import StageFolder

ALIKE: dict[str, Any] = {
    "input__batch_size": 4,
    "model__identity_dropout": 0.0,
    "stage1__epochs": 1,
    "stage2__epochs": 1,
    "stage3__epochs": 1,
    "stage4__epochs": 1,
}
"""Without what each process draws or counts for itself, two halves of a batch are the batch."""


def test_two_processes_search_as_one_does(tmp_path: Path) -> None:
    recipe = tiny(**ALIKE)
    recipe["stage1"] |= {"dropout": 0.0, "train_norms": False}
    train_recipe(recipe, tmp_path / "one", quiet=True)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(recipe))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "interplay", "train", str(tmp_path / "tiny.yaml"), "--out", str(tmp_path / "two")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=False, timeout=600, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert "recommended" not in done.stderr
    assert done.stderr.count("9 training, 3 validation, 3 test clips") == 1  # said once, not by each process
    one, two = (StageFolder(tmp_path / run / "stage1").state() for run in ("one", "two"))
    for name, value in one.items():
        assert torch.allclose(two[name], value, rtol=1e-3, atol=1e-5), name
    two = StageFolder(tmp_path / "two" / "stage2").state()  # one step of the operations, one of the structure weights
    assert float(two["structure_weights.linear.weight"].abs().max()) > 0
    result = json.loads((tmp_path / "two" / "result.json").read_text())
    assert [stage["stage"] for stage in result["stages"]] == [1, 2, 3, 4]
    assert result["metrics"]["last"]["test"]["top1"]["count"] == 3  # all of them, though two shared the training
    alone, rows = (
        list(csv.DictReader((tmp_path / run / "metrics.csv").read_text().splitlines())) for run in ("one", "two")
    )
    for mine, theirs in zip(alone[:2], rows[:2], strict=True):
        # In the search which nodes are nearest hangs on rounding, and so on the size of a batch.
        near = 1e-5 if mine["stage"] == "1" else 0.03
        assert float(theirs["train_loss"]) == pytest.approx(float(mine["train_loss"]), rel=near)
    assert [row["stage"] for row in rows] == ["1", "2", "3", "4"]
    assert sum(float(value) for key, value in rows[1].items() if key.startswith("use_")) == pytest.approx(1)
