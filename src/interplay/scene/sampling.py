"""Which ordered pairs of entities a head looks at (spec A.5, L.9).

In training a bounded number of pairs per image, related ones first; otherwise all of them. Draws come from a
``torch.Generator`` on the CPU, so that a seed fixes them whatever the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.graph.boxes import iou_matrix
from interplay.scene.preparation import SceneTarget
from interplay.scene.structures import Entities, Pairs

Draw = tuple[Int[Tensor, "_pair 3"], Int[Tensor, "_n _n"]]
"""One image's rows (subject, object, predicate) and its map of related entities."""


@dataclass(frozen=True)
class PairSampling:
    """How training pairs are drawn.

    Args:
        cap: pairs per image.
        positive_fraction: of the cap that related pairs may fill; unrelated pairs fill what is left of the cap.
        per_relation: detected pairs kept for one annotated relation.
        iou: a detection stands for an annotated entity of its class if their IoU is above this.
        one_predicate: keep one predicate per ordered pair, drawn from its rows at every visit.
        drop_as_background: relations with predicate −1 count as unrelated where boxes are given (the public BGNN);
            otherwise they are drawn like related pairs and the loss leaves them out.
    """

    cap: int = 1024
    positive_fraction: float = 0.25
    per_relation: int = 4
    iou: float = 0.5
    one_predicate: bool = True
    drop_as_background: bool = False

    def __post_init__(self) -> None:
        if self.cap < 1 or not 0 <= self.positive_fraction <= 1 or self.per_relation < 1:
            raise ValueError(f"found {self}, expected cap and per_relation ≥ 1 and positive_fraction in [0, 1]")

    @property
    def positives(self) -> int:
        """Related pairs per image at most."""
        return int(self.cap * self.positive_fraction)

    def given(self, entities: Entities, targets: Sequence[SceneTarget], generator: torch.Generator) -> Pairs:
        """Pairs of annotated boxes (PredCls, SGCls): related ones, then any other i ≠ j up to the cap."""
        draws = [
            self._given(count, target.relations.cpu(), generator)
            for count, target in zip(entities.counts, targets, strict=True)
        ]
        return _joined(draws, entities)

    def detected(self, entities: Entities, targets: Sequence[SceneTarget], generator: torch.Generator) -> Pairs:
        """Pairs of detections (SGGen): every pair that stands for a relation, then pairs of detections that stand for
        some entity. A pair that stands for several relations has a row for each."""
        if entities.labels is None:
            raise ValueError("entities: found no labels, expected the class each detection stands for (0 = none)")
        boxes, labels, counts = entities.boxes.cpu(), entities.labels.cpu(), list(entities.counts)
        split = zip(torch.split(boxes, counts), torch.split(labels, counts), targets, strict=True)
        draws = [self._detected(own, label, target.to(torch.device("cpu")), generator) for own, label, target in split]
        return _joined(draws, entities)

    def _given(self, count: int, relations: Int[Tensor, "relation 3"], generator: torch.Generator) -> Draw:
        relations = self._chosen(relations, generator)
        related = torch.zeros(count, count, dtype=torch.int64)
        related[relations[:, 0], relations[:, 1]] = 1
        free = ~torch.eye(count, dtype=torch.bool)
        if self.drop_as_background:
            relations = relations[relations[:, 2] > 0]
        free[relations[:, 0], relations[:, 1]] = False
        return self._filled(relations, free, generator), related | related.T

    def _detected(
        self, boxes: Float[Tensor, "n 4"], labels: Int[Tensor, " n"], target: SceneTarget, generator: torch.Generator
    ) -> Draw:
        relations = self._chosen(target.relations, generator)
        overlap = iou_matrix(target.boxes, boxes)
        matched = (target.labels[:, None] == labels[None, :]) & (overlap > self.iou)
        heads, tails = relations[:, 0], relations[:, 1]
        both = matched[heads][:, :, None] & matched[tails][:, None, :]  # relation, subject, object
        related = both.any(0).to(torch.int64)
        both &= ~torch.eye(len(boxes), dtype=torch.bool)
        relation, subject, partner = both.nonzero().unbind(1)
        free = (labels > 0)[:, None] & (labels > 0)[None, :] & ~torch.eye(len(boxes), dtype=torch.bool)
        free &= ~both.any(0)
        weight = overlap[heads[relation], subject] * overlap[tails[relation], partner]
        kept = _best_of_each(relation, weight, self.per_relation, generator)
        rows = torch.stack([subject, partner, relations[relation, 2]], dim=1)[kept]
        return self._filled(rows, free, generator), related | related.T

    def _filled(self, rows: Int[Tensor, "pair 3"], free: Tensor, generator: torch.Generator) -> Int[Tensor, "drawn 3"]:
        """At most ``positives`` of the related rows, then free cells as background until the cap."""
        if len(rows) > self.positives:
            rows = rows[torch.randperm(len(rows), generator=generator)[: self.positives]]
        cells = free.nonzero()
        cells = cells[torch.randperm(len(cells), generator=generator)[: self.cap - len(rows)]]
        return torch.cat([rows, torch.cat([cells, cells.new_zeros(len(cells), 1)], dim=1)])

    def _chosen(self, relations: Int[Tensor, "relation 3"], generator: torch.Generator) -> Int[Tensor, "chosen 3"]:
        """Without relations of an entity with itself; one row per ordered pair, drawn uniformly from its rows."""
        relations = relations[relations[:, 0] != relations[:, 1]]
        if not self.one_predicate:
            distinct: Tensor = torch.unique(relations, dim=0)
            return distinct
        if len(relations) == 0:
            return relations
        pair = torch.unique(relations[:, :2], dim=0, return_inverse=True)[1]
        kept = _best_of_each(pair, torch.ones(len(relations)), 1, generator)
        return relations[kept]


