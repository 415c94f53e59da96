"""Per-sample transforms on whole batches: crop, resize along time, rotation, centring, derived streams.

Everything runs on torch tensors of zero-padded clips (batch, time, entity, joint, coordinate) on any device; the
random numbers are arguments, so that who draws them decides about reproducibility.

Source: the pipeline of CTR-GCN that the me-GCN authors use unchanged (random-resized crop in time, one random
rotation per clip, streams derived after both).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interplay.graph.layouts import SkeletonLayout
from interplay.skeleton.inputs import STREAMS, InputSettings

MAXIMUM_ANGLE = 0.3
"""Radians about each axis in training."""


def crop_bounds_test(
    lengths: Int[Tensor, " batch"], share: float = 0.95
) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"]]:
    """Start and length of the centred crop: ``bias = ⌊(1 − share)·n / 2⌋``, frames ``[bias, n − bias)``."""
    bias = ((1.0 - share) * lengths.double() / 2).long()
    return bias, lengths - 2 * bias


def crop_bounds_train(
    lengths: Int[Tensor, " batch"],
    window: int,
    share: Float[Tensor, " batch"],
    start: Float[Tensor, " batch"],
    minimum: float = 0.5,
) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"]]:
    """Start and length of a random crop.

    Args:
        lengths: n, valid frames of each clip.
        window: frames after resizing; a crop is not shorter unless its clip is.
        share: uniform draws in [0, 1); the crop keeps ``p = minimum + (1 − minimum)·share`` of the clip, that is
            ``min(max(⌊n·p⌋, window), n)`` frames (the product in float64).
        start: uniform draws in [0, 1); the crop starts at ``⌊start·(n − length + 1)⌋``.
        minimum: smallest share.
    """
    p = minimum + (1.0 - minimum) * share.double()
    length = (lengths.double() * p).long().clamp_min(window).minimum(lengths)
    room = lengths - length
    begin = (start.double() * (room + 1)).long().clamp_min(0).minimum(room)
    return begin, length


def crop_resize(
    clips: Float[Tensor, "batch time *rest"],
    start: Int[Tensor, " batch"],
    length: Int[Tensor, " batch"],
    window: int,
) -> Float[Tensor, "batch {window} *rest"]:
    """Cuts ``[start, start + length)`` out of each clip and resizes it to ``window`` frames.

    Linear interpolation with half-pixel centres and no antialiasing, the same as
    ``torch.nn.functional.interpolate(mode="linear", align_corners=False)``: frame k reads position
    ``max(0, (k + 1/2)·length/window − 1/2)``. A gather and a lerp for the whole batch.
    """
    scale = (length.to(clips.dtype) / window)[:, None]
    position = ((torch.arange(window, device=clips.device, dtype=clips.dtype) + 0.5) * scale - 0.5).clamp_min(0.0)
    last = (length - 1)[:, None]
    lower = position.long().minimum(last)
    upper = (lower + 1).minimum(last)
    weight = (position - lower).reshape(*position.shape, *[1] * (clips.ndim - 2))
    row = torch.arange(len(clips), device=clips.device)[:, None]
    before, after = clips[row, lower + start[:, None]], clips[row, upper + start[:, None]]
    return (1.0 - weight) * before + weight * after


def rotation(angles: Float[Tensor, "batch 3"]) -> Float[Tensor, "batch 3 3"]:
    """``Rz·Ry·Rx`` from angles (radians) about x, y, z, each factor transposed (so a positive angle turns clockwise).

    The transposed factors are those of the reference pipeline; with symmetric draws the sign is immaterial.
    """
    cosine, sine = angles.cos(), angles.sin()
    zero, one = torch.zeros_like(cosine[:, 0]), torch.ones_like(cosine[:, 0])

    def matrix(*rows: Tensor) -> Tensor:
        return torch.stack(rows, dim=-1).reshape(-1, 3, 3)

    cx, cy, cz = cosine.unbind(1)
    sx, sy, sz = sine.unbind(1)
    about_x = matrix(one, zero, zero, zero, cx, sx, zero, -sx, cx)
    about_y = matrix(cy, zero, -sy, zero, one, zero, sy, zero, cy)
    about_z = matrix(cz, sz, zero, -sz, cz, zero, zero, zero, one)
    return about_z @ about_y @ about_x


def rotate(
    clips: Float[Tensor, "batch time entity joint 3"], matrix: Float[Tensor, "batch 3 3"]
) -> Float[Tensor, "batch time entity joint 3"]:
    """Applies each clip's matrix from the left to the coordinates of all its joints."""
    return torch.einsum("bij,btmvj->btmvi", matrix, clips)


