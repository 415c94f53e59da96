"""Rows of a batch of images ↔ one padded block per image, without a loop over images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interplay.scene.structures import owners, starts


class Padding:
    """Where each row of concatenated images stands in a padded block.

    Args:
        counts: rows of each image.
        device: of the index tensors.

    Attributes:
        image: (N,) image of each row.
        position: (N,) row inside its image.
        longest: n, rows of the largest image.
    """

    def __init__(self, counts: Sequence[int], device: torch.device) -> None:
        self.counts = tuple(counts)
        self.longest = max(self.counts, default=0)
        self.image = owners(self.counts, device)
        first = torch.tensor(starts(self.counts), dtype=torch.int64, device=device)
        self.position = torch.arange(sum(self.counts), device=device) - first[self.image]

    def pad(self, rows: Float[Tensor, "row width"]) -> Float[Tensor, "image longest width"]:
        """(B, n, width); rows that an image does not have are zero."""
        block = rows.new_zeros(len(self.counts), self.longest, rows.shape[1])
        return block.index_put((self.image, self.position), rows)

    def present(self) -> Bool[Tensor, "image longest"]:
        """Which rows of the block exist."""
        amounts = torch.tensor(self.counts, device=self.image.device)
        return torch.arange(self.longest, device=self.image.device) < amounts[:, None]
