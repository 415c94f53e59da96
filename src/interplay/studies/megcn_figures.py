"""The pictures of the me-GCN paper, drawn from the runs of a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from interplay.errors import InterplayError
from interplay.evaluation.classification import confusion, top_k
from interplay.evaluation.scores import Scores
from interplay.studies.skeleton_report import Run, activation_figure, features_of, open_run
from interplay.viz.embedding import embed, scatters
from interplay.viz.matrices import confusion_matrix
from interplay.viz.style import save

if TYPE_CHECKING:
    from interplay.studies.reproduce import Reproduction


def draw(found: Reproduction, folder: Path) -> Sequence[Path]:
    """Make the study's picture from the first seed's runs; returns the PNG and the SVG."""
    runs = [
        (row.name, *_open(found.cells[row.name, column].folders[0]))
        for row in found.study.rows
        for column in found.columns
        if (row.name, column) in found.cells
    ]
    if not runs:
        raise InterplayError(f"{found.study.key}: found no finished run to draw")
    figure: Figure
    if found.study.draws == "embedding":
        panels = [(name, embed(features_of(run, scores)[0]), scores.labels) for name, run, scores in runs]
        figure = scatters(panels, runs[0][2].classes)
    elif found.study.draws == "activation":
        _, run, scores = runs[0]
        figure = activation_figure(run, scores)[0]
    else:
        _, _, scores = runs[0]
        title = f"{found.study.title} ({found.data}): {top_k(scores).percent()}"
        figure = confusion_matrix(confusion(scores), scores.classes, title)
    return save(figure, folder / found.study.key)


def _open(folder: Path) -> tuple[Run, Scores]:
    run = open_run(folder)
    if run.scores is None:
        raise InterplayError(f"{folder}: {run.missing.get('scores', 'no scores')}")
    return run, run.scores
