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
