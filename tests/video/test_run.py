"""Whole runs of the four stages on a few of the playground's clips."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

import interplay
from interplay.errors import InterplayError
from interplay.evaluation.scores import Scores
from interplay.training.folder import RunFolder
from interplay.video.backbone import InflatedResNet50
from interplay.video.inflation import NORM, names_of
from interplay.video.network import AGOS
from interplay.video.recipe import resolve
from interplay.video.recogniser import VideoRecogniser
from interplay.video.run import Sections, VideoRun, train_recipe
from interplay.video.settings import BackboneSettings, preset
from interplay.video.stage_folder import StageFolder, backbone_state
from interplay.video.stages import Plateau
from interplay.video.task import DiscreteTask, PretrainingTask, SearchTask, StageTask

CLASSES = ["Moving something up", "Pushing something from left to right", "Opening something"]
TINY: dict[str, Any] = {
    "system": "agos",
    "data": {
        "name": "playground_videos",
        "train_clips": 3,
        "validation_clips": 1,
        "test_clips": 1,
        "classes": CLASSES,
        "height": 32,
        "width": 32,
    },
    "input": {"frames": 4, "height": 32, "width": 32, "boxes": 3, "batch_size": 3, "evaluation_batch": 4},
    "backbone": {"width": 2, "blocks": [1, 1], "strides": [1, 2]},
    "model": {"width": 8, "na_neighbours": 2, "tc_kernel": 1},
    "stage1": {"epochs": 2, "lr": 0.01},
    "stage2": {"epochs": 3, "structure_lr": 0.05, "watched": 6, "stable_epochs": 0},
    "stage3": {"epochs": 2},
    "stage4": {"epochs": 2},
    "training": {"seed": 3, "accelerator": "cpu", "tensorboard": False},
}


def tiny(**changes: Any) -> dict[str, Any]:
    recipe = json.loads(json.dumps(TINY))
    for key, value in changes.items():
        section, _, name = key.partition("__")
        recipe[section][name] = value
    return recipe  # type: ignore[no-any-return]


def states(run: Path) -> list[dict[str, torch.Tensor]]:
    return [StageFolder(run / f"stage{number}").state() for number in (1, 2, 3, 4)]


def table(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "metrics.csv").read_text(encoding="utf-8").splitlines()))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of the four stages."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train_recipe(tiny(), folder, quiet=True)
    return folder


def test_the_run_folder_holds_everything(whole: Path) -> None:
    result = json.loads((whole / "result.json").read_text())
    assert [stage["stage"] for stage in result["stages"]] == [1, 2, 3, 4]
    assert result["stages"][1]["searches"]
    assert 0 <= result["metrics"]["last"]["test"]["top1"]["value"] <= 1
    assert set(result["metrics"]["only_testing"]) == {"validation", "test"}
    assert result["proposals"] == {"rendered": 15}
    assert result["count"] == {"train": 9, "validation": 3, "test": 3}
    # Only six are watched; the structure of "only testing" is that of the most training videos.
    assert result["structures"]["train"]["clips"] == 9
    rows = table(whole)
    assert [row["stage"] for row in rows] == ["1"] * 2 + ["2"] * 3 + ["3"] * 2 + ["4"] * 2
    searched = [row for row in rows if row["stage"] == "2"]
    names = ("zero", "identity", "difference", "temporal", "background")
    for row in searched:
        assert sum(float(row[f"use_{name}"]) for name in names) == pytest.approx(1)
        assert 0 <= float(row["changed"]) <= 1
        assert 0 < float(row["entropy"]) <= np.log(5) + 1e-9
    assert all(row["changed"] == "" for row in rows if row["stage"] != "2")
    with np.load(whole / "structures-test.npz", allow_pickle=False) as held:
        assert held["choices"].shape == (3, 6)
        assert held["weights"].shape == (3, 6, 5)
        assert held["choices"].tolist() == held["weights"].argmax(-1).tolist()
    assert len(Scores.load(whole / "scores-test.npz")) == 3


def test_what_each_stage_leaves_alone(whole: Path) -> None:
    first, second, third, fourth = states(whole)

    def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], prefix: str) -> bool:
        names = [name for name in one if name.startswith(prefix)]
        assert names
        return all(torch.equal(one[name], other[name]) for name in names)

    assert same(first, second, "backbone.")
    assert same(first, third, "backbone.")
    assert not same(first, fourth, "backbone.")
    assert same(first, fourth, "backbone.stem.norm.running_mean")
    assert second["structure_weights.linear.weight"].abs().max() > 0
    assert same(second, third, "structure_weights.")
    assert same(second, fourth, "structure_weights.")
    for prefix in ("cells.", "nodes.", "classifier."):
        assert not same(second, third, prefix), prefix
        assert not same(third, fourth, prefix), prefix


class Killed(Exception):
    pass


def killed_in(kind: type[StageTask], epoch: int, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, this batch of this kind of stage is never trained."""
    step: Callable[..., Any] = kind.training_step

    def stopping(self: Any, given: Any, batch_idx: int) -> Any:
        if (self.current_epoch, batch_idx) == (epoch, batch):
            raise Killed
        return step(self, given, batch_idx)

    monkeypatch.setattr(kind, "training_step", stopping)


