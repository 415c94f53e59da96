"""Adjacency matrices of a skeleton: the static start of every graph convolution."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.graph.layouts import SkeletonLayout

Subsets = Literal["spatial", "uniform", "identity"]


def inward_adjacency(layout: SkeletonLayout) -> Float[Tensor, "joint joint"]:
    """E_in[j, i] = 1 for each inward edge i → j (i is the child, j lies nearer to the centre)."""
    inward = torch.zeros(layout.joint_count, layout.joint_count)
    for child, parent in layout.edges:
        inward[parent, child] = 1.0
    return inward


def column_normalised(matrix: Float[Tensor, "joint joint"]) -> Float[Tensor, "joint joint"]:
    """A·D⁻¹ with D the column sums; a column of zeros stays zero (an isolated joint has no neighbours)."""
    columns = matrix.sum(dim=0)
    return matrix * torch.where(columns > 0, 1.0 / columns.clamp(min=1e-12), torch.zeros_like(columns))


def adjacency_subsets(layout: SkeletonLayout, subsets: Subsets = "spatial") -> Float[Tensor, "subset joint joint"]:
    """The static adjacency, one matrix per subset.

    - ``spatial``: self, inward, outward: ``I``, ``E_in·D⁻¹``, ``E_out·D⁻¹`` (S = 3; CTR-GCN and the authors' release).
    - ``uniform``: ``(I + E_in + E_out)·D⁻¹`` (S = 1; the paper's "single channel adjacency matrix").
    - ``identity``: three identities, meant to be learnt (S = 3; a variant of the authors' release).

    With the contraction of the paper's Eq. 1 over the first index, each output joint is the average of its sources.
    """
    inward = inward_adjacency(layout)
    identity = torch.eye(layout.joint_count)
    if subsets == "spatial":
        return torch.stack((identity, column_normalised(inward), column_normalised(inward.T)))
    if subsets == "uniform":
        return column_normalised(identity + inward + inward.T)[None]
    if subsets == "identity":
        return identity.repeat(3, 1, 1)
    raise ValueError(f"subsets: found {subsets!r}, expected 'spatial', 'uniform' or 'identity'")


def block_diagonal(
    matrices: Float[Tensor, "subset joint joint"], copies: int
) -> Float[Tensor, "subset all_joints all_joints"]:
    """Several skeletons side by side in one graph with no edge between them (early fusion over joints)."""
    return torch.stack([torch.kron(torch.eye(copies), matrix) for matrix in matrices])
