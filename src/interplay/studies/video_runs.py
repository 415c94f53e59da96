"""The folder of a video run, read for its report: what it holds, why the rest is missing, comparable runs beside it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from interplay.errors import InterplayError
from interplay.evaluation.scores import Scores
from interplay.studies.agos_comparison import measured_part, with_sources
from interplay.studies.agos_tables import OPERATIONS
from interplay.studies.run_parts import RunParts
from interplay.studies.video_pictures import OpenedRun
from interplay.video.outcome import Structures


@dataclass(frozen=True)
class LossPair:
    """Two runs that differ in the variance loss alone.

    Args:
        without, with_loss: their folders.
        what: the model of both, in words.
    """

    without: Path
    with_loss: Path
    what: str


@dataclass(frozen=True)
class Beside:
    """Finished runs in the same parent folder that a run can be compared with.

    Args:
        single: operation → model of it alone on the same clips.
        pair: with and without the variance loss on the same clips; this run's own pair where there is one.
        transfers: (run, run on other data that took its structure weights) each; this run is one of the two.
    """

    single: Mapping[str, Path] = field(default_factory=dict)
    pair: LossPair | None = None
    transfers: tuple[tuple[Path, Path], ...] = ()


@dataclass
class VideoRun(RunParts):
    """A run of a video model.

    ``measured`` is the part of the scores and structures: test, or validation where a data set has no test clips.
    """

    scores: Scores | None = None
    structures: Structures | None = None
    measured: str = "test"
    opened: OpenedRun | None = None
    beside: Beside = field(default_factory=Beside)

    @property
    def graph(self) -> str:
        return str(((self.recipe or {}).get("model") or {}).get("graph") or "")

    def why(self, *names: str) -> str:
        """Why the first of these parts is missing."""
        return next((self.missing[name] for name in names if name in self.missing), "it is not there")


def is_video_run(folder: Path) -> bool:
    """Whether a folder holds a run of a video model."""
    return recipe_in(folder) is not None


def recipe_in(folder: Path) -> Mapping[str, Any] | None:
    """The recipe of a run of a video model; None for anything else, and for what cannot be read."""
    try:
        recipe = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    return recipe if isinstance(recipe, Mapping) and recipe.get("system") == "agos" else None


def open_video_run(folder: Path, data_root: str | Path | None = None) -> VideoRun:
    """Read a run folder.

    Args:
        data_root: where the data are, if not where they were.

    Raises:
        InterplayError: nothing of a run in it.
    """
    run = VideoRun(folder)
    run.read_files()
    if run.recipe is None:
        raise InterplayError(f"{folder}: found no recipe of a run: {run.missing['recipe']}")
    run.measured = "test" if (folder / "scores-test.npz").is_file() else "validation"
    run.scores = run.part("scores", lambda: _labelled(folder))
    run.structures = run.part("structures", lambda: Structures.load(folder / f"structures-{run.measured}.npz"))
    run.opened = run.model(lambda place: OpenedRun.of(place.parent, data_root))
    if run.scores is not None and run.opened is not None:
        run.scores = with_sources(run.scores, run.opened.dataset)
    run.beside = run.part("beside", lambda: runs_beside(folder, run.recipe or {})) or Beside()
    return run


def _labelled(folder: Path) -> Scores:
    found = Scores.load(folder / f"scores-{measured_part(folder)}.npz").labelled
    if not len(found):
        raise ValueError("no clip has a known label")
    return found


def runs_beside(folder: Path, recipe: Mapping[str, Any]) -> Beside:
    """Finished runs in the same parent folder: of each single operation and with and without the variance loss, on the
    same clips with the same backbone and seed; and those that gave this run its structure weights or took them.

    A folder whose recipe cannot be read, or lacks what is compared, is left out.
    """
    here = folder.resolve()
    others: dict[Path, Mapping[str, Any]] = {}
    for other in sorted(here.parent.iterdir()):
        theirs = recipe_in(other) if other != here and (other / "result.json").is_file() else None
        if theirs is not None:
            others[other] = theirs
    same = {other: theirs for other, theirs in others.items() if _key(theirs, SAME) == _key(recipe, SAME)}
    single: dict[str, Path] = {}
    for other, theirs in same.items():
        if (graph := _at(theirs, "model", "graph")) in OPERATIONS:
            single.setdefault(str(graph), other)
    moved = {other: theirs for other, theirs in others.items() if _at(theirs, "data") != _at(recipe, "data")}
    transfers = [(here, other) for other, theirs in moved.items() if _names(theirs, here)]
    transfers += [(other, here) for other in moved if _names(recipe, other)]
    return Beside(single, _loss_pair({here: recipe, **same}), tuple(transfers))


SAME = ("data", "input", "backbone", "training.seed")
"""What runs on the same clips share; ``input`` without what only says how it is computed."""
TRAINED = (*SAME, "model", "stage1", "stage2", "stage3", "stage4", "training.structure_from")
"""What runs that differ in the variance loss alone share; ``stage2`` without it."""


def _loss_pair(runs: Mapping[Path, Mapping[str, Any]]) -> LossPair | None:
    """The first run's pair, or else any two."""
    searched = {place: one for place, one in runs.items() if _at(one, "model", "graph") == "agos"}
    for place, recipe in searched.items():
        own = _at(recipe, "stage2", "diversity")
        for other, theirs in searched.items():
            loss = _at(theirs, "stage2", "diversity")
            alike = _key(theirs, TRAINED) == _key(recipe, TRAINED)
            if alike and None not in (own, loss) and (own == 0) is not (loss == 0):
                without, with_loss = (place, other) if own == 0 else (other, place)
                return LossPair(without, with_loss, model_in_words(recipe))
    return None


