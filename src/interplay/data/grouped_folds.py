"""Folds that keep together what belongs together: clips cut from one recording are never split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interplay.data.videos import IntArray


def grouped_folds(labels: Sequence[int] | IntArray, groups: Sequence[str], folds: int) -> IntArray:
    """The fold of each clip, 0 to folds − 1, such that each group lies in one.

    Largest groups first, each goes where it leaves the folds most even: the one whose sum over classes of (clips of
    the class in the fold / clips of the class in all)² grows least, then the smaller, then the earlier one. No chance
    is involved: the same clips always give the same folds, in whatever order they are given.

    Args:
        labels: class of each clip.
        groups: source of each clip.
        folds: how many, at most as many as there are groups.

    Raises:
        ValueError: fewer than one fold, or fewer groups than folds.
    """
    names = sorted(set(groups))
    if not 1 <= folds <= max(len(names), 1):
        raise ValueError(f"folds: found {folds}, expected 1 to {len(names)}, the number of groups")
    classes, of_clip = np.unique(np.asarray(labels, np.int64), return_inverse=True)
    row_of = {name: row for row, name in enumerate(names)}
    of_group = np.array([row_of[group] for group in groups], np.int64)
    counts = np.zeros((len(names), len(classes)), np.int64)
    np.add.at(counts, (of_group, of_clip), 1)
    share = counts / np.maximum(counts.sum(axis=0), 1)
    held = np.zeros((folds, len(classes)))
    sizes = np.zeros(folds, np.int64)
    fold_of = np.zeros(len(names), np.int64)
    order = sorted(range(len(names)), key=lambda row: (-int(counts[row].sum()), names[row]))
    for place, row in enumerate(order):
        growth = np.round((2 * held * share[row] + share[row] ** 2).sum(axis=1), 12)
        # No fold stays empty: the last groups go to those that are.
        empty = np.flatnonzero(sizes == 0)
        allowed = empty if len(order) - place <= len(empty) else np.arange(folds)
        best = min(allowed.tolist(), key=lambda fold: (growth[fold], sizes[fold], fold))
        fold_of[row] = best
        held[best] += share[row]
        sizes[best] += counts[row].sum()
    return fold_of[of_group]
