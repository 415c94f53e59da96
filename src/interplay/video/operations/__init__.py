"""The graph operations, one per file, all called with a :class:`~interplay.video.state.NodeState`."""

from interplay.video.operations.background_incorporation import BackgroundIncorporation
from interplay.video.operations.difference_propagation import DifferencePropagation
from interplay.video.operations.feature_aggregation import FeatureAggregation
from interplay.video.operations.identity import Identity
from interplay.video.operations.node_attention import NodeAttention
from interplay.video.operations.temporal_convolution import TemporalConvolution

__all__ = [
    "BackgroundIncorporation",
    "DifferencePropagation",
    "FeatureAggregation",
    "Identity",
    "NodeAttention",
    "TemporalConvolution",
]
