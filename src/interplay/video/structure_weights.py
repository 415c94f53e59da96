"""Structure weights α, the choice of structures and the variance loss (paper Eqs. 11 to 13)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn


class AdaptiveWeights(nn.Module):
    """``α^ij_o = A^ij_o · X_g``: one linear layer on the clip's global feature (Eq. 12).

    A starts at 0, so that every mixture starts uniform; it has no bias. Computed in full precision also under
    autocast, as structures are where weights are compared.

    With ``bias``, the release's form on the C-wide map: PyTorch's own start, weight and bias (agos.md §6).

    Shapes: (B, D) → (B, E, O).
    """

    def __init__(self, inputs: int, edges: int, operations: int, *, bias: bool = False) -> None:
        super().__init__()
        self.edges, self.operations = edges, operations
        self.linear = nn.Linear(inputs, edges * operations, bias=bias)
        if not bias:
            nn.init.zeros_(self.linear.weight)

    def forward(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch edge operation"]:
        with torch.autocast(x.device.type, enabled=False):
            made: Tensor = self.linear(x.to(self.linear.weight.dtype))
        return made.view(len(x), self.edges, self.operations)


class FreeWeights(nn.Module):
    """α itself is learnt and is the same for all clips (Table 1, non-adaptive); starts at 0.001·N(0, 1).

    Shapes: (B, D) → (B, E, O).
    """

    def __init__(self, edges: int, operations: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(1e-3 * torch.randn(edges, operations))

    def forward(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch edge operation"]:
        return self.weight.expand(len(x), -1, -1)


def strongest(weights: Float[Tensor, "batch edge operation"], zero: int | None = None) -> Int64[Tensor, "batch edge"]:
    """``o_ij = argmax_o α^ij_o`` (Eq. 11); ``zero`` is a place that cannot win (A30)."""
    weights = weights.detach()
    if zero is not None:
        weights = weights.index_fill(-1, torch.tensor([zero], device=weights.device), -torch.inf)
    return weights.argmax(dim=-1)


def diversity_loss(
    weights: Float[Tensor, "batch edge operation"],
    on: Literal["raw", "softmax"] = "raw",
    over: Literal["clip", "batch"] = "clip",
    places: Sequence[int] | None = None,
) -> Float[Tensor, ""]:
    """``L_var = 1/(|O|−1) Σ_o (α_o − ᾱ)²`` with ``α_o = Σ_ij α^ij_o`` (Eq. 13), averaged over the clips (A17).

    Args:
        weights: raw structure weights, zero and identity included.
        places: of the operations whose weights vary; None for all.
        on: sum the raw weights (the equation) or their softmax over the operations (release).
        over: variance per clip, or of the mean over the clips of the batch, which lets clips specialise.
    """
    summed = (weights.softmax(dim=-1) if on == "softmax" else weights).sum(dim=1)
    if places is not None:
        summed = summed[:, list(places)]
    if over == "batch":
        summed = summed.mean(dim=0, keepdim=True)
    return summed.var(dim=-1, unbiased=True).mean()
