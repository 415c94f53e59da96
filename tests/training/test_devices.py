"""Devices by name: a usable one, or one line."""

from __future__ import annotations

import pytest
import torch

from interplay.errors import InterplayError
from interplay.training.devices import usable_device


def test_a_device_that_cannot_be_used_is_one_line() -> None:
    assert usable_device("cpu") == torch.device("cpu")
    for name in ("nonsense", "meta", "cuda:99", ""):
        with pytest.raises(InterplayError, match=f"device: found '{name}', which cannot be used") as caught:
            usable_device(name)
        assert "\n" not in str(caught.value)
        assert "expected cpu" in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU that can be used")
def test_cuda_without_a_driver() -> None:
    with pytest.raises(InterplayError, match=r"PyTorch sees no GPU here"):
        usable_device("cuda")
