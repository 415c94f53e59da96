"""The AGOS paper's tables: every row with the paper's numbers, a recipe that resolves, a first stage that is shared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interplay.errors import InterplayError
from interplay.evaluation.scores import Scores
from interplay.studies import agos_reproduction
from interplay.studies.agos_comparison import gain, pair_accuracy, pair_gain
from interplay.studies.agos_cost import computed_rows
from interplay.studies.agos_reproduction import (
    find_video_study,
    first_stage_of,
    recipe_of,
    reproduce_videos,
    run_name,
)
from interplay.studies.agos_tables import ONLY_TESTING, RECIPES, ROI, STUDIES, V1, V2
from interplay.studies.report import report

PAIR = ("Letting something roll down a slanted surface", "Letting something slide down a slanted surface")
TINY = [
    "--data.train_clips=2",
    "--data.validation_clips=0",
    "--data.test_clips=2",
    "--data.height=32",
    "--data.width=32",
    f"--data.classes={json.dumps(PAIR)}",
    "--input.frames=4",
    "--input.height=32",
    "--input.width=32",
    "--input.boxes=3",
    "--input.batch_size=2",
    "--input.keep_frames=0",
    "--input.test_count=1",
    "--backbone.width=2",
    "--backbone.blocks=[1,1]",
    "--backbone.strides=[1,2]",
    "--model.width=8",
    "--model.na_neighbours=2",
    "--model.tc_kernel=1",
    "--stage1.epochs=1",
    "--stage2.epochs=2",
    "--stage2.keep_draws=0",
    "--stage2.structure_lr=0.3",
    "--stage2.batch_size=2",
    "--stage3.epochs=0",
    "--stage4.epochs=0",
    "--training.accelerator=cpu",
    "--training.tensorboard=false",
    "--training.precision=32-true",
    "--training.frozen_bf16=false",
]


def numbers(key: str) -> dict[str, tuple[float | None, float | None]]:
    return {row.name: (row.paper.get(V1), row.paper.get(V2)) for row in STUDIES[key].rows}


def test_the_papers_numbers_add_up_to_what_its_text_says() -> None:
    table1, table2, table3 = numbers("table1"), numbers("table2"), numbers("table3")
    gained = [ours - theirs for ours, theirs in zip(table1["adaptive"], table1[ROI], strict=True)]  # type: ignore[operator]
    assert all(round(value) == 3 for value in gained)  # "about 3% improvements over the baselines"
    assert all(one[0] > table2[ROI][0] for name, one in table2.items() if "pooling" not in name)  # type: ignore[operator]
    assert max(one[0] for one in table3.values() if one[0] is not None) == table1["adaptive"][0] == 51.4
    assert table3["STM"][1] > table1["adaptive"][1]  # type: ignore[operator]  # "Except for STM"
    assert numbers("s4")["Fixed Subs"] == numbers("s7")["3 supernodes"] == numbers("s8")["1 cells"] == (51.4, 63.5)
    moved = {row.name: row.paper["paper"] for row in STUDIES["s6"].rows}
    assert round(moved["V1 → V1"] - moved["V2 → V1"], 1) == 0.4  # "0.4% for Something-Something-V1"
    assert round(moved["V2 → V2"] - moved["V1 → V2"], 1) == 0.1


def test_every_row_is_a_recipe_that_resolves_and_first_stages_are_shared() -> None:
    names: dict[str, str] = {}
    first: set[str] = set()
    for key, study in STUDIES.items():
        for row in study.rows:
            if row.overrides is None:
                assert study.computed or row.note.startswith("printed only"), row.name
                continue
            recipe = recipe_of(row, 3, "playground")
            assert recipe["training"]["seed"] == 3
            names[f"{key} {row.name}"] = run_name(recipe)
            if key != "s6":
                first.add(run_name(first_stage_of(row, 3, "playground", ["--stage2.epochs=2", "--data.seed", "5"])))
    assert len(first) == 1
    assert first.pop() != run_name(first_stage_of(STUDIES["table1"].rows[0], 3, "playground"))
    assert names["table1 global pooling"] == run_name(first_stage_of(STUDIES["table2"].rows[3], 3, "playground"))
    same = ("table1 adaptive", "table3 adaptive structures search (Ours)", "s4 Ori Ops", "s7 3 supernodes")
    assert len({names[name] for name in (*same, f"table1 {ONLY_TESTING}", "fig6 adaptive", "s6 V1 → V1")}) == 1
    assert names["s4 Fixed Subs"] not in {names[name] for name in same}
    assert names["table2 node attention"] == names["fig7 node attention"] == names["fig8 node attention"]
    assert len({names[f"table2 {row.name}"] for row in STUDIES["table2"].rows}) == 7
    assert names["s6 V2 → V2"] != names["s6 V1 → V1"]
    for data in set(RECIPES) - {"playground"}:
        here, there = (run_name(recipe_of(STUDIES["table1"].rows[1], 1, data, [f"--data.root={one}"])) for one in "ab")
        assert here == there
    folds = {run_name(recipe_of(STUDIES["table1"].rows[1], 1, "fights", ["--data.root=a"], fold)) for fold in range(5)}
    assert len(folds) == 5


def test_stacked_cells_begin_where_the_searched_one_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the same data with its first stage; on other data (transfer) with a first stage of their own."""
    waves: list[dict[Path, dict[str, Any]]] = []
    monkeypatch.setattr(agos_reproduction, "finish_runs", lambda wave, runner, **more: waves.append(wave))
    for key, row in (("s8", "2 cells"), ("s6", "V2 → V1")):
        waves.clear()
        study = STUDIES[key]
        chosen = [one for one in study.rows if one.name == row]
        places = agos_reproduction._finished(
            study, chosen, (1,), (0,), "playground", (), tmp_path, None, True, lambda line: None
        )
        ((place, recipe),) = waves[2].items()
        assert place == places[row, 1, 0]
        assert Path(recipe["training"]["structure_from"]) in waves[1]
        if key == "s8":
            assert recipe["model"]["cells"] == 2
            assert Path(recipe["training"]["begin_from"]).parent in waves[0]
            (source,) = waves[1].values()
            assert source["training"]["begin_from"] == recipe["training"]["begin_from"]
        else:
            assert recipe["training"]["begin_from"] is None


