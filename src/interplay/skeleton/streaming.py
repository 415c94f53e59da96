"""Frame by frame, with bounded memory: ``for frame in camera: answer = stream.update(frame)``."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from interplay.data.clips import SkeletonClip
from interplay.errors import InterplayError
from interplay.interactions import Prediction
from interplay.skeleton.prediction import predict_clip

if TYPE_CHECKING:
    from interplay.skeleton.recogniser import SkeletonRecogniser


class Stream:
    """A sliding window over a live recording.

    Every answer equals ``recogniser.predict`` on a clip of the same frames, with start and end counted from the
    stream's first frame. Memory: the frames of one window.

    Args:
        recogniser: the model.
        frames_per_second: of the stream; the model's own rate by default.
        window, stride: seconds; the median training clip and a quarter of it by default.
        layout: of the frames; the model's own by default.
        top: number of labels in each answer.
    """

    def __init__(
        self,
        recogniser: SkeletonRecogniser,
        *,
        frames_per_second: float | None = None,
        window: float | None = None,
        stride: float | None = None,
        layout: str | None = None,
        top: int = 5,
    ) -> None:
        rate = recogniser.frames_per_second if frames_per_second is None else frames_per_second
        if rate is None or not rate > 0:
            raise InterplayError(f"stream: found frames per second {rate}, expected a positive rate")
        if window is None:
            if recogniser.clip_seconds is None:
                raise InterplayError("stream: the model does not know how long its clips are; give window in seconds")
            window = recogniser.clip_seconds[0]
        self.recogniser, self.rate, self.top = recogniser, float(rate), top
        self.layout = recogniser.layout.name if layout is None else layout
        self.window = max(1, round(window * rate))
        self.stride = max(1, round((window / 4 if stride is None else stride) * rate))
        self._frames: deque[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = deque(maxlen=self.window)
        self._seen = 0

    def reset(self) -> None:
        """Forget all frames; the next one is frame 0."""
        self._frames.clear()
        self._seen = 0

    def update(self, frame: ArrayLike) -> Prediction | None:
        """Take one frame (M, V, 3); answer once the window is full, then every ``stride`` frames, else None.

        Raises:
            InterplayError: a frame of another shape than the first; NaN or Inf in it.
        """
        array = np.array(frame, dtype=np.float32)  # a copy: cameras reuse their buffers
        if array.ndim != 3 or array.shape[-1] != 3 or (self._frames and array.shape != self._frames[0].shape):
            expected = self._frames[0].shape if self._frames else "(entity, joint, 3)"
            raise InterplayError(f"stream: frame {self._seen}: found shape {array.shape}, expected {expected}")
        if not np.isfinite(array).all():
            raise InterplayError(f"stream: frame {self._seen}: found NaN or Inf, expected finite coordinates")
        self._frames.append(array)
        self._seen += 1
        if len(self._frames) < self.window or (self._seen - self.window) % self.stride:
            return None
        joints = np.stack(self._frames)
        first = self._seen - self.window
        if not joints.any():
            return None
        return predict_window(self, joints, first)


def predict_window(stream: Stream, joints: Float[np.ndarray, "time entity joint 3"], first: int) -> Prediction:
    """The answer on one window, its times shifted to the stream's clock."""
    from dataclasses import replace

    clip = SkeletonClip(f"frames {first}-{first + len(joints) - 1}", joints, stream.layout, stream.rate)
    prediction = predict_clip(stream.recogniser, clip, stride=None, top=stream.top)
    offset = first / stream.rate
    moved = tuple(
        replace(item, start=offset + (item.start or 0.0), end=offset + (item.end or 0.0))
        for item in prediction.interactions
    )
    return replace(prediction, interactions=moved)
