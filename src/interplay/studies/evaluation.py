"""Models on a data set, or scores from files: the numbers, the protocol behind them, and the files that keep both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.datasets import SkeletonDataset
from interplay.errors import InterplayError
from interplay.evaluation.classification import as_json, confusion_csv, drawn, metrics, per_class_csv
from interplay.evaluation.protocols import across_folds
from interplay.evaluation.scores import UNKNOWN, Scores, fuse
from interplay.evaluation.uncertainty import Estimate, Spread, wilson
from interplay.graph.layouts import load_layout
from interplay.skeleton.inputs import check_clip
from interplay.skeleton.prediction import prepare_clip
from interplay.skeleton.recogniser import SkeletonRecogniser
from interplay.training.environment import commit, versions
from interplay.training.writing import write_whole

FuseOf = Literal["logits", "probabilities"]


@dataclass(frozen=True)
class Evaluation:
    """What came out, and everything that moves it.

    Args:
        model, dataset: names.
        scores: of every clip that could be read.
        metrics: name → value with its interval.
        protocol: every switch that moves the number.
        over_folds: mean ± deviation over the parts, where several parts were pooled.
        notes: what the reader has to know.
        skipped: one line per clip that could not be used.
    """

    model: str
    dataset: str
    scores: Scores
    metrics: Mapping[str, Estimate]
    protocol: Mapping[str, Any]
    over_folds: Mapping[str, Spread] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The content of ``result.json``."""
        found: dict[str, Any] = {
            "model": self.model,
            "dataset": self.dataset,
            "protocol": dict(self.protocol),
            "metrics": as_json(self.metrics),
            "count": len(self.scores),
            "seed": self.seed,
            "commit": commit(),
            "versions": versions(),
            "skipped": list(self.skipped),
            "notes": list(self.notes),
        }
        if self.over_folds:
            found["over_folds"] = {name: value.to_dict() for name, value in self.over_folds.items()}
        return found

    def write(self, folder: str | Path) -> None:
        """``scores.npz``, ``per_class.csv``, ``confusion.csv`` and, last, ``result.json``; each whole or not at all."""
        folder = Path(folder)
        self.scores.save(folder / "scores.npz")
        if len(self.scores.labelled):
            write_whole(folder / "per_class.csv", per_class_csv(self.scores))
            write_whole(folder / "confusion.csv", confusion_csv(self.scores))
        write_whole(folder / "result.json", json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n")


def evaluate_models(
    recognisers: Sequence[SkeletonRecogniser],
    dataset: SkeletonDataset,
    settings: Mapping[str, Any],
    part: str = "test",
    *,
    weights: Sequence[float] | None = None,
    fuse_of: FuseOf = "logits",
    batch_size: int = 32,
    strict: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score a part of a data set; several models are fused by sample (streams trained apart).

    Labels are matched by class name: a clip whose class the model does not know is scored but has no label. A clip
    that cannot be read is skipped and named.

    Args:
        settings: of the data set, for the protocol (without its place on this machine).
        part: ``train``, ``validation``, ``test`` … as the data set has them, or ``all``.
        strict: a clip that cannot be used is an error.
        progress: called with (clips done, clips in all).

    Raises:
        InterplayError: models with different classes, no such part, nothing to score, or (strict) a bad clip.
    """
    first = recognisers[0]
    for other in recognisers[1:]:
        if other.classes != first.classes:
            raise InterplayError(f"{other.name}: found other classes than those of {first.name}, expected the same")
    indices = part_indices(dataset, part)
    label_of, strange = match_labels(dataset.classes, first.classes)
    notes, skipped, ids = [], list[str](), list[str]()
    labels: list[int] = []
    logits: list[list[NDArray[np.float32]]] = [[] for _ in recognisers]
    mapped = load_layout(dataset.layout) != first.layout
    for batch in _batches(dataset, indices, first, mapped, batch_size, strict, skipped):
        for recogniser, rows in zip(recognisers, logits, strict=True):
            rows.append(np.asarray(recogniser.scores(batch, batch_size)))
        ids += [clip.id for clip in batch]
        labels += [UNKNOWN if clip.label is None else int(label_of[clip.label]) for clip in batch]
        if progress is not None:
            progress(len(ids) + len(skipped), len(indices))
    if not ids:
        cause = f"; the first problem: {skipped[0]}" if skipped else ""
        raise InterplayError(f"{dataset.name}: part {part!r} has no clip that can be scored{cause}")
    tables = _tables(dataset, first.classes)
    known = np.array(labels, dtype=np.int64)
    single = [Scores(tuple(ids), np.concatenate(rows), known, first.classes, **tables) for rows in logits]
    scores = single[0] if len(single) == 1 else fuse(single, weights, fuse_of)
    if mapped:
        notes.append(f"joints mapped from {dataset.layout.name} to {first.layout.name}")
    if strange:
        notes.append(f"classes that the model does not know, left out of the metrics: {', '.join(strange)}")
    if skipped:
        notes.append(f"{len(skipped)} clips could not be used; the first: {skipped[0]}")
    protocol: dict[str, Any] = {
        "data": {"name": dataset.name, **{key: _plain(value) for key, value in settings.items() if key != "root"}},
        "part": part,
        "models": [
            {"name": one.name, "streams": [list(streams) for streams in one.streams], "input": one.settings.to_dict()}
            for one in recognisers
        ],
        "joints_mapped": mapped,
        "intervals": {"confidence": 0.95, "bootstrap_seed": seed, "resamples": 1000},
    }
    if len(single) > 1:
        protocol["fusion"] = {"of": fuse_of, "weights": list(weights) if weights else [1.0] * len(single)}
    found = numbers(scores, seed)
    if not found:
        notes.append("no clip has a known label: there are scores, but no metrics")
    threshold = first.unknown_threshold if len(recognisers) == 1 else None
    if threshold is not None:
        protocol["unknown_threshold"] = threshold
        kept = scores.probabilities.max(axis=1) >= threshold
        for name, which, what in (
            ("kept_as_known", scores.labels != UNKNOWN, kept),
            ("rejected_unlabelled", scores.labels == UNKNOWN, ~kept),
        ):
            if which.any():
                found[name] = wilson(int(what[which].sum()), int(which.sum()))
    name = " + ".join(one.name for one in recognisers)
    return Evaluation(name, dataset.name, scores, found, protocol, {}, tuple(notes), tuple(skipped), seed)


def evaluate_files(
    files: Sequence[str | Path],
    *,
    fused: bool = False,
    weights: Sequence[float] | None = None,
    fuse_of: FuseOf = "logits",
    seed: int = 0,
) -> Evaluation:
    """Numbers of saved scores. Several files are the parts of one protocol (folds), or with ``fused`` several models'
    scores of the same samples.

    Raises:
        InterplayError: an unreadable file, or files that do not belong together.
    """
    loaded = [Scores.load(file) for file in files]
    protocol: dict[str, Any] = {
        "predictions": [Path(file).name for file in files],
        "intervals": {"confidence": 0.95, "bootstrap_seed": seed, "resamples": 1000},
    }
    name = " + ".join(Path(file).name for file in files)
    over: Mapping[str, Spread] = {}
    notes: list[str] = []
    if len(loaded) == 1:
        scores = loaded[0]
        found = numbers(scores, seed)
    elif fused:
        scores = fuse(loaded, weights, fuse_of)
        protocol["fusion"] = {"of": fuse_of, "weights": list(weights) if weights else [1.0] * len(loaded)}
        found = numbers(scores, seed)
    else:
        for file, part in zip(files, loaded, strict=True):
            if not len(part.labelled):
                raise InterplayError(f"{file}: found no known label, expected labels in every part")
        try:
            folds = across_folds({str(index): part for index, part in enumerate(loaded)}, seed)
        except InterplayError as error:
            raise InterplayError(
                f"{error} (several models' scores of the same samples are combined by --fuse)"
            ) from None
        scores, found, over = folds.scores, dict(folds.pooled), folds.over_folds
        protocol["parts"] = len(loaded)
        notes.append(f"{len(loaded)} parts: metrics are of all samples together, over_folds weighs every part the same")
    if not found:
        notes.append("no sample has a known label: nothing to measure")
    notes += say_what_is_drawn(scores, protocol)
    return Evaluation(name, "", scores, found, protocol, over, tuple(notes), (), seed)


def numbers(scores: Scores, seed: int = 0) -> dict[str, Estimate]:
    """:func:`interplay.evaluation.classification.metrics`, or nothing where no label is known."""
    return metrics(scores, seed) if len(scores.labelled) else {}


def say_what_is_drawn(scores: Scores, protocol: dict[str, Any]) -> list[str]:
    """Put into the protocol what intervals draw where it is not single samples; a note for people then."""
    what = drawn(scores) if len(scores.labelled) else "samples"
    if what == "samples":
        return []
    protocol["intervals"]["drawn"] = what
    return [f"intervals draw whole sources of clips ({what} of {len(scores.labelled)} clips), not single clips"]


def part_indices(dataset: SkeletonDataset, part: str) -> NDArray[np.int64]:
    """Clips of a part of the data set; ``all`` for every clip."""
    if part == "all":
        return np.arange(len(dataset), dtype=np.int64)
    parts = dataset.parts()
    if part not in parts:
        raise InterplayError(f"{dataset.name}: found no part {part!r}, expected one of {', '.join(parts)}, all")
    return np.asarray(parts[part], dtype=np.int64)


def match_labels(data: Sequence[str], model: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """The model's class index of each class of the data set by name (:data:`UNKNOWN` for none), and the unmatched.

    Raises:
        InterplayError: not one class in common.
    """
    position = {name: index for index, name in enumerate(model)}
    indices = np.array([position.get(name, UNKNOWN) for name in data], dtype=np.int64)
    if len(data) and (indices == UNKNOWN).all():
        raise InterplayError(
            f"the model and the data set have no class in common: {', '.join(model[:4])} … and {', '.join(data[:4])} …"
        )
    return indices, [name for name, index in zip(data, indices, strict=True) if index == UNKNOWN]


def _batches(
    dataset: SkeletonDataset,
    indices: NDArray[np.int64],
    recogniser: SkeletonRecogniser,
    mapped: bool,
    size: int,
    strict: bool,
    skipped: list[str],
) -> Iterator[list[SkeletonClip]]:
    batch: list[SkeletonClip] = []
    for index in indices:
        try:
            clip = dataset.read(int(index))
            if mapped:
                clip, _ = prepare_clip(recogniser, clip)
            check_clip(clip, recogniser.layout)
        except InterplayError as error:
            if strict:
                raise
            skipped.append(str(error))
            continue
        batch.append(clip)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _tables(dataset: SkeletonDataset, classes: Sequence[str]) -> dict[str, Any]:
    """Verb, noun and head tables, where the data set has them and the classes are its own."""
    table = getattr(dataset, "table", None)
    if table is None or tuple(dataset.classes) != tuple(classes) or not hasattr(table, "verb_of"):
        return {}
    tables: dict[str, Any] = {"verbs": table.verb_of, "nouns": table.noun_of}
    split = getattr(dataset, "head_and_tail", None)
    if split is not None:
        head = np.zeros(len(classes), dtype=np.bool_)
        head[split[0]] = True
        tables["head"] = head
    return tables


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | dict) or value is None else str(value)