def test_stage_after_stage_each_killed_and_resumed_is_one_uninterrupted_run(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InterplayError, match="stage 2 needs stage 1"):
        train_recipe(tiny(), tmp_path / "early", stage="2", quiet=True)
    with pytest.raises(InterplayError, match="expected all or one of 1, 2, 3, 4"):
        train_recipe(tiny(), tmp_path / "no", stage="5", quiet=True)
    broken = tmp_path / "broken"
    moments = {
        "1": (PretrainingTask, 1, 1),
        "2": (SearchTask, 2, 1),
        "3": (DiscreteTask, 0, 2),
        "4": (DiscreteTask, 1, 0),
    }
    for stage, moment in moments.items():
        with monkeypatch.context() as patch:
            killed_in(*moment, patch)
            with pytest.raises(Killed):
                train_recipe(tiny(), broken, stage=stage, quiet=True)
        assert not StageFolder(broken / f"stage{stage}").finished
        result = train_recipe(tiny(), broken, stage=stage, resume=True, quiet=True)
        assert bool(result) == (stage == "4")
    for number, (one, other) in enumerate(zip(states(whole), states(broken), strict=True), start=1):
        assert one.keys() == other.keys()
        different = [name for name in one if not torch.equal(one[name], other[name])]
        assert not different, (number, different)
    timeless = [
        [{key: value for key, value in row.items() if key != "seconds"} for row in table(run)]
        for run in (whole, broken)
    ]
    assert timeless[0] == timeless[1]
    assert train_recipe(tiny(), broken, resume=True, quiet=True) == result


