"""Small made-up batches for heads: any counts of entities, every ordered pair, each of the three tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import BACKGROUND, Vocabulary
from interplay.scene.structures import Entities, Pairs, Task, UnionFeatures

CLASSES, PREDICATES, WIDTH, UNION = 6, 5, 20, 24
VOCABULARY = Vocabulary(
    (BACKGROUND, *(f"class {index}" for index in range(1, CLASSES))),
    (BACKGROUND, *(f"predicate {index}" for index in range(1, PREDICATES))),
)
TASKS: tuple[Task, ...] = ("predcls", "sgcls", "sggen")


def statistics() -> SceneStatistics:
    random = np.random.default_rng(5)
    foreground = random.integers(0, 4, (CLASSES, CLASSES, PREDICATES))
    foreground[:, :, 0] = foreground[0] = foreground[:, 0] = 0
    counts = random.integers(1, 9, (CLASSES, CLASSES))
    return SceneStatistics(foreground, counts + 4, counts, random.integers(9, 20, CLASSES), counts)


class Batch:
    """What a head's forward takes."""

    def __init__(
        self, counts: Sequence[int], task: Task, seed: int = 0, train: bool = False, chunk: int | None = None
    ) -> None:
        draw = torch.Generator().manual_seed(seed)
        total = sum(counts)
        low = torch.rand(total, 2, generator=draw) * 400
        boxes = torch.cat([low, low + 20 + torch.rand(total, 2, generator=draw) * 170], dim=1)
        labels = torch.randint(1, CLASSES, (total,), generator=draw)
        logits = 2 * torch.randn(total, CLASSES, generator=draw)
        if task == "predcls":
            logits = torch.nn.functional.one_hot(labels, CLASSES) * 2000.0 - 1000.0
        known: Tensor | None = labels
        if task == "sggen":
            background = torch.rand(total, generator=draw) < 0.3
            known = torch.where(background, 0, labels) if train else None
        per_class = boxes[:, None] + 6 * torch.randn(total, CLASSES, 4, generator=draw) if task == "sggen" else None
        self.x = torch.randn(total, WIDTH, generator=draw)
        self.entities = Entities(
            tuple(counts),
            boxes,
            torch.tensor([[600.0, 640.0]]).expand(len(counts), 2).contiguous(),
            logits,
            known,
            per_class,
            torch.ones(total),
        )
        index, first = [], 0
        for count in counts:
            local = [(i, j) for i in range(count) for j in range(count) if i != j]
            index.append(torch.tensor(local, dtype=torch.int64).view(-1, 2) + first)
            first += count
        pair_labels = torch.randint(0, PREDICATES, (sum(map(len, index)),), generator=draw)
        related = tuple((torch.rand(n, n, generator=draw) < 0.3).long() for n in counts)
        self.pairs = Pairs(
            tuple(map(len, index)),
            torch.cat(index) if index else torch.zeros(0, 2, dtype=torch.int64),
            pair_labels if train else None,
            tuple((m | m.T).fill_diagonal_(0) for m in related) if train else None,
        )
        self.u = torch.randn(len(pair_labels), UNION, generator=draw)
        self.chunk = chunk

    @property
    def inputs(self) -> tuple[Tensor, UnionFeatures, Entities, Pairs]:
        return self.x, UnionFeatures.of(self.u, self.chunk), self.entities, self.pairs

    def alone(self, image: int) -> Batch:
        """One of the images as a batch of its own."""
        one = object.__new__(Batch)
        entities, pairs = self.entities, self.pairs
        rows = entities.image == image
        kept = pairs.image == image
        first = entities.starts[image]
        one.x, one.u, one.chunk = self.x[rows], self.u[kept], self.chunk
        one.entities = replace(
            entities,
            counts=(entities.counts[image],),
            boxes=entities.boxes[rows],
            sizes=entities.sizes[image : image + 1],
            logits=entities.logits[rows],
            labels=None if entities.labels is None else entities.labels[rows],
            boxes_per_class=None if entities.boxes_per_class is None else entities.boxes_per_class[rows],
            scores=None if entities.scores is None else entities.scores[rows],
        )
        one.pairs = Pairs((pairs.counts[image],), pairs.index[kept] - first)
        return one
