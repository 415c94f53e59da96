"""Every shipped recipe stands up: keys, types, network and, where nothing is to be downloaded, data."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from interplay.data.datasets import open_dataset
from interplay.errors import InterplayError
from interplay.graph.layouts import load_layout
from interplay.skeleton.datamodule import SkeletonData, TrainingInput, open_cache
from interplay.skeleton.network import MutualExcitationGCN
from interplay.skeleton.recipe import resolve
from interplay.training.recipes import load_recipe, shipped_recipes
from interplay.training.settings import OptimiserSettings, TrainingSettings

LAYOUTS = {"ntu60": "ntu25", "ntu120": "ntu25", "sbu": "sbu15", "assembly101": "assembly101_hand21"}
CLASSES = {"ntu60": 11, "ntu120": 26, "sbu": 8, "assembly101": 1380}


def tuples(section: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in section.items()}


@pytest.mark.parametrize("name", [name for name in shipped_recipes() if name.startswith("megcn/")])
def test_a_shipped_recipe_resolves_and_builds_its_network(name: str) -> None:
    data = name.partition("/")[2]
    simulated = data in ("playground", "hands")
    recipe = resolve(load_recipe(name), [] if simulated else ["--data.root", "/nowhere"], where=name)
    settings = TrainingInput(**tuples(recipe["input"]))
    OptimiserSettings(**tuples(recipe["optimiser"]))
    TrainingSettings(**recipe["training"])
    if simulated:
        dataset = open_dataset(
            recipe["data"].pop("name"),
            **recipe["data"] | {"train_episodes": 2, "validation_episodes": 1, "test_episodes": 1},
        )
        module = SkeletonData(open_cache(dataset, settings), settings, seed=1)
        layout, classes = dataset.layout, len(dataset.classes)
        clips = module.training_batch(0, 0).clips
    else:
        layout, classes = load_layout(LAYOUTS[data]), CLASSES[data]
        clips = torch.randn(2, 3, settings.window, layout.joint_count, 2)
    network = MutualExcitationGCN(classes, layout, **tuples(recipe["model"]))
    assert network(clips).shape == (len(clips), classes)


@pytest.mark.parametrize("name", ["megcn/ntu60", "megcn/ntu120", "megcn/assembly101"])
def test_the_paper_s_recipe(name: str) -> None:
    recipe = resolve(load_recipe(name), ["--data.root=/nowhere"])
    optimiser, training = recipe["optimiser"], recipe["training"]
    assert optimiser | {"average": 0, "final": 0} == {
        "lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0004, "warmup_epochs": 5, "schedule": "step",
        "milestones": [35, 55], "gamma": 0.1, "label_smoothing": 0.0, "average": 0, "final": 0,
    }  # fmt: skip
    assert training["epochs"] == 65
    assert training["gradient_clip"] == 0
    assert recipe["input"]["window"] == 64
    assert recipe["input"]["batch_size"] == (128 if name == "megcn/assembly101" else 32)
    assert recipe["input"]["streams"] == ["joint"]
    network = MutualExcitationGCN(26, "ntu25", **tuples(recipe["model"] | {"mte": False, "mfe": False}))
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_437_934


def test_another_data_set_brings_its_own_settings() -> None:
    recipe = resolve(load_recipe("megcn/sbu"), ["--data.seed=3"], data="playground")
    assert recipe["data"]["name"] == "playground"
    assert recipe["data"]["seed"] == 3
    assert "test_fold" not in recipe["data"]
    with pytest.raises(InterplayError, match=r"unknown option --data\.test_fold"):
        resolve(load_recipe("megcn/sbu"), ["--data.test_fold=3"], data="playground")


def test_what_follows_from_the_data_is_not_the_recipe_s_to_give() -> None:
    with pytest.raises(InterplayError, match=r"unknown option --model\.num_classes"):
        resolve(load_recipe("megcn/playground"), ["--model.num_classes=3"])
