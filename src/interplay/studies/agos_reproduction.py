"""Run the rows of a table or figure of the AGOS paper on the data given, and set them beside the paper's numbers.

Rows that resolve to the same recipe share one run folder, also across studies. The first stage is trained once per
seed (and fold): it is the run of the row "global pooling", and every other row begins from it.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interplay.errors import InterplayError
from interplay.evaluation.classification import top_k
from interplay.evaluation.uncertainty import Spread, spread
from interplay.studies.agos_comparison import (
    Gain,
    Runs,
    StructureFacts,
    clip_interval,
    gain,
    pair_accuracy,
    pair_gain,
    read_runs,
    structure_facts,
)
from interplay.studies.agos_markdown import markdown
from interplay.studies.agos_tables import FOLDS, RECIPES, SIMULATED, STUDIES, VideoRow, VideoStudy, at_hand
from interplay.studies.runs import finish_runs
from interplay.training.folder import flat
from interplay.training.recipes import load_recipe, override_arguments
from interplay.video.recipe import resolve

NOT_WHAT_IS_COMPUTED = (
    "data.root",
    "input.cache_folder",
    "input.threads",
    "training.accelerator",
    "training.devices",
    "training.nodes",
    "training.tensorboard",
    "training.begin_from",
    "training.structure_from",
)
"""Recipe keys that do not tell runs apart; what a run takes structure weights from is told apart by its name."""
FIRST_STAGE = ("data", "input", "backbone", "stage1", "training")
"""Sections of a recipe that the first stage depends on."""
RUNNER = "interplay.video.run"
Job = tuple[str, int, int]
"""Row, seed, fold."""


@dataclass(frozen=True)
class VideoCell:
    """A row: its runs, top-1 over the seeds, its interval over the clips, and its structures."""

    runs: Runs
    top1: Spread
    interval: tuple[float, float]
    structures: tuple[StructureFacts, ...] = ()


@dataclass(frozen=True)
class PairFacts:
    """One pair of classes that was built for an operation.

    Args:
        classes: the two.
        operation: what it was built for.
        accuracies: row → mean over the seeds of telling the two apart.
        gains: row → over pooling over RoIs.
    """

    classes: tuple[str, str]
    operation: str
    accuracies: Mapping[str, float]
    gains: Mapping[str, Gain]


@dataclass(frozen=True)
class VideoReproduction:
    """A finished study: what was run on which data, and what came out.

    Args:
        cells: row → its runs.
        gains: (row, row compared with) → difference.
        pairs: of the playground's diagnostic classes.
        computed: rows that need no run.
        overrides: from the command line, of every row.
    """

    study: VideoStudy
    data: str
    seeds: tuple[int, ...]
    cells: Mapping[str, VideoCell] = field(default_factory=dict)
    gains: Mapping[tuple[str, str], Gain] = field(default_factory=dict)
    pairs: tuple[PairFacts, ...] = ()
    computed: Sequence[Mapping[str, Any]] = ()
    overrides: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The tables, in Markdown, with what a reader has to know above them."""
        return markdown(self)

    def to_dict(self) -> dict[str, Any]:
        """Every number, for machines."""
        return {
            "study": f"agos.{self.study.key}",
            "title": self.study.title,
            "data": self.data,
            "seeds": list(self.seeds),
            "overrides": list(self.overrides),
            "rows": [
                {
                    "name": row.name,
                    "paper": dict(row.paper),
                    "overrides": None if row.overrides is None else dict(row.overrides),
                    "note": row.note,
                    "measured": None if (cell := self.cells.get(row.name)) is None else _plain(cell),
                    "gains": {other: one.to_dict() for (name, other), one in self.gains.items() if name == row.name},
                }
                for row in self.study.rows
            ],
            "pairs": [
                {
                    "classes": list(pair.classes),
                    "operation": pair.operation,
                    "accuracies": dict(pair.accuracies),
                    "gains": {name: one.to_dict() for name, one in pair.gains.items()},
                }
                for pair in self.pairs
            ],
            "computed": [dict(row) for row in self.computed],
        }


def find_video_study(name: str) -> VideoStudy:
    """``agos.table1`` → its study. InterplayError naming the nearest if there is none."""
    known = [f"agos.{key}" for key in STUDIES]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InterplayError(f"unknown study {name!r}{hint} (known: {', '.join(known)})")
    return STUDIES[name.partition(".")[2]]


