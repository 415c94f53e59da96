"""A study of the AGOS paper as Markdown: the rows, leads over the poolings, structures, and diagnostic classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from interplay.evaluation.classification import drawn
from interplay.studies.agos_tables import PAPER_DATA, SIMULATED
from interplay.studies.table_text import change, heading, line, percent
from interplay.video.outcome import boxes_text

if TYPE_CHECKING:
    from interplay.studies.agos_reproduction import VideoReproduction


def markdown(found: VideoReproduction) -> str:
    """The whole text; accuracies in per cent."""
    study = found.study
    lines = [f"### agos.{study.key}: {study.title}", ""]
    if study.computed is not None:
        return "\n".join([*lines, f"{study.note}", "", *_computed(found)]) + "\n"
    where = f"Run on `{found.data}`" + (" (simulated: not real data)" if found.data in SIMULATED else "")
    if found.data not in PAPER_DATA:
        where += "; the paper's numbers are from Something-Something, so the columns do not compare"
    if found.overrides:
        where += f". Changed on the command line: `{' '.join(found.overrides)}`"
    lines.append(f"{where}. Top-1 in per cent after the last stage, mean logits of the test clips of each video.")
    if study.note:
        lines.append(study.note)
    lines += ["", f"{_seeds(found.seeds)} {_boxes(found)}".rstrip(), "", *_table(found)]
    if found.cells:
        lines += ["", _intervals(found)]
    return "\n".join([*lines, *_structures(found), *_pairs(found)]) + "\n"


def _table(found: VideoReproduction) -> list[str]:
    study = found.study
    against = [name for name in study.against if name in found.cells]
    head = ["row", *(f"paper, {name}" for name in study.columns), "measured", "95 % interval"]
    head += [f"over {name}" for name in against]
    lines = heading([*head, "note"])
    for row in study.rows:
        cells = [row.name, *(_paper(row.paper.get(name)) for name in study.columns)]
        cell = found.cells.get(row.name)
        if cell is None:
            cells += ["printed only" if row.overrides is None else "not run", "–", *("–" for _ in against)]
        else:
            low, high = cell.interval
            cells += [percent(cell.top1), f"{100 * low:.1f} … {100 * high:.1f}"]
            cells += [
                change(found.gains[row.name, name]) if (row.name, name) in found.gains else "–" for name in against
            ]
        lines.append(line([*cells, row.note]))
    return lines


def _paper(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _structures(found: VideoReproduction) -> list[str]:
    """Structures in use, seed by seed, and whether they follow the classes."""
    rows = [(name, cell.structures) for name, cell in found.cells.items() if cell.structures]
    if not rows:
        return []
    head = ("row", "seed", "structures in use", "information with the classes, nats", "by chance", "p", "stable after")
    lines = ["", "Structures of the measured clips (of the first fold where there are folds):", ""]
    lines += heading(head)
    permutations = 0
    for name, facts in rows:
        for seed, one in zip(found.seeds, facts, strict=True):
            stable = (
                f"{one.stable[0]} epochs, {one.stable[1]:.0f} s"
                if one.stable
                else (f"not within {one.epochs} epochs" if one.epochs else "no search")
            )
            permutations = one.association.permutations
            lines.append(
                line(
                    [
                        name,
                        str(seed),
                        str(one.distinct),
                        f"{one.association.value:.3f}",
                        f"{one.association.by_chance:.3f}",
                        f"{one.association.p:.4f}",
                        stable,
                    ]
                )
            )
    return [*lines, "", f"p: permutation test, {permutations} shuffles of the classes; at least 1/{permutations + 1}."]


def _pairs(found: VideoReproduction) -> list[str]:
    """Two classes apart: every row, and the lead over pooling over RoIs of what the pair was built for."""
    if not found.pairs:
        return []
    names = list(found.pairs[0].accuracies)
    head = ["classes", "built for", *names, "its lead over pooling over RoIs"]
    lines = ["", "Telling two classes apart, on their clips with their two scores (chance 50 %):", ""]
    lines += heading(head)
    for pair in found.pairs:
        operation = pair.operation.replace("_", " ")
        own = pair.gains.get(operation) or pair.gains.get("adaptive")
        whose = operation if operation in pair.gains else "adaptive"
        lead = "–" if own is None else f"{whose}: {change(own)}"
        cells = [f"{100 * pair.accuracies[name]:.1f}" for name in names]
        lines.append(line([" / ".join(pair.classes), operation, *cells, lead]))
    return lines


def _computed(found: VideoReproduction) -> list[str]:
    head = list(found.computed[0])
    lines = heading(head)
    return [*lines, *(line([str(value) for value in row.values()]) for row in found.computed)]


def _seeds(seeds: Sequence[int]) -> str:
    listed = ", ".join(map(str, seeds))
    return f"Seed {listed}." if len(seeds) == 1 else f"Mean ± deviation over seeds {listed}."


def _intervals(found: VideoReproduction) -> str:
    """What intervals draw: single clips, or whole sources of them."""
    sources = {drawn(cell.runs.scores[0]) for cell in found.cells.values()} - {"samples"}
    what = f"whole sources of test clips ({', '.join(sorted(sources))})" if sources else "test clips"
    text = f"Intervals: 95 %, {what} drawn with replacement."
    return text + (" Brackets: the same drawn for both rows; * = all of it on one side of 0." if found.gains else "")


def _boxes(found: VideoReproduction) -> str:
    """Which boxes the clips were shown with, once where all rows have the same; folds share their clips."""
    used: dict[str, list[str]] = {}
    for name, cell in found.cells.items():
        used.setdefault(boxes_text(cell.runs.results[0][0].get("proposals")), []).append(name)
    if len(used) == 1:
        return f"Boxes: {next(iter(used))}."
    return " ".join(f"Boxes of {', '.join(names)}: {text}." for text, names in used.items())
