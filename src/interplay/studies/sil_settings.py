"""What each head needs beside a recipe: sizes that fit the data set, and the schedule it was published with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RECIPES: Mapping[str, str] = {
    "playground": "sil/playground",
    "playground_scenes": "sil/playground",
    "vg": "sil/vg",
    "openimages": "sil/openimages",
}
"""``--data`` → the recipe that its rows start from."""
SIMULATED = ("playground", "playground_scenes")

_NARROW = {"head.hidden": 128, "head.pooling": 256, "head.label_dim": 64}
_BGNN_RESAMPLING = {"input.resampling": "bilevel"}

SMALL: Mapping[str, Mapping[str, Any]] = {
    "frequency": {"training.epochs": 1},
    "motifs": _NARROW,
    "vctree": _NARROW,
    "graph_rcnn": {"head.hidden": 256, "head.pooling": 256, "head.feature_hidden": 128, "head.label_dim": 64},
    "kern": {"head.hidden": 64, "head.output": 64, "optimiser.base_lr": 0.002},
    "gps_net": {"head.hidden": 128, "head.value": 64, "head.bottleneck": 32, "head.label_dim": 64},
    "bgnn": {
        "head.hidden": 128,
        "head.pooling": 256,
        "head.feature_hidden": 128,
        "head.confidence_hidden": 128,
        "head.label_dim": 64,
        "head.gate_width": 64,
        "head.pretraining_steps": 200,
        "training.epochs": 1,  # of the resampled pictures: as many steps as four epochs of the others
        **_BGNN_RESAMPLING,
    },
    "pe_net": {
        "head.hidden": 128,
        "head.width": 256,
        "head.mapping": 128,
        "head.label_dim": 64,
        "optimiser.base_lr": 0.002,
    },
}
"""Head → what makes it small enough for the playground's pictures; the recipe's own ``head`` section speaks of the
head it names only."""

_GENERIC = {"optimiser.weight_decay": 1e-5, "optimiser.patience": 6}
PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "frequency": {"training.epochs": 1},
    "motifs": {},
    "vctree": {},
    "graph_rcnn": _GENERIC,
    "kern": {**_GENERIC, "optimiser.base_lr": 0.001},
    "gps_net": _GENERIC,
    "bgnn": {
        "optimiser.base_lr": 0.008,
        "optimiser.weight_decay": 1e-5,
        "optimiser.schedule": "step",
        "optimiser.milestones": [40000],
        "optimiser.gamma": 0.5,
        "training.epochs": 35,
        "pairs.cap": 1000,
        **_BGNN_RESAMPLING,
    },
    "pe_net": {
        "optimiser.base_lr": 0.001,
        "optimiser.weight_decay": 1e-4,
        "input.batch_size": 8,
        "optimiser.schedule": "step",
        "optimiser.milestones": [28000, 48000],
        "training.epochs": 30,
    },
}
"""Head → what its public recipe says otherwise than MOTIFS' (which ``sil/vg`` has), spec A.12, in epochs of 2,000 steps
whatever the data set: 70,000 steps of 12 pictures for BGNN, 60,000 of 8 for PE-Net. Graph R-CNN, KERN and GPS-Net have
no public recipe of this code base; they take its generic one, KERN a tenth of the rate, as its gated graph needs."""

_BGNN: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("vg", "predcls"): {"pairs.drop_as_background": True},
    ("vg", "sgcls"): {"pairs.drop_as_background": True},
    ("vg", "sggen"): {"input.resampling_threshold": 0.1, "input.resampling_strength": 0.9},
    ("openimages", "sggen"): {"input.resampling_threshold": 0.1, "input.resampling_strength": 0.85},
}
"""(data, task) → BGNN's bilevel resampling, where it is not the recipe's (0.13 and 1.6), and what becomes of the
relations that it drops: where boxes are given the released code takes them for background (spec B.6)."""


def settings_of(data: str, head: str, task: str) -> dict[str, Any]:
    """Recipe keys of a head on a data set, before those of a row.

    PE-Net's published numbers on Visual Genome were counted with its suppression of near copies in PredCls and SGCls
    (spec D.4), so that its rows there are, too.
    """
    found: dict[str, Any] = dict(SMALL[head] if data in SIMULATED else PUBLISHED[head])
    if head == "bgnn":
        found |= _BGNN.get((data, task), {})
    if head == "pe_net" and data == "vg" and task != "sggen":
        found["evaluation.relation_nms"] = "penet"
    return {**found, "model.task": task}
