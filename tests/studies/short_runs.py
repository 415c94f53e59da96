"""Stands for a system's ``run`` module: a run that writes who ran it, or meets bad data."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from interplay.data.errors import DataError


def run_resolved(recipe: Mapping[str, Any], out: Path, **how: Any) -> dict[str, Any]:
    if recipe.get("bad"):
        raise DataError("clips.npz", "clip 3", "two joints", "15")
    result = {"seed": recipe["seed"], "process": os.getpid(), "threads": torch.get_num_threads(), **how}
    result.pop("say", None)
    out.mkdir(parents=True, exist_ok=True)
    (out / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return result
