"""Runs from recipe to finished folder."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from interplay.errors import InterplayError
from interplay.evaluation.scores import Scores
from interplay.skeleton.recogniser import SkeletonRecogniser
from interplay.skeleton.run import train_recipe

Recipe = dict[str, Any]


def table(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return state


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_a_run_folder_holds_what_was_asked_what_happened_and_what_came_out(tmp_path: Path, tiny_recipe: Recipe) -> None:
    tiny_recipe["training"] |= {"evaluate_every": 2, "tensorboard": True}
    lines: list[str] = []
    result = train_recipe(tiny_recipe, tmp_path / "run", say=lines.append)
    folder = tmp_path / "run"

    assert "16 training and 8 test clips, 3 epochs of 4 batches of 4" in lines[0]
    assert "GMAC a clip" in lines[0]
    assert "expected" in lines[0]

    rows = table(folder)
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert [float(row["lr"]) for row in rows] == pytest.approx([0.05, 0.05, 0.005])
    assert [bool(row["test_top1"]) for row in rows] == [False, True, True]  # every second epoch, and the last

    assert result == json.loads((folder / "result.json").read_text())
    assert result["count"] == {"train": 16, "test": 8}
    assert result["protocol"]["data"] == {"name": "sbu", "test_fold": 3, "variant": "clean"}
    assert result["protocol"]["optimiser"]["nesterov"] is True
    assert result["metrics"]["best"]["epoch"] in (1, 2)
    last = result["metrics"]["last"]["test"]["top1"]
    assert last["count"] == 8
    assert last["value"] == pytest.approx(float(rows[-1]["test_top1"]))

    scores = Scores.load(folder / "scores-test.npz")
    assert scores.ids == tuple(f"fold3/{i:04d}" for i in range(8))
    assert scores.labels.tolist() == list(range(8))
    assert float((scores.predictions == scores.labels).mean()) == pytest.approx(last["value"])
    assert len(Scores.load(folder / "scores-train.npz")) == 16

    model = SkeletonRecogniser.from_pretrained(folder / "model")
    assert model.classes == scores.classes
    assert json.loads((folder / "environment.json").read_text())["versions"].keys() >= {"python", "torch", "lightning"}
    assert list((folder / "tensorboard").glob("events.*"))
    assert not list(folder.rglob("*.part"))


def test_the_saved_model_scores_clips_as_the_run_did(tmp_path: Path, tiny_recipe: Recipe) -> None:
    from interplay.data.datasets import open_dataset

    train_recipe(tiny_recipe, tmp_path / "run", quiet=True)
    dataset = open_dataset(**tiny_recipe["data"])
    expected = Scores.load(tmp_path / "run" / "scores-test.npz")
    model = SkeletonRecogniser.from_pretrained(tmp_path / "run" / "model").eval()
    found = model.scores([dataset.read(index) for index in dataset.parts()["test"].tolist()])
    # The folder holds half-precision weights.
    np.testing.assert_allclose(found, expected.logits, atol=0.02 * np.abs(expected.logits).max())


@pytest.mark.parametrize(("evaluate_every", "step_of_death"), [(1, 9), (1, 5), (2, 7), (2, 14), (1, 2)])
def test_interrupted_and_resumed_is_uninterrupted(
    tmp_path: Path, tiny_recipe: Recipe, monkeypatch: pytest.MonkeyPatch, evaluate_every: int, step_of_death: int
) -> None:
    from interplay.skeleton.task import SkeletonTask

    tiny_recipe["input"] |= {"noise": 0.01, "mirror": 0.5, "scale": 0.1, "shear": 0.1, "entity_swap": 0.5}
    tiny_recipe["model"] |= {"dropout": 0.5}
    tiny_recipe["optimiser"] |= {"average": 0.9}
    tiny_recipe["training"] |= {"epochs": 4, "evaluate_every": evaluate_every}
    train_recipe(tiny_recipe, tmp_path / "whole", quiet=True)

    step, calls = SkeletonTask.training_step, []

    def stop(self: SkeletonTask, batch: Any, batch_idx: int) -> Any:
        calls.append(batch_idx)
        if len(calls) == step_of_death:
            raise RuntimeError("pulled the plug")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(SkeletonTask, "training_step", stop)
        with pytest.raises(RuntimeError, match="pulled the plug"):
            train_recipe(tiny_recipe, tmp_path / "broken", quiet=True)
    torch.manual_seed(99)  # what happened before must not matter
    train_recipe(tiny_recipe, tmp_path / "broken", resume=True, quiet=True)

    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))
    whole, broken = (
        [{key: value for key, value in row.items() if key != "seconds"} for row in table(folder)]
        for folder in (tmp_path / "whole", tmp_path / "broken")
    )
    assert whole == broken
    np.testing.assert_array_equal(
        Scores.load(tmp_path / "whole" / "scores-test.npz").logits,
        Scores.load(tmp_path / "broken" / "scores-test.npz").logits,
    )


def test_another_seed_gives_other_weights_and_the_same_seed_the_same(tmp_path: Path, tiny_recipe: Recipe) -> None:
    tiny_recipe["training"]["epochs"] = 1
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train_recipe(tiny_recipe, tmp_path / name, overrides={"training.seed": seed}, quiet=True)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_a_finished_run_is_kept(tmp_path: Path, tiny_recipe: Recipe) -> None:
    tiny_recipe["training"]["epochs"] = 1
    first = train_recipe(tiny_recipe, tmp_path / "run", quiet=True)
    with pytest.raises(InterplayError, match=r"holds a finished run; add --resume or --overwrite"):
        train_recipe(tiny_recipe, tmp_path / "run", quiet=True)
    stamp = (tmp_path / "run" / "result.json").stat().st_mtime_ns
    assert train_recipe(tiny_recipe, tmp_path / "run", resume=True, quiet=True) == first
    assert (tmp_path / "run" / "result.json").stat().st_mtime_ns == stamp
    with pytest.raises(InterplayError, match=r"was started with training.seed 1, found 2"):
        train_recipe(tiny_recipe, tmp_path / "run", overrides={"training.seed": 2}, resume=True, quiet=True)
    again = train_recipe(tiny_recipe, tmp_path / "run", overrides={"training.seed": 2}, overwrite=True, quiet=True)
    assert again["seed"] == 2


def test_early_stopping_ends_the_run_and_a_resumed_one_stays_ended(tmp_path: Path, tiny_recipe: Recipe) -> None:
    tiny_recipe["training"] |= {"epochs": 30, "early_stop": 2, "monitor": "test_loss"}
    tiny_recipe["optimiser"] = {"lr": 1e-9, "warmup_epochs": 0, "milestones": []}
    tiny_recipe["optimiser"]["average"] = 0.0
    result = train_recipe(tiny_recipe, tmp_path / "run", quiet=True)
    epochs = result["metrics"]["epochs"]
    assert epochs < 30
    before = weights(tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()  # as if killed right before the end
    again = train_recipe(tiny_recipe, tmp_path / "run", resume=True, quiet=True)
    assert again["metrics"]["epochs"] == epochs
    assert same(before, weights(tmp_path / "run"))


def test_gradient_clipping_changes_the_steps(tmp_path: Path, tiny_recipe: Recipe) -> None:
    tiny_recipe["training"]["epochs"] = 1
    tiny_recipe["optimiser"] |= {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0, "lr": 1.0}
    train_recipe(tiny_recipe, tmp_path / "clipped", overrides={"training.gradient_clip": 1e-4}, quiet=True)
    train_recipe(tiny_recipe, tmp_path / "free", quiet=True)
    task_start = _initial(tiny_recipe)
    moved = {
        name: sum(
            float((weights(tmp_path / name)[f"network.{key}"] - value).square().sum()) for key, value in task_start
        )
        for name in ("clipped", "free")
    }
    # Four steps of at most 1e-4 each.
    assert 0 < moved["clipped"] ** 0.5 <= 4.001e-4
    assert moved["free"] > 100 * moved["clipped"]


def _initial(recipe: Recipe) -> list[tuple[str, torch.Tensor]]:
    import lightning.pytorch as pl

    from interplay.skeleton.network import MutualExcitationGCN

    pl.seed_everything(1, verbose=False)
    network = MutualExcitationGCN(8, "sbu15", channels=(8, 8, 16), depth=(1, 1, 1))
    return [(key, value.detach()) for key, value in network.named_parameters()]


def test_bf16_trains_and_keeps_the_weights_in_float32(tmp_path: Path, tiny_recipe: Recipe) -> None:
    tiny_recipe["training"] |= {"epochs": 1, "precision": "bf16-mixed"}
    result = train_recipe(tiny_recipe, tmp_path / "run", quiet=True)
    assert np.isfinite(result["metrics"]["last"]["test"]["cross_entropy"]["value"])
    assert {value.dtype for value in weights(tmp_path / "run").values() if value.is_floating_point()} == {torch.float32}


def test_a_loss_that_is_not_finite_names_the_samples(tmp_path: Path, tiny_recipe: Recipe) -> None:
    tiny_recipe["optimiser"] |= {"lr": 1e30, "warmup_epochs": 0}
    with pytest.raises(
        InterplayError, match=r"the loss became (nan|inf) in epoch 0, batch \d; samples: fold[12]/000\d, "
    ):
        train_recipe(tiny_recipe, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run" / "result.json").exists()


@pytest.mark.parametrize("streams", [["bone"], ["joint", "bone", "motion"]])
def test_streams_set_the_channels(tmp_path: Path, tiny_recipe: Recipe, streams: list[str]) -> None:
    tiny_recipe["training"]["epochs"] = 1
    train_recipe(tiny_recipe, tmp_path / "run", overrides={"input.streams": streams}, quiet=True)
    model = SkeletonRecogniser.from_pretrained(tmp_path / "run" / "model")
    assert model.streams == (tuple(streams),)


def test_a_misspelt_monitor_names_the_nearest(tmp_path: Path, tiny_recipe: Recipe) -> None:
    with pytest.raises(InterplayError, match="did you mean 'test_top1'"):
        train_recipe(tiny_recipe, tmp_path / "run", overrides={"training.monitor": "test_top"}, quiet=True)


def test_a_network_that_cannot_be_built_is_one_line(tmp_path: Path, tiny_recipe: Recipe) -> None:
    with pytest.raises(InterplayError, match=r"^model: mutual_layers: found \[9\]"):
        train_recipe(tiny_recipe, tmp_path / "run", overrides={"model.mutual_layers": [9]}, quiet=True)


def test_switching_the_data_set_drops_its_settings_but_keeps_the_rest(tmp_path: Path, tiny_recipe: Recipe) -> None:
    tiny_recipe["training"]["epochs"] = 1
    result = train_recipe(
        tiny_recipe,
        tmp_path / "run",
        data="playground",
        overrides={"data": {"train_episodes": 2, "test_episodes": 1, "validation_episodes": 1, "unknown_episodes": 1}},
        quiet=True,
    )
    assert result["dataset"] == "playground"
    assert result["protocol"]["model"]["channels"] == [8, 8, 16]
    assert set(result["metrics"]["last"]) == {"validation", "test"}
    assert result["metrics"]["monitor"] == "validation_top1"
    assert len(Scores.load(tmp_path / "run" / "scores-unknown.npz")) > 0


@pytest.mark.parametrize("write", [2, 4, 7])
def test_a_disk_that_fills_up_is_one_line_and_the_run_can_be_resumed(
    tmp_path: Path, tiny_recipe: Recipe, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    from interplay.training import writing

    calls: list[int] = []
    flush = os.fsync

    def fail(handle: int) -> None:
        calls.append(handle)
        if len(calls) > write:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(handle)

    with monkeypatch.context() as patched:
        patched.setattr(writing.os, "fsync", fail)
        with pytest.raises(InterplayError, match=r"^cannot write .*: the disk is full$"):
            train_recipe(tiny_recipe, tmp_path / "run", quiet=True)
    assert not list(tmp_path.rglob("*.part"))
    train_recipe(tiny_recipe, tmp_path / "run", resume=True, quiet=True)
    train_recipe(tiny_recipe, tmp_path / "whole", quiet=True)
    assert same(weights(tmp_path / "run"), weights(tmp_path / "whole"))


def test_logs_that_cannot_be_written_are_one_line_too(
    tmp_path: Path, tiny_recipe: Recipe, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    def fail(self: RecordWriter, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordWriter, "write", fail)
    tiny_recipe["training"]["tensorboard"] = True
    with pytest.raises(InterplayError, match=r"^cannot write .*run: the disk is full$"):
        train_recipe(tiny_recipe, tmp_path / "run", quiet=True)
    assert "Traceback" not in capfd.readouterr().err
