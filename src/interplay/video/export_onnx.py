"""A network with one fixed structure as an ONNX file, for other runtimes.

A structure per clip is a matter of control flow, which differs from clip to clip; with one structure for all, mostly
the one of the most training videos ("only testing", Table 1), the network is a plain graph. Decoding, cropping and
boxes stay outside.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from interplay.training.onnx_file import OPSET, largest_difference, write_onnx
from interplay.video.network import AGOS
from interplay.video.structure import Structure

OUTPUTS = ("logits",)
TOLERANCE = 0.05
"""Largest difference of a logit, relative to the largest one. Each operation agrees to 1e-6; but feature aggregation
makes nodes so alike that which M of them are nearest, in the node attention behind it, can be a matter of rounding."""


class FixedStructure(nn.Module):
    """Normalised clips and boxes → logits, with the same operations for every clip.

    Shapes: clips (batch, 3, frame, height, width), boxes (batch, step, box, 4) → (batch, class).

    Args:
        network: it is copied.
        structure: of every clip; None for a baseline, which has none.
    """

    def __init__(self, network: AGOS, structure: Structure | None) -> None:
        super().__init__()
        if (structure is None) == bool(network.structure_parameters()):
            raise ValueError("structure: expected one with the graph agos, and none with a baseline")
        self.network = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
        self.structure = structure

    def forward(self, clips: Tensor, boxes: Tensor) -> Tensor:
        network = self.network
        features = network.backbone_features(clips)
        if network.model.graph == "global_pooling":
            return network.classify(network.pooled_features(features))
        if not network.model.narrows:
            return network.classify(network.pooled_regions(features, boxes))
        state = network.nodes(features, boxes)
        extra = [state.background.mean(dim=(1, 2))] if network.model.cat_global else []
        if self.structure is None:
            nodes = state.nodes if network.model.graph == "roi_pooling" else network.operation(state)
            return network.classify(torch.cat([nodes.mean(dim=1), *extra], dim=-1))
        for place, cell in enumerate(network.cells):
            if place:
                state = state.moved(network.between[place - 1](nodes))
            nodes = fixed(cell, state, self.structure)
        return network.classify(torch.cat([nodes.mean(dim=1), *extra], dim=-1))


def fixed(cell: nn.Module, state: object, structure: Structure) -> Tensor:
    """:meth:`interplay.video.cell.Cell.discrete` where all clips chose the same, without looking at numbers."""
    from interplay.video.cell import Cell
    from interplay.video.state import NodeState

    assert isinstance(cell, Cell)
    assert isinstance(state, NodeState)
    totals: list[Tensor | None] = [None] * (cell.supernodes + 1)
    states = {0: state}
    for edge, ((source, target), name) in enumerate(zip(cell.superedges, structure.operations, strict=True)):
        if source not in states:
            before = totals[source]
            states[source] = state.moved(torch.zeros_like(state.nodes) if before is None else before)
        if name == "zero":
            continue
        made: Tensor = cell.bank(edge)[name](states[source])
        total = totals[target]
        totals[target] = made if total is None else total + made
    return torch.cat([torch.zeros_like(state.nodes) if one is None else one for one in totals[1:]], dim=-1)


def example(network: AGOS, batch: int, seed: int = 0) -> dict[str, Tensor]:
    """Made-up clips and boxes."""
    draw = torch.Generator().manual_seed(seed)
    height, width = network.size
    low = torch.rand(batch, network.layout.steps, network.layout.boxes, 2, generator=draw) / 2
    size = 0.2 + 0.3 * torch.rand(batch, network.layout.steps, network.layout.boxes, 2, generator=draw)
    return {
        "clips": torch.randn(batch, 3, network.frames, height, width, generator=draw),
        "boxes": torch.cat([low, low + size], -1),
    }


def export_structure(
    network: AGOS,
    structure: Structure | None,
    path: str | Path,
    *,
    opset: int = OPSET,
    tolerance: float = TOLERANCE,
    batches: Sequence[int] = (1, 3),
) -> float:
    """Write a network with a fixed structure as ONNX and compare it with PyTorch at other numbers of clips.

    Args:
        network: it stays as it is.
        structure: of every clip; None for a baseline.
        path: file to write.
        opset: version of the ONNX operators.
        tolerance: largest allowed difference, relative to the largest logit.
        batches: numbers of clips compared.

    Returns:
        The largest difference found.

    Raises:
        ExportError: ONNX cannot express it, the packages of ``interplay[export]`` are not installed, or the answers
            differ.
        ValueError: a structure for a baseline, or none for AGOS.
    """
    made = FixedStructure(network, structure).eval()
    batch = torch.export.Dim("batch", min=1)
    write_onnx(made, example(network, 2, 1), OUTPUTS, {"clips": {0: batch}, "boxes": {0: batch}}, path, opset)
    others = [example(network, count, seed) for seed, count in enumerate(batches, start=2)]
    return largest_difference(made, path, others, OUTPUTS, tolerance)
