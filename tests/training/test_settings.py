from __future__ import annotations

from typing import Any

import pytest

from interplay.errors import InterplayError
from interplay.training.settings import OptimiserSettings, TrainingSettings


@pytest.mark.parametrize(
    "values",
    [
        {"lr": 0.0},
        {"lr": float("nan")},
        {"momentum": 1.0},
        {"momentum": 0.0},  # with nesterov on
        {"weight_decay": -1.0},
        {"warmup_epochs": -1},
        {"milestones": [55, 35]},
        {"milestones": [0]},
        {"gamma": 0.0},
        {"final": 2.0},
        {"label_smoothing": 1.0},
        {"average": 1.0},
    ],
)
def test_optimiser_values_out_of_range_name_their_key(values: dict[str, Any]) -> None:
    (key,) = values
    with pytest.raises(InterplayError, match=rf"^optimiser\.({key}|nesterov): found .*, expected "):
        OptimiserSettings(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": -1},
        {"seed": -1},
        {"seed": 2**32},
        {"gradient_clip": -0.1},
        {"evaluate_every": 0},
        {"early_stop": -1},
        {"devices": 0},
        {"nodes": 0},
    ],
)
def test_training_values_out_of_range_name_their_key(values: dict[str, Any]) -> None:
    (key,) = values
    with pytest.raises(InterplayError, match=rf"^training\.{key}: found .*, expected "):
        TrainingSettings(**values)
