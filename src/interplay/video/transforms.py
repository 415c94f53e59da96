"""Crop, mirror and resize: one crop for all frames of a clip, and for its boxes (specification §7).

Boxes are x1, y1, x2, y2 as shares of the picture they lie in: of the frame before, of the crop afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

Degenerate = Literal["keep", "full"]
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Of ImageNet's pictures, RGB in [0, 1]."""


@dataclass(frozen=True)
class Crop:
    """A part of every frame, mirrored or not.

    Args:
        left, top, right, bottom: pixels of the frame; right and bottom excluded.
        height, width: of the frame.
        mirrored: left and right change places.
    """

    left: int
    top: int
    right: int
    bottom: int
    height: int
    width: int
    mirrored: bool = False

    def frames(
        self, frames: UInt8[Tensor, "frame height width 3"], height: int, width: int
    ) -> UInt8[Tensor, "frame height_out width_out 3"]:
        """Crop, resize (bilinear, over the area that a pixel stands for) and mirror."""
        part = frames[:, self.top : self.bottom, self.left : self.right]
        if part.shape[1:3] != (height, width):
            planes = functional.interpolate(
                part.permute(0, 3, 1, 2), size=(height, width), mode="bilinear", align_corners=False, antialias=True
            )
            part = planes.permute(0, 2, 3, 1)
        return part.flip(2) if self.mirrored else part

    def boxes(
        self, boxes: Float[Tensor, "*rows 4"], degenerate: Degenerate = "keep", flip_bug: bool = False
    ) -> Float[Tensor, "*rows 4"]:
        """Boxes of the frame as boxes of the crop, cut at its border.

        Args:
            boxes: shares of the frame.
            degenerate: what becomes of a box without an area, mostly one outside the crop: "keep" leaves a line or a
                point on the border (release), "full" makes it the whole crop.
            flip_bug: mirror y as well as x where the crop is mirrored, as the release does by mistake.
        """
        size = boxes.new_tensor([self.width, self.height, self.width, self.height])
        corner = boxes.new_tensor([self.left, self.top, self.left, self.top])
        sides = boxes.new_tensor([self.right - self.left, self.bottom - self.top] * 2)
        inside = ((boxes * size - corner) / sides).clamp(0, 1)
        if self.mirrored:
            x1, y1, x2, y2 = inside.unbind(-1)
            inside = torch.stack([1 - x2, 1 - y2, 1 - x1, 1 - y1] if flip_bug else [1 - x2, y1, 1 - x1, y2], -1)
        if degenerate == "full":
            empty = (inside[..., 2:] - inside[..., :2] <= 0).any(-1, keepdim=True)
            inside = torch.where(empty, inside.new_tensor([0.0, 0.0, 1.0, 1.0]), inside)
        return inside


def largest(height: int, width: int, aspect: float) -> tuple[int, int]:
    """(height, width) of the largest crop of a frame whose width is ``aspect`` times its height.

    Of aspect 1 that is the square of side min(H, W).
    """
    if width >= aspect * height:
        return height, max(1, min(width, round(aspect * height)))
    return max(1, min(height, round(width / aspect))), width


def centre_crop(height: int, width: int, aspect: float = 1.0) -> Crop:
    """The largest crop, in the middle: what resizing the short side and cutting out the centre shows."""
    tall, wide = largest(height, width, aspect)
    top, left = (height - tall) // 2, (width - wide) // 2
    return Crop(left, top, left + wide, top + tall, height, width)


def training_crop(
    height: int,
    width: int,
    draws: torch.Generator,
    *,
    aspect: float = 1.0,
    scales: Sequence[float] = (1.0, 0.9),
    flip: float = 0.5,
) -> Crop:
    """A crop of one of the scales (equal chance) of the largest one, at a uniform place, mirrored by chance.

    The same numbers are drawn whatever the settings, so that switching one off leaves the others as they are.

    Args:
        height, width: of the frame.
        draws: of the clip.
        aspect: width of the crop over its height.
        scales: shares of the largest crop's sides.
        flip: probability that the clip is mirrored; 0 for classes that say left or right.
    """
    chosen, x, y, mirror = torch.rand(4, dtype=torch.float64, generator=draws).tolist()
    scale = scales[min(int(chosen * len(scales)), len(scales) - 1)]
    tall, wide = largest(height, width, aspect)
    tall, wide = max(1, int(scale * tall)), max(1, int(scale * wide))
    top, left = int(y * (height - tall + 1)), int(x * (width - wide + 1))
    return Crop(left, top, left + wide, top + tall, height, width, mirror < flip)


def normalised(frames: UInt8[Tensor, "batch frame height width 3"]) -> Float[Tensor, "batch 3 frame height width"]:
    """RGB bytes as the backbone takes them: (v/255 − mean) / deviation, channels first, float32."""
    mean, deviation = (torch.tensor(values, device=frames.device) for values in (MEAN, DEVIATION))
    scaled = (frames.float() / 255 - mean) / deviation
    return scaled.permute(0, 4, 1, 2, 3).contiguous()
