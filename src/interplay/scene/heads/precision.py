"""Memory cells compute in single precision, also where everything around them runs under autocast."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


def in_single_precision(forward: Callable[..., Result]) -> Callable[..., Result]:
    """Decorator of a module's ``forward``: autocast off, floating tensors as float32. No change outside autocast.

    A memory cell adds small numbers to a state at every step, which bfloat16's 8 bits lose; and fused functions as
    ``torch.lerp`` take one type only, which autocast does not see to. Its tensors are the positional arguments.
    """

    @functools.wraps(forward)
    def run(self: Any, *inputs: Any) -> Result:
        device = next(value.device.type for value in inputs if isinstance(value, Tensor))
        if not torch.is_autocast_enabled(device):
            return forward(self, *inputs)
        with torch.autocast(device, enabled=False):
            return forward(self, *(_single(value) for value in inputs))

    return run


def _single(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
