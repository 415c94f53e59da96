"""The network for inference only: batch norms folded into the products, few passes over memory, small chunks.

:class:`~interplay.skeleton.network.FusedNetwork` puts these blocks together.
"""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from interplay.skeleton.block import MutualExcitationBlock
from interplay.skeleton.contraction import Lift, aggregate_onto, by_row, joined_weight, mixes_in_product
from interplay.skeleton.graph_convolution import (
    MutualExcitationGraphConvolution,
    PointwiseConvolution,
    steady_part,
)
from interplay.skeleton.pointwise import apply_linear
from interplay.skeleton.temporal_convolution import (
    MultiScaleTemporalConvolution,
    SingleTemporalConvolution,
    maximum_of_three,
)


def batch_norm_line(bn: nn.BatchNorm2d) -> tuple[Float[Tensor, " channel"], Float[Tensor, " channel"]]:
    """Slope and offset of a batch norm in evaluation mode."""
    assert bn.running_mean is not None
    assert bn.running_var is not None
    slope = bn.weight * torch.rsqrt(bn.running_var + bn.eps)
    return slope, bn.bias - slope * bn.running_mean


class FoldedPointwise(nn.Module):
    """A residual's 1×1 convolution with its batch norm inside; other offsets may be added to its bias."""

    weight: Tensor
    bias: Tensor

    def __init__(self, convolution: PointwiseConvolution, offset: Tensor | float = 0.0) -> None:
        super().__init__()
        slope, shift = batch_norm_line(convolution.bn)
        self.stride = convolution.stride
        self.register_buffer("weight", convolution.weight[:, :, 0, 0] * slope[:, None])
        self.register_buffer("bias", convolution.bias * slope + shift + offset)

    def forward(self, x: Float[Tensor, "row channel joint time"]) -> Float[Tensor, "row out joint short"]:
        if self.stride > 1:
            x = x[..., :: self.stride]
        return apply_linear(x.flatten(2), self.weight).add_(self.bias[:, None]).view(len(x), -1, *x.shape[2:])


class FusedGraphConvolution(nn.Module):
    """``ReLU(Σ_s F̃·A + residual)`` with the unit's batch norm folded into ω (κ) and into the residual.

    The biases of F̃ do not vary over time, so what they contribute, ``Σ_s bias_s·Σ_d A_s[d, e]``, is computed from Ṽ and
    added to the residual that the product accumulates onto.
    """

    shared_weight: Tensor
    weight: Tensor
    bias: Tensor
    offset: Tensor

    def __init__(self, unit: MutualExcitationGraphConvolution) -> None:
        super().__init__()
        slope, shift = batch_norm_line(unit.bn)
        made = unit.feature.factors()
        self.subsets = made.bias.shape[2]
        repeated = slope.repeat_interleave(self.subsets)[:, None]
        self.projected = made.shared_weight is not None
        if made.shared_weight is not None:
            self.register_buffer("shared_weight", made.shared_weight * repeated)
        self.register_buffer("weight", made.weight * repeated)
        self.register_buffer("bias", made.bias * slope[:, None])  # entity out subset
        self.mix: list[list[float]] = [] if made.mix is None else made.mix.tolist()
        self.topology = unit.topology
        self.transposed = unit.contraction == "second"
        self.residual = None if unit.residual is None else FoldedPointwise(unit.residual, shift)
        self.register_buffer("offset", shift)
        if self.mix and mixes_in_product(self.weight, self.weight.shape[1]):
            self.join()

    def join(self) -> None:
        """Put the mixing of the entities into the weight."""
        mix = torch.tensor(self.mix, dtype=self.weight.dtype, device=self.weight.device)
        self.weight = joined_weight(self.weight, self.shared_weight if self.projected else None, mix)
        self.mix = []

    def features(
        self, x: Float[Tensor, "batch entity channel joint time"]
    ) -> Float[Tensor, "row out subset joint time"]:
        """F̃ times the batch norm's slope, without biases."""
        batch, entities, _, joints, time = x.shape
        made = apply_linear(by_row(x.flatten(3), self.weight), self.weight)
        made = made.view(batch, entities, -1, self.subsets, joints, time)
        if any(any(row) for row in self.mix):
            if self.projected:
                shared = apply_linear(x.sum(dim=1).flatten(2), self.shared_weight)
                shared = shared.view(batch, -1, self.subsets, joints, time)
            else:
                shared = made[:, 0] + made[:, 1]
            for entity, row in enumerate(self.mix):
                for s, share in enumerate(row):
                    made[:, entity, :, s].add_(shared[:, :, s], alpha=share)
        return made.flatten(0, 1)

    def forward(self, x: Float[Tensor, "batch entity channel joint time"]) -> Float[Tensor, "row out joint time"]:
        pooled = x.mean(dim=-1, dtype=torch.promote_types(x.dtype, torch.float32))
        maps, factor = self.topology.factors(pooled, transposed=self.transposed)
        flat = x.flatten(0, 1)
        steady = steady_part(self.bias, maps, factor, x.shape[1])
        if self.residual is None:
            steady = steady + self.offset[:, None]
        steady = steady.to(x.dtype)[..., None]
        onto = flat + steady if self.residual is None else self.residual(flat).add_(steady)
        return aggregate_onto(onto, maps.to(x.dtype), Lift(factor.to(x.dtype)), self.features(x)).relu_()


