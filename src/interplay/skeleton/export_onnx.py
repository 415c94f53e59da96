"""The network as an ONNX file, for other runtimes."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import nn

from interplay.skeleton.network import ENTITIES, MutualExcitationGCN
from interplay.training.onnx_file import OPSET, TOLERANCE, ExportError, largest_difference, write_onnx

__all__ = ["ExportError", "check_onnx", "export_onnx"]


def export_onnx(
    network: MutualExcitationGCN,
    path: str | Path,
    *,
    frames: int = 64,
    opset: int = OPSET,
    check: bool = True,
    tolerance: float = TOLERANCE,
) -> float:
    """Write a network as ONNX: ``clips`` (batch, channel, time, joint, entity) → ``logits``, any batch size and length.

    Args:
        network: any variant; it is exported in evaluation mode and stays as it is.
        path: file to write.
        frames: length of the example that is traced; the file takes any.
        opset: version of the ONNX operators.
        check: run the file with onnxruntime, also with another batch size and length, and compare.
        tolerance: largest allowed difference of a logit, relative to the largest logit where that is above 1.

    Returns:
        The largest difference found, 0.0 without the check.

    Raises:
        ExportError: onnx, onnxscript or onnxruntime are not installed (``pip install interplay[export]``), the file
            cannot be written, or its logits differ.
    """
    network = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)

    def example(batch: int, length: int) -> torch.Tensor:
        shape = (batch, network.in_channels, length, network.layout.joint_count, ENTITIES)
        return torch.randn(shape, generator=generator)

    dynamic = {"clips": {0: torch.export.Dim("batch", min=1), 2: torch.export.Dim("time", min=2)}}
    write_onnx(network, {"clips": example(2, max(frames, 8))}, ["logits"], dynamic, path, opset)
    if not check:
        return 0.0
    return check_onnx(network, path, [example(3, frames), example(1, 2 * frames + 3)], tolerance)


def check_onnx(network: nn.Module, path: str | Path, examples: list[torch.Tensor], tolerance: float) -> float:
    """Largest difference between the file's logits (onnxruntime) and the network's on the examples.

    Raises:
        ExportError: onnxruntime is not installed, or a difference is above the tolerance.
    """
    return largest_difference(network, path, [{"clips": clips} for clips in examples], ["logits"], tolerance)
