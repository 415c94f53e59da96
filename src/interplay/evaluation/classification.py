"""One label per clip: accuracies, confusion, cross-entropy, and how sure each number is.

Every proportion is in [0, 1]. Samples without a known label are left out; functions that then have nothing to count
raise ValueError.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix as count_confusions

from interplay.evaluation.scores import Scores, log_softmax
from interplay.evaluation.uncertainty import Estimate, bootstrap, wilson

METRIC_NAMES: Mapping[str, str] = {
    "top1": "top-1",
    "top5": "top-5",
    "mean_class": "mean-class accuracy",
    "cross_entropy": "cross-entropy (nats)",
    "calibration_error": "calibration error (ECE)",
    "verb_top1": "verb top-1",
    "noun_top1": "noun top-1",
    "head_top1": "top-1, head classes",
    "tail_top1": "top-1, tail classes",
    "kept_as_known": "kept as known",
    "rejected_unlabelled": "unlabelled clips rejected",
}
"""Metric → its name for people."""


def is_proportion(metric: str) -> bool:
    """Whether a metric is a share, to be shown in per cent."""
    return metric not in ("cross_entropy", "calibration_error")


def ranks(scores: Scores) -> NDArray[np.int64]:
    """int64 (N,): how many classes stand before the true one (0: it is the best).

    Among equal scores the class with the lower index stands first, as in ``argmax``: a model that says the same for
    every class earns the accuracy of always answering class 0, not a perfect one.
    """
    labels = scores.labels
    true = np.take_along_axis(scores.logits, labels[:, None], axis=1)
    tied_before = (scores.logits == true) & (np.arange(len(scores.classes)) < labels[:, None])
    return np.asarray(((scores.logits > true) | tied_before).sum(axis=1), dtype=np.int64)


def top_k(scores: Scores, k: int = 1, seed: int = 0, resamples: int = 1000) -> Estimate:
    """Share of samples whose true class is among the k best, with its 95 % interval: Wilson's, or where samples share
    sources that of whole sources drawn (``seed`` and ``resamples`` are of these draws)."""
    known = _labelled(scores)
    return _share(ranks(known) < k, known.clusters, seed, resamples)


def _share(right: NDArray[np.bool_], clusters: NDArray[np.int64] | None, seed: int, resamples: int) -> Estimate:
    count, hits = len(right), int(right.sum())
    own = np.arange(count) if clusters is None else np.unique(clusters, return_inverse=True)[1].reshape(-1)
    number = int(own.max()) + 1
    if number == count:
        return wilson(hits, count)
    if hits in (0, count):  # every draw would say the same: as sure as that many sources are
        return replace(wilson(number if hits else 0, number), count=count)
    return bootstrap(lambda index: float(right[index].mean()), count, seed, resamples, sources=own)


def drawn(scores: Scores) -> str:
    """What intervals draw of the labelled samples: "samples", or "57 sources"."""
    clusters = _labelled(scores).clusters
    return "samples" if clusters is None else f"{int(clusters.max()) + 1} sources"


def confusion(scores: Scores) -> NDArray[np.int64]:
    """int64 (K, K): how many samples of class (row) were called class (column)."""
    known = _labelled(scores)
    counts = count_confusions(known.labels, known.predictions, labels=np.arange(len(known.classes)))
    return np.asarray(counts, dtype=np.int64)


def row_normalised(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64 (K, K): each row divided by its sum; NaN in the rows of classes that do not occur."""
    totals = counts.sum(axis=1, keepdims=True).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(totals > 0, counts / np.maximum(totals, 1.0), np.nan)


def mean_class_accuracy(counts: NDArray[np.int64]) -> float:
    """Mean over the classes that occur of their recall: every class weighs the same."""
    totals = counts.sum(axis=1)
    present = totals > 0
    return float((np.diag(counts)[present] / totals[present]).mean())


def cross_entropies(scores: Scores) -> NDArray[np.float64]:
    """float64 (N,): −log softmax(z)[label], in nats."""
    known = _labelled(scores)
    return -np.take_along_axis(log_softmax(known.logits), known.labels[:, None], axis=1)[:, 0]


def cross_entropy(scores: Scores, seed: int = 0, resamples: int = 1000) -> Estimate:
    """Mean cross-entropy in nats, with its 95 % percentile-bootstrap interval."""
    losses = cross_entropies(scores)
    clusters = _labelled(scores).clusters
    return bootstrap(lambda index: float(losses[index].mean()), len(losses), seed, resamples, sources=clusters)


def restricted_to_pair(scores: Scores, class_a: str | int, class_b: str | int) -> Scores:
    """The samples of two classes, and only these two classes' scores: a two-class problem, a = 0 and b = 1."""
    first, second = (_class_index(scores, name) for name in (class_a, class_b))
    if first == second:
        raise ValueError(f"two different classes are needed, got {class_a!r} twice")
    known = _labelled(scores)
    mine = known.select((known.labels == first) | (known.labels == second))
    if not len(mine):
        raise ValueError(f"no sample of {class_a!r} or {class_b!r}")
    return Scores(
        ids=mine.ids,
        logits=mine.logits[:, [first, second]],
        labels=(mine.labels == second).astype(np.int64),
        classes=(scores.classes[first], scores.classes[second]),
        sources=mine.sources,
    )


def pair_accuracy(scores: Scores, class_a: str | int, class_b: str | int) -> Estimate:
    """Accuracy between two classes, on their samples and with their logits only; chance is the larger share."""
    return top_k(restricted_to_pair(scores, class_a, class_b), 1)


