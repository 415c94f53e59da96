"""Mutual excitation graph convolution (me-GC): topology and features meet in one unit."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.skeleton.contraction import lift_and_aggregate, pointwise
from interplay.skeleton.mutual_feature import MutualFeatureExcitation, kaiming_fan_out
from interplay.skeleton.mutual_topology import MutualTopologyExcitation

Contraction = Literal["first", "second"]


class PointwiseConvolution(nn.Module):
    """1×1 convolution and batch norm of a residual branch.

    Shapes: (B, Cin, V, T) → (B, Cout, V, ⌈T/stride⌉).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.bn = nn.BatchNorm2d(out_channels)
        kaiming_fan_out(self.weight)

    def forward(self, x: Float[Tensor, "batch channel joint time"]) -> Float[Tensor, "batch out joint short"]:
        if self.stride > 1:
            x = x[..., :: self.stride].contiguous()
        y: Tensor = self.bn(pointwise(x, self.weight[:, :, 0, 0], self.bias))
        return y


class MutualExcitationGraphConvolution(nn.Module):
    """``ReLU(BN(Σ_s meGC_s(X)) + residual(X))`` with ``meGC_s(X)[c,t,e] = Σ_d F̃_X[c,t,d]·A_X[c,d,e]`` (paper Eq. 1).

    Args:
        topology: makes A_X.
        feature: makes F̃_X.
        in_channels: Cin.
        out_channels: Cout.
        contraction: which joint index of A is summed: ``first`` is Eq. 1, ``second`` is what CTR-GCN's code does.

    Shapes: X (B, M, Cin, V, T) → (B, M, Cout, V, T).

    The residual is X itself, or a 1×1 convolution with batch norm where the number of channels changes. The batch
    norm's gain starts at 1e-6, so that a new unit starts as its residual.
    """

    def __init__(
        self,
        topology: MutualTopologyExcitation,
        feature: MutualFeatureExcitation,
        in_channels: int,
        out_channels: int,
        contraction: Contraction = "first",
    ) -> None:
        super().__init__()
        self.topology = topology
        self.feature = feature
        self.contraction = contraction
        self.bn = nn.BatchNorm2d(out_channels)
        nn.init.constant_(self.bn.weight, 1e-6)
        self.residual = PointwiseConvolution(in_channels, out_channels) if in_channels != out_channels else None

    def aggregate(
        self, x: Float[Tensor, "batch entity channel joint time"]
    ) -> Float[Tensor, "batch entity out joint time"]:
        """The sum over subsets before batch norm."""
        pooled = x.mean(dim=-1, dtype=torch.promote_types(x.dtype, torch.float32))
        maps, weight = self.topology.factors(pooled, transposed=self.contraction == "second")
        features = self.feature(x)
        y = lift_and_aggregate(maps.to(features.dtype), weight, features.flatten(0, 1))
        return y.reshape(*x.shape[:2], *y.shape[1:])

    def forward(
        self, x: Float[Tensor, "batch entity channel joint time"]
    ) -> Float[Tensor, "batch entity out joint time"]:
        batch, entities = x.shape[:2]
        y = self.bn(self.aggregate(x).flatten(0, 1))
        flat = x.flatten(0, 1)
        y = torch.relu(y + (flat if self.residual is None else self.residual(flat)))
        return y.reshape(batch, entities, *y.shape[1:])
