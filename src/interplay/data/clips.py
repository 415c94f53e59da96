"""The typed sample that every skeleton reader yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SkeletonClip:
    """Two (or one, or more) skeletons over time.

    Args:
        id: name of the sample, unique in its data set.
        joints: float32 (T, M, V, 3); frame, entity, joint, xyz. An entity that is absent in a frame is all zeros
            there. The unit and the axes are those of the data set (NTU: metres, y up, z away from the camera).
        layout: name of the joint layout (see ``interplay.graph.layouts``) or path of a layout YAML.
        frames_per_second: of the recording; None if unknown.
        label: class index in its data set, or None.
        meta: what splits and folds need (subject, camera, setup, fold, …).
    """

    id: str
    joints: NDArray[np.float32]
    layout: str
    frames_per_second: float | None
    label: int | None = None
    meta: Mapping[str, int | float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.joints.ndim != 4 or self.joints.shape[-1] != 3:
            raise ValueError(f"joints must be (time, entity, joint, 3), got {self.joints.shape}")
        if self.joints.dtype != np.float32:
            raise ValueError(f"joints must be float32, got {self.joints.dtype}")

    @property
    def frames(self) -> int:
        return int(self.joints.shape[0])

    @property
    def entities(self) -> int:
        return int(self.joints.shape[1])
