"""Tree LSTMs over a forest of binary trees, one level of all trees at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from interplay.scene.heads.precision import in_single_precision
from interplay.scene.heads.trees import Levels


class ChildrenToParent(nn.Module):
    """Bottom-up tree LSTM with a highway output (Tang et al. 2019, §3.3; spec §B.4).

        [i, o, f_l, f_r, u, r] = W x + U_l h_l + U_r h_r,
        c = σ(i) tanh(u) + σ(f_l) c_l + σ(f_r) c_r,    h = σ(r) σ(o) tanh(c) + (1 − σ(r)) P x.

    A missing child has h = c = 0; the biases of U_l and U_r count all the same.

    Args:
        width: of x.
        hidden: of h and c.

    Shapes: x (N, width) → (N, hidden), both in the order of :class:`Levels`.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.input = nn.Linear(width, 6 * hidden)
        self.left = nn.Linear(hidden, 6 * hidden)
        self.right = nn.Linear(hidden, 6 * hidden)
        self.projection = nn.Linear(width, hidden)
        for linear in (self.input, self.left, self.right, self.projection):
            block_orthogonal(linear, hidden)
        with torch.no_grad():  # both forget gates start open: ½ from either side
            self.left.bias[2 * hidden : 4 * hidden] = 0.5
            self.right.bias[2 * hidden : 4 * hidden] = 0.5

    @in_single_precision
    def forward(
        self, x: Float[Tensor, "entity width"], levels: Levels, mask: Float[Tensor, "image hidden"] | None = None
    ) -> Float[Tensor, "entity hidden"]:
        """States of all entities; ``mask`` multiplies the states of an image (variational dropout)."""
        d = self.hidden
        gates = torch.split(self.input(x) + (self.left.bias + self.right.bias), levels.sizes)
        skips = torch.split(self.projection(x), levels.sizes)
        children = torch.split(levels.children, levels.sizes)
        masks = _per_level(mask, levels)
        weight = torch.cat([self.left.weight, self.right.weight], dim=1).t()
        states: list[Tensor] = []
        below = x.new_zeros(0, 2 * d)  # [h, c] of the level below
        for gate, skip, child, kept in zip(gates[::-1], skips[::-1], children[::-1], masks[::-1], strict=True):
            if len(below):
                # Below the last row stands the zero row that −1 points at.
                pair = functional.pad(below, (0, 0, 0, 1))[child.remainder(len(below) + 1)]
                gate = torch.addmm(gate, pair[..., :d].flatten(1), weight)
                memories = pair[..., d:].flatten(1)
                opened = torch.sigmoid(gate[:, : 4 * d])
                kept_memory = (opened[:, 2 * d :] * memories).view(-1, 2, d).sum(dim=1)
                c = torch.addcmul(kept_memory, opened[:, :d], torch.tanh(gate[:, 4 * d : 5 * d]))
            else:
                opened = torch.sigmoid(gate[:, : 2 * d])
                c = opened[:, :d] * torch.tanh(gate[:, 4 * d : 5 * d])
            h = torch.lerp(skip, opened[:, d : 2 * d] * torch.tanh(c), torch.sigmoid(gate[:, 5 * d :]))
            h = h if kept is None else h * kept
            states.append(h)
            below = torch.cat([h, c], dim=1)
        return torch.cat(states[::-1]) if states else x.new_zeros(0, d)


