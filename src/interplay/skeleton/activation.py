"""How strongly each joint is used by the last layer, before and after the entities exchange information (Fig. 4)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.skeleton.network import MutualExcitationGCN


@torch.no_grad()
def joint_activation(
    network: MutualExcitationGCN, x: Float[Tensor, "batch channel time joint entity"], entity: int = 0
) -> tuple[Float[Tensor, "batch joint"], Float[Tensor, "batch joint"]]:
    """Activation score per joint of one entity: (before FFB, after FFB), each row summing to one.

    The paper defines it as "aggregate and normalise the last me-GC layer's multi-channel adjacency to 1×V". Here:
    Ā = mean over subsets and channels of |A_X| in the last block; s_d = Σ_e Ā[d, e], how strongly joint d is a source
    (Eq. 1 contracts the first joint index; with ``contraction="second"`` the sum runs over the other one); s / Σ s.
    *Before* has β = 0 in that block, *after* is the network as it is. Without mutual excitation both are the same.

    Args:
        network: in evaluation mode.
        x: network input.
        entity: 0 or 1.

    Raises:
        ValueError: the network makes one entity of the two (early fusion): there is nothing to compare.
    """
    if network.early_fusion != "none":
        raise ValueError(f"early fusion {network.early_fusion!r} leaves one entity, joint activation compares two")
    if entity not in (0, 1):
        raise ValueError(f"entity must be 0 or 1, got {entity}")
    last = network.diagnostics(x)[-1]
    target = -1 if network.stack()[-1].convolution.contraction == "first" else -2
    scores = []
    for adjacency in (last.adjacency_before, last.adjacency):
        strength = adjacency[:, entity].abs().mean(dim=(1, 2)).sum(dim=target)
        scores.append(strength / strength.sum(dim=-1, keepdim=True))
    return scores[0], scores[1]
