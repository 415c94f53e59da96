"""What every run folder holds, read for a report: what is there, and why the rest is not."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from interplay.errors import InterplayError


@dataclass
class RunParts:
    """Parts of a run folder; None (with a line in ``missing``) for what it does not hold.

    Args:
        folder: of the run.
        recipe, result, environment: its YAML and JSON files.
        history: columns of ``metrics.csv``.
        missing: part → why it is not there.
    """

    folder: Path
    recipe: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    environment: dict[str, Any] | None = None
    history: dict[str, list[float]] | None = None
    missing: dict[str, str] = field(default_factory=dict)

    def part(self, name: str, read: Callable[[], Any]) -> Any:
        """A part by its reader; what cannot be read is None, and ``missing`` says why."""
        try:
            return read()
        except FileNotFoundError as error:
            self.missing[name] = f"{Path(error.filename).name} is not there"
        except (OSError, InterplayError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            self.missing[name] = " ".join(str(error).split())
        return None

    def read_files(self) -> None:
        """Recipe, result, environment and history."""
        self.recipe = self.part("recipe", lambda: _mapping(yaml.safe_load(self._text("recipe.yaml"))))
        self.result = self.part("result", lambda: _mapping(json.loads(self._text("result.json"))))
        self.environment = self.part("environment", lambda: _mapping(json.loads(self._text("environment.json"))))
        self.history = self.part("history", lambda: read_history(self.folder / "metrics.csv"))

    def model(self, read: Callable[[Path], Any]) -> Any:
        """The trained model by its reader, which is given the model folder."""
        folder = self.folder / "model"
        if (folder / "config.json").is_file():
            return self.part("model", lambda: read(folder))
        self.missing["model"] = "the folder model/ is not there"
        return None

    def _text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


def read_history(path: Path) -> dict[str, list[float]]:
    """Columns of ``metrics.csv``; NaN where a cell is empty or no number (a row cut short by a kill)."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError("metrics.csv has no epoch yet")
    columns = [name for name in rows[0] if name]
    return {name: [_number(row.get(name)) for row in rows] for name in columns}


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"found {type(value).__name__}, expected a mapping")
    return value
