"""Small videos that the tests encode: every frame differs from every other, and moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

NOISE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


def moving(frames: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """(frames, height, width, 3): a texture that slides, with a block whose brightness counts."""
    rows, columns = np.arange(height) // 4, np.arange(width) // 4
    made = np.stack([NOISE[(rows[:, None] + t // 3) % 64, (columns + t) % 64] for t in range(frames)])
    made[:, : height // 3, : width // 3] = (np.arange(frames) * 37 % 256)[:, None, None, None]
    return made


def encode(
    path: Path,
    frames: NDArray[np.uint8] | int = 30,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    rotation: int = 0,
) -> Path:
    """Write a video at 12 frames a second."""
    pictures = moving(frames) if isinstance(frames, int) else frames
    with av.open(str(path), "w", options=container or {}) as file:
        stream: Any = file.add_stream(codec, rate=12)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt, stream.options = pixels, {"x264-params": "log-level=none"} | (options or {})
        if codec != "libx264":
            stream.options = options or {}
        if rotation:
            stream.set_display_rotation(rotation)
        for picture in pictures:
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
    return path


def sequential(path: Path) -> NDArray[np.uint8]:
    """Every frame, decoded from first to last by libav as it is."""
    with av.open(str(path)) as file:
        file.streams.video[0].thread_type = "NONE"
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    return np.stack([np.asarray(frame, np.uint8) for frame in frames])


def packets(path: Path) -> list[tuple[int, int]]:
    """Where in the file each packet lies, and how long it is."""
    with av.open(str(path)) as file:
        return [(packet.pos or 0, packet.size) for packet in file.demux(video=0) if packet.size]


def write_frames(folder: Path, frames: NDArray[np.uint8] | int = 6, name: str = "{:05d}.png", first: int = 1) -> Path:
    """A folder of numbered pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = moving(frames) if isinstance(frames, int) else frames
    for number, picture in enumerate(pictures, first):
        Image.fromarray(picture).save(folder / name.format(number))
    return folder
