"""BGNN's confidence-aware message passing between entities and predicates."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from interplay.scene.heads.pairwise_features import spread_linear
from interplay.scene.structures import Entities, Pairs

Skip = Literal["image", "batch"]


class Gate(nn.Module):
    """``g(t, s) = mean_c σ(W ReLU(LN([t; s])) + b)_c``: one number per edge.

    Args:
        hidden: width of t and of s.
        width: C, of W's output.
    """

    def __init__(self, hidden: int, width: int = 128) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(2 * hidden)
        self.project = spread_linear(2 * hidden, width)

    def forward(
        self, target: Float[Tensor, "edge hidden"], source: Float[Tensor, "edge hidden"]
    ) -> Float[Tensor, "edge 1"]:
        inner = torch.relu(self.norm(torch.cat([target, source], dim=1)))
        return torch.sigmoid(self.project(inner)).mean(dim=1, keepdim=True)


class Update(nn.Module):
    """``t + W_i ReLU(message) + W_h ReLU(t)``."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.message = spread_linear(hidden, hidden)
        self.own = spread_linear(hidden, hidden)

    def forward(
        self, state: Float[Tensor, "row hidden"], message: Float[Tensor, "row hidden"]
    ) -> Float[Tensor, "row hidden"]:
        new: Tensor = state + self.message(torch.relu(message)) + self.own(torch.relu(state))
        return new


class Edges(NamedTuple):
    """Who may speak to whom.

    Attributes:
        confidence: (R, 1) s′ of each pair.
        selected: (R,) pairs that speak to their entities, s′ > threshold.
        heard: (R,) pairs that listen to their entities: both are confident detections.
        entity_active, pair_active: rows that this stage changes at all.
    """

    confidence: Float[Tensor, "pair 1"]
    selected: Bool[Tensor, " pair"]
    heard: Bool[Tensor, " pair"]
    entity_active: Bool[Tensor, " entity"]
    pair_active: Bool[Tensor, " pair"]

    @classmethod
    def choose(
        cls,
        confidence: Float[Tensor, " pair"],
        scores: Float[Tensor, " entity"],
        entities: Entities,
        pairs: Pairs,
        skip: Skip = "image",
        least_confidence: float = 1e-4,
        least_score: float = 0.03,
    ) -> Edges:
        """An image (with ``skip: batch`` the batch) in which no pair is selected passes unchanged."""
        selected = confidence > least_confidence
        heard = (scores > least_score)[pairs.index].all(dim=1)
        spoken_for = torch.zeros(len(entities.counts), dtype=torch.int64, device=scores.device)
        spoken_for = spoken_for.index_add(0, pairs.image, selected.to(torch.int64))
        active = spoken_for > 0 if skip == "image" else (spoken_for > 0) | selected.any()
        return cls(confidence[:, None], selected, heard, active[entities.image], active[pairs.image])