def test_what_is_computed_is_what_the_supplement_prints() -> None:
    backbone, whole = computed_rows("cost")[1:]
    assert float(backbone["GMACs as published"]) == pytest.approx(float(backbone["paper, GMACs"]), rel=0.002)
    assert float(whole["GMACs as published"]) == pytest.approx(138.4, rel=0.002)
    assert float(whole["without batch norms, M"]) == pytest.approx(37.3, rel=0.002)
    layers = computed_rows("layers")
    assert [row["layer"] for row in layers] == ["conv1", "pool1", "res2", "pool2", "res3", "res4", "res5"]
    assert {row["same"] for row in layers} == {"yes"}


def scores(quality: float, seed: int, clips: int = 80) -> Scores:
    draws = np.random.default_rng(seed)
    labels = np.arange(clips) % 4
    right = draws.random(clips) < quality
    logits = np.eye(4, dtype=np.float32)[np.where(right, labels, labels ^ 1)]
    return Scores(tuple(f"v{row}" for row in range(clips)), logits, labels, ("a", "b", "c", "d"))


def test_paired_bootstrap_over_clips() -> None:
    better, worse = [scores(0.9, seed) for seed in (1, 2, 3)], [scores(0.5, seed) for seed in (4, 5)]
    found = gain(better, worse, 500)
    means = [np.mean([(one.predictions == one.labels).mean() for one in side]) for side in (better, worse)]
    assert found.value == pytest.approx(means[0] - means[1])
    assert 0 < found.low < found.value < found.high
    assert (found.not_above, found.clips) == (0, 80)
    back = gain(worse, better, 500)
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))
    same = gain(better, better, 50)
    assert (same.value, same.low, same.high, same.not_above) == (0, 0, 0, 1)
    order = np.random.default_rng(0).permutation(80)
    assert gain([one.select(order) for one in better], worse, 500) == found
    pair = pair_gain(better, worse, ("a", "b"), 100)
    assert pair.clips == 40
    assert pair.value == pytest.approx(pair_accuracy(better, ("a", "b")) - pair_accuracy(worse, ("a", "b")))
    with pytest.raises(InterplayError, match="different clips"):
        gain(better, [scores(0.5, 4, 60)], 50)


