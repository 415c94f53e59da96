"""Losses that keep PE-Net's prototypes apart and pairs near their own."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional


def at_least_float32(values: Tensor) -> Tensor:
    """float64 as it is, everything else as float32."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def squared_distances(a: Float[Tensor, "row width"], b: Float[Tensor, "other width"]) -> Float[Tensor, "row other"]:
    """‖a_r‖² + ‖b_j‖² − 2 a_r · b_j, in float32 whatever autocast says: bfloat16 would lose a margin of 1 among 200.

    Never a (rows, others, width) tensor.
    """
    with torch.autocast(a.device.type, enabled=False):
        a, b = at_least_float32(a), at_least_float32(b)
        return torch.addmm(b.square().sum(dim=1), a, b.t(), alpha=-2) + a.square().sum(dim=1, keepdim=True)


def similarity_loss(c: Float[Tensor, "predicate width"]) -> Float[Tensor, ""]:
    """‖S‖₂,₁ / P², S = ĉ sg(ĉ)ᵀ: cosines of all prototypes, one side without gradient (spec §B.7, ``l21``)."""
    with torch.autocast(c.device.type, enabled=False):
        unit = functional.normalize(at_least_float32(c), dim=1)
        rows: Tensor = (unit @ unit.detach().t()).norm(dim=1)
        return rows.sum() / len(c) ** 2


def separation_loss(c: Float[Tensor, "predicate width"], margin: float = 7.0) -> Float[Tensor, ""]:
    """mean_i max(0, γ₂ − min_{j≠i} ‖c_i − sg(c_j)‖²) (spec §B.7, ``dist_loss2``); 0 for a single prototype."""
    if len(c) < 2:
        return c.sum() * 0
    distances = squared_distances(c, c.detach())
    itself = torch.eye(len(c), dtype=torch.bool, device=c.device)
    nearest = distances.masked_fill(itself, torch.inf).amin(dim=1)
    return functional.relu(margin - nearest).mean()


def pair_loss(
    r: Float[Tensor, "pair width"],
    c: Float[Tensor, "predicate width"],
    labels: Int[Tensor, " pair"],
    margin: float = 1.0,
    negatives: int = 10,
) -> Float[Tensor, ""]:
    """mean_r max(0, g⁺ − g⁻ + γ₁) with g = ‖r − c‖² (spec §B.7, ``loss_dis``).

    g⁺: to the prototype of the label, background among them; g⁻: mean of the ``negatives`` nearest other ones, all of
    them where there are fewer. Pairs labelled −1 do not count; 0 without pairs.
    """
    kept = labels >= 0
    distances = squared_distances(r, c)[kept]
    own = functional.one_hot(labels[kept], len(c)).bool()
    others = distances.masked_fill(own, torch.inf)
    nearest = others.topk(min(negatives, len(c) - 1), dim=1, largest=False).values
    hinge = functional.relu(distances[own] - nearest.mean(dim=1) + margin)
    return hinge.sum() / max(len(hinge), 1)
