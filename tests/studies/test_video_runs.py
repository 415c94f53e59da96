"""Which runs beside a run it is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from interplay.studies.video_runs import is_video_run, runs_beside

RECIPE: dict[str, Any] = {
    "system": "agos",
    "data": {"name": "playground_videos", "seed": 0},
    "input": {"frames": 4, "cache_folder": "here", "threads": 1},
    "backbone": {"width": 2},
    "model": {"graph": "agos", "adaptive": True, "space": "fixed"},
    "training": {"seed": 1, "structure_from": None},
    "stage1": {"epochs": 1},
    "stage2": {"epochs": 1, "diversity": 0.1},
    "stage3": {"epochs": 1},
    "stage4": {"epochs": 1},
}


def put(folder: Path, finished: bool = True, **changes: Any) -> Path:
    """A run folder whose recipe differs in ``section__key``."""
    recipe = {name: dict(part) if isinstance(part, dict) else part for name, part in RECIPE.items()}
    for key, value in changes.items():
        section, _, name = key.partition("__")
        recipe[section][name] = value
    folder.mkdir()
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    if finished:
        (folder / "result.json").write_text("{}")
    return folder


def beside(folder: Path) -> Any:
    return runs_beside(folder, yaml.safe_load((folder / "recipe.yaml").read_text()))


def test_runs_of_single_operations_on_the_same_clips(tmp_path: Path) -> None:
    run = put(tmp_path / "run")
    one = put(tmp_path / "one", model__graph="node_attention", input__cache_folder="there", input__threads=2)
    put(tmp_path / "other clips", model__graph="temporal_convolution", data__seed=1)
    put(tmp_path / "other seed", model__graph="temporal_convolution", training__seed=2)
    put(tmp_path / "unfinished", model__graph="temporal_convolution", finished=False)
    put(tmp_path / "a pooling", model__graph="roi_pooling")
    assert beside(run).single == {"node_attention": one}


def test_a_pair_that_differs_in_the_variance_loss_alone(tmp_path: Path) -> None:
    run = put(tmp_path / "run")
    put(tmp_path / "longer", stage2__diversity=0.0, stage3__epochs=9)
    assert beside(run).pair is None
    paper = {"model__adaptive": False, "model__space": "original"}
    with_loss = put(tmp_path / "s5-with", **paper)
    without = put(tmp_path / "s5-without", **paper, stage2__diversity=0.0)
    found = beside(run).pair
    assert (found.without, found.with_loss) == (without, with_loss)
    assert found.what == "non-adaptive, original operations"
    own = put(tmp_path / "z-without", stage2__diversity=0.0)
    found = beside(run).pair
    assert (found.without, found.with_loss, found.what) == (own, run, "adaptive, fixed substructures")
    found = beside(own).pair
    assert (found.without, found.with_loss) == (own, run)


def test_runs_that_took_structure_weights_to_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = put(tmp_path / "run")
    moved = put(tmp_path / "moved", data__seed=1, training__structure_from=str(run))
    put(tmp_path / "stacked", training__structure_from=str(run), model__cells=2)
    put(tmp_path / "another", data__seed=2, training__structure_from=str(tmp_path / "gone"))
    assert beside(run).transfers == ((run, moved),)
    assert beside(moved).transfers == ((run, moved),)
    monkeypatch.chdir(tmp_path)
    relative = put(tmp_path / "relative", data__seed=3, training__structure_from="run")
    assert beside(Path("run")).transfers == ((run, moved), (run, relative))
    away = tmp_path.with_name(tmp_path.name + "-away")
    tmp_path.rename(away)
    assert beside(away / "run").transfers == ((away / "run", away / "moved"), (away / "run", away / "relative"))


@pytest.mark.parametrize(
    "text",
    ["[", "system: agos", "system: agos\ndata: 3\nmodel: [1]\ntraining: null", "\x00", "system: sil"],
    ids=["no yaml", "bare", "strange", "no text", "another system"],
)
def test_a_neighbour_that_cannot_be_read_is_left_out(text: str, tmp_path: Path) -> None:
    run = put(tmp_path / "run")
    single = put(tmp_path / "single", model__graph="node_attention")
    bad = put(tmp_path / "bad")
    (bad / "recipe.yaml").write_text(text)
    found = beside(run)
    assert (found.single, found.pair, found.transfers) == ({"node_attention": single}, None, ())
    assert is_video_run(bad) is text.startswith("system: agos")
