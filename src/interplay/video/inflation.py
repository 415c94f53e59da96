"""2-D ResNet-50 weights into the inflated backbone (agos.md §1, A32)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from interplay.data.errors import DataError
from interplay.errors import InterplayError
from interplay.video.backbone import Bottleneck, ConvolutionNorm, InflatedResNet50

Inflate = Literal["centre", "mean"]
NORM = ("weight", "bias", "running_mean", "running_var")


def inflate_kernel(weight: Tensor, frames: int, how: Inflate = "centre") -> Tensor:
    """A 2-D kernel (out, in, h, w) over ``frames`` time planes: in the middle one, or w/frames in each.

    Both answer a clip of equal frames as the 2-D kernel answers the frame, away from the ends of the clip.
    """
    if how == "mean":
        return weight[:, :, None].expand(-1, -1, frames, -1, -1) / frames
    made = weight.new_zeros(*weight.shape[:2], frames, *weight.shape[2:])
    made[:, :, frames // 2] = weight
    return made


def names_of(backbone: InflatedResNet50) -> dict[str, tuple[ConvolutionNorm, str, str]]:
    """torchvision's names: convolution → (our layer, name of the convolution, name of its batch norm)."""
    made = {"conv1": (backbone.stem, "conv1", "bn1")}
    for stage, blocks in enumerate(backbone.stages, start=1):
        assert isinstance(blocks, nn.ModuleList)
        for place, block in enumerate(blocks):
            assert isinstance(block, Bottleneck)
            prefix = f"layer{stage}.{place}"
            for number, layer in enumerate((block.first, block.second, block.third), start=1):
                name = f"{prefix}.conv{number}"
                made[name] = (layer, name, f"{prefix}.bn{number}")
            if block.shortcut is not None:
                name = f"{prefix}.downsample.0"
                made[name] = (block.shortcut, name, f"{prefix}.downsample.1")
    return made


@torch.no_grad()
def load_inflated(
    backbone: InflatedResNet50, state: Mapping[str, Tensor], how: Inflate = "centre", source: str = "state dict"
) -> None:
    """Put a torchvision ResNet's state dict into ``backbone``; batch norms are copied, the classifier is left out.

    Raises:
        DataError: a tensor is missing or has another shape than this backbone needs.
    """

    def take(name: str, expected: tuple[int, ...]) -> Tensor:
        found = state.get(name)
        if not isinstance(found, Tensor):
            raise DataError(source, name, "nothing", f"a tensor of shape {expected}")
        if tuple(found.shape) != expected:
            raise DataError(source, name, f"shape {tuple(found.shape)}", f"{expected}")
        return found

    for layer, convolution, norm in names_of(backbone).values():
        weight = layer.convolution.weight
        outputs, inputs, frames, height, width = weight.shape
        flat = take(f"{convolution}.weight", (outputs, inputs, height, width))
        weight.copy_(inflate_kernel(flat.to(weight.dtype), frames, how))
        for name in NORM:
            own = getattr(layer.norm, name)
            own.copy_(take(f"{norm}.{name}", tuple(own.shape)))


def load_weights(backbone: InflatedResNet50, weights: str, how: Inflate = "centre") -> None:
    """From a name of torchvision ("IMAGENET1K_V1", "IMAGENET1K_V2") or a file (.pth, .safetensors).

    Raises:
        InterplayError: neither a known name nor a file, or a file that cannot be read.
        DataError: what was read does not fit.
    """
    path = Path(weights)
    if path.is_file():
        load_inflated(backbone, read_state(path), how, str(path))
        return
    from torchvision.models import ResNet50_Weights

    known = [entry.name for entry in ResNet50_Weights]
    if weights not in known:
        raise InterplayError(
            f"backbone.weights: found {weights!r}, expected a file, or one of torchvision's {', '.join(known)}"
        )
    state = ResNet50_Weights[weights].get_state_dict(progress=False, check_hash=True)
    load_inflated(backbone, state, how, weights)


def read_state(path: Path) -> Mapping[str, Tensor]:
    """Tensors of a file by name; nothing but tensors and plain values is ever unpickled."""
    import pickle

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found: object = load_file(str(path))
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InterplayError(f"{path}: found no readable weights ({first}), expected a state dict") from None
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping):
        raise InterplayError(f"{path}: found {type(found).__name__}, expected a state dict")
    return {str(name).removeprefix("module."): value for name, value in found.items() if isinstance(value, Tensor)}
