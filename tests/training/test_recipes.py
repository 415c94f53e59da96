from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from interplay.errors import InterplayError
from interplay.training.recipes import (
    RecipeParser,
    Section,
    load_recipe,
    nearest,
    override_arguments,
    recipe_text,
    shipped_recipes,
)


@dataclass
class Engine:
    """An engine.

    Args:
        power: in watts.
        fuel: what it burns.
        gears: how many, or null for none.
        ratios: of the gears.
    """

    power: float
    fuel: Literal["wood", "coal"] = "coal"
    gears: int | None = 4
    ratios: tuple[float, float] = (1.0, 2.0)


@pytest.fixture
def parser() -> RecipeParser:
    return RecipeParser({"engine": Section(Engine, frozenset({"gears"}))}, {"system": str})


def test_every_key_gets_its_value(parser: RecipeParser) -> None:
    recipe = {"system": "train", "engine": {"power": "1e3"}}
    assert parser.resolve(recipe, ["--engine.fuel", "wood", "--engine.ratios=[3, 4]"]) == {
        "system": "train",
        "engine": {"power": 1000.0, "fuel": "wood", "ratios": [3.0, 4.0]},
    }


def test_later_overrides_win_over_earlier_ones_and_over_the_recipe(parser: RecipeParser) -> None:
    resolved = parser.resolve({"engine": {"power": 1}}, ["--engine.power=2", "--engine.power", "3"])
    assert resolved["engine"]["power"] == 3.0


@pytest.mark.parametrize(
    ("recipe", "overrides", "said"),
    [
        ({"engine": {"power": 1, "feul": "wood"}}, [], "here: unknown key 'engine.feul'; did you mean 'engine.fuel'?"),
        ({"engin": {"power": 1}}, [], "here: unknown key 'engin.power'; did you mean 'engine.power'?"),
        ({"engine": {"power": 1}}, ["--engine.pwr", "2"], "unknown option --engine.pwr; did you mean 'engine.power'?"),
        ({"engine": {"power": 1}}, ["--zzz", "2"], "unknown option --zzz"),
        ({"engine": {"power": 1, "gears": 3}}, [], "here: unknown key 'engine.gears'"),
        ({"engine": {"power": "much"}}, [], "here: engine.power: expected float, found much"),
        ({"engine": {"power": 1, "fuel": "oil"}}, [], "here: engine.fuel: expected one of 'wood', 'coal', found oil"),
        ({"engine": {}}, [], "here: engine.power is missing, give --engine.power"),
        ({"engine": {"power": 1}}, ["--engine.fuel"], "--engine.fuel: expected a value"),
        ({"engine": {"power": 1}}, ["wood"], "unexpected argument 'wood', expected --section.key value"),
    ],
)
def test_what_does_not_fit_is_one_line(parser: RecipeParser, recipe: dict, overrides: list[str], said: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InterplayError) as caught:
        parser.resolve(recipe, overrides, "here")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_overrides_as_arguments() -> None:
    given = {"model.mte": False, "model": {"depth": (3, 3, 2), "mutual_layers": None}, "data.root": Path("/x y")}
    assert override_arguments(given) == [
        "--model.mte=false",
        "--model.depth=[3, 3, 2]",
        "--model.mutual_layers=null",
        "--data.root=/x y",
    ]


def test_shipped_recipes_are_found_by_name_and_others_by_path(tmp_path: Path) -> None:
    assert "megcn/sbu" in shipped_recipes()
    assert recipe_text("megcn/sbu")[0] == "megcn/sbu"
    own = tmp_path / "own.yaml"
    own.write_text("data: {name: sbu}\n")
    assert load_recipe(own) == {"data": {"name": "sbu"}}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").write_text("data: {name: hands}\n")
    assert load_recipe(tmp_path / "run") == {"data": {"name": "hands"}}
    with pytest.raises(InterplayError, match="did you mean 'megcn/ntu120'"):
        load_recipe("megcn/ntu12")


def test_bytes_that_are_no_text_are_said(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InterplayError, match="cannot read the recipe"):
        load_recipe(path)


def test_nothing_near_says_nothing() -> None:
    assert nearest("qqq", ["abc"]) == ""
    assert nearest("abd", ["abc", "xyz"]) == "; did you mean 'abc'?"
