"""Which classes the sections of a scene-graph recipe configure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from interplay.data.datasets import dataset_class
from interplay.errors import InterplayError
from interplay.evaluation.scene_graph.suppression import RelationNMS
from interplay.scene.datamodule import SceneInput
from interplay.scene.detector.source import DetectorSource
from interplay.scene.heads import head_class
from interplay.scene.model import ModelSettings
from interplay.scene.sampling import PairSampling
from interplay.scene.schedule import SceneOptimiser
from interplay.scene.superpixel import SuperpixelSettings
from interplay.training.recipes import RecipeParser, Section
from interplay.training.settings import TrainingSettings, require

GIVEN = frozenset({"vocabulary", "statistics", "task", "vectors", "entity_width", "union_width"})
"""Arguments of a head that follow from the data and from the model's settings."""


@dataclass(frozen=True)
class EvaluationSettings:
    """How answers are counted.

    Args:
        protocol: "vg", "openimages" or "vrd".
        ks: cut-offs K.
        relation_nms: PE-Net's suppression of near copies, of the protocol "vg": "none", "penet" (as released) or
            "corrected".
        per_pair: of "vrd": numbers of predicates kept per pair.
    """

    protocol: Literal["vg", "openimages", "vrd"] = "vg"
    ks: Sequence[int] = (20, 50, 100)
    relation_nms: RelationNMS = "none"
    per_pair: Sequence[int] = (1, 10, 70)

    def __post_init__(self) -> None:
        good = bool(self.ks) and all(k >= 1 for k in self.ks)
        require(good, "evaluation.ks", list(self.ks), "cut-offs ≥ 1")


def parser(data: str, head: str) -> RecipeParser:
    """The keys of a scene-graph recipe on a data set with a head."""
    return RecipeParser(
        {
            "data": Section(dataset_class(data)),
            "input": Section(SceneInput),
            "detector": Section(DetectorSource),
            "model": Section(ModelSettings),
            "sil": Section(SuperpixelSettings),
            "head": Section(head_class(head), GIVEN),
            "pairs": Section(PairSampling),
            "optimiser": Section(SceneOptimiser),
            "training": Section(TrainingSettings),
            "evaluation": Section(EvaluationSettings),
        },
        {"system": str, "data.name": str, "head.name": str},
    )


def resolve(
    recipe: Mapping[str, Any], overrides: Sequence[str] = (), data: str | None = None, where: str = "recipe"
) -> dict[str, Any]:
    """Every key of a recipe with its value.

    Args:
        recipe: what the file holds.
        overrides: ``--section.key=value`` or ``--section.key value``; ``--head.name`` chooses the head, the recipe's
            other settings of the head then do not apply.
        data: another data set than the recipe's; the recipe's own ``data`` settings then do not apply.
        where: how messages name the recipe.

    Raises:
        InterplayError: an unknown key, head or data set (the nearest one is named), or a value of the wrong type.
    """
    recipe = dict(recipe)
    named = _name(recipe, "data")
    if data is None and named is None:
        raise InterplayError(f"{where}: found no data.name, expected the name of a data set")
    if data is not None and data != named:
        recipe["data"] = {"name": data}
    head = _last(overrides, "--head.name") or _name(recipe, "head")
    if head is None:
        raise InterplayError(f"{where}: found no head.name, expected the name of a relation head")
    if head != _name(recipe, "head"):
        recipe["head"] = {"name": head}
    return parser(data or str(named), head).resolve(recipe, overrides, where)


def _name(recipe: Mapping[str, Any], section: str) -> str | None:
    found = recipe.get(section)
    name = found.get("name") if isinstance(found, Mapping) else None
    return name if isinstance(name, str) else None


def _last(overrides: Sequence[str], option: str) -> str | None:
    found = None
    for position, word in enumerate(overrides):
        if word == option and position + 1 < len(overrides):
            found = overrides[position + 1]
        elif word.startswith(f"{option}="):
            found = word.partition("=")[2]
    return found