def recipe_of(
    row: VideoRow,
    seed: int,
    data: str,
    overrides: Sequence[str] = (),
    fold: int = 0,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The resolved recipe of one run.

    Args:
        more: keys that only this run has (``training.begin_from``).

    Raises:
        InterplayError: data without a recipe, a row that is only printed, or an override that no recipe key has.
    """
    if data not in RECIPES:
        raise InterplayError(f"--data: found {data!r}, expected one of {', '.join(RECIPES)}")
    if row.overrides is None:
        raise InterplayError(f"{row.name}: {row.note}")
    keys = {**row.overrides, "training.seed": seed}
    if data in FOLDS:
        keys[FOLDS[data][0]] = fold
    given = [*override_arguments(keys), *overrides, *override_arguments(more or {})]
    return resolve(load_recipe(RECIPES[data]), given, None, RECIPES[data])


def first_stage_of(row: VideoRow, seed: int, data: str, overrides: Sequence[str] = (), fold: int = 0) -> dict[str, Any]:
    """The recipe of the run whose first stage a row begins from: that of the row "global pooling".

    What the first stage does not depend on is left as the recipe has it, so that all rows share the run.
    """
    kept = {key: value for key, value in (row.overrides or {}).items() if key.partition(".")[0] in FIRST_STAGE}
    bare = VideoRow(row.name, {}, {**kept, "model.graph": "global_pooling"})
    return recipe_of(bare, seed, data, _of_sections(overrides, FIRST_STAGE), fold)


def run_name(recipe: Mapping[str, Any], source: str = "") -> str:
    """Folder of a run: equal for equal recipes, wherever data and other runs lie.

    Args:
        source: name of the run that structure weights are taken from.
    """
    plain = {key: value for key, value in flat(recipe).items() if key not in NOT_WHAT_IS_COMPUTED}
    key = hashlib.sha256(json.dumps([plain, source], sort_keys=True, default=str).encode()).hexdigest()[:10]
    model = recipe["model"]
    what = model["graph"] if model["graph"] != "agos" else f"agos{'' if model['adaptive'] else '-non-adaptive'}"
    fold = f"-fold{recipe['data']['fold']}" if "fold" in recipe["data"] else ""
    transfer = "-transfer" if source else ""
    return f"{recipe['data']['name']}-{what}{transfer}{fold}-seed{recipe['training']['seed']}-{key}"


def reproduce_videos(
    name: str,
    out: str | Path,
    *,
    data: str | None = None,
    seeds: Sequence[int] = (1,),
    rows: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
    resamples: int = 2000,
    jobs: int | None = None,
    quiet: bool = False,
    say: Callable[[str], None] = print,
) -> VideoReproduction:
    """Run a study.

    Args:
        name: ``agos.table1`` … ``agos.table3``, ``agos.s1`` … ``agos.s8``, ``agos.fig4`` … ``agos.fig8``.
        out: folder for the runs (shared by all studies) and for this study's tables and pictures.
        data: playground (the default: no files needed), something_v1, something_v2 or fights.
        seeds: of the runs; mean and deviation are taken over them.
        rows: run only these rows (names).
        overrides: ``--section.key=value`` for every row (``--data.root=…``, a shorter training).
        resamples: of the paired bootstrap, and permutations of the test of structures against classes.
        jobs: runs at a time; None: :func:`interplay.studies.runs.usual_jobs`.
        quiet: no progress.
        say: where lines go.

    Raises:
        InterplayError: unknown study, data or row, or data that cannot be read.
    """
    study = find_video_study(name)
    data = "playground" if data in (None, "playground_videos") else str(data)
    folder, target = Path(out), Path(out) / f"{name}-{data}"
    if study.computed is not None:
        from interplay.studies.agos_cost import computed_rows

        found = VideoReproduction(study, data, (), computed=computed_rows(study.computed))
        return _written(found, target)
    if (reason := at_hand(study, data)) is not None:
        raise InterplayError(f"{name} on {data}: {reason}")
    for one in rows or ():
        if one not in [row.name for row in study.rows]:
            raise InterplayError(f"{name}: no row {one!r} (rows: {', '.join(row.name for row in study.rows)})")
    chosen = [row for row in study.rows if row.overrides is not None and (rows is None or row.name in rows)]
    folds = range(FOLDS[data][1]) if data in FOLDS else range(1)
    places = _finished(study, chosen, tuple(seeds), folds, data, overrides, folder / "runs", jobs, quiet, say)
    cells = {}
    for row in chosen:
        own = [[places[row.name, seed, fold] for fold in folds] for seed in seeds]
        runs = read_runs(own, row.scores)
        top1 = spread([top_k(one).value for one in runs.scores])
        facts = () if row.scores != "own" else tuple(structure_facts(runs, resamples))
        cells[row.name] = VideoCell(runs, top1, clip_interval(runs.scores, resamples), facts)
    gains = {
        (row.name, other): gain(cells[row.name].runs.scores, cells[other].runs.scores, resamples)
        for other in study.against
        if other in cells
        for row in chosen
        if row.name != other
    }
    pairs = _pairs(study, cells, resamples) if data in SIMULATED else ()
    made = VideoReproduction(study, data, tuple(seeds), cells, gains, pairs, (), _shown(overrides))
    _written(made, target)
    if study.draws:
        from interplay.studies.agos_figures import draw

        for path in draw(made, target):
            say(f"drawn: {path}")
    return made


def _finished(
    study: VideoStudy,
    chosen: Sequence[VideoRow],
    seeds: Sequence[int],
    folds: Sequence[int],
    data: str,
    overrides: Sequence[str],
    folder: Path,
    jobs: int | None,
    quiet: bool,
    say: Callable[[str], None],
) -> dict[Job, Path]:
    """Train what is not trained: first stages, then the rows that begin from them, then those that take structure
    weights from another row. Returns the folder of every run."""
    folder = folder.resolve()  # a run's recipe names the folder that it begins from
    named = {row.name: row for row in study.rows}
    needed = [*chosen]
    for row in chosen:
        if row.structures_from is not None and named[row.structures_from] not in needed:
            needed.append(named[row.structures_from])
    waves: list[dict[Path, dict[str, Any]]] = [{}, {}, {}]
    places: dict[Job, Path] = {}
    for transferred in (False, True):
        for row in needed:
            if (row.structures_from is not None) is not transferred:
                continue
            for seed in seeds:
                for fold in folds:
                    job = row.name, seed, fold
                    first = first_stage_of(row, seed, data, overrides, fold)
                    base = folder / run_name(first)
                    if transferred:
                        source = places[str(row.structures_from), seed, fold]
                        more = {"training.structure_from": str(source)}
                        if first == first_stage_of(named[str(row.structures_from)], seed, data, overrides, fold):
                            more["training.begin_from"] = str(base / "stage1")
                        recipe = recipe_of(row, seed, data, overrides, fold, more)
                        places[job] = folder / run_name(recipe, source.name)
                        waves[2][places[job]] = recipe
                        continue
                    waves[0][base] = first
                    if (row.overrides or {}).get("model.graph") == "global_pooling":
                        places[job] = base
                        continue
                    recipe = recipe_of(row, seed, data, overrides, fold, {"training.begin_from": str(base / "stage1")})
                    places[job] = folder / run_name(recipe)
                    waves[1][places[job]] = recipe
    every = [place for wave in waves for place in wave]
    done = sum((place / "result.json").is_file() for place in every)
    say(
        f"agos.{study.key} on {data}: {len(chosen)} rows, {len(every)} runs ({len(waves[0])} of them first stages), "
        f"{done} of them finished already"
    )
    for wave in waves:
        finish_runs(wave, RUNNER, jobs=jobs, quiet=quiet, say=say)
    return places


def _pairs(study: VideoStudy, cells: Mapping[str, VideoCell], resamples: int) -> tuple[PairFacts, ...]:
    """How well each row tells the two classes of a diagnostic pair apart, and its lead over pooling over RoIs."""
    from interplay.data.playground.video_classes import DIAGNOSTICS
    from interplay.studies.agos_tables import ROI

    own = {name: cell.runs.scores for name, cell in cells.items()}
    if ROI not in own or len(own) < 2:
        return ()
    found = []
    for classes, operation in DIAGNOSTICS.items():
        if not set(classes) <= set(own[ROI][0].classes):
            continue
        accuracies = {name: pair_accuracy(scores, classes) for name, scores in own.items()}
        gains = {name: pair_gain(scores, own[ROI], classes, resamples) for name, scores in own.items() if name != ROI}
        found.append(PairFacts(classes, operation, accuracies, gains))
    return tuple(found)


def _written(found: VideoReproduction, target: Path) -> VideoReproduction:
    target.mkdir(parents=True, exist_ok=True)
    (target / "table.md").write_text(found.markdown(), encoding="utf-8")
    text = json.dumps(found.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    (target / "table.json").write_text(text + "\n", encoding="utf-8")
    return found


def _of_sections(overrides: Sequence[str], sections: Sequence[str]) -> list[str]:
    """Of ``--section.key=value`` and ``--section.key value`` those of some sections."""
    found: list[str] = []
    keep = False
    for word in overrides:
        if word.startswith("--"):
            keep = word[2:].partition("=")[0].partition(".")[0] in sections
        if keep:
            found.append(word)
    return found


def _shown(overrides: Sequence[str]) -> tuple[str, ...]:
    """Overrides without places on this machine; of boxes the name of their file or folder."""
    hidden = ("--data.root", "--input.cache_folder", "--backbone.weights")
    named = ("--data.proposals", "--data.boxes")
    shown: list[str] = []
    key = ""
    for word in overrides:
        value = word
        if word.startswith("--"):
            key, _, value = word.partition("=")
        if key in named and value:
            word = f"{key}={Path(value).name}" if word != value else Path(value).name
        if key not in hidden:
            shown.append(word)
    return tuple(shown)


def _plain(cell: VideoCell) -> dict[str, Any]:
    return {
        "top1": cell.top1.to_dict(),
        "interval": list(cell.interval),
        "clips": len(cell.runs.scores[0]),
        "proposals": cell.runs.results[0][0].get("proposals"),
        "runs": [[folder.name for folder in folds] for folds in cell.runs.folders],
        "structures": [
            {
                "distinct": one.distinct,
                "mutual_information": one.association.value,
                "by_chance": one.association.by_chance,
                "p": one.association.p,
                "stable": None if one.stable is None else {"epochs": one.stable[0], "seconds": one.stable[1]},
                "search_epochs": one.epochs,
            }
            for one in cell.structures
        ],
    }
