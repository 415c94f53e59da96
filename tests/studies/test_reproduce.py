"""The paper's tables: every row with the paper's number, run on the simulator, runs shared and kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interplay.errors import InterplayError
from interplay.skeleton.recipe import resolve
from interplay.studies.megcn_tables import STUDIES
from interplay.studies.reproduce import columns_for, find_study, reproduce
from interplay.training.recipes import load_recipe, override_arguments

TINY = [
    "--data.classes=[in phase,counter-phase]",
    "--data.train_episodes=8",
    "--data.validation_episodes=2",
    "--data.test_episodes=4",
    "--data.frames=50",
    "--model.channels=[8,8,16]",
    "--input.window=16",
    "--input.batch_size=8",
    "--training.epochs=1",
    "--training.tensorboard=false",
]


def test_the_papers_numbers() -> None:
    table = {row.name: row.paper for row in STUDIES["table4"].rows if row.paper}
    assert table == {
        "Baseline": {"X-Sub": 84.2},
        "Baseline + MTE": {"X-Sub": 86.8},
        "Baseline + MFE": {"X-Sub": 86.8},
        "Baseline + TC": {"X-Sub": 87.8},
        "Baseline + MTE + MFE + TC": {"X-Sub": 90.0},
    }
    assert [row.paper["X-Sub"] for row in STUDIES["table7"].rows] == [89.8, 89.9, 90.0, 90.0, 89.3]
    assert [row.paper["X-Sub"] for row in STUDIES["table5"].rows] == [87.8, 89.8, 88.6, 89.2, 90.0]
    assert len(STUDIES["table6"].rows) == 11
    assert {row.name: row.paper for row in STUDIES["table2"].rows}["Ours"] == {"X-View": 98.2, "X-Sub": 95.5}


@pytest.mark.parametrize("key", list(STUDIES))
def test_every_row_is_a_recipe_that_resolves(key: str) -> None:
    study = STUDIES[key]
    base = load_recipe(f"megcn/{study.data}")
    root = ["--data.root=somewhere"]
    ran = 0
    for column in study.columns.values():
        for row in study.rows:
            if row.overrides is None:
                assert row.note, f"{row.name} is printed only and must say why"
                continue
            ran += 1
            resolve(base, [*override_arguments({**column, **row.overrides}), *root])
    assert ran > 0


def test_other_data_have_protocols_of_their_own() -> None:
    assert list(columns_for(STUDIES["table2"], "ntu60")) == ["X-View", "X-Sub"]
    assert list(columns_for(STUDIES["fig6"], "sbu")) == ["fold 2"]
    assert list(columns_for(STUDIES["table8"], "playground")) == ["test"]


def test_a_table_on_the_simulator(tmp_path: Path) -> None:
    lines: list[str] = []
    rows = ["Late Fusion", "Ours"]
    found = reproduce(
        "megcn.table8",
        tmp_path,
        data="playground",
        seeds=(1, 2),
        overrides=TINY,
        rows=rows,
        quiet=True,
        say=lines.append,
    )
    text = found.markdown()
    assert "simulated: not real data" in text
    assert "| Early Fusion | 82.1 | printed only |" in text
    assert "in phase / counter-phase: cross-entropy" in text
    assert "ln 2 = 0.6931" in text
    assert (tmp_path / "megcn.table8-playground" / "table.md").read_text() == text
    data = json.loads((tmp_path / "megcn.table8-playground" / "table.json").read_text())
    ours = next(row for row in data["rows"] if row["name"] == "Ours")
    assert len(ours["measured"]["test"]["runs"]) == 2
    assert len(list((tmp_path / "runs").iterdir())) == 4
    # The simulator guarantees it: a sum over two people cannot do better than chance.
    entropy = found.cells["Late Fusion", "test"].pairs["in phase / counter-phase"][1]
    assert entropy.high > 0.6931

    # The same rows stand in table 4: nothing is trained again.
    lines.clear()
    again = reproduce(
        "megcn.table4",
        tmp_path,
        data="playground",
        seeds=(1, 2),
        overrides=TINY,
        rows=["Baseline + TC", "Baseline + MTE + MFE + TC"],
        quiet=True,
        say=lines.append,
    )
    assert "4 runs, 4 of them finished already" in lines[0]
    assert again.cells["Baseline + TC", "test"].top1 == found.cells["Late Fusion", "test"].top1


@pytest.mark.slow
@pytest.mark.parametrize("study", ["fig3", "fig4", "fig5"])
def test_a_figure_on_the_simulator(tmp_path: Path, study: str) -> None:
    lines: list[str] = []
    reproduce(f"megcn.{study}", tmp_path, data="playground", seeds=(1,), overrides=TINY, quiet=True, say=lines.append)
    picture = tmp_path / f"megcn.{study}-playground" / study
    assert picture.with_suffix(".png").stat().st_size > 5000
    assert "<svg" in picture.with_suffix(".svg").read_text()


def test_unknown_studies_and_rows_are_named() -> None:
    with pytest.raises(InterplayError, match=r"did you mean 'megcn\.table8'"):
        find_study("megcn.tabel8")
    with pytest.raises(InterplayError, match="no row 'Mine'"):
        reproduce("megcn.table8", "nowhere", data="playground", rows=["Mine"])
