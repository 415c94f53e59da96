"""The order in which a model's answers are looked at: the best (pair, predicate) combinations of an image.

Ties keep the order in which pairs are given, then that of the predicates' scores, then of their indices. The reference
evaluators leave ties to unstable sorts; *where we differ*: nowhere but in such ties.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Ranking(NamedTuple):
    """Best first: which row of ``pairs``, which predicate (≥ 1), with what score."""

    pair: NDArray[np.int64]
    predicate: NDArray[np.int64]
    score: NDArray[Any]


def constrained(predicate_scores: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The best predicate of each of some pairs, background left out: one predicate a pair (the graph constraint)."""
    best: NDArray[np.int64] = predicate_scores[rows, 1:].argmax(axis=1)
    return best + 1


def combinations(
    pair_scores: NDArray[Any] | None, predicate_scores: NDArray[Any], depth: int, per_pair: int | None = None
) -> Ranking:
    """The ``depth`` best combinations of a pair and a predicate, by s_subject · s_object · s_predicate.

    No more than one pass over all scores: the depth-th best combination of the first ``depth`` pairs (the best ones, if
    the model has ranked them) is a bound from below on the depth-th best of all, and only what reaches it is sorted.

    Args:
        pair_scores: (R,) s_subject · s_object; None for all ones.
        predicate_scores: (R, P), column 0 = background, never chosen. Products are taken in the arrays' own precision.
        per_pair: how many predicates of a pair may be taken, its best ones; None for all.
    """
    count, columns = predicate_scores.shape
    if count == 0 or columns < 2:
        empty = np.zeros(0, dtype=np.int64)
        return Ranking(empty, empty, predicate_scores[:0, 0] if columns else np.zeros(0))
    if per_pair is not None and per_pair >= columns - 1:
        per_pair = None
    products = predicate_scores if pair_scores is None else predicate_scores * pair_scores[:, None]
    head = products[:depth, 1:]
    if per_pair is not None:
        head = np.partition(head, columns - 1 - per_pair, axis=1)[:, columns - 1 - per_pair :]
    if count > depth or head.size > depth:
        reached = products >= np.partition(head, head.size - depth, axis=None)[head.size - depth]
        reached[:, 0] = False
        chosen = np.flatnonzero(reached)
        scores = products.ravel()[chosen]
    elif per_pair is not None:
        cut = columns - 1 - per_pair
        reached = predicate_scores >= np.partition(predicate_scores[:, 1:], cut, axis=1)[:, cut, None]
        reached[:, 0] = False
        chosen = np.flatnonzero(reached)
        scores = products.ravel()[chosen]
    else:
        chosen = np.arange(count * columns).reshape(count, columns)[:, 1:].ravel()
        scores = products[:, 1:].ravel()
    if per_pair is not None:
        chosen, scores = _best_of_each_pair(chosen, scores, predicate_scores, per_pair)
    if len(scores) > depth:
        keep = scores >= np.partition(scores, len(scores) - depth)[len(scores) - depth]
        chosen, scores = chosen[keep], scores[keep]
    order = np.argsort(-scores, kind="stable")[:depth]
    pair, predicate = np.divmod(chosen[order], columns)
    return Ranking(pair, predicate, scores[order])


def _best_of_each_pair(
    chosen: NDArray[np.int64], scores: NDArray[Any], predicate_scores: NDArray[Any], per_pair: int
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Of candidates (flat, ascending), those with the ``per_pair`` highest predicate scores of each pair."""
    pair = chosen // predicate_scores.shape[1]
    order = np.lexsort((-predicate_scores.ravel()[chosen], pair))
    pair = pair[order]
    place = np.arange(len(pair)) - np.searchsorted(pair, pair, side="left")
    order = order[place < per_pair]
    return chosen[order], scores[order]
