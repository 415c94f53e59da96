"""``interplay list recipes|models|datasets|layouts``: what there is."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib import resources
from typing import Any

from interplay.errors import InterplayError

Row = dict[str, Any]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="interplay list",
        description="List what there is to train, to load, to read and to connect.",
        allow_abbrev=False,
    )
    made.add_argument("what", choices=tuple(LISTS), help="which of them")
    made.add_argument(
        "--cost", metavar="NAME", help="with models: parameters and GMACs of each variant of megcn or agos"
    )
    made.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return made


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    arguments = parser().parse_args(argv)
    if arguments.cost is not None:
        if arguments.what != "models":
            raise InterplayError(f"list {arguments.what}: found --cost, expected it with `list models`")
        rows = cost(arguments.cost)
    else:
        rows = LISTS[arguments.what]()
    if arguments.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif sys.stdout.isatty():
        _table(rows)
    else:
        print(plain(rows), end="")
    return 0


def recipes() -> list[Row]:
    """Shipped recipes; the description is the first line of each file's head comment."""
    from interplay.training.recipes import load_recipe, recipe_text, shipped_recipes

    rows = []
    for name in shipped_recipes():
        text = recipe_text(name)[1]
        first = text.splitlines()[0]
        recipe = load_recipe(name)
        rows.append(
            {
                "recipe": name,
                "data": recipe["data"]["name"],
                "epochs": _epochs(recipe),
                "description": first.removeprefix("#").strip() if first.startswith("#") else "",
            }
        )
    return rows


def _epochs(recipe: Mapping[str, Any]) -> int:
    """Of a run: those of training, or of all its stages at most."""
    stages = [recipe[f"stage{number}"]["epochs"] for number in (1, 2, 3, 4) if f"stage{number}" in recipe]
    return sum(stages) if stages else int(recipe["training"]["epochs"])


def models() -> list[Row]:
    """Shipped models, from their config files."""
    rows = []
    root = resources.files("interplay").joinpath("models")
    folders = sorted(root.iterdir(), key=lambda item: item.name) if root.is_dir() else []
    for folder in folders:
        file = folder.joinpath("config.json")
        if not file.is_file():
            continue
        config = json.loads(file.read_text(encoding="utf-8"))
        size = sum(len(item.read_bytes()) for item in folder.iterdir() if item.is_file())
        rows.append(
            {
                "model": folder.name,
                "classes": len(config["classes"]),
                "input": _input(config),
                "data": (config.get("data") or {}).get("name", ""),
                "MB": round(size / 1e6, 1),
            }
        )
    return rows


def _input(config: Mapping[str, Any]) -> str:
    """What a model takes: a joint layout and streams, or pictures for a task."""
    if "layout" in config:
        streams = " + ".join(",".join(network["streams"]) for network in config["networks"])
        return f"{config['layout']['name']}: {streams}"
    if config.get("system") == "agos":
        given = config["preparation"]
        return f"videos: {given['frames']} frames of {given['height']}×{given['width']}"
    return f"pictures: {config['model']['task']}" if "model" in config else "pictures"


def datasets() -> list[Row]:
    """Readers and simulators, with the settings that ``--data.KEY`` can give."""
    from interplay.data.datasets import DATASETS, dataset_class

    rows = []
    for name in DATASETS:
        cls = dataset_class(name)
        settings = [key for key in inspect.signature(cls).parameters if key != "self"]
        rows.append(
            {
                "data set": name,
                "settings (--data.KEY)": " ".join(settings),
                "description": (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " "),
            }
        )
    return rows


def layouts() -> list[Row]:
    """Joint layouts in the package."""
    from interplay.graph.layouts import load_layout, shipped_layouts

    rows = []
    for name in shipped_layouts():
        layout = load_layout(name)
        rows.append(
            {
                "layout": name,
                "entity": layout.entity,
                "joints": layout.joint_count,
                "edges": len(layout.edges),
                "frames/s": layout.frames_per_second,
                "unit": layout.unit,
                "up": layout.up,
            }
        )
    return rows


def cost(name: str) -> list[Row]:
    """Parameters and multiply–adds of the variants of a system."""
    if name not in COSTS:
        raise InterplayError(f"--cost: found {name!r}, expected one of {', '.join(COSTS)}")
    from importlib import import_module

    return [_row(item) for item in import_module(COSTS[name]).rows()]


COSTS = {"megcn": "interplay.skeleton.cost", "agos": "interplay.video.cost"}
LISTS = {"recipes": recipes, "models": models, "datasets": datasets, "layouts": layouts}


def _row(item: Any) -> Row:
    if is_dataclass(item) and not isinstance(item, type):
        return asdict(item)
    if isinstance(item, Mapping):
        return dict(item)
    raise TypeError(f"a row of costs must be a mapping or a dataclass, got {type(item).__name__}")


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def plain(rows: Sequence[Row]) -> str:
    """Columns separated by at least two spaces, for pipes and logs; numbers to the right."""
    if not rows:
        return "(none)\n"
    columns = list(rows[0])
    cells = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[position]) for line in cells) for position in range(len(columns))]
    numeric = [isinstance(rows[0][column], int | float) for column in columns]
    lines = (
        "  ".join(
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in cells
    )
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        print("(none)")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, value in rows[0].items():
        table.add_column(column, justify="right" if isinstance(value, int | float) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console().print(table)
