"""Graph R-CNN's message passing among entities and predicates, by attention or by means."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from interplay.scene.heads.padding import Padding
from interplay.scene.structures import Entities, Pairs

Messages = Literal["attention", "mean"]


class Neighbours(NamedTuple):
    """Who hears whom.

    Attributes:
        ends: (R, 2) subject and object of each predicate.
        among: (E, 2) entities that hear each other: (hearer, speaker).
        updated: (N,) entities that change.
    """

    ends: Int[Tensor, "pair 2"]
    among: Int[Tensor, "edge 2"]
    updated: Bool[Tensor, " entity"]

    @classmethod
    def find(
        cls, entities: Entities, pairs: Pairs, among: Literal["all", "pairs"] = "all", only_objects: bool = False
    ) -> Neighbours:
        """Entities hear all others of their image, or those that they share a pair with.

        ``only_objects``: an entity that is the object of no pair keeps its feature, as in PySGG.
        """
        index, total = pairs.index, entities.boxes.shape[0]
        if among == "all" and len(entities.counts) == 1:
            edges = everybody(total, index.device)
        elif among == "all":
            padding = Padding(entities.counts, index.device)
            present = padding.present()
            off_diagonal = ~torch.eye(padding.longest, dtype=torch.bool, device=index.device)
            image, hearer, speaker = (present[:, :, None] & present[:, None, :] & off_diagonal).nonzero().unbind(dim=1)
            start = torch.tensor(entities.starts, dtype=torch.int64, device=index.device)[image]
            edges = torch.stack([start + hearer, start + speaker], dim=1)
        else:
            both = torch.cat([index, index.flip(1)])
            key = torch.unique(both[:, 0] * total + both[:, 1])
            edges = torch.stack([key // max(total, 1), key % max(total, 1)], dim=1)
            edges = edges[edges[:, 0] != edges[:, 1]]
        updated = torch.ones(total, dtype=torch.bool, device=index.device)
        if only_objects:
            updated = torch.zeros_like(updated).index_fill(0, index[:, 1], True)
        return cls(index, edges, updated)


def everybody(entities: int, device: torch.device) -> Int[Tensor, "edge 2"]:
    """(hearer, speaker) of one image: all that differ."""
    hearer = torch.arange(entities, device=device)[:, None]
    speaker = torch.arange(max(entities - 1, 0), device=device)[None]
    speaker = torch.where(speaker >= hearer, speaker + 1, speaker)
    return torch.stack([hearer.expand_as(speaker).reshape(-1), speaker.reshape(-1)], dim=1)


class Attention(nn.Module):
    """Multi-head attention of each target over its speakers: ``k = v = ReLU(W source)``, query = the target itself.

    ``W_out Σ_s softmax_s(q·k_s / √d) v_s`` per head, 0 for a target without speakers. Keys have no bias: it shifts all
    scores of a target alike and has no effect.
    """

    def __init__(self, source: int, target: int, heads: int) -> None:
        super().__init__()
        if target % heads:
            raise ValueError(f"heads: found {heads}, expected a divisor of the width {target}")
        self.heads = heads
        self.collect = nn.Linear(source, target)
        self.query, self.value = nn.Linear(target, target), nn.Linear(target, target)
        self.key = nn.Linear(target, target, bias=False)
        self.output = nn.Linear(target, target)

    def forward(
        self, target: Float[Tensor, "to width"], source: Float[Tensor, "of other"], edges: Int[Tensor, "edge 2"]
    ) -> Float[Tensor, "to width"]:
        """``edges``: (row of target, row of source)."""
        to, of = edges.unbind(dim=1)
        speakers = torch.relu(self.collect(source))
        per_head = (to.shape[0], self.heads, target.shape[1] // self.heads)
        query, key = self.query(target)[to].view(per_head), self.key(speakers)[of].view(per_head)
        score = (query * key).sum(dim=2) / math.sqrt(target.shape[1] // self.heads)
        largest = score.new_full((target.shape[0], self.heads), -math.inf)
        largest = largest.scatter_reduce(0, to[:, None].expand_as(score), score.detach(), "amax")
        weight = (score - largest[to]).exp()
        total = weight.new_zeros(target.shape[0], self.heads).index_add(0, to, weight)
        value = self.value(speakers)[of].view(per_head) * (weight / total[to])[:, :, None]
        heard = value.new_zeros(target.shape).index_add(0, to, value.flatten(1))
        silent = total[:, :1] == 0
        message: Tensor = self.output(heard)
        return message.masked_fill(silent, 0)


class Copy(nn.Module):
    """Attention over a single speaker: its weight is 1 whatever query and key are, so there are none."""

    def __init__(self, source: int, target: int) -> None:
        super().__init__()
        self.collect = nn.Linear(source, target)
        self.value, self.output = nn.Linear(target, target), nn.Linear(target, target)

    def forward(self, source: Float[Tensor, "of other"], of: Int[Tensor, " to"]) -> Float[Tensor, "to width"]:
        message: Tensor = self.output(self.value(torch.relu(self.collect(source))))[of]
        return message


class Mean(nn.Module):
    """``Σ_s ReLU(W source_s) / (number + 10⁻⁷)`` over the speakers of each target, as in the original release."""

    def __init__(self, source: int, target: int) -> None:
        super().__init__()
        self.collect = nn.Linear(source, target)
        nn.init.normal_(self.collect.weight, std=0.01)
        nn.init.zeros_(self.collect.bias)

    def forward(
        self, target: Float[Tensor, "to width"], source: Float[Tensor, "of other"], edges: Int[Tensor, "edge 2"]
    ) -> Float[Tensor, "to width"]:
        to, of = edges.unbind(dim=1)
        speakers = torch.relu(self.collect(source))
        total = speakers.new_zeros(target.shape).index_add(0, to, speakers[of])
        return total / (torch.bincount(to, minlength=len(target))[:, None] + 1e-7)


class GraphStep(nn.Module):
    """One exchange among entities and predicates; the same weights serve all steps of a level (spec §B.2).

    ``e ← e + (m[others] + m[predicates as subject] + m[predicates as object]) / 3``,
    ``p ← p + (m[subject] + m[object]) / 2``, both from the features before the step.

    Args:
        entity, predicate: widths.
        messages: ``attention`` or ``mean``.
        heads: of the attention.
        self_copy: predicates add a copy of themselves instead of the messages, as PySGG does at the feature level by a
            slip; the two directions then have no use.
    """

    def __init__(
        self, entity: int, predicate: int, messages: Messages = "attention", heads: int = 4, self_copy: bool = False
    ) -> None:
        super().__init__()
        self.messages, self.self_copy = messages, self_copy

        def unit(source: int, target: int) -> nn.Module:
            return Attention(source, target, heads) if messages == "attention" else Mean(source, target)

        self.relation_to_subject = unit(predicate, entity)
        self.relation_to_object = unit(predicate, entity)
        self.object_to_object = unit(entity, entity)
        single = Copy if messages == "attention" else Mean
        self.subject_to_relation = single(entity, predicate)
        self.object_to_relation = single(entity, predicate)

    def to_entities(
        self, entity: Float[Tensor, "entity width"], predicate: Float[Tensor, "pair other"], neighbours: Neighbours
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Messages from predicates as subject, from predicates as object, from other entities."""
        rows = torch.arange(predicate.shape[0], device=entity.device)
        as_subject = torch.stack([neighbours.ends[:, 0], rows], dim=1)
        as_object = torch.stack([neighbours.ends[:, 1], rows], dim=1)
        return (
            self.relation_to_subject(entity, predicate, as_subject),
            self.relation_to_object(entity, predicate, as_object),
            self.object_to_object(entity, entity, neighbours.among),
        )

    def to_predicates(
        self, entity: Float[Tensor, "entity width"], predicate: Float[Tensor, "pair other"], neighbours: Neighbours
    ) -> tuple[Tensor, Tensor]:
        """Messages from the subject and from the object of each predicate."""
        found = []
        for unit, of in zip(
            (self.subject_to_relation, self.object_to_relation), neighbours.ends.unbind(1), strict=True
        ):
            if isinstance(unit, Copy):
                found.append(unit(entity, of))
            else:
                rows = torch.arange(len(predicate), device=entity.device)
                found.append(unit(predicate, entity, torch.stack([rows, of], dim=1)))
        return found[0], found[1]

    def forward(
        self, entity: Float[Tensor, "entity width"], predicate: Float[Tensor, "pair other"], neighbours: Neighbours
    ) -> tuple[Float[Tensor, "entity width"], Float[Tensor, "pair other"]]:
        heard = sum(self.to_entities(entity, predicate, neighbours), torch.zeros_like(entity)) / 3
        new_entity = torch.where(neighbours.updated[:, None], entity + heard, entity)
        if self.self_copy:
            return new_entity, predicate + predicate
        first, second = self.to_predicates(entity, predicate, neighbours)
        return new_entity, predicate + (first + second) / 2
