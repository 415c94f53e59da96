"""The computation cell: supernodes joined by superedges (paper §3.2, Eq. 1; §3.3, Eqs. 10 and 11)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from interplay.video.operations import Identity
from interplay.video.settings import VideoSettings
from interplay.video.state import NodeLayout, NodeState
from interplay.video.structure import SPACES, superedges
from interplay.video.substructures import candidates

Watch = Callable[[int, str, nn.Module, NodeState, Tensor], None]
"""Called before an operation runs: superedge, name, module, what it sees, and the rows of the batch that it serves."""


class Cell(nn.Module):
    """``X_j = Σ_{i<j} o_ij(X_i)``; the output is [X_1, …, X_K], features side by side.

    There is one input supernode X_0. In the search o_ij is the mixture of all candidates with the softmax of the
    clip's structure weights as shares (Eq. 10), afterwards the strongest one (Eq. 11). Zero is legal everywhere, so
    that a supernode may be 0.

    Args:
        settings: space, supernodes and options of the operations.
        layout: how the nodes stand.

    Shapes: nodes (B, N, C) → (B, N, K·C).
    """

    def __init__(self, settings: VideoSettings, layout: NodeLayout) -> None:
        super().__init__()
        self.space = SPACES[settings.space]
        self.supernodes = settings.supernodes
        self.superedges = superedges(settings.supernodes)
        self.edges = nn.ModuleList(candidates(settings, layout) for _ in self.superedges)

    def bank(self, edge: int) -> nn.ModuleDict:
        """Candidates of a superedge by name."""
        found = self.edges[edge]
        assert isinstance(found, nn.ModuleDict)
        return found

    def set_identity_dropout(self, probability: float) -> None:
        """Of every identity, from now on."""
        for module in self.modules():
            if isinstance(module, Identity):
                module.probability = probability

    def forget_unused(self, used: Bool[Tensor, "edge operation"]) -> None:
        """Drop the gradients of candidates that did not run, and share no weights with one that did."""
        told = used.tolist()
        for edge in range(len(self.superedges)):
            bank = self.bank(edge)
            alive = {
                parameter
                for place, name in enumerate(self.space)
                if name != "zero" and told[edge][place]
                for parameter in bank[name].parameters()
            }
            for parameter in bank.parameters():
                if parameter not in alive:
                    parameter.grad = None

    def mixed(
        self, state: NodeState, shares: Float[Tensor, "batch edge operation"]
    ) -> Float[Tensor, "batch node output"]:
        """The output with mixtures on the superedges; ``shares`` sum to 1 over the operations of a superedge."""
        states = [state]
        for target in range(1, self.supernodes + 1):
            total: Tensor | None = None
            for edge, (source, into) in enumerate(self.superedges):
                if into != target:
                    continue
                bank = self.bank(edge)
                for place, name in enumerate(self.space):
                    if name == "zero":
                        continue
                    made = bank[name](states[source])
                    share = shares[:, edge, place, None, None].to(made.dtype)
                    total = share * made if total is None else torch.addcmul(total, share, made)
            assert total is not None
            states.append(state.moved(total))
        return torch.cat([one.nodes for one in states[1:]], dim=-1)

    def discrete(
        self, state: NodeState, choices: Int64[Tensor, "batch edge"], watch: Watch | None = None
    ) -> Float[Tensor, "batch node output"]:
        """The output with one operation per superedge and clip, at most one call per (superedge, operation).

        Clips that chose the same operation on a superedge go through it together; ``choices`` is copied to the host
        once. The sum over the predecessors is in the order of superedges and operations, whatever the batch.
        """
        batch = len(state.nodes)
        groups = self.groups(choices)
        totals: list[Tensor | None] = [None] * (self.supernodes + 1)
        ours = [False] * (self.supernodes + 1)  # sums that no operation has kept for its gradient
        states = {0: state}
        for edge, (source, target) in enumerate(self.superedges):
            if source not in states:
                states[source] = state.moved(self._sum(totals[source], state.nodes))
            bank = self.bank(edge)
            for name, rows in groups[edge]:
                whole = len(rows) == batch
                seen = states[source] if whole else states[source].select(rows)
                if watch is not None:
                    watch(edge, name, bank[name], seen, rows)
                made = bank[name](seen)
                total = totals[target]
                if whole:
                    totals[target] = made if total is None else total + made
                    ours[target] = total is not None
                    continue
                if total is None:
                    total, ours[target] = made.new_zeros(state.nodes.shape), True
                # In place, as a new sum per group costs as much as the smaller operations.
                add = total.index_add_ if ours[target] else total.index_add
                totals[target], ours[target] = add(0, rows, made.to(total.dtype)), True
        parts = [self._sum(totals[target], state.nodes) for target in range(1, self.supernodes + 1)]
        return torch.cat(parts, dim=-1)

    def groups(self, choices: Int64[Tensor, "batch edge"]) -> list[list[tuple[str, Int64[Tensor, " row"]]]]:
        """Of each superedge, the operations in use but zero, each with the rows that chose it."""
        host = choices.cpu()
        order: list[Tensor] = []
        plan: list[list[tuple[str, int]]] = []
        for column in host.T:
            chosen = []
            for place, name in enumerate(self.space):
                rows = (column == place).nonzero().squeeze(-1)
                if name != "zero" and len(rows):
                    chosen.append((name, len(rows)))
                    order.append(rows)
            plan.append(chosen)
        packed = torch.cat(order).to(choices.device) if order else host.new_zeros(0)
        parts = iter(packed.split([count for chosen in plan for _, count in chosen]))  # type: ignore[no-untyped-call]
        return [[(name, next(parts)) for name, _ in chosen] for chosen in plan]

    @staticmethod
    def _sum(total: Tensor | None, like: Tensor) -> Tensor:
        return torch.zeros_like(like) if total is None else total
