"""Which nodes the graph operations of a clip attend to (paper §4.4, Fig. 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from interplay.video.network import AGOS
from interplay.video.operations import (
    BackgroundIncorporation,
    DifferencePropagation,
    FeatureAggregation,
    NodeAttention,
    TemporalConvolution,
)
from interplay.video.preparation import PreparedClip, collate
from interplay.video.recogniser import VideoRecogniser
from interplay.video.state import NodeState
from interplay.video.structure import Structure
from interplay.video.substructures import ParallelSubstructure, Substructure

NAMES: dict[type[nn.Module], str] = {
    FeatureAggregation: "feature_aggregation",
    DifferencePropagation: "difference_propagation",
    TemporalConvolution: "temporal_convolution",
    BackgroundIncorporation: "background_incorporation",
    NodeAttention: "node_attention",
}


@dataclass(frozen=True, eq=False)
class Attention:
    """What one operation attends to in one clip.

    Args:
        superedge: (from, to); None for a model of a single operation.
        operation: basic operation.
        pairs: (N, N) a_ij of feature aggregation and difference propagation: what node i (row) takes from node j.
        weights: (N,) w_i of node attention.
        nearest: (N, T') n(i, u) of temporal convolution.
        cells: (N, h·w) of background incorporation: what node i takes from the cells of its frame.
    """

    superedge: tuple[int, int] | None
    operation: str
    pairs: Float[NDArray[np.float32], "node node"] | None = None
    weights: Float[NDArray[np.float32], " node"] | None = None
    nearest: NDArray[np.int64] | None = None
    cells: Float[NDArray[np.float32], "node cell"] | None = None

    def importance(self) -> Float[NDArray[np.float64], " node"] | None:
        """How much of the operation's attention each node gets; sums to 1. None where it goes to the background.

        Column means of a_ij; w_i by their sum; how often a node is the nearest of its frame.
        """
        if self.pairs is not None:
            return np.asarray(self.pairs.mean(0, dtype=np.float64))
        if self.weights is not None:
            return np.asarray(self.weights / self.weights.sum(dtype=np.float64), np.float64)
        if self.nearest is not None:
            counts = np.bincount(self.nearest.reshape(-1), minlength=len(self.nearest))
            return np.asarray(counts / self.nearest.size, np.float64)
        return None


@torch.inference_mode()
def read_attention(
    network: AGOS,
    features: Float[Tensor, "1 channel step y x"],
    boxes: Float[Tensor, "1 step box 4"],
    structure: Structure | None = None,
) -> list[Attention]:
    """Attention of every operation that runs for a clip, in the order in which they run; empty where there is none.

    Args:
        features: the backbone's map.
        structure: instead of the clip's own.
    """
    found: list[Attention] = []
    if network.model.graph in ("global_pooling", "roi_pooling"):
        return found
    if network.model.graph != "agos":
        module = network.operation
        assert isinstance(module, nn.Module)
        return [
            one for part, state in _parts(module, network.nodes(features, boxes)) if (one := _read(None, part, state))
        ]

    def watch(edge: int, name: str, module: nn.Module, state: NodeState, rows: Tensor) -> None:
        for part, seen in _parts(module, state):
            if (one := _read(network.superedges[edge], part, seen)) is not None:
                found.append(one)

    network(None, boxes, features=features, structures=None if structure is None else [structure], watch=watch)
    return found


def _parts(module: nn.Module, state: NodeState) -> Iterator[tuple[nn.Module, NodeState]]:
    """The basic operations of what stands on a superedge, each with what it sees."""
    if isinstance(module, ParallelSubstructure):
        yield module.first, state
        yield module.second, state
        yield module.attention, state.moved(module.joined(state))
        return
    if not isinstance(module, Substructure):
        yield module, state
        return
    for part in (module.main, module.aggregation, module.attention):
        yield part, state
        state = state.moved(part(state))


def _read(superedge: tuple[int, int] | None, module: nn.Module, state: NodeState) -> Attention | None:
    name = NAMES.get(type(module))
    if name is None:
        return None
    if isinstance(module, FeatureAggregation | DifferencePropagation):
        return Attention(superedge, name, pairs=module.attention(state)[0].float().cpu().numpy())
    if isinstance(module, NodeAttention):
        return Attention(superedge, name, weights=module.attention(state)[0].float().cpu().numpy())
    if isinstance(module, TemporalConvolution):
        return Attention(superedge, name, nearest=module.nearest(state)[0].cpu().numpy())
    assert isinstance(module, BackgroundIncorporation)
    return Attention(superedge, name, cells=module.attention(state)[0].float().cpu().numpy())


def node_importance(found: Sequence[Attention], boxes: int) -> Float[NDArray[np.float64], "step box"] | None:
    """Mean over the operations of the attention that each node gets, 1 = as much as the average node.

    Args:
        boxes: R.

    Returns:
        (T', R), or None where no operation attends to nodes.
    """
    shares = [share for one in found if (share := one.importance()) is not None]
    if not shares:
        return None
    made = np.mean(shares, axis=0)
    return np.asarray(made.reshape(-1, boxes) * made.size, np.float64)


def top_related(
    pairs: Float[NDArray[np.float32], "node node"], node: int, count: int = 5
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The nodes that a reference node draws on most, itself left out, and what it takes from them (Fig. 7a, b)."""
    row = pairs[node].astype(np.float64)
    row[node] = -np.inf
    order = np.argsort(-row, kind="stable")[: min(count, len(row) - 1)]
    return order.astype(np.int64), np.asarray(row[order])


@dataclass(frozen=True, eq=False)
class Marked:
    """Boxes on the frames that a model looked at, with the attention that each gets.

    Args:
        frames: (T',) frames of the video, ascending.
        boxes: (T', R, 4) shares of the frame.
        importance: (T', R), 1 = as much as the average box; None where the model has no operation on nodes.
    """

    frames: NDArray[np.int64]
    boxes: Float[NDArray[np.float32], "step box 4"]
    importance: Float[NDArray[np.float64], "step box"] | None


def marked(
    recogniser: VideoRecogniser,
    clip: PreparedClip,
    frames: NDArray[np.int64],
    boxes: Float[NDArray[np.float32], "step box 4"],
    structure: Structure | None = None,
) -> Marked:
    """What a model attends to in a clip, or in a window of a longer video, in places of the video's own frames.

    Args:
        clip: as the model takes it.
        frames: (T',) of the video, that the boxes are on.
        boxes: (T', R, 4) of the clip as shares of the frame.
        structure: instead of the clip's own.
    """
    batch = collate([clip])
    with torch.inference_mode():
        network = recogniser.network
        device = next(network.parameters()).device
        features = network.backbone_features(batch.clips().to(device)).float()
        found = read_attention(network, features, batch.boxes.to(device), structure)
    return Marked(frames, boxes, node_importance(found, boxes.shape[1]))
