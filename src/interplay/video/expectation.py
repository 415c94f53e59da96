"""What a run is going to cost: measured on one step of each stage, said before the first."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from interplay.video.datamodule import VideoData
from interplay.video.network import AGOS

if TYPE_CHECKING:
    from interplay.video.run import Sections

MEASURED = 8
"""Clips of a measured step, at most."""


def expectation(data: VideoData, network: AGOS, sections: Sections, stages: Sequence[int]) -> str:
    """Clips, stages, weights, and about how long each stage takes at most.

    Args:
        data: the clips.
        network: of the recipe's graph; it stays as it is.
        sections: settings of the recipe.
        stages: those that are still to run.
    """
    weights = sum(parameter.numel() for parameter in network.parameters())
    behind = sum(parameter.numel() for parameter in network.operation_parameters() + network.structure_parameters())
    tested = ", ".join(f"{len(data.parts[part])} {part}" for part in data.evaluation_parts)
    text = (
        f"{len(data.parts['train'])} training, {tested} clips of {sections.input.frames} frames "
        f"{sections.input.height}×{sections.input.width}; {weights:,} weights, {behind:,} of them behind the backbone"
    )
    if not stages:
        return text
    times = seconds(data, network, sections)
    train, evaluated = len(data.parts["train"]), sum(len(data.parts[part]) for part in data.watched_parts)
    frozen = sections.backbone.fixed
    kept = sections.stage2.keep_draws if frozen else 0
    first = min((number for number in (2, 3) if sections.of(number).epochs), default=2)  # it makes the kept maps
    each = []
    for number in stages:
        epochs = sections.of(number).epochs
        graph = times["search" if number == 2 and sections.searches else "graph"]
        if number in (2, 3) and frozen:
            watched = times["forward"] * (train + evaluated)
            once = times["forward"] * (kept * train + train + evaluated) if kept and number == first else 0.0
            epoch = train * graph + evaluated * times["discrete"] + (0.0 if kept else watched)
        else:
            once = 0.0
            epoch = train * (times["backbone"] + (0.0 if number == 1 else graph)) + evaluated * times["forward"]
        each.append(f"stage {number} {duration(once + epochs * epoch)} ({epochs} epochs)")
    return f"{text}; at most about {', '.join(each)}, and what reading the clips takes"


def seconds(data: VideoData, network: AGOS, sections: Sections) -> dict[str, float]:
    """Seconds a clip: ``forward`` and ``backbone`` (training) of the backbone, ``search``, ``graph`` (training) and
    ``discrete`` (without gradients) of the graph part."""
    network = copy.deepcopy(network)
    batch = min(MEASURED, data.batch_size)
    settings = sections.input
    clips = torch.zeros(batch, 3, settings.frames, settings.height, settings.width).normal_()
    corner = torch.rand(batch, network.layout.steps, settings.boxes, 2) / 2
    boxes = torch.cat([corner, corner + 0.4], -1)
    autocast = sections.training.precision == "bf16-mixed"
    found: dict[str, float] = {}

    def measured(name: str, run: Callable[[], Tensor], gradients: bool) -> None:
        best = float("inf")
        for _ in range(2):
            started = time.perf_counter()
            with torch.set_grad_enabled(gradients), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                answer = run()
            if gradients:
                answer.float().mean().backward()  # type: ignore[no-untyped-call]
            best = min(best, time.perf_counter() - started)
        found[name] = best / batch

    network.train()
    network.backbone.freeze(-1, True)
    measured("backbone", lambda: network.backbone_features(clips), True)
    network.eval()
    measured("forward", lambda: network.backbone_features(clips), False)
    with torch.no_grad():
        features = network.backbone_features(clips)
    network.train()
    mode = "search" if sections.searches else "discrete"
    measured("search", lambda: network(None, boxes, mode=mode, features=features).logits, True)
    measured("graph", lambda: network(None, boxes, features=features).logits, True)
    network.eval()
    measured("discrete", lambda: network(None, boxes, features=features).logits, False)
    return found


def duration(value: float) -> str:
    """Seconds for people."""
    if value < 90:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.1f} h"
