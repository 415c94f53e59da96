"""Mutual excitation graph convolution (me-GC): topology and features meet in one unit."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.skeleton.contraction import mutual_aggregate
from interplay.skeleton.mutual_feature import MutualFeatureExcitation, kaiming_fan_out
from interplay.skeleton.mutual_topology import MutualTopologyExcitation
from interplay.skeleton.normalisation import normalise
from interplay.skeleton.pointwise import Fork, pointwise, working

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
        return normalise(self.bn, *pointwise(x, self.weight[:, :, 0, 0]), before=self.bias)


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

    def aggregate(self, x: Float[Tensor, "batch entity channel joint time"]) -> Float[Tensor, "row out joint time"]:
        """The sum over subsets before batch norm."""
        return self.products(x, x.mean(dim=-1, dtype=torch.promote_types(x.dtype, torch.float32)))

    def products(
        self,
        x: Float[Tensor, "batch entity channel joint time"],
        pooled: Float[Tensor, "batch entity channel joint"],
    ) -> Float[Tensor, "row out joint time"]:
        """:meth:`aggregate` where the mean over time is known."""
        maps, factor = self.topology.factors(pooled, transposed=self.contraction == "second")
        made = self.feature.factors()
        steady = steady_part(made.bias, maps, factor, x.shape[1])
        return mutual_aggregate(working(x), made.weight, made.shared_weight, made.mix, maps, factor, steady)

    def forward(
        self, x: Float[Tensor, "batch entity channel joint time"]
    ) -> Float[Tensor, "batch entity out joint time"]:
        if torch.is_grad_enabled() and x.requires_grad and not torch.compiler.is_compiling():
            x, beside, pooled = Fork.apply(x)
            made = self.products(x, pooled)
        else:
            beside, made = x, self.aggregate(x)
        flat = beside.flatten(0, 1)
        residual = flat if self.residual is None else self.residual(flat)
        y = normalise(self.bn, made, residual=residual, relu=True)
        return y.view(*x.shape[:2], *y.shape[1:])


def steady_part(
    bias: Float[Tensor, "some_entity out subset"],
    maps: Float[Tensor, "row subset factor pair"],
    factor: Float[Tensor, "subset out factor"],
    entities: int,
) -> Float[Tensor, "row out joint"]:
    """What the biases of F̃ contribute to Eq. 1: ``Σ_s bias_s·Σ_d A_s[d, e]``, the same in all frames.

    So the biases need no pass over F̃; the sums over d are taken from Ṽ⁺, which has far fewer channels than A.
    """
    rows, _, _, pairs = maps.shape
    joints = math.isqrt(pairs)
    with torch.autocast(maps.device.type, enabled=False):
        sums = maps.view(*maps.shape[:3], joints, joints).sum(dim=3).flatten(1, 2)  # row, (subset, factor), joint
        weight = (bias[..., None] * factor.transpose(0, 1)).flatten(2)  # entity, out, (subset, factor)
        made = weight @ sums.view(rows // entities, entities, *sums.shape[1:])
        return made.flatten(0, 1)