def test_what_was_changed_is_shown_without_places_of_this_machine() -> None:
    given = ["--data.root=/a/b", "--data.proposals=/a/boxes", "--stage1.epochs", "3", "--data.boxes", "/a/x.json"]
    shown = agos_reproduction._shown([*given, "--input.cache_folder", "/tmp/kept"])
    assert shown == ("--data.proposals=boxes", "--stage1.epochs", "3", "--data.boxes", "x.json")


def test_a_table_and_its_pictures_on_the_simulator(tmp_path: Path) -> None:
    lines: list[str] = []

    def run(name: str, **more: Any) -> Any:
        return reproduce_videos(
            name, tmp_path, overrides=TINY, resamples=99, quiet=True, jobs=1, say=lines.append, **more
        )

    rows = ["global pooling", ROI, ONLY_TESTING, "adaptive"]
    found = run("agos.table1", rows=rows)
    assert "3 runs (1 of them first stages), 0 of them finished already" in lines[0]
    text = found.markdown()
    assert "simulated: not real data" in text
    assert "| non-adaptive (training and testing) | 50.8 | 63.1 | not run |" in text
    assert f"| {' / '.join(PAIR)} | difference propagation |" in text
    assert "permutation test, 99 shuffles" in text
    assert (tmp_path / "agos.table1-playground" / "table.md").read_text() == text
    data = json.loads((tmp_path / "agos.table1-playground" / "table.json").read_text())
    measured = {row["name"]: row["measured"] for row in data["rows"] if row["measured"]}
    assert set(measured) == set(rows)
    assert list(measured["adaptive"]["proposals"]) == ["rendered"]
    assert f"Boxes: rendered {measured['adaptive']['proposals']['rendered']} clips." in text
    lead = next(row for row in data["rows"] if row["name"] == "adaptive")["gains"][ROI]["value"]
    assert lead == pytest.approx(measured["adaptive"]["top1"]["mean"] - measured[ROI]["top1"]["mean"])
    assert 1 <= measured["adaptive"]["structures"][0]["distinct"] <= 4
    base = next(folder for folder in (tmp_path / "runs").iterdir() if "global_pooling" in folder.name)
    for folder in (tmp_path / "runs").iterdir():
        first = (folder / "stage1" / "weights.safetensors").read_bytes()
        assert first == (base / "stage1" / "weights.safetensors").read_bytes()
    lines.clear()
    run("agos.fig6")
    assert "2 runs (1 of them first stages), 2 of them finished already" in lines[0]
    for name in ("agos.table1-playground/table1-use", "agos.fig6-playground/fig6", "agos.fig6-playground/fig6-cells"):
        assert (tmp_path / name).with_suffix(".png").stat().st_size > 5000
        assert "<svg" in (tmp_path / name).with_suffix(".svg").read_text()

    adaptive = next(folder for folder in (tmp_path / "runs").iterdir() if "-agos-" in folder.name)
    html = report(adaptive, tmp_path / "page").read_text(encoding="utf-8")
    titles = ("Numbers", "Classes", "Structures and classes", "Structures exchanged", "Operations in use", "The search")
    for title in (*titles, "Top activated nodes", "Operations, class by class", "Examples", "Learning curves"):
        assert f">{title}</h2>" in html, title
    assert "<script" not in html
    assert "No models of a single operation beside this run" in html
    written = {path.name for path in (tmp_path / "page").iterdir()}
    assert {"structures.png", "histogram.svg", "operation-use.png", "search.png", "nodes.png", "cases.svg"} <= written
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "recipe.yaml").write_text((adaptive / "recipe.yaml").read_text())
    html = report(bare).read_text(encoding="utf-8")
    assert "This run is not finished" in html
    assert html.count('role="note"') >= 9
    assert "the folder model/ is not there" in html


def test_tables_and_figures_are_all_described() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reproduce_agos.md").read_text(encoding="utf-8")
    for key in STUDIES:
        assert f"`agos.{key}`" in text, key


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InterplayError, match=r"did you mean 'agos\.table1'"):
        find_video_study("agos.tabel1")
    with pytest.raises(InterplayError, match="no row 'Mine'"):
        reproduce_videos("agos.table2", tmp_path, rows=["Mine"])
    with pytest.raises(InterplayError, match="--data: found 'sbu'"):
        reproduce_videos("agos.table2", tmp_path, data="sbu")
    with pytest.raises(InterplayError, match="a transfer needs two data sets"):
        reproduce_videos("agos.s6", tmp_path, data="something_v1")
