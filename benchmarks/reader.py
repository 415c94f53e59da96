"""Reading raw NTU text: the library's reader beside a plain line-by-line one, on one core, in one run.

``python benchmarks/reader.py`` prints the rows; other scripts call :func:`rows`. The text is generated (recordings of
90 frames and two bodies, 7 significant digits and CRLF as in the real files), or that of a folder given as argument.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.data.ntu.ntu_text import read_every_value, read_line_by_line, write_text

from interplay.data.ntu.bodies import collect_bodies, denoise, translate
from interplay.data.ntu.raw import parse_raw


def recordings(count: int = 4, frames: int = 90) -> list[bytes]:
    """Two standing people who sway, as text."""
    draw = np.random.default_rng(0)
    texts = []
    for _ in range(count):
        people = draw.uniform(-0.5, 0.5, (2, 1, 25, 3)) * [0.5, 1.7, 0.3] + [0.0, 0.0, 3.0]
        people[1] += [0.8, 0.0, 0.2]
        sway = draw.normal(scale=0.02, size=(2, frames, 25, 3)).cumsum(axis=1)
        joints = people + sway
        texts.append(
            write_text([[(f"7205759403794473{k}", joints[k, frame]) for k in range(2)] for frame in range(frames)])
        )
    return texts


def _to_clip(text: bytes) -> object:
    return translate(denoise(collect_bodies(parse_raw(text))))


def _best(reader: Callable[[bytes], object], texts: list[bytes], seconds: float) -> float:
    """Seconds per file of the fastest pass, in processor time so that other processes do not count."""
    best, until = float("inf"), time.perf_counter() + seconds
    passes = 0
    while passes < 3 or time.perf_counter() < until:
        start = time.process_time()
        for text in texts:
            reader(text)
        best = min(best, time.process_time() - start)
        passes += 1
    return best / len(texts)


def rows(texts: list[bytes] | None = None, seconds: float = 1.5) -> list[dict[str, object]]:
    """One row per measure: ``name``, ``value``, ``unit``. The ratios hardly depend on the machine; the rest does."""
    texts = recordings() if texts is None else texts
    megabytes = sum(map(len, texts)) / len(texts) / 1e6
    plain = _best(read_line_by_line, texts, seconds)
    every = _best(read_every_value, texts, seconds)
    ours = _best(parse_raw, texts, seconds)
    clip = _best(_to_clip, texts, seconds)
    return [
        {"name": "reader: plain line-by-line, x y z only", "value": 1 / plain, "unit": "files/s"},
        {"name": "reader: plain line-by-line, every value", "value": 1 / every, "unit": "files/s"},
        {"name": "reader: interplay", "value": 1 / ours, "unit": "files/s"},
        {"name": "reader: interplay", "value": megabytes / ours, "unit": "MB/s"},
        {"name": "reader: interplay, text to denoised clip", "value": 1 / clip, "unit": "files/s"},
        {"name": "reader: speed-up over x y z only", "value": plain / ours, "unit": "ratio"},
        {"name": "reader: speed-up over every value", "value": every / ours, "unit": "ratio"},
    ]


def main() -> None:
    texts = None
    if len(sys.argv) > 1:
        texts = [path.read_bytes() for path in sorted(Path(sys.argv[1]).rglob("*.skeleton"))[:20]]
    for row in rows(texts):
        print(f"{row['name']:<45} {row['value']:>9.1f} {row['unit']}")


if __name__ == "__main__":
    main()
