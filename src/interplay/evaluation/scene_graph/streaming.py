"""What the evaluators of all protocols share: images one by one, parts of a data set joined, figures at any moment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interplay.evaluation.scene_graph.groups import Groups, checked_groups
from interplay.evaluation.scene_graph.images import GroundTruth, Predicted
from interplay.evaluation.scene_graph.matching import NEVER, Ranks
from interplay.evaluation.scene_graph.rows import Floats, Rows, RowStore, Shares, Totals

PER_PREDICATE = " per predicate"
FOLD = 200
"""Images between two foldings into sums, where images are not kept."""


@dataclass(frozen=True, eq=False)
class SceneGraphResult:
    """Figures of one evaluation, fractions of 1; NaN where nothing was asked (no zero-shot relation, say).

    Args:
        settings: every switch that moves the numbers.
        metrics: name → value, e.g. ``"mR@50"``.
        counts: images, images with relations, relations, …
        per_predicate: name → (P − 1,), predicates 1, 2, ….
        per_image: name → values of the images that count, by ascending number; empty if images were not kept.
        image_numbers: numbers of the images with relations, in the order of ``per_image``.
    """

    settings: Mapping[str, Any]
    metrics: Mapping[str, float]
    counts: Mapping[str, int]
    per_predicate: Mapping[str, Floats] = field(default_factory=dict)
    per_image: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    image_numbers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def to_dict(self) -> dict[str, Any]:
        """For JSON; NaN becomes None. Per-image values are left out."""
        return {
            "settings": dict(self.settings),
            "metrics": {name: _plain(value) for name, value in self.metrics.items()},
            "counts": dict(self.counts),
            "per_predicate": {name: [_plain(one) for one in values] for name, values in self.per_predicate.items()},
        }


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


class ZeroShot:
    """The triplets that training never shows; asked for the relations of one image at a time."""

    def __init__(self, triplets: ArrayLike | None) -> None:
        rows = np.zeros((0, 3), np.int64) if triplets is None else np.asarray(triplets)
        if rows.size == 0:
            rows = rows.reshape(0, 3).astype(np.int64)
        if rows.ndim != 2 or rows.shape[1] != 3 or rows.dtype.kind not in "iu":
            raise ValueError(
                f"zero-shot triplets: found {rows.dtype} of shape {rows.shape}, expected integer rows "
                "(subject class, object class, predicate)"
            )
        self._known = {tuple(row) for row in rows.tolist()}

    def __len__(self) -> int:
        return len(self._known)

    def __call__(self, truth: GroundTruth) -> NDArray[np.bool_]:
        """(Q,)"""
        if not self._known:
            return np.zeros(len(truth.relations), dtype=np.bool_)
        ends = truth.labels[truth.relations[:, :2]].tolist()
        predicates = truth.relations[:, 2].tolist()
        return np.array(
            [(*pair, predicate) in self._known for pair, predicate in zip(ends, predicates, strict=True)],
            dtype=np.bool_,
        )


class StreamingEvaluator(ABC):
    """Images go in one at a time, figures come out at any moment; parts evaluated elsewhere are merged.

    Args:
        num_predicates: P, background included.
        ks: cut-offs K of the figures.
        zero_shot: (Z, 3) rows (subject class, object class, predicate) that training never shows.
        groups: name → predicates whose recalls are averaged (see :func:`long_tail_groups`).
        iou: smallest overlap of a match.
        keep_images: keep the ranks of each image's relations (about 10 bytes a relation), for figures per image and
            bootstrap intervals. False keeps sums only: memory does not depend on the number of images at all, images
            are not told apart, and one given twice counts twice.

    Raises:
        ValueError: settings out of range.
    """

    rankings: Sequence[str]
    """Names of the rankings that :meth:`ranks` gives."""
    protocol: str

    def __init__(
        self,
        num_predicates: int,
        ks: Iterable[int],
        zero_shot: ArrayLike | None = None,
        groups: Groups | None = None,
        iou: float = 0.5,
        keep_images: bool = True,
    ) -> None:
        self.ks = tuple(sorted({int(k) for k in ks}))
        if num_predicates < 2:
            raise ValueError(f"num_predicates: found {num_predicates}, expected at least 2 (background included)")
        if not self.ks or self.ks[0] < 1 or self.ks[-1] >= NEVER:
            raise ValueError(f"ks: found {list(self.ks)}, expected numbers in 1 … {NEVER - 1}")
        if not 0 < iou <= 1:
            raise ValueError(f"iou: found {iou}, expected a number in (0, 1]")
        self.num_predicates, self.iou, self.keep_images = num_predicates, iou, keep_images
        self.depth = self.ks[-1]
        self.groups = checked_groups(groups, num_predicates)
        self.zero_shot = ZeroShot(zero_shot)
        self._store = RowStore(len(self.rankings))
        self._folded: dict[str, Totals] = {}
        self._counts = np.zeros(4, dtype=np.int64)
        self._numbered: bool | None = None
        self._next = 0

    # What a protocol says

    @abstractmethod
    def ranks(self, truth: GroundTruth, predicted: Predicted) -> Ranks:
        """(rankings, Q): how early each ranking recovers each annotated relation; Q ≥ 1, at least one pair."""

    @abstractmethod
    def shares(self, rows: Rows) -> dict[str, Shares]:
        """What each image adds to each figure."""

    @abstractmethod
    def values(self, totals: Mapping[str, Totals]) -> dict[str, Floats]:
        """Figures from sums: name → (B,)."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Every switch that moves the numbers."""

    # Images in

    def update(self, truth: GroundTruth, predicted: Predicted, image: int | None = None) -> None:
        """Take in one image.

        Args:
            image: its number in the data set; give it when several processes share a data set, so that the order does
                not depend on them and an image that two of them saw (as samplers that pad do) counts once.
                None: the next number. Either all images have a number or none.

        Raises:
            ValueError: predictions that do not fit the truth or the evaluator, or numbers for some images only.
        """
        if self._numbered not in (None, image is not None):
            raise ValueError("image: found a number for some images only, expected one for all or for none")
        columns = predicted.predicate_scores.shape[1]
        if len(predicted.pairs) and columns != self.num_predicates:
            raise ValueError(f"predicate scores: found {columns} columns, expected {self.num_predicates}")
        count = len(truth.relations)
        if count and truth.relations[:, 2].max() >= self.num_predicates:
            most = int(truth.relations[:, 2].max())
            raise ValueError(f"true relations: found predicate {most}, expected less than {self.num_predicates}")
        predicted = self.checked(truth, predicted)
        answered = len(predicted.pairs) > 0
        if count and answered:
            ranks = self.ranks(truth, predicted)
        else:
            ranks = np.full((len(self.rankings), count), NEVER, dtype=np.uint16)
        self._numbered = image is not None
        number = self._next if image is None else int(image)
        self._next += 1
        self._store.add(number, answered, truth.relations[:, 2], self.zero_shot(truth), ranks)
        if not self.keep_images and self._next % FOLD == 0:
            self._fold()

    def checked(self, truth: GroundTruth, predicted: Predicted) -> Predicted:
        """The prediction as the protocol sees it."""
        return predicted

    def _fold(self) -> None:
        rows = self._store.drain()
        if len(rows.numbers):
            self._folded = _added(self._folded, {name: one.totals() for name, one in self.shares(rows).items()})
            self._counts += _counted(rows)

    def merge(self, other: Self) -> None:
        """Take in what another evaluator (of the same settings) has seen; it is not changed in what it has seen.

        Raises:
            ValueError: other settings, or numbered images on one side only.
        """
        if type(other) is not type(self) or other.settings() != self.settings():
            raise ValueError(f"merge: found {other.settings()}, expected the same settings {self.settings()}")
        if self.keep_images != other.keep_images:
            raise ValueError("merge: found images kept on one side only, expected on both or neither")
        if None not in (self._numbered, other._numbered) and self._numbered != other._numbered:
            raise ValueError("merge: found numbered images on one side only, expected on both or neither")
        if not self.keep_images:
            self._fold()
            other._fold()
            self._folded = _added(self._folded, other._folded)
            self._counts += other._counts
        numbered = other._numbered if self._numbered is None else self._numbered
        self._store.extend(other._store, 0 if numbered else self._next)
        self._next += other._next
        self._numbered = numbered

    # Figures out

    def rows(self) -> Rows:
        """What is kept of the images. ValueError if images are not kept."""
        if not self.keep_images:
            raise ValueError("keep_images is False: only sums were kept, not what each image gave")
        return self._store.rows()

    def figures(self, weights: Floats | None = None, rows: Rows | None = None) -> dict[str, Floats]:
        """Every figure, (B,) for B weightings of the images (rows of ``weights``, (B, I)); None: each image once."""
        if self.keep_images:
            shares = self.shares(self.rows() if rows is None else rows)
            return self.values({name: one.totals(weights) for name, one in shares.items()})
        self._fold()
        return self.values(self._folded or self._nothing())

    def _nothing(self) -> dict[str, Totals]:
        return {name: one.totals() for name, one in self.shares(RowStore(len(self.rankings)).rows()).items()}

    def result(self) -> SceneGraphResult:
        """All figures of the images seen so far; more may follow."""
        if self.keep_images:
            rows = self.rows()
            shares = self.shares(rows)
            totals = {name: one.totals() for name, one in shares.items()}
            per_image = {
                f"{name}@{k}": one.found[:, place] / one.asked
                for name, one in shares.items()
                if one.groups == 1
                for place, k in enumerate(self.ks)
            }
            counts, numbers = _counted(rows), rows.numbers[rows.counts > 0]
        else:
            self._fold()
            totals, per_image, counts = self._folded or self._nothing(), {}, self._counts
            numbers = np.zeros(0, dtype=np.int64)
        names = ("images", "images_with_relations", "images_without_predictions", "relations")
        return SceneGraphResult(
            self.settings(),
            {name: float(value[0]) for name, value in self.values(totals).items()},
            dict(zip(names, counts.tolist(), strict=True)),
            self.per_predicate(totals),
            per_image,
            numbers,
        )

    def per_predicate(self, totals: Mapping[str, Totals]) -> dict[str, Floats]:
        """Recall of each predicate 1 … P − 1, 0 where it never occurs: ``"R@50"`` → (P − 1,)."""
        found: dict[str, Floats] = {}
        for name, total in totals.items():
            if total.found.shape[1] > 1:
                values = total.values(0.0)[0, 1:]
                found |= {f"{name.removesuffix(PER_PREDICATE)}@{k}": values[:, at] for at, k in enumerate(self.ks)}
        if totals:
            some = next((total for total in totals.values() if total.found.shape[1] > 1), None)
            if some is not None:
                found["asked"] = some.asked[0, 1:]
        return found

    def means(self, name: str, total: Totals) -> dict[str, Floats]:
        """Means over predicates of a recall grouped by predicate: all of them, and each group's."""
        values = total.values(0.0)
        found = {f"m{name}@{k}": values[:, 1:, at].mean(axis=1) for at, k in enumerate(self.ks)}
        for group, members in self.groups.items():
            found |= {f"m{name}@{k} {group}": values[:, members, at].mean(axis=1) for at, k in enumerate(self.ks)}
        return found


def _added(first: Mapping[str, Totals], second: Mapping[str, Totals]) -> dict[str, Totals]:
    if not first or not second:
        return dict(first or second)
    return {name: total + second[name] for name, total in first.items()}


def _counted(rows: Rows) -> NDArray[np.int64]:
    """Images, images with relations, images without predictions, relations."""
    return np.array([len(rows.numbers), (rows.counts > 0).sum(), (~rows.answered).sum(), rows.counts.sum()])
