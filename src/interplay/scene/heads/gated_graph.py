"""KERN's two knowledge-routing graphs: entities × classes of an image, and a pair of entities × predicates."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from interplay.scene.heads.precision import in_single_precision

Gates = tuple[Tensor, Tensor, Tensor]
"""Projected messages to the update gate, the reset gate and the candidate, biases included."""


class GatedUpdate(nn.Module):
    """One step of a gated graph network (KERN Eqs. 2 and 6; spec §B.3).

    ``z = σ(W3 a + U3 h)``, ``r = σ(W4 a + U4 h)``, ``h̃ = tanh(W5 a + U5 (r∘h))``, ``h ← (1−z)∘h + z∘h̃``.

    Args:
        hidden: H; a message a has 2 H.
        tied_reset: the reset gate uses U3, as the released code does by a slip, and there is no U4.

    Where we differ: U4 is used unless ``tied_reset``.
    """

    def __init__(self, hidden: int, tied_reset: bool = False) -> None:
        super().__init__()
        self.hidden = hidden
        self.message_update = nn.Linear(2 * hidden, hidden)
        self.message_reset = nn.Linear(2 * hidden, hidden)
        self.message_candidate = nn.Linear(2 * hidden, hidden)
        self.state_update = nn.Linear(hidden, hidden)
        self.state_reset = None if tied_reset else nn.Linear(hidden, hidden)
        self.state_candidate = nn.Linear(hidden, hidden)

    @property
    def message_layers(self) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
        return self.message_update, self.message_reset, self.message_candidate

    def gates(self, first: Float[Tensor, "*node hidden"], second: Float[Tensor, "*node hidden"]) -> Gates:
        """W a + b of ``a = [first; second]``, without making a."""
        update, reset, candidate = (
            functional.linear(first, layer.weight[:, : self.hidden], layer.bias)
            + functional.linear(second, layer.weight[:, self.hidden :])
            for layer in self.message_layers
        )
        return update, reset, candidate

    def repeated_gates(self, message: Float[Tensor, "node hidden"]) -> Gates:
        """W a of ``a = [message; message]``, *without* the bias: one product of half the width."""
        update, reset, candidate = (
            functional.linear(message, layer.weight[:, : self.hidden] + layer.weight[:, self.hidden :])
            for layer in self.message_layers
        )
        return update, reset, candidate

    def forward(self, gates: Gates, state: Float[Tensor, "*node hidden"]) -> Float[Tensor, "*node hidden"]:
        update, reset, candidate = gates
        shared = self.state_update(state)
        own = shared if self.state_reset is None else self.state_reset(state)
        new = torch.tanh(candidate + self.state_candidate(torch.sigmoid(reset + own) * state))
        return torch.lerp(state, new, torch.sigmoid(update + shared))


class ObjectRouting(nn.Module):
    """Classes of all entities of an image decide together which of them is right (KERN §3.2; spec §B.3).

    Every entity i has a node for every class c, all starting at ``h⁰ = W_p x_i``. In each step, with
    ``s_c = Σ_i h_{i,c}`` over the image, node (i, c) receives ``[Mᵀ(s − h_i); M(s − h_i)]_c``.
    ``out = ReLU(W_o [hᵀ; h⁰])``; the logits are one product of all nodes' outputs.

    Args:
        classes: O.
        entity_width: width of x.
        hidden: H.
        output: Q, width of a node's output.
        steps: T.
        tied_reset: see :class:`GatedUpdate`.
        classwise: logit c from node c alone, ``w_c · out_{i,c} + b_c``. The joint product has O²·Q weights (11.7
            million for the 151 classes of Visual Genome, 185 million for the 602 of Open Images).

    Shapes: x (N, D), knowledge (O, O) → (N, O).
    """

    def __init__(
        self,
        classes: int,
        entity_width: int,
        hidden: int,
        output: int,
        steps: int,
        tied_reset: bool = False,
        classwise: bool = False,
    ) -> None:
        super().__init__()
        self.steps = steps
        self.project = nn.Linear(entity_width, hidden)
        self.update = GatedUpdate(hidden, tied_reset)
        self.output = nn.Linear(2 * hidden, output)
        self.classwise = nn.Parameter(torch.empty(classes, output)) if classwise else None
        if self.classwise is not None:
            nn.init.normal_(self.classwise, std=output**-0.5)
        self.classify = None if classwise else nn.Linear(classes * output, classes)
        self.bias = nn.Parameter(torch.zeros(classes)) if classwise else None

    def states(
        self,
        start: Float[Tensor, "entity hidden"],
        knowledge: Float[Tensor, "class class"],
        image: Int[Tensor, " entity"],
        images: int,
    ) -> Float[Tensor, "entity class hidden"]:
        """Hidden states after all steps."""
        state = start[:, None].expand(-1, knowledge.shape[0], -1)
        for _ in range(self.steps):
            total = state.new_zeros(images, *state.shape[1:]).index_add(0, image, state)
            others = total[image] - state
            state = self.update(self.update.gates(knowledge.T @ others, knowledge @ others), state)
        return state

    def outputs(
        self, state: Float[Tensor, "entity class hidden"], start: Float[Tensor, "entity hidden"]
    ) -> Float[Tensor, "entity class output"]:
        """``ReLU(W_o [hᵀ; h⁰])``; h⁰ is the same for all classes and projected once."""
        hidden = start.shape[1]
        first = functional.linear(start, self.output.weight[:, hidden:], self.output.bias)
        return torch.relu(functional.linear(state, self.output.weight[:, :hidden]) + first[:, None])

    def forward(
        self,
        x: Float[Tensor, "entity width"],
        knowledge: Float[Tensor, "class class"],
        image: Int[Tensor, " entity"],
        images: int,
    ) -> Float[Tensor, "entity class"]:
        start = self.project(x)
        out = self.outputs(self.states(start, knowledge, image, images), start)
        if self.classwise is not None and self.bias is not None:
            return (out * self.classwise).sum(dim=2) + self.bias
        assert self.classify is not None
        logits: Tensor = self.classify(out.flatten(1))
        return logits


class Nodes(NamedTuple):
    """Predicate nodes of many pairs, each group of equal ones held once.

    Attributes:
        weight: (K, 1) their entry of the knowledge row.
        pair: (K,) the pair that a node belongs to.
        amount: (K, 1) how many predicates of the pair it stands for.
        of: (R, P) the node of each pair and predicate.
    """

    weight: Float[Tensor, "node 1"]
    pair: Int[Tensor, " node"]
    amount: Float[Tensor, "node 1"]
    of: Int[Tensor, "pair predicate"]

    @classmethod
    def distinct(cls, knowledge: Float[Tensor, "pair predicate"]) -> Nodes:
        """Predicates of a pair with equal knowledge (most are 0) have equal states at every step."""
        ordered, order = knowledge.sort(dim=1)
        new: Bool[Tensor, "pair predicate"] = torch.ones_like(order, dtype=torch.bool)
        new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        number = (new.flatten().cumsum(0) - 1).view_as(order)
        pair = new.nonzero()[:, 0]
        amount = torch.bincount(number.flatten(), minlength=len(pair)).to(knowledge.dtype)
        return cls(ordered[new][:, None], pair, amount[:, None], torch.empty_like(order).scatter_(1, order, number))

    @classmethod
    def every(cls, knowledge: Float[Tensor, "pair predicate"]) -> Nodes:
        """A node of its own for each pair and predicate: the same answer, with a number of nodes known beforehand."""
        pairs, predicates = knowledge.shape
        number = torch.arange(pairs * predicates, device=knowledge.device)
        weight = knowledge.reshape(-1, 1)
        return cls(weight, number // predicates, torch.ones_like(weight), number.view(pairs, predicates))


class RelationRouting(nn.Module):
    """A pair's two entities and its predicates exchange messages along statistical knowledge (KERN §3.3; spec §B.3).

    Subject and object nodes start at ``W_a x``, every predicate node at ``W_b u``. With m = the row of M_rel of the
    two classes, entity nodes receive ``Σ_p m_p h_p`` and predicate node p ``m_p (h_s + h_o)``, both doubled to 2 H.
    ``out = ReLU(W_o [hᵀ; h⁰])`` of the P + 2 nodes, one product to P logits.

    Args:
        predicates: P.
        entity_width, union_width: widths of x and u.
        hidden: H.
        output: Q.
        steps: T.
        tied_reset: see :class:`GatedUpdate`.

    Predicate nodes start equal and differ only through m_p, so a pair keeps one node per *distinct* m_p
    (:class:`Nodes`): exactly the same numbers and gradients, with a few nodes instead of P for most pairs.
    """

    def __init__(
        self,
        predicates: int,
        entity_width: int,
        union_width: int,
        hidden: int,
        output: int,
        steps: int,
        tied_reset: bool = False,
    ) -> None:
        super().__init__()
        self.steps = steps
        self.project_entity = nn.Linear(entity_width, hidden)
        self.project_union = nn.Linear(union_width, hidden)
        self.update = GatedUpdate(hidden, tied_reset)
        self.output = nn.Linear(2 * hidden, output)
        self.classify = nn.Linear((predicates + 2) * output, predicates)

    @in_single_precision
    def states(
        self, ends: Float[Tensor, "pair 2 hidden"], start: Float[Tensor, "pair hidden"], nodes: Nodes
    ) -> tuple[Float[Tensor, "pair 2 hidden"], Float[Tensor, "node hidden"]]:
        """Hidden states of the entity nodes and the predicate nodes after all steps."""
        between = start[nodes.pair]
        biases = [layer.bias for layer in self.update.message_layers]
        for _ in range(self.steps):
            weighted = nodes.weight * nodes.amount * between
            to_ends = self.update.repeated_gates(weighted.new_zeros(start.shape).index_add(0, nodes.pair, weighted))
            to_nodes = self.update.repeated_gates(ends.sum(dim=1))
            e = [(gate + bias)[:, None] for gate, bias in zip(to_ends, biases, strict=True)]
            n = [
                torch.addcmul(bias, nodes.weight, gate[nodes.pair]) for gate, bias in zip(to_nodes, biases, strict=True)
            ]
            ends, between = self.update((e[0], e[1], e[2]), ends), self.update((n[0], n[1], n[2]), between)
        return ends, between

    def outputs(
        self, ends: Float[Tensor, "pair 2 hidden"], start: Float[Tensor, "pair hidden"], nodes: Nodes
    ) -> Float[Tensor, "pair everynode output"]:
        """Outputs of subject, object and predicates 0..P−1, in this order."""
        last_ends, last_between = self.states(ends, start, nodes)
        hidden = start.shape[1]
        now, before = self.output.weight[:, :hidden], self.output.weight[:, hidden:]
        of_ends = functional.linear(last_ends, now) + functional.linear(ends, before, self.output.bias)
        shared = functional.linear(start, before, self.output.bias)
        of_nodes = functional.linear(last_between, now) + shared[nodes.pair]
        return torch.cat([of_ends.relu(), of_nodes.relu()[nodes.of]], dim=1)

    def forward(
        self,
        ends: Float[Tensor, "pair 2 hidden"],
        union: Float[Tensor, "pair width"],
        knowledge: Float[Tensor, "pair predicate"],
    ) -> Float[Tensor, "pair predicate"]:
        """Logits; ``ends`` are the projected subject and object."""
        nodes = Nodes.every(knowledge) if torch.compiler.is_exporting() else Nodes.distinct(knowledge)
        out = self.outputs(ends, self.project_union(union), nodes)
        logits: Tensor = self.classify(out.flatten(1))
        return logits