class FusedTemporalConvolution(nn.Module):
    """The four branches with both levels of batch norm folded, added onto the residual."""

    weight: Tensor
    bias: Tensor
    taps: Tensor
    taps_bias: Tensor
    slope: Tensor
    shift: Tensor

    def __init__(self, temporal: MultiScaleTemporalConvolution) -> None:
        super().__init__()
        width = temporal.width
        self.width, self.stride, self.dilations = width, temporal.stride, temporal.dilations
        inner_slope, inner_shift = batch_norm_line(temporal.reduce_bn)
        slope, shift = batch_norm_line(temporal.bn)
        slopes, shifts = slope.view(4, width), shift.view(4, width)
        reduce = temporal.reduce_weight.flatten(0, 1) * inner_slope[:, None]
        point = temporal.pointwise_weight * slopes[3][:, None]
        self.register_buffer("weight", torch.cat((reduce, point)))
        self.register_buffer(
            "bias",
            torch.cat(
                (temporal.reduce_bias * inner_slope + inner_shift, temporal.pointwise_bias * slopes[3] + shifts[3])
            ),
        )
        self.register_buffer("taps", (temporal.taps_weight * slopes[:2, :, None, None])[:, :, :, None])
        self.register_buffer("taps_bias", temporal.taps_bias * slopes[:2] + shifts[:2])
        self.register_buffer("slope", slopes[2].clone())
        self.register_buffer("shift", shifts[2].clone())

    def forward(
        self, x: Float[Tensor, "row channel joint time"], residual: Tensor | None
    ) -> Float[Tensor, "row channel joint short"]:
        width = self.width
        entered = apply_linear(x.flatten(2), self.weight).add_(self.bias[:, None]).view(x.shape)
        reduced = entered[:, : 3 * width].relu_()
        branches = [
            functional.conv2d(
                reduced[:, i * width : (i + 1) * width],
                self.taps[i],
                self.taps_bias[i],
                stride=(1, self.stride),
                padding=(0, 2 * dilation),
                dilation=(1, dilation),
            )
            for i, dilation in enumerate(self.dilations)
        ]
        highest = maximum_of_three(reduced[:, 2 * width :], self.stride)
        highest = highest.mul_(self.slope[:, None, None]).add_(self.shift[:, None, None])
        branches += [highest, entered[:, 3 * width :, :, :: self.stride]]
        if residual is None:
            return torch.cat(branches, dim=1).relu_()
        y = torch.empty_like(residual)
        for i, branch in enumerate(branches):
            part = slice(i * width, (i + 1) * width)
            torch.add(branch, residual[:, part], out=y[:, part])
        return y.relu_()


class FoldedSingle(nn.Module):
    """The 5-tap convolution with its batch norm inside, added onto the residual."""

    weight: Tensor
    bias: Tensor

    def __init__(self, temporal: SingleTemporalConvolution) -> None:
        super().__init__()
        slope, shift = batch_norm_line(temporal.bn)
        self.stride = temporal.stride
        self.register_buffer("weight", temporal.weight * slope[:, None, None, None])
        self.register_buffer("bias", temporal.bias * slope + shift)

    def forward(
        self, x: Float[Tensor, "row channel joint time"], residual: Tensor | None
    ) -> Float[Tensor, "row channel joint short"]:
        y = functional.conv2d(x, self.weight, self.bias, stride=(1, self.stride), padding=(0, 2))
        return (y if residual is None else y.add_(residual)).relu_()


class FusedBlock(nn.Module):
    """A :class:`~interplay.skeleton.block.MutualExcitationBlock` for inference."""

    def __init__(self, block: MutualExcitationBlock) -> None:
        super().__init__()
        self.convolution = FusedGraphConvolution(block.convolution)
        temporal = block.temporal
        self.temporal: nn.Module
        if isinstance(temporal, MultiScaleTemporalConvolution):
            self.temporal = FusedTemporalConvolution(temporal)
        elif isinstance(temporal, SingleTemporalConvolution):
            self.temporal = FoldedSingle(temporal)
        else:
            self.temporal = copy.deepcopy(temporal)
        residual = block.residual
        self.residual = FoldedPointwise(residual) if isinstance(residual, PointwiseConvolution) else residual

    def forward(
        self, x: Float[Tensor, "batch entity channel joint time"]
    ) -> Float[Tensor, "batch entity out joint short"]:
        residual = None if self.residual is None else self.residual(x.flatten(0, 1))
        y: Tensor = self.temporal(self.convolution(x), residual)
        return y.reshape(*x.shape[:2], *y.shape[1:])

    def in_precision(self, dtype: torch.dtype) -> FusedBlock:
        """A copy for inputs of this type; what the topology is made of stays as it is."""
        made = copy.deepcopy(self)
        unit = made.convolution
        if unit.mix and mixes_in_product(torch.empty(0, dtype=dtype), unit.weight.shape[1]):
            unit.join()
        topology, bias, offset = (self.convolution.topology, self.convolution.bias, self.convolution.offset)
        made.to(dtype)
        made.convolution.topology, made.convolution.bias, made.convolution.offset = topology, bias, offset
        return made
