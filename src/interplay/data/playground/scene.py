"""What an episode is seen through and what it handles: cameras and rigid objects over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interplay.data.playground.profiles import Array


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that stands still.

    Args:
        position: (3,) in the world, metres.
        rotation: (3, 3); its rows are the camera's axes in the world. As in Kinect's files the axes are
            right-handed: x to the sensor's own left (to the right in its mirrored picture), y up, z away from it.
        focal_length: pixels.
        size: picture width and height in pixels.
    """

    position: Array
    rotation: Array
    focal_length: float = 1050.0
    size: tuple[int, int] = (1920, 1080)

    def view(self, points: Array) -> Array:
        """World points (…, 3) in camera coordinates, metres."""
        return np.asarray((points - self.position) @ self.rotation.T)


def look_at(position: Array, target: Array) -> Camera:
    """A level camera at ``position`` whose z axis points to ``target``."""
    ahead = target - position
    ahead = ahead / np.linalg.norm(ahead)
    left = np.cross(np.array([0.0, 1.0, 0.0]), ahead)
    left /= np.linalg.norm(left)
    return Camera(position, np.stack([left, np.cross(ahead, left), ahead]))


@dataclass(frozen=True, eq=False)
class ObjectTrack:
    """A rigid object over time.

    Args:
        kind: class name.
        size: width, height, depth in metres along its own x, y, z.
        positions: (T, 3), centre in the world.
        orientations: (T, 3, 3), columns are its axes in the world.
        held: (T, 2, 2), share of person p's left and right hand in holding it; for two hands alone (T, 2).
        present: (T,), whether it is in the scene; always true except in a recording of several interactions.
    """

    kind: str
    size: tuple[float, float, float]
    positions: Array
    orientations: Array
    held: Array
    present: NDArray[np.bool_]
