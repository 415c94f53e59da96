"""Runs of a study: finished ones are left alone, the others trained here or in processes of their own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from interplay.data.errors import DataError
from interplay.errors import InterplayError
from interplay.studies.runs import finish_runs

RUNNER = "tests.studies.short_runs"


def read(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "result.json").read_text(encoding="utf-8"))
    return found


def test_finished_runs_are_kept_and_the_others_trained_one_by_one(tmp_path: Path) -> None:
    runs = {tmp_path / f"run{seed}": {"seed": seed} for seed in range(3)}
    (tmp_path / "run1").mkdir()
    (tmp_path / "run1" / "result.json").write_text('{"seed": "kept"}', encoding="utf-8")
    lines: list[str] = []
    finish_runs(runs, RUNNER, jobs=1, say=lines.append)
    assert [read(place)["seed"] for place in runs] == [0, "kept", 2]
    assert read(tmp_path / "run0")["process"] == os.getpid()
    assert read(tmp_path / "run0")["resume"] is True
    assert lines == ["run 1 of 3: run0", "run 3 of 3: run2"]


def test_two_at_a_time_run_in_processes_of_their_own_with_their_share_of_the_cores(tmp_path: Path) -> None:
    runs = {tmp_path / f"run{seed}": {"seed": seed} for seed in range(3)}
    lines: list[str] = []
    finish_runs(runs, RUNNER, jobs=2, say=lines.append)
    assert [read(place)["seed"] for place in runs] == [0, 1, 2]
    assert os.getpid() not in [read(place)["process"] for place in runs]
    assert {read(place)["threads"] for place in runs} == {max(1, (os.cpu_count() or 1) // 2)}
    assert sorted(lines[1:]) == [f"run {number} of 3: run{number - 1}: finished" for number in (1, 2, 3)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_run_met_is_said(tmp_path: Path, jobs: int) -> None:
    runs: dict[Path, dict[str, Any]] = {tmp_path / "good": {"seed": 1}, tmp_path / "bad": {"bad": True}}
    with pytest.raises(DataError, match=r"clips\.npz: clip 3: found two joints, expected 15"):
        finish_runs(runs, RUNNER, jobs=jobs, quiet=True, say=print)
    assert (tmp_path / "good" / "result.json").is_file()


def test_jobs_below_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InterplayError, match="--jobs: found 0, expected 1 or more"):
        finish_runs({tmp_path / "run": {"seed": 1}}, RUNNER, jobs=0)
