"""Background incorporation, BI (paper Eqs. 6 to 8)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.video.affinity import Affinity, NormalisedActivation, linear
from interplay.video.settings import VideoSettings
from interplay.video.state import NodeLayout, NodeState


class BackgroundIncorporation(nn.Module):
    """``z_i = δ(V s_i + W Σ_j a_ij y_j + b)`` over the cells j of the frame that node i stands in.

    ``s_ij = x̂_iᵀUŷ_j``, ``a_i = softmax_j(5 · s_ij)``. V sees where in the frame the node's likeness lies, W what lies
    there. Aggregation comes first: W is applied to T'·R aggregates instead of to T'·h·w cells. ``transform`` is
    [W, V], with the bias that the release gives both together.

    Option ``bi_rel="softmax"``: V sees a_i instead of s_i (A10).

    Source: Eqs. 6 to 8; agos.md §4.4. *Where we differ*: one symbol stands for both affinities in the paper.

    Shapes: nodes (B, T'·R, C), background (B, T', h·w, C) → (B, T'·R, C).
    """

    def __init__(self, settings: VideoSettings, layout: NodeLayout) -> None:
        super().__init__()
        self.affinity = Affinity(settings)
        self.transform = linear(settings.width + layout.cells, settings.width, settings.bias)
        self.activation = NormalisedActivation(settings)
        self.softmax_relations = settings.bi_rel == "softmax"

    def relations(self, state: NodeState) -> Float[Tensor, "frame box cell"]:
        """s, frame by frame."""
        cosine = self.affinity.similarity == "cosine"
        x = state.nodes_unit if cosine else state.nodes
        y = state.background.flatten(0, 1)
        made = self.affinity.relations(x.reshape(-1, state.boxes, x.shape[-1]), y)
        return made / state.context.background_norm.flatten(0, 1)[:, None] if cosine else made

    def attention(self, state: NodeState) -> Float[Tensor, "batch node cell"]:
        """a: what each node takes from each cell of its frame; rows sum to 1."""
        shares = (self.affinity.scale * self.relations(state)).softmax(dim=-1)
        return shares.view(*state.nodes.shape[:2], -1)

    def forward(self, state: NodeState) -> Float[Tensor, "batch node width"]:
        relations = self.relations(state)
        shares = (self.affinity.scale * relations).softmax(dim=-1)
        seen = torch.bmm(shares, state.background.flatten(0, 1).to(shares.dtype))  # frame box width
        both = torch.cat((seen, (shares if self.softmax_relations else relations).to(seen.dtype)), dim=-1)
        made: Tensor = self.activation(self.transform(both))
        return made.view(state.nodes.shape)
