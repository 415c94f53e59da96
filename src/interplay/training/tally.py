"""Loss and hits of a part over an epoch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Tally:
    """Sums of losses and of hits per class; sums, so that processes can add theirs.

    Args:
        classes: number of classes.
        device: of the sums.
    """

    def __init__(self, classes: int, device: torch.device) -> None:
        self.loss = torch.zeros(2, dtype=torch.float64, device=device)
        self.hits = torch.zeros(2, classes, dtype=torch.float64, device=device)

    def add(self, logits: Tensor, labels: Tensor, losses: Tensor) -> None:
        """Logits (batch, class), labels (batch,) ≥ 0 and the loss of each sample (batch,)."""
        self.loss += torch.stack([losses.detach().sum(), losses.new_tensor(float(len(losses)))]).double()
        correct = (logits.argmax(dim=1) == labels).double()
        self.hits[0].index_add_(0, labels, correct)
        self.hits[1].index_add_(0, labels, torch.ones_like(correct))

    def metrics(self, strategy: Any) -> dict[str, Tensor]:
        """``loss``, ``top1`` and ``mean_class`` over all processes of Lightning's strategy."""
        loss, hits = strategy.reduce(self.loss, reduce_op="sum"), strategy.reduce(self.hits, reduce_op="sum")
        found = hits[1] > 0
        return {
            "loss": loss[0] / loss[1],
            "top1": hits[0].sum() / hits[1].sum(),
            "mean_class": (hits[0][found] / hits[1][found]).mean(),
        }