def model_in_words(recipe: Mapping[str, Any]) -> str:
    """The model of a run in a few words: ``adaptive, fixed substructures``."""
    kind = "adaptive" if _at(recipe, "model", "adaptive") else "non-adaptive"
    spaces = {"fixed": "fixed substructures", "original": "original operations", "parallel": "parallel substructures"}
    return f"{kind}, {spaces.get(str(_at(recipe, 'model', 'space')), 'another space')}"


def _names(recipe: Mapping[str, Any], run: Path) -> bool:
    """Whether a recipe takes its structure weights from a run. Of runs that were moved together the name counts."""
    given = _at(recipe, "training", "structure_from")
    if not given:
        return False
    source = Path(str(given))
    return source.resolve() == run if source.exists() else source.name == run.name


def _at(recipe: Mapping[str, Any], *keys: str) -> Any:
    found: Any = recipe
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _key(recipe: Mapping[str, Any], parts: tuple[str, ...]) -> list[Any]:
    """Values to compare; a part that is missing is as no other."""
    found = []
    for part in parts:
        value = _at(recipe, *part.split("."))
        if value is None and part != "training.structure_from":
            value = object()  # equal to nothing
        if isinstance(value, Mapping):
            left_out = ("cache_folder", "threads") if part == "input" else ("diversity",) if part == "stage2" else ()
            value = {key: one for key, one in value.items() if key not in left_out}
        found.append(value)
    return found


# -- what makes a run that is missing -------------------------------------------------------------------------------

OTHER_DATA: Mapping[str, str] = {"something_v1": "agos/something-v2", "something_v2": "agos/something-v1"}
"""Data set → the recipe that its structure weights are transferred to in the paper."""


def train_command(run: VideoRun, ending: str, *changes: str, first_stage: bool = True) -> str:
    """The command line that trains this run's recipe with changes into a folder beside it."""
    words = ["interplay", "train", str(run.folder / "recipe.yaml"), *changes]
    if first_stage and (run.folder / "stage1" / "stage.json").is_file():
        words += ["--training.begin_from", str(run.folder / "stage1")]
    return shlex.join([*words, "--out", str(run.folder.parent / f"{run.folder.resolve().name}-{ending}")])


def transfer_command(run: VideoRun) -> str:
    """The command line that takes this run's structure weights to other data."""
    recipe = run.recipe or {}
    data = recipe.get("data") or {}
    weights = ["--training.structure_from", str(run.folder)]
    if data.get("name") != "playground_videos":
        out = run.folder.parent / f"{run.folder.resolve().name}-transferred"
        other = OTHER_DATA.get(str(data.get("name")), "RECIPE")
        return shlex.join(["interplay", "train", other, "--data.root", "DIR", *weights, "--out", str(out)])
    changes = ["--data.seed", str(int(data.get("seed", 0)) + 1), "--data.misses", "0.0", *weights]
    if (recipe.get("training") or {}).get("begin_from") is not None:
        changes += ["--training.begin_from", "null"]
    return train_command(run, "transferred", *changes, first_stage=False)
