"""Feature fusion block (FFB): an entity's own feature plus a learnt share of the common one."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FeatureFusionBlock(nn.Module):
    """``R(individual, shared, β) = individual + β·shared`` (paper Eqs. 4 and 5).

    The topology module has one with β, the feature module one with γ (here both are called ``weight``).

    Args:
        subsets: S; every subset has its own weight.
        tie_entities: one weight for both entities; otherwise one each (authors' release).
        initial: starting value; the paper's Table VI tries 0 … 1.

    Shapes: weight (S, 2), or (S, 1) if tied.
    """

    def __init__(self, subsets: int, tie_entities: bool = False, initial: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((subsets, 1 if tie_entities else 2), float(initial)))

    def per_entity(self) -> Float[Tensor, "2 subset"]:
        """The weight of entity 0 and of entity 1."""
        return self.weight.T.expand(2, -1)

    def forward(
        self, individual: Float[Tensor, "batch 2 subset *rest"], shared: Float[Tensor, "batch 2 subset *rest"]
    ) -> Float[Tensor, "batch 2 subset *rest"]:
        """``shared`` may have been expanded over the entities."""
        weight = self.per_entity()
        return individual + weight.reshape(*weight.shape, *[1] * (individual.ndim - 3)).to(shared.dtype) * shared
