"""Code blocks of Markdown pages, and what holds them to the library.

Directly above every ``bash``, ``sh`` and ``python`` block stands one of

- ``<!-- test: run -->``: executed, in the order of the page, in a folder made for the page;
- ``<!-- test: parse -->``: checked without running: arguments, recipe keys, imports and names;
- ``<!-- test: skip because … -->``: neither, with the reason.

``<!-- test: write NAME -->`` above a block of any language makes it a file of that name for the blocks that follow.
"""

from __future__ import annotations

import ast
import re
import shlex
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")))
EXECUTABLE = ("bash", "sh", "python")
_FENCE = re.compile(r"^```(?P<language>[\w+-]*)[^\n]*\n(?P<body>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- test: (.+?) -->\s*\Z")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page.

    Args:
        page: path below the root of the repository.
        line: of the fence.
        language: after the fence.
        text: between the fences.
        mark: what the comment above says ("run", "parse", "skip because …", "write NAME"), or "".
    """

    page: str
    line: int
    language: str
    text: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Lines of a ``bash`` block: continued lines joined, comments and empty lines left out."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line for line in (line.strip() for line in lines) if line and not line.startswith("#")]


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        mark = _MARK.search(text[: match.start()])
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, match["language"], match["body"], mark[1] if mark else ""))
    return found


def parse(block: Block) -> None:
    """Check a block without running it. Raises AssertionError or the library's own error."""
    if block.language == "python":
        check_python(block.text)
        return
    for command in block.commands:
        check_command(command)


def check_command(command: str) -> None:
    """A shell line: the verb, its arguments, recipe keys and data set settings exist."""
    words = shlex.split(command, comments=True)
    if words[0] == "interplay":
        check_interplay(words[1:])
    elif words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        for target in words[1:]:
            assert "=" in target or re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), command
    elif words[0] in ("python", "pytest", "torchrun"):
        for word in words[1:]:
            if word.startswith(("examples/", "benchmarks/", "tests/")):
                assert (ROOT / word).exists(), f"{command}: there is no {word}"
    else:
        assert words[0] in ("pip", "git", "cd", "source"), f"unknown command: {command}"


def check_interplay(words: list[str]) -> None:
    """The arguments of ``interplay``, checked by the verb's own parser; nothing is read, trained or written."""
    from interplay.cli import VERBS

    if words in (["--version"], ["--help"]):
        return
    verb, arguments = words[0], [word for word in words[1:] if word != "--debug"]
    assert verb in VERBS, verb
    if "--help" in arguments:
        assert import_module(f"interplay.cli.{verb}").main(arguments) == 0
    elif verb == "train":
        check_train(arguments)
    elif verb == "data":
        check_data(arguments)
    elif verb == "reproduce":
        check_reproduce(arguments)
    elif verb == "evaluate":
        from interplay.cli.evaluate import data_settings, parser, split_data_settings

        rest, settings = split_data_settings(arguments)
        given = parser().parse_args(rest)
        if settings or given.data:
            trained = {"name": "sbu"} if not given.data else {}
            data_settings(trained, given.data, given.root or "DIR", settings)
    else:
        import_module(f"interplay.cli.{verb}").parser().parse_args(arguments)


def check_train(arguments: list[str]) -> None:
    from interplay.cli import train
    from interplay.training.recipes import load_recipe, shipped_recipes

    recipe, *rest = arguments
    rest = [word for word in rest if word not in train.SWITCHES]
    data = train._take(rest, "--data")
    train._take(rest, "--out")
    train._take(rest, "--stage")
    if recipe.endswith(".yaml"):
        recipe = "megcn/playground"  # the page's own file: its overrides are keys of every recipe
        data = data or "plain"
    assert recipe in shipped_recipes(), recipe
    given = load_recipe(recipe)
    import_module(train.SYSTEMS[given["system"]][0]).resolve(given, rest, data, recipe)


def check_data(arguments: list[str]) -> None:
    from interplay.cli import data

    words, _, _, settings = data._sort(arguments)
    assert words[0] in data.ACTIONS, arguments
    root = [f"--data.root={words[2]}"] if len(words) == 3 else []
    data._parser(words[1]).resolve({}, [*root, *settings], "data")


def check_reproduce(arguments: list[str]) -> None:
    from interplay.cli.reproduce import parser
    from interplay.training.recipes import load_recipe

    given, overrides = parser().parse_known_args(arguments)
    if given.study.startswith("sil."):
        from interplay.scene.recipe import resolve as resolve_scenes
        from interplay.studies.sil_reproduction import find_scene_study
        from interplay.studies.sil_settings import RECIPES

        scene_study = find_scene_study(given.study)
        name = RECIPES[given.data or scene_study.data]
        resolve_scenes(load_recipe(name), overrides, None, name)
        assert set((given.rows or "").split(",")) <= {"", *(row.name for row in scene_study.rows)}, given.rows
        return
    from interplay.skeleton.recipe import resolve

    if given.study.startswith("agos."):
        from interplay.studies.agos_reproduction import find_video_study

        video_rows = {row.name for row in find_video_study(given.study).rows}
        assert set(filter(None, (given.rows or "").split(","))) <= video_rows, given.rows
        return
    from interplay.studies.reproduce import find_study

    study = find_study(given.study)
    name = f"megcn/{given.data or study.data}"
    resolve(load_recipe(name), overrides, None, name)
    if given.rows:
        unknown = {row.strip() for row in given.rows.split(",")} - {row.name for row in study.rows}
        assert not unknown, unknown


def check_python(text: str) -> None:
    """Syntax; every import works; every attribute of an imported ``interplay`` module exists."""
    tree = ast.parse(text)
    names: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(compile(ast.Module([node], []), "<import>", "exec"), names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            owner = names[node.value.id]
            assert hasattr(owner, node.attr), f"{node.value.id} has no {node.attr}"


def run(block: Block, names: dict[str, object]) -> None:
    """Execute a block in the present folder. Python blocks of one page share ``names``."""
    if block.language == "python":
        exec(compile(block.text, str(block), "exec"), names)
        return
    for command in block.commands:
        run_command(command)


def run_command(command: str) -> None:
    """One shell line, in this process: what matters is what the verbs do, not the start of eight interpreters."""
    words = shlex.split(command, comments=True)
    if words[0] == "interplay":
        from interplay.cli import main

        code = main(words[1:])
        assert code == 0, f"{command}: exit code {code}"
    elif words[0] == "python" and words[1].startswith("examples/"):
        run_example(ROOT / words[1], words[2:])
    else:
        raise AssertionError(f"cannot run {command!r} in a test")


def run_example(script: Path, arguments: list[str]) -> None:
    """A script as ``python SCRIPT …`` runs it."""
    import runpy

    before = sys.argv
    sys.argv = [str(script), *arguments]
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv = before
