"""Mutual topology excitation (MTE): channel-wise adjacency matrices that both entities have shaped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.skeleton.feature_fusion import FeatureFusionBlock
from interplay.skeleton.feature_generation import (
    FeatureGenerationBlock,
    SubsetConvolution,
    individual_maps,
    shared_map,
)

AlphaOn = Literal["dynamic", "static"]
Mutual = Literal["shared", "directed"]


@dataclass(frozen=True)
class Topology:
    """What one unit made of its input's joints; for the analyses (paper Fig. 4).

    ``individual`` is V_X (batch, entity, subset, C', V, V), ``common`` the map that FFB adds for each entity (the same
    V_RL for both, or V_RL and V_LR; None without mutual excitation), ``adjacency`` A_X (batch, entity, subset, Cout,
    V, V) and ``adjacency_before`` the same with β = 0.
    """

    individual: Tensor
    common: Tensor | None
    adjacency: Tensor
    adjacency_before: Tensor


class MutualTopologyExcitation(nn.Module):
    """``A_X = ξ(V_X + β_X·V_RL) ⊕ α·A`` or ``α·ξ(V_X + β_X·V_RL) ⊕ A`` (paper section III-C).

    Args:
        adjacency: static matrices A_s (S, V, V).
        in_channels: Cin.
        out_channels: Cout.
        relation_channels: C'.
        adaptive: A is learnt; otherwise it stays.
        normalise_columns: divide A's columns by their 2-norm (+1e-4) at every call (identity subsets).
        alpha_on: ``static`` is the paper's formula with α = 1 at the start; ``dynamic`` is that of CTR-GCN and of the
            authors' release, α = 0 at the start.
        mutual: None for no mutual excitation (no β); ``shared``: both entities get V_RL (paper);
            ``directed``: entity 1 gets V_LR = −V_RLᵀ.
        tie_entities: one β per subset for both entities.
        beta_init: β at the start.

    Shapes: pooled X (B, M, Cin, V) → A_X (B, M, S, Cout, V, V).
    """

    adjacency: Tensor

    def __init__(
        self,
        adjacency: Float[Tensor, "subset joint joint"],
        in_channels: int,
        out_channels: int,
        relation_channels: int,
        *,
        adaptive: bool = True,
        normalise_columns: bool = False,
        alpha_on: AlphaOn = "dynamic",
        mutual: Mutual | None = "shared",
        tie_entities: bool = False,
        beta_init: float = 0.0,
    ) -> None:
        super().__init__()
        subsets = adjacency.shape[0]
        self.generation = FeatureGenerationBlock(subsets, in_channels, relation_channels)
        self.xi = SubsetConvolution(subsets, relation_channels, out_channels)
        if adaptive:
            self.adjacency = nn.Parameter(adjacency.clone())
        else:
            self.register_buffer("adjacency", adjacency.clone())
        self.normalise_columns = normalise_columns
        self.alpha_on = alpha_on
        self.alpha = nn.Parameter(torch.full((1,), 1.0 if alpha_on == "static" else 0.0))
        self.mutual = mutual
        self.fusion = FeatureFusionBlock(subsets, tie_entities, beta_init) if mutual else None

    def static_adjacency(self) -> Float[Tensor, "subset joint joint"]:
        """A, with its columns normalised where that is asked for."""
        if self.normalise_columns:
            length: Tensor = torch.linalg.vector_norm(self.adjacency, dim=1, keepdim=True)
            return self.adjacency / (length + 1e-4)
        return self.adjacency

    def common_maps(self, shared: Tensor) -> Float[Tensor, "batch 2 subset relation joint joint"]:
        """What FFB adds to each entity's own map."""
        other = -shared.transpose(-1, -2) if self.mutual == "directed" else shared
        return torch.stack((shared, other), dim=1)

    def relation_maps(
        self, pooled: Float[Tensor, "batch entity channel joint"]
    ) -> Float[Tensor, "batch entity subset relation joint joint"]:
        """Ṽ_X: FGB followed by FFB."""
        p, q = self.generation.forward(pooled)
        maps = individual_maps(p, q)
        if self.fusion is not None:
            maps = self.fusion.forward(maps, self.common_maps(shared_map(p, q)))
        return maps

    def lift(
        self, maps: Float[Tensor, "batch entity subset relation joint joint"]
    ) -> Float[Tensor, "batch entity subset out joint joint"]:
        """A_X from Ṽ_X: ξ, α and A."""
        lifted = torch.einsum("bmsrij,scr->bmscij", maps, self.xi.weight) + self.xi.bias[..., None, None]
        static = self.static_adjacency()[:, None]
        return self.alpha * lifted + static if self.alpha_on == "dynamic" else lifted + self.alpha * static

    def factors(
        self, pooled: Float[Tensor, "batch entity channel joint"], transposed: bool = False
    ) -> tuple[Float[Tensor, "row subset factor pair"], Float[Tensor, "subset out factor"]]:
        """A_X as a product that is never written down: ``A[b,c,s,·] = Σ_k W[s,c,k]·Ṽ⁺[b,s,k,·]``.

        Ṽ⁺ is Ṽ with two more channels, a one and A_s; W is ξ's weight with ξ's bias and the factor of A, α included.

        Args:
            pooled: temporal mean of X.
            transposed: A's joint indices exchanged.
        """
        maps = self.relation_maps(pooled).flatten(0, 1)  # B·M S C' V V
        static = self.static_adjacency()[None, :, None].expand(maps.shape[0], -1, -1, -1, -1)
        maps = torch.cat((maps, torch.ones_like(static), static), dim=2)
        if transposed:
            maps = maps.transpose(3, 4)
        weight = torch.cat((self.xi.weight, self.xi.bias[..., None]), dim=2)
        one = torch.ones_like(self.xi.bias[..., None])
        if self.alpha_on == "dynamic":
            weight = torch.cat((self.alpha * weight, one), dim=2)
        else:
            weight = torch.cat((weight, self.alpha * one), dim=2)
        return maps.flatten(3), weight

    def forward(
        self, pooled: Float[Tensor, "batch entity channel joint"]
    ) -> Float[Tensor, "batch entity subset out joint joint"]:
        """A_X written out; the unit uses :meth:`factors`."""
        return self.lift(self.relation_maps(pooled))

    def diagnose(self, pooled: Float[Tensor, "batch entity channel joint"]) -> Topology:
        """The maps on the way, for analyses."""
        p, q = self.generation(pooled)
        individual = individual_maps(p, q)
        before = self.lift(individual)
        if self.fusion is None:
            return Topology(individual, None, before, before)
        common = self.common_maps(shared_map(p, q))
        return Topology(individual, common, self.lift(self.fusion(individual, common)), before)
