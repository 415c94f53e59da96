"""Run the rows of a paper's table or figure on the data given, and set them beside the paper's numbers.

Rows that resolve to the same recipe share one run folder, also across tables, so that a study can be interrupted,
continued and extended without training anything twice.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interplay.errors import InterplayError
from interplay.evaluation.classification import pair_accuracy, pair_cross_entropy, top_k
from interplay.evaluation.scores import Scores, concatenate
from interplay.evaluation.uncertainty import Estimate, Spread, spread
from interplay.skeleton.recipe import resolve
from interplay.studies.megcn_tables import COLUMNS_ELSEWHERE, SMALLER, STUDIES, Row, Study
from interplay.studies.runs import finish_runs
from interplay.studies.table_text import heading, line, percent
from interplay.training.recipes import load_recipe, override_arguments

PAPERS = {"megcn": STUDIES}
SIMULATED = ("playground", "hands")


@dataclass(frozen=True)
class Cell:
    """One row under one protocol: the runs of all seeds."""

    folders: tuple[Path, ...]
    top1: Spread
    pooled: Estimate
    pairs: Mapping[str, tuple[Estimate, Estimate]]
    """Relation-only pair → (accuracy, cross-entropy) over the test clips of all seeds."""


@dataclass(frozen=True)
class Reproduction:
    """A finished study: what was run on which data, and what came out."""

    study: Study
    data: str
    seeds: tuple[int, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]

    def markdown(self) -> str:
        """The table, in Markdown, with what a reader has to know above it."""
        own_data = self.data == self.study.data
        where = f"Run on `{self.data}`" + (" (simulated: not real data)" if self.data in SIMULATED else "")
        if not own_data:
            where += f"; the paper's numbers are from {self.study.data}, so the columns do not compare"
        if self.data in SMALLER:
            changed = ", ".join(f"`{key}` {value}" for key, value in SMALLER[self.data].items())
            where += f". Beside the recipe: {changed}"
        lines = [
            f"### {self.study.key}: {self.study.title}",
            "",
            f"{where}. Top-1 in per cent, mean ± deviation over seeds {', '.join(map(str, self.seeds))}.",
        ]
        if self.study.note:
            lines.append(self.study.note)
        pairs = sorted({name for cell in self.cells.values() for name in cell.pairs})
        paper = list(dict.fromkeys(column for row in self.study.rows for column in row.paper))
        head = ["row", *(f"paper, {column}" for column in paper), *(f"measured, {column}" for column in self.columns)]
        for pair in pairs:
            head += [f"{pair}: accuracy", f"{pair}: cross-entropy"]
        lines += ["", *heading([*head, "note"])]
        for row in self.study.rows:
            cells = [row.name, *(f"{row.paper[column]:.1f}" if column in row.paper else "–" for column in paper)]
            found = [self.cells.get((row.name, column)) for column in self.columns]
            cells += ["printed only" if cell is None else percent(cell.top1) for cell in found]
            first = found[0]
            for pair in pairs:
                accuracy, entropy = first.pairs[pair] if first is not None else (None, None)
                cells += [accuracy.percent() if accuracy else "–", entropy.plain() if entropy else "–"]
            lines.append(line([*cells, row.note]))
        if pairs:
            lines += [
                "",
                f"Chance on a pair: accuracy 50 %, cross-entropy ln 2 = {np.log(2):.4f}. Brackets: 95 % intervals.",
            ]
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Every number, for machines."""
        return {
            "study": self.study.key,
            "title": self.study.title,
            "paper_data": self.study.data,
            "data": self.data,
            "seeds": list(self.seeds),
            "rows": [
                {
                    "name": row.name,
                    "paper": dict(row.paper),
                    "overrides": row.overrides,
                    "note": row.note,
                    "measured": {
                        column: _plain(self.cells[row.name, column])
                        for column in self.columns
                        if (row.name, column) in self.cells
                    },
                }
                for row in self.study.rows
            ],
        }


def find_study(name: str) -> Study:
    """``megcn.table8`` → its study. InterplayError naming the nearest if there is none."""
    known = [f"{paper}.{key}" for paper, studies in PAPERS.items() for key in studies]
    if name not in known:
        from interplay.studies.sil_tables import STUDIES as SCENES

        known += [f"sil.{key}" for key in SCENES]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InterplayError(f"unknown study {name!r}{hint} (known: {', '.join(known)})")
    paper, _, key = name.partition(".")
    return PAPERS[paper][key]


def columns_for(study: Study, data: str) -> Mapping[str, Mapping[str, Any]]:
    """The protocols of a study on a data set: the paper's on the paper's data, else the data set's own."""
    if data == study.data:
        return study.columns
    first, second = COLUMNS_ELSEWHERE.get(data, ({"test": {}}, {"test": {}}))
    if study.key == "fig6":
        return second
    return {**first, **second} if len(study.columns) == 2 else first


