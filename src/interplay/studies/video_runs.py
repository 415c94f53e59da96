"""The folder of a video run, read for its report: what it holds, why the rest is missing, comparable runs beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from interplay.errors import InterplayError
from interplay.evaluation.scores import Scores
from interplay.studies.agos_tables import OPERATIONS
from interplay.studies.report import mapping, parts_read, read_history, text_of
from interplay.studies.video_pictures import OpenedRun
from interplay.video.outcome import Structures


@dataclass
class VideoRun:
    """What a run folder holds; None (with a line in ``missing``) for what it does not.

    ``beside`` are finished runs in the same parent folder on the same clips: models of one operation by its name, and
    "without L_var".
    """

    folder: Path
    recipe: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    environment: dict[str, Any] | None = None
    history: dict[str, list[float]] | None = None
    scores: Scores | None = None
    structures: Structures | None = None
    opened: OpenedRun | None = None
    beside: dict[str, Path] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def graph(self) -> str:
        return str(((self.recipe or {}).get("model") or {}).get("graph") or "")

    def why(self, *names: str) -> str:
        """Why the first of these parts is missing."""
        return next((self.missing[name] for name in names if name in self.missing), "it is not there")


def is_video_run(folder: Path) -> bool:
    """Whether a folder holds a run of a video model."""
    try:
        recipe = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    return isinstance(recipe, Mapping) and recipe.get("system") == "agos"


def open_video_run(folder: Path, data_root: str | Path | None = None) -> VideoRun:
    """Read a run folder.

    Args:
        data_root: where the data are, if not where they were.

    Raises:
        InterplayError: nothing of a run in it.
    """
    run = VideoRun(folder)
    part = parts_read(run.missing)
    run.recipe = part("recipe", lambda: mapping(yaml.safe_load(text_of(folder / "recipe.yaml"))))
    run.result = part("result", lambda: mapping(json.loads(text_of(folder / "result.json"))))
    run.environment = part("environment", lambda: mapping(json.loads(text_of(folder / "environment.json"))))
    run.history = part("history", lambda: read_history(folder / "metrics.csv"))
    measured = "test" if (folder / "scores-test.npz").is_file() else "validation"
    run.scores = part("scores", lambda: _labelled(folder / f"scores-{measured}.npz"))
    run.structures = part("structures", lambda: Structures.load(folder / f"structures-{measured}.npz"))
    if run.recipe is None:
        raise InterplayError(f"{folder}: found no recipe of a run: {run.missing['recipe']}")
    if (folder / "model" / "config.json").is_file():
        run.opened = part("model", lambda: OpenedRun.of(folder, data_root))
    else:
        run.missing["model"] = "the folder model/ is not there"
    run.beside = runs_beside(folder, run.recipe)
    return run


def _labelled(path: Path) -> Scores:
    if not path.is_file():
        raise ValueError(f"{path.name} is not there")
    found = Scores.load(path).labelled
    if not len(found):
        raise ValueError("no clip has a known label")
    return found


def runs_beside(folder: Path, recipe: Mapping[str, Any]) -> dict[str, Path]:
    """Finished runs in the same parent folder with the same data, input, backbone and seed: of each single operation,
    and of the same model without L_var."""
    found: dict[str, Path] = {}
    for other in sorted(folder.resolve().parent.iterdir()):
        if other == folder.resolve() or not (other / "result.json").is_file() or not is_video_run(other):
            continue
        theirs = yaml.safe_load((other / "recipe.yaml").read_text(encoding="utf-8"))
        same = all(theirs.get(key) == recipe.get(key) for key in ("data", "input", "backbone"))
        if not same or theirs["training"]["seed"] != recipe["training"]["seed"]:
            continue
        if theirs["model"]["graph"] in OPERATIONS:
            found.setdefault(theirs["model"]["graph"], other)
        elif theirs["model"] == recipe["model"] and theirs["stage2"]["diversity"] == 0 != recipe["stage2"]["diversity"]:
            found.setdefault("without L_var", other)
    return found
