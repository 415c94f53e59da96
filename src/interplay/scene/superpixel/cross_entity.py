"""Cross-entity interaction: a transformer encoder over the superpixels of one picture (SIL Eqs 7 and 8)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class CrossEntityInteraction(nn.Module):
    """F^CR = Encoder(F^IN): every superpixel attends to every other of its picture.

    Args:
        width: channels of a superpixel.
        layers: layers of the encoder (the paper's L); 2 in the full model.
        heads: attention heads; 8 × 32 at width 256.
        feed_forward: width inside each layer's feed-forward part.
        dropout: of attention, feed-forward and residual branches.
        norm_first: normalise before each sublayer instead of after.
        positions: add Linear(2, width) of the centres' coordinates, as shares of the picture's width and height.

    Shapes: (B, C, width) → (B, C, width).

    Where we differ: Eq. 7 is attention alone; its section 4.3 says a two-layer transformer encoder, whose feed-forward
    width and order of norms it leaves open [spec C.2 rows 13 and 14].
    """

    def __init__(
        self,
        width: int,
        layers: int = 2,
        heads: int = 8,
        feed_forward: int = 1024,
        dropout: float = 0.1,
        *,
        norm_first: bool = False,
        positions: bool = False,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"cei_heads: found {heads}, expected a divisor of the superpixels' width {width}")
        layer = nn.TransformerEncoderLayer(
            width, heads, feed_forward, dropout, activation="relu", batch_first=True, norm_first=norm_first
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        for parameter in self.encoder.parameters():  # the encoder copies one layer: each gets its own start
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        self.position = nn.Linear(2, width) if positions else None

    def forward(
        self,
        superpixels: Float[Tensor, "image centre width"],
        centres: Float[Tensor, "image centre 2"],
        sizes: Float[Tensor, "image 2"],
    ) -> Float[Tensor, "image centre width"]:
        """Attend.

        Args:
            superpixels: F^IN.
            centres: x and y in pixels.
            sizes: height and width of the pictures.
        """
        if self.position is not None:
            superpixels = superpixels + self.position(centres / sizes.flip(1)[:, None])
        encoded: Tensor = self.encoder(superpixels)
        return encoded
