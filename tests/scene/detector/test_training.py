"""How a detector is scored, and on which pictures it trains."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from interplay.scene.detector.box_head import Detections
from interplay.scene.detector.settings import DetectorSettings
from interplay.scene.detector.training import DetectorTask, average_precision, resolve
from interplay.scene.preparation import SceneBatch, SceneTarget
from interplay.training.recipes import load_recipe


@pytest.mark.parametrize(("settings", "expected"), [(DetectorSettings(), 1.0), (DetectorSettings.torchvision(), 0.0)])
def test_the_last_pixel_counts_in_map50_where_it_counts_in_the_detector(
    settings: DetectorSettings, expected: float
) -> None:
    # 13 of 25 square pixels with the last pixel of each box, 6.4 of 16 without.
    truth, found = torch.tensor([[10.0, 10, 14, 14]]), torch.tensor([[10.0, 10, 14, 11.6]])
    label = torch.tensor([1])
    answer = Detections(found, label, torch.tensor([0.9]), torch.tensor([0]))
    detector = SimpleNamespace(settings=settings, features=lambda _: {}, detections=lambda *_: [answer])
    target = SceneTarget(truth, label, torch.zeros(0, 3, dtype=torch.int64))
    batch = SceneBatch(("a",), torch.zeros(1, 3, 32, 32), torch.ones(1, 2), torch.ones(1, 2), (target,))
    metric = average_precision()
    task: Any = SimpleNamespace(detector=detector)
    DetectorTask.count(task, batch, metric)
    assert float(metric.compute()["map_50"]) == expected


def test_pictures_without_relations_train_a_detector() -> None:
    recipe = load_recipe("sil/vg-detector")
    steps = recipe["input"]["steps_per_epoch"] * recipe["training"]["epochs"]
    assert (steps, recipe["optimiser"]["base_lr"] * recipe["input"]["batch_size"]) == (50_000, 0.008)
    bare = {**recipe, "data": {"name": "vg"}}
    for given, data in ((recipe, None), (bare, None), (load_recipe("sil/playground-detector"), "vg")):
        assert resolve(given, ["--data.root=somewhere"], data)["data"]["with_relations"] is False
    assert resolve(bare, ["--data.root=a", "--data.with_relations=true"])["data"]["with_relations"] is True
    assert "with_relations" not in resolve(load_recipe("sil/playground-detector"))["data"]
