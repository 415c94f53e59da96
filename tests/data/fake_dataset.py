"""A data set made of nothing, slow or partly unreadable on request; as a script it prepares a cache of itself."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from interplay.data.cache import prepare
from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.graph.layouts import load_layout


@dataclass
class FakeDataset:
    """``count`` clips of 1 to 40 frames; clip k is drawn from seed k."""

    count: int = 40
    bad: tuple[int, ...] = ()
    seconds: float = 0.0
    scale: float = 1.0
    stop_at: int | None = None
    version: str = "1"
    name: str = "fake"
    classes: tuple[str, ...] = ("greet", "leave", "wait")
    entity_names: tuple[str, ...] = ("person", "person")
    frames_per_second: float | None = 30.0
    read_indices: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.layout = load_layout("ntu25")
        self._ids = [f"clip é {index}" for index in range(self.count)]

    def __len__(self) -> int:
        return self.count

    @property
    def ids(self) -> Sequence[str]:
        return self._ids

    def read(self, index: int) -> SkeletonClip:
        self.read_indices.append(index)
        if index == self.stop_at:
            raise KeyboardInterrupt
        time.sleep(self.seconds)
        if index in self.bad:
            raise DataError(f"clip{index}.skeleton", "line 3", "nothing", "something")
        draw = np.random.default_rng(index)
        joints = draw.normal(size=(int(draw.integers(1, 41)), 2, 25, 3)).astype(np.float32) * np.float32(self.scale)
        label = None if index % 4 == 3 else index % 4
        meta = {"subject": index % 5, "weight": np.float64(0.5), "camera": "left"}
        return SkeletonClip(self.ids[index], joints, "ntu25", 30.0, label, meta)  # type: ignore[arg-type]

    def parts(self) -> Mapping[str, np.ndarray]:
        everything = np.arange(self.count)
        return {"train": everything[everything % 3 > 0], "test": everything[everything % 3 == 0]}

    def fingerprint(self) -> str:
        return f"fake {self.count} {self.scale} {self.version}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--file_limit", type=int)
    chosen = parser.parse_args()
    if chosen.file_limit is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (chosen.file_limit, chosen.file_limit))
    prepare(FakeDataset(chosen.count, seconds=chosen.seconds), chosen.folder, workers=chosen.workers)
