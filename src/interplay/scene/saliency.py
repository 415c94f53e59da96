"""GradCAM: which places of the maps a predicate's score rests on, within the union of subject and object.

Selvaraju et al. 2017, as the SIL paper uses it for its Figs 6 and 8. Knows no model: maps and a score that was computed
from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from interplay.scene.superpixel.references import Size, valid_extent


def union_box(boxes: Float[Tensor, "box 4"]) -> Float[Tensor, "4"]:
    """The smallest box around all of them."""
    return torch.cat((boxes[:, :2].amin(0), boxes[:, 2:].amax(0)))


def gradcam(
    features: Float[Tensor, "channel h w"],
    gradient: Float[Tensor, "channel h w"],
    region: tuple[slice, slice] | None = None,
) -> Float[Tensor, "h w"]:
    """ReLU(Σ_c α_c F_c) with α_c = the mean over the region of ∂score/∂F_c; zero outside the region.

    Args:
        features: F.
        gradient: ∂score/∂F.
        region: rows and columns; None: everything.
    """
    rows, columns = region or (slice(None), slice(None))
    weights = gradient[:, rows, columns].mean((1, 2))
    made = torch.zeros_like(features[0])
    made[rows, columns] = torch.einsum("c,chw->hw", weights, features[:, rows, columns]).clamp_min(0)
    return made


def predicate_saliency(
    features: Mapping[str, Float[Tensor, "1 channel _h _w"]],
    score: Float[Tensor, ""],
    strides: Mapping[str, int],
    size: Size,
    union: Sequence[float] | None = None,
) -> Float[Tensor, "h w"]:
    """GradCAM of a score on the maps it was computed from, summed over the levels of a pyramid.

    Each level's map is brought to the finest level's points bilinearly before the sum; a level that the score does not
    depend on adds nothing. The graph behind the score is kept, so that several scores can be looked at.

    Args:
        features: maps of one picture that require a gradient (``map.requires_grad_()`` before the head runs), also the
            output of SIL.
        score: one predicate's score before softmax.
        strides: pixels per point of the maps to look at.
        size: height and width of the resized, unpadded picture.
        union: x1, y1, x2, y2 of subject and object together, in its pixels; None: the whole picture.

    Returns:
        (h, w) ≥ 0 over the valid region of the finest level.

    Raises:
        ValueError: the score does not depend on any of the maps.
    """
    keys = sorted(strides, key=lambda key: strides[key])
    maps = [features[key] for key in keys]
    gradients: Sequence[Tensor | None] = torch.autograd.grad(score, maps, retain_graph=True, allow_unused=True)
    if all(gradient is None for gradient in gradients):
        raise ValueError(f"score: found no path to the maps {keys}, expected one computed from them with gradients")
    finest = valid_extent(size, strides[keys[0]])
    total = maps[0].new_zeros(finest)
    for key, values, gradient in zip(keys, maps, gradients, strict=True):
        if gradient is None:
            continue
        rows, columns = valid_extent(size, strides[key])
        region = None if union is None else _cells(union, strides[key], (rows, columns))
        found = gradcam(values[0, :, :rows, :columns].detach(), gradient[0, :, :rows, :columns], region)
        total += interpolate(found[None, None], size=finest, mode="bilinear", align_corners=False)[0, 0]
    return total


def _cells(box: Sequence[float], stride: int, extent: Size) -> tuple[slice, slice]:
    """Points whose squares a box touches; at least one."""
    x1, y1, x2, y2 = (float(value) / stride for value in box)
    (top, bottom), (left, right) = (
        (min(max(int(low), 0), points - 1), min(max(int(high), 0), points - 1))
        for low, high, points in ((y1, y2, extent[0]), (x1, x2, extent[1]))
    )
    return slice(top, bottom + 1), slice(left, right + 1)
