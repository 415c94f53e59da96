"""The numbers behind the figures: structures and classes, a search over its epochs, operations class by class.

Everything here is counted from what a run folder keeps (scores, structures, ``metrics.csv``); what needs the network
is in :mod:`interplay.video.activation`. Source: paper §4.3 and §4.4, supplement 3 and 4; agos.md §12.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray

from interplay.evaluation.scores import Scores
from interplay.video.outcome import Structures
from interplay.video.structure import Structure

Floats = NDArray[np.float64]


# -- structures and classes --------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class StructureUse:
    """How the clips of each class use one structure (Fig. 6).

    Args:
        structure: which.
        count: clips that have it.
        shares: (K,) clips of class c with this structure / clips of class c; NaN where a class has no clip.
    """

    structure: Structure
    count: int
    shares: Float[NDArray[np.float64], " class"]

    def dominant(self, classes: Sequence[str], most: int = 5) -> list[tuple[str, float]]:
        """Classes that use it most, with their shares; only those that use it more than the average class does."""
        known = np.nan_to_num(self.shares, nan=0.0)
        average = float(known[~np.isnan(self.shares)].mean()) if (~np.isnan(self.shares)).any() else 0.0
        order = np.argsort(-known, kind="stable")[:most]
        return [(classes[int(k)], float(known[k])) for k in order if known[k] > average or known[k] == 1.0]


def structure_use(found: Structures, classes: int, most: int | None = None) -> list[StructureUse]:
    """The most frequent structures first (of equally frequent ones that with the smaller code); clips without a class
    count for ``count`` only.

    Args:
        classes: K.
        most: at most so many; None for all.
    """
    counted = Counter(map(tuple, found.choices.tolist()))
    made = {row: Structure.from_indices(row, found.space, found.supernodes) for row in counted}  # type: ignore[arg-type]
    order = sorted(counted, key=lambda row: (-counted[row], made[row].code()))
    return uses_of(found, [made[row] for row in order[:most]], classes)


def uses_of(found: Structures, structures: Sequence[Structure], classes: int) -> list[StructureUse]:
    """How the clips use given structures, also those that none of them has (transferred structures, supplement 2 to 4).

    Args:
        classes: K.
    """
    known = found.labels >= 0
    totals = np.bincount(found.labels[known], minlength=classes).astype(np.float64)
    uses = []
    for structure in structures:
        mine = (found.choices == np.array(structure.indices)).all(axis=1)
        own = np.bincount(found.labels[mine & known], minlength=classes)
        shares = np.divide(own, totals, out=np.full(classes, np.nan), where=totals > 0)
        uses.append(StructureUse(structure, int(mine.sum()), shares))
    return uses


def mutual_information(first: ArrayLike, second: ArrayLike) -> float:
    """``I = Σ p(a, b) ln(p(a, b) / (p(a) p(b)))`` in nats, of the shares counted (no correction for their number).

    Args:
        first, second: (N,) numbers of what each sample has of either kind.
    """
    return float(_information(_numbered(first), _numbered(second)[None])[0])


@dataclass(frozen=True)
class Association:
    """Do structures follow classes?

    Args:
        value: mutual information in nats.
        by_chance: its mean over the permutations: what so few clips give without any relation.
        p: share of permutations, the observed order among them, whose information is not smaller.
        permutations: how many were drawn.
        clips, structures, classes: how many of each.
    """

    value: float
    by_chance: float
    p: float
    permutations: int
    clips: int
    structures: int
    classes: int


def association(found: Structures, permutations: int = 2000, seed: int = 0) -> Association:
    """Mutual information of structures and classes against shuffled classes, over the clips with a known class.

    ``p = (1 + #{I_shuffled ≥ I}) / (1 + permutations)``, never 0 (Phipson and Smyth 2010).

    Raises:
        ValueError: no clip with a class.
    """
    known = found.labels >= 0
    if not known.any():
        raise ValueError("structures: found no clip with a class, expected some")
    structures = _numbered_rows(found.choices[known])
    labels = _numbered(found.labels[known])
    a, b = int(structures.max()) + 1, int(labels.max()) + 1
    value = float(_information(structures, labels[None])[0])
    draws = np.random.default_rng(seed)
    values = []
    block = max(1, 1_000_000 // len(labels))
    for start in range(0, permutations, block):
        shuffled = draws.permuted(np.tile(labels, (min(block, permutations - start), 1)), axis=1)
        values.append(_information(structures, shuffled))
    chance = np.concatenate(values)
    p = (1 + int((chance >= value - 1e-12).sum())) / (1 + permutations)
    return Association(value, float(chance.mean()), p, permutations, len(labels), a, b)


def _numbered_rows(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1), np.int64)


def _numbered(values: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(np.unique(np.asarray(values), return_inverse=True)[1].reshape(-1), np.int64)


def _information(a: NDArray[np.int64], b: NDArray[np.int64]) -> Floats:
    """Mutual information of a (N,) with each row of b (M, N), whose rows are orders of the same values.

    Only pairs that occur are counted (at most N, where a table of thousands of structures by classes has millions).
    """
    rows, count = b.shape
    others = int(b.max()) + 1
    cells = np.sort(a * others + b, axis=1)
    first = np.ones(cells.shape, bool)
    first[:, 1:] = cells[:, 1:] != cells[:, :-1]
    at = np.flatnonzero(first)
    both = np.diff(at, append=cells.size)
    pairs = cells.reshape(-1)[at]
    ones, twos = np.bincount(a)[pairs // others], np.bincount(b[0])[pairs % others]
    terms = both * (np.log(both) - np.log(twos) + (math.log(count) - np.log(ones)))
    return np.asarray(np.bincount(at // count, weights=terms, minlength=rows) / count, np.float64)


# -- operations in use -------------------------------------------------------------------------------------------------


def operation_use(found: Structures) -> Float[NDArray[np.float64], "edge operation"]:
    """Share of the clips that chose each operation on each superedge; rows sum to 1."""
    count = len(found.operations)
    counts = [np.bincount(column, minlength=count) for column in found.choices.T]
    return np.asarray(np.stack(counts) / len(found.choices), np.float64)


def entropies(found: Structures) -> Float[NDArray[np.float64], " edge"]:
    """Entropy in nats of softmax(α) on each superedge, mean over the clips: 0 is sure, ln |O| is undecided."""
    alpha = found.weights.astype(np.float64)
    alpha = alpha - alpha.max(axis=-1, keepdims=True)
    shares = np.exp(alpha) / np.exp(alpha).sum(axis=-1, keepdims=True)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return np.asarray(-(shares * logs).sum(-1).mean(0), np.float64)


@dataclass(frozen=True, eq=False)
class SearchCurves:
    """A search, epoch for epoch, on the watched training clips.

    Args:
        epochs: numbers, from 1.
        entropy: of softmax(α), nats.
        changed: share of the clips whose structure is another than an epoch before.
        distinct: structures in use.
        use: operation → share of (clip, superedge) pairs.
        operations: |O|, for the entropy's limit.
    """

    epochs: Floats
    entropy: Floats
    changed: Floats
    distinct: Floats
    use: Mapping[str, Floats]
    operations: int


def search_curves(history: Mapping[str, Sequence[float]]) -> SearchCurves | None:
    """The search in the columns of a run's ``metrics.csv``; None where it has none."""
    if not {"stage", "entropy", "changed"} <= set(history):
        return None
    rows = (np.asarray(history["stage"]) == 2) & ~np.isnan(np.asarray(history["entropy"], np.float64))
    if not rows.any():
        return None

    def column(name: str) -> Floats:
        return np.asarray(np.asarray(history[name])[rows], np.float64)

    names = [name.removeprefix("use_") for name in history if name.startswith("use_")]
    return SearchCurves(
        np.arange(1, int(rows.sum()) + 1, dtype=np.float64),
        column("entropy"),
        column("changed"),
        column("distinct"),
        {name: column(f"use_{name}") for name in names},
        len(names),
    )


# -- operations class by class -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class OperationAccuracies:
    """Accuracy of several models on each class (supplement, Fig. 6), classes sorted by the spread over the models.

    Args:
        classes: names.
        counts: (K,) clips of each class.
        values: model → (K,) accuracies.
    """

    classes: tuple[str, ...]
    counts: Int[NDArray[np.int64], " class"]
    values: Mapping[str, Float[NDArray[np.float64], " class"]]

    @property
    def spread(self) -> Float[NDArray[np.float64], " class"]:
        """Highest minus lowest."""
        stacked = np.stack(list(self.values.values()))
        return np.asarray(stacked.max(0) - stacked.min(0), np.float64)


def operation_accuracies(scores: Mapping[str, Scores]) -> OperationAccuracies:
    """Compare models on the clips that all of them scored; classes without such a clip are left out.

    Args:
        scores: model (an operation's name) → its scores.

    Raises:
        ValueError: no model, other classes than the first's, or no labelled clip in common.
    """
    ids, labels, called = _aligned(scores)
    first = next(iter(scores.values()))
    counts = np.bincount(labels, minlength=len(first.classes))
    present = np.flatnonzero(counts)
    right = {name: np.bincount(labels[one == labels], minlength=len(counts)) for name, one in called.items()}
    values = {name: found[present] / counts[present] for name, found in right.items()}
    stacked = np.stack(list(values.values()))
    order = np.argsort(-(stacked.max(0) - stacked.min(0)), kind="stable")
    assert len(ids) == int(counts.sum())
    return OperationAccuracies(
        tuple(first.classes[int(k)] for k in present[order]),
        counts[present][order].astype(np.int64),
        {name: value[order] for name, value in values.items()},
    )


@dataclass(frozen=True)
class Case:
    """A clip and what every model called it (Fig. 8, supplement Fig. 5).

    Args:
        id: of the clip.
        true: class.
        answers: model → class it named.
        why: "only NAME is right", "all are right", "none is right".
    """

    id: str
    true: str
    answers: Mapping[str, str]
    why: str

    @property
    def right(self) -> tuple[str, ...]:
        return tuple(name for name, answer in self.answers.items() if answer == self.true)


def cases(scores: Mapping[str, Scores]) -> list[Case]:
    """Successes and failures: for every model a clip that it gets right and the fewest others do, then one that all
    get right and one that none does. Of several the one whose probabilities for the true class differ most.

    Raises:
        ValueError: as :func:`operation_accuracies`.
    """
    ids, labels, called = _aligned(scores)
    classes = next(iter(scores.values())).classes
    names = list(called)
    right = np.stack([called[name] == labels for name in names])  # model clip
    sure = np.stack([_truth(one, ids, labels) for one in scores.values()])
    number = right.sum(0)

    def case(clip: int, why: str) -> Case:
        answers = {name: classes[int(called[name][clip])] for name in names}
        return Case(ids[clip], classes[int(labels[clip])], answers, why)

    found: list[Case] = []
    taken: set[int] = set()
    for row, name in enumerate(names):
        others = np.delete(sure, row, axis=0).max(0) if len(names) > 1 else np.zeros(len(ids))
        mine = [clip for clip in np.flatnonzero(right[row] & (number < len(names))).tolist() if clip not in taken]
        if mine:
            best = min(mine, key=lambda clip: (number[clip], others[clip] - sure[row, clip], ids[clip]))
            taken.add(best)
            alone = number[best] == 1
            found.append(case(best, f"only {name} is right" if alone else f"{number[best]} of {len(names)} are right"))
    for wanted, why, sign in ((len(names), "all are right", -1), (0, "none is right", 1)):
        left = [clip for clip in np.flatnonzero(number == wanted).tolist() if clip not in taken]
        if left:
            best = min(left, key=lambda clip: (sign * float(sure[:, clip].mean()), ids[clip]))
            taken.add(best)
            found.append(case(best, why))
    return found


def _truth(scores: Scores, ids: Sequence[str], labels: NDArray[np.int64]) -> Floats:
    """Probability of the true class of each of these clips."""
    place = {name: row for row, name in enumerate(scores.ids)}
    rows = np.array([place[name] for name in ids])
    return np.asarray(scores.probabilities[rows, labels], np.float64)


def _aligned(
    scores: Mapping[str, Scores],
) -> tuple[tuple[str, ...], NDArray[np.int64], dict[str, NDArray[np.int64]]]:
    """Ids and labels of the labelled clips that every model scored, and what each model called them."""
    if not scores:
        raise ValueError("scores: found no model, expected at least one")
    first = next(iter(scores.values()))
    places = {name: {clip: row for row, clip in enumerate(one.ids)} for name, one in scores.items()}
    for name, one in scores.items():
        if one.classes != first.classes:
            raise ValueError(f"scores of {name}: found other classes than those of {next(iter(scores))}")
    ids = tuple(
        clip
        for row, clip in enumerate(first.ids)
        if first.labels[row] >= 0 and all(clip in place for place in places.values())
    )
    if not ids:
        raise ValueError("scores: found no labelled clip that every model scored")
    rows = {name: np.array([place[clip] for clip in ids]) for name, place in places.items()}
    labels = first.labels[rows[next(iter(scores))]]
    return ids, labels, {name: one.predictions[rows[name]] for name, one in scores.items()}