def present(clips: Float[Tensor, "batch time entity joint 3"]) -> Bool[Tensor, "batch time entity"]:
    """Which entity is there in which frame: any coordinate other than zero."""
    return (clips != 0).any(dim=-1).any(dim=-1)


def centre(
    clips: Float[Tensor, "batch time entity joint 3"], layout: SkeletonLayout
) -> Float[Tensor, "batch time entity joint 3"]:
    """Moves the layout's origin joint of entity 0, in the first frame where entity 0 is there, to zero.

    The same point is subtracted from all joints of both entities, so their relative placement stays. An entity that
    is absent in a frame stays at zero. Where entity 0 never appears, entity 1 gives the point.
    """
    there = present(clips)
    entity = (~there[:, :, 0].any(dim=1) & (there.shape[2] > 1)).long()
    row = torch.arange(len(clips), device=clips.device)
    frame = there[row, :, entity].long().argmax(dim=1)
    point = clips[row, frame, entity, layout.origin]
    return (clips - point[:, None, None, None]) * there[..., None, None]


def streams(
    joints: Float[Tensor, "batch time entity joint 3"], names: Sequence[str], layout: SkeletonLayout
) -> Float[Tensor, "batch time entity joint channel"]:
    """Streams side by side in the last dimension, three channels each, in the order of ``names``.

    ``joint``: the coordinates; ``bone``: joint minus its parent (zero for a joint without one); ``motion``: next frame
    minus this one, the last frame zero; ``bone_motion``: motion of the bones.
    """
    parents = torch.tensor([v if p < 0 else p for v, p in enumerate(layout.parents)], device=joints.device)

    def motion(values: Tensor) -> Tensor:
        return torch.cat((values[:, 1:] - values[:, :-1], torch.zeros_like(values[:, :1])), dim=1)

    made = []
    for name in names:
        if name not in STREAMS:
            raise ValueError(f"stream: found {name!r}, expected one of {', '.join(STREAMS)}")
        values = joints - joints[:, :, :, parents] if name.startswith("bone") else joints
        made.append(motion(values) if name.endswith("motion") else values)
    return torch.cat(made, dim=-1)


def to_network(
    values: Float[Tensor, "batch time entity joint channel"],
) -> Float[Tensor, "batch channel time joint entity"]:
    """The order of dimensions that the network takes."""
    return values.permute(0, 4, 1, 3, 2)


def network_input(
    clips: Float[Tensor, "batch frame entity joint 3"],
    lengths: Int[Tensor, " batch"],
    settings: InputSettings,
    names: Sequence[str],
    layout: SkeletonLayout,
    draws: Float[Tensor, "batch 5"] | None = None,
    maximum_angle: float = MAXIMUM_ANGLE,
    shortest: int | None = None,
    smallest: float = 0.5,
) -> Float[Tensor, "batch channel time joint entity"]:
    """From zero-padded clips to the network's input: centre, scale the axes, crop, resize, rotate, derive streams.

    Args:
        clips: float32, zero-padded to one length.
        lengths: valid frames of each, at least 1.
        settings: window, center ("origin" or "none"), axes, crop.
        names: streams to put side by side as channels.
        layout: joints, parents and origin.
        draws: None for testing: the crop in the middle, no rotation. For training, uniform draws in [0, 1) per clip:
            share and start of the crop, then the three angles, mapped to ±``maximum_angle`` radians.
        maximum_angle: of the training rotation.
        shortest: frames that a training crop has at least, unless its clip is shorter; None for ``settings.window``,
            as in the reference pipeline.
        smallest: share of a clip that a training crop keeps at least.
    """
    if settings.center == "origin":
        clips = centre(clips, layout)
    if tuple(settings.axes) != (1.0, 1.0, 1.0):
        clips = clips * clips.new_tensor(settings.axes)
    if draws is None:
        start, length = crop_bounds_test(lengths, settings.crop)
    else:
        start, length = crop_bounds_train(lengths, shortest or settings.window, draws[:, 0], draws[:, 1], smallest)
    clips = crop_resize(clips, start, length, settings.window)
    if draws is not None and maximum_angle > 0:
        clips = rotate(clips, rotation(((2 * draws[:, 2:] - 1) * maximum_angle).to(clips.dtype)))
    return to_network(streams(clips, names, layout))
