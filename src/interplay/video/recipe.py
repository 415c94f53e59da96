"""Which classes the sections of an AGOS recipe configure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interplay.data.datasets import dataset_class
from interplay.errors import InterplayError
from interplay.training.recipes import RecipeParser, Section
from interplay.training.settings import TrainingSettings
from interplay.video.datamodule import VideoInput
from interplay.video.settings import PRESETS, BackboneSettings, Preset, VideoSettings
from interplay.video.stages import Pretraining, Refinement, Search

NOT_ASKED = frozenset({"epochs", "start_from", "early_stop"})
"""Keys of a run's training that each stage has for itself."""


@dataclass(frozen=True)
class VideoTraining(TrainingSettings):
    """How precisely and on what the four stages run, and what they begin with.

    Beyond the keys of every recipe:

    Args:
        begin_from: the folder RUN/stage1 of another run with the same data, input and backbone: its first stage is
            taken over instead of being trained, so that several graphs share one.
        structure_from: a finished run of AGOS: its structure weights are kept as they are, its backbone is what stage
            1 begins with, and everything else is trained here (supplement 3.3). With begin_from, which gives the first
            stage, only the structure weights are taken (supplement 3.5).
        transfer_backbone: with structure_from, stage 1 begins with that run's backbone (A28); false: as without it.
        frozen_bf16: run the frozen backbone of stages 2 and 3 in bfloat16.
    """

    begin_from: str | None = None
    structure_from: str | None = None
    transfer_backbone: bool = True
    frozen_bf16: bool = False
    score_train: bool = False


def parser(data: str) -> RecipeParser:
    """The keys of an AGOS recipe on a data set.

    Args:
        data: name of the data set; its constructor arguments are the keys of ``data``.
    """
    return RecipeParser(
        {
            "data": Section(dataset_class(data)),
            "input": Section(VideoInput),
            "backbone": Section(BackboneSettings),
            "model": Section(VideoSettings),
            "stage1": Section(Pretraining),
            "stage2": Section(Search),
            "stage3": Section(Refinement),
            "stage4": Section(Refinement),
            "training": Section(VideoTraining, NOT_ASKED),
        },
        {"system": str, "data.name": str, "model.preset": Preset},
    )


def resolve(
    recipe: Mapping[str, Any], overrides: Sequence[str] = (), data: str | None = None, where: str = "recipe"
) -> dict[str, Any]:
    """Every key of a recipe with its value; see :func:`interplay.skeleton.recipe.resolve`.

    ``model.preset`` (:data:`interplay.video.settings.PRESETS`) gives the keys of ``model`` that the recipe and the
    overrides leave open their value; it is no key of what is returned.
    """
    section = recipe.get("data")
    named = section.get("name") if isinstance(section, Mapping) else None
    if data is None and not isinstance(named, str):
        raise InterplayError(f"{where}: found no data.name, expected the name of a data set")
    if data is not None and data != named:
        recipe = {**recipe, "data": {"name": data}}
    # Stage 4 has another rate than stage 3, whose settings it shares (supplement 1).
    fourth = {"lr": 0.0001, **(recipe.get("stage4") or {})}
    recipe = {**recipe, "stage4": fourth}
    keys = parser(data or str(named))
    made = keys.resolve(recipe, overrides, where)
    readings = PRESETS[made["model"].pop("preset") or "default"]
    if readings:
        made = keys.resolve({**recipe, "model": {**readings, **(recipe.get("model") or {})}}, overrides, where)
        del made["model"]["preset"]
    return made
