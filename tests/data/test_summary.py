"""Counts over a data set, and NTU's against the published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.data.ntu.names import read_name_list
from interplay.data.summary import summarise
from interplay.graph.layouts import load_layout


class Recordings:
    """A data set of names only: every clip is one frame of one body."""

    name = "ntu"
    layout = load_layout("ntu25")
    frames_per_second: float | None = 30.0
    classes = ("a", "b")
    entity_names: tuple[str, ...] = ("person", "person")

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = ids
        self.missing = {"on the list": 2, "nothing": 0}

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int) -> SkeletonClip:
        if self.ids[index] == "bad":
            raise DataError("bad", "line 1", "x", "y")
        joints = np.zeros((3 + index, 2, 25, 3), np.float32)
        joints[:, 0] = 1
        meta = {"actors": 1} if index else {}
        return SkeletonClip(self.ids[index], joints, "ntu25", 30.0, index % 2 if index < 3 else None, meta)

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        return {"train": np.arange(2, dtype=np.int64), "test": np.arange(1, len(self), dtype=np.int64)}

    def fingerprint(self) -> str:
        return ""


def test_counts() -> None:
    summary = summarise(Recordings(["a", "b", "c", "bad", "d"]))
    assert summary.to_dict() == {
        "dataset": "ntu",
        "layout": "ntu25",
        "joints": 25,
        "entities": ["person", "person"],
        "frames_per_second": 30.0,
        "clips": 5,
        "read": 4,
        "bad": ["bad: line 1: found x, expected y"],
        "missing": {"on the list": 2},
        "facts": {},
        "frames": {"shortest": 3, "median": 4.5, "mean": 4.75, "longest": 7, "seconds": 0.633},
        "bodies": {"1": 4},
        "parts": {"train": 2, "test": 4},
        "classes": [
            {"label": 0, "class": "a", "clips": 2, "test": 1, "train": 1, "median frames": 4.0},
            {"label": 1, "class": "b", "clips": 1, "test": 1, "train": 1, "median frames": 4.0},
            {"label": None, "class": "(no label)", "clips": 1, "test": 1, "train": 0, "median frames": 7.0},
        ],
        "published": [],
    }
    with pytest.raises(DataError, match="bad: line 1"):
        summarise(Recordings(["a", "bad"]), strict=True)


def test_a_whole_tree_is_compared_with_the_published_counts(shared: Path) -> None:
    names = read_name_list(shared / "data" / "ntu" / "ntu60_interaction_names.txt")
    rows = {what: (found, published) for what, found, published in summarise(Recordings(names), indices=[]).published}
    assert rows["NTU60 xview train"] == (6889, 6889)
    lacking = [
        what
        for what, found, published in summarise(Recordings(names[1:]), indices=[]).published
        if what.startswith("NTU60") and found != published
    ]
    assert len(lacking) == 2  # one part of each of the two benchmarks
