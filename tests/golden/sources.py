"""Where reference archives are looked for: the excerpt beside the tests, and the folder of ``--golden``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

EXCERPT = Path(__file__).parent / "excerpt"


def archive(request: pytest.FixtureRequest, name: str) -> dict[str, np.ndarray]:
    """``excerpt/NAME`` from the excerpt, ``NAME`` from the folder given; a skip where that is not there."""
    folder = EXCERPT.parent if name.startswith("excerpt/") else request.getfixturevalue("golden")
    path: Path = folder / name
    if not path.is_file():
        pytest.skip(f"{folder} has no {name}")
    with np.load(path, allow_pickle=False) as opened:
        return {key: opened[key] for key in opened.files}
