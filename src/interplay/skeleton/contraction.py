"""The heavy product of a me-GC unit, with a backward pass that keeps neither the features nor the channel maps.

It is an ordinary formula (see :class:`MutualAggregate`). Written as one autograd function it walks through the batch in
chunks that stay in the cache, and makes F̃ and A again in the backward pass: in the plain form these two, S times as
large as the features and V×V values for every channel, are most of a training step's memory and traffic.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.skeleton.pointwise import add_weight_gradient, apply_linear
from interplay.skeleton.workers import shares, side_by_side, workers

CHUNK_BYTES = 1 << 22
"""Size of the features that are made at a time on a CPU."""


def chunk_size(x: Tensor, out: int) -> int:
    """Clips at a time for inputs (batch, entity, channel, joint, time) that become ``out`` channels."""
    if x.device.type != "cpu":
        return max(1, x.shape[0])
    return max(1, CHUNK_BYTES // max(1, x.shape[1] * out * x.shape[3] * x.shape[4] * x.element_size()))


class Lift:
    """``A[b,c,s,·] = Σ_k W[s,c,k]·Ṽ⁺[b,s,k,·]``, written side by side so that (s, d) is one index, and its gradients.

    In float32 one product per subset, into strided memory. In a lower precision the units that multiply matrices work
    on blocks of 32 in k and want contiguous memory, so that one product with a block-diagonal W is faster although
    most of it is zeros.

    Args:
        factor: W (S, Cout, K) in the precision of the maps.
    """

    def __init__(self, factor: Float[Tensor, "subset out factor"]) -> None:
        self.factor = factor
        self.subsets, self.channels, self.width = factor.shape
        self.whole = factor.dtype in (torch.bfloat16, torch.float16)
        if self.whole:
            spread = factor.new_zeros(self.channels, self.subsets, self.subsets, self.width)
            for s in range(self.subsets):
                spread[:, s, s] = factor[s]
            self.spread = spread.view(self.channels * self.subsets, self.subsets * self.width)
            self.turned_spread = self.spread.T.contiguous()
        else:
            self.turned = factor.transpose(1, 2).contiguous()

    def __call__(self, maps: Float[Tensor, "row subset factor pair"]) -> Float[Tensor, "row out subset pair"]:
        rows, pairs = maps.shape[0], maps.shape[3]
        if self.whole:
            return apply_linear(maps.flatten(1, 2), self.spread).view(rows, self.channels, self.subsets, pairs)
        lifted = maps.new_empty(rows, self.channels, self.subsets, pairs)
        for s in range(self.subsets):
            torch.bmm(self.factor[s].expand(rows, -1, -1), maps[:, s], out=lifted[:, :, s])
        return lifted

    def back(
        self,
        d_lifted: Float[Tensor, "row out subset pair"],
        maps: Float[Tensor, "row subset factor pair"],
        d_maps: Float[Tensor, "row subset factor pair"],
        d_factor: Float[Tensor, "subset out factor"],
    ) -> None:
        """Writes the gradient of the maps, adds that of W."""
        rows = maps.shape[0]
        if self.whole:
            flat = d_lifted.flatten(1, 2)
            torch.bmm(self.turned_spread.expand(rows, -1, -1), flat, out=d_maps.flatten(1, 2))
            d_spread = d_factor.new_zeros(self.spread.shape)
            add_weight_gradient(d_spread, flat, maps.flatten(1, 2))
            by_subset = d_spread.view(self.channels, self.subsets, self.subsets, self.width)
            for s in range(self.subsets):
                d_factor[s] += by_subset[:, s, s]
            return
        for s in range(self.subsets):
            torch.bmm(self.turned[s].expand(rows, -1, -1), d_lifted[:, :, s], out=d_maps[:, s])
            add_weight_gradient(d_factor[s], d_lifted[:, :, s], maps[:, s])


def mixes_in_product(x: Tensor, channels: int) -> bool:
    """Whether one product with both entities' channels in it beats a product per entity and passes over its result.

    It takes twice the multiplications and no pass; worth it where multiplications are cheap or few.
    """
    return channels <= (128 if x.dtype in (torch.bfloat16, torch.float16) else 16)


def joined_weight(
    weight: Float[Tensor, "out_subset channel"],
    shared_weight: Float[Tensor, "out_subset channel"] | None,
    mix: Float[Tensor, "entity subset"],
) -> Float[Tensor, "entity_out_subset entity_channel"]:
    """``[[W + mix_0·W', mix_0·W'], [mix_1·W', W + mix_1·W']]``: F̃ of both entities from both entities' x."""
    shared = weight if shared_weight is None else shared_weight
    subsets = mix.shape[1]
    rows = []
    for entity, share in enumerate(mix):
        across = (shared.view(-1, subsets, shared.shape[1]) * share[:, None]).flatten(0, 1)
        rows.append(torch.cat([across + weight if entity == other else across for other in range(len(mix))], dim=1))
    return torch.cat(rows)


