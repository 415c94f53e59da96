"""What the tests of the pages share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def page_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the present one while the blocks of a page run; caches stay inside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERPLAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert Path(os.getcwd()) == tmp_path
    return tmp_path
