"""Early fusion: the two entities become one before the first layer (the comparison of the paper's Table VIII)."""

from __future__ import annotations

from typing import Literal, assert_never

import torch
from jaxtyping import Float
from torch import Tensor

EarlyFusion = Literal["none", "add", "concat_channels", "concat_joints"]


def fuse_entities(
    x: Float[Tensor, "batch channel time joint entity"], how: EarlyFusion
) -> Float[Tensor, "batch fused_channel time fused_joint fused_entity"]:
    """One entity made of both, at the level of the data.

    - ``none``: x as it is.
    - ``add``: the sum of the coordinates, the mirror image of the late sum (the paper defines no formula; its
      explanation, that individual motion is lost, fits this one).
    - ``concat_channels``: both entities' coordinates as channels of the same joint, (B, 2C, T, V, 1).
    - ``concat_joints``: one graph of 2V joints without edges between the skeletons, (B, C, T, 2V, 1).
    """
    match how:
        case "none":
            return x
        case "add":
            return x.sum(dim=-1, keepdim=True)
        case "concat_channels":
            return torch.cat((x[..., :1], x[..., 1:]), dim=1)
        case "concat_joints":
            return torch.cat((x[..., :1], x[..., 1:]), dim=3)
        case _:
            assert_never(how)