def reproduce(
    name: str,
    out: str | Path,
    *,
    data: str | None = None,
    seeds: Sequence[int] = (1, 2, 3),
    overrides: Sequence[str] = (),
    rows: Sequence[str] | None = None,
    jobs: int | None = None,
    quiet: bool = False,
    say: Callable[[str], None] = print,
) -> Reproduction:
    """Run a study.

    Args:
        name: ``megcn.table1`` … ``megcn.table8``, ``megcn.fig3`` … ``megcn.fig6``.
        out: folder for the runs (shared by all studies) and for this study's tables and pictures.
        data: name of the recipe's data set; the paper's by default.
        seeds: of the runs; mean and deviation are taken over them.
        overrides: ``--section.key=value`` for every row (``--data.root=…``, a shorter training).
        rows: run only these rows (names).
        jobs: runs at a time; None: :func:`interplay.studies.runs.usual_jobs`.
        quiet: no progress.
        say: where lines go.

    Raises:
        InterplayError: unknown study or data, or data that cannot be read.
    """
    study = find_study(name)
    data = data or study.data
    folder = Path(out)
    columns = columns_for(study, data)
    base = load_recipe(f"megcn/{data}")
    smaller = SMALLER.get(data, {})
    chosen = [row for row in study.rows if row.overrides is not None and (rows is None or row.name in rows)]
    if rows is not None and (unknown := set(rows) - {row.name for row in study.rows}):
        raise InterplayError(
            f"{name}: no row {sorted(unknown)[0]!r} (rows: {', '.join(row.name for row in study.rows)})"
        )
    recipes = {
        (row.name, column, seed): resolve(
            base,
            [*override_arguments({**smaller, **setting, **(row.overrides or {}), "training.seed": seed}), *overrides],
            None,
            f"megcn/{data}",
        )
        for row in chosen
        for column, setting in columns.items()
        for seed in seeds
    }
    places = {job: folder / "runs" / _slug(recipe, job) for job, recipe in recipes.items()}
    distinct = {places[job]: recipe for job, recipe in recipes.items()}
    done = sum((place / "result.json").is_file() for place in distinct)
    say(f"{name} on {data}: {len(chosen)} rows, {len(distinct)} runs, {done} of them finished already")
    finish_runs(distinct, "interplay.skeleton.run", jobs=jobs, quiet=quiet, say=say)
    cells = {
        (row.name, column): _cell(tuple(places[row.name, column, seed] for seed in seeds), data)
        for row in chosen
        for column in columns
    }
    found = Reproduction(study, data, tuple(seeds), tuple(columns), cells)
    target = folder / f"{name}-{data}"
    target.mkdir(parents=True, exist_ok=True)
    (target / "table.md").write_text(found.markdown(), encoding="utf-8")
    (target / "table.json").write_text(json.dumps(found.to_dict(), indent=1, ensure_ascii=False), encoding="utf-8")
    if study.draws:
        from interplay.studies.megcn_figures import draw

        for path in draw(found, target):
            say(f"drawn: {path}")
    return found


def _slug(recipe: Mapping[str, Any], job: tuple[str, str, int]) -> str:
    """Folder of a run: equal for equal recipes, wherever the data lie."""
    plain = {**recipe, "data": {key: value for key, value in recipe["data"].items() if key != "root"}}
    key = hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()[:12]
    return f"{recipe['data']['name']}-seed{job[2]}-{key}"


def _cell(folders: tuple[Path, ...], data: str) -> Cell:
    scores = [Scores.load(folder / "scores-test.npz") for folder in folders]
    pooled = _pool(scores)
    pairs: dict[str, tuple[Estimate, Estimate]] = {}
    if data == "playground":
        from interplay.data.playground import RELATION_PAIRS

        for first, second in RELATION_PAIRS:
            if first in pooled.classes and second in pooled.classes:
                name = f"{first} / {second}"
                pairs[name] = (pair_accuracy(pooled, first, second), pair_cross_entropy(pooled, first, second))
    return Cell(folders, spread([top_k(each).value for each in scores]), top_k(pooled), pairs)


def _pool(scores: Sequence[Scores]) -> Scores:
    """The test clips of all seeds; the same clip answered by another model is another sample."""
    from dataclasses import replace

    return concatenate(
        [replace(each, ids=tuple(f"{name}#{number}" for name in each.ids)) for number, each in enumerate(scores)]
    )


def _plain(cell: Cell) -> dict[str, Any]:
    return {
        "top1": {
            "mean": cell.top1.mean,
            "deviation": cell.top1.to_dict()["deviation"],
            "values": list(cell.top1.values),
        },
        "pooled": cell.pooled.to_dict(),
        "pairs": {
            name: {"accuracy": accuracy.to_dict(), "cross_entropy": entropy.to_dict()}
            for name, (accuracy, entropy) in cell.pairs.items()
        },
        "runs": [folder.name for folder in cell.folders],
    }


def run_of(found: Reproduction, row: Row, column: str) -> Path:
    """Folder of the first seed's run of a row."""
    return found.cells[row.name, column].folders[0]
