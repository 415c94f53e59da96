"""``interplay evaluate MODEL``, or ``--predictions FILE``: how good, how sure, under which protocol."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from interplay.errors import InterplayError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interplay.studies.evaluation import Evaluation
    from interplay.studies.scene_evaluation import SceneEvaluation

SIMULATED = ("playground", "hands", "playground_scenes", "playground_videos")
"""Data sets that need no folder."""
EPILOGUE = """A data set's own settings are given as --data.KEY VALUE (--data.test_fold 2, --data.benchmark xview);
see `interplay list datasets`. Left out, the data set and its settings are those that the model was trained with,
except that no fold is held out unless --data.test_fold asks for it: every clip of the folder is scored.
Several models are fused by sample. Several --predictions files are the parts of one protocol (folds), or with --fuse
several models' scores of the same samples. With --protocol the one file holds annotated and predicted scene graphs
(.npz, .json, .jsonl; docs/scene_evaluation.md)."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="interplay evaluate",
        description="Score a model on a data set, or scores from files.",
        epilog=EPILOGUE,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("models", nargs="*", metavar="MODEL", help="shipped names, model or run folders, hub ids")
    made.add_argument("--predictions", nargs="+", metavar="FILE", help="score files (.npz) instead of models")
    made.add_argument("--data", metavar="NAME", help="data set (default: the one that the model was trained with)")
    made.add_argument("--data.root", metavar="DIR", help="where it is", dest="root")
    made.add_argument("--part", default="test", help="train, validation, test … or all (test)")
    made.add_argument("--out", metavar="DIR", help="write result.json, scores.npz, per_class.csv and confusion.csv")
    made.add_argument("--fuse", action="store_true", help="the files hold several models' scores of the same samples")
    made.add_argument("--weights", nargs="+", type=float, metavar="W", help="of the fused models (all 1)")
    made.add_argument(
        "--fuse-of", choices=("logits", "probabilities"), default="logits", help="what is summed (logits)"
    )
    made.add_argument("--json", action="store_true", help="print the result as JSON instead of a table")
    made.add_argument("--strict", action="store_true", help="a clip that cannot be read ends the evaluation")
    made.add_argument("--batch", type=int, default=32, metavar="N", help="clips at a time (32)")
    made.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    made.add_argument("--seed", type=int, default=0, help="of the bootstrap intervals (0)")
    scenes = made.add_argument_group("scene graphs")
    scenes.add_argument("--protocol", choices=("vg", "openimages", "vrd"), help="score --predictions FILE under it")
    scenes.add_argument("--task", choices=("predcls", "sgcls", "sggen", "sgdet"), help="(what the file says, or sggen)")
    scenes.add_argument("--at", nargs="+", type=int, metavar="K", help="cut-offs of the recalls (the protocol's)")
    scenes.add_argument("--relation-nms", choices=("none", "penet", "corrected"), default="none", help="vg (none)")
    scenes.add_argument("--per-pair", nargs="+", type=int, metavar="k", help="vrd: predicates kept a pair (1 10 70)")
    scenes.add_argument("--resamples", type=int, default=1000, metavar="N", help="of the intervals, 0 for none (1000)")
    return made


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    words, overrides = split_data_settings(argv)
    arguments = parser().parse_args(words)
    if bool(arguments.models) == bool(arguments.predictions):
        raise InterplayError("evaluate: expected either models or --predictions FILE")
    if arguments.batch < 1:
        raise InterplayError(f"--batch: found {arguments.batch}, expected at least 1")
    if arguments.protocol and arguments.predictions:
        return _show(_evaluate_scenes(arguments, overrides), arguments)
    if arguments.models and (found_others := _evaluate_others(arguments, overrides)) is not None:
        return _show(found_others, arguments)
    count = len(arguments.models or arguments.predictions)
    weights = arguments.weights
    if weights is not None and (len(weights) != count or min(weights) < 0 or not 0 < sum(weights) < float("inf")):
        raise InterplayError(f"--weights: found {weights}, expected {count} non-negative numbers, not all zero")
    if arguments.predictions:
        if arguments.data or arguments.root or overrides:
            raise InterplayError("evaluate --predictions: scores carry their labels, --data has nothing to do")
        from interplay.studies.evaluation import evaluate_files

        found = evaluate_files(
            arguments.predictions,
            fused=arguments.fuse,
            weights=weights,
            fuse_of=arguments.fuse_of,
            seed=arguments.seed,
        )
    else:
        found = _evaluate_models(arguments, overrides)
    return _show(found, arguments)


