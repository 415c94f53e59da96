"""Reading 32 frames spread over a video, beside decoding it from beginning to end; on clips encoded here.

``python benchmarks/decode.py`` prints the rows; other scripts call :func:`rows`. Frames a second are frames *of the
clip* over the time to have the 32, so that both count the same work: a reader that has to decode everything gets the
rate of sequential decoding, one that decodes what is needed a higher one. Counting frames and opening files is part of
the time. Processor time of one thread: other processes do not count.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.data.video_clips import encode, write_frames

from interplay.data.video_files import open_video

SAMPLED = 32
SCENES = {
    "Something-style webm": ("webm", "libvpx-vp9", {"g": "128", "cpu-used": "8", "deadline": "realtime"}, 48),
    "mp4, a key frame a second": ("mp4", "libx264", {"g": "30", "preset": "veryfast"}, 300),
    "mp4, one key frame": ("mp4", "libx264", {"g": "100000", "preset": "veryfast"}, 300),
    "avi, key frames only": ("avi", "mjpeg", {}, 300),
}
"""Name → suffix, codec, options, frames."""


def moving(frames: int, width: int = 320, height: int = 240) -> np.ndarray:
    """(frames, height, width, 3): a smooth texture that drifts over itself, about as costly to decode as a scene."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    waves = draw.uniform(0.02, 0.3, (6, 2))
    made = np.empty((frames, height, width, 3), np.uint8)
    for frame in range(frames):
        phases = [np.sin(a * (x + 1.7 * frame) + b * (y - 0.6 * frame)) for a, b in waves]
        mixed = np.stack([phases[c] + phases[c + 3] for c in range(3)], axis=-1) * 50 + 128
        made[frame] = np.clip(mixed + draw.normal(scale=2, size=(height, width, 1)), 0, 255)
    return made


def sequentially(path: Path, wanted: list[int]) -> np.ndarray:
    """Every frame decoded and turned into RGB, as a plain reader does; then 32 of them."""
    with av.open(str(path)) as file:
        file.streams.video[0].thread_type = "NONE"
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    return np.stack([frames[index] for index in wanted])


def sparsely(path: Path, wanted: list[int]) -> np.ndarray:
    source = open_video(path)
    assert source.frame_count > wanted[-1]
    return source.read(wanted)


def _best(reader: Callable[[Path, list[int]], np.ndarray], path: Path, wanted: list[int], seconds: float) -> float:
    """Seconds of the fastest pass, in processor time."""
    best, until, passes = float("inf"), time.perf_counter() + seconds, 0
    while passes < 3 or time.perf_counter() < until:
        start = time.process_time()
        reader(path, wanted)
        best = min(best, time.process_time() - start)
        passes += 1
    return best


def rows(seconds: float = 1.0) -> Iterator[dict[str, object]]:
    """One row per measure: ``name``, ``value``, ``unit`` (and ``ratio``: speed-up over sequential decoding)."""
    with tempfile.TemporaryDirectory() as folder:
        for scene, (suffix, codec, options, length) in SCENES.items():
            pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            path = encode(Path(folder) / f"clip.{suffix}", moving(length), codec, pixels, options)
            wanted = np.linspace(0, length - 1, SAMPLED).astype(int).tolist()
            exact = np.array_equal(sequentially(path, wanted), sparsely(path, wanted))
            assert exact, f"{scene}: other frames than sequential decoding gives"
            plain = _best(sequentially, path, wanted, seconds)
            ours = _best(sparsely, path, wanted, seconds)
            few = _best(sparsely, path, wanted[::4], seconds)
            name = f"decode: {scene}, {length} frames"
            yield {"name": f"{name}, sequential", "value": length / plain, "unit": "frames/s"}
            yield {"name": f"{name}, 32 of them", "value": length / ours, "unit": "frames/s", "ratio": plain / ours}
            yield {"name": f"{name}, 8 of them", "value": length / few, "unit": "frames/s", "ratio": plain / few}
        pictures = write_frames(Path(folder) / "frames", moving(48), "{:05d}.jpg")
        wanted = np.linspace(0, 47, SAMPLED).astype(int).tolist()
        every = _best(sparsely, pictures, list(range(48)), seconds)
        ours = _best(sparsely, pictures, wanted, seconds)
        name = "decode: folder of JPEGs, 48 frames"
        yield {"name": f"{name}, all", "value": 48 / every, "unit": "frames/s"}
        yield {"name": f"{name}, 32 of them", "value": 48 / ours, "unit": "frames/s", "ratio": every / ours}


def main() -> None:
    for row in rows():
        print(f"{row['name']:<75} {row['value']:>9.1f} {row['unit']:<9} {row.get('ratio', '')}")


if __name__ == "__main__":
    main()
