"""Feature aggregation, FA (paper Eq. 2)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.video.affinity import Affinity, NormalisedActivation, linear
from interplay.video.settings import VideoSettings
from interplay.video.state import NodeState


class FeatureAggregation(nn.Module):
    """``z_i = δ(Σ_j a_ij · W x_j)``, ``a_i = softmax_j(5 · x̂_iᵀUx̂_j)`` over all nodes of the clip, i included.

    Source: Eq. 2; agos.md §4.1. *Where we differ*: W has a bias (A13), and rows are normalised (A5).

    Shapes: nodes (B, N, C) → (B, N, C).
    """

    def __init__(self, settings: VideoSettings) -> None:
        super().__init__()
        self.affinity = Affinity(settings)
        self.transform = linear(settings.width, settings.width, settings.bias)
        self.activation = NormalisedActivation(settings)

    def attention(self, state: NodeState) -> Float[Tensor, "batch node node"]:
        """a: what each node (row) takes from each (column); rows sum to 1."""
        x = state.nodes_unit if self.affinity.similarity == "cosine" else state.nodes
        scores: Tensor = self.affinity(x, x)
        return scores.softmax(dim=-1)

    def forward(self, state: NodeState) -> Float[Tensor, "batch node width"]:
        made: Tensor = self.activation(torch.bmm(self.attention(state), self.transform(state.nodes)))
        return made
