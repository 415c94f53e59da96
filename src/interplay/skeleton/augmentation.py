"""Optional augmentations of training clips beside the crop and the rotation; all off by default.

The paper uses none of them. Each is a function of uniform draws that the caller makes, as in
:mod:`interplay.skeleton.transforms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interplay.graph.layouts import SkeletonLayout
from interplay.skeleton.transforms import present
from interplay.training.draws import generator

CROP, LEAST = 0.9, 8
"""Share and least number of frames that the view "crops" keeps of a clip."""
DRAWS = 14
"""Uniform draws per clip and epoch: crop (2), rotation (3), mirror (1), scale (1), shear (6), entity swap (1)."""


class Augmentation(NamedTuple):
    """Strengths; see :class:`~interplay.skeleton.datamodule.TrainingInput`."""

    mirror: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    noise: float = 0.0


def mirrored(
    clips: Float[Tensor, "batch time entity joint 3"], layout: SkeletonLayout
) -> Float[Tensor, "batch time entity joint 3"]:
    """The clip seen in a mirror: x is negated and left joints change places with right ones.

    Where the entities themselves are a left and a right one (hands), they change places instead.
    """
    flipped = clips * clips.new_tensor((-1.0, 1.0, 1.0))
    order = list(range(layout.joint_count))
    for left, right in layout.mirror:
        order[left], order[right] = right, left
    flipped = flipped[:, :, :, order]
    return flipped.flip(2) if layout.entity == "hand" else flipped


def views(
    clips: Float[Tensor, "batch time entity joint 3"],
    lengths: Int[Tensor, " batch"],
    names: Sequence[str],
    layout: SkeletonLayout,
) -> list[tuple[Float[Tensor, "batch time entity joint 3"], Int[Tensor, " batch"]]]:
    """The clips as they are, and in every combination of the named changes, each with its lengths in frames.

    Args:
        clips: padded with zeros behind their lengths.
        lengths: of the clips, in frames.
        names: of :data:`~interplay.skeleton.inputs.VIEWS`.
        layout: for the joints that a mirror exchanges.
    """
    made = [(clips, lengths)]
    if "crops" in names:
        shorter = (CROP * lengths.double()).round().long().clamp_min(LEAST).minimum(lengths)
        room = lengths - shorter
        made += [(cut(clips, start, shorter), shorter) for start in (torch.zeros_like(room), room // 2, room)]
    if "entity_swap" in names:
        made += [(each.flip(2), length) for each, length in made]
    if "mirror" in names:
        made += [(mirrored(each, layout), length) for each, length in made]
    return made


def cut(
    clips: Float[Tensor, "batch time entity joint 3"], start: Int[Tensor, " batch"], length: Int[Tensor, " batch"]
) -> Float[Tensor, "batch time entity joint 3"]:
    """Frames ``[start, start + length)`` of each clip, padded with zeros as before."""
    frame = torch.arange(clips.shape[1], device=clips.device)
    source = (start[:, None] + frame).clamp_max(clips.shape[1] - 1)
    kept = clips[torch.arange(len(clips), device=clips.device)[:, None], source]
    return kept * (frame < length[:, None])[:, :, None, None, None]


def swap_entities(
    clips: Float[Tensor, "batch time entity joint 3"], chosen: Bool[Tensor, " batch"]
) -> Float[Tensor, "batch time entity joint 3"]:
    """The two entities of the chosen clips change places."""
    if not bool(chosen.any()):
        return clips
    return torch.where(chosen[:, None, None, None, None], clips.flip(2), clips)


def augment(
    clips: Float[Tensor, "batch time entity joint 3"],
    strength: Augmentation,
    draws: Float[Tensor, "batch draw"],
    lengths: Int[Tensor, " batch"],
    seeds: tuple[int, int, Sequence[int]],
    layout: SkeletonLayout,
) -> Float[Tensor, "batch time entity joint 3"]:
    """Mirror, scale, shear, noise, in this order, on centred clips. An absent entity stays at zero.

    x ← H·(s·x) + ε, with s = 1 + scale·(2u − 1), H = 1 on the diagonal and shear·(2u − 1) beside it, ε ~ N(0, noise²).

    Args:
        clips: zero-padded.
        strength: of each.
        draws: uniform in [0, 1): mirror, scale, six shears; further columns are ignored.
        lengths: valid frames of each clip.
        seeds: (seed, epoch, clip indices) of the noise.
        layout: for the joints that the mirror exchanges.
    """
    if strength.mirror > 0:
        chosen = draws[:, 0] < strength.mirror
        clips = torch.where(chosen[:, None, None, None, None], mirrored(clips, layout), clips)
    if strength.scale > 0:
        size = (1 + strength.scale * (2 * draws[:, 1] - 1)).to(clips.dtype)
        clips = clips * size[:, None, None, None, None]
    if strength.shear > 0:
        matrix = torch.eye(3, dtype=clips.dtype, device=clips.device).repeat(len(clips), 1, 1)
        beside = ~torch.eye(3, dtype=torch.bool, device=clips.device)
        matrix[:, beside] = (strength.shear * (2 * draws[:, 2:8] - 1)).to(clips.dtype)
        clips = torch.einsum("bij,btmvj->btmvi", matrix, clips)
    if strength.noise > 0:
        seed, epoch, indices = seeds
        noise = torch.zeros(clips.shape, dtype=torch.float32)
        for row, frames, index in zip(noise, lengths.tolist(), indices, strict=True):
            # Its own length, not the batch's: a clip's noise must not depend on its neighbours.
            row[:frames] = torch.randn(frames, *row.shape[1:], generator=generator(seed, "noise", epoch, index))
        clips = clips + strength.noise * noise.to(clips) * present(clips)[..., None, None]
    return clips
