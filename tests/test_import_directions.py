"""Rooms may look only into the rooms to their left; this walks every import, also those inside functions."""

from __future__ import annotations

import ast
from pathlib import Path

import interplay

RANKS = [
    ("errors",),
    ("interactions", "graph"),
    ("data", "evaluation"),
    ("training",),
    ("skeleton", "video", "scene", "viz"),
    ("loading",),
    ("studies",),
    ("cli",),
]
RANK = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}
ROOT = Path(interplay.__file__).parent


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found.add(node.module or "")
    return {name for name in found if name == "interplay" or name.startswith("interplay.")}


def violations(room: str, names: set[str]) -> list[str]:
    bad = []
    for name in names:
        parts = name.split(".")
        if len(parts) == 1:  # `from interplay import __version__` and the like: only the outermost room may
            if room != "cli" and room != "studies":
                bad.append(name)
            continue
        target = parts[1]
        if target != room and RANK[target] >= RANK[room]:
            bad.append(name)
    return bad


def test_imports_point_left_only() -> None:
    wrong = {}
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT)
        room = relative.parts[0].removesuffix(".py")
        if room in ("__init__", "__main__"):
            continue  # the public surface re-exports from everywhere
        if bad := violations(room, imports(path)):
            wrong[str(relative)] = bad
    assert not wrong


def test_the_rule_itself_can_fail() -> None:
    assert violations("data", {"interplay.skeleton.network"}) == ["interplay.skeleton.network"]
    assert violations("data", {"interplay.evaluation.scores"}) == ["interplay.evaluation.scores"]
    assert violations("skeleton", {"interplay.data.clips"}) == []
