"""The trained models inside the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def shipped_models() -> dict[str, Path]:
    """Name → folder."""
    folder = Path(str(resources.files("interplay").joinpath("models")))
    if not folder.is_dir():
        return {}
    return {item.name: item for item in sorted(folder.iterdir()) if (item / "config.json").is_file()}


def find_model(model: str | Path) -> Path | None:
    """The model folder behind a shipped name, a model folder, or a run folder, which has one in it; None if none is."""
    folder = shipped_models().get(str(model), Path(model))
    inner = folder / "model"
    folder = inner if (inner / "config.json").is_file() else folder
    return folder if (folder / "config.json").is_file() else None
