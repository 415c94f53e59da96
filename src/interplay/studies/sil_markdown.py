"""A study of the SIL paper as Markdown: a table per task, and what SIL changes at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interplay.evaluation.scene_graph import Difference
from interplay.evaluation.uncertainty import Spread
from interplay.studies.sil_comparison import PARTS, WAYS
from interplay.studies.sil_tables import PRECISIONS, RECALLS, TASK_NAMES, SceneRow, SceneStudy
from interplay.studies.table_text import change, heading, line, percent

Figures = Mapping[str, Spread]
Gains = Mapping[tuple[str, str], Mapping[str, Difference]]
OURS = {"R@50": "R_micro@50"}
"""Column of an Open Images table → our name of the figure."""


def measured_columns(study: SceneStudy) -> dict[str, str]:
    """Heading → name of the figure."""
    if tuple(study.columns) == PRECISIONS:
        return {name: OURS.get(name, name) for name in PRECISIONS}
    return {name: name for name in ("R@20", "R@50", "R@100", *RECALLS)}


def markdown(
    study: SceneStudy,
    data: str,
    simulated: bool,
    seeds: Mapping[str, Sequence[int]],
    figures: Mapping[tuple[str, str], Figures],
    gains: Gains,
    overrides: Sequence[str] = (),
) -> str:
    """The whole text; numbers in per cent."""
    where = f"Run on `{data}`" + (" (simulated: not real data)" if simulated else "")
    if data != study.data:
        where += f"; the paper's numbers are from {study.data}, so the columns do not compare"
    if overrides:
        where += f". Changed on the command line: `{' '.join(overrides)}`"
    lines = [f"### sil.{study.key}: {study.title}", "", f"{where}. Figures in per cent after the last epoch."]
    if study.note:
        lines.append(f"{study.note[0].upper()}{study.note[1:]}.".replace("..", "."))
    for task in seeds:
        lines += ["", f"#### {TASK_NAMES[task]}", "", _seeds(seeds[task]), "", *_table(study, task, figures)]
        if study.gains:
            lines += _gains(study, task, gains)
    return "\n".join(lines) + "\n"


def _seeds(seeds: Sequence[int]) -> str:
    listed = ", ".join(map(str, seeds))
    return f"Seed {listed}." if len(seeds) == 1 else f"Mean ± deviation over seeds {listed}."


def _table(study: SceneStudy, task: str, figures: Mapping[tuple[str, str], Figures]) -> list[str]:
    columns = measured_columns(study)
    present = [found for (_, one), found in figures.items() if one == task]
    for column, name in ((f"mR@20, {PARTS}", f"mR@20 {PARTS}"), (WAYS, WAYS)):
        if any(name in found for found in present):
            columns[column] = name
    paper = list(study.columns) if any(task in row.paper for row in study.rows) else []
    head = ["row", *(f"paper, {name}" for name in paper), *columns, "note"]
    lines = heading(head)
    for row in study.rows:
        numbers = row.paper.get(task, (None,) * len(paper))
        cells = [
            row.name,
            *("–" if value is None else f"{value:.{_digits(study)}f}" for value in numbers[: len(paper)]),
        ]
        found = figures.get((row.name, task))
        if found is None:
            cells += ["printed only" if row.overrides is None else "not run"] + ["–"] * (len(columns) - 1)
        else:
            cells += [percent(found[name]) if name in found else "–" for name in columns.values()]
        lines.append(line([*cells, row.note]))
    return lines


def _gains(study: SceneStudy, task: str, gains: Gains) -> list[str]:
    """What SIL adds, row by row, then the average and the largest."""
    rows = [row for row in study.rows if row.without is not None and (row.name, task) in gains]
    published = [row for row in study.rows if row.without is not None and task in row.paper]
    if not rows and not published:
        return []
    columns = measured_columns(study)
    found = [gains[row.name, task] for row in rows]
    for column, name in ((f"mR@20, {PARTS}", f"mR@20 {PARTS}"), (WAYS, WAYS)):
        if any(name in one for one in found):
            columns[column] = name
    paper = list(study.columns) if published else []
    head = ["SIL's change", *(f"paper, {name}" for name in paper), *columns]
    lines = ["", *heading(head)]
    listed: dict[str, list[float]] = {}
    for row in study.rows:
        if row.without is None or (row not in rows and row not in published):
            continue
        cells = [row.name]
        for place, name in enumerate(paper):
            value = _paper_gain(study, row, task, place)
            if value is not None:
                listed.setdefault(f"paper {name}", []).append(value)
            cells.append("–" if value is None else f"{value:+.{_digits(study)}f}")
        own = gains.get((row.name, task), {})
        for name in columns.values():
            if name in own:
                listed.setdefault(name, []).append(own[name].value)
            cells.append(change(own[name]) if name in own else "–")
        lines.append(line(cells))
    names = [f"paper {name}" for name in paper] + list(columns.values())
    scales = [1.0] * len(paper) + [100.0] * len(columns)
    for word, choose in (("average", lambda values: sum(values) / len(values)), ("largest", max)):
        cells = [
            f"{scale * choose(listed[name]):+.{_digits(study)}f}" if name in listed else "–"
            for name, scale in zip(names, scales, strict=True)
        ]
        lines.append(line([f"**{word}**", *cells]))
    if rows:
        lines += ["", "Brackets: 95 % of a paired bootstrap over the test pictures; * = all of it on one side of 0."]
    return lines


def _paper_gain(study: SceneStudy, row: SceneRow, task: str, place: int) -> float | None:
    before = next(one for one in study.rows if one.name == row.without)
    if task not in row.paper or task not in before.paper:
        return None
    new, old = row.paper[task][place], before.paper[task][place]
    return None if new is None or old is None else new - old


def _digits(study: SceneStudy) -> int:
    """Table 4 has two digits, the others one."""
    return 2 if study.key == "table4" else 1
