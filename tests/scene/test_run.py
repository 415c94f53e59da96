"""Whole runs on a few of the playground's pictures, through the command line where people would use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import interplay
from interplay.cli import main
from interplay.data.playground.scenes import PlaygroundScenes
from interplay.errors import InterplayError
from interplay.scene.heads import HEADS
from interplay.scene.recogniser import SceneRecogniser
from interplay.scene.run import train_recipe

SMALL: dict[str, Any] = {
    "system": "sil",
    "data": {"name": "playground_scenes", "train": 6, "validation": 2, "test": 2, "width": 96, "height": 96},
    "input": {"short": 96, "long": 96, "channels": "rgb", "flip": 0.5, "batch_size": 2, "evaluation_batch": 2},
    "detector": {"backbone": "small", "channels": 16, "width": 16, "numbers": "playground"},
    "model": {"task": "predcls", "width": 16, "chunk": 50},
    "sil": {"heads": 2, "cei_heads": 2, "mlp_hidden": 16, "cei_ffn": 16, "clusters": 4},
    "head": {"name": "frequency"},
    "pairs": {"cap": 24},
    "optimiser": {"base_lr": 0.001, "schedule": "plateau", "warmup_steps": 2},
    "training": {"epochs": 2, "seed": 3, "accelerator": "cpu", "tensorboard": False},
}
NARROW: dict[str, dict[str, Any]] = {
    "motifs": {"hidden": 16, "pooling": 16, "label_dim": 8},
    "vctree": {"hidden": 16, "pooling": 16, "label_dim": 8},
    "pe_net": {"hidden": 16, "width": 16, "mapping": 16, "label_dim": 8},
    "kern": {"hidden": 8, "output": 8},
    "gps_net": {"hidden": 16, "value": 8, "bottleneck": 8, "label_dim": 8},
    "bgnn": {
        "pooling": 16,
        "hidden": 16,
        "feature_hidden": 16,
        "confidence_hidden": 16,
        "label_dim": 8,
        "gate_width": 8,
    },
    "graph_rcnn": {},
    "frequency": {},
}


def small(head: str, **changes: Any) -> dict[str, Any]:
    recipe = json.loads(json.dumps(SMALL))
    recipe["head"] = {"name": head, **NARROW[head]}
    for key, value in changes.items():
        section, _, name = key.partition("__")
        recipe[section][name] = value
    return recipe


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return SceneRecogniser.from_pretrained(str(folder / "model")).state_dict()


@pytest.mark.parametrize("task", ["predcls", "sgcls", "sggen"])
def test_every_head_trains_and_answers(tmp_path: Path, task: str) -> None:
    heads = {"sggen": set(HEADS), "sgcls": {"motifs", "bgnn"}, "predcls": {"vctree", "pe_net"}}[task]
    for number, head in enumerate(sorted(heads)):
        recipe = small(head, model__task=task, model__sil=number % 2 == 0, training__epochs=1)
        result = train_recipe(recipe, tmp_path / head, quiet=True)
        metrics = result["metrics"]["last"]["test"]["metrics"]
        assert 0 <= metrics["R@100"] <= 1, head
        recogniser = interplay.load(tmp_path / head)
        assert isinstance(recogniser, SceneRecogniser)
        scene = PlaygroundScenes(train=0, validation=0, test=1, width=96, height=96).read(0)
        for item in recogniser.predict(scene).interactions:
            assert item.label in recogniser.vocabulary.predicates[1:]


def test_sil_leaves_detections_as_they_are(tmp_path: Path) -> None:
    scene = PlaygroundScenes(train=0, validation=0, test=1, width=96, height=96).read(0)
    found = []
    for sil in (False, True):
        train_recipe(
            small("motifs", model__task="sggen", model__sil=sil, training__epochs=1), tmp_path / f"{sil}", quiet=True
        )
        model = SceneRecogniser.from_pretrained(str(tmp_path / f"{sil}" / "model")).eval().network
        prepared = SceneRecogniser.from_pretrained(str(tmp_path / f"{sil}" / "model")).preparation(scene)
        from interplay.scene.preparation import collate

        batch = collate([prepared])
        found.append(model.entities(batch, model.maps(batch), False))
    assert torch.equal(found[0].boxes, found[1].boxes)
    assert torch.equal(found[0].logits, found[1].logits)


def test_interrupted_and_resumed_is_uninterrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Epochs of two steps, so that the second pass over the pictures begins inside the interrupted epoch.
    recipe = small("motifs", model__sil=True, training__epochs=3, input__steps_per_epoch=2)
    train_recipe(recipe, tmp_path / "whole", quiet=True)

    class Stop(Exception):
        pass

    from interplay.scene.task import SceneTask

    step = SceneTask.training_step

    def stopping(self: SceneTask, batch: Any, batch_idx: int) -> Any:
        if self.current_epoch == 1 and batch_idx == 1:
            raise Stop
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(SceneTask, "training_step", stopping)
        with pytest.raises(Stop):
            train_recipe(recipe, tmp_path / "broken", quiet=True)
    train_recipe(recipe, tmp_path / "broken", quiet=True, resume=True)
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_model_begins_from_another_and_is_tested_as_it_is(tmp_path: Path) -> None:
    first = train_recipe(small("motifs", model__sil=True, training__epochs=1), tmp_path / "first", quiet=True)
    again = small("motifs", model__sil=True, model__weights=str(tmp_path / "first"), training__epochs=0)
    again["detector"]["weights"] = str(tmp_path / "first")
    found = train_recipe(again, tmp_path / "again", quiet=True)
    assert found["metrics"]["last"] == first["metrics"]["last"]
    assert found["metrics"]["epochs"] == 0
    old, new = weights(tmp_path / "first"), weights(tmp_path / "again")
    assert all(torch.equal(old[name], new[name]) for name in old)
    with pytest.raises(InterplayError, match="does not fit this model"):
        train_recipe({**again, "head": {"name": "motifs", **NARROW["motifs"], "hidden": 8}}, tmp_path / "x", quiet=True)
    with pytest.raises(InterplayError, match="found no model 'nowhere'"):
        train_recipe(small("motifs", model__weights="nowhere"), tmp_path / "y", quiet=True)


def test_what_was_counted_after_the_last_epoch_is_not_counted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from interplay.scene import outcome

    calls: list[str] = []
    score = outcome.score

    def counting(task: Any, data: Any, part: str, device: Any) -> Any:
        calls.append(part)
        return score(task, data, part, device)

    monkeypatch.setattr(outcome, "score", counting)
    recipe = small("motifs", training__epochs=2)
    kept = train_recipe(recipe, tmp_path / "kept", quiet=True)
    assert calls == []
    monkeypatch.setattr("interplay.scene.task.SceneTask.on_validation_epoch_start", lambda self: None)
    monkeypatch.setattr("interplay.scene.task.SceneTask.validation_step", lambda self, *batch: None)
    again = train_recipe(
        {**recipe, "training": {**recipe["training"], "monitor": "loss"}}, tmp_path / "again", quiet=True
    )
    assert sorted(calls) == ["test", "validation"]
    assert again["metrics"]["last"] == kept["metrics"]["last"]


def test_kept_maps_answer_like_computed_ones(tmp_path: Path) -> None:
    results = []
    for maps in ("compute", "keep"):
        recipe = small("motifs", input__maps=maps, input__flip=0.0, input__cache_folder=str(tmp_path / "cache"))
        results.append(train_recipe(recipe, tmp_path / maps, quiet=True)["metrics"]["last"]["test"]["metrics"]["R@100"])
    assert results[0] == pytest.approx(results[1], abs=0.05)  # float16 maps
    assert list((tmp_path / "cache").glob("*/index.json"))
    assert len(list((tmp_path / "cache" / "statistics").glob("*.npz"))) == 1, "counted once"


def test_sil_on_pictures_trains_beside_kept_maps_and_the_test_may_wait(tmp_path: Path) -> None:
    recipe = small("motifs", model__sil=True, sil__on="image", input__maps="keep", training__epochs=1)
    recipe["input"] |= {"test": "last", "cache_folder": str(tmp_path / "cache")}
    result = train_recipe(recipe, tmp_path / "run", quiet=True)
    columns = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    assert "validation_R@20" in columns
    assert "test_" not in columns
    assert 0 <= result["metrics"]["last"]["test"]["metrics"]["R@100"] <= 1
    from interplay.studies.sil_figures import superpixels

    scene = PlaygroundScenes(train=0, validation=0, test=1, width=96, height=96).read(0)
    recogniser = interplay.load(tmp_path / "run")
    assert isinstance(recogniser, SceneRecogniser)
    assert list(superpixels(recogniser, scene).levels) == ["stride 1"]


def test_from_picture_to_files_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train_recipe(small("motifs", model__task="sggen", training__epochs=1), tmp_path / "run", quiet=True)
    picture, broken = tmp_path / "picture.png", tmp_path / "broken.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)).save(picture)
    broken.write_bytes(b"\xff\xd8\xff no picture")
    code = main(
        ["predict", str(tmp_path / "run"), str(picture), str(broken), "--json", "-", "--draw", str(tmp_path / "drawn"),
         "--graphml", str(tmp_path / "graphs")]
    )  # fmt: skip
    printed = capsys.readouterr()
    assert code == 1
    assert "broken.jpg" in printed.err
    answer = json.loads(printed.out)
    assert answer["input"] == str(picture)
    assert "simulated" in answer["notes"][0]
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 1
    assert len(list((tmp_path / "graphs").glob("*.graphml"))) == 1
    assert main(["evaluate", str(tmp_path / "run"), "--resamples", "20", "--out", str(tmp_path / "figures")]) == 0
    assert json.loads((tmp_path / "figures" / "result.json").read_text())["protocol"]["protocol"] == "vg"


def test_a_detector_trains_and_is_taken_frozen(tmp_path: Path) -> None:
    from interplay.scene.detector.training import train_recipe as train_detector

    recipe = {key: SMALL[key] for key in ("data", "input", "detector", "optimiser", "training")} | {
        "system": "detector"
    }
    recipe["input"] = {**SMALL["input"], "test": "last"}
    result = train_detector(recipe, tmp_path / "detector", quiet=True)
    assert -1 <= result["metrics"]["last"]["test_mAP50"] <= 1
    assert "test_" not in (tmp_path / "detector" / "metrics.csv").read_text().splitlines()[0]
    taken = small("frequency", detector__weights=str(tmp_path / "detector"), training__epochs=1)
    with pytest.raises(InterplayError, match=r"input\.channels: found bgr, expected rgb"):
        train_recipe({**taken, "input": {**taken["input"], "channels": "bgr"}}, tmp_path / "other", quiet=True)
    train_recipe(taken, tmp_path / "run", quiet=True)
    trained = {
        name.removeprefix("network."): value
        for name, value in weights(tmp_path / "run").items()
        if name.startswith("network.detector.")
    }
    from interplay.scene.detector.source import DetectorFolder

    source = DetectorFolder.from_pretrained(str(tmp_path / "detector" / "model")).state_dict()
    assert trained.keys() == source.keys()
    assert all(torch.equal(value, source[name]) for name, value in trained.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__features": "geometry", "model__sil": True}, "model.sil"),
        ({"model__features": "geometry", "model__task": "sggen"}, "model.task"),
        ({"detector__weights": "nowhere"}, "detector.weights"),
        ({"evaluation__protocol": "vrd", "evaluation__relation_nms": "penet"}, "evaluation"),
        ({"head__hiden": 3}, "head.hidden"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    recipe = small("motifs")
    recipe["evaluation"] = {}
    for key, value in changes.items():
        section, _, name = key.partition("__")
        recipe[section][name] = value
    with pytest.raises(InterplayError) as caught:
        train_recipe(recipe, tmp_path / "run", quiet=True)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
