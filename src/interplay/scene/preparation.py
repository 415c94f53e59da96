"""From annotated pictures to a batch that a detector takes (spec A.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from interplay.data.scenes import SceneImage

Channels = Literal["bgr", "rgb"]
"""``bgr``: 0…255 minus the mean of the Caffe-style ImageNet weights; ``rgb``: 0…1, torchvision's mean and deviation."""
BGR_MEAN = (102.9801, 115.9465, 122.7717)
RGB_MEAN, RGB_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False)
class SceneTarget:
    """What is true of one resized picture.

    Args:
        boxes: (N, 4) pixels of the resized picture, last one included.
        labels: (N,) classes ≥ 1.
        relations: (Q, 3) rows (subject, object, predicate); predicate −1 = left out of the loss (resampling).
    """

    boxes: Float[Tensor, "entity 4"]
    labels: Int[Tensor, " entity"]
    relations: Int[Tensor, "relation 3"]

    def to(self, device: torch.device | str) -> SceneTarget:
        return SceneTarget(self.boxes.to(device), self.labels.to(device), self.relations.to(device))


@dataclass(frozen=True, eq=False)
class PreparedScene:
    """One picture, resized and normalised.

    Args:
        id: of the picture.
        pixels: (3, H, W) float32, or None where only annotations are used.
        size: (W, H) of the resized picture.
        scale: resized side / annotated side, horizontally and vertically.
        target: what is true of it.
    """

    id: str
    pixels: Float[Tensor, "3 height width"] | None
    size: tuple[int, int]
    scale: tuple[float, float]
    target: SceneTarget


@dataclass(frozen=True, eq=False)
class SceneBatch:
    """Pictures of one batch, padded with zeros on the right and at the bottom to a common size.

    Args:
        ids: of the pictures.
        pixels: (B, 3, H, W), or None where only annotations are used.
        sizes: (B, 2) width and height of each resized, unpadded picture.
        scales: (B, 2) resized side / annotated side.
        targets: what is true of each.
    """

    ids: tuple[str, ...]
    pixels: Float[Tensor, "image 3 height width"] | None
    sizes: Float[Tensor, "image 2"]
    scales: Float[Tensor, "image 2"]
    targets: tuple[SceneTarget, ...]

    def to(self, device: torch.device | str) -> SceneBatch:
        pixels = None if self.pixels is None else self.pixels.to(device)
        targets = tuple(target.to(device) for target in self.targets)
        return SceneBatch(self.ids, pixels, self.sizes.to(device), self.scales.to(device), targets)


def resized_size(width: int, height: int, short: int = 600, long: int = 1000) -> tuple[int, int]:
    """(width, height) with the short side at ``short`` unless the long one would exceed ``long``; sides are cut off
    to whole pixels as in the public code, so the long side may be a pixel below its exact length."""
    low, high = sorted((width, height))
    if high / low * short > long:
        short = round(long * low / high)
    other = int(short * high / low)
    if short == 0:  # hardly a picture: more than 2000 : 1
        short, other = 1, long
    return (short, other) if width < height else (other, short)


class ScenePreparation:
    """Resize, flip, normalise.

    Args:
        short, long: sides of the resized picture, pixels.
        channels: order, range and mean that the detector's weights expect.
        flip: probability of mirroring a picture left to right, in training. Leave it at 0 where a predicate says left
            or right.
        with_pixels: False leaves pictures on disk unread (the geometry setting).
    """

    def __init__(
        self,
        short: int = 600,
        long: int = 1000,
        channels: Channels = "bgr",
        flip: float = 0.0,
        with_pixels: bool = True,
    ) -> None:
        if not 1 <= short <= long:
            raise ValueError(f"short, long: found {short}, {long}, expected 1 ≤ short ≤ long")
        if not 0.0 <= flip <= 1.0:
            raise ValueError(f"flip: found {flip}, expected a probability")
        if channels not in ("bgr", "rgb"):
            raise ValueError(f"channels: found {channels!r}, expected 'bgr' or 'rgb'")
        self.short, self.long, self.channels, self.flip, self.with_pixels = short, long, channels, flip, with_pixels

    def __call__(self, image: SceneImage, generator: torch.Generator | None = None) -> PreparedScene:
        """Prepare one picture; without a generator it is never mirrored. DataError if the picture cannot be read."""
        width, height = resized_size(image.width, image.height, self.short, self.long)
        scale = (width / image.width, height / image.height)
        boxes = torch.from_numpy(image.boxes * np.array(scale * 2, dtype=np.float32))
        mirrored = generator is not None and self.flip > 0 and float(torch.rand((), generator=generator)) < self.flip
        pixels = None
        if self.with_pixels:
            resized = resize(image.pixels(), width, height)
            pixels = normalise(np.ascontiguousarray(resized[:, ::-1]) if mirrored else resized, self.channels)
        if mirrored:
            boxes = mirror(boxes, width)
        target = SceneTarget(boxes, torch.from_numpy(image.labels), torch.from_numpy(image.relations))
        return PreparedScene(image.id, pixels, (width, height), scale, target)


def resize(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Bilinear, each output pixel averaging the area it stands for."""
    if picture.shape[:2] == (height, width):
        return picture
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.uint8)


def normalise(picture: NDArray[np.uint8], channels: Channels) -> Float[Tensor, "3 height width"]:
    """(H, W, 3) RGB bytes → (3, H, W) float32 as :data:`Channels` says."""
    tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float()
    if channels == "bgr":
        return tensor.flip(0) - tensor.new_tensor(BGR_MEAN)[:, None, None]
    mean, deviation = tensor.new_tensor(RGB_MEAN), tensor.new_tensor(RGB_DEVIATION)
    return (tensor / 255 - mean[:, None, None]) / deviation[:, None, None]


def mirror(boxes: Float[Tensor, "n 4"], width: int) -> Float[Tensor, "n 4"]:
    """Boxes of the picture mirrored left to right: x → width − 1 − x, corners exchanged."""
    x1, y1, x2, y2 = boxes.unbind(1)
    return torch.stack([width - 1 - x2, y1, width - 1 - x1, y2], dim=1)


def collate(scenes: Sequence[PreparedScene], divisor: int = 32) -> SceneBatch:
    """Pad to the largest height and width, rounded up to a multiple of ``divisor``."""
    sizes = torch.tensor([scene.size for scene in scenes], dtype=torch.float32)
    scales = torch.tensor([scene.scale for scene in scenes], dtype=torch.float32)
    pixels, given = None, [scene.pixels for scene in scenes if scene.pixels is not None]
    if given:
        height, width = (-(-max(one.shape[axis] for one in given) // divisor) * divisor for axis in (1, 2))
        padded = [functional.pad(one, (0, width - one.shape[2], 0, height - one.shape[1])) for one in given]
        pixels = torch.stack(padded)
    return SceneBatch(
        tuple(scene.id for scene in scenes), pixels, sizes, scales, tuple(scene.target for scene in scenes)
    )
