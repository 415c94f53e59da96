from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import pytest
import yaml

from interplay.errors import InterplayError
from interplay.training.folder import RunFolder, flat, is_first_process
from interplay.training.running import released_if_untrained

RECIPE = {"system": "x", "data": {"name": "sbu", "root": "/a"}, "training": {"seed": 1, "devices": 1}}


def test_flat_makes_dotted_keys() -> None:
    assert flat(RECIPE) == {
        "system": "x",
        "data.name": "sbu",
        "data.root": "/a",
        "training.seed": 1,
        "training.devices": 1,
    }


def test_a_new_folder_holds_recipe_and_environment(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a" / "b")
    folder.begin(RECIPE, {"commit": None})
    assert yaml.safe_load(folder.recipe.read_text()) == RECIPE
    assert not folder.finished


def test_what_may_change_when_a_run_is_resumed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin(RECIPE, {})
    with pytest.raises(InterplayError, match="holds an unfinished run; add --resume or --overwrite"):
        folder.begin(RECIPE, {})
    moved = {**RECIPE, "data": {"name": "sbu", "root": "/elsewhere"}, "training": {"seed": 1, "devices": 2}}
    folder.begin(moved, {}, resume=True)
    with pytest.raises(InterplayError, match=r"started with training\.seed 1, found 2"):
        folder.begin({**RECIPE, "training": {"seed": 2, "devices": 1}}, {}, resume=True)
    with pytest.raises(InterplayError, match=r"started with data\.name 'sbu', found None"):
        folder.begin({**RECIPE, "data": {"root": "/a"}}, {}, resume=True)


def test_a_tuple_is_the_list_that_it_was_written_as(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin({"model": {"depth": [1, 2]}}, {})
    folder.begin({"model": {"depth": [1, 2]}}, {}, resume=True)


def test_overwriting_removes_the_old_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin(RECIPE, {})
    folder.write_result({"metrics": {}})
    assert folder.finished
    assert folder.read_result() == {"metrics": {}}
    folder.begin(RECIPE, {}, overwrite=True)
    assert not folder.finished


@pytest.mark.parametrize("error", [InterplayError("no such data"), KeyboardInterrupt()])
def test_what_was_to_be_overwritten_comes_back(tmp_path: Path, error: BaseException) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin(RECIPE, {})
    folder.write_result({"metrics": {}})
    for _ in range(2):
        folder.begin(RECIPE, {}, overwrite=True)
        assert not folder.finished
        with pytest.raises(type(error)), released_if_untrained(folder):
            raise error
        assert folder.finished
        assert os.listdir(tmp_path) == ["run"]
    folder.begin(RECIPE, {}, overwrite=True)
    with released_if_untrained(folder):
        folder.metrics.touch()
    assert not folder.finished
    assert os.listdir(tmp_path) == ["run"]


def test_a_start_that_fails_leaves_the_folder_free(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    for inside in ([], ["stage1/checkpoints"]):
        folder.begin({"a": 1}, {})
        for name in inside:
            (folder.path / name).mkdir(parents=True)
        with pytest.raises(InterplayError, match="no such data"), released_if_untrained(folder):
            raise InterplayError("no such data")
        assert not folder.path.exists()
    for left in ("stage1/checkpoints/last.ckpt", "metrics.csv", "checkpoints/last.ckpt"):
        folder.begin({"a": 1}, {})
        (folder.path / left).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / left).touch()
        with pytest.raises(InterplayError), released_if_untrained(folder):
            raise InterplayError("a loss that is not finite")
        assert (folder.path / left).is_file()
        folder.begin({"a": 1}, {}, resume=True)
        shutil.rmtree(folder.path)
    folder.begin({"a": 1}, {})
    with pytest.raises(KeyboardInterrupt), released_if_untrained(folder):
        raise KeyboardInterrupt
    assert folder.recipe.is_file()  # an interrupted run is resumed


def test_an_unreadable_recipe_cannot_be_resumed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin(RECIPE, {})
    for text in ("[", "- 1\n", ""):
        folder.recipe.write_text(text)
        with pytest.raises(InterplayError, match="cannot read the recipe of the run to resume"):
            folder.begin(RECIPE, {}, resume=True)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_an_unreadable_result_is_said(tmp_path: Path, text: str) -> None:
    folder = RunFolder(tmp_path)
    folder.result.write_text(text)
    with pytest.raises(InterplayError, match=r"result\.json"):
        folder.read_result()


def test_metrics_have_the_columns_of_all_rows(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_metrics([{"epoch": 0, "loss": 1.5}, {"epoch": 1, "loss": 1.0, "top1": 0.5}])
    rows = list(csv.DictReader(folder.metrics.read_text().splitlines()))
    assert rows == [{"epoch": "0", "loss": "1.5", "top1": ""}, {"epoch": "1", "loss": "1.0", "top1": "0.5"}]


def test_a_read_only_place_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(InterplayError, match=r"cannot write .*: permission denied"):
        RunFolder(tmp_path / "run").begin(RECIPE, {})


def test_the_first_process_is_told_by_its_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert is_first_process()
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("NODE_RANK", "1")
    assert not is_first_process()
    monkeypatch.setenv("SLURM_PROCID", "3")
    assert not is_first_process()
    monkeypatch.setenv("RANK", "0")
    assert is_first_process()
