"""What one hands in for the test set whose labels are withheld.

**Assumed**: the challenge (CodaLab 5256) is closed and its page did not survive; its rules for files are not written
in the paper, the annotations or the code. What the release's own test scripts write is ``preds.npy`` (predicted
action ids) and ``scores.npy`` (a row of 1,380 scores), both in the order of the test CSV. We write these two and a
``submission.json`` that says the same by segment id, with the verb and noun of the action, so that a grader's own
converter needs no knowledge of the order. Segments without poses, 1,018 in the challenge's list, get uniform scores.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplay.data.assembly101.actions import ActionTable
from interplay.data.assembly101.segments import read_segments
from interplay.errors import InterplayError


def write_submission(
    folder: str | Path,
    test_csv: str | Path,
    table: ActionTable,
    ids: Sequence[str],
    scores: NDArray[np.floating],
) -> Path:
    """Write ``preds.npy``, ``scores.npy`` and ``submission.json`` for every row of the test CSV, in its order.

    Args:
        folder: where to; made if needed.
        test_csv: ``test_challenge.csv`` (or ``test.csv``).
        table: the actions.
        ids: of the scored clips, ``test/<id>``, in any order; rows that are not among them get uniform scores.
        scores: (clip, action); logits or probabilities, only their order matters.

    Raises:
        ValueError: scores that do not fit the ids and the table.
        InterplayError: an id that the CSV does not have.
    """
    actions = len(table.actions)
    if scores.shape != (len(ids), actions):
        raise ValueError(f"scores must be ({len(ids)}, {actions}), got {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite")
    segments = read_segments(test_csv, "test", table)
    position = {segment.id: index for index, segment in enumerate(segments)}
    if unknown := [identity for identity in ids if identity not in position]:
        raise InterplayError(f"{test_csv}: no segment {unknown[0]!r} ({len(unknown)} of {len(ids)} ids unknown)")
    rows = np.zeros((len(segments), actions), np.float32)
    rows[[position[identity] for identity in ids]] = scores
    predictions = rows.argmax(axis=1)
    results = {
        segment.id.removeprefix("test/"): {
            "action": int(action),
            "verb": int(table.verb_of[action]),
            "noun": int(table.noun_of[action]),
        }
        for segment, action in zip(segments, predictions.tolist(), strict=True)
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "preds.npy", predictions.astype(np.int64))
    np.save(folder / "scores.npy", rows)
    (folder / "submission.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return folder / "submission.json"
