"""Head, body and tail: predicates grouped by how often they were seen in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Groups = Mapping[str, Sequence[int]]
"""Name → predicates (≥ 1)."""


def long_tail_groups(counts: ArrayLike, bounds: tuple[int, int] | None = None) -> dict[str, tuple[int, ...]]:
    """Head, body and tail from the predicates' counts in training.

    By rank: the most frequent third is the head, the rarest third the tail; what thirds leave over goes to body, then
    tail (50 predicates: 16, 17, 17, the sizes used for VG150). By count, if ``bounds`` = (few, many) is given: head
    above ``many``, tail below ``few`` (BGNN, Li et al. 2021, takes 500 and 10,000).

    Args:
        counts: (P,), index 0 = background and ignored.

    Raises:
        ValueError: not a row of counts, or bounds in the wrong order.
    """
    found = np.asarray(counts)
    if found.ndim != 1 or len(found) < 2:
        raise ValueError(f"counts of predicates: found shape {found.shape}, expected (P,) with background at 0")
    foreground = found[1:]
    if bounds is not None:
        few, many = bounds
        if few > many:
            raise ValueError(f"bounds: found {bounds}, expected (few, many)")
        names = np.where(foreground > many, 0, np.where(foreground < few, 2, 1))
    else:
        size = len(foreground) // 3
        sizes = [size, size + (len(foreground) % 3 > 1), size + (len(foreground) % 3 > 0)]
        names = np.empty(len(foreground), dtype=np.int64)
        names[np.argsort(-foreground, kind="stable")] = np.repeat([0, 1, 2], sizes)
    return {
        name: tuple(int(predicate) for predicate in np.flatnonzero(names == place) + 1)
        for place, name in enumerate(("head", "body", "tail"))
    }


def checked_groups(groups: Groups | None, predicates: int) -> dict[str, NDArray[np.int64]]:
    """Groups as arrays. ValueError for an empty one or a predicate outside 1 … P − 1."""
    made = {}
    for name, members in (groups or {}).items():
        array = np.unique(np.asarray(list(members), dtype=np.int64))
        if not len(array) or array[0] < 1 or array[-1] >= predicates:
            raise ValueError(f"group {name!r}: found {list(members)}, expected predicates in 1 … {predicates - 1}")
        made[name] = array
    return made