class MessagePassing(nn.Module):
    """One iteration of the bipartite graph (BGNN Eqs. 5–9; spec §B.6).

    ``m_i^role = mean over selected pairs r with i in that role of s′_r · g(e_i, p_r) · p_r``;
    ``e ← update(e, (m^subject + m^object) / 2)``;
    ``p ← update(p, (g(p, e_s) e_s + g(p, e_o) e_o) / 2)`` for pairs of two confident detections, others keep p.
    Both use the features from before the iteration.

    Args:
        hidden: width of e and p.
        gate_width: of each gate.
        to_entities: False where nobody looks at the entities afterwards: that direction then has no weights.
    """

    def __init__(self, hidden: int, gate_width: int = 128, to_entities: bool = True) -> None:
        super().__init__()
        self.subject_to_predicate = Gate(hidden, gate_width)
        self.object_to_predicate = Gate(hidden, gate_width)
        self.predicate_update = Update(hidden)
        self.to_entities = to_entities
        if to_entities:
            self.predicate_to_subject = Gate(hidden, gate_width)
            self.predicate_to_object = Gate(hidden, gate_width)
            self.entity_update = Update(hidden)

    def train_entities(self, wanted: bool) -> None:
        """Whether the weights towards the entities train."""
        for part in (self.predicate_to_subject, self.predicate_to_object, self.entity_update):
            part.requires_grad_(wanted)

    def entity_message(
        self,
        gate: Gate,
        entity: Float[Tensor, "entity hidden"],
        predicate: Float[Tensor, "pair hidden"],
        role: Int[Tensor, " pair"],
        edges: Edges,
    ) -> Float[Tensor, "entity hidden"]:
        """m^role; zero for an entity that no selected pair has in this role."""
        if torch.compiler.is_exporting():  # all of them, so that the number of rows is known beforehand
            row = torch.arange(predicate.shape[0], device=predicate.device)
        else:
            row = edges.selected.nonzero()[:, 0]
        target, source = role[row], predicate[row]
        speaks = edges.selected[row].to(source.dtype)[:, None]
        spoken = speaks * edges.confidence[row] * gate(entity[target], source) * source
        amount = speaks.new_zeros(entity.shape[0], 1).index_add(0, target, speaks).clamp_min(1)
        total: Tensor = spoken.new_zeros(entity.shape).index_add(0, target, spoken)
        return total / amount

    def gates_to_predicate(
        self, entity: Float[Tensor, "entity hidden"], predicate: Float[Tensor, "pair hidden"], pairs: Pairs
    ) -> tuple[Float[Tensor, "pair 1"], Float[Tensor, "pair 1"]]:
        """g(p, e_s) and g(p, e_o) of all pairs."""
        first = self.subject_to_predicate(predicate, entity[pairs.subject])
        return first, self.object_to_predicate(predicate, entity[pairs.object])

    def forward(
        self,
        entity: Float[Tensor, "entity hidden"],
        predicate: Float[Tensor, "pair hidden"],
        edges: Edges,
        pairs: Pairs,
    ) -> tuple[Float[Tensor, "entity hidden"], Float[Tensor, "pair hidden"]]:
        from_subject, from_object = self.gates_to_predicate(entity, predicate, pairs)
        message = (from_subject * entity[pairs.subject] + from_object * entity[pairs.object]) / 2
        listening = (edges.heard & edges.pair_active)[:, None]
        new_predicate = torch.where(listening, self.predicate_update(predicate, message), predicate)
        if not self.to_entities:
            return entity, new_predicate
        as_subject = self.entity_message(self.predicate_to_subject, entity, predicate, pairs.subject, edges)
        as_object = self.entity_message(self.predicate_to_object, entity, predicate, pairs.object, edges)
        updated = self.entity_update(entity, (as_subject + as_object) / 2)
        return torch.where(edges.entity_active[:, None], updated, entity), new_predicate


class BipartiteGraph(nn.Module):
    """First projections and T iterations with own weights; every stage of refinement runs it anew.

    Args:
        pooling: width of a and p as they come in.
        hidden: width inside.
        iterations: T.
        gate_width: of the gates.
        entity_result: whether the entities are read after the last iteration.
    """

    def __init__(self, pooling: int, hidden: int, iterations: int, gate_width: int, entity_result: bool) -> None:
        super().__init__()
        self.entity_in = spread_linear(pooling, hidden)
        self.predicate_in = spread_linear(pooling, hidden)
        last = iterations - 1
        self.iterations = nn.ModuleList(
            MessagePassing(hidden, gate_width, to_entities=step < last or entity_result) for step in range(iterations)
        )

    def train_last_entities(self, wanted: bool) -> None:
        """Whether the last iteration's weights towards the entities train."""
        last = self.iterations[-1]
        assert isinstance(last, MessagePassing)
        last.train_entities(wanted)

    def start(self, entity: Float[Tensor, "entity pooling"]) -> Float[Tensor, "entity hidden"]:
        """e⁰ = ReLU(W a)."""
        return torch.relu(functional.linear(entity, self.entity_in.weight, self.entity_in.bias))

    def start_pairs(self, predicate: Float[Tensor, "pair pooling"]) -> Float[Tensor, "pair hidden"]:
        """p⁰ = ReLU(W p)."""
        return torch.relu(functional.linear(predicate, self.predicate_in.weight, self.predicate_in.bias))

    def forward(
        self,
        entity: Float[Tensor, "entity hidden"],
        predicate: Float[Tensor, "pair hidden"],
        edges: Edges,
        pairs: Pairs,
    ) -> list[tuple[Float[Tensor, "entity hidden"], Float[Tensor, "pair hidden"]]]:
        """(e, p) before the first and after every iteration."""
        states = [(entity, predicate)]
        for step in self.iterations:
            states.append(step(*states[-1], edges, pairs))
        return states
