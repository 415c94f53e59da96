"""From the contexts of two entities and their union feature to predicate scores: the last part of MOTIFS and VCTree."""

from __future__ import annotations

from math import sqrt
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.scene.frequency import FrequencyBias
from interplay.scene.structures import Pairs, UnionFeatures

Pairing = Literal["concatenate", "multiply"]


class PairClassifier(nn.Module):
    """Predicate logits of pairs (spec §B.1).

        [h_i; t_i] = W e_i          (``rectified``: its ReLU, as in VCTree)
        p_so = V [h_s; t_o]         (``multiply``: h_s ∘ t_o, as in Neural Motifs)
        logits = C (p_so ∘ U u_so) + frequency[label_s, label_o]

    U only exists where u is not ``pooling`` wide. V [h; t] = V₁ h + V₂ t is computed per entity and gathered per pair:
    the same sums, and no product of R rows.

    Args:
        hidden: of the edge context e.
        pooling: of p.
        union_width: of u.
        predicates: P.
        frequency: added to the logits, or None.
        rectified: ReLU after W.
        vision: multiply by the union feature.
        pairing: how h and t meet.
        squash: tanh of what enters C (Neural Motifs' option).
    """

    def __init__(
        self,
        hidden: int,
        pooling: int,
        union_width: int,
        predicates: int,
        frequency: FrequencyBias | None,
        *,
        rectified: bool = False,
        vision: bool = True,
        pairing: Pairing = "concatenate",
        squash: bool = False,
    ) -> None:
        super().__init__()
        if pairing not in ("concatenate", "multiply"):
            raise ValueError(f"pairing: found {pairing!r}, expected concatenate or multiply")
        self.rectified, self.vision, self.squash = rectified, vision, squash
        side = hidden if pairing == "concatenate" else pooling
        self.ends = nn.Linear(hidden, 2 * side)
        nn.init.normal_(self.ends.weight, std=10 * sqrt(1 / hidden))
        nn.init.zeros_(self.ends.bias)
        self.join = xavier_linear(2 * side, pooling) if pairing == "concatenate" else None
        self.union = xavier_linear(union_width, pooling) if vision and union_width != pooling else None
        self.classifier = xavier_linear(pooling, predicates)
        self.frequency = frequency

    def sides(
        self, edge: Float[Tensor, "entity hidden"]
    ) -> tuple[Float[Tensor, "entity pooling"], Float[Tensor, "entity pooling"]]:
        """What an entity brings to p as a subject and as an object."""
        ends = self.ends(edge)
        head, tail = (torch.relu(ends) if self.rectified else ends).chunk(2, dim=1)
        if self.join is None:
            return head, tail
        first, second = self.join.weight.chunk(2, dim=1)
        return nn.functional.linear(head, first, self.join.bias), nn.functional.linear(tail, second)

    def pair(
        self,
        sides: tuple[Float[Tensor, "entity pooling"], Float[Tensor, "entity pooling"]],
        index: Int[Tensor, "pair 2"],
    ) -> Float[Tensor, "pair pooling"]:
        """p of the named pairs."""
        subject, object_ = sides[0][index[:, 0]], sides[1][index[:, 1]]
        return subject * object_ if self.join is None else subject + object_

    def forward(
        self,
        edge: Float[Tensor, "entity hidden"],
        union: UnionFeatures,
        pairs: Pairs,
        labels: Int[Tensor, " entity"],
    ) -> Float[Tensor, "pair predicate"]:
        """Logits of all pairs; without vision no union feature is ever made."""
        sides = self.sides(edge)

        def score(features: Tensor, rows: slice) -> Tensor:
            made = self.pair(sides, pairs.index[rows])
            if self.vision:
                made = made * (features if self.union is None else self.union(features))
            logits: Tensor = self.classifier(torch.tanh(made) if self.squash else made)
            return logits

        if not self.vision:  # made-up features of no width, so that chunks stay chunks
            blank = edge.new_zeros(len(pairs.index), 0)
            union = UnionFeatures.of(blank, union.chunk)
        logits = union.map(score)
        if self.frequency is not None:
            logits = logits + self.frequency(labels[pairs.subject], labels[pairs.object])
        return logits


def xavier_linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer with Xavier's normal weights and zero biases (spec L.6)."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
