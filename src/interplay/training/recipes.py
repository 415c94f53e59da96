"""Recipes: YAML files whose keys are constructor arguments.

A recipe is a mapping of sections (``data``, ``model``, ``optimiser`` …), each checked by jsonargparse against the
signature of the class it configures. A key that no signature has is one line naming the nearest key that exists.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from interplay.errors import InterplayError
from interplay.training.folder import flat


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes in the package, e.g. ``megcn/sbu``."""
    root = resources.files("interplay").joinpath("recipes")
    return tuple(
        sorted(
            f"{folder.name}/{item.name.removesuffix('.yaml')}"
            for folder in root.iterdir()
            if folder.is_dir()
            for item in folder.iterdir()
            if item.name.endswith(".yaml")
        )
    )


def recipe_text(name: str | Path) -> tuple[str, str]:
    """(where it stands, its text) of a shipped recipe by name, or of a YAML file by path.

    Raises:
        InterplayError: there is none; the nearest shipped name is given.
    """
    known = shipped_recipes()
    if str(name) in known:
        folder, _, leaf = str(name).partition("/")
        file = resources.files("interplay").joinpath("recipes", folder, f"{leaf}.yaml")
        return str(name), file.read_text(encoding="utf-8")
    path = Path(name)
    if path.is_dir() and (path / "recipe.yaml").is_file():
        path = path / "recipe.yaml"  # the folder of a run is a recipe too
    if path.is_file():
        try:
            return str(path), path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InterplayError(f"{path}: cannot read the recipe: {error}") from None
    hint = nearest(str(name), known)
    raise InterplayError(
        f"unknown recipe {str(name)!r}{hint} (shipped: {', '.join(known)}; or the path of a YAML file)"
    )


def load_recipe(name: str | Path) -> dict[str, Any]:
    """The mapping that a recipe file holds, not yet checked against any signature."""
    where, text = recipe_text(name)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InterplayError(f"{where}: not YAML: {error}") from None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in flat(value)):
        raise InterplayError(f"{where}: found {type(value).__name__}, expected sections with keys (data, model, …)")
    return value


def resolved_recipe(
    resolve: Callable[[Mapping[str, Any], Sequence[str], str | None, str], dict[str, Any]],
    recipe: str | Path | Mapping[str, Any],
    overrides: Mapping[str, Any] | None,
    data: str | None,
) -> dict[str, Any]:
    """A recipe by name, path or as it is, with changed keys, through the ``resolve`` of its system."""
    where = "recipe" if isinstance(recipe, Mapping) else str(recipe)
    given = dict(recipe) if isinstance(recipe, Mapping) else load_recipe(recipe)
    return resolve(given, override_arguments(overrides or {}), data, where)


def nearest(word: str, known: Collection[str]) -> str:
    """``; did you mean 'x'?``, or nothing where nothing is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


@dataclass(frozen=True)
class Section:
    """One section of a recipe.

    Args:
        cls: the class whose constructor arguments are the keys.
        skip: arguments that are not the recipe's to give (they follow from the data).
    """

    cls: type[Any]
    skip: frozenset[str] = field(default_factory=frozenset)


class RecipeParser:
    """Check a recipe and its overrides against the signatures.

    Args:
        sections: section name → :class:`Section`.
        extra: keys outside every signature, with their types (``system``, ``data.name``).
    """

    def __init__(self, sections: Mapping[str, Section], extra: Mapping[str, Any]) -> None:
        self.parser = ArgumentParser(
            prog="interplay train", exit_on_error=False, usage="%(prog)s RECIPE [--KEY VALUE …]"
        )
        for key, kind in extra.items():
            self.parser.add_argument(f"--{key}", type=kind)
        for name, section in sections.items():
            self.parser.add_class_arguments(section.cls, name, skip=set(section.skip), fail_untyped=False)
        self.keys = tuple(key for key in _leaves(self.parser.get_defaults()) if key not in ("help",))
        self.sections = tuple(sections)

    def resolve(
        self, recipe: Mapping[str, Any], overrides: Sequence[str] = (), where: str = "recipe"
    ) -> dict[str, Any]:
        """Every key with its value: the recipe's, changed by ``--section.key value`` pairs, else the default.

        Raises:
            InterplayError: an unknown key (the nearest one is named) or a value that does not fit its type.
        """
        for key in flat(recipe):
            self._known(key, f"{where}: unknown key {key!r}")
        arguments = [item for key, value in flat(recipe).items() for item in (f"--{key}={_as_argument(value)}",)]
        self._check_overrides(overrides)
        try:
            values = self.parser.parse_args([*arguments, *overrides])
        except ArgumentError as error:
            raise InterplayError(f"{where}: {_first_cause(str(error))}") from None
        plain: dict[str, Any] = _plain(values.as_dict())
        return plain

    def _known(self, key: str, message: str) -> None:
        if key in self.keys or any(key.startswith(f"{known}.") for known in self.keys):
            return
        raise InterplayError(message + nearest(key, self.keys))

    def _check_overrides(self, overrides: Sequence[str]) -> None:
        position = 0
        while position < len(overrides):
            word = overrides[position]
            if not word.startswith("--"):
                raise InterplayError(f"unexpected argument {word!r}, expected --section.key value")
            key, equals, _ = word[2:].partition("=")
            self._known(key, f"unknown option --{key}")
            if not equals:
                if position + 1 >= len(overrides):
                    raise InterplayError(f"--{key}: expected a value")
                position += 1
            position += 1


def override_arguments(overrides: Mapping[str, Any]) -> list[str]:
    """``{"model.mte": False}`` → ``["--model.mte=false"]``."""
    return [f"--{key}={_as_argument(value)}" for key, value in flat(overrides).items()]


def _as_argument(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        value = list(value)
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n").removesuffix("\n...")


def _plain(value: Any) -> Any:
    """Mappings, lists, text and numbers only, as YAML has them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _leaves(defaults: Namespace) -> list[str]:
    return list(flat(defaults.as_dict()))


def _first_cause(message: str) -> str:
    """jsonargparse explains over several lines and in Python's words; the first ones say which key and why."""
    lines = [" ".join(line.split()) for line in message.splitlines() if line.strip()]
    text = " ".join(line for line in lines if not line.lower().startswith(("usage:", "tip:")))
    text = re.sub(r'Parser key "([^"]+)":', r"\1:", text)
    text = re.sub(
        r"Does not validate against any of the Union subtypes Subtypes: \[(.*?)\] Errors:.*Given value: (.*)",
        r"expected \1, found \2",
        text,
    )
    text = re.sub(r"[Ee]xpected (?:a )?typing\.Literal\[([^\]]*)\]", r"expected one of \1", text)
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", text).replace("NoneType", "null")
    text = re.sub(r"[Ee]xpected an? ", "expected ", text).replace(". Got value:", ", found")
    return re.sub(r"the following arguments are required: ([\w.]+)", r"\1 is missing, give --\1", text)[:400]
