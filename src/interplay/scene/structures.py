"""What the parts of a scene-graph model hand to each other: entities, pairs and union features of a whole batch.

Images are concatenated; ``counts`` says how many rows each image owns. Boxes are x1, y1, x2, y2 in pixels of the
*resized* picture, last pixel included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

Task = Literal["predcls", "sgcls", "sggen"]
"""Predicate classification (true boxes and labels given), scene-graph classification (true boxes given),
scene-graph generation (nothing given)."""


@dataclass(frozen=True, eq=False)
class Entities:
    """Boxes of a batch with what the detector believes about them.

    Args:
        counts: N_b, entities of each image; Σ N_b = N.
        boxes: (N, 4).
        sizes: (B, 2), width and height of each resized, unpadded picture.
        logits: (N, O), the detector's class scores before softmax, detached; ±1000 one-hot in PredCls.
        labels: (N,) true classes in training and where boxes are given, 0 = background; None otherwise.
        boxes_per_class: (N, O, 4) regressed boxes (SGGen), or None.
        scores: (N,) the detector's confidence; 1 where boxes are given.
    """

    counts: tuple[int, ...]
    boxes: Float[Tensor, "entity 4"]
    sizes: Float[Tensor, "image 2"]
    logits: Float[Tensor, "entity class"]
    labels: Int[Tensor, " entity"] | None = None
    boxes_per_class: Float[Tensor, "entity class 4"] | None = None
    scores: Float[Tensor, " entity"] | None = None

    def __post_init__(self) -> None:
        if sum(self.counts) != self.boxes.shape[0] or len(self.counts) != self.sizes.shape[0]:
            raise ValueError(f"counts {self.counts} do not fit {len(self.boxes)} boxes of {len(self.sizes)} images")

    @property
    def starts(self) -> tuple[int, ...]:
        """Row of the first entity of each image."""
        return starts(self.counts)

    @property
    def image(self) -> Int[Tensor, " entity"]:
        """Image of each entity."""
        return owners(self.counts, self.boxes.device)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Ordered pairs of entities of a batch, image by image.

    Args:
        counts: R_b, pairs of each image; Σ R_b = R.
        index: (R, 2), rows of subject and object in the batch's concatenated entities.
        labels: (R,) predicate, 0 = background, −1 = not to be scored; training only.
        related: for each image (N_b, N_b) 0/1, whether the two have any relation, symmetric; training only.
    """

    counts: tuple[int, ...]
    index: Int[Tensor, "pair 2"]
    labels: Int[Tensor, " pair"] | None = None
    related: tuple[Int[Tensor, "_ _"], ...] | None = None

    def __post_init__(self) -> None:
        if sum(self.counts) != self.index.shape[0]:
            raise ValueError(f"counts {self.counts} do not fit {len(self.index)} pairs")

    @property
    def subject(self) -> Int[Tensor, " pair"]:
        return self.index[:, 0]

    @property
    def object(self) -> Int[Tensor, " pair"]:
        return self.index[:, 1]

    @property
    def image(self) -> Int[Tensor, " pair"]:
        """Image of each pair."""
        return owners(self.counts, self.index.device)

    def chosen(self, rows: Int[Tensor, " kept"]) -> Pairs:
        """The named rows only, in rising order of ``rows``."""
        images = self.image[rows]
        counts = torch.bincount(images, minlength=len(self.counts)).tolist()
        return Pairs(tuple(counts), self.index[rows], None if self.labels is None else self.labels[rows], self.related)


def starts(counts: Sequence[int]) -> tuple[int, ...]:
    """Row of the first item of each image."""
    total, found = 0, []
    for count in counts:
        found.append(total)
        total += count
    return tuple(found)


def owners(counts: Sequence[int], device: torch.device) -> Int[Tensor, " row"]:
    """Image of each row."""
    if len(counts) == 1:  # also what keeps the number of rows open where a head is exported
        return torch.zeros(counts[0], dtype=torch.int64, device=device)
    amounts = torch.tensor(counts, dtype=torch.int64, device=device)
    return torch.repeat_interleave(torch.arange(len(counts), device=device), amounts)


class UnionFeatures:
    """Features of the pairs' union boxes, made a chunk at a time, so that thousands of pairs fit in memory.

    A head never holds all of them: it maps every chunk to what it keeps.

    Args:
        make: rows (a slice of the pairs) → (r, D) features.
        pairs: R.
        width: D.
        chunk: pairs at a time; None = all at once (training).
    """

    def __init__(
        self, make: Callable[[slice], Float[Tensor, "chunk width"]], pairs: int, width: int, chunk: int | None = None
    ) -> None:
        self.make, self.pairs, self.width, self.chunk = make, pairs, width, chunk

    @classmethod
    def of(cls, features: Float[Tensor, "pair width"], chunk: int | None = None) -> UnionFeatures:
        """Features that exist already."""
        return cls(lambda rows: features[rows], features.shape[0], features.shape[1], chunk)

    def chunks(self) -> Iterator[tuple[slice, Float[Tensor, "chunk width"]]]:
        """(rows, features of these rows) in order; one empty chunk if there are no pairs."""
        if self.chunk is None:
            yield slice(0, self.pairs), self.make(slice(0, self.pairs))
            return
        for start in range(0, max(self.pairs, 1), max(self.chunk, 1)):
            rows = slice(start, min(start + max(self.chunk, 1), self.pairs))
            yield rows, self.make(rows)

    def map(self, function: Callable[[Float[Tensor, "chunk width"], slice], Tensor]) -> Tensor:
        """``function(features, rows)`` of every chunk, concatenated: (R, …)."""
        return torch.cat([function(features, rows) for rows, features in self.chunks()])