def pair_cross_entropy(
    scores: Scores, class_a: str | int, class_b: str | int, seed: int = 0, resamples: int = 1000
) -> Estimate:
    """Mean two-class cross-entropy in nats. ln 2 is what a model without any information can reach."""
    return cross_entropy(restricted_to_pair(scores, class_a, class_b), seed, resamples)


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class in the table of classes; ``recall`` is the class's accuracy. NaN where nothing could be counted."""

    index: int
    name: str
    count: int
    correct: int
    recall: float
    low: float
    high: float
    precision: float
    f1: float
    most_confused_with: str
    confused: int


def per_class(scores: Scores) -> list[ClassRow]:
    """A row per class: recall with its interval (as :func:`top_k`), precision, F1, and what it is most taken for."""
    counts = confusion(scores)
    called = counts.sum(axis=0)
    known = scores.labelled
    right, clusters = known.predictions == known.labels, known.clusters
    rows = []
    for index, name in enumerate(scores.classes):
        total, correct = int(counts[index].sum()), int(counts[index, index])
        interval = Estimate(np.nan, np.nan, np.nan, 0)
        if total:
            mine = known.labels == index
            interval = _share(right[mine], None if clusters is None else clusters[mine], 0, 1000)
        precision = correct / called[index] if called[index] else np.nan
        union = total + int(called[index])
        others = counts[index].copy()
        others[index] = 0
        worst = int(others.argmax())
        rows.append(
            ClassRow(
                index=index,
                name=name,
                count=total,
                correct=correct,
                recall=interval.value,
                low=interval.low,
                high=interval.high,
                precision=float(precision),
                f1=2 * correct / union if union else float("nan"),
                most_confused_with=scores.classes[worst] if others[worst] else "",
                confused=int(others[worst]),
            )
        )
    return rows


@dataclass(frozen=True, slots=True)
class Confusion:
    """``count`` samples of class ``true`` were called ``predicted``; ``share`` of that class's samples."""

    true: str
    predicted: str
    count: int
    share: float


def most_confused(scores: Scores, number: int = 10) -> list[Confusion]:
    """The largest mistakes, by count and then by share of the true class."""
    counts = confusion(scores)
    totals = counts.sum(axis=1)
    pairs = [
        Confusion(scores.classes[i], scores.classes[j], int(counts[i, j]), float(counts[i, j] / totals[i]))
        for i, j in np.argwhere(counts > 0)
        if i != j
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share, pair.true, pair.predicted))[:number]


def metrics(scores: Scores, seed: int = 0, resamples: int = 1000) -> dict[str, Estimate]:
    """The numbers that are reported of one label per clip, with 95 % intervals (see :func:`drawn`).

    ``top1``, ``top5`` (where there are more than five classes), ``mean_class``, ``cross_entropy`` (nats),
    ``calibration_error`` (ECE, 15 bins, no interval); with verb and noun tables also ``verb_top1`` and ``noun_top1``,
    with a head list ``head_top1`` and ``tail_top1`` (see :mod:`interplay.evaluation.hands`).
    """
    from interplay.evaluation.calibration import expected_calibration_error
    from interplay.evaluation.hands import verb_noun_metrics

    known = _labelled(scores)
    labels, predictions, classes = known.labels, known.predictions, len(known.classes)
    cells = labels * classes + predictions

    def mean_class(index: NDArray[np.int64]) -> float:
        counts = np.bincount(cells[index], minlength=classes * classes).reshape(classes, classes)
        return mean_class_accuracy(counts)

    confidence, correct = known.probabilities.max(axis=1), predictions == labels
    found = {"top1": top_k(known, 1, seed, resamples)}
    if classes > 5:
        found["top5"] = top_k(known, 5, seed, resamples)
    found["mean_class"] = bootstrap(mean_class, len(known), seed, resamples, sources=known.clusters)
    found["cross_entropy"] = cross_entropy(known, seed, resamples)
    # Without an interval: resampling inflates this error (a gap cannot be negative), so a percentile interval would
    # not even hold the value.
    error = expected_calibration_error(confidence, correct)
    found["calibration_error"] = Estimate(error, np.nan, np.nan, len(known))
    return found | verb_noun_metrics(known)


def as_json(found: Mapping[str, Estimate]) -> dict[str, dict[str, float | int | None]]:
    """Plain values for ``result.json``: ``{"top1": {"value": …, "low": …, "high": …, "count": …}}``."""
    return {name: estimate.to_dict() for name, estimate in found.items()}


def per_class_csv(scores: Scores) -> str:
    """:func:`per_class` as CSV text with a header line."""
    return _csv([asdict(row) for row in per_class(scores)], list(ClassRow.__dataclass_fields__))


def confusion_csv(scores: Scores) -> str:
    """:func:`confusion` as CSV text: first column the true class, first line the predicted ones."""
    counts = confusion(scores)
    columns = ["true \\ predicted", *scores.classes]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([name, *row] for name, row in zip(scores.classes, counts.tolist(), strict=True))
    return text.getvalue()


def _csv(rows: list[dict[str, Any]], columns: list[str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return value


def _class_index(scores: Scores, name: str | int) -> int:
    if isinstance(name, str):
        if name not in scores.classes:
            raise ValueError(f"no class {name!r} among {', '.join(scores.classes)}")
        return scores.classes.index(name)
    if not 0 <= name < len(scores.classes):
        raise ValueError(f"class index must lie in 0…{len(scores.classes) - 1}, got {name}")
    return int(name)


def _labelled(scores: Scores) -> Scores:
    known = scores.labelled
    if not len(known):
        raise ValueError("no sample with a known label: nothing to score")
    return known