def all_pairs(
    entities: Entities, cap: int | None = None, overlapping: bool = False, placeholder: bool = False
) -> Pairs:
    """Every ordered pair i ≠ j of each image, subject by subject (testing).

    Args:
        cap: pairs per image; those with the largest product of detector scores are kept. None = all.
        overlapping: only pairs with IoU > 0 (boxes less than a pixel apart count); ignored where boxes are given.
        placeholder: an image without pairs gets the pair (0, 0), as in the public code, instead of none.
    """
    boxes, index, counts = entities.boxes, [], []
    detected = entities.boxes_per_class is not None
    for first, count in zip(entities.starts, entities.counts, strict=True):
        free = ~torch.eye(count, dtype=torch.bool, device=boxes.device)
        if overlapping and detected:
            own = boxes[first : first + count]
            free &= iou_matrix(own, own) > 0
        rows = free.nonzero()
        if cap is not None and len(rows) > cap:
            scores = _scores(entities)[first : first + count]
            order = torch.sort(scores[rows].prod(1), descending=True, stable=True).indices
            rows = rows[order[:cap].sort().values]
        if placeholder and len(rows) == 0 and count > 0:
            rows = rows.new_zeros(1, 2)
        index.append(rows + first)
        counts.append(len(rows))
    return Pairs(tuple(counts), torch.cat(index))


def _scores(entities: Entities) -> Float[Tensor, " entity"]:
    return torch.ones(len(entities.boxes), device=entities.boxes.device) if entities.scores is None else entities.scores


def _best_of_each(
    group: Int[Tensor, " row"], weight: Float[Tensor, " row"], amount: int, generator: torch.Generator
) -> Int[Tensor, " kept"]:
    """Rows, at most ``amount`` of each group, drawn without replacement with probability ∝ weight; in rising order.

    The largest of log w + Gumbel noise are distributed as draws one after the other without replacement.
    """
    noise = -torch.rand(len(weight), generator=generator, dtype=torch.float64).clamp_min(1e-300).log()
    key = weight.double().clamp_min(1e-300).log() - noise.log()
    order = key.argsort(descending=True, stable=True)
    order = order[group[order].argsort(stable=True)]
    ordered = group[order]
    place = torch.arange(len(order)) - torch.searchsorted(ordered, ordered)
    kept: Tensor = order[place < amount].sort().values
    return kept


def _joined(draws: Sequence[Draw], entities: Entities) -> Pairs:
    device = entities.boxes.device
    rows = torch.cat(
        [rows + rows.new_tensor((first, first, 0)) for (rows, _), first in zip(draws, entities.starts, strict=True)]
    )
    counts = tuple(len(rows) for rows, _ in draws)
    related = tuple(related.to(device) for _, related in draws)
    return Pairs(counts, rows[:, :2].to(device), rows[:, 2].to(device), related)
