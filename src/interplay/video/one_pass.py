"""Clips of many stretches of one video, overlapping as they may: every frame is decoded once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from interplay.data.proposals import FrameBoxes
from interplay.data.videos import UInt8Array, VideoSource, read_frames
from interplay.video.preparation import PreparedClip
from interplay.video.transforms import centre_crop

if TYPE_CHECKING:
    from interplay.video.recogniser import VideoRecogniser


@runtime_checkable
class LooksAtFrames(Protocol):
    """Boxes that are detected when somebody asks, and can be shown a frame that is at hand."""

    def look(self, frame: int, picture: UInt8Array) -> None: ...


def clips_of(
    recogniser: VideoRecogniser, name: str, source: VideoSource, boxes: FrameBoxes, stretches: Sequence[tuple[int, int]]
) -> Iterator[tuple[PreparedClip, NDArray[np.int64]]]:
    """The deterministic clip of each stretch, as :meth:`VideoRecogniser.prepared` makes it, and the frames that it
    shows.

    Frames wait cut and resized, and no longer than the last stretch that shows them.

    Args:
        name: of the video; that of a clip has the stretch's first frame behind it.
        boxes: of the video. A detector looks at the frames that clips take boxes of.
        stretches: (start, stop) in frames, ascending; stop excluded.
    """
    preparation = recogniser.preparation
    shown = [start + recogniser.frames_of(name, stop - start, None) for start, stop in stretches]
    last_use = {frame: place for place, indices in enumerate(shown) for frame in indices.tolist()}
    with_boxes = {frame for indices in shown for frame in indices[::2].tolist()}
    wanted = sorted(last_use)
    arriving = zip(wanted, read_frames(source, wanted), strict=True)
    crop = centre_crop(source.height, source.width, preparation.aspect)
    waiting: dict[int, Tensor] = {}
    for place, (indices, (start, _)) in enumerate(zip(shown, stretches, strict=True)):
        while any(frame not in waiting for frame in indices.tolist()):
            frame, picture = next(arriving)
            if frame in with_boxes and isinstance(boxes, LooksAtFrames):
                boxes.look(frame, picture)
            pixels = torch.from_numpy(np.array(picture[None]))  # a copy: no large frame is kept behind a small part
            waiting[frame] = crop.frames(pixels, preparation.height, preparation.width)[0].clone()
        steps = torch.from_numpy(boxes.at(indices[::2].tolist(), preparation.boxes))
        yield (
            PreparedClip(
                f"{name}#{start}",
                -1,
                torch.stack([waiting[frame] for frame in indices.tolist()]),
                crop.boxes(steps, preparation.degenerate, preparation.flip_bug),
            ),
            indices,
        )
        waiting = {frame: pixels for frame, pixels in waiting.items() if last_use[frame] > place}
