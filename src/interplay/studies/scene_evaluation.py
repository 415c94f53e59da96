"""Anyone's scene-graph predictions from a file: figures under a protocol, intervals, the files that keep both."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplay.data.errors import DataError
from interplay.data.scene_predictions import ScenePredictions, open_scene_predictions
from interplay.errors import InterplayError
from interplay.evaluation.scene_graph import (
    GroundTruth,
    Predicted,
    SceneGraphResult,
    StreamingEvaluator,
    bootstrap_intervals,
    long_tail_groups,
    scene_evaluator,
)
from interplay.evaluation.uncertainty import Estimate
from interplay.training.environment import commit, versions
from interplay.training.writing import write_whole


@dataclass(frozen=True)
class SceneEvaluation:
    """What came out, and everything that moves it.

    Args:
        file: name of the predictions, without its folder, or of the model.
        result: the figures.
        metrics: each with its interval, where intervals were asked for.
        predicate_names: P names, or None.
        intervals: how the intervals were made; empty without.
        seed: of the bootstrap.
        dataset, part: that a model was asked about; None for predictions from a file.
    """

    file: str
    result: SceneGraphResult
    metrics: dict[str, Estimate]
    predicate_names: tuple[str, ...] | None
    intervals: dict[str, Any]
    seed: int = 0
    dataset: str | None = None
    part: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The content of ``result.json``."""
        return {
            "model": self.file,
            "dataset": self.dataset,
            "protocol": {"part": self.part, **self.result.settings, "intervals": self.intervals or None},
            "metrics": {
                name: {key: _finite(value) for key, value in estimate.to_dict().items()}
                for name, estimate in self.metrics.items()
            },
            "count": self.result.counts["images"],
            "counts": dict(self.result.counts),
            "seed": self.seed,
            "commit": commit(),
            "versions": versions(),
        }

    def per_predicate_csv(self) -> str:
        """A row per predicate, a column per figure."""
        table = self.result.per_predicate
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["predicate", "name", *table])
        for place in range(len(next(iter(table.values()), ()))):
            name = self.predicate_names[place + 1] if self.predicate_names else ""
            writer.writerow([place + 1, name, *(f"{values[place]:.6g}" for values in table.values())])
        return text.getvalue()

    def write(self, folder: str | Path) -> None:
        """``per_predicate.csv`` and, last, ``result.json``; each whole or not at all."""
        folder = Path(folder)
        write_whole(folder / "per_predicate.csv", self.per_predicate_csv())
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        write_whole(folder / "result.json", text + "\n")

    def table(self) -> str:
        """The result for people."""
        counts, settings = self.result.counts, self.result.settings
        task = settings.get("task") or ", ".join(settings.get("tasks", ()))
        what = f"{settings['protocol']}, {task}" if task else str(settings["protocol"])
        lines = [f"{self.file} ({what}): {counts['images']} images, {counts['relations']} annotated relations"]
        width = max(map(len, self.metrics), default=0)
        for name, estimate in self.metrics.items():
            if not math.isnan(estimate.value):
                lines.append(f"  {name:<{width}}  {estimate.percent()}")
        if self.intervals:
            lines.append("  (95 % bootstrap intervals over images in brackets)")
        if counts["images_without_predictions"]:
            lines.append(f"  note: {counts['images_without_predictions']} images without a predicted pair")
        return "\n".join(lines)


def _finite(value: float | int | None) -> float | int | None:
    return None if value is None or math.isnan(value) else value


def evaluate_scene_predictions(
    file: str | Path,
    protocol: str,
    *,
    task: str | None = None,
    ks: Iterable[int] | None = None,
    relation_nms: str = "none",
    per_pair: Iterable[int] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> SceneEvaluation:
    """Score a file of annotated relations and predictions.

    Args:
        task: predcls, sgcls or sggen; None takes what the file says, or else sggen.
        ks: cut-offs K; None for the protocol's.
        per_pair: of ``vrd``.
        resamples: of the bootstrap intervals; 0 for none.
        progress: called with (images done, images in all, 0 where that is not known).

    Raises:
        DataError: a file that cannot be used.
        InterplayError: a setting that the protocol does not have.
    """
    given = open_scene_predictions(file)
    groups = None if given.predicate_counts is None else long_tail_groups(given.predicate_counts)
    try:
        evaluator = scene_evaluator(
            protocol,  # type: ignore[arg-type]
            given.num_predicates,
            task or given.task or "sggen",  # type: ignore[arg-type]
            ks,
            given.zero_shot,
            groups,
            relation_nms,  # type: ignore[arg-type]
            per_pair,
        )
    except ValueError as error:
        raise InterplayError(f"--protocol {protocol}: {error}") from None
    take_in(evaluator, given, progress)
    if not evaluator.result().counts["images"]:
        raise DataError(file, "", "no image", "at least one")
    return evaluation_of(Path(file).name, evaluator, given.predicate_names, resamples, seed)


def evaluation_of(
    name: str,
    evaluator: StreamingEvaluator,
    predicate_names: tuple[str, ...] | None,
    resamples: int = 1000,
    seed: int = 0,
    dataset: str | None = None,
    part: str | None = None,
) -> SceneEvaluation:
    """What an evaluator has seen, with intervals (``resamples`` > 0)."""
    result = evaluator.result()
    if resamples:
        metrics = bootstrap_intervals(evaluator, resamples, seed)
        intervals = {"kind": "percentile bootstrap over images", "confidence": 0.95, "resamples": resamples}
    else:
        count = result.counts["images"]
        metrics = {name: Estimate(value, math.nan, math.nan, count) for name, value in result.metrics.items()}
        intervals = {}
    return SceneEvaluation(name, result, metrics, predicate_names, intervals, seed, dataset, part)


def take_in(
    evaluator: StreamingEvaluator, images: ScenePredictions, progress: Callable[[int, int], None] | None = None
) -> None:
    """Show an evaluator every image of a file. DataError, which names the image, for one that does not fit."""
    for number, one in enumerate(images, start=1):
        try:
            evaluator.update(
                GroundTruth(one.true_boxes, one.true_labels, one.true_relations, one.size),
                Predicted(one.boxes, one.labels, one.scores, one.pairs, one.predicate_scores),
            )
        except ValueError as error:
            found, _, expected = str(error).partition(", expected ")
            raise DataError(
                images.file, f"image {one.id}", found, expected or "what docs/scene_evaluation.md says"
            ) from None
        if progress is not None:
            progress(number, images.count or 0)
