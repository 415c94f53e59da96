"""Affinities between features, and the activation δ of the graph operations (agos.md §4)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from interplay.video.settings import Similarity, VideoSettings


class Affinity(nn.Module):
    """``s_ij = x̂_iᵀ U x̂_j`` and its rows as shares, ``a_i = softmax_j(scale · s_ij)`` (A5, A13).

    U starts as the identity and has no bias; with ``u_start="kaiming"`` and ``u_bias`` it is a linear layer like the
    others, ``s_ij = (x̂_iᵀU + bᵀ) x̂_j``. With ``similarity="inner_product"``, ``s_ij = x_iᵀUx_j / √C`` and the
    scale is 1. With ``u="diagonal"`` only the diagonal of the stored matrix acts.

    Source: Eqs. 2, 3 and 6; agos.md §4. *Where we differ*: the equations have neither normalisation; the supplement
    says that rows are normalised, the release how.

    Shapes: left (B, L, C), right (B, R, C) → (B, L, R). Both are normalised already where ``cosine``.
    """

    def __init__(self, settings: VideoSettings) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(settings.width))
        if settings.u_start == "kaiming":
            nn.init.kaiming_normal_(self.weight)
        self.bias = nn.Parameter(torch.zeros(settings.width)) if settings.u_bias else None
        self.diagonal = settings.u == "diagonal"
        self.similarity: Similarity = settings.similarity
        cosine = settings.similarity == "cosine"
        self.scale = settings.scale if cosine else 1.0
        self.before = 1.0 if cosine else settings.width**-0.5

    def project(self, left: Float[Tensor, "batch left width"]) -> Float[Tensor, "batch left width"]:
        """x̂_iᵀU, with its bias where it has one."""
        made = left * self.weight.diagonal() if self.diagonal else left @ self.weight
        made = made if self.bias is None else made + self.bias
        return made if self.before == 1.0 else made * self.before

    def relations(
        self, left: Float[Tensor, "batch left width"], right: Float[Tensor, "batch right width"]
    ) -> Float[Tensor, "batch left right"]:
        """s."""
        return torch.bmm(self.project(left), right.transpose(1, 2))

    def forward(
        self, left: Float[Tensor, "batch left width"], right: Float[Tensor, "batch right width"]
    ) -> Float[Tensor, "batch left right"]:
        """scale · s, before the softmax."""
        return torch.bmm(self.project(left) * self.scale, right.transpose(1, 2))


class NormalisedActivation(nn.Module):
    """``δ(x) = LeakyReLU(LayerNorm(x))`` (A14)."""

    def __init__(self, settings: VideoSettings) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(settings.width)
        self.slope = settings.slope

    def forward(self, x: Float[Tensor, "*any width"]) -> Float[Tensor, "*any width"]:
        return functional.leaky_relu(self.norm(x), self.slope)


def without_self(scores: Float[Tensor, "batch node node"]) -> Float[Tensor, "batch node node"]:
    """The same with −∞ on the diagonal; not in place, which an export could not express."""
    own = torch.eye(scores.shape[-1], dtype=torch.bool, device=scores.device)
    return scores.masked_fill(own, -torch.inf)


def linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """A linear layer that starts kaiming-normal with bias 0, as in the release (agos.md §3, §4)."""
    made = nn.Linear(inputs, outputs, bias=bias)
    nn.init.kaiming_normal_(made.weight)
    if bias:
        nn.init.zeros_(made.bias)
    return made
