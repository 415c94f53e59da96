"""Long recordings: were the right interactions found at the right time?

An interval is right when its label is right and it overlaps the true one enough: intersection over union (IoU) of the
two spans of time, the temporal form of the detection criterion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from interplay.interactions import NONE_OF_THE_KNOWN, Interaction

Span = tuple[float, float]


def temporal_iou(first: Span, second: Span) -> float:
    """|A ∩ B| / |A ∪ B| of two spans (start, end) in seconds; 0 where both are empty."""
    overlap = min(first[1], second[1]) - max(first[0], second[0])
    if overlap <= 0:
        return 0.0
    return overlap / ((first[1] - first[0]) + (second[1] - second[0]) - overlap)


@dataclass(frozen=True, slots=True)
class IntervalResult:
    """Counts of intervals found, missed and invented; precision, recall and F1 follow.

    Args:
        hits: predicted intervals matched to a true one.
        predicted, true: how many there are of each.
        pairs: (recording, index of predicted, index of true, IoU) of every match.
    """

    hits: int
    predicted: int
    true: int
    pairs: tuple[tuple[str, int, int, float], ...]

    @property
    def precision(self) -> float:
        """hits / predicted; 1 where nothing was predicted: nothing wrong was said."""
        return self.hits / self.predicted if self.predicted else 1.0

    @property
    def recall(self) -> float:
        """hits / true; 1 where there was nothing to find."""
        return self.hits / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """2·hits / (predicted + true); 1 where both are zero."""
        total = self.predicted + self.true
        return 2 * self.hits / total if total else 1.0

    def to_dict(self) -> dict[str, float | int]:
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "hits": self.hits,
            "predicted": self.predicted,
            "true": self.true,
        }


def match(
    predicted: Sequence[Interaction], true: Sequence[Interaction], iou: float = 0.5, labels: bool = True
) -> list[tuple[int, int, float]]:
    """Pair predicted with true intervals of one recording, best-scored predictions first.

    Each prediction takes the free true interval (of the same label) that it overlaps most, if their IoU reaches
    ``iou``. "None of the known interactions" is no interval, on either side.

    Args:
        iou: smallest IoU of a match, in (0, 1].
        labels: False to ask only for the time, not for the name.

    Returns:
        (index of predicted, index of true, IoU), in order of the predictions.

    Raises:
        ValueError: an interval without start or end, or ``iou`` outside (0, 1].
    """
    if not 0 < iou <= 1:
        raise ValueError(f"iou must lie in (0, 1], got {iou}")
    spans_predicted = [_span(interval) for interval in predicted]
    spans_true = [_span(interval) for interval in true]
    free = {index for index, interval in enumerate(true) if interval.label != NONE_OF_THE_KNOWN}
    found = []
    for index in sorted(range(len(predicted)), key=lambda index: (-predicted[index].score, index)):
        if predicted[index].label == NONE_OF_THE_KNOWN:
            continue
        overlaps = [
            (temporal_iou(spans_predicted[index], spans_true[other]), -other)
            for other in free
            if not labels or true[other].label == predicted[index].label
        ]
        best, negative = max(overlaps, default=(0.0, 0))
        if best >= iou:
            free.remove(-negative)
            found.append((index, -negative, best))
    return sorted(found)


def interval_metrics(
    predicted: Mapping[str, Sequence[Interaction]],
    true: Mapping[str, Sequence[Interaction]],
    iou: float = 0.5,
    labels: bool = True,
) -> IntervalResult:
    """Precision, recall and F1 over recordings, counts pooled.

    Args:
        predicted, true: recording → its intervals. A recording that only one side names has none on the other.
    """
    pairs: list[tuple[str, int, int, float]] = []
    counts = [0, 0]
    for recording in sorted(set(predicted) | set(true)):
        mine, theirs = predicted.get(recording, ()), true.get(recording, ())
        pairs += [(recording, *pair) for pair in match(mine, theirs, iou, labels)]
        for side, intervals in enumerate((mine, theirs)):
            counts[side] += sum(interval.label != NONE_OF_THE_KNOWN for interval in intervals)
    return IntervalResult(len(pairs), counts[0], counts[1], tuple(pairs))


def _span(interval: Interaction) -> Span:
    if interval.start is None or interval.end is None:
        raise ValueError(f"an interval needs start and end, {interval.label!r} has {interval.start} … {interval.end}")
    return interval.start, interval.end
