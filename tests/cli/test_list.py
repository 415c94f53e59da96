"""``interplay list``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interplay.cli import list as verb
from interplay.cli import main
from interplay.data.datasets import DATASETS
from interplay.graph.layouts import shipped_layouts


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["list", *arguments, "--json"]) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


def test_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["recipe"]: row for row in listed(capsys, "recipes")}
    assert set(rows) >= {f"megcn/{name}" for name in ("ntu60", "ntu120", "assembly101", "sbu", "playground", "hands")}
    assert rows["megcn/ntu120"]["data"] == "ntu120"
    assert rows["megcn/ntu120"]["epochs"] == 65
    assert all(len(row["description"]) > 20 for row in rows.values())


def test_data_sets_and_their_settings(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["data set"]: row for row in listed(capsys, "datasets")}
    assert list(rows) == list(DATASETS)
    assert "test_fold" in rows["sbu"]["settings (--data.KEY)"].split()
    assert all(row["description"] for row in rows.values())


def test_layouts(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["layout"]: row for row in listed(capsys, "layouts")}
    assert tuple(rows) == shipped_layouts()
    assert (rows["ntu25"]["joints"], rows["ntu25"]["edges"]) == (25, 24)


def test_models_are_the_folders_in_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    for row in listed(capsys, "models"):
        assert row["classes"] > 1
        assert 0 < row["MB"] <= (16 if row["model"].startswith("sil") else 4)


def test_costs_of_the_variants(capsys: pytest.CaptureFixture[str]) -> None:
    rows = listed(capsys, "models", "--cost", "megcn")
    assert any(1_437_934 in row.values() for row in rows)


def test_costs_of_agos(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["model"]: row for row in listed(capsys, "models", "--cost", "agos")}
    assert rows["AGOS"]["of the backbone"] == 32_204_608
    assert rows["AGOS"]["behind the backbone"] == 4_766_784
    assert rows["AGOS, release"]["behind the backbone"] == 5_152_704


def test_plain_text_aligns_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "layouts"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layout", "entity", "joints", "edges", "frames/s", "unit", "up"]
    column = lines[0].index("entity")
    assert all(line[column - 2 : column] == "  " and line[column] != " " for line in lines)


def test_plain_text_of_nothing_and_of_odd_values() -> None:
    assert verb.plain([]) == "(none)\n"
    assert verb.plain([{"a": None, "count": 1234567}]) == "a      count\n–  1,234,567\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["recipes", "--cost", "megcn"], "expected it with `list models`"),
        (["models", "--cost", "resnet"], "--cost: found 'resnet', expected one of megcn, agos"),
    ],
)
def test_what_cannot_be_listed(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(["list", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_an_unknown_list_is_one_of_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "gadgets"]) == 2
    assert "recipes" in capsys.readouterr().err
