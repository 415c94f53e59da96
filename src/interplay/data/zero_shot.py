"""Triplets that training never shows: published lists, and the list of one's own split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.json_files import Place, read_json
from interplay.data.npy import open_npy
from interplay.data.scenes import Vocabulary

MAX_ROWS = 2**22


def read_zero_shot(path: str | Path, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """A list of (subject class, object class, predicate), all from 1, from an ``.npy`` or ``.json`` file.

    The published list of VG150 is a PyTorch file; ``numpy.save(path, torch.load(file, weights_only=True).numpy())``
    makes the ``.npy``.

    Raises:
        DataError: not (Z, 3) whole numbers within the vocabulary.
    """
    path = Path(path)
    place = Place(path, "")
    expected = "rows (subject class, object class, predicate)"
    if path.suffix == ".npy":
        rows = np.asarray(open_npy(path))
        if rows.ndim != 2 or rows.shape[1] != 3 or rows.dtype.kind not in "iu" or len(rows) > MAX_ROWS:
            place.fail(f"{rows.dtype} {rows.shape}", f"{expected}, integers (Z, 3)")
        values = rows.astype(np.float64)
    elif path.suffix == ".json":
        values = place.table(read_json(path, expected), "triplets", 3, MAX_ROWS)
    else:
        place.fail(f"a file {path.suffix!r}", "an .npy or .json file")
    low, high = np.ones(3), np.array([len(vocabulary.classes), len(vocabulary.classes), len(vocabulary.predicates)]) - 1
    wrong = ~((values >= low) & (values <= high) & (np.floor(values) == values)).all(axis=1)
    if wrong.any():
        number = int(wrong.argmax())
        raise DataError(path, f"row {number}", f"{values[number].tolist()}", f"1, 1, 1 to {high.tolist()}")
    return values.astype(np.int64)


def unseen_triplets(test: NDArray[np.int64], train: NDArray[np.int64]) -> NDArray[np.int64]:
    """The different rows of ``test`` that do not occur in ``train``, sorted. Both (·, 3) with values ≥ 0."""
    if not len(test):
        return np.zeros((0, 3), np.int64)
    kept = np.unique(test, axis=0)
    return kept[~np.isin(triplet_keys(kept), triplet_keys(train))]


def triplet_keys(triplets: NDArray[np.int64]) -> NDArray[np.int64]:
    """One integer per row (·, 3), the same for equal rows; values below 2²⁰."""
    return np.asarray((triplets[:, 0] << 40) + (triplets[:, 1] << 20) + triplets[:, 2])
