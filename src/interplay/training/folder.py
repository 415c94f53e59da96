"""The folder of one run: what was asked for, what happened, what came out.

recipe.yaml        the resolved recipe: every key, also those left at their defaults
environment.json   versions, commit, machine
metrics.csv        one row per epoch
checkpoints/       last.ckpt (to resume), best.ckpt
tensorboard/       event files
scores-PART.npz    scores per sample of a part
model/             the trained model, for interplay.load
result.json        written last: a folder that has it is finished
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from interplay.errors import InterplayError
from interplay.training.writing import clear_write_errors, write_whole

UNBOUND = (
    "data.root",
    "input.workers",
    "input.cache_folder",
    "training.devices",
    "training.nodes",
    "training.tensorboard",
)
"""Keys that may differ when a run is resumed: where things are and how many hands help, not what is computed."""


def is_first_process() -> bool:
    """Whether this process writes the folder: the first of those that a launcher started, or the only one."""
    for name in ("RANK", "SLURM_PROCID"):
        if name in os.environ:
            return os.environ[name] == "0"
    return os.environ.get("LOCAL_RANK", "0") == os.environ.get("NODE_RANK", "0") == "0"


def flat(recipe: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mapping → dotted keys."""
    result: dict[str, Any] = {}
    for key, value in recipe.items():
        if isinstance(value, Mapping):
            result.update(flat(value, f"{prefix}{key}."))
        else:
            result[f"{prefix}{key}"] = value
    return result


class RunFolder:
    """Paths of one run, and the only code that writes them.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.recipe = self.path / "recipe.yaml"
        self.environment = self.path / "environment.json"
        self.metrics = self.path / "metrics.csv"
        self.last = self.path / "checkpoints" / "last.ckpt"
        self.best = self.path / "checkpoints" / "best.ckpt"
        self.tensorboard = self.path / "tensorboard"
        self.model = self.path / "model"
        self.result = self.path / "result.json"

    def scores(self, part: str) -> Path:
        return self.path / f"scores-{part}.npz"

    @property
    def finished(self) -> bool:
        return self.result.is_file()

    @property
    def replaced(self) -> Path:
        """Where the run that another one overwrites is kept until that one is done."""
        path = self.path.resolve()
        return path.with_name(f".{path.name}.replaced")

    def begin(
        self,
        recipe: Mapping[str, Any],
        environment: Mapping[str, Any],
        *,
        resume: bool = False,
        overwrite: bool = False,
    ) -> None:
        """Claim the folder for a recipe.

        A folder that holds a run is continued with ``resume`` (the recipe must then be the same, see
        :data:`UNBOUND`), replaced with ``overwrite``, and otherwise refused. A folder with other things in it is
        never touched. A replaced run stays beside the folder until :meth:`discard` or :meth:`release`.

        Raises:
            InterplayError: the folder is taken, belongs to another recipe, or cannot be written.
        """
        if self.path.is_dir() and any(self.path.iterdir()):
            if not self.recipe.is_file():
                raise InterplayError(f"{self.path} is not empty and holds no run; give another --out")
            if overwrite:
                with clear_write_errors(self.path):
                    if self.replaced.exists():
                        shutil.rmtree(self.replaced)
                    self.path.resolve().rename(self.replaced)
            elif not resume:
                state = "a finished run" if self.finished else "an unfinished run"
                raise InterplayError(f"{self.path} holds {state}; add --resume or --overwrite, or give another --out")
            else:
                self._must_match(recipe)
                return
        with clear_write_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        write_whole(self.environment, json.dumps(environment, indent=2) + "\n")
        write_whole(self.recipe, yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True))

    def release(self) -> None:
        """Give a claimed folder back where nothing was trained: it goes, and the run that it replaced comes back. With
        anything but recipe and environment in it (an epoch, a finished stage, metrics) everything stays."""
        files = [path for path in self.path.rglob("*") if not path.is_dir()]
        begun = (self.recipe.name, self.environment.name)
        if any(path.name not in begun and self.tensorboard not in path.parents for path in files):
            return
        if not self.recipe.is_file() or self.path.resolve() == Path.cwd():
            return
        shutil.rmtree(self.path, ignore_errors=True)
        if self.replaced.exists() and not self.path.exists():
            self.replaced.rename(self.path.resolve())

    def discard(self) -> None:
        """The run that this one replaced goes."""
        if self.replaced.exists():
            shutil.rmtree(self.replaced, ignore_errors=True)

    def _must_match(self, recipe: Mapping[str, Any]) -> None:
        try:
            before = flat(yaml.safe_load(self.recipe.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError) as error:
            raise InterplayError(f"{self.recipe}: cannot read the recipe of the run to resume: {error}") from None
        # Through YAML as well, so that a tuple and the list it was written as are the same.
        now = flat(yaml.safe_load(yaml.safe_dump(dict(recipe))))
        for key in [*before, *now]:
            if key not in UNBOUND and before.get(key) != now.get(key):
                raise InterplayError(
                    f"{self.path} was started with {key} {before.get(key)!r}, found {now.get(key)!r}: "
                    "resume with the same recipe, or give another --out"
                )

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """metrics.csv, whole: columns in the order in which they first appear."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.metrics, text.getvalue())

    def write_result(self, result: Mapping[str, Any]) -> None:
        write_whole(self.result, json.dumps(result, indent=2, ensure_ascii=False) + "\n")

    def read_result(self) -> dict[str, Any]:
        try:
            value = json.loads(self.result.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise InterplayError(f"{self.result}: cannot read the result: {error}") from None
        if not isinstance(value, dict):
            raise InterplayError(f"{self.result}: found {type(value).__name__}, expected a mapping")
        return value
