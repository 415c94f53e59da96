"""GPS-Net's node priority sensitive loss: entities with many relations must be named right first."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.scene.structures import Entities, Pairs


class Priorities(NamedTuple):
    """Of every entity: related entities n, share θ = n / Σ n of its image, focusing exponent γ."""

    degree: Int[Tensor, " entity"]
    theta: Float[Tensor, " entity"]
    gamma: Float[Tensor, " entity"]


def focusing(theta: Float[Tensor, " entity"], largest: float = 2.0, power: float = 5.0) -> Float[Tensor, " entity"]:
    """``γ(θ) = min(2, −(1 − 2θ)⁵ log 2θ)``; θ = 0 → 2, θ = ½ → 0 (oracle I.7)."""
    inner = -((1 - 2 * theta).clamp_min(0) ** power) * torch.log((2 * theta).clamp_min(1e-30))
    return inner.clamp(0, largest)


def priorities(entities: Entities, pairs: Pairs, dtype: torch.dtype = torch.float32) -> Priorities:
    """Count related entities; a pair counts once, whatever its directions and labels.

    An image without relations has θ = 0 everywhere, γ = 2 (in the released code it spoils the whole batch).

    Raises:
        ValueError: pairs have no labels.
    """
    if pairs.labels is None:
        raise ValueError("pairs.labels: found None, expected the predicates of the pairs (training)")
    total = len(entities.boxes)
    low, high = pairs.index[pairs.labels > 0].sort(dim=1).values.unbind(dim=1)
    key = torch.unique((low * total + high)[low != high])
    degree = torch.bincount(torch.cat([key // max(total, 1), key % max(total, 1)]), minlength=total)
    image = entities.image
    amount = torch.zeros(len(entities.counts), dtype=degree.dtype, device=degree.device).index_add(0, image, degree)
    theta = degree.to(dtype) / amount.clamp_min(1)[image].to(dtype)
    return Priorities(degree, theta, focusing(theta))


def node_priority_terms(
    logits: Float[Tensor, "entity class"], labels: Int[Tensor, " entity"], gamma: Float[Tensor, " entity"]
) -> Float[Tensor, " entity"]:
    """``−(1 − p_i)^γ_i log p_i``, p_i the probability of the true class; the factor has no gradient (spec §B.5 (3))."""
    log_p = torch.log_softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
    return -((1 - log_p.detach().exp()).clamp_min(0) ** gamma) * log_p


def node_priority_loss(logits: Float[Tensor, "entity class"], entities: Entities, pairs: Pairs) -> Float[Tensor, ""]:
    """Mean over the batch's entities; background entities count as such. 0 for a batch without entities.

    Raises:
        ValueError: no labels of entities or of pairs.
    """
    if entities.labels is None:
        raise ValueError("entities.labels: found None, expected the true classes (training)")
    gamma = priorities(entities, pairs, logits.dtype).gamma
    return node_priority_terms(logits, entities.labels, gamma).sum() / max(len(logits), 1)
