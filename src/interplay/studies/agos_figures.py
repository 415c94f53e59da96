"""The pictures of the AGOS paper, drawn from the runs of a study, always from those of the first seed (and fold)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from interplay.errors import InterplayError
from interplay.studies import video_pictures as pictures
from interplay.studies.agos_comparison import measured_part
from interplay.studies.agos_tables import OPERATIONS
from interplay.studies.run_parts import read_history
from interplay.studies.video_pictures import OpenedRun
from interplay.video.analysis import cases, operation_accuracies, operation_use, search_curves, structure_use
from interplay.video.held_clips import pair_to_swap, swap
from interplay.video.outcome import Structures
from interplay.video.structure import superedges
from interplay.viz import structures as drawing
from interplay.viz.style import save

if TYPE_CHECKING:
    from interplay.studies.agos_comparison import Runs
    from interplay.studies.agos_reproduction import VideoReproduction

FREQUENT = 5
"""Structures in a histogram."""
Drawn = Mapping[str, Figure]


def draw(found: VideoReproduction, folder: Path) -> list[Path]:
    """Make the study's pictures; returns PNG and SVG of each.

    Raises:
        InterplayError: no run that has what the picture needs, or its data or model cannot be read.
    """
    study = found.study
    assert study.draws is not None
    makers: Mapping[str, Callable[[VideoReproduction], Drawn]] = {
        "use": _use,
        "spaces": _spaces,
        "cells": _cells,
        "transfer": _transfer,
        "accuracies": _accuracies,
        "structures": _structures,
        "mismatch": _mismatch,
        "histogram": _histogram,
        "nodes": _nodes,
        "cases": _cases,
    }
    files: list[Path] = []
    for ending, figure in makers[study.draws](found).items():
        files += save(figure, folder / (study.key + (f"-{ending}" if ending else "")))
    return files


def searches_of(named: Mapping[str, Path]) -> list[tuple[str, dict[str, Any], int]]:
    """Curves of the searches in some run folders; those without a search are left out."""
    made = []
    for name, folder in named.items():
        try:
            curves = search_curves(read_history(folder / "metrics.csv"))
        except (OSError, ValueError):
            continue
        if curves is not None:
            values = {"epoch": curves.epochs, "entropy": curves.entropy, "changed": curves.changed}
            values |= {"distinct": curves.distinct, **{f"use_{key}": value for key, value in curves.use.items()}}
            made.append((name, values, curves.operations))
    return made


def use_panels(named: Mapping[str, Structures]) -> list[tuple[str, list[str], Sequence[str], Any]]:
    """Operation use of some runs."""
    return [
        (name, [f"{i}→{j}" for i, j in superedges(one.supernodes)], one.operations, operation_use(one))
        for name, one in named.items()
    ]


def structures_in(folder: Path) -> Structures:
    """Of the measured clips of a run. InterplayError where there are none."""
    try:
        return Structures.load(folder / f"structures-{measured_part(folder)}.npz")
    except FileNotFoundError:
        raise InterplayError(f"{folder}: found no structures, expected a run of the graph agos") from None


def _searched(found: VideoReproduction) -> dict[str, Runs]:
    """Rows whose runs have structures."""
    return {name: cell.runs for name, cell in found.cells.items() if cell.structures}


def _one(found: VideoReproduction) -> Runs:
    if not found.cells:
        raise InterplayError(f"agos.{found.study.key}: found no finished run to draw")
    return list(found.cells.values())[-1].runs


def _use(found: VideoReproduction) -> Drawn:
    searched = _searched(found)
    if not searched:
        return {}
    made = {
        "use": drawing.operation_use(use_panels({name: structures_in(runs.first) for name, runs in searched.items()}))
    }
    if curves := searches_of({name: runs.first for name, runs in searched.items()}):
        made["search"] = drawing.search_curves(curves)
    return made


def _spaces(found: VideoReproduction) -> Drawn:
    curves = searches_of({name: runs.first for name, runs in _searched(found).items()})
    return {"search": drawing.search_curves(curves)} if curves else {}


def _cells(found: VideoReproduction) -> Drawn:
    """Supplement, Fig. 1: the structure of each row, and the operations in use over the epochs."""
    drawn = [(name, structures_in(runs.first).most_frequent().graph()) for name, runs in _searched(found).items()]
    if not drawn:
        return {}
    return {"": drawing.structure_drawings(drawn), **_use(found)}


def _transfer(found: VideoReproduction) -> Drawn:
    """Supplement, Figs 2 to 4: the same structures on the data they were searched on and on those they went to."""
    made: dict[str, Figure] = {}
    for name, other in (("V1", "V2"), ("V2", "V1")):
        own, gone = found.cells.get(f"{name} → {name}"), found.cells.get(f"{name} → {other}")
        if own is None or gone is None:
            continue
        classes, others = own.runs.scores[0].classes, gone.runs.scores[0].classes
        first = structures_in(own.runs.first)
        uses, here, there = pictures.transferred(first, classes, structures_in(gone.runs.first), others, name)
        made[f"{name}-own"], made[f"{name}-moved"] = here, there
        made[f"{name}-cells"] = pictures.cells(uses, classes, len(first.ids))
    return made


def _accuracies(found: VideoReproduction) -> Drawn:
    """Supplement, Fig. 6: of the first seed."""
    names = {name.replace("_", " "): name for name in OPERATIONS}
    scores = {names[name]: cell.runs.scores[0] for name, cell in found.cells.items() if name in names}
    if len(scores) < 2:
        return {}
    table = operation_accuracies(scores)
    return {"classes": drawing.accuracy_by_operation(table.classes, table.counts, table.values)}


def _structures(found: VideoReproduction) -> Drawn:
    structures, clips, _ = pictures.clips_with_structures(OpenedRun.of(_one(found).first))
    return {"": structures, "clips": clips}


def _mismatch(found: VideoReproduction) -> Drawn:
    held = OpenedRun.of(_one(found).first).held
    pair = pair_to_swap(held)
    if pair is None:
        raise InterplayError("agos.fig5: all test clips have one structure: there is nothing to exchange")
    return {"": pictures.mismatch_figure(swap(held, *pair))}


def _histogram(found: VideoReproduction) -> Drawn:
    runs = _one(found)
    structures, classes = structures_in(runs.first), runs.scores[0].classes
    uses = structure_use(structures, len(classes), FREQUENT)
    return {
        "": pictures.histogram(uses, classes, len(structures.ids)),
        "cells": pictures.cells(uses, classes, len(structures.ids)),
    }


def _nodes(found: VideoReproduction) -> Drawn:
    """The same clip through the model of each operation: the surest of those that all get right, or else the first."""
    runs = {name.replace(" ", "_"): cell.runs for name, cell in found.cells.items()}
    if not runs:
        raise InterplayError("agos.fig7: found no finished run to draw")
    scores = {name: one.scores[0] for name, one in runs.items()}
    right = [case for case in cases(scores) if case.why == "all are right"]
    first = next(iter(scores.values()))
    name = right[0].id if right else first.ids[0]
    rows = []
    for operation, one in runs.items():
        opened = OpenedRun.of(one.first)
        clip = opened.by_id(name)
        attention = pictures.first_of(_attention(opened, name), operation)
        assert attention is not None
        label = first.classes[int(first.labels[list(first.ids).index(name)])]
        rows.append((f"{operation.replace('_', ' ')}: “{label}”", clip, attention))
    return {"": pictures.nodes_figure(rows)}


def _attention(opened: OpenedRun, name: str) -> list[Any]:
    from interplay.video.held_clips import HeldClips

    return HeldClips(opened.recogniser, [opened.by_id(name)]).attention(0)


def _cases(found: VideoReproduction) -> Drawn:
    if not found.cells:
        raise InterplayError("agos.fig8: found no finished run to draw")
    scores = {name: cell.runs.scores[0] for name, cell in found.cells.items()}
    opened = OpenedRun.of(next(iter(found.cells.values())).runs.first)
    return {"": pictures.cases_figure(opened, cases(scores))}
