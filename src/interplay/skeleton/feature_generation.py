"""Feature generation block (FGB): what the joints of one entity, and of the two, have to do with each other."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SubsetConvolution(nn.Module):
    """One 1×1 convolution per adjacency subset, stored as one tensor.

    Args:
        subsets: S.
        in_channels: Cin.
        out_channels: Cout.

    Shapes: weight (S, Cout, Cin), bias (S, Cout). Initialised as the public CTR-GCN code does it: normal with
    variance 2/Cout (Kaiming, fan out), bias 0.
    """

    def __init__(self, subsets: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(subsets, out_channels, in_channels))
        self.bias = nn.Parameter(torch.zeros(subsets, out_channels))
        nn.init.normal_(self.weight, std=math.sqrt(2.0 / out_channels))


class FeatureGenerationBlock(nn.Module):
    """Correlation maps of the joints (paper section III-C, Eq. 3).

    ``p_X = mean_T ψ(X)``, ``q_X = mean_T φ(X)`` for X in {R, L};
    ``V_X[c,i,j] = tanh(p_X[c,i] − q_X[c,j])``;
    ``h_X = (p_X + q_X) / 2``; ``V_RL[c,i,j] = tanh(h_R[c,i] − h_L[c,j])``.

    ψ and φ are linear, so they are applied to the temporal mean of X, which is the same and some 24 times cheaper.

    Args:
        subsets: S; every subset has its own ψ and φ.
        in_channels: Cin.
        relation_channels: C'.

    Where we differ: the paper calls V_RL symmetric; it is not (V_LR = −V_RLᵀ), see :class:`FeatureFusionBlock`'s use.
    """

    def __init__(self, subsets: int, in_channels: int, relation_channels: int) -> None:
        super().__init__()
        self.psi = SubsetConvolution(subsets, in_channels, relation_channels)
        self.phi = SubsetConvolution(subsets, in_channels, relation_channels)

    def forward(
        self, pooled: Float[Tensor, "batch entity channel joint"]
    ) -> tuple[
        Float[Tensor, "batch entity subset relation joint"], Float[Tensor, "batch entity subset relation joint"]
    ]:
        """p and q of every entity and subset from the temporal mean of X."""
        weight = torch.cat((self.psi.weight, self.phi.weight))  # 2S C' Cin
        bias = torch.cat((self.psi.bias, self.phi.bias))
        with torch.autocast(pooled.device.type, enabled=False):  # differences of p and q suffer from few digits
            both = weight.flatten(0, 1) @ pooled.to(weight.dtype) + bias.reshape(-1, 1)
        p, q = both.reshape(*pooled.shape[:2], 2, *self.psi.bias.shape, -1).unbind(2)
        return p, q


def individual_maps(
    p: Float[Tensor, "batch entity subset relation joint"], q: Float[Tensor, "batch entity subset relation joint"]
) -> Float[Tensor, "batch entity subset relation joint joint"]:
    """V_X, Eq. 3: tanh of all pairwise differences."""
    return torch.tanh(p[..., :, None] - q[..., None, :])


def shared_map(
    p: Float[Tensor, "batch 2 subset relation joint"], q: Float[Tensor, "batch 2 subset relation joint"]
) -> Float[Tensor, "batch subset relation joint joint"]:
    """V_RL: the joints of entity 0 against those of entity 1, each by the mean of its p and q."""
    h = (p + q) / 2
    return torch.tanh(h[:, 0, ..., :, None] - h[:, 1, ..., None, :])
