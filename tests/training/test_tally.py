"""Loss and hits summed over batches."""

from __future__ import annotations

import pytest
import torch

from interplay.training.tally import Tally


class Alone:
    """The strategy of one process."""

    def reduce(self, values: torch.Tensor, reduce_op: str) -> torch.Tensor:
        assert reduce_op == "sum"
        return values


def test_the_tally_adds_batches_and_weighs_classes_alike() -> None:
    tally = Tally(3, torch.device("cpu"))
    tally.add(torch.eye(3)[[0, 0, 1]], torch.tensor([0, 0, 0]), torch.tensor([1.0, 2.0, 3.0]))
    tally.add(torch.eye(3)[[1]], torch.tensor([1]), torch.tensor([6.0]))
    found = tally.metrics(Alone())
    assert float(found["loss"]) == 3.0
    assert float(found["top1"]) == 0.75
    assert float(found["mean_class"]) == pytest.approx((2 / 3 + 1) / 2)  # class 2 does not occur