def test_a_backbone_that_was_given_is_not_stilled(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``still_start`` zeroes the gains of a backbone from random weights, and of no other."""
    gain = "backbone.stages.1.0.third.norm.weight"
    given = StageFolder(whole / "stage4").state()
    backbone = InflatedResNet50(BackboneSettings(width=2, blocks=(1, 1), strides=(1, 2)))
    backbone.load_state_dict({name.removeprefix("backbone."): value for name, value in backbone_state(given).items()})
    flat: dict[str, torch.Tensor] = {}
    for layer, kernel, norm in names_of(backbone).values():
        flat[f"{kernel}.weight"] = layer.convolution.weight.detach()[:, :, 0].contiguous()
        flat |= {f"{norm}.{name}": getattr(layer.norm, name).detach() for name in NORM}
    weights = tmp_path / "resnet.safetensors"
    save_file(flat, weights)
    seen: list[torch.Tensor] = []

    def first_step(self: StageTask, batch: Any, batch_idx: int) -> Any:
        seen.append(self.network.state_dict()[gain].clone())
        raise Killed

    monkeypatch.setattr(PretrainingTask, "training_step", first_step)
    transfer = {"training__structure_from": str(whole)}
    starts: tuple[dict[str, Any], ...] = (
        {},
        {**transfer, "training__transfer_backbone": False},
        transfer,
        {"backbone__weights": str(weights)},
    )
    for number, start in enumerate(starts):
        with pytest.raises(Killed):
            train_recipe(tiny(stage1__still_start=True, **start), tmp_path / str(number), stage="1", quiet=True)
    assert all(float(one.abs().max()) == 0 for one in seen[:2])
    assert float(given[gain].abs().min()) > 0.5
    assert all(torch.equal(one, given[gain]) for one in seen[2:])


def test_a_stage_may_begin_anew_behind_the_structures(whole: Path) -> None:
    """A20: operations, narrowing layer and classifier from fresh weights; backbone and structure weights stay."""
    recipe = resolve(tiny(stage3__fresh=True))
    run = VideoRun(RunFolder(whole), recipe, Sections(recipe), lambda text: None, True, lambda: None)
    before = StageFolder(whole / "stage2").state()
    made = run._begun(3, [1, 2]).state_dict()
    kept = {name for name, value in before.items() if torch.equal(value, made[name])}
    assert kept >= {name for name in before if name.startswith(("backbone.", "structure_weights."))}
    assert not kept & {"nodes.layer.weight", "classifier.weight", "cells.0.edges.0.difference.main.transform.weight"}
    plain = resolve(tiny())
    run.sections = Sections(plain)
    made = run._begun(3, [1, 2]).state_dict()
    assert all(torch.equal(value, made[name]) for name, value in before.items())


def test_the_search_clips_and_listens_to_what_was_evaluated(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms: list[float] = []
    told: list[float] = []
    dropouts: list[float] = []

    def noted(self: SearchTask, optimizer: torch.optim.Optimizer) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.stack([gradient.norm() for gradient in gradients]).norm()))
        identity = self.network.cells[0].bank(0)["identity"]  # type: ignore[operator]
        dropouts.append(identity.probability)

    step = Plateau.step
    monkeypatch.setattr(SearchTask, "on_before_optimizer_step", noted)

    def heard(self: Plateau, loss: float) -> None:
        told.append(loss)
        step(self, loss)

    monkeypatch.setattr(Plateau, "step", heard)
    recipe = tiny(
        training__begin_from=str(whole / "stage1"),
        training__gradient_clip=1e-3,
        training__evaluate_every=3,
        stage2__epochs=4,
        stage2__identity_decay="linear",
        stage3__epochs=0,
        stage4__epochs=0,
    )
    train_recipe(recipe, tmp_path / "clipped", quiet=True)
    assert len(norms) == 4 * 3
    assert all(norm <= 1e-3 * (1 + 1e-4) for norm in norms)
    assert max(norms) == pytest.approx(1e-3, rel=1e-3)
    assert dropouts == [p for p in (0.5, 0.375, 0.25, 0.125) for _ in range(3)]
    rows = table(tmp_path / "clipped")
    held_out = [float(row["validation_loss"]) for row in rows if row["stage"] == "2" and row["validation_loss"]]
    assert len(held_out) == 2  # the third epoch, and the last
    assert told == pytest.approx(held_out)


def test_a_shared_first_stage_and_the_baselines(whole: Path, tmp_path: Path) -> None:
    shared = str(whole / "stage1")
    first = StageFolder(whole / "stage1").state()
    for graph, stages in (("global_pooling", 1), ("roi_pooling", 4), ("node_attention", 4)):
        recipe = tiny(model__graph=graph, training__begin_from=shared, stage2__epochs=1)
        result = train_recipe(recipe, tmp_path / graph, quiet=True)
        assert len(result["stages"]) == stages
        assert result["stages"][0]["begun_from"] == "whole/stage1"
        assert "only_testing" not in result["metrics"]
        assert "begin_from" not in result["protocol"]["training"]
        model = interplay.load(tmp_path / graph)
        assert isinstance(model, VideoRecogniser)
        if graph == "global_pooling":
            assert all(
                torch.equal(value, first[name])
                for name, value in StageFolder(tmp_path / graph / "stage1").state().items()
            )
        else:
            fixed = StageFolder(tmp_path / graph / "stage3").state()
            assert torch.equal(fixed["backbone.stem.convolution.weight"], first["backbone.stem.convolution.weight"])
    with pytest.raises(InterplayError, match="another input"):
        train_recipe(tiny(input__frames=8, training__begin_from=shared), tmp_path / "other", quiet=True)
    with pytest.raises(InterplayError, match=r"no stage\.json"):
        train_recipe(tiny(training__begin_from=str(tmp_path / "nowhere")), tmp_path / "none", quiet=True)


def test_structure_weights_from_another_run(whole: Path, tmp_path: Path) -> None:
    recipe = tiny(data__classes=["Closing something", "Moving something down"], training__structure_from=str(whole))
    result = train_recipe(recipe, tmp_path / "transfer", quiet=True)
    given = StageFolder(whole / "stage4").state()
    made = StageFolder(tmp_path / "transfer" / "stage4").state()
    assert torch.equal(given["structure_weights.linear.weight"], made["structure_weights.linear.weight"])
    assert not result["stages"][1]["searches"]
    assert result["structures"]["test"]["clips"] == 2


def test_stacked_cells_take_the_searched_structures(whole: Path, tmp_path: Path) -> None:
    """The first stage from one run, structure weights from another (here the same), and no second stage at all."""
    recipe = tiny(
        model__cells=2,
        training__begin_from=str(whole / "stage1"),
        training__structure_from=str(whole),
        stage2__epochs=0,
        stage4__epochs=0,
    )
    result = train_recipe(recipe, tmp_path / "stacked", quiet=True)
    assert [stage["stage"] for stage in result["stages"]] == [1, 3]
    assert result["stages"][0]["begun_from"] == "whole/stage1"
    first, _, _, fourth = states(whole)
    made = StageFolder(tmp_path / "stacked" / "stage3").state()
    assert torch.equal(made["structure_weights.linear.weight"], fourth["structure_weights.linear.weight"])
    assert all(torch.equal(value, made[name]) for name, value in backbone_state(first).items())
    assert any(name.startswith("cells.1.") for name in made)
    with pytest.raises(InterplayError, match=r"stage2\.epochs: found 0, expected at least 1 for a search"):
        train_recipe(tiny(stage2__epochs=0), tmp_path / "no", quiet=True)
    none = {"stage2__epochs": 0, "stage3__epochs": 0, "stage4__epochs": 0}
    with pytest.raises(InterplayError, match=r"trains the graph part \(roi_pooling\)"):
        train_recipe(tiny(model__graph="roi_pooling", **none), tmp_path / "no", quiet=True)


def test_structure_weights_of_the_map_bring_the_layer_that_they_read(tmp_path: Path) -> None:
    recipe = resolve(tiny(model__alpha_in="map"))
    sections = Sections(recipe)
    network = AGOS(3, model=sections.model, backbone=sections.backbone, frames=4, size=32, boxes=3)
    StageFolder(tmp_path / "stage4").path.mkdir()
    StageFolder(tmp_path / "stage4").finish(network.state_dict(), {})
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))

    def taken(**changes: Any) -> set[str]:
        there = SimpleNamespace(sections=Sections(resolve(tiny(**changes))))
        return set(VideoRun._given_weights(there, tmp_path))  # type: ignore[arg-type]

    layer = {"nodes.layer.weight", "nodes.layer.bias"}
    assert taken(model__alpha_in="map") == {"structure_weights.linear.weight", "structure_weights.linear.bias", *layer}
    for key, value in (("space", "parallel"), ("alpha_in", "backbone"), ("width", 4)):
        with pytest.raises(InterplayError, match=f"found model.{key} .*, expected this recipe's {value}"):
            taken(**{"model__alpha_in": "map", f"model__{key}": value})


def test_a_preset_fills_what_the_recipe_leaves_open() -> None:
    expected = preset("release", width=8, na_neighbours=2, tc_kernel=1, var_on="raw")
    recipe = tiny(model__preset="release", model__var_on="raw")
    assert Sections(resolve(recipe)).model == expected
    given = resolve(tiny(model__var_on="raw"), ["--model.preset", "release", "--model.u=full"])
    assert "preset" not in given["model"]
    assert Sections(given).model == replace(expected, u="full")
    assert Sections(resolve(tiny(model__preset="default"))).model == Sections(resolve(tiny())).model
    with pytest.raises(InterplayError, match=r"model\.preset: .*'default', 'release'"):
        resolve(tiny(), ["--model.preset=paper"])


def test_without_adaptivity_all_clips_share_a_structure(tmp_path: Path) -> None:
    recipe = tiny(
        model__adaptive=False, model__space="original", model__supernodes=2, stage3__epochs=1, stage4__epochs=0
    )
    result = train_recipe(recipe, tmp_path / "free", quiet=True)
    assert result["structures"]["test"]["distinct"] == 1
    assert len(result["structures"]["most_frequent"]["operations"]) == 3
    own, forced = (result["metrics"][kind]["test"] for kind in ("last", "only_testing"))
    assert own["cross_entropy"]["value"] == pytest.approx(forced["cross_entropy"]["value"], rel=1e-5)


def test_kept_maps_and_frames_are_made_once_and_resume_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"input__keep_frames": 12, "input__cache_folder": str(tmp_path / "cache"), "stage2__keep_draws": 2}
    recipe = tiny(**kept, training__frozen_bf16=True, stage1__epochs=1, stage2__epochs=2, stage4__epochs=0)
    with monkeypatch.context() as patch:
        killed_in(SearchTask, 1, 0, patch)
        with pytest.raises(Killed):
            train_recipe(recipe, tmp_path / "second", quiet=True)
    held = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.bin")}
    assert sorted(path.name for path in held) == ["boxes.bin", "boxes.bin", "features.bin", "frames.bin"]
    second = train_recipe(recipe, tmp_path / "second", quiet=True, resume=True)
    first = train_recipe(recipe, tmp_path / "first", quiet=True)
    assert held == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.bin")}
    assert first["metrics"]["last"] == second["metrics"]["last"]
    for number in (1, 2, 3):
        one, other = (StageFolder(tmp_path / run / f"stage{number}").state() for run in ("first", "second"))
        assert all(torch.equal(value, other[name]) for name, value in one.items())
