"""Run the rows of a table or figure of the SIL paper on the data given, and set them beside the paper's numbers.

As with the me-GCN tables, rows that resolve to the same recipe share one run folder, also across tables.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from interplay.errors import InterplayError
from interplay.evaluation.scene_graph import Difference
from interplay.evaluation.uncertainty import Spread, spread
from interplay.scene.recipe import resolve
from interplay.studies.runs import finish_runs
from interplay.studies.sil_comparison import PARTS, Figures, RunAnswers, compare, read_answers
from interplay.studies.sil_markdown import markdown
from interplay.studies.sil_settings import RECIPES, SIMULATED, settings_of
from interplay.studies.sil_tables import STUDIES, TASKS, SceneRow, SceneStudy
from interplay.training.folder import flat
from interplay.training.recipes import load_recipe, override_arguments

NOT_WHAT_IS_COMPUTED = (
    "data.root",
    "data.images",
    "input.cache_folder",
    "input.threads",
    "training.accelerator",
    "training.devices",
    "training.nodes",
    "training.tensorboard",
)
"""Recipe keys that do not tell runs apart."""
LATER = ("input.steps_per_epoch", "input.test", "head.background_weight")
"""Keys that earlier runs did not have: where they are not set, runs are called as before."""
OF_SIL = ("sil.", "optimiser.sil_")
"""Beginnings of the keys that nothing depends on in a run without SIL."""


@dataclass(frozen=True)
class SceneCell:
    """One row under one task: the runs of all seeds, and every figure over them (fractions of 1)."""

    folders: tuple[Path, ...]
    figures: Mapping[str, Spread]


@dataclass(frozen=True)
class SceneReproduction:
    """A finished study: what was run on which data, and what came out.

    Args:
        seeds: task → seeds of its runs.
        cells: (row, task) → its runs.
        gains: (row with SIL, task) → figure → with minus without.
        overrides: from the command line, of every row.
    """

    study: SceneStudy
    data: str
    seeds: Mapping[str, tuple[int, ...]]
    cells: Mapping[tuple[str, str], SceneCell]
    gains: Mapping[tuple[str, str], Mapping[str, Difference]]
    overrides: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The tables, in Markdown, with what a reader has to know above them."""
        return markdown(
            self.study,
            self.data,
            self.data in SIMULATED,
            self.seeds,
            {key: cell.figures for key, cell in self.cells.items()},
            self.gains,
            self.overrides,
        )

    def to_dict(self) -> dict[str, Any]:
        """Every number, for machines."""
        return {
            "study": f"sil.{self.study.key}",
            "title": self.study.title,
            "paper_data": self.study.data,
            "data": self.data,
            "seeds": {task: list(seeds) for task, seeds in self.seeds.items()},
            "overrides": list(self.overrides),
            "rows": [
                {
                    "name": row.name,
                    "paper": {
                        task: dict(zip(self.study.columns, paper, strict=True)) for task, paper in row.paper.items()
                    },
                    "overrides": None if row.overrides is None else dict(row.overrides),
                    "note": row.note,
                    "measured": {
                        task: {
                            "figures": {name: _plain(value) for name, value in cell.figures.items()},
                            "runs": [folder.name for folder in cell.folders],
                        }
                        for task in self.seeds
                        if (cell := self.cells.get((row.name, task))) is not None
                    },
                    "gain": {
                        task: {name: _difference(one) for name, one in found.items()}
                        for task in self.seeds
                        if (found := self.gains.get((row.name, task))) is not None
                    },
                }
                for row in self.study.rows
            ],
        }


def find_scene_study(name: str) -> SceneStudy:
    """``sil.table1`` → its study. InterplayError naming the nearest if there is none."""
    known = [f"sil.{key}" for key in STUDIES]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InterplayError(f"unknown study {name!r}{hint} (known: {', '.join(known)})")
    return STUDIES[name.partition(".")[2]]


def part_pairs(data: str) -> tuple[tuple[int, int], ...]:
    """Ids of the playground's predicates that differ in a part of a box only, two by two; none for other data."""
    if data not in SIMULATED:
        return ()
    from interplay.data.playground.scene_layout import PART_PAIRS
    from interplay.data.playground.scene_relations import PREDICATES

    return tuple((PREDICATES.index(first), PREDICATES.index(second)) for first, second in PART_PAIRS)


