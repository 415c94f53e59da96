"""Random numbers that depend on what they are for, never on what was drawn before.

An interrupted run must continue exactly as the uninterrupted one. So nothing here has a state: the numbers of epoch e
come from a generator seeded by (seed, purpose, e), and clip i takes row i of the epoch's table.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A CPU generator seeded by a hash of the run's seed and of what the numbers are for."""
    text = "/".join(str(part) for part in (seed, *purpose))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") & (2**63 - 1))


def epoch_order(seed: int, epoch: int, count: int) -> Tensor:
    """The order in which an epoch visits its clips: a permutation of 0 … count − 1, int64 (count,)."""
    return torch.randperm(count, generator=generator(seed, "order", epoch))


def epoch_uniforms(seed: int, epoch: int, count: int, columns: int, purpose: str = "augmentation") -> Tensor:
    """Numbers from U[0, 1), float64 (count, columns): row i belongs to training clip i in this epoch."""
    return torch.rand(count, columns, dtype=torch.float64, generator=generator(seed, purpose, epoch))
