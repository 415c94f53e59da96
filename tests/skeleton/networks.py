"""Small networks for tests."""

from __future__ import annotations

from typing import Any

import torch
from tests.skeleton.reference import randomised
from torch import Tensor

from interplay.graph.layouts import SkeletonLayout
from interplay.skeleton.network import MutualExcitationGCN

CHAIN = SkeletonLayout("chain", ("a", "b", "c", "d"), ((0, 1), (2, 1), (3, 2)), (1, -1, 1, 2), center=1, origin=1)
SMALL: dict[str, Any] = {"channels": (8, 16, 24), "depth": (2, 1, 1)}


def small(classes: int = 5, layout: SkeletonLayout = CHAIN, seed: int = 0, **options: Any) -> MutualExcitationGCN:
    """A float64 network on four joints with random weights everywhere."""
    torch.manual_seed(seed)
    network = MutualExcitationGCN(classes, layout, **{**SMALL, **options}).double()
    randomised(network)
    return network


def clips(network: MutualExcitationGCN, batch: int = 3, frames: int = 9, seed: int = 1) -> Tensor:
    shape = (batch, network.in_channels, frames, network.layout.joint_count, 2)
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "mutual off": {"mte": False, "mfe": False},
    "mte only": {"mfe": False},
    "mfe only": {"mte": False},
    "directed, tied": {"mutual": "directed", "tie_entities": True},
    "paper's alpha": {"alpha_on": "static"},
    "one subset, fixed": {"subsets": "uniform", "adaptive": False},
    "identity subsets, single": {"subsets": "identity", "tc": "single"},
    "no temporal convolution": {"tc": "none"},
    "projection": {"mfe_proj": True},
    "second contraction": {"contraction": "second", "mfe_proj": True},
    "instance norm": {"input_norm": "instance", "fusion": "sum"},
    "shared norm": {"input_norm_shared": True},
    "some layers": {"mutual_layers": [1, 3]},
    "early fusion, add": {"early_fusion": "add"},
    "early fusion, channels": {"early_fusion": "concat_channels", "in_channels": 6},
    "early fusion, joints": {"early_fusion": "concat_joints"},
    "four streams": {"in_channels": 12},
    "narrow reduction": {"reduction": 4, "channels": (8, 8, 8)},
}
