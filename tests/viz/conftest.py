"""Small inputs for pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from interplay.graph.layouts import load_layout


def standing(layout: str, scale: float = 1.0) -> NDArray[np.float64]:
    """A stick figure of a layout: each joint a step away from its parent, left joints to +x, right joints to −x."""
    shape = load_layout(layout)
    up = "xyz".index(shape.up[-1])
    sign = -1.0 if shape.up.startswith("-") else 1.0
    points = np.zeros((shape.joint_count, 3))
    for index, name in enumerate(shape.joints):
        side = 1.0 if "left" in name else -1.0 if "right" in name else 0.0
        height = {"head": 0.8, "nose": 0.8, "knee": -0.45, "ankle": -0.85, "foot": -0.9, "hip": -0.1}
        points[index, 0] = 0.25 * side
        points[index, up] = sign * next((value for part, value in height.items() if part in name), 0.4)
        points[index, 2] += 0.01 * index
    return points * scale


@pytest.fixture(scope="session")
def stand() -> Callable[[str], NDArray[np.float64]]:
    """:func:`standing`."""
    return standing


@pytest.fixture(scope="session")
def clip() -> NDArray[np.float32]:
    """Two NTU-25 people 2 m apart who come together; person 2 is absent in frame 3. (12, 2, 25, 3)."""
    body = standing("ntu25")
    frames = np.zeros((12, 2, 25, 3))
    for frame in range(12):
        for person, side in enumerate((-1.0, 1.0)):
            frames[frame, person] = body + np.array([side * (1.0 - 0.06 * frame), 0.0, 3.0])
    frames[3, 1] = 0.0
    return frames.astype(np.float32)