def by_row(x: Float[Tensor, "batch entity channel place"], weight: Float[Tensor, "_ entered"]) -> Tensor:
    """x as rows of the weight's width: one per entity, or one per clip for a joined weight."""
    return x.flatten(0, 1) if weight.shape[1] == x.shape[2] else x.flatten(1, 2)


def shared_features(features: Tensor, x: Tensor, shared_weight: Tensor | None) -> Tensor:
    """F_R + F_L without biases (batch, out·subset, joint·time)."""
    if shared_weight is None:
        return features[:, 0] + features[:, 1]
    return apply_linear(x.sum(dim=1), shared_weight)


def mutual_features(
    x: Float[Tensor, "batch entity channel place"],
    weight: Float[Tensor, "_ entered"],
    shared_weight: Float[Tensor, "_ entered"] | None,
    mix: Float[Tensor, "entity subset"] | None,
) -> tuple[Float[Tensor, "batch entity _ place"], Float[Tensor, "batch _ place"] | None]:
    """F̃ without biases, and what was mixed in: ``F̃_X = F_X + mix_X·(F_R + F_L)``."""
    features = apply_linear(by_row(x, weight), weight).view(*x.shape[:2], -1, x.shape[3])
    if mix is None:
        return features, None
    shared = shared_features(features, x, shared_weight)
    grouped = (-1, mix.shape[1], x.shape[3])
    factor = mix.to(x.dtype)[:, None, :, None]
    features.view(*x.shape[:2], *grouped).addcmul_(shared.view(len(x), 1, *grouped), factor)
    return features, shared


