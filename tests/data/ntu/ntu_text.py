"""The ``.skeleton`` text: a plain reader as oracle, and a writer for small made-up recordings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def read_line_by_line(content: bytes) -> tuple[int, list[str], list[int], np.ndarray]:
    """Frames, body ids, frame of each body, joints: what anyone would write first, x y z only."""
    lines = iter(content.decode("ascii").splitlines())
    frames = int(next(lines))
    body_ids, frame_index, joints = [], [], []
    for frame in range(frames):
        for _ in range(int(next(lines))):
            body_ids.append(next(lines).split()[0])
            frame_index.append(frame)
            for _ in range(int(next(lines))):
                values = next(lines).split()
                joints.append([float(value) for value in values[:3]])
    return frames, body_ids, frame_index, np.array(joints, np.float32).reshape(-1, 25, 3)


def read_every_value(content: bytes) -> list[dict[str, object]]:
    """The same, but with all values of the format, as the public readers do."""
    lines = iter(content.decode("ascii").splitlines())
    bodies = []
    for frame in range(int(next(lines))):
        for _ in range(int(next(lines))):
            header = next(lines).split()
            rows = [[float(value) for value in next(lines).split()] for _ in range(int(next(lines)))]
            values = np.array(rows, np.float32)
            bodies.append({"frame": frame, "id": header[0], "state": header[1:], "joints": values[:, :3]})
    return bodies


def write_text(frames: Sequence[Sequence[tuple[str, np.ndarray]]], end: str = "\r\n") -> bytes:
    """A recording from bodies (id, joints (25, 3)) per frame, with 7 significant digits as the sensor's files have."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body_id, joints in bodies:
            lines += [f"{body_id} 0 1 1 1 1 0 0.1365128 -0.2712843 2", "25"]
            for x, y, z in np.asarray(joints, np.float64).tolist():
                lines.append(f"{x:.7g} {y:.7g} {z:.7g} 199.0349 205.935 794.5672 522.3867 -0.3990226 0.5 0.25 0.125 2")
    return (end.join(lines) + end).encode("ascii")
