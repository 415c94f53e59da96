"""A relation head on given features as an ONNX file, for other runtimes.

Detector, SIL and RoIAlign stay outside: what makes features differs from one deployment to the next, and a head is the
part that only exists here. One picture at a time.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from interplay.scene.detector.model import CERTAIN
from interplay.scene.heads.interface import HeadOutput, RelationHead
from interplay.scene.structures import Entities, Pairs, Task, UnionFeatures
from interplay.training.onnx_file import OPSET, TOLERANCE, ExportError, largest_difference, write_onnx

OUTSIDE = {
    "motifs": "its LSTMs step through as many entities as a picture has",
    "vctree": "its trees are built from scores outside of tensor operations",
}
"""Heads that ONNX cannot hold with an open number of entities, and why."""
OUTPUTS = ("relation_logits", "entity_logits")


class HeadOnFeatures(nn.Module):
    """x, union, boxes, size, what is known of classes, pairs → relation logits, class logits; one picture.

    Args:
        head: any relation head.
        task: "predcls" takes the given labels (N,), "sgcls" the detector's class logits (N, O).
        classes: O.

    Shapes: x (N, D), union (R, U), boxes (N, 4) in pixels of the resized picture, size (1, 2) its width and height,
    labels (N,) or logits (N, O), pairs (R, 2) rows of boxes, each ordered pair once, none of an entity with itself →
    (R, P), (N, O).
    """

    def __init__(self, head: RelationHead, task: Task, classes: int) -> None:
        super().__init__()
        self.head, self.task, self.classes = head, task, classes

    def forward(
        self, x: Tensor, union: Tensor, boxes: Tensor, size: Tensor, known: Tensor, pairs: Tensor
    ) -> tuple[Tensor, Tensor]:
        given, logits, labels = x.shape[0], known, None
        if self.task == "predcls":
            labels = known
            same = known[:, None] == torch.arange(self.classes, device=known.device)
            logits = torch.where(same, CERTAIN, -CERTAIN).to(x.dtype)
        entities = Entities((given,), boxes, size, logits, labels, None, torch.ones_like(x[:, 0]))
        output: HeadOutput = self.head(x, UnionFeatures.of(union), entities, Pairs((pairs.shape[0],), pairs))
        return output.relation_logits, output.entity_logits


def example(
    entities: int, pairs: int, widths: tuple[int, int], task: Task, classes: int, seed: int = 0
) -> dict[str, Tensor]:
    """Made-up inputs: ``pairs`` of the ordered pairs of ``entities`` boxes in a picture of 600 × 400."""
    draw = torch.Generator().manual_seed(seed)
    low = torch.rand(entities, 2, generator=draw) * torch.tensor([400.0, 200.0])
    boxes = torch.cat([low, low + 20 + 170 * torch.rand(entities, 2, generator=draw)], dim=1)
    every = (~torch.eye(entities, dtype=torch.bool)).nonzero()
    chosen = torch.randperm(len(every), generator=draw)[:pairs].sort().values
    made = {
        "x": torch.randn(entities, widths[0], generator=draw).relu(),
        "union": torch.randn(len(chosen), widths[1], generator=draw).relu(),
        "boxes": boxes,
        "size": torch.tensor([[600.0, 400.0]]),
    }
    if task == "predcls":
        made["labels"] = torch.randint(1, classes, (entities,), generator=draw)
    else:
        made["logits"] = 2 * torch.randn(entities, classes, generator=draw)
    return made | {"pairs": every[chosen]}


def export_head(
    head: RelationHead,
    name: str,
    task: Task,
    widths: tuple[int, int],
    classes: int,
    path: str | Path,
    *,
    opset: int = OPSET,
    tolerance: float = TOLERANCE,
    sizes: Sequence[tuple[int, int]] = ((9, 72), (2, 1), (12, 40)),
) -> float:
    """Write a head as ONNX and compare it with PyTorch at other numbers of entities and pairs than the traced ones.

    Inputs and outputs are those of :class:`HeadOnFeatures`; entities (at least 2) and pairs may be any number.

    Args:
        head: it is exported in evaluation mode and stays as it is.
        name: of the head.
        task: of the head; "sggen" cannot be exported.
        widths: of x and of union.
        classes: O, background included.
        path: file to write.
        opset: version of the ONNX operators.
        tolerance: largest allowed difference, relative to the largest logit.
        sizes: (entities, pairs) compared.

    Returns:
        The largest difference found.

    Raises:
        ExportError: the head cannot be exported (one line says why), the packages of ``interplay[export]`` are not
            installed, or the answers differ.
    """
    if task == "sggen":
        raise ExportError(
            f"{name}: found a model of sggen, expected predcls or sgcls: it labels detections by suppression, which is "
            "done outside of tensor operations"
        )
    if name in OUTSIDE:
        raise ExportError(f"{name}: cannot be exported: {OUTSIDE[name]}")
    network = HeadOnFeatures(copy.deepcopy(head), task, classes).cpu().float().eval().requires_grad_(False)
    entity, pair = torch.export.Dim("entity", min=2), torch.export.Dim("pair", min=1)
    traced = example(7, 30, widths, task, classes, seed=1)
    dynamic = {key: {0: pair if key in ("union", "pairs") else entity} for key in traced if key != "size"}
    write_onnx(network, traced, OUTPUTS, dynamic, path, opset)
    others = [example(*size, widths, task, classes, seed) for seed, size in enumerate(sizes, start=2)]
    return largest_difference(network, path, others, OUTPUTS, tolerance)
