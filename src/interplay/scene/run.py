"""One training run of a scene-graph model, from a recipe to a finished run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from interplay.data.datasets import open_scenes
from interplay.data.scene_statistics import SceneStatistics, statistics_folder, statistics_of
from interplay.data.scenes import SceneDataset
from interplay.errors import InterplayError
from interplay.evaluation.scene_graph import StreamingEvaluator, long_tail_groups, scene_evaluator
from interplay.scene.checkpoints import read_checkpoint
from interplay.scene.datamodule import SceneData, SceneInput
from interplay.scene.detector.source import DetectorSource
from interplay.scene.kept_maps import KeptMaps
from interplay.scene.model import ModelSettings, SceneGraphModel
from interplay.scene.outcome import finish, headline
from interplay.scene.published_heads import load_published_head
from interplay.scene.recipe import EvaluationSettings, resolve
from interplay.scene.recogniser import SceneRecogniser
from interplay.scene.sampling import PairSampling
from interplay.scene.schedule import SceneOptimiser, StepSchedule
from interplay.scene.superpixel import SuperpixelSettings
from interplay.scene.task import SceneTask
from interplay.training.allocation import keep_freed_memory
from interplay.training.folder import RunFolder
from interplay.training.recipes import resolved_recipe
from interplay.training.running import claim, fit, released_if_untrained, section, speaker, tuples
from interplay.training.settings import TrainingSettings
from interplay.training.shipped import find_model, shipped_models
from interplay.training.trainer import build_trainer, quiet_lightning, world_size
from interplay.training.writing import clear_write_errors


def train_recipe(
    recipe: str | Path | Mapping[str, Any],
    out: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    data: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Train, evaluate and save a scene-graph model.

    Args and errors are those of :func:`interplay.skeleton.run.train_recipe`.

    Returns:
        The content of ``result.json``.
    """
    resolved = resolved_recipe(resolve, recipe, overrides, data)
    return run_resolved(resolved, out, resume=resume, overwrite=overwrite, quiet=quiet, say=say)


