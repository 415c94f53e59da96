"""What a trained scene-graph model leaves in its run folder: answers per picture, the model, the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from interplay.evaluation.scene_graph import SceneGraphResult, StreamingEvaluator, bootstrap_intervals
from interplay.scene.card import default_card
from interplay.scene.datamodule import SceneData
from interplay.scene.detector.source import DetectorSource
from interplay.scene.recogniser import SceneRecogniser
from interplay.scene.superpixel import SuperpixelSettings
from interplay.scene.task import Counted, SceneTask, predicted, truth
from interplay.training.callbacks import RunRecord
from interplay.training.card import CardTexts
from interplay.training.folder import RunFolder
from interplay.training.model_folder import save_whole
from interplay.training.places import data_without_places
from interplay.training.running import history, summary, tuples

DOMAINS: Mapping[str, str] = {
    "playground_scenes": "trained on simulated pictures only (the playground): what it says of a photograph means "
    "nothing; train the recipe sil/vg on Visual Genome for one that does",
}
"""What answers must say of a model that never saw a photograph."""
RESAMPLES = 1000
"""Of the bootstrap over pictures."""


@dataclass(frozen=True)
class Part:
    """One evaluated part.

    Args:
        result: the evaluator's.
        intervals: name → (low, high), 95 %, by bootstrap over pictures.
    """

    result: SceneGraphResult
    intervals: Mapping[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        plain = self.result.to_dict()
        plain["intervals"] = {name: list(bounds) for name, bounds in self.intervals.items()}
        return plain


def score(task: SceneTask, data: SceneData, part: str, device: torch.device) -> Counted:
    """Answer every picture of a part and count."""
    counted = task.counter(task.current_epoch)
    for batch in data.iterate(part):
        answers = task.model.answer(batch.to(device), task.find_maps(batch) if task.find_maps else None)
        for name, scene in zip(batch.ids, answers, strict=True):
            row = data.rows[name]
            counted.add(truth(data.image(row)), predicted(scene), row)
    return counted


def keep(counted: Counted, folder: Path, part: str) -> Part:
    """Figures of a part; ``per-image-PART.npz`` gets those of every picture and the ranks of its annotated relations,
    by which two runs can be compared, ``annotated-pairs-PART.npz`` what the model says of annotated pairs."""
    result = counted.evaluator.result()
    arrays: dict[str, Any] = {
        "image_numbers": result.image_numbers,
        **result.per_image,
        **counted.evaluator.rows().arrays(),
    }
    np.savez_compressed(folder / f"per-image-{part}.npz", **arrays)
    counted.pairs.save(folder / f"annotated-pairs-{part}.npz")
    return Part(result, intervals(counted.evaluator))


def intervals(evaluator: StreamingEvaluator) -> dict[str, tuple[float, float]]:
    """95 % of every figure by bootstrap over the pictures."""
    found = bootstrap_intervals(evaluator, resamples=RESAMPLES, seed=0)
    return {name: (one.low, one.high) for name, one in found.items() if np.isfinite([one.low, one.high]).all()}


def finish(
    folder: RunFolder,
    recipe: Mapping[str, Any],
    trainer: pl.Trainer,
    record: RunRecord,
    task: SceneTask,
    data: SceneData,
) -> dict[str, Any]:
    """Score every evaluated part, save the model, and write ``result.json`` last."""
    device = trainer.strategy.root_device
    task.model.to(device).eval()
    parts = {}
    for part in data.evaluation_parts:
        counted = task.counted.get(part)
        # What was counted after the last epoch is about these weights; with several processes it is a share only.
        if counted is None or counted.epoch != trainer.current_epoch - 1 or trainer.world_size > 1:
            counted = score(task, data, part, device)
        parts[part] = keep(counted, folder.path, part)
    name = f"sil-{recipe['head']['name']}-{recipe['data']['name']}"
    counts = {part: len(rows) for part, rows in data.parts.items()}
    result = summary(name, recipe, {part: found.to_dict() for part, found in parts.items()}, record, counts)
    source = None if recipe["model"]["features"] == "geometry" else DetectorSource(**tuples(recipe["detector"]))
    recogniser = SceneRecogniser.of(
        task.model.cpu(),
        recipe["head"],
        data.preparation,
        source,
        SuperpixelSettings(**tuples(recipe["sil"])),
        data_without_places(recipe["data"]),
        DOMAINS.get(recipe["data"]["name"], ""),
        name,
    )
    texts = CardTexts(training=history(result, "pictures"), results=results_text(parts))
    recogniser.card = default_card(recogniser, texts)
    save_whole(recogniser, folder.model)
    folder.write_result(result)
    return result


def headline(result: Mapping[str, Any]) -> str:
    """One line about a finished run."""
    found = result["metrics"]["last"]
    part = "test" if "test" in found else next(iter(found))
    names = [name for name in found[part]["metrics"] if "@" in name][:6]
    values = ", ".join(f"{name} {100 * (found[part]['metrics'][name] or 0):.1f}" for name in names)
    return f"after the last epoch, {part}: {values}"


def results_text(parts: Mapping[str, Part]) -> dict[str, str]:
    """Figures with their intervals, for the card."""
    lines = {}
    for part, found in parts.items():
        for name, value in found.result.metrics.items():
            if name in found.intervals and "@" in name and " " not in name:
                low, high = found.intervals[name]
                lines[f"{part} {name}"] = f"{100 * value:.1f} % (95 % interval {100 * low:.1f}–{100 * high:.1f})"
    return lines
