"""A network as an ONNX file that computes what PyTorch computes: what every export does alike."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from interplay.errors import InterplayError

OPSET = 18
TOLERANCE = 1e-4


class ExportError(InterplayError):
    """The file could not be made, or does not compute what the network computes."""


@contextmanager
def quiet() -> Iterator[None]:
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


def write_onnx(
    network: nn.Module,
    example: Mapping[str, Tensor],
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, Any]],
    path: str | Path,
    opset: int = OPSET,
) -> None:
    """Trace a network in evaluation mode and write it.

    Args:
        network: takes the tensors of ``example`` in their order, returns a tensor or a tuple of them.
        example: inputs by name.
        outputs: names of what is returned.
        dynamic: of each input, the axes that may have any length, as :class:`torch.export.Dim`.
        path: file to write.
        opset: version of the ONNX operators.

    Raises:
        ExportError: onnx or onnxscript are not installed (``pip install interplay[export]``), the network holds what
            ONNX cannot express, or the file cannot be written.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise ExportError("ONNX export needs onnx and onnxscript: pip install 'interplay[export]'") from None
    with quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                network,
                tuple(example.values()),
                dynamo=True,
                verbose=False,
                opset_version=opset,
                input_names=list(example),
                output_names=list(outputs),
                dynamic_shapes=tuple(dict(dynamic.get(name, {})) or None for name in example),
            )
        except torch.onnx.OnnxExporterError as error:
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            reason = next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
            raise ExportError(f"{type(network).__name__}: ONNX cannot express it: {reason[:200]}") from error
        assert program is not None
        try:
            program.save(str(path))
        except OSError as error:
            raise ExportError(f"{path}: cannot be written: {error.strerror or error}") from None


@torch.no_grad()
def largest_difference(
    network: nn.Module,
    path: str | Path,
    examples: Sequence[Mapping[str, Tensor]],
    outputs: Sequence[str],
    tolerance: float = TOLERANCE,
) -> float:
    """Largest difference between what onnxruntime makes of the file and what the network answers.

    Of each output relative to its largest number where that is above 1.

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
    taken = {given.name for given in session.get_inputs()}
    largest = 0.0
    for example in examples:
        answer = network(*example.values())
        ours = [one.numpy() for one in ((answer,) if isinstance(answer, Tensor) else answer)]
        theirs = session.run(list(outputs), {name: given.numpy() for name, given in example.items() if name in taken})
        for name, mine, other in zip(outputs, ours, theirs, strict=True):
            scale = max(1.0, float(np.abs(mine).max(initial=0.0)))
            difference = float(np.abs(mine - other).max(initial=0.0)) / scale
            if not difference <= tolerance:
                sizes = ", ".join(f"{key} {tuple(given.shape)}" for key, given in example.items())
                raise ExportError(
                    f"{path}: {name} of {sizes} differ by {difference:.2g}, expected at most {tolerance:.2g}"
                )
            largest = max(largest, difference)
    return largest
