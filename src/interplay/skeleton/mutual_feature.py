"""Mutual feature excitation (MFE): each entity's deep features with a learnt share of the two's average."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

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

    Shapes: X (B, M, Cin, V, T) → F̃ (B, M, Cout, S, V, T), which the unit makes a few clips at a time.
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

    def factors(self) -> MutualFeatureFactors:
        """F̃ as a product that is never written down; see ``contraction.MutualAggregate``."""
        weight, bias = self.omega.weight.transpose(0, 1), self.omega.bias.T  # out subset in
        if self.fusion is None:
            return MutualFeatureFactors(weight.flatten(0, 1), None, None, bias[None])
        gamma = self.fusion.per_entity()
        shared_bias = gamma[:, None] * bias
        if self.kappa is None:
            return MutualFeatureFactors(weight.flatten(0, 1), None, gamma / 2, bias + shared_bias)
        composed = torch.einsum("soc,csi->osi", self.kappa.weight, weight)  # κ after ω is one product
        bias = torch.einsum("soc,cs->os", self.kappa.weight, bias) + self.kappa.bias.T
        return MutualFeatureFactors(composed.flatten(0, 1), weight.flatten(0, 1), gamma / 2, bias + shared_bias)


@dataclass(frozen=True)
class MutualFeatureFactors:
    """``F̃_m = W·x_m + mix_m·W'·(x_0 + x_1) + bias_m``; rows of the weights in the order (out, subset).

    ``shared_weight`` W' is None where it equals W; ``mix`` (entity, subset) is None without mutual excitation;
    ``bias`` is (entity or 1, out, subset).
    """

    weight: Tensor
    shared_weight: Tensor | None
    mix: Tensor | None
    bias: Tensor


def kaiming_fan_out(weight: Tensor) -> None:
    """Normal with variance 2/(Cout·kernel), the initialisation of all convolutions here."""
    nn.init.normal_(weight, std=math.sqrt(2.0 / (weight.shape[0] * weight[0, 0].numel())))
