"""A video with what a model said of it: boxes, the boxes that its structure attends to most, and the label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interplay.data.proposals import FrameBoxes, Proposals, grid_proposals
from interplay.data.videos import VideoClip, read_frames
from interplay.interactions import Prediction
from interplay.video.activation import Marked, marked
from interplay.video.one_pass import clips_of
from interplay.video.recogniser import VideoRecogniser
from interplay.video.structure import Structure
from interplay.viz.canvas import Picture
from interplay.viz.videos import Boxes, VideoNotes, save_video

MARKS = 1
"""Boxes marked in each frame."""
_SAME = 0.3
"""Overlap (IoU) from which a box of another frame is taken for the attended one."""


def draw_video(
    recogniser: VideoRecogniser,
    clip: VideoClip,
    prediction: Prediction,
    path: Path,
    boxes: FrameBoxes | None = None,
    kind: Literal["auto", "mp4", "gif"] = "auto",
) -> Path:
    """Write the video with boxes and label; of a long one the boxes attended to in the window around each frame.

    The model looks at some of the frames only; in the others the box that overlaps the attended one of the nearest such
    frame most is marked, where there is one.

    Args:
        prediction: of this clip by this model.
        path: without suffix.
        boxes: those that the prediction was made with; None for the clip's own, or else the grid. Of a detector, a
            frame shows the boxes of the nearest frame that the model took boxes of.
        kind: of file; "auto" is mp4 where PyAV is installed.

    Returns:
        The file written (.mp4, or .gif where PyAV is not installed).
    """
    if boxes is None:
        boxes = grid_proposals(recogniser.preparation.boxes) if clip.proposals is None else clip.proposals
    source, details = clip.source, prediction.details
    structure = details.get("structure")
    notes = VideoNotes(
        prediction.interactions,
        "" if structure is None else "structure: " + " ".join(structure["operations"]),
        source.frame_count,
        source.frames_per_second,
        f"{recogniser.name}; boxes: {boxes.kind}",
    )
    drawn = _frames(recogniser, clip, boxes, windows_of(details, source.frame_count))
    return save_video(drawn, notes, path, kind=kind)


def windows_of(details: Mapping[str, Any], frame_count: int) -> list[tuple[int, int, Structure | None]]:
    """The stretches of a video that a prediction speaks of: (start, stop, structure), in frames."""
    found: Sequence[Mapping[str, Any]] = details.get("windows") or ()
    if not found:
        return [(0, frame_count, _structure(details))]
    rate = float(details["frames_per_second"])
    return [
        (round(one["start"] * rate), min(frame_count, max(round(one["end"] * rate), round(one["start"] * rate) + 1)), s)
        for one in found
        for s in [_structure(one)]
    ]


def _structure(details: Mapping[str, Any]) -> Structure | None:
    found = details.get("structure")
    if found is None:
        return None
    return Structure.from_json({key: found[key] for key in ("space", "supernodes", "operations")})


def _frames(
    recogniser: VideoRecogniser,
    clip: VideoClip,
    boxes: FrameBoxes,
    windows: Sequence[tuple[int, int, Structure | None]],
) -> Iterator[tuple[int, Picture, Boxes, list[int]]]:
    """Every frame with its boxes and the marked ones; the windows are looked at when the first frame needs them, in a
    pass over the video of their own."""
    count = recogniser.preparation.boxes
    middles = np.array([(start + stop - 1) / 2 for start, stop, _ in windows])
    looked = _looked_at(recogniser, clip, boxes, windows)
    place, held = 0, next(looked)
    for number, picture in enumerate(read_frames(clip.source, range(clip.source.frame_count))):
        nearest = int(np.abs(middles - number).argmin())
        while place < nearest:
            place, held = place + 1, next(looked)
        step = int(np.abs(held.frames - number).argmin())
        own = boxes.at([number], count)[0] if isinstance(boxes, Proposals) else held.boxes[step]
        yield number, picture, own, marks_of(held, number, own)


def _looked_at(
    recogniser: VideoRecogniser,
    clip: VideoClip,
    boxes: FrameBoxes,
    windows: Sequence[tuple[int, int, Structure | None]],
) -> Iterator[Marked]:
    """What the model attends to in each window."""
    stretches = [(start, stop) for start, stop, _ in windows]
    prepared = clips_of(recogniser, clip.id, clip.source, boxes, stretches)
    for (one, indices), (_, _, structure) in zip(prepared, windows, strict=True):
        steps = indices[::2]
        taken = boxes.at(steps.tolist(), recogniser.preparation.boxes)
        yield marked(recogniser, one, steps, taken, structure)


def marks_of(found: Marked, number: int, own: Boxes, most: int = MARKS) -> list[int]:
    """Boxes of a frame that stand for the most attended boxes of the nearest frame that the model looked at.

    Args:
        number: of the frame.
        own: (R, 4) its boxes.
    """
    if found.importance is None:
        return []
    step = int(np.abs(found.frames - number).argmin())
    marks: list[int] = []
    for box in np.argsort(-found.importance[step], kind="stable").tolist():
        shared = overlaps(found.boxes[step, box], own)
        best = int(shared.argmax())
        if shared[best] >= _SAME and best not in marks:
            marks.append(best)
        if len(marks) == most:
            break
    return marks


def overlaps(box: Boxes, others: Boxes) -> NDArray[np.float64]:
    """IoU of a box (4,) with others (R, 4); the very same box counts as 1, also where it has no area."""
    box, others = np.asarray(box, np.float64), np.asarray(others, np.float64)
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    found = np.divide(shared, areas - shared, out=np.zeros(len(others)), where=areas > shared)
    return np.where((others == box).all(1), 1.0, found)
