"""A run that is killed, and goes on: the weights are those of one that was left alone, to the last bit."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from tests.video.test_run import Killed, killed_in, tiny

from interplay.video.run import train_recipe
from interplay.video.stage_folder import StageFolder
from interplay.video.task import SearchTask


def stages(run: Path) -> list[int]:
    return [number for number in (1, 2, 3, 4) if StageFolder(run / f"stage{number}").finished]


def assert_same(one: Path, other: Path) -> None:
    assert stages(one) == stages(other)
    for number in stages(one):
        first, second = (StageFolder(run / f"stage{number}").state() for run in (one, other))
        assert first.keys() == second.keys()
        different = [name for name in first if not torch.equal(first[name], second[name])]
        assert not different, (number, different)
    results = [json.loads((run / "result.json").read_text()) for run in (one, other)]
    assert results[0]["metrics"]["last"] == results[1]["metrics"]["last"]


def test_killed_at_a_random_moment_and_resumed_is_uninterrupted(tmp_path: Path) -> None:
    recipe, broken = tiny(stage1__epochs=4, stage2__epochs=6), tmp_path / "broken"
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(recipe))
    command = [sys.executable, "-m", "interplay", "train", str(tmp_path / "tiny.yaml"), "--quiet", "--out", str(broken)]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())})
    try:
        first = broken / "stage1" / "checkpoints" / "last.ckpt"
        while not first.exists() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(random.Random(1).uniform(0.0, 2.0))
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (broken / "result.json").exists()
    train_recipe(recipe, broken, resume=True, quiet=True)
    train_recipe(recipe, tmp_path / "whole", quiet=True)
    assert_same(tmp_path / "whole", broken)


def test_resumed_in_reduced_precision_is_uninterrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny(
        stage1__epochs=1,
        stage3__epochs=1,
        stage4__epochs=1,
        training__precision="bf16-mixed",
        training__frozen_bf16=True,
    )
    with monkeypatch.context() as patch:
        killed_in(SearchTask, 2, 1, patch)
        with pytest.raises(Killed):
            train_recipe(recipe, tmp_path / "broken", quiet=True)
    assert stages(tmp_path / "broken") == [1]
    train_recipe(recipe, tmp_path / "broken", resume=True, quiet=True)
    train_recipe(recipe, tmp_path / "whole", quiet=True)
    assert_same(tmp_path / "whole", tmp_path / "broken")
