"""Shared fixtures; and the shapes in signatures are checked while tests run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Before anything of the package is imported: every annotated function of these rooms is checked by beartype.
SCENE = ("encodings", "features", "frequency", "geometry", "model", "ranking", "refinement")
SCENE += ("regions", "resampling", "sampling", "superpixel", "task")
VIDEO = ("activation", "affinity", "backbone", "cell", "convolution", "inflation", "network", "operations")
VIDEO += ("proposal_network", "regions", "state", "structure", "structure_weights", "substructures", "transforms")
install_import_hook(
    [
        "interplay.graph",
        "interplay.skeleton",
        *(f"interplay.scene.{name}" for name in SCENE),
        *(f"interplay.video.{name}" for name in VIDEO),
    ],
    "beartype.beartype",
)


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests cache is not the user's, unless INTERPLAY_CACHE asks for a place."""
    with pytest.MonkeyPatch.context() as patch:
        if "INTERPLAY_CACHE" not in os.environ:
            patch.setenv("INTERPLAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


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


@pytest.fixture(scope="session")
def tiny_sbu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folds of eight made-up clips in SBU's packed layout; each class moves in a direction of its own."""
    import pickle

    import numpy as np

    folder = tmp_path_factory.mktemp("tiny_sbu")
    random = np.random.default_rng(0)
    for fold in (1, 2, 3):
        data = np.zeros((8, 3, 100, 15, 2), np.float32)
        for label in range(8):
            frames = int(random.integers(10, 14))
            still = random.normal(0.5, 0.1, (3, 1, 15, 2))
            path = (
                np.linspace(0, 1, frames)[None, :, None, None]
                * np.array([np.cos(label), np.sin(label), 0.5])[:, None, None, None]
            )
            data[label, :, :frames] = still + path * np.array([1.0, -1.0])
        np.save(folder / f"fold{fold}_data.npy", data)
        (folder / f"fold{fold}_label.pkl").write_bytes(pickle.dumps(list(range(8))))
    return folder


@pytest.fixture
def tiny_recipe(tiny_sbu: Path) -> dict[str, dict[str, object] | str]:
    """A me-GCN recipe that trains in about a second."""
    return {
        "system": "megcn",
        "data": {"name": "sbu", "root": str(tiny_sbu), "test_fold": 3},
        "input": {"window": 8, "batch_size": 4},
        "model": {"channels": [8, 8, 16], "depth": [1, 1, 1]},
        "optimiser": {"lr": 0.05, "warmup_epochs": 1, "milestones": [2]},
        "training": {"epochs": 3, "accelerator": "cpu", "tensorboard": False},
    }
