"""Answer while frames arrive, as from a camera with a skeleton tracker. Memory: the frames of one window.

python examples/stream.py [--model megcn-playground]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import interplay
from interplay.data.playground import long_recording, skeleton_view

ACTS = ("approach", "shake hands", "depart")


def camera() -> Iterator[Any]:
    """Frames (2 people, 25 joints, 3 coordinates in metres), one after the other: put your own source here."""
    yield from skeleton_view(long_recording(seed=7, labels=ACTS)).joints


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="megcn-playground")
    parser.add_argument("--stride", type=float, default=0.5, help="seconds between answers")
    arguments = parser.parse_args()
    stream = interplay.load(arguments.model).stream(frames_per_second=30.0, stride=arguments.stride, top=2)
    print(f"a window of {stream.window} frames, an answer every {stream.stride} frames")
    for frame in camera():
        prediction = stream.update(frame)
        if prediction is not None:
            found = prediction.interactions[0]
            print(f"{found.start:5.1f}–{found.end:4.1f} s  {found.label} {found.score:.2f}")


if __name__ == "__main__":
    main()
