"""Where a model is to compute: a device by its name, tried out."""

from __future__ import annotations

import torch

from interplay.errors import InterplayError


def usable_device(name: str) -> torch.device:
    """The device of that name. InterplayError where PyTorch knows none, or cannot use it on this machine."""
    try:
        device = torch.device(name)
        if device.type != "meta":
            torch.zeros(1, device=device)
            return device
        reason = "it holds no numbers"
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0][:120]
    expected = "cpu or cuda" if torch.cuda.is_available() else "cpu (PyTorch sees no GPU here)"
    raise InterplayError(f"device: found {name!r}, which cannot be used ({reason}); expected {expected}")
