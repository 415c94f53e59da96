"""What one hands in for the Something-Something test parts, whose labels are withheld.

**Assumed**: the leaderboards (20BN, later Qualcomm) are closed and their rules did not survive. What they took, as the
lines that others' code writes for them show, is ``id;label`` with the label as text and, for the top-5 figure, the
next four behind it: ``id;first;second;third;fourth;fifth``. We write that, and ``scores.npy`` with the ids beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplay.data.something import WITHHELD, SomethingV1, SomethingV2
from interplay.errors import InterplayError

BEST = 5


def submit(
    folder: str | Path,
    dataset: SomethingV1 | SomethingV2,
    ids: Sequence[str],
    scores: NDArray[np.floating],
    classes: Sequence[str],
) -> Path:
    """:func:`write_submission` of a model whose classes stand in another order.

    Args:
        scores: (clip, class of the model).
        classes: of the model, by name; one that it does not know comes after all that it knows.
    """
    place = {name: column for column, name in enumerate(classes)}
    known = [place.get(name, -1) for name in dataset.classes]
    below = np.full((len(ids), 1), float(scores.min()) - 1.0, scores.dtype)
    return write_submission(folder, dataset, ids, np.concatenate([scores, below], axis=1)[:, known])


def write_submission(
    folder: str | Path, dataset: SomethingV1 | SomethingV2, ids: Sequence[str], scores: NDArray[np.floating]
) -> Path:
    """Write ``submission.csv``, ``scores.npy`` and ``ids.txt`` for every clip of the official test list, in its order.

    Args:
        folder: where to; made if needed.
        dataset: with its list of test clips.
        ids: of the scored clips, in any order.
        scores: (clip, class); logits or probabilities, only their order matters. Ties go to the smaller class index.

    Test clips without scores (their video is missing) get the same score for every class, so that the file is whole.

    Returns:
        ``submission.csv``.

    Raises:
        ValueError: scores that do not fit the ids and the classes, or are not finite; an id twice.
        InterplayError: no list of test clips, or an id that it does not have.
    """
    classes = len(dataset.classes)
    if scores.shape != (len(ids), classes):
        raise ValueError(f"scores: found {scores.shape}, expected ({len(ids)}, {classes})")
    if not np.isfinite(scores).all():
        raise ValueError("scores: found NaN or infinity, expected finite numbers")
    if len(set(ids)) != len(ids):
        raise ValueError("ids: found one twice, expected each once")
    all_ids = dataset.ids
    listed = [all_ids[index] for index in dataset.parts().get(WITHHELD, np.zeros(0, np.int64))]
    if not listed:
        raise InterplayError(f"{dataset.name}: found no list of test clips, expected one (--data.test FILE)")
    position = {identity: row for row, identity in enumerate(listed)}
    if unknown := [identity for identity in ids if identity not in position]:
        raise InterplayError(f"{dataset.name}: no test clip {unknown[0]!r} ({len(unknown)} of {len(ids)} ids unknown)")
    rows = np.zeros((len(listed), classes), np.float32)
    rows[[position[identity] for identity in ids]] = scores
    best = np.argsort(-rows, axis=1, kind="stable")[:, :BEST]
    lines = (";".join([id, *(dataset.classes[k] for k in row)]) for id, row in zip(listed, best.tolist(), strict=True))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "scores.npy", rows)
    (folder / "ids.txt").write_text("".join(f"{id}\n" for id in listed), encoding="utf-8")
    path = folder / "submission.csv"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
