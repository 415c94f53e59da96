"""Time per frame of a live stream, against the 33 ms that 30 frames per second leave."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import interplay
from interplay.data.playground import simulate, skeleton_view


def rows() -> Iterator[dict[str, Any]]:
    """Per model: the mean over all frames, and the median of those frames that are answered.

    Milliseconds, no ratio: there is nothing in the same run to compare them with.
    """
    for name in ("megcn-playground",):
        model = interplay.load(name)
        clip = skeleton_view(simulate("shake hands", 123_456))
        stream = model.stream(frames_per_second=30.0)
        for frame in clip.joints:  # the first answers also load what they need
            stream.update(frame)
        spent, answered = [], []
        for _ in range(6):
            for frame in clip.joints:
                began = time.perf_counter()
                answer = stream.update(frame)
                seconds = time.perf_counter() - began
                spent.append(seconds)
                if answer is not None:
                    answered.append(seconds)
        mean, median = statistics.fmean(spent), statistics.median(answered)
        yield {"name": f"{name}: mean of all frames", "value": 1e3 * mean, "unit": "ms"}
        yield {"name": f"{name}: median of answers", "value": 1e3 * median, "unit": "ms"}
