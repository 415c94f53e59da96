"""``interplay train RECIPE``: train a recipe into a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from interplay.errors import InterplayError

USAGE = """usage: interplay train RECIPE [--data NAME] [--data.root DIR] [--SECTION.KEY VALUE ...] [--out DIR]

Train a recipe (a shipped one by name, or a YAML file) and write a run folder.

  RECIPE               see `interplay list recipes`
  --data NAME          another data set than the recipe's; see `interplay list datasets`
  --data.root DIR      where the data set is
  --SECTION.KEY VALUE  change a key of the recipe: data., input., model., optimiser., training. …
  --out DIR            run folder (default: runs/ and the recipe's name)
  --stage N            of AGOS: all (default), or one of the stages 1 to 4, after those before it
  --resume             continue the run that the folder holds
  --overwrite          replace the run that the folder holds
  --quiet              no statement of cost, no progress

  interplay train RECIPE --help    every key of that recipe, with its meaning and default
"""
SYSTEMS = {
    "megcn": ("interplay.skeleton.recipe", "interplay.skeleton.run"),
    "sil": ("interplay.scene.recipe", "interplay.scene.run"),
    "agos": ("interplay.video.recipe", "interplay.video.run"),
    "detector": ("interplay.scene.detector.training", "interplay.scene.detector.training"),
}
"""The recipe's ``system`` → where its keys are checked and where it is trained."""
SWITCHES = ("--resume", "--overwrite", "--quiet")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    arguments = list(argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if arguments else 2
    recipe = arguments.pop(0)
    if recipe.startswith("-"):
        raise InterplayError(f"train: found {recipe!r} first, expected the name of a recipe or the path of a YAML file")
    chosen = {switch: switch in arguments for switch in SWITCHES}
    wants_help = "-h" in arguments or "--help" in arguments
    arguments = [word for word in arguments if word not in (*SWITCHES, "-h", "--help")]
    data = _take(arguments, "--data")
    out = _take(arguments, "--out")
    stage = _take(arguments, "--stage")
    from interplay.training.recipes import load_recipe

    given = load_recipe(recipe)
    system = given.get("system")
    if system not in SYSTEMS:
        raise InterplayError(f"{recipe}: found system {system!r}, expected one of {', '.join(SYSTEMS)}")
    if stage is not None and system != "agos":
        raise InterplayError(f"--stage: {recipe} is trained in one go, expected it with a recipe of AGOS")
    if chosen["--resume"] and chosen["--overwrite"]:
        raise InterplayError("train: found --resume and --overwrite together, expected one of them")
    recipes, runs = (import_module(name) for name in SYSTEMS[system])
    if wants_help:
        named = [data or str(given["data"]["name"])]
        if system == "sil":
            named.append(_take(arguments, "--head.name") or str(given["head"]["name"]))
        recipes.parser(*named).parser.print_help()
        return 0
    resolved = recipes.resolve(given, arguments, data, recipe)
    folder = out or f"runs/{recipe.removesuffix('.yaml').strip('/').replace('/', '-')}"
    runs.run_resolved(
        resolved,
        folder,
        resume=chosen["--resume"],
        overwrite=chosen["--overwrite"],
        quiet=chosen["--quiet"],
        **({} if stage is None else {"stage": stage}),
    )
    return 0


def _take(arguments: list[str], option: str) -> str | None:
    """Remove ``option VALUE`` or ``option=VALUE`` from the arguments and return the last value given."""
    value = None
    position = 0
    while position < len(arguments):
        word = arguments[position]
        if word == option:
            if position + 1 >= len(arguments):
                raise InterplayError(f"{option}: expected a value")
            value = arguments[position + 1]
            del arguments[position : position + 2]
        elif word.startswith(f"{option}="):
            value = word.partition("=")[2]
            del arguments[position]
        else:
            position += 1
    return value
