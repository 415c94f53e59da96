"""What may stand on a superedge: operations, and the fixed combinations of them (paper §3.3)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from interplay.video.affinity import linear
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

PAIRS: Mapping[str, tuple[str, str]] = {
    "aggregation_difference": ("feature_aggregation", "difference_propagation"),
    "temporal_background": ("temporal_convolution", "background_incorporation"),
    "aggregation_background": ("feature_aggregation", "background_incorporation"),
}
"""The operations that stand side by side in a parallel substructure."""


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


class ParallelSubstructure(nn.Module):
    """``NA(LeakyReLU(W [op(X), op'(X)] + b))``: two operations see the same nodes, W: 2C → C joins them.

    Source: agos.md §4, the release, which defines these forms and does not use them; the paper has none.

    Args:
        first, second: the operations.
        attention: what follows.
        settings: width, and slope of LeakyReLU.

    Shapes: nodes (B, N, C) → (B, N, C).
    """

    def __init__(self, first: nn.Module, second: nn.Module, attention: NodeAttention, settings: VideoSettings) -> None:
        super().__init__()
        self.first, self.second, self.attention = first, second, attention
        self.join = linear(2 * settings.width, settings.width)
        self.slope = settings.slope

    def joined(self, state: NodeState) -> Float[Tensor, "batch node width"]:
        """What node attention sees."""
        made = self.join(torch.cat((self.first(state), self.second(state)), dim=-1))
        return functional.leaky_relu(made, self.slope)

    def forward(self, state: NodeState) -> Float[Tensor, "batch node width"]:
        made: Tensor = self.attention(state.moved(self.joined(state)))
        return made


def candidates(settings: VideoSettings, layout: NodeLayout) -> nn.ModuleDict:
    """Everything that can stand on one superedge but zero, by name."""
    made = nn.ModuleDict()
    shared: tuple[FeatureAggregation, NodeAttention] | None = None
    for name in SPACES[settings.space]:
        if name == "zero":
            continue
        if name in PAIRS:
            first, second = (operation(one, settings, layout) for one in PAIRS[name])
            made[name] = ParallelSubstructure(first, second, NodeAttention(settings, layout), settings)
            continue
        if name not in MAIN:
            made[name] = operation(name, settings, layout)
            continue
        if shared is None or not settings.share_fa:
            shared = (FeatureAggregation(settings), NodeAttention(settings, layout))
        made[name] = Substructure(operation(MAIN[name], settings, layout), *shared)
    return made
