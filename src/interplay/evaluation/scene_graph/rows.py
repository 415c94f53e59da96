"""What is kept of the images seen: a few bytes per annotated relation, from which every recall at any K follows.

Of an annotated relation only its predicate, whether it is zero-shot, and how early each ranking recovers it is needed:
R@K asks whether that rank is below K. Pictures, boxes and scores are dropped as soon as an image is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from interplay.evaluation.scene_graph.matching import Ranks

Floats = NDArray[np.float64]
PACK = 256


@dataclass(frozen=True, eq=False)
class Rows:
    """Annotated relations of I images, T of them, image after image.

    Args:
        numbers: int64 (I,), number of each image, ascending.
        counts: int64 (I,), relations of each image.
        answered: bool (I,), whether the model named a pair at all.
        predicates: (T,).
        zero_shot: bool (T,).
        ranks: uint16 (rankings, T), from 0; NEVER where not recovered.
    """

    numbers: NDArray[np.int64]
    counts: NDArray[np.int64]
    answered: NDArray[np.bool_]
    predicates: NDArray[np.int64]
    zero_shot: NDArray[np.bool_]
    ranks: Ranks

    @property
    def images(self) -> NDArray[np.int64]:
        """(T,) position of the image that each relation belongs to."""
        return np.repeat(np.arange(len(self.numbers)), self.counts)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For an ``.npz``, which may hold other arrays too: each field as ``rows_FIELD``."""
        return {f"rows_{field.name}": getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rows that :meth:`arrays` wrote. KeyError where one is missing."""
        return cls(**{field.name: arrays[f"rows_{field.name}"] for field in fields(cls)})


@dataclass(frozen=True, eq=False)
class Totals:
    """Weighted sums of a recall's numerators and denominators: B weightings, G groups, K cut-offs. They add up.

    Args:
        found: (B, G, K).
        asked: (B, G).
    """

    found: Floats
    asked: Floats

    def __add__(self, other: Totals) -> Totals:
        return Totals(self.found + other.found, self.asked + other.asked)

    def values(self, empty: float = np.nan) -> Floats:
        """found / asked, (B, G, K); ``empty`` where nothing was asked."""
        asked = self.asked[:, :, None]
        found: Floats = np.divide(self.found, asked, out=np.full(self.found.shape, empty), where=asked > 0)
        return found


@dataclass(frozen=True, eq=False)
class Shares:
    """What each image (and group in it) adds to a recall.

    Args:
        found: (E, K) hits / relations of the entry; hits where ``pooled``.
        asked: (E,) 1; relations of the entry where ``pooled``.
        image: (E,) position of the image.
        group: (E,) ascending, < ``groups``.
    """

    found: Floats
    asked: Floats
    image: NDArray[np.int64]
    group: NDArray[np.int64]
    groups: int

    @classmethod
    def of(
        cls,
        rows: Rows,
        ranking: int,
        ks: Sequence[int],
        pooled: bool,
        zero_shot: bool = False,
        predicates: int | None = None,
    ) -> Shares:
        """Entries of one ranking.

        Args:
            pooled: recall of all images together instead of the mean of each image's.
            zero_shot: of zero-shot relations only.
            predicates: P, to group by predicate; None for all together.
        """
        chosen = np.flatnonzero(rows.zero_shot) if zero_shot else slice(None)
        images, ranks = rows.images[chosen], rows.ranks[ranking][chosen]
        key = images if predicates is None else rows.predicates[chosen] * len(rows.numbers) + images
        names, entry, counts = np.unique(key, return_inverse=True, return_counts=True)
        found = np.stack([np.bincount(entry[ranks < k], minlength=len(names)) for k in ks], axis=1).astype(np.float64)
        asked = counts.astype(np.float64)
        if not pooled:
            found, asked = found / asked[:, None], np.ones_like(asked)
        group, image = np.divmod(names, max(len(rows.numbers), 1))
        return cls(found, asked, image, group, 1 if predicates is None else predicates)

    def totals(self, weights: Floats | None = None) -> Totals:
        """Sums over images.

        Args:
            weights: (B, I) how often each image counts; None for once each (B = 1).
        """
        bounds = np.searchsorted(self.group, np.arange(self.groups + 1))
        batch = 1 if weights is None else len(weights)
        found = np.zeros((batch, self.groups, self.found.shape[1]))
        asked = np.zeros((batch, self.groups))
        for group in range(self.groups):
            part = slice(bounds[group], bounds[group + 1])
            if weights is None:
                found[0, group], asked[0, group] = self.found[part].sum(axis=0), self.asked[part].sum()
            else:
                chosen = weights[:, self.image[part]]
                found[:, group], asked[:, group] = chosen @ self.found[part], chosen @ self.asked[part]
        return Totals(found, asked)


class RowStore:
    """Rows as images come in. Packed every few hundred images; about 20 bytes an image and 9 a relation."""

    def __init__(self, rankings: int) -> None:
        self.rankings = rankings
        self._pending: list[tuple[int, bool, NDArray[np.int64], NDArray[np.bool_], Ranks]] = []
        self._packed: list[Rows] = []

    def add(
        self,
        number: int,
        answered: bool,
        predicates: NDArray[np.int64],
        zero_shot: NDArray[np.bool_],
        ranks: Ranks,
    ) -> None:
        self._pending.append((number, answered, predicates, zero_shot, ranks))
        if len(self._pending) >= PACK:
            self._pack()

    def _pack(self) -> None:
        if not self._pending:
            return
        numbers, answered, predicates, zero_shot, ranks = zip(*self._pending, strict=True)
        self._packed.append(
            Rows(
                np.array(numbers, dtype=np.int64),
                np.array([len(row) for row in predicates], dtype=np.int64),
                np.array(answered, dtype=np.bool_),
                np.concatenate(predicates).astype(np.int16),
                np.concatenate(zero_shot),
                np.concatenate(ranks, axis=1),
            )
        )
        self._pending = []
        if len(self._packed) >= PACK:
            self._packed = [_joined(self._packed, self.rankings)]

    def extend(self, other: RowStore, shift: int = 0) -> None:
        """Take over what another store has, its numbers moved up by ``shift``."""
        other._pack()
        self._pack()
        for rows in other._packed:
            self._packed.append(
                Rows(rows.numbers + shift, rows.counts, rows.answered, rows.predicates, rows.zero_shot, rows.ranks)
            )

    def rows(self) -> Rows:
        """All of them, by ascending number; an image that was given twice counts once."""
        self._pack()
        joined = _joined(self._packed, self.rankings)
        self._packed = [joined]
        return ordered(joined)

    def drain(self) -> Rows:
        """The rows, which are forgotten."""
        found = self.rows()
        self._packed = []
        return found


def _joined(parts: Sequence[Rows], rankings: int) -> Rows:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        flags = none.astype(np.bool_)
        return Rows(none, none, flags, none.astype(np.int16), flags, np.zeros((rankings, 0), dtype=np.uint16))
    return Rows(
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.counts for part in parts]),
        np.concatenate([part.answered for part in parts]),
        np.concatenate([part.predicates for part in parts]),
        np.concatenate([part.zero_shot for part in parts]),
        np.concatenate([part.ranks for part in parts], axis=1),
    )


def ordered(rows: Rows) -> Rows:
    """Images by ascending number, the first of several with the same one."""
    numbers, first = np.unique(rows.numbers, return_index=True)
    starts = np.cumsum(rows.counts) - rows.counts
    counts = rows.counts[first]
    at = np.repeat(starts[first] - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    return Rows(
        numbers,
        counts,
        rows.answered[first],
        rows.predicates[at].astype(np.int64),
        rows.zero_shot[at],
        rows.ranks[:, at],
    )