class MutualAggregate(torch.autograd.Function):
    """``out[b,m,c,e,t] = Σ_s Σ_d A[b,m,c,s,d,e]·F̃[b,m,c,s,d,t] + steady[b,m,c,e]`` (Eq. 1 with MFE and ξ inside).

    ``A[b,m,c,s,·] = Σ_k factor[s,c,k]·maps[b,m,s,k,·]``;
    ``F = W·x``, ``F̃_m = F_m + mix[m,s]·(F_0 + F_1)``, where the sum in brackets uses ``shared_weight`` if it is given.
    A weight as wide as both entities' channels together (:func:`joined_weight`) gives all F̃ at once.

    Shapes: x (B, M, Cin, V, T), weight and shared_weight (Cout·S, Cin), mix (M, S), maps (B·M, S, K, V·V),
    factor (S, Cout, K), steady (B·M, Cout, V) → (B·M, Cout, V, T).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        shared_weight: Tensor | None,
        mix: Tensor | None,
        maps: Tensor,
        factor: Tensor,
        steady: Tensor,
    ) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x, weight, shared_weight, mix, maps, factor)
        return aggregate(x, weight, shared_weight, mix, maps, factor, steady)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, shared_weight, mix, maps, factor = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        batch, entities, _, joints, time = x.shape
        subsets, channels, _ = factor.shape
        low = [None if w is None else w.to(x.dtype) for w in (weight, shared_weight, factor)]
        low_weight, low_shared, low_factor = low
        assert low_weight is not None
        assert low_factor is not None
        turned_weight = low_weight.T.contiguous()
        lift = Lift(low_factor)
        d_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        d_maps = torch.empty_like(maps)
        step = chunk_size(x, channels * subsets)
        starts = range(0, batch, step)

        def work(share: range) -> list[Tensor | None]:
            """Writes its part of the gradients of x and the maps, gives its part of those of the weights."""
            d_weight, d_factor = torch.zeros_like(weight), torch.zeros_like(factor)
            d_shared = None if shared_weight is None else torch.zeros_like(shared_weight)
            d_mix = None if mix is None else torch.zeros_like(mix)
            for start in (starts[index] for index in share):
                clips = slice(start, start + step)
                rows = slice(start * entities, (start + step) * entities)
                part = x[clips].flatten(3)
                features, shared = mutual_features(part, low_weight, low_shared, mix)
                inner = gradient[rows].view(-1, joints, time)
                lifted = lift(maps[rows]).view(-1, subsets * joints, joints)
                d_features = torch.bmm(lifted, inner).view_as(features)
                torch.bmm(features.view(-1, subsets * joints, time), inner.transpose(1, 2), out=lifted)
                lift.back(lifted.view(-1, channels, subsets, joints * joints), maps[rows], d_maps[rows], d_factor)
                d_sum = None
                if mix is not None and shared is not None and d_mix is not None:
                    grouped = (-1, channels, subsets, joints * time)
                    product = torch.mul(d_features, shared[:, None], out=features)
                    d_mix += product.sum(-1).view(-1, entities, channels, subsets).sum((0, 2), dtype=mix.dtype)
                    by_entity = d_features.view(-1, entities, *grouped[1:])
                    weights = mix.to(x.dtype)[:, None, :, None]
                    d_sum = (by_entity[:, 0] * weights[0]).addcmul_(by_entity[:, 1], weights[1]).view_as(shared)
                    if low_shared is None:
                        d_features += d_sum[:, None]
                flat = by_row(part, weight)
                d_flat = d_features.view(len(flat), -1, d_features.shape[-1])
                add_weight_gradient(d_weight, d_flat, flat)
                d_part = None if d_x is None else d_x[clips].flatten(3)
                if d_part is not None:
                    torch.bmm(turned_weight.expand(len(flat), -1, -1), d_flat, out=by_row(d_part, weight))
                if d_shared is not None and d_sum is not None and low_shared is not None:
                    add_weight_gradient(d_shared, d_sum, part.sum(dim=1))
                    if d_part is not None:
                        d_part += apply_linear(d_sum, low_shared.T)[:, None]
            return [d_weight, d_shared, d_mix, d_factor]

        made = side_by_side(work, shares(len(starts), workers(x.device, len(starts))))
        d_weight, d_shared, d_mix, d_factor = (
            None if parts[0] is None else torch.stack([part for part in parts if part is not None]).sum(0)
            for parts in zip(*made, strict=True)
        )
        return d_x, d_weight, d_shared, d_mix, d_maps, d_factor, gradient.sum(-1)


def aggregate(
    x: Float[Tensor, "batch entity channel joint time"],
    weight: Float[Tensor, "_ entered"],
    shared_weight: Float[Tensor, "_ entered"] | None,
    mix: Float[Tensor, "entity subset"] | None,
    maps: Float[Tensor, "row subset factor pair"],
    factor: Float[Tensor, "subset out factor"],
    steady: Float[Tensor, "row out joint"],
) -> Float[Tensor, "row out joint time"]:
    """The forward formula of :class:`MutualAggregate`."""
    batch, entities, _, joints, time = x.shape
    subsets, channels, _ = factor.shape
    if torch.compiler.is_compiling():
        return _whole(x, weight, shared_weight, mix, maps, factor, steady)
    weight, factor = weight.to(x.dtype), factor.to(x.dtype)
    shared_weight = None if shared_weight is None else shared_weight.to(x.dtype)
    out = x.new_empty(batch * entities, channels, joints, time)
    lift = Lift(factor)
    step = chunk_size(x, channels * subsets)
    starts = range(0, batch, step)

    def work(share: range) -> None:
        for start in (starts[index] for index in share):
            rows = slice(start * entities, (start + step) * entities)
            features, _ = mutual_features(x[start : start + step].flatten(3), weight, shared_weight, mix)
            lifted = lift(maps[rows]).view(-1, subsets * joints, joints).transpose(1, 2)
            part = out[rows]
            torch.bmm(lifted, features.view(-1, subsets * joints, time), out=part.view(-1, joints, time))
            part += steady[rows][..., None]

    side_by_side(work, shares(len(starts), workers(x.device, len(starts))))
    return out


def _whole(
    x: Tensor,
    weight: Tensor,
    shared_weight: Tensor | None,
    mix: Tensor | None,
    maps: Tensor,
    factor: Tensor,
    steady: Tensor,
) -> Tensor:
    """The same in operations that an exporter can follow."""
    batch, entities, _, joints, time = x.shape
    subsets, channels, _ = factor.shape
    features = torch.einsum("oi,bmin->bmon", weight, x.flatten(3))
    if mix is not None:
        both = x.flatten(3).sum(dim=1)
        shared = torch.einsum("oi,bin->bon", weight if shared_weight is None else shared_weight, both)
        shared = shared.reshape(batch, 1, channels, subsets, joints * time)
        features = features.reshape(batch, entities, channels, subsets, joints * time)
        features = features + mix[:, None, :, None] * shared
    lifted = torch.einsum("bskp,sck->bcsp", maps, factor).reshape(-1, channels, subsets * joints, joints)
    made = lifted.transpose(2, 3) @ features.reshape(-1, channels, subsets * joints, time)
    return made + steady[..., None]


def mutual_aggregate(
    x: Float[Tensor, "batch entity channel joint time"],
    weight: Float[Tensor, "_ entered"],
    shared_weight: Float[Tensor, "_ entered"] | None,
    mix: Float[Tensor, "entity subset"] | None,
    maps: Float[Tensor, "row subset factor pair"],
    factor: Float[Tensor, "subset out factor"],
    steady: Float[Tensor, "row out joint"],
) -> Float[Tensor, "row out joint time"]:
    """:class:`MutualAggregate`, with or without gradients, in the precision of x."""
    maps, steady = maps.to(x.dtype), steady.to(x.dtype)
    if mix is not None and mixes_in_product(x, weight.shape[1]) and not torch.compiler.is_compiling():
        weight, shared_weight, mix = joined_weight(weight, shared_weight, mix), None, None
    if torch.is_grad_enabled():
        made: Tensor = MutualAggregate.apply(x, weight, shared_weight, mix, maps, factor, steady)
        return made
    return aggregate(x, weight, shared_weight, mix, maps, factor, steady)


def aggregate_onto(
    onto: Float[Tensor, "row out joint time"],
    maps: Float[Tensor, "row subset factor pair"],
    lift: Lift,
    features: Float[Tensor, "row out subset joint time"],
) -> Float[Tensor, "row out joint time"]:
    """``onto += Σ_s Σ_d A·F̃`` in place, for inference."""
    _, _, subsets, joints, time = features.shape
    lifted = lift(maps).view(-1, subsets * joints, joints).transpose(1, 2)
    onto.view(-1, joints, time).baddbmm_(lifted, features.reshape(-1, subsets * joints, time))
    return onto
