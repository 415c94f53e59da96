"""Input layer: coordinates on one scale."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class InputNorm(nn.Module):
    """Normalises coordinates (paper section III-B, "Input Layer"); always in float32.

    ``batch``: batch norm with one statistic per entity, joint and channel, in the order (M, V, C); with ``shared`` one
    per joint and channel. ``instance``: each sample over its own time, the paper's words read literally.

    Shapes: (B, C, T, V, M) → (B, M, C, V, T).
    """

    def __init__(self, channels: int, joints: int, entities: int, kind: str, shared: bool) -> None:
        super().__init__()
        self.kind = kind
        self.shared = shared
        self.bn = nn.BatchNorm1d(joints * channels * (1 if shared else entities))

    def forward(
        self, x: Float[Tensor, "batch channel time joint entity"]
    ) -> Float[Tensor, "batch entity channel joint time"]:
        batch, channels, time, joints, entities = x.shape
        with torch.autocast(x.device.type, enabled=False):
            rows = x.to(self.bn.weight.dtype).permute(0, 4, 3, 1, 2)  # B M V C T
            rows = rows.reshape(batch * entities if self.shared else batch, -1, time)
            if self.kind == "instance":
                variance, mean = torch.var_mean(rows, dim=-1, correction=0, keepdim=True)
                rows = (rows - mean) * torch.rsqrt(variance + self.bn.eps)
                rows = rows * self.bn.weight[:, None] + self.bn.bias[:, None]
            else:
                rows = self.bn(rows)
        return rows.reshape(batch, entities, joints, channels, time).transpose(2, 3)
