"""One block of the network: me-GC, temporal convolution, residual."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from interplay.skeleton.graph_convolution import MutualExcitationGraphConvolution


class MutualExcitationBlock(nn.Module):
    """``ReLU(TC(GC(X)) + residual(X))``.

    Shapes: (B, M, Cin, V, T) → (B, M, Cout, V, ⌈T/stride⌉). The stride acts in TC and in the residual only.
    """

    def __init__(
        self,
        convolution: MutualExcitationGraphConvolution,
        temporal: nn.Module,
        residual: nn.Module | None,
    ) -> None:
        super().__init__()
        self.convolution = convolution
        self.temporal = temporal
        self.residual = residual

    def forward(
        self, x: Float[Tensor, "batch entity channel joint time"]
    ) -> Float[Tensor, "batch entity out joint short"]:
        residual = None if self.residual is None else self.residual(x.flatten(0, 1))
        y: Tensor = self.temporal(self.convolution(x).flatten(0, 1), residual)
        return y.reshape(*x.shape[:2], *y.shape[1:])
