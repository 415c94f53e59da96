"""Chunks on several threads: the same results, in the caller's modes, the same every time."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator

import pytest
import torch
from tests.skeleton.networks import OPTIONS, clips, small

from interplay.skeleton import contraction
from interplay.skeleton.workers import shares, side_by_side, workers


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_shares() -> None:
    for count in range(12):
        for of in (1, 2, 3, 5):
            dealt = shares(count, of)
            assert [index for share in dealt for index in share] == list(range(count))
            assert len(dealt) <= of
            assert max((len(s) for s in dealt), default=0) - min((len(s) for s in dealt), default=0) <= 1


@pytest.mark.usefixtures("two_threads")
def test_modes_of_the_caller() -> None:
    def state(_: int) -> tuple[bool, bool, bool, torch.dtype, int, str]:
        return (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.is_autocast_enabled("cpu"),
            torch.get_autocast_dtype("cpu"),
            torch.get_num_threads(),
            threading.current_thread().name,
        )

    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        found = side_by_side(state, [0, 1, 2, 3])
    for grad, inference, autocast, dtype, threads, name in found:
        assert (grad, inference, autocast, dtype, threads) == (False, True, True, torch.bfloat16, 1)
        assert name.startswith("interplay")
    assert torch.get_num_threads() == 2
    started: list[int] = []
    thread = threading.Thread(target=lambda: started.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert started == [2]


@pytest.mark.usefixtures("two_threads")
def test_errors_reach_the_caller() -> None:
    def fail(part: int) -> None:
        raise ValueError(f"part {part}")

    with pytest.raises(ValueError, match="part 0"):
        side_by_side(fail, [0, 1])


@pytest.mark.parametrize("name", ["default", "projection", "early fusion, joints"])
def test_network_on_two_threads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contraction, "CHUNK_BYTES", 1)
    network = small(**OPTIONS[name])
    x = clips(network, batch=7)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            assert workers(x.device, 7) == threads
            other = copy.deepcopy(network)
            logits = other(x)
            gradients = torch.autograd.grad(logits.square().sum(), list(other.parameters()))
            with torch.inference_mode():
                fused = other.eval().fused(chunk=1)
                found.append((logits, *gradients, fused(x)))
                torch.testing.assert_close(fused(x), other(x))
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(found[0], found[1])
    for one, two in zip(found[1], found[2], strict=True):
        assert torch.equal(one, two)  # bit for bit with the same number of threads
