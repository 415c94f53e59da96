"""What may stand on a superedge: operations, and the fixed combinations of them (paper §3.3)."""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from interplay.video.operations import (
    BackgroundIncorporation,
    DifferencePropagation,
    FeatureAggregation,
    Identity,
    NodeAttention,
    TemporalConvolution,
)
from interplay.video.settings import VideoSettings
from interplay.video.state import NodeLayout, NodeState
from interplay.video.structure import SPACES

MAIN: Mapping[str, str] = {
    "difference": "difference_propagation",
    "temporal": "temporal_convolution",
    "background": "background_incorporation",
}
"""The operation that a fixed substructure starts with."""


def operation(name: str, settings: VideoSettings, layout: NodeLayout) -> nn.Module:
    """A basic operation by name, with weights of its own.

    Raises:
        ValueError: no such operation.
    """
    if name == "feature_aggregation":
        return FeatureAggregation(settings)
    if name == "difference_propagation":
        return DifferencePropagation(settings)
    if name == "temporal_convolution":
        return TemporalConvolution(settings, layout)
    if name == "background_incorporation":
        return BackgroundIncorporation(settings, layout)
    if name == "node_attention":
        return NodeAttention(settings, layout)
    if name == "identity":
        return Identity(settings)
    raise ValueError(f"operation: found {name!r}, expected one of {', '.join(SPACES['original'][1:])}")


class Substructure(nn.Module):
    """``NA(FA(op(X)))``: an operation, then feature aggregation, then node attention (paper §3.3, Fig. 4).

    Args:
        main: the operation.
        aggregation, attention: what follows; of its own, or shared on the superedge (``share_fa``).

    Shapes: nodes (B, N, C) → (B, N, C).
    """

    def __init__(self, main: nn.Module, aggregation: FeatureAggregation, attention: NodeAttention) -> None:
        super().__init__()
        self.main, self.aggregation, self.attention = main, aggregation, attention

    def forward(self, state: NodeState) -> Float[Tensor, "batch node width"]:
        aggregated: Tensor = self.aggregation(state.moved(self.main(state)))
        made: Tensor = self.attention(state.moved(aggregated))
        return made


def candidates(settings: VideoSettings, layout: NodeLayout) -> nn.ModuleDict:
    """Everything that can stand on one superedge but zero, by name."""
    made = nn.ModuleDict()
    shared: tuple[FeatureAggregation, NodeAttention] | None = None
    for name in SPACES[settings.space]:
        if name == "zero":
            continue
        if name not in MAIN:
            made[name] = operation(name, settings, layout)
            continue
        if shared is None or not settings.share_fa:
            shared = (FeatureAggregation(settings), NodeAttention(settings, layout))
        made[name] = Substructure(operation(MAIN[name], settings, layout), *shared)
    return made
