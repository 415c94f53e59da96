"""The page about a run: whole for a whole run, honest about what is missing for every other."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from interplay.errors import InterplayError
from interplay.skeleton.run import train_recipe
from interplay.studies.report import report
from interplay.studies.run_parts import read_history
from interplay.studies.skeleton_report import open_run

Recipe = dict[str, object]
SECTIONS = ("Numbers", "Classes", "Confusions", "What lies near what", "Which joints the last layer uses", "Examples")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_sbu: Path) -> Path:
    """A real run of a few seconds."""
    recipe: Recipe = {
        "system": "megcn",
        "data": {"name": "sbu", "root": str(tiny_sbu), "test_fold": 3},
        "input": {"window": 8, "batch_size": 4},
        "model": {"channels": [8, 8, 16], "depth": [1, 1, 1]},
        "optimiser": {"lr": 0.05, "warmup_epochs": 1, "milestones": [2]},
        "training": {"epochs": 2, "accelerator": "cpu", "tensorboard": False},
    }
    folder = tmp_path_factory.mktemp("runs") / "run"
    train_recipe(recipe, folder, quiet=True)
    return folder


def copy(run: Path, to: Path, without: Sequence[str] = ()) -> Path:
    shutil.copytree(run, to)
    for name in without:
        path = to / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return to


def test_a_whole_run_has_every_section_and_every_picture_twice(finished: Path) -> None:
    page = report(finished)
    assert page == finished / "report" / "index.html"
    html = page.read_text(encoding="utf-8")
    assert all(f">{title}</h2>" in html for title in (*SECTIONS, "Learning curves", "Recipe and environment"))
    assert 'role="note"' not in html, "nothing is missing"
    pictures = {path.name for path in page.parent.iterdir()} - {"index.html"}
    stems = {name.rpartition(".")[0] for name in pictures}
    assert {"confusion", "per-class", "tsne", "activation", "curves"} <= stems
    assert stems & {"right-1", "wrong-1"}
    assert pictures == {f"{stem}.{form}" for stem in stems for form in ("png", "svg")}
    assert html.count("data:image/png;base64,") == len(stems)
    for words in ("shaking hands", "batch_size: 4", "95 % interval", "top-1", "pooled 16-dimensional features"):
        assert words in html
    assert "<script" not in html


@pytest.mark.parametrize(
    ("without", "says"),
    [
        (("result.json", "metrics.csv"), ("This run is not finished", "No learning curves: metrics.csv is not there")),
        (("model", "environment.json"), ("it needs the trained model", "Environment: environment.json is not there")),
        (("scores-test.npz", "result.json"), ("No scores of test clips: scores-test.npz is not there",)),
        (("recipe.yaml",), ("Examples need the recordings", "Resolved recipe: recipe.yaml is not there")),
    ],
)
def test_what_is_missing_is_said_and_the_rest_is_there(
    finished: Path, tmp_path: Path, without: tuple[str, ...], says: tuple[str, ...]
) -> None:
    run = copy(finished, tmp_path / "run", without)
    html = report(run, tmp_path / "page").read_text(encoding="utf-8")
    assert all(words in html for words in says)
    assert ">Numbers</h2>" in html
    assert (tmp_path / "page" / "curves.png").is_file() == ("metrics.csv" not in without)
    assert (tmp_path / "page" / "confusion.png").is_file() == ("scores-test.npz" not in without)


def test_recordings_that_have_moved_are_found_with_their_new_place(
    finished: Path, tiny_sbu: Path, tmp_path: Path
) -> None:
    run = copy(finished, tmp_path / "run")
    recipe = (run / "recipe.yaml").read_text().replace(str(tiny_sbu), "/nowhere")
    (run / "recipe.yaml").write_text(recipe)
    assert open_run(run).dataset is None
    assert "nowhere" in open_run(run).missing["data"]
    found = open_run(run, tiny_sbu)
    assert found.clip("fold3/0002") is not None
    assert found.clip("fold9/0000") is None


@pytest.mark.parametrize("name", ["recipe.yaml", "metrics.csv", "environment.json", "result.json", "scores-test.npz"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe{[", b"[1, 2]"])
def test_a_damaged_file_is_a_missing_one(finished: Path, tmp_path: Path, name: str, content: bytes) -> None:
    run = copy(finished, tmp_path / "run")
    (run / name).write_bytes(content)
    found = open_run(run)
    key = {"recipe.yaml": "recipe", "metrics.csv": "history", "scores-test.npz": "scores"}.get(name, name[:-5])
    assert getattr(found, key) is None
    assert key in found.missing


def test_a_row_cut_short_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,train_loss\n0,1.5\n1,")
    history = read_history(tmp_path / "metrics.csv")
    assert history["epoch"] == [0.0, 1.0]
    assert history["train_loss"][0] == 1.5
    assert history["train_loss"][1] != history["train_loss"][1]


def test_a_folder_without_a_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InterplayError, match="nothing of a run"):
        report(tmp_path)
    with pytest.raises(InterplayError, match="no such folder"):
        report(tmp_path / "absent")
