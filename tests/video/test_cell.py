"""Cells: mixtures against sums, grouped execution against the loop and against shares of one, calls counted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.video.test_operations import LAYOUT, clips, settings
from torch import Tensor, nn

from interplay.video.cell import Cell
from interplay.video.settings import VideoSettings
from interplay.video.state import ClipContext, NodeState
from interplay.video.structure import superedges


def cell(**changes: Any) -> Cell:
    torch.manual_seed(2)
    options: VideoSettings = settings(**changes)
    return Cell(options, LAYOUT).double().eval()


def choices(made: Cell, batch: int = 7) -> Tensor:
    draw = torch.Generator().manual_seed(4)
    return torch.randint(len(made.space), (batch, len(made.superedges)), generator=draw)


def loop(made: Cell, state: NodeState, chosen: Tensor) -> Tensor:
    """Clip by clip, superedge by superedge."""
    rows = []
    for clip in range(len(chosen)):
        nodes = [state.select(torch.tensor([clip]))]
        for target in range(1, made.supernodes + 1):
            total = torch.zeros_like(nodes[0].nodes)
            for edge, (source, into) in enumerate(superedges(made.supernodes)):
                name = made.space[int(chosen[clip, edge])]
                if into == target and name != "zero":
                    total = total + made.bank(edge)[name](nodes[source])
            nodes.append(state.select(torch.tensor([clip])).moved(total))
        rows.append(torch.cat([one.nodes for one in nodes[1:]], dim=-1))
    return torch.cat(rows)


def test_shared_weights_of_a_candidate_that_ran_keep_their_gradients() -> None:
    made = cell(share_fa=True)
    for parameter in made.parameters():
        parameter.grad = torch.zeros_like(parameter)
    used = torch.zeros(6, 5, dtype=torch.bool)
    used[:, made.space.index("zero")] = True
    used[3, made.space.index("temporal")] = True
    made.forget_unused(used)
    alive = {id(parameter) for parameter in made.bank(3)["temporal"].parameters()}
    assert {id(parameter) for parameter in made.parameters() if parameter.grad is not None} == alive
    assert alive & {id(parameter) for parameter in made.bank(3)["background"].parameters()}


SPACES: list[dict[str, Any]] = [
    {},
    {"space": "original"},
    {"space": "parallel"},
    {"supernodes": 2},
    {"supernodes": 4},
    {"share_fa": True},
    {"tc_u": True, "na": "all", "u": "diagonal"},
]


@pytest.mark.parametrize("changes", SPACES, ids=str)
@torch.no_grad()
def test_grouped_is_the_loop_is_the_mixture_with_shares_of_one(changes: dict[str, Any]) -> None:
    made = cell(**changes)
    state = clips(7, coordinates=settings(**changes).coordinates)
    chosen = choices(made)
    found = made.discrete(state, chosen)
    torch.testing.assert_close(found, loop(made, state, chosen), rtol=0, atol=1e-12)
    shares = nn.functional.one_hot(chosen, len(made.space)).double()
    torch.testing.assert_close(found, made.mixed(state, shares), rtol=0, atol=1e-12)


@torch.no_grad()
def test_in_single_precision() -> None:
    """To 1e-6 where no choice of nodes is a matter of rounding.

    Feature aggregation leaves nodes that are nearly the same, so that which of them is most similar may hang on the
    last bit: here the temporal convolution stands on superedges that leave the input, and attention sees all nodes.
    """
    made = cell(width=32, na="all").float()
    state = clips(7, width=32, coordinates=9)
    context = ClipContext(state.background.float(), state.positions.float(), state.boxes)
    state = NodeState(state.nodes.float(), context)
    chosen = choices(made)
    for edge, (source, _) in enumerate(made.superedges):
        if source:
            chosen[:, edge] = torch.where(chosen[:, edge] == made.space.index("temporal"), 1, chosen[:, edge])
    assert len({tuple(row) for row in chosen.tolist()}) > 5
    found = made.discrete(state, chosen)
    atol = 1e-6 * float(found.abs().max())
    torch.testing.assert_close(found, loop(made, state, chosen), rtol=0, atol=atol)
    shares = nn.functional.one_hot(chosen, len(made.space)).float()
    torch.testing.assert_close(found, made.mixed(state, shares), rtol=0, atol=atol)


@torch.no_grad()
def test_mixture_is_the_sum_of_the_candidates() -> None:
    made, state = cell(), clips(2)
    shares = torch.rand(2, 6, 5, dtype=torch.float64).softmax(dim=-1)
    nodes = [state]
    for target in (1, 2, 3):
        total = torch.zeros_like(state.nodes)
        for edge, (source, into) in enumerate(superedges(3)):
            for place, name in enumerate(made.space):
                if into == target and name != "zero":
                    total += shares[:, edge, place, None, None] * made.bank(edge)[name](nodes[source])
        nodes.append(state.moved(total))
    torch.testing.assert_close(made.mixed(state, shares), torch.cat([one.nodes for one in nodes[1:]], dim=-1))


@pytest.mark.parametrize("space", ["fixed", "original"])
@torch.no_grad()
def test_at_most_one_call_per_superedge_and_operation(space: str) -> None:
    made, batch = cell(space=space), 40
    calls: dict[tuple[int, str], int] = {}
    hooked: dict[tuple[int, str], int] = {}

    def watch(edge: int, name: str, module: nn.Module, state: NodeState, rows: Tensor) -> None:
        calls[edge, name] = calls.get((edge, name), 0) + 1
        assert module is made.bank(edge)[name]
        assert len(state.nodes) == len(rows) == int((chosen[:, edge] == made.space.index(name)).sum())

    for edge in range(len(made.superedges)):
        for name, module in made.bank(edge).items():

            def count(*_: object, key: tuple[int, str] = (edge, name)) -> None:
                hooked[key] = hooked.get(key, 0) + 1

            module.register_forward_hook(count)
    chosen = choices(made, batch)
    made.discrete(clips(batch), chosen, watch)
    assert calls == hooked
    assert set(calls.values()) == {1}
    assert len(calls) == len({(edge, int(place)) for row in chosen for edge, place in enumerate(row) if int(place)})
    assert len(calls) < 0.2 * batch * len(made.superedges)


@torch.no_grad()
def test_twice_the_same_to_the_last_bit() -> None:
    made, state = cell(), clips(7)
    chosen = choices(made)
    assert torch.equal(made.discrete(state, chosen), made.discrete(state, chosen))


@torch.no_grad()
def test_all_zero_is_legal() -> None:
    made, state = cell(), clips(2)
    nothing = torch.zeros(2, 6, dtype=torch.int64)
    assert not bool(made.discrete(state, nothing).any())
    only_last = nothing.clone()
    only_last[:, 5] = 2  # from a supernode that is 0
    assert bool(made.discrete(state, only_last).isfinite().all())


def test_gradients_of_the_discrete_form_are_those_of_the_loop() -> None:
    made, state = cell(), clips(5)
    chosen = choices(made, 5)
    parameters = list(made.parameters())
    ours = torch.autograd.grad(made.discrete(state, chosen).square().sum(), parameters, allow_unused=True)
    theirs = torch.autograd.grad(loop(made, state, chosen).square().sum(), parameters, allow_unused=True)
    assert any(one is not None for one in ours)
    for one, other in zip(ours, theirs, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