def _show(found: Evaluation | SceneEvaluation, arguments: argparse.Namespace) -> int:
    if arguments.out:
        found.write(arguments.out)
    if arguments.json:
        print(json.dumps(found.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(found.table() if hasattr(found, "table") else table(found))
    if arguments.out and not arguments.json:
        print(f"written: {arguments.out}")
    return 0


def _evaluate_scenes(arguments: argparse.Namespace, overrides: Sequence[str]) -> SceneEvaluation:
    if not arguments.predictions or len(arguments.predictions) != 1:
        raise InterplayError("evaluate --protocol: expected --predictions with one file")
    if arguments.data or arguments.root or overrides or arguments.fuse or arguments.weights:
        raise InterplayError("evaluate --protocol: the file carries its annotations; expected no --data, no --fuse")
    if arguments.resamples == 1 or arguments.resamples < 0:
        raise InterplayError(f"--resamples: found {arguments.resamples}, expected 0 or at least 2")
    from interplay.studies.scene_evaluation import evaluate_scene_predictions

    with progress_bar(arguments.json) as progress:
        return evaluate_scene_predictions(
            arguments.predictions[0],
            arguments.protocol,
            task=arguments.task,
            ks=arguments.at,
            relation_nms=arguments.relation_nms,
            per_pair=arguments.per_pair,
            resamples=arguments.resamples,
            seed=arguments.seed,
            progress=progress,
        )


def _evaluate_others(arguments: argparse.Namespace, overrides: Sequence[str]) -> SceneEvaluation | Evaluation | None:
    """A model of scene graphs on annotated pictures, or one for videos; None where the models are for skeletons."""
    from interplay.loading import load
    from interplay.skeleton.recogniser import SkeletonRecogniser
    from interplay.video.recogniser import VideoRecogniser

    first = load(arguments.models[0], device=arguments.device)
    if isinstance(first, SkeletonRecogniser | VideoRecogniser) and arguments.protocol:
        kind = "skeletons" if isinstance(first, SkeletonRecogniser) else "videos"
        raise InterplayError(f"--protocol: {first.name} is a model for {kind}, expected one for pictures")
    if isinstance(first, SkeletonRecogniser):
        return None
    if isinstance(first, VideoRecogniser):
        from interplay.cli.evaluate_videos import evaluate_videos

        return evaluate_videos(first, arguments, overrides)
    from interplay.scene.recogniser import SceneRecogniser
    from interplay.studies.scene_models import evaluate_scene_model

    assert isinstance(first, SceneRecogniser)
    if len(arguments.models) > 1:
        raise InterplayError(f"evaluate: found {len(arguments.models)} models, expected one for pictures")
    name, settings, _ = data_settings(first.data, arguments.data, arguments.root, overrides)
    with progress_bar(arguments.json) as progress:
        return evaluate_scene_model(
            first,
            {"name": name, **settings},
            arguments.part,
            arguments.protocol,
            ks=arguments.at,
            relation_nms=arguments.relation_nms,
            per_pair=arguments.per_pair,
            batch_size=1,
            resamples=arguments.resamples,
            seed=arguments.seed,
            progress=progress,
        )


def _evaluate_models(arguments: argparse.Namespace, overrides: Sequence[str]) -> Evaluation:
    from interplay.data.datasets import open_dataset
    from interplay.loading import load_skeletons
    from interplay.studies.evaluation import evaluate_models
    from interplay.training.allocation import keep_freed_memory

    keep_freed_memory()
    recognisers = [load_skeletons(model, device=arguments.device) for model in arguments.models]
    name, settings, note = data_settings(recognisers[0].data, arguments.data, arguments.root, overrides)
    try:
        dataset = open_dataset(name, **settings)
    except (TypeError, ValueError) as error:
        if isinstance(error, InterplayError):
            raise
        raise InterplayError(f"--data {name}: {error}") from None
    with progress_bar(arguments.json) as progress:
        found = evaluate_models(
            recognisers,
            dataset,
            settings,
            arguments.part,
            weights=arguments.weights,
            fuse_of=arguments.fuse_of,
            batch_size=arguments.batch,
            strict=arguments.strict,
            seed=arguments.seed,
            progress=progress,
        )
    if note:
        from dataclasses import replace

        found = replace(found, notes=(*found.notes, note))
    return found


def split_data_settings(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """``--data.KEY VALUE`` pairs apart from everything else; ``--data.root`` stays with the rest."""
    rest: list[str] = []
    settings: list[str] = []
    words = iter(argv)
    for word in words:
        key, equals, _ = word.partition("=")
        if not key.startswith("--data.") or key == "--data.root":
            rest.append(word)
            continue
        value = "" if equals else next(words, None)
        if value is None:
            raise InterplayError(f"{key}: expected a value")
        settings.append(word if equals else f"{word}={value}")
    return rest, settings


def data_settings(
    trained: Mapping[str, Any], name: str | None, root: str | None, overrides: Sequence[str]
) -> tuple[str, dict[str, Any], str]:
    """(data set, its settings, a remark): what the model was trained with, changed by what the command line says.

    Raises:
        InterplayError: no data set named anywhere, or a setting that it does not have (the nearest one is named).
    """
    from interplay.data.datasets import dataset_class
    from interplay.training.places import data_at
    from interplay.training.recipes import RecipeParser, Section

    mine = trained.get("name")
    name = name or (str(mine) if mine else None)
    if name is None:
        raise InterplayError("the model does not say which data it was trained with; expected --data NAME")
    checker = RecipeParser({"data": Section(dataset_class(name))}, {"data.name": str})
    given = {word[2:].partition("=")[0] for word in overrides}
    recipe: dict[str, Any] = data_at(trained, root) if name == mine else {}
    remark = ""
    if "data.test_fold" in checker.keys and "data.test_fold" not in given:
        if recipe.get("test_fold") is not None:
            remark = (
                f"the model was trained with fold {recipe['test_fold']} held out, and every fold given is scored: "
                f"only --data.test_fold {recipe['test_fold']} tests it on clips that it has not seen, if these are "
                "the recordings it was trained on"
            )
        recipe["test_fold"] = None
    if {"data.folds", "data.fold"} <= set(checker.keys) and not given & {"data.folds", "data.fold"}:
        if recipe.get("folds", 1) != 1:
            folds, fold = recipe["folds"], recipe.get("fold", 0)
            remark = (
                f"the model was trained without fold {fold} of {folds}, and every video given is scored: only "
                f"--data.folds {folds} --data.fold {fold} tests it on videos that it has not seen, if these are those "
                "that it was trained on"
            )
        recipe.update(folds=1, fold=0, validation=False)
    recipe["name"] = name
    words = list(overrides)
    if root is not None:
        words.append(f"--data.root={root}")
    settings = dict(checker.resolve({"data": recipe}, words, "evaluate")["data"])
    settings.pop("name")
    if "root" in settings and settings["root"] is None and name not in SIMULATED:
        raise InterplayError(f"--data {name}: expected --data.root DIR, where the data set is")
    return name, settings, remark


def table(found: Evaluation) -> str:
    """The result for people."""
    from interplay.evaluation.classification import METRIC_NAMES, is_proportion, most_confused

    where = f" on {found.dataset}, part {found.protocol['part']}" if found.dataset else ""
    lines = [f"{found.model}{where}: {len(found.scores)} clips"]
    width = max((len(METRIC_NAMES.get(name, name)) for name in found.metrics), default=0)
    for name, estimate in found.metrics.items():
        proportion = is_proportion(name)
        text = estimate.percent() if proportion else estimate.plain()
        spread = found.over_folds.get(name)
        if spread is not None:
            over = spread.percent() if proportion else f"{spread.mean:.3f} ± {spread.deviation:.3f}"
            text += f"   over {len(spread.values)} parts: {over}"
        lines.append(f"  {METRIC_NAMES.get(name, name):<{width}}  {text}")
    if found.metrics:
        lines.append("  (95 % confidence intervals in brackets)")
    if len(found.scores.labelled):
        for pair in most_confused(found.scores, 5):
            lines.append(f"  {pair.count} × {pair.true} called {pair.predicted} ({100 * pair.share:.0f} % of them)")
    lines += [f"  note: {note}" for note in found.notes]
    return "\n".join(lines)


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar with the time left on a terminal, nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("scoring", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
