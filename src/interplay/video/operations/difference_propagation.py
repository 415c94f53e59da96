"""Difference propagation, DP (paper Eq. 3)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.video.affinity import Affinity, NormalisedActivation, linear, without_self
from interplay.video.settings import VideoSettings
from interplay.video.state import NodeState


class DifferencePropagation(nn.Module):
    """``z_i = δ(Σ_{j≠i} a_ij · (W(x_i − x_j) + b))`` without a tensor over pairs.

    The diagonal of the affinities is masked before the softmax, so that each row sums to 1 over j ≠ i and
    ``Z = δ((X − A·X)·Wᵀ + b)``. With ``dp_diagonal="kept"`` the diagonal takes its share a_ii of the softmax and
    contributes nothing: ``Z = δ((X − A·X)·Wᵀ + (1 − a_ii)·b)``.

    Source: Eq. 3; agos.md §4.2, A6. *Where we differ*: the release computes all pairs, at fifty times the cost.

    Shapes: nodes (B, N ≥ 2, C) → (B, N, C).
    """

    def __init__(self, settings: VideoSettings) -> None:
        super().__init__()
        self.affinity = Affinity(settings)
        self.transform = linear(settings.width, settings.width, settings.bias)
        self.activation = NormalisedActivation(settings)
        self.masked = settings.dp_diagonal == "masked"

    def attention(self, state: NodeState) -> Float[Tensor, "batch node node"]:
        """a: whose difference to it each node (row) takes up, by column; rows sum to 1."""
        x = state.nodes_unit if self.affinity.similarity == "cosine" else state.nodes
        scores: Tensor = self.affinity(x, x)
        if self.masked:
            scores = without_self(scores)
        return scores.softmax(dim=-1)

    def forward(self, state: NodeState) -> Float[Tensor, "batch node width"]:
        shares = self.attention(state)
        x = state.nodes.to(shares.dtype)
        difference = torch.baddbmm(x, shares, x, alpha=-1)
        made: Tensor = self.transform(difference)
        if not self.masked and self.transform.bias is not None:
            made = made - shares.diagonal(dim1=1, dim2=2)[..., None] * self.transform.bias
        activated: Tensor = self.activation(made)
        return activated
