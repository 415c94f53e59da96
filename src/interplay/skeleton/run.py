"""One training run of me-GCN, from a recipe to a finished run folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from interplay.data.datasets import open_dataset
from interplay.errors import InterplayError
from interplay.evaluation.classification import as_json, metrics
from interplay.evaluation.scores import Scores
from interplay.skeleton.datamodule import SkeletonData, TrainingInput, open_cache
from interplay.skeleton.expectation import expectation
from interplay.skeleton.network import MutualExcitationGCN
from interplay.skeleton.recipe import resolve
from interplay.skeleton.recogniser import SkeletonRecogniser
from interplay.skeleton.task import SkeletonTask
from interplay.training.allocation import keep_freed_memory
from interplay.training.environment import commit, environment, versions
from interplay.training.folder import RunFolder, is_first_process
from interplay.training.recipes import load_recipe, nearest, override_arguments
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
    where = "recipe" if isinstance(recipe, Mapping) else str(recipe)
    given = dict(recipe) if isinstance(recipe, Mapping) else load_recipe(recipe)
    resolved = resolve(given, override_arguments(overrides or {}), data, where)
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
    first = is_first_process()
    line = say or (lambda text: print(text, file=sys.stderr))
    keep_freed_memory()
    settings = TrainingInput(**_tuples(recipe["input"]))
    optimiser = OptimiserSettings(**_tuples(recipe["optimiser"]))
    training = TrainingSettings(**recipe["training"])
    # The folder is claimed before the data are read: what is wrong with it is said at once.
    if first:
        folder.begin(recipe, environment(), resume=resume, overwrite=overwrite)
        if folder.finished:
            if not quiet:
                line(f"{folder.path}: already finished")
            return folder.read_result()
    data_settings = dict(recipe["data"])
    dataset = open_dataset(data_settings.pop("name"), **data_settings)
    cache = open_cache(dataset, settings, progress=not quiet)
    if cache.skipped and first:
        line(f"{len(cache.skipped)} clips cannot be used; the first: {cache.skipped[0][1]}")
    module = SkeletonData(cache, settings, training.seed, world_size(training))
    monitor = _monitor(training, module)

    pl.seed_everything(training.seed, verbose=False)
    arguments = _tuples(recipe["model"])
    try:
        network = MutualExcitationGCN(len(cache.classes), cache.layout, in_channels=module.in_channels, **arguments)
    except ValueError as error:
        raise InterplayError(f"model: {error}") from None
    task = SkeletonTask(network, optimiser, len(cache.classes), module.evaluation_parts)
    with quiet_lightning(), clear_write_errors(folder.path):
        trainer, record = build_trainer(training, optimiser, folder, monitor, quiet)
        if not quiet and trainer.is_global_zero:
            cost = expectation(network, module, training, trainer.precision_plugin)
            line(f"{dataset.name}: {cost}")
        resumed = str(folder.last) if resume and folder.last.is_file() else None
        if resumed and first and not quiet:
            line(f"{folder.path}: resuming from the last checkpoint")
        try:
            trainer.fit(task, datamodule=module, ckpt_path=resumed, weights_only=True)
        except SystemExit:
            # Lightning turns Ctrl-C into an exit; the command line has its own code for it.
            if trainer.interrupted:
                raise KeyboardInterrupt from None
            raise
        if not trainer.is_global_zero:
            return {}
        result = _finish(folder, recipe, trainer, record, task, module)
    if not quiet:
        top = result["metrics"]["last"]["test"]["top1"]
        line(f"{folder.path}: test top-1 {100 * top['value']:.2f} % ({top['count']} clips) after the last epoch")
    return result


def _finish(
    folder: RunFolder,
    recipe: Mapping[str, Any],
    trainer: pl.Trainer,
    record: Any,
    task: SkeletonTask,
    module: SkeletonData,
) -> dict[str, Any]:
    """Scores, model and result of a trained network."""
    device = trainer.strategy.root_device
    network = task.trained.to(device).eval()
    parts = [part for part in module.parts if part != "train" or recipe["training"]["score_train"]]
    last: dict[str, Any] = {}
    for part in parts:
        scores = _scores(network, module, part, device, trainer.precision_plugin)
        scores.save(folder.scores(part))
        if part != "train" and len(scores.labelled):
            last[part] = as_json(metrics(scores))
    _save_model(folder, recipe, network.cpu(), module)
    best = record.best_row
    model = "megcn/" + str(recipe["data"]["name"])
    result = {
        "model": model,
        "dataset": recipe["data"]["name"],
        "protocol": {key: _without_root(value) for key, value in recipe.items()},
        "metrics": {"last": last, "best": best, "epochs": len(record.rows), "monitor": record.monitor},
        "count": {part: len(rows) for part, rows in module.parts.items()},
        "seed": recipe["training"]["seed"],
        "commit": commit(),
        "versions": versions(),
        "seconds": round(sum(row["seconds"] for row in record.rows), 3),
    }
    folder.write_result(result)
    return result


def _save_model(folder: RunFolder, recipe: Mapping[str, Any], network: torch.nn.Module, module: SkeletonData) -> None:
    cache = module.cache
    rate = cache.frames_per_second
    lengths = cache.lengths[module.parts["train"].numpy()]
    recogniser = SkeletonRecogniser(
        networks=[{"streams": list(module.settings.streams), "model": dict(recipe["model"])}],
        classes=list(cache.classes),
        layout=cache.layout.to_dict(),
        input=module.settings.form.to_dict(),
        entity_names=list(cache.entity_names),
        frames_per_second=rate,
        clip_seconds=None if rate is None else (float(np.median(lengths)) / rate, float(lengths.max()) / rate),
        data=_without_root(recipe["data"]),
        name=f"megcn-{recipe['data']['name']}",
    )
    recogniser.networks[0].load_state_dict(network.state_dict())
    recogniser.save_pretrained(folder.model)


def _scores(network: torch.nn.Module, module: SkeletonData, part: str, device: torch.device, precision: Any) -> Scores:
    rows, logits = [], []
    with torch.inference_mode(), precision.forward_context():
        for batch in module.iterate(part, device):
            rows.append(batch.rows)
            logits.append(network(batch.clips).float().cpu())
    index = torch.cat(rows)
    cache = module.cache
    return Scores(
        tuple(module.ids(index)), torch.cat(logits).numpy(), np.asarray(cache.labels[index.numpy()]), cache.classes
    )


def _monitor(training: TrainingSettings, module: SkeletonData) -> str:
    known = [f"{part}_{name}" for part in module.evaluation_parts for name in METRICS]
    if training.monitor is None:
        return f"{module.evaluation_parts[0]}_top1"
    if training.monitor not in known:
        hint = nearest(training.monitor, known)
        raise InterplayError(f"training.monitor: found {training.monitor!r}{hint} (one of {', '.join(known)})")
    return training.monitor


def _without_root(section: Any) -> Any:
    """A section without the place of the data on this machine."""
    return {key: value for key, value in section.items() if key != "root"} if isinstance(section, Mapping) else section


def _tuples(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in section.items()}
