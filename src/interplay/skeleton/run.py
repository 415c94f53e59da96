"""One training run of me-GCN, from a recipe to a finished run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from interplay.data.datasets import open_dataset
from interplay.errors import InterplayError
from interplay.skeleton.beginning import begin_with
from interplay.skeleton.datamodule import SkeletonData, TrainingInput, open_cache
from interplay.skeleton.expectation import expectation
from interplay.skeleton.network import MutualExcitationGCN
from interplay.skeleton.outcome import finish, headline
from interplay.skeleton.recipe import resolve
from interplay.skeleton.task import SkeletonTask
from interplay.training.allocation import keep_freed_memory
from interplay.training.callbacks import EpochSchedule
from interplay.training.folder import RunFolder
from interplay.training.recipes import nearest, resolved_recipe
from interplay.training.running import claim, fit, released_if_untrained, speaker, tuples
from interplay.training.settings import OptimiserSettings, TrainingSettings
from interplay.training.trainer import build_trainer, quiet_lightning, world_size
from interplay.training.writing import clear_write_errors

METRICS = ("loss", "top1", "mean_class")


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
    """Train, evaluate and save.

    Args:
        recipe: name of a shipped recipe, path of a YAML file, or the mapping itself.
        out: run folder; see :class:`~interplay.training.folder.RunFolder` for what it will hold.
        overrides: changed keys, nested or dotted: ``{"model.mte": False, "training": {"seed": 2}}``.
        data: another data set than the recipe's.
        resume: continue an unfinished run of the same recipe; of a finished one, return the result.
        overwrite: replace the run that the folder holds.
        quiet: no progress bar, no statement of cost, and no time spent on measuring it.
        say: where lines for the user go; standard error by default.

    Returns:
        The content of ``result.json``.

    Raises:
        InterplayError: a recipe, data set or folder that cannot be used; a loss that is not finite.
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
    settings = TrainingInput(**tuples(recipe["input"]))
    optimiser = OptimiserSettings(**tuples(recipe["optimiser"]))
    training = TrainingSettings(**recipe["training"])
    if (held := claim(folder, recipe, line, resume=resume, overwrite=overwrite)) is not None:
        return held
    with released_if_untrained(folder):
        data_settings = dict(recipe["data"])
        try:
            dataset = open_dataset(data_settings.pop("name"), **data_settings)
        except ValueError as error:
            raise InterplayError(f"data: {error}") from None
        cache = open_cache(dataset, settings, progress=not quiet)
        if cache.skipped:
            speaker(say, False)(f"{len(cache.skipped)} clips cannot be used; the first: {cache.skipped[0][1]}")
        module = SkeletonData(cache, settings, training.seed, world_size(training))
        monitor = _monitor(training, module)

        pl.seed_everything(training.seed, verbose=False)
        arguments = tuples(recipe["model"])
        try:
            network = MutualExcitationGCN(len(cache.classes), cache.layout, in_channels=module.in_channels, **arguments)
        except ValueError as error:
            raise InterplayError(f"model: {error}") from None
        if training.start_from is not None:
            line(f"{dataset.name}: {begin_with(network, training.start_from, settings.streams)}")
        task = SkeletonTask(network, optimiser, len(cache.classes), module.evaluation_parts)
        with quiet_lightning(), clear_write_errors(folder.path):
            trainer, record = build_trainer(training, EpochSchedule(optimiser, training.epochs), folder, monitor, quiet)
            if not quiet and trainer.is_global_zero:
                cost = expectation(network, module, training, trainer.precision_plugin)
                line(f"{dataset.name}: {cost}")
            if not fit(trainer, task, module, folder, line, resume):
                return {}
            result = finish(folder, recipe, trainer, record, task, module, dataset)
        line(f"{folder.path}: {headline(result)}")
        return result


def _monitor(training: TrainingSettings, module: SkeletonData) -> str:
    known = [f"{part}_{name}" for part in module.evaluation_parts for name in METRICS]
    if not known:  # a closed test set: nothing can be scored while training
        known = ["train_loss", "train_top1"]
    if training.monitor is None:
        return "train_loss" if known[0] == "train_loss" else f"{module.evaluation_parts[0]}_top1"
    if training.monitor not in known:
        hint = nearest(training.monitor, known)
        raise InterplayError(f"training.monitor: found {training.monitor!r}{hint} (one of {', '.join(known)})")
    return training.monitor