def run_resolved(
    recipe: Mapping[str, Any],
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """:func:`train_recipe` for a recipe in which every key has its value already."""
    folder = RunFolder(out)
    line = speaker(say, quiet)
    keep_freed_memory()
    sections = Sections(recipe)
    if (held := claim(folder, recipe, line, resume=resume, overwrite=overwrite)) is not None:
        return held
    with released_if_untrained(folder):
        training = sections.training
        dataset = scenes_of(recipe["data"])
        pixels = sections.model.features == "pixels"
        kept = pixels and sections.input.maps == "keep"
        seen = pixels and (not kept or (sections.model.sil and sections.interaction.on == "image"))
        data = SceneData(dataset, sections.input, training.seed, world_size(training), with_pixels=seen)
        statistics = statistics_of(dataset, data.parts["train"], statistics_folder(sections.input.cache_folder))
        pl.seed_everything(training.seed, verbose=False)
        model = sections.build(dataset, statistics)
        maps: KeptMaps | None = None
        if kept:
            maps = KeptMaps.prepare(model.detector, data, sections.input.cache_folder, say=line)
        evaluator = evaluator_of(sections.evaluation, sections.model, dataset, statistics)
        task = SceneTask(
            model,
            sections.optimiser,
            sections.pairs,
            data.batch_size,
            training.seed,
            data,
            evaluator,
            None if maps is None else maps.of,
        )
        monitor = data.monitor(training.monitor, first_recall(evaluator()))
        training = replace(training, gradient_clip=training.gradient_clip or sections.optimiser.gradient_clip)
        with quiet_lightning(partly_frozen=pixels), clear_write_errors(folder.path):
            trainer, record = build_trainer(training, StepSchedule(sections.optimiser, monitor), folder, monitor, quiet)
            line(f"{dataset.name}: {expectation(data, model, training)}")
            if not fit(trainer, task, data, folder, line, resume):
                return {}
            result = finish(folder, recipe, trainer, record, task, data)
        line(f"{folder.path}: {headline(result)}")
        return result


class Sections:
    """The sections of a resolved recipe as the settings they stand for. InterplayError naming the section at fault."""

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        self.input = section(recipe, "input", SceneInput)
        self.detector = section(recipe, "detector", DetectorSource)
        self.model = section(recipe, "model", ModelSettings)
        self.interaction = section(recipe, "sil", SuperpixelSettings)
        self.pairs = section(recipe, "pairs", PairSampling)
        self.optimiser = section(recipe, "optimiser", SceneOptimiser)
        self.training = section(recipe, "training", TrainingSettings)
        self.evaluation = section(recipe, "evaluation", EvaluationSettings)
        self.head: dict[str, Any] = tuples(recipe["head"])

    def build(self, dataset: SceneDataset, statistics: SceneStatistics) -> SceneGraphModel:
        """The model with its starting weights."""
        detector = (
            None if self.model.features == "geometry" else self.detector.build(dataset.vocabulary, self.input.channels)
        )
        model = SceneGraphModel(dataset.vocabulary, statistics, self.model, self.head, detector, self.interaction)
        if self.model.weights is not None:
            begin_from(model, self.model.weights)
        return model


def begin_from(model: SceneGraphModel, weights: str) -> None:
    """Fill the relation side (everything behind the detector) from a model or a published checkpoint.

    Args:
        model: whose detector stays as it is.
        weights: as ``model.weights`` of the recipe.

    Raises:
        InterplayError: there is no such model, or it is of another kind or other widths.
    """
    if weights.endswith(".pth"):
        if model.settings.features == "geometry":
            raise InterplayError("model.weights: published checkpoints need model.features pixels")
        try:
            load_published_head(model.box_features, model.union_features, model.head, read_checkpoint(weights), weights)
        except ValueError as error:
            raise InterplayError(f"model.weights: {weights}: {error}") from None
        return
    folder = find_model(weights)
    if folder is None:
        known = ", ".join(shipped_models())
        raise InterplayError(
            f"model.weights: found no model {weights!r}, expected a folder, a .pth file or one of {known}"
        )
    source = SceneRecogniser.from_pretrained(str(folder)).network
    state = {name: value for name, value in source.state_dict().items() if not name.startswith("detector.")}
    own = {name: value.shape for name, value in model.state_dict().items() if not name.startswith("detector.")}
    for name in (*own, *state):
        if name not in own or name not in state or own[name] != state[name].shape:
            raise InterplayError(
                f"model.weights: {weights} does not fit this model: {name} is missing or of another shape"
            )
    model.load_state_dict(state, strict=False)


def scenes_of(section: Mapping[str, Any]) -> SceneDataset:
    """The data set of a recipe's ``data`` section. InterplayError if it holds no annotated pictures."""
    settings = dict(section)
    try:
        return open_scenes(settings.pop("name"), **settings)
    except ValueError as error:
        raise InterplayError(f"data: {error}") from None


def evaluator_of(
    settings: EvaluationSettings, model: ModelSettings, dataset: SceneDataset, statistics: SceneStatistics
) -> Callable[[], StreamingEvaluator]:
    """Makes evaluators of the recipe's protocol; groups of predicates follow the training counts."""
    counts = statistics.foreground.sum((0, 1))

    def make() -> StreamingEvaluator:
        try:
            return scene_evaluator(
                settings.protocol,
                len(dataset.vocabulary.predicates),
                model.task,
                settings.ks,
                dataset.zero_shot,
                long_tail_groups(counts),
                settings.relation_nms,
                settings.per_pair if settings.protocol == "vrd" else None,
            )
        except ValueError as error:
            raise InterplayError(f"evaluation: {error}") from None

    make()  # what is wrong with the settings is said before anything is trained
    return make


def first_recall(evaluator: StreamingEvaluator) -> str:
    """The figure that chooses the best epoch unless the recipe names one: recall at the largest K."""
    protocol = evaluator.settings()["protocol"]
    largest = max(evaluator.ks)
    return {"vg": f"R@{largest}", "openimages": "score_wtd", "vrd": f"predicate R@{largest} k=1"}[protocol]


def expectation(data: SceneData, model: SceneGraphModel, training: TrainingSettings) -> str:
    """What a run is going to do, in a line."""
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    frozen = sum(parameter.numel() for parameter in model.parameters()) - trained
    tested = ", ".join(f"{len(data.parts[part])} {part}" for part in data.evaluation_parts)
    return (
        f"{len(data.parts['train'])} training, {tested} pictures; {training.epochs} epochs of {data.steps} batches of "
        f"{data.batch_size}; {trained:,} weights to train, {frozen:,} frozen"
    )
