"""What every training run does alike: claim its folder, fit, say what it is doing, and sum up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import lightning.pytorch as pl

from interplay.errors import InterplayError
from interplay.training.callbacks import RunRecord
from interplay.training.environment import commit, environment, versions
from interplay.training.folder import RunFolder, is_first_process
from interplay.training.places import data_without_places

Say = Callable[[str], None]
Settings = TypeVar("Settings")


def speaker(say: Say | None, quiet: bool) -> Say:
    """Where lines for the user go: standard error by default, nowhere when quiet or in any process but the first."""
    if quiet or not is_first_process():
        return lambda text: None
    return say or (lambda text: print(text, file=sys.stderr))


def claim(
    folder: RunFolder, recipe: Mapping[str, Any], say: Say, *, resume: bool = False, overwrite: bool = False
) -> dict[str, Any] | None:
    """Claim the folder before anything is read, so that what is wrong with it is said at once.

    Returns:
        The result of the run that the folder holds, if that is finished and is to be resumed; else None.
    """
    if not is_first_process():
        return None
    folder.begin(recipe, environment(), resume=resume, overwrite=overwrite)
    if not folder.finished:
        return None
    say(f"{folder.path}: already finished")
    return folder.read_result()


@contextmanager
def released_if_untrained(folder: RunFolder) -> Iterator[None]:
    """A start that fails, because the data are not where they were said to be, say, leaves the claimed folder free.

    What the run was to overwrite comes back then, also after Ctrl-C; it goes when something was trained.
    """
    try:
        yield
    except BaseException as error:
        if is_first_process() and (isinstance(error, Exception) or folder.replaced.exists()):
            folder.release()
            folder.discard()
        raise
    if is_first_process():
        folder.discard()


def fit(
    trainer: pl.Trainer,
    task: pl.LightningModule,
    data: pl.LightningDataModule,
    folder: RunFolder,
    say: Say,
    resume: bool = False,
) -> bool:
    """Train, from the last checkpoint where there is one to resume.

    Returns:
        Whether this process is the one that sums up.

    Raises:
        KeyboardInterrupt: Ctrl-C, which Lightning turns into an exit; the command line has its own code for it.
    """
    last = str(folder.last) if resume and folder.last.is_file() else None
    if last:
        say(f"{folder.path}: resuming from the last checkpoint")
    try:
        trainer.fit(task, datamodule=data, ckpt_path=last, weights_only=True)
    except SystemExit:
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    return trainer.is_global_zero


def summary(
    model: str,
    recipe: Mapping[str, Any],
    last: Mapping[str, Any],
    record: RunRecord,
    counts: Mapping[str, int],
) -> dict[str, Any]:
    """The content of ``result.json``.

    Args:
        model: name of the trained model.
        recipe: resolved; places on this machine are left out.
        last: figures after the last epoch, per part.
        record: of the epochs.
        counts: samples of each part.
    """
    return {
        "model": model,
        "dataset": recipe["data"]["name"],
        "protocol": {
            key: data_without_places(value) if key == "data" else without_places(value) for key, value in recipe.items()
        },
        "metrics": {
            "last": dict(last),
            "best": record.best_row,
            "monitor": record.monitor,
            "epochs": len(record.rows),
        },
        "count": dict(counts),
        "seed": recipe["training"]["seed"],
        "commit": commit(),
        "versions": versions(),
        "seconds": round(sum(row["seconds"] for row in record.rows), 3),
    }


PLACES = ("root", "cache_folder", "weights", "word_vectors", "begin_from", "structure_from")


def without_places(section: Any) -> Any:
    """A section of a recipe without places on this machine; of ``data``, :func:`data_without_places` knows them."""
    return (
        {key: value for key, value in section.items() if key not in PLACES} if isinstance(section, Mapping) else section
    )


def history(result: Mapping[str, Any], samples: str) -> str:
    """What a model card says of the training: epochs, data, seed, commit. ``samples``: clips, pictures."""
    counts = ", ".join(f"{count} {part}" for part, count in result["count"].items())
    settings = ", ".join(f"{key} {value}" for key, value in result["protocol"]["data"].items())
    commit_text = f", commit {result['commit']}" if result["commit"] else ""
    return (
        f"{result['metrics']['epochs']} epochs on {settings} ({counts} {samples}), seed {result['seed']}{commit_text}. "
        "The weights are those after the last epoch."
    )


def tuples(section: Mapping[str, Any]) -> dict[str, Any]:
    """Constructor arguments from YAML or JSON, in which tuples are lists."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in section.items()}


def plain(section: Mapping[str, Any]) -> dict[str, Any]:
    """The other way: for YAML or JSON."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in section.items()}


def section(recipe: Mapping[str, Any], name: str, kind: Callable[..., Settings]) -> Settings:
    """A section of a resolved recipe as the settings it stands for. InterplayError naming the section at fault."""
    try:
        return kind(**tuples(recipe[name]))
    except ValueError as error:
        raise InterplayError(f"{name}: {error}") from None
