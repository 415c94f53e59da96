"""The network as an ONNX file, for other runtimes."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import nn

from interplay.errors import InterplayError
from interplay.skeleton.network import ENTITIES, MutualExcitationGCN

OPSET = 18
TOLERANCE = 1e-4


class ExportError(InterplayError):
    """The file could not be made, or does not compute what the network computes."""


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns about its own internals; that is nothing that a user could act upon."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


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
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise ExportError("ONNX export needs onnx and onnxscript: pip install 'interplay[export]'") from None
    network = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)

    def example(batch: int, length: int) -> torch.Tensor:
        shape = (batch, network.in_channels, length, network.layout.joint_count, ENTITIES)
        return torch.randn(shape, generator=generator)

    batch, time = torch.export.Dim("batch", min=1), torch.export.Dim("time", min=2)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            network,
            (example(2, max(frames, 8)),),
            dynamo=True,
            verbose=False,
            opset_version=opset,
            input_names=["clips"],
            output_names=["logits"],
            dynamic_shapes=({0: batch, 2: time},),
        )
        assert program is not None
        try:
            program.save(str(path))
        except OSError as error:
            raise ExportError(f"{path}: cannot be written: {error.strerror or error}") from None
    if not check:
        return 0.0
    return check_onnx(network, path, [example(3, frames), example(1, 2 * frames + 3)], tolerance)


@torch.no_grad()
def check_onnx(network: nn.Module, path: str | Path, examples: list[torch.Tensor], tolerance: float) -> float:
    """Largest difference between the file's logits (onnxruntime) and the network's on the examples.

    Raises:
        ExportError: onnxruntime is not installed, or a difference is above the tolerance.
    """
    try:
        import onnxruntime
    except ImportError:
        raise ExportError("checking an ONNX file needs onnxruntime: pip install 'interplay[export]'") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    largest = 0.0
    for clips in examples:
        ours = network(clips).numpy()
        theirs = session.run(["logits"], {"clips": clips.numpy()})[0]
        difference = float(np.abs(ours - theirs).max()) / max(1.0, float(np.abs(ours).max()))
        if not difference <= tolerance:
            raise ExportError(
                f"{path}: logits of {tuple(clips.shape)} differ by {difference:.2g}, expected at most {tolerance:.2g}"
            )
        largest = max(largest, difference)
    return largest
