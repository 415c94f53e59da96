"""Identity, with the dropout that keeps it from taking over the search (paper §4.2)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from interplay.video.settings import VideoSettings
from interplay.video.state import NodeState


class Identity(nn.Module):
    """``z_i = Dropout(x_i)``; ``probability`` may be changed between epochs (agos.md §4.6, A15).

    Shapes: nodes (B, N, C) → (B, N, C).
    """

    def __init__(self, settings: VideoSettings) -> None:
        super().__init__()
        self.probability = settings.identity_dropout

    def forward(self, state: NodeState) -> Float[Tensor, "batch node width"]:
        if not self.training or self.probability == 0:
            return state.nodes
        return functional.dropout(state.nodes, self.probability)
