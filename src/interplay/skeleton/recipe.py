"""Which classes the sections of a me-GCN recipe configure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interplay.data.datasets import dataset_class
from interplay.errors import InterplayError
from interplay.skeleton.datamodule import TrainingInput
from interplay.skeleton.network import MutualExcitationGCN
from interplay.training.recipes import RecipeParser, Section
from interplay.training.settings import OptimiserSettings, TrainingSettings

FROM_DATA = frozenset({"num_classes", "layout", "in_channels"})
"""Arguments of the network that follow from the data set and the streams."""


def parser(data: str) -> RecipeParser:
    """The keys of a me-GCN recipe on a data set.

    Args:
        data: name of the data set; its constructor arguments are the keys of ``data``.
    """
    return RecipeParser(
        {
            "data": Section(dataset_class(data)),
            "input": Section(TrainingInput),
            "model": Section(MutualExcitationGCN, FROM_DATA),
            "optimiser": Section(OptimiserSettings),
            "training": Section(TrainingSettings),
        },
        {"system": str, "data.name": str},
    )


def resolve(
    recipe: Mapping[str, Any], overrides: Sequence[str] = (), data: str | None = None, where: str = "recipe"
) -> dict[str, Any]:
    """Every key of a recipe with its value.

    Args:
        recipe: what the file holds.
        overrides: ``--section.key=value`` or ``--section.key value``.
        data: another data set than the recipe's; the recipe's own ``data`` settings then do not apply.
        where: how messages name the recipe.

    Raises:
        InterplayError: an unknown key or data set (the nearest one is named), or a value of the wrong type.
    """
    section = recipe.get("data")
    named = section.get("name") if isinstance(section, Mapping) else None
    if data is None and not isinstance(named, str):
        raise InterplayError(f"{where}: found no data.name, expected the name of a data set")
    if data is not None and data != named:
        recipe = {**recipe, "data": {"name": data}}
    name = data or str(named)
    return parser(name).resolve(recipe, overrides, where)
