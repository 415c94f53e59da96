"""Settings of a data set that are places on this machine: what of them goes into a model folder, and what comes back.

A model folder, its card and its result travel; the folders that a data set was read from do not. Of lists, boxes and
labels those that lie in the data set's own folder are kept, relative to it: a data set of the same layout elsewhere
has them, too, and one that lacks them is read without.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from os.path import normpath
from pathlib import Path
from typing import Any

from interplay.data.datasets import DATASETS, dataset_class


def place_keys(name: str) -> frozenset[str]:
    """Settings of a data set that are paths, by its constructor; ``root`` always."""
    if name not in DATASETS:
        return frozenset({"root"})
    parameters = signature(dataset_class(name)).parameters
    return frozenset({"root"} | {key for key, given in parameters.items() if "Path" in str(given.annotation)})


def data_without_places(section: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's ``data`` section without places on this machine."""
    places, root = place_keys(str(section.get("name"))), section.get("root")
    found: dict[str, Any] = {}
    for key, value in section.items():
        if key not in places or value is None or _is_name(key, value):
            found[key] = value
        elif key != "root" and root is not None and (inside := _inside(Path(root), Path(value))) is not None:
            found[key] = inside
    found.pop("root", None)
    return found


def data_at(section: Mapping[str, Any], root: str | Path | None) -> dict[str, Any]:
    """The settings of a saved ``data`` section for a data set at another place; what is not there is left out."""
    places = place_keys(str(section.get("name")))
    found: dict[str, Any] = {}
    for key, value in section.items():
        if key not in places or value is None or _is_name(key, value):
            found[key] = value
        elif key != "root" and root is not None and not Path(value).is_absolute():
            path = _folder(Path(root)) / value
            if path.exists():
                found[key] = str(path)
    found.pop("root", None)
    return found


def _is_name(key: str, value: Any) -> bool:
    """A joint layout is the name of one that ships, or a file."""
    return key == "layout" and not Path(str(value)).suffix


def _folder(root: Path) -> Path:
    """Some data sets are given by a file in their folder."""
    return root.parent if root.is_file() else root


def _inside(root: Path, path: Path) -> str | None:
    """A path relative to the data set's folder; None where it lies elsewhere."""
    folder = Path(normpath(_folder(root).absolute()))
    own, below = Path(normpath(path.absolute())), Path(normpath(folder / path))
    if own.is_relative_to(folder) and own != folder:
        return own.relative_to(folder).as_posix()
    there = below.is_relative_to(folder) and below != folder and below.exists()
    return below.relative_to(folder).as_posix() if there else None
