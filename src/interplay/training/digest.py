"""A key for the weights of a network: what was computed with it belongs to it and to no other."""

from __future__ import annotations

import hashlib

from torch import nn


def digest_of(module: nn.Module) -> str:
    """A hash of a module's weights and statistics."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
