"""Mutual feature excitation (MFE): each entity's deep features with a learnt share of the two's average."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.skeleton.contraction import pointwise
from interplay.skeleton.feature_fusion import FeatureFusionBlock
from interplay.skeleton.feature_generation import SubsetConvolution


class MutualFeatureExcitation(nn.Module):
    """``F_X = ω(X)``; ``F̃_X = F_X + γ_X·(F_R + F_L)/2`` (paper section III-C).

    With ``projection`` the individual branch passes a second 1×1 convolution κ, as in the authors' release:
    ``F̃_X = κ(ω(X)) + γ_X·(ω(R) + ω(L))/2``; that adds 55 % parameters, the plain form only scalars.

    Args:
        subsets: S.
        in_channels: Cin.
        out_channels: Cout.
        mutual: without it F̃ = F (no γ).
        tie_entities: one γ per subset for both entities.
        gamma_init: γ at the start.
        projection: κ on the individual branch.

    Shapes: X (B, M, Cin, V, T) → F̃ (B, M, Cout, S, V, T).
    """

    def __init__(
        self,
        subsets: int,
        in_channels: int,
        out_channels: int,
        *,
        mutual: bool = True,
        tie_entities: bool = False,
        gamma_init: float = 0.0,
        projection: bool = False,
    ) -> None:
        super().__init__()
        self.omega = SubsetConvolution(subsets, in_channels, out_channels)
        self.kappa = SubsetConvolution(subsets, out_channels, out_channels) if mutual and projection else None
        self.fusion = FeatureFusionBlock(subsets, tie_entities, gamma_init) if mutual else None

    def forward(
        self, x: Float[Tensor, "batch entity channel joint time"]
    ) -> Float[Tensor, "batch entity out subset joint time"]:
        batch_entity = x.shape[:2]
        # rows of the weight in the order (out, subset): the joints of all subsets lie side by side for Eq. 1
        weight, bias = self.omega.weight.transpose(0, 1), self.omega.bias.T
        features = pointwise(x.flatten(0, 1), weight.flatten(0, 1), bias.flatten())
        features = features.reshape(*batch_entity, *bias.shape, *x.shape[3:])
        if self.fusion is None:
            return features
        gamma = self.fusion.per_entity().to(features.dtype)[:, None, :, None, None]
        shared = features.sum(dim=1, keepdim=True)
        if self.kappa is not None:
            features = torch.einsum("bmcsvt,soc->bmosvt", features, self.kappa.weight)
            features = features + self.kappa.bias.T[..., None, None].to(features.dtype)
        return torch.addcmul(features, 0.5 * gamma, shared)


def kaiming_fan_out(weight: Tensor) -> None:
    """Normal with variance 2/(Cout·kernel), the initialisation of all convolutions here."""
    nn.init.normal_(weight, std=math.sqrt(2.0 / (weight.shape[0] * weight[0, 0].numel())))
