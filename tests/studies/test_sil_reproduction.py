"""The SIL paper's tables: every row with the paper's numbers, a recipe that resolves, and runs shared and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interplay.errors import InterplayError
from interplay.evaluation.scene_graph import GroundTruth, Predicted, VisualGenomeEvaluator
from interplay.scene.superpixel.settings import PRESETS
from interplay.studies.sil_comparison import RunAnswers, compare
from interplay.studies.sil_markdown import markdown
from interplay.studies.sil_reproduction import (
    find_scene_study,
    part_pairs,
    recipe_of,
    reproduce_scenes,
    run_name,
)
from interplay.studies.sil_tables import STUDIES, TASKS

TINY = [
    "--data.train=6",
    "--data.validation=0",
    "--data.test=4",
    "--data.width=96",
    "--data.height=96",
    "--input.short=96",
    "--input.long=96",
    "--input.maps=compute",
    "--input.batch_size=3",
    "--detector.weights=null",
    "--detector.channels=16",
    "--detector.width=16",
    "--model.width=16",
    "--sil.heads=2",
    "--sil.cei_heads=2",
    "--sil.mlp_hidden=16",
    "--sil.cei_ffn=16",
    "--head.hidden=16",
    "--head.pooling=16",
    "--head.label_dim=8",
    "--pairs.cap=24",
    "--training.epochs=1",
    "--training.tensorboard=false",
    "--training.accelerator=cpu",
]


def gains(key: str, task: str) -> list[float]:
    rows = {row.name: row for row in STUDIES[key].rows}
    return [
        round(new - old, 2)
        for row in rows.values()
        if row.without is not None and task in row.paper
        for new, old in zip(row.paper[task], rows[row.without].paper[task], strict=True)
        if new is not None and old is not None
    ]


def test_the_papers_numbers_add_up_to_what_its_text_says() -> None:
    on_vg = gains("table1", "predcls")
    assert len(on_vg) == 21
    assert round(float(np.mean(on_vg)), 1) == 2.0  # "average improvement of 2.0 %"
    assert max(on_vg) == 3.4  # "even up to 3.4 %"
    assert gains("table4", "predcls")[-3:] == [1.31, 1.88, 2.26]
    assert gains("table3", "sggen")[:4] == [0.7, 0.5, 0.2, 0.5]
    assert gains("table5", "sggen") == gains("table3", "sggen")
    assert sum(gains("table1", "sgcls")) == pytest.approx(30.8)
    assert sum(gains("table1", "sggen")) == pytest.approx(12.1)
    table2 = {row.name: row.paper["predcls"] for row in STUDIES["table2"].rows}
    assert table2["IWSL"] == (None, 30.0, 32.1)
    assert table2["PE-Net+SIL"] == (26.9, 33.1, 35.3)


@pytest.mark.parametrize(
    ("data", "keys"), [("playground", tuple(STUDIES)), ("vg", ("table1",)), ("openimages", ("table3",))]
)
def test_every_row_is_a_recipe_that_resolves(data: str, keys: tuple[str, ...]) -> None:
    root = [] if data == "playground" else ["--data.root=somewhere"]
    names: dict[str, str] = {}
    resolved: dict[str, Any] = {}
    for key in keys:
        study = STUDIES[key]
        for row in study.rows:
            if row.overrides is None:
                assert row.note.startswith("printed only"), row.name
                continue
            task = study.tasks[0]
            same = json.dumps([task, dict(study.overrides), dict(row.overrides)])
            if same not in resolved:
                resolved[same] = recipe_of(study, row, task, 3, data, root)
            recipe = resolved[same]
            assert recipe["training"]["seed"] == 3
            assert recipe["model"]["task"] == task
            assert recipe["model"]["sil"] == (row.without is not None)
            names[f"{key} {row.name}"] = run_name(recipe)
    if data == "playground":
        assert names["table1 MOTIFS"] == names["table4 MOTIFS"] == names["fig3 MOTIFS"] == names["fig6 MOTIFS"]
        assert names["table1 MOTIFS+SIL"] == names["table4 SC + IEI (weighted) + CEI"] == names["fig5 MOTIFS+SIL"]
        assert names["table3 BGNN+SIL"] == names["table5 BGNN+SIL"]
        assert names["fig3 C = 49"] == names["fig4 L = 2"]
        assert len({names[f"table4 {row.name}"] for row in STUDIES["table4"].rows}) == 6
        assert set(PRESETS) == {"full", "reduced", "sc", "sc_iei", "sc_cei", "sc_iei_unweighted_cei"}, "a row for each"


def test_the_same_run_wherever_the_data_lie_and_another_for_another_task() -> None:
    study, row = STUDIES["table1"], STUDIES["table1"].rows[1]
    here, there = (run_name(recipe_of(study, row, "predcls", 1, "vg", [f"--data.root={where}"])) for where in "ab")
    assert here == there
    assert len({run_name(recipe_of(study, row, task, 1, "vg", ["--data.root=a"])) for task in TASKS}) == 3
    frequency = recipe_of(study, study.rows[0], "sggen", 1, "playground")
    assert frequency["head"]["name"] == "frequency"


def test_heads_get_what_they_were_published_with() -> None:
    study = STUDIES["table1"]
    rows = {row.name: row for row in study.rows}
    root = ["--data.root=somewhere"]
    bgnn = recipe_of(study, rows["BGNN"], "sggen", 1, "vg", root)
    assert bgnn["input"]["resampling"] == "bilevel"
    assert (bgnn["input"]["resampling_threshold"], bgnn["input"]["resampling_strength"]) == (0.1, 0.9)
    assert bgnn["optimiser"]["base_lr"] == 0.008
    motifs = recipe_of(study, rows["MOTIFS+SIL"], "predcls", 1, "vg", root)
    assert motifs["optimiser"]["base_lr"] * motifs["input"]["batch_size"] == pytest.approx(0.12)
    assert motifs["detector"]["backbone"] == "resnext101_32x8d"
    assert motifs["sil"]["clusters"] == 49
    assert motifs["head"]["pooling"] == motifs["model"]["width"] == 4096
    pe_net = recipe_of(study, rows["PE-Net"], "predcls", 1, "vg", root)
    assert pe_net["evaluation"]["relation_nms"] == "penet"
    assert pe_net["optimiser"]["base_lr"] * pe_net["input"]["batch_size"] == pytest.approx(0.008)
    assert recipe_of(study, rows["PE-Net"], "sggen", 1, "vg", root)["evaluation"]["relation_nms"] == "none"
    assert not bgnn["pairs"]["drop_as_background"]
    assert recipe_of(study, rows["BGNN"], "sgcls", 1, "vg", root)["pairs"]["drop_as_background"]
    for data in ("vg", "openimages"):
        steps = {}
        for name in ("BGNN", "PE-Net", "KERN"):
            recipe = recipe_of(study, rows[name], "sggen", 1, data, root)
            steps[name] = recipe["training"]["epochs"] * recipe["input"]["steps_per_epoch"]
            assert recipe["input"]["test"] == "last"
        assert steps == {"BGNN": 70_000, "PE-Net": 60_000, "KERN": 50_000}
    assert recipe_of(study, rows["PE-Net"], "sggen", 1, "openimages", root)["optimiser"]["weight_decay"] == 1e-4


def test_settings_of_sil_rename_runs_with_sil_only() -> None:
    study = STUDIES["table1"]
    changed = ["--sil.layer_scale_init=0.2", "--optimiser.sil_lr_multiplier=3"]
    for row in study.rows[1:3]:
        names = {run_name(recipe_of(study, row, "predcls", 1, "playground", given)) for given in ((), changed)}
        assert len(names) == (1 if row.without is None else 2), row.name


def test_keys_that_came_later_do_not_rename_earlier_runs() -> None:
    study = STUDIES["table1"]
    graph_rcnn = next(row for row in study.rows if row.name == "G-RCNN")
    recipe = recipe_of(study, graph_rcnn, "predcls", 1, "playground")
    earlier = json.loads(json.dumps(recipe))
    for key in ("steps_per_epoch", "test"):
        assert earlier["input"].pop(key) is None
    assert earlier["head"].pop("background_weight") is None
    assert run_name(earlier) == run_name(recipe)
    assert run_name({**recipe, "input": {**recipe["input"], "test": "last"}}) != run_name(recipe)


def answers(quality: float, seed: int, images: int = 60) -> RunAnswers:
    """A run that ranks the true pair of each picture first with a probability."""
    random = np.random.default_rng(seed)
    boxes = np.array([[0, 0, 9, 9], [20, 0, 29, 9], [0, 20, 9, 29]], np.float32)
    evaluator = VisualGenomeEvaluator(4, "predcls", (1, 2))
    ways = np.zeros(images), np.ones(images)
    for number in range(images):
        predicate = 1 + number % 3
        good = random.random() < quality
        scores = np.full((2, 4), 0.1)
        scores[0 if good else 1, predicate if good else 1 + predicate % 3] = 0.7
        truth = GroundTruth(boxes, [1, 2, 3], [[0, 1, predicate]], (40, 40))
        evaluator.update(truth, Predicted(boxes, [1, 2, 3], [1, 1, 1], [[0, 1], [1, 0]], scores), number)
        ways[0][number] = good
    return RunAnswers(Path(f"{quality}-{seed}"), evaluator.rows(), evaluator.settings(), ways)


def test_paired_bootstrap_over_seeds() -> None:
    better, worse = [answers(0.9, seed) for seed in (1, 2)], [answers(0.4, seed) for seed in (3, 4)]
    found = compare(better, worse, {"part-dependent": [1, 2]}, resamples=200)
    mean = np.mean([one.ways[0].mean() for one in better]) - np.mean([one.ways[0].mean() for one in worse])  # type: ignore[index]
    assert found["which way"].value == pytest.approx(mean)
    assert found["R@1"].low < found["R@1"].value < found["R@1"].high
    assert found["R@1"].low > 0
    assert found["R@1"].not_above == 0
    assert found["mR@1 part-dependent"].value > 0
    same = compare(better, better, None, resamples=50)
    assert (same["mR@1"].value, same["mR@1"].low, same["mR@1"].high, same["mR@1"].not_above) == (0, 0, 0, 1)
    with pytest.raises(InterplayError, match="other test pictures"):
        compare(better, [answers(0.4, 3, images=50)])


def test_published_numbers_alone_make_a_table() -> None:
    text = markdown(STUDIES["table1"], "vg", False, {"predcls": (1,)}, {}, {})
    assert "| MOTIFS+SIL | +1.9 | +2.1 | +2.3 |" in text
    last = text.strip().splitlines()
    assert last[-1].startswith("| **largest** | +3.0 | +3.4 | +3.2 |")
    assert last[-2].startswith("| **average** | +1.7 | +2.0 | +2.1 |")
    assert "| IS-GGT | – | 26.4 | 31.9 | printed only |" in markdown(
        STUDIES["table2"], "vg", False, {"predcls": (1,)}, {}, {}
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_whole_of_table_1(tmp_path: Path) -> None:
    tiny = [one for one in TINY if not one.startswith("--head.")]  # every head has options of its own
    found = reproduce_scenes("sil.table1", tmp_path, overrides=tiny, resamples=20, quiet=True, say=lambda line: None)
    rows = [row.name for row in STUDIES["table1"].rows]
    assert len(rows) == 15
    assert set(found.cells) == {(row, task) for row in rows for task in ("predcls", "sgcls", "sggen")}
    for key, cell in found.cells.items():
        for name in ("R@20", "mR@20"):
            assert 0 <= cell.figures[name].mean <= 1, key
    assert "not run" not in found.markdown()


def test_a_table_on_the_simulator(tmp_path: Path) -> None:
    lines: list[str] = []

    def run(name: str, **more: Any) -> Any:
        return reproduce_scenes(name, tmp_path, overrides=TINY, resamples=20, quiet=True, say=lines.append, **more)

    found = run("sil.table1", tasks=["predcls"], rows=["MOTIFS", "MOTIFS+SIL"])
    text = found.markdown()
    assert "simulated: not real data" in text
    assert "| KERN | 14.7 | 17.0 | 19.4 | not run |" in text
    assert "mR@20, part-dependent" in text
    assert "| **average** |" in text
    assert "paired bootstrap" in text
    assert "#### SGCls" not in text
    assert (tmp_path / "sil.table1-playground" / "table.md").read_text() == text
    data = json.loads((tmp_path / "sil.table1-playground" / "table.json").read_text())
    row = next(one for one in data["rows"] if one["name"] == "MOTIFS+SIL")
    figures = row["measured"]["predcls"]["figures"]
    assert 0 <= figures["R@20"]["mean"] <= 1
    gain = figures["R@20"]["mean"] - next(
        one for one in data["rows"] if one["name"] == "MOTIFS"
    )["measured"]["predcls"]["figures"]["R@20"]["mean"]  # fmt: skip
    assert row["gain"]["predcls"]["R@20"]["value"] == pytest.approx(gain, abs=1e-9)

    lines.clear()
    run("sil.table4", rows=["MOTIFS", "SC + IEI (weighted) + CEI"])
    assert "2 runs, 2 of them finished already" in lines[0]
    for figure in ("fig5", "fig6", "fig7", "fig8"):
        run(f"sil.{figure}")
        picture = tmp_path / f"sil.{figure}-playground" / figure
        assert picture.with_suffix(".png").stat().st_size > 5000
        assert "<svg" in picture.with_suffix(".svg").read_text()
    run("sil.fig4", rows=["MOTIFS", "L = 2"])
    assert (tmp_path / "sil.fig4-playground" / "fig4.png").is_file()

    from interplay.studies.report import report

    page = report(next(folder for folder in (tmp_path / "runs").iterdir() if "-sil-" in folder.name), tmp_path / "page")
    html = page.read_text(encoding="utf-8")
    for title in (
        "Numbers",
        "Predicates",
        "Confusions between predicates",
        "Examples",
        "Superpixels",
        "Learning curves",
    ):
        assert f">{title}</h2>" in html, title
    assert 'role="note"' not in html, "nothing is missing"
    assert "Predicates that depend on a part" in html
    assert "<script" not in html
    pictures = {path.name for path in page.parent.iterdir()} - {"index.html"}
    assert {"predicates.png", "groups.svg", "confusion.png", "picture-1.png", "superpixels.png"} <= pictures
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "recipe.yaml").write_text(
        (page.parents[1] / "runs" / next(iter((tmp_path / "runs").iterdir())).name / "recipe.yaml").read_text()
    )
    html = report(bare).read_text(encoding="utf-8")
    assert "This run is not finished" in html
    assert "the folder model/ is not there" in html


def test_tables_and_figures_are_all_described() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reproduce_sil.md").read_text(encoding="utf-8")
    for key in STUDIES:
        assert f"`sil.{key}`" in text, key


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InterplayError, match=r"did you mean 'sil\.table4'"):
        find_scene_study("sil.tabel4")
    with pytest.raises(InterplayError, match="no row 'Mine'"):
        reproduce_scenes("sil.table4", tmp_path, rows=["Mine"])
    with pytest.raises(InterplayError, match="no task 'sggen'"):
        reproduce_scenes("sil.table4", tmp_path, tasks=["sggen"])
    with pytest.raises(InterplayError, match="--data: found 'sbu'"):
        reproduce_scenes("sil.table4", tmp_path, data="sbu")
    assert part_pairs("vg") == ()
    assert len(part_pairs("playground")) == 4
