"""Shared fixtures; and the shapes in signatures are checked while tests run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Before anything of the package is imported: every annotated function of these rooms is checked by beartype.
install_import_hook(["interplay.graph", "interplay.skeleton"], "beartype.beartype")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden", default=None, help="folder with reference values, laid out as tests/golden/README.md says"
    )


def shared_folder() -> Path:
    return Path(os.environ.get("INTERPLAY_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real recordings and reference values; not part of the repository."""
    folder = shared_folder()
    if not (folder / "data").is_dir():
        pytest.skip(f"no real recordings at {folder} (set INTERPLAY_SHARED)")
    return folder


@pytest.fixture(scope="session")
def golden(request: pytest.FixtureRequest) -> Path:
    """The folder given by --golden, or the shared one."""
    given = request.config.getoption("--golden")
    folder = Path(given) if given else shared_folder() / "golden"
    if not folder.is_dir():
        if given:
            raise pytest.UsageError(f"--golden {folder}: no such folder")
        pytest.skip(f"no reference values at {folder} (give --golden DIR)")
    return folder