def recipe_of(
    study: SceneStudy, row: SceneRow, task: str, seed: int, data: str, overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """The resolved recipe of one run.

    Raises:
        InterplayError: data without a recipe for these tables, a row that is only printed, or an override that no
            recipe key has.
    """
    if data not in RECIPES:
        raise InterplayError(f"--data: found {data!r}, expected one of {', '.join(RECIPES)}")
    if row.overrides is None:
        raise InterplayError(f"{row.name}: {row.note}")
    name = RECIPES[data]
    keys = {**settings_of(data, str(row.overrides["head.name"]), task), **study.overrides, **row.overrides}
    return resolve(load_recipe(name), [*override_arguments({**keys, "training.seed": seed}), *overrides], None, name)


def run_name(recipe: Mapping[str, Any]) -> str:
    """Folder of a run: equal for equal recipes, wherever the data lie and whatever SIL's settings are without SIL."""
    without = () if recipe["model"]["sil"] else OF_SIL
    plain = {
        key: value
        for key, value in flat(recipe).items()
        if key not in NOT_WHAT_IS_COMPUTED and not (key in LATER and value is None) and not key.startswith(without)
    }
    key = hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()[:10]
    sil = "-sil" if recipe["model"]["sil"] else ""
    head, task = recipe["head"]["name"], recipe["model"]["task"]
    return f"{recipe['data']['name']}-{task}-{head}{sil}-seed{recipe['training']['seed']}-{key}"


def reproduce_scenes(
    name: str,
    out: str | Path,
    *,
    data: str | None = None,
    seeds: Sequence[int] = (1,),
    other_seeds: Sequence[int] | None = None,
    tasks: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
    resamples: int = 1000,
    jobs: int | None = None,
    quiet: bool = False,
    say: Callable[[str], None] = print,
) -> SceneReproduction:
    """Run a study.

    Args:
        name: ``sil.table1`` … ``sil.table5``, ``sil.fig3`` … ``sil.fig8``.
        out: folder for the runs (shared by all studies) and for this study's tables and pictures.
        data: playground (the default: no files needed), vg or openimages.
        seeds: of the runs; mean and deviation are taken over them.
        other_seeds: of SGCls and SGGen where a study also has PredCls; None for the first of ``seeds``.
        tasks: only these of the study's.
        rows: run only these rows (names).
        overrides: ``--section.key=value`` for every row (``--data.root=…``, ``--detector.weights=…``).
        resamples: of the paired bootstrap.
        jobs: runs at a time; None: :func:`interplay.studies.runs.usual_jobs`.
        quiet: no progress.
        say: where lines go.

    Raises:
        InterplayError: unknown study, data, task or row, or data that cannot be read.
    """
    study = find_scene_study(name)
    data = data or "playground"
    chosen_tasks = _chosen(name, "task", tasks, study.tasks, TASKS)
    names = _chosen(name, "row", rows, [row.name for row in study.rows], None)
    study = replace(study, tasks=chosen_tasks)
    others = tuple(seeds if "predcls" not in STUDIES[study.key].tasks else other_seeds or seeds[:1])
    by_task = {task: tuple(seeds) if task == "predcls" else others for task in chosen_tasks}
    folder = Path(out)
    chosen = [row for row in study.rows if row.overrides is not None and row.name in names]
    recipes = {
        (row.name, task, seed): recipe_of(study, row, task, seed, data, overrides)
        for task in chosen_tasks
        for row in chosen
        for seed in by_task[task]
    }
    places = {job: folder / "runs" / run_name(recipe) for job, recipe in recipes.items()}
    distinct = {places[job]: recipe for job, recipe in recipes.items()}
    done = sum((place / "result.json").is_file() for place in distinct)
    say(f"{name} on {data}: {len(chosen)} rows, {len(distinct)} runs, {done} of them finished already")
    finish_runs(distinct, "interplay.scene.run", jobs=jobs, quiet=quiet, say=say)
    pairs = part_pairs(data)
    groups = {PARTS: sorted({one for pair in pairs for one in pair})} if pairs else None
    answers = {place: read_answers(place, pairs) for place in distinct}
    cells = {}
    for row in chosen:
        for task in chosen_tasks:
            folders = tuple(places[row.name, task, seed] for seed in by_task[task])
            cells[row.name, task] = SceneCell(folders, _figures([answers[place] for place in folders], groups))
    gains = {
        (row.name, task): compare(
            [answers[place] for place in cells[row.name, task].folders],
            [answers[place] for place in cells[row.without, task].folders],
            groups,
            resamples,
        )
        for row in chosen
        for task in chosen_tasks
        if row.without is not None and (row.without, task) in cells
    }
    found = SceneReproduction(study, data, by_task, cells, gains, _shown(overrides))
    target = folder / f"{name}-{data}"
    target.mkdir(parents=True, exist_ok=True)
    (target / "table.md").write_text(found.markdown(), encoding="utf-8")
    text = json.dumps(found.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    (target / "table.json").write_text(text + "\n", encoding="utf-8")
    if study.draws:
        from interplay.studies.sil_figures import draw

        for path in draw(found, target):
            say(f"drawn: {path}")
    return found


def _chosen(
    name: str, what: str, wanted: Sequence[str] | None, has: Sequence[str], known: Sequence[str] | None
) -> tuple[str, ...]:
    """The wanted ones in the study's order."""
    for one in wanted or ():
        if one not in has:
            hint = " of the study" if known and one in known else ""
            raise InterplayError(f"{name}: no {what} {one!r}{hint} ({what}s: {', '.join(has)})")
    return tuple(one for one in has if wanted is None or one in wanted)


def _figures(answers: Sequence[RunAnswers], groups: Mapping[str, Sequence[int]] | None) -> dict[str, Spread]:
    """Figures of a row over its seeds: what each run has recorded, and those of the groups asked for here."""
    runs = []
    for one in answers:
        result = json.loads((one.folder / "result.json").read_text(encoding="utf-8"))
        recorded = {
            key: value for key, value in result["metrics"]["last"]["test"]["metrics"].items() if value is not None
        }
        counted = {key: float(value[0]) for key, value in Figures(one, groups)().items()}
        runs.append({**counted, **recorded})
    return {
        key: spread([run[key] for run in runs])
        for key in runs[0]
        if all(key in run and math.isfinite(run[key]) for run in runs)
    }


def _shown(overrides: Sequence[str]) -> tuple[str, ...]:
    """Overrides without places on this machine."""
    hidden = (
        "--data.root",
        "--data.images",
        "--input.cache_folder",
        "--detector.weights",
        "--model.weights",
        "--model.word_vectors",
    )
    shown: list[str] = []
    skip = False
    for word in overrides:
        key, equals, _ = word.partition("=")
        if not skip and key not in hidden:
            shown.append(word)
        skip = key in hidden and not equals
    return tuple(shown)


def _plain(value: Spread) -> dict[str, Any]:
    return value.to_dict()


def _difference(one: Difference) -> dict[str, float]:
    return {"value": one.value, "low": one.low, "high": one.high, "not_above": one.not_above}
