"""Node attention, NA (paper Eq. 9)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from interplay.video.affinity import NormalisedActivation, linear, without_self
from interplay.video.settings import VideoSettings
from interplay.video.state import NodeLayout, NodeState


class NodeAttention(nn.Module):
    """``z_i = w_i · x_i``, ``w_i = σ(Wⁿ[a_i; Δs_i] + b)``.

    With ``na="top"``, a_i are the similarities to the M most similar other nodes in descending order and Δs_i the M
    differences s_i − s_j in position (x, y, t). With ``na="all"``, a_i are the similarities to all nodes in order, the
    node itself included, and the node's own nine position numbers stand in the place of differences.

    Options: ``na_self`` (the node itself is one of the M); ``na_activation`` (``z_i = δ(w_i · x_i)``).

    Source: Eq. 9; agos.md §4.5, A11, A12. *Where we differ*: M is not given anywhere; 16, as something that stays has
    one counterpart in each of 15 other frames. The release has no M at all ("all").

    Shapes: nodes (B, N, C), positions (B, N, 3 or 9) → (B, N, C).

    Raises:
        ValueError: M is not smaller than N, or with ``na_self`` larger.
    """

    def __init__(self, settings: VideoSettings, layout: NodeLayout) -> None:
        super().__init__()
        self.neighbours = settings.na_neighbours if settings.na == "top" else None
        self.cosine = settings.na_similarity == "cosine"
        if self.neighbours is None:
            inputs = layout.nodes + settings.coordinates
        else:
            others = layout.nodes if settings.na_self else layout.nodes - 1
            if self.neighbours > others:
                raise ValueError(
                    f"na_neighbours: found {self.neighbours}, expected at most {others}, as a clip has {layout.nodes} "
                    "nodes"
                )
            inputs = self.neighbours * (1 + settings.coordinates)
        self.weight = linear(inputs, 1)
        self.own = settings.na_self
        self.activation = NormalisedActivation(settings) if settings.na_activation else None

    def evidence(self, state: NodeState) -> Float[Tensor, "batch node evidence"]:
        """[a_i; Δs_i]."""
        similarity = state.cosine if self.cosine else state.inner_product
        if self.neighbours is None:
            return torch.cat((similarity, state.positions.to(similarity.dtype)), dim=-1)
        batch, nodes, _ = similarity.shape
        others = similarity.detach() if self.own else without_self(similarity.detach())
        if torch.compiler.is_exporting():  # ONNX has no stable sort, and its own TopK takes the lower index of a tie
            index = others.topk(self.neighbours, dim=-1).indices
        else:
            index = highest(others, self.neighbours)
        found = similarity.gather(2, index)
        s = state.positions.to(similarity.dtype)
        theirs = s.gather(1, index.flatten(1)[..., None].expand(-1, -1, s.shape[-1]))
        differences = s[:, :, None] - theirs.view(batch, nodes, self.neighbours, -1)
        return torch.cat((found, differences.flatten(2)), dim=-1)

    def attention(self, state: NodeState) -> Float[Tensor, "batch node"]:
        """w, each in (0, 1)."""
        made: Tensor = self.weight(self.evidence(state))
        return made.squeeze(-1).sigmoid()

    def forward(self, state: NodeState) -> Float[Tensor, "batch node width"]:
        made = self.attention(state)[..., None] * state.nodes
        return made if self.activation is None else self.activation(made)


def highest(values: Float[Tensor, "*any place"], count: int) -> Int64[Tensor, "*any count"]:
    """Places of the ``count`` highest values in descending order, the lower place first among equals."""
    if values.dtype != torch.float32:
        return torch.sort(values, dim=-1, descending=True, stable=True).indices[..., :count]
    # Whole numbers in the order of the values and, among equals, of the places: a partial sort is then enough.
    bits = (values + 0.0).view(torch.int32)  # −0 becomes 0
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).to(torch.int64)
    places = values.shape[-1]
    keys = ordered * places + torch.arange(places - 1, -1, -1, device=values.device)
    return keys.topk(count, dim=-1).indices
