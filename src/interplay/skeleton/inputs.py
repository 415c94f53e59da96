"""From clips to the network's input tensor: the one place that training, evaluation and prediction share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.data.clips import SkeletonClip
from interplay.errors import InterplayError
from interplay.graph.layouts import SkeletonLayout

STREAMS = ("joint", "bone", "motion", "bone_motion")
Stream = Literal["joint", "bone", "motion", "bone_motion"]
VIEWS = ("entity_swap", "mirror", "crops")
View = Literal["entity_swap", "mirror", "crops"]


@dataclass(frozen=True)
class InputSettings:
    """How a clip becomes a network's input (specification of me-GCN, §5.1).

    Args:
        window: frames that every clip is resized to along time.
        center: "origin" subtracts the layout's origin joint of the first entity in its first frame from both
            entities, so that their relative placement stays; "none" keeps the recording's frame.
        axes: sign and scale of x, y, z applied after centring; SBU's coordinates, for one, measure each axis in a
            unit of its own.
        crop: share of the clip that testing looks at, in the middle.
        single_actor: what stands in the second slot when there is one entity: zeros, or its duplicate.
        views: what a test clip is also looked at as, beside as it is: with its entities exchanged ("entity_swap"),
            in a mirror ("mirror"), both; without its last tenth, its first, and half a tenth at either end ("crops");
            the probabilities are averaged. For classes that none of them changes. The paper uses none.
    """

    window: int = 64
    center: Literal["origin", "none"] = "origin"
    axes: tuple[float, float, float] = (1.0, 1.0, 1.0)
    crop: float = 0.95
    single_actor: Literal["zeros", "duplicate"] = "zeros"
    views: Sequence[View] = ()

    def __post_init__(self) -> None:
        if self.window < 1:
            raise InterplayError(f"input.window: found {self.window}, expected at least 1 frame")
        if not 0 < self.crop <= 1:
            raise InterplayError(f"input.crop: found {self.crop}, expected a share in (0, 1]")
        for view in self.views:
            if view not in VIEWS:
                raise InterplayError(f"input.views: found {view!r}, expected one of {', '.join(VIEWS)}")
        if len(self.axes) != 3 or not all(math.isfinite(a) and a != 0 for a in self.axes):
            raise InterplayError(f"input.axes: found {self.axes}, expected three finite factors other than 0")

    @property
    def looks(self) -> int:
        """In how many views a test clip is seen."""
        doubled = sum(view != "crops" for view in self.views)
        return (1 << doubled) * (4 if "crops" in self.views else 1)

    def to_dict(self) -> dict[str, Any]:
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> InputSettings:
        known = {field.name for field in fields(cls)}
        if unknown := set(value) - known:
            raise InterplayError(
                f"input settings: unknown key {sorted(unknown)[0]!r} (known: {', '.join(sorted(known))})"
            )
        arguments: dict[str, Any] = {
            key: tuple(item) if isinstance(item, list) else item for key, item in value.items()
        }
        return cls(**arguments)


def two_entities(clip: SkeletonClip, single_actor: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(T, 2, V, 3) from a clip of one or two entities; the caller has chosen two where there are more."""
    joints = clip.joints
    if clip.entities == 1:
        second = joints if single_actor == "duplicate" else np.zeros_like(joints)
        return np.concatenate([joints, second], axis=1)
    if clip.entities != 2:
        raise ValueError(f"clip {clip.id!r} has {clip.entities} entities, expected one or two")
    if single_actor == "duplicate" and not joints[:, 1].any():
        return np.stack([joints[:, 0], joints[:, 0]], axis=1)
    return joints


def pad_clips(
    clips: Sequence[SkeletonClip], settings: InputSettings
) -> tuple[Float[Tensor, "batch time entity joint coordinate"], Int[Tensor, " batch"]]:
    """Zero-padded batch of clips and their lengths in frames."""
    arrays = [two_entities(clip, settings.single_actor) for clip in clips]
    lengths = [max(1, len(array)) for array in arrays]
    batch = np.zeros((len(arrays), max(lengths), *arrays[0].shape[1:]), dtype=np.float32)
    for row, array in zip(batch, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(batch), torch.tensor(lengths, dtype=torch.int64)


def check_clip(clip: SkeletonClip, layout: SkeletonLayout) -> None:
    """InterplayError if a clip cannot be a network's input: other joints, no frames, values that are not finite."""
    if clip.joints.shape[2] != layout.joint_count:
        raise InterplayError(
            f"{clip.id}: found {clip.joints.shape[2]} joints, expected the {layout.joint_count} of {layout.name!r}"
        )
    if clip.frames == 0:
        raise InterplayError(f"{clip.id}: found no frame with a body, expected at least one")
    if not np.isfinite(clip.joints).all():
        frame = int(np.argwhere(~np.isfinite(clip.joints))[0][0])
        raise InterplayError(f"{clip.id}: frame {frame}: found NaN or Inf, expected finite coordinates")