class ParentToChildren(nn.Module):
    """Top-down tree LSTM with a highway output (spec §B.4).

        [i, o, f, u, r] = W x + U h_p,   c = σ(i) tanh(u) + σ(f) c_p,   h = σ(r) σ(o) tanh(c) + (1 − σ(r)) P x,

    p the parent in the binary tree; the root has h_p = c_p = 0 and the bias of U counts all the same.

    Args:
        width: of x.
        hidden: of h and c.

    Shapes: x (N, width) → (N, hidden), both in the order of :class:`Levels`.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.input = nn.Linear(width, 5 * hidden)
        self.parent = nn.Linear(hidden, 5 * hidden)
        self.projection = nn.Linear(width, hidden)
        for linear in (self.input, self.parent, self.projection):
            block_orthogonal(linear, hidden)
        with torch.no_grad():
            self.parent.bias[2 * hidden : 3 * hidden] = 1.0

    @in_single_precision
    def forward(
        self, x: Float[Tensor, "entity width"], levels: Levels, mask: Float[Tensor, "image hidden"] | None = None
    ) -> Float[Tensor, "entity hidden"]:
        """States of all entities; ``mask`` multiplies the states of an image (variational dropout)."""
        gates = torch.split(self.input(x) + self.parent.bias, levels.sizes)
        skips = torch.split(self.projection(x), levels.sizes)
        parents = torch.split(levels.parents, levels.sizes)
        masks = _per_level(mask, levels)
        states: list[Tensor] = []
        above: Tensor | None = None
        for gate, skip, parent, kept in zip(gates, skips, parents, masks, strict=True):
            h, c = self.step(gate, skip, None if above is None else above[parent])
            h = h if kept is None else h * kept
            states.append(h)
            above = torch.cat([h, c], dim=1)
        return torch.cat(states) if states else x.new_zeros(0, self.hidden)

    def step(
        self,
        gate: Float[Tensor, "node five_hidden"],
        skip: Float[Tensor, "node hidden"],
        above: Float[Tensor, "node two_hidden"] | None,
    ) -> tuple[Float[Tensor, "node hidden"], Float[Tensor, "node hidden"]]:
        """(h, c) of one level from W x with both biases, P x and the parents' [h, c] (None: the roots)."""
        d = self.hidden
        if above is not None:
            gate = torch.addmm(gate, above[:, :d], self.parent.weight.t())
        opened = torch.sigmoid(gate[:, : 3 * d])
        c = opened[:, :d] * torch.tanh(gate[:, 3 * d : 4 * d])
        if above is not None:
            c = torch.addcmul(c, opened[:, 2 * d :], above[:, d:])
        return torch.lerp(skip, opened[:, d : 2 * d] * torch.tanh(c), torch.sigmoid(gate[:, 4 * d :])), c


class BidirectionalTreeLSTM(nn.Module):
    """Layers of [bottom-up; top-down], half of the output from either (spec §B.4).

    Args:
        width: of x.
        output: of the result; even.
        layers: each takes the result of the one before.
        dropout: of the states of every layer but only if there are several, one mask per tree and direction.
    """

    def __init__(self, width: int, output: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        if output % 2 or layers < 1:
            raise ValueError(f"found output {output}, layers {layers}; expected an even output and at least one layer")
        widths = [width, *[output] * (layers - 1)]
        self.up = nn.ModuleList(ChildrenToParent(width, output // 2) for width in widths)
        self.down = nn.ModuleList(ParentToChildren(width, output // 2) for width in widths)
        self.state_width, self.dropout = output // 2, dropout if layers > 1 else 0.0

    def forward(self, x: Float[Tensor, "entity width"], levels: Levels, images: int) -> Float[Tensor, "entity output"]:
        """Context of each entity, in the order of the batch; ``images`` = number of trees."""
        x = x[levels.order]
        for up, down in zip(self.up, self.down, strict=True):
            masks = [variational_mask(x, images, self.state_width, self.dropout, self.training) for _ in range(2)]
            x = torch.cat([up(x, levels, masks[0]), down(x, levels, masks[1])], dim=1)
        return levels.restored(x)


def _per_level(mask: Tensor | None, levels: Levels) -> Sequence[Tensor | None]:
    return [None] * len(levels.sizes) if mask is None else torch.split(mask[levels.images], levels.sizes)


def variational_mask(
    like: Tensor, images: int, hidden: int, probability: float, training: bool
) -> Float[Tensor, "image hidden"] | None:
    """0 or 1/(1 − p), drawn once per image (Gal and Ghahramani 2016); None where nothing is dropped."""
    if not training or probability == 0:
        return None
    return functional.dropout(like.new_ones(images, hidden), probability)


@torch.no_grad()
def block_orthogonal(linear: nn.Linear, rows: int) -> None:
    """Orthogonal blocks of ``rows`` outputs each; biases 0."""
    for block in torch.split(linear.weight, rows):
        nn.init.orthogonal_(block)
    linear.bias.zero_()
