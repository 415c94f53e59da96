"""Every figure of the reference scene-graph evaluators, from the arrays that they were given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interplay.data.scene_predictions import ScenePredictions, open_scene_predictions
from interplay.evaluation.scene_graph import (
    GroundTruth,
    OpenImagesEvaluator,
    Predicted,
    SceneGraphResult,
    StreamingEvaluator,
    VisualGenomeEvaluator,
)

Figures = dict[str, Any]


def archives(folder: Path) -> Iterator[tuple[Path, Path, Figures]]:
    """(figures file, archive, figures) of each pair: the archive that the figures name, or the one of the same name.

    ``relnms_TASK.json`` belongs to ``vg_TASK.npz``; with more around that, ``A_relnms_B.json`` to ``A_vg_B.npz``.
    """
    for file in sorted(folder.glob("*.json")):
        figures = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(figures, dict) or "metrics" not in figures or "task" not in figures:
            continue
        names = [figures.get("input", ""), f"{file.stem}.npz", f"{file.stem.replace('relnms', 'vg')}.npz"]
        archive = next((folder / name for name in names if name.endswith(".npz") and (folder / name).is_file()), None)
        if archive is not None:
            yield file, archive, figures


def evaluated(evaluator: StreamingEvaluator, images: ScenePredictions) -> SceneGraphResult:
    for one in images:
        evaluator.update(
            GroundTruth(one.true_boxes, one.true_labels, one.true_relations, one.size),
            Predicted(one.boxes, one.labels, one.scores, one.pairs, one.predicate_scores),
        )
    return evaluator.result()


def flat(values: Figures) -> Figures:
    """``{"R": {"20": x}, "score": y}`` → ``{"R@20": x, "score": y}``."""
    found: Figures = {}
    for name, value in values.items():
        found |= {f"{name}@{k}": one for k, one in value.items()} if isinstance(value, dict) else {name: value}
    return found


def deviations(found: Figures, expected: Figures, tolerance: float) -> list[str]:
    lines = []
    for name, value in expected.items():
        mine, wanted = np.asarray(found[name], float), np.asarray(value, float)
        if mine.shape != wanted.shape or not np.allclose(mine, wanted, rtol=0, atol=tolerance, equal_nan=True):
            lines.append(f"{name}: {found[name]}, expected {value}")
    return lines


def test_visual_genome_and_relation_suppression(golden: Path) -> None:
    checked, wrong = 0, []
    for file, archive, figures in archives(golden):
        if "R_micro" in figures["metrics"]:
            continue
        images = open_scene_predictions(archive)
        ks = sorted({int(k) for values in figures["metrics"].values() for k in values})
        evaluator = VisualGenomeEvaluator(
            images.num_predicates,
            figures["task"],
            ks,
            images.zero_shot,
            relation_nms="penet" if figures.get("rel_nms") else "none",
        )
        found = evaluated(evaluator, images)
        expected = flat(figures["metrics"])
        table = flat(
            {
                name.removeprefix("per_predicate_"): figures[name]
                for name in figures
                if name.startswith("per_predicate_")
            }
        )
        lines = deviations(dict(found.metrics), expected, 1e-9)
        lines += deviations(dict(found.per_predicate), table, 1e-9)
        lines += deviations(dict(found.per_image), flat(figures.get("per_image", {})), 1e-9)
        if figures.get("images_counted", found.image_numbers.tolist()) != found.image_numbers.tolist():
            lines.append("images_counted differs")
        wrong += [f"{file.name}: {line}" for line in lines]
        checked += 1
    if not checked:
        pytest.skip(f"{golden} has no figures in the layout of vg_TASK.json beside an archive")
    assert not wrong


def test_open_images(golden: Path) -> None:
    checked, wrong = 0, []
    for file, archive, figures in archives(golden):
        if "R_micro" not in figures["metrics"]:
            continue
        images = open_scene_predictions(archive)
        ks = [int(k) for k in figures["metrics"]["R_micro"]]
        found = evaluated(OpenImagesEvaluator(images.num_predicates, ks), images)
        classic = {
            name: value for name, value in figures.get("classic", {}).items() if name in ("R", "ngR", "mR", "ngmR")
        }
        lines = deviations(dict(found.metrics), flat(figures["metrics"]) | flat(classic), 1e-8)
        lines += deviations(dict(found.per_predicate), figures.get("per_predicate", {}), 1e-8)
        table = figures.get("classic", {}).get("per_predicate_R", {})
        lines += deviations(dict(found.per_predicate), flat({"R": table}), 1e-8)
        if "detections_kept" in figures and found.per_image["detections_kept"].tolist() != figures["detections_kept"]:
            lines.append("detections_kept differs")
        wrong += [f"{file.name}: {line}" for line in lines]
        checked += 1
    if not checked:
        pytest.skip(f"{golden} has no figures in the layout of openimages.json beside an archive")
    assert not wrong


def test_a_wrong_figure_is_noticed() -> None:
    assert deviations({"R@20": 0.5}, {"R@20": 0.5 + 2e-9}, 1e-9)
    assert not deviations({"R@20": 0.5}, {"R@20": 0.5 + 5e-10}, 1e-9)
