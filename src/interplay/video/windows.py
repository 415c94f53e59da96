"""From one video to a Prediction: a clip is one interaction, a long video is windows, and then intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float

from interplay.data.playground.videos import DrawnVideo
from interplay.data.proposals import FrameBoxes, grid_proposals
from interplay.data.videos import VideoClip
from interplay.errors import InterplayError
from interplay.evaluation.scanning import frame_probabilities, to_intervals, window_starts, with_none
from interplay.interactions import Interaction, Prediction
from interplay.video.network import VideoOutput
from interplay.video.one_pass import clips_of
from interplay.video.preparation import OpenedClip, PreparedClip
from interplay.video.structure import Structure

if TYPE_CHECKING:
    from interplay.video.recogniser import VideoRecogniser

SCAN_ABOVE = 1.5
"""A video this many times longer than the longest training video is scanned with windows."""
TOGETHER = 8
"""Windows that go through the network at a time."""
PROPOSALS = {
    "rpn": "region proposals of a detector",
    "grid": "a fixed grid of boxes instead of region proposals",
    "annotated": "annotated boxes",
    "rendered": "the renderer's boxes",
    "file": "boxes from a file",
}


def predict_clip(
    recogniser: VideoRecogniser,
    clip: VideoClip,
    *,
    proposals: FrameBoxes | Literal["given", "grid"] = "given",
    stride: float | None = None,
    structure: Structure | None = None,
    top: int = 5,
) -> Prediction:
    """Answer one video; see :meth:`VideoRecogniser.predict`."""
    boxes = _boxes(recogniser, clip, proposals)
    source = clip.source
    length, rate, limit = source.frame_count, source.frames_per_second, recogniser.clip_seconds
    notes: list[str] = []
    if not rate:
        notes.append("unknown frame rate: no times in the answer, and the video is taken as one clip")
    seconds = None if not rate else length / rate
    details: dict[str, Any] = {
        "frames": length,
        "frames_per_second": rate,
        "width": source.width,
        "height": source.height,
        "proposals": boxes.kind,
    }
    if not rate or seconds is None or limit is None or seconds <= SCAN_ABOVE * limit[1]:
        opened = OpenedClip(source, boxes)
        indices = recogniser.frames_of(clip.id, length, None)
        output = recogniser.outputs([recogniser.prepared(clip.id, opened, indices)], structure)
        interactions = [answer(recogniser, output.logits.softmax(1)[0].numpy(), 0.0 if rate else None, seconds, top)]
        details["shown"] = indices.tolist()
        if (found := _structures(recogniser, output)) is not None:
            details["structure"] = found[0]
    else:
        window = max(1, min(length, round(limit[0] * rate)))
        step = max(1, round((limit[0] / 4 if stride is None else stride) * rate))
        interactions, details["windows"] = _scan(recogniser, clip, boxes, window, step, rate, structure, top)
        notes.append(f"scanned with windows of {window / rate:.2f} s every {step / rate:.2f} s")
    notes.append(f"proposals: {PROPOSALS[boxes.kind]}")
    if boxes.kind != recogniser.proposals:
        notes[-1] += f"; the model was trained with {PROPOSALS.get(recogniser.proposals, recogniser.proposals)}"
    if replaced := len(source.replaced):
        notes.append(f"{replaced} broken frames were replaced by their neighbours")
    if recogniser.domain and not isinstance(source, DrawnVideo):
        notes.append(f"this model was {recogniser.domain}")
    return Prediction(clip.id, tuple(interactions), recogniser.name, tuple(notes), details)


def answer(
    recogniser: VideoRecogniser,
    probabilities: Float[np.ndarray, " class"],
    start: float | None,
    end: float | None,
    top: int,
) -> Interaction:
    """One Interaction from class probabilities."""
    order = np.argsort(-probabilities, kind="stable")[:top]
    ranked = [(recogniser.classes[index], min(1.0, float(probabilities[index]))) for index in order]
    return Interaction(*ranked[0], start=start, end=end, alternatives=tuple(ranked[1:]))


def _boxes(recogniser: VideoRecogniser, clip: VideoClip, wanted: FrameBoxes | Literal["given", "grid"]) -> FrameBoxes:
    if not isinstance(wanted, str):
        return wanted
    if wanted == "grid" or clip.proposals is None:
        return grid_proposals(recogniser.preparation.boxes)
    return clip.proposals


def _structures(recogniser: VideoRecogniser, output: VideoOutput) -> list[dict[str, Any]] | None:
    """Of each clip: its operations, their code, and how sure each choice is; None for a baseline."""
    if output.choices is None or output.weights is None:
        return None
    shares = output.weights.softmax(-1)
    chosen = shares.gather(2, output.choices[..., None])[..., 0]
    return [
        {**one.to_json(), "code": one.code(), "shares": [round(share, 4) for share in row.tolist()]}
        for one, row in zip(recogniser.network.structures(output.choices), chosen, strict=True)
    ]


def _scan(
    recogniser: VideoRecogniser,
    clip: VideoClip,
    boxes: FrameBoxes,
    window: int,
    step: int,
    rate: float,
    structure: Structure | None,
    top: int,
) -> tuple[list[Interaction], list[Mapping[str, Any]]]:
    """Intervals of a long video, and what was said of each window. The video is decoded once, and no more than a few
    windows are in memory at once."""
    length = clip.source.frame_count
    starts = window_starts(length, window, step)
    stretches = [(start, min(start + window, length)) for start in map(int, starts)]
    rows: list[np.ndarray] = []
    said: list[Mapping[str, Any]] = []
    waiting: list[PreparedClip] = []
    for position, (prepared, _) in enumerate(clips_of(recogniser, clip.id, clip.source, boxes, stretches)):
        waiting.append(prepared)
        if len(waiting) < TOGETHER and position + 1 < len(starts):
            continue
        output = recogniser.outputs(waiting, structure)
        probabilities = output.logits.softmax(1)
        rows.append(probabilities.double().numpy())
        found = _structures(recogniser, output)
        first = position + 1 - len(waiting)
        for place, row in enumerate(probabilities):
            begins = int(starts[first + place])
            best = int(torch.argmax(row))
            one: dict[str, Any] = {
                "start": begins / rate,
                "end": min(begins + window, length) / rate,
                "label": recogniser.classes[best],
                "score": min(1.0, float(row[best])),
            }
            said.append(one if found is None else {**one, "structure": found[place]})
        waiting = []
    extended = with_none(np.concatenate(rows), None)
    per_frame = frame_probabilities(extended, starts, window, length)
    intervals = [
        answer(recogniser, interval.probabilities[:-1], interval.start / rate, interval.end / rate, top)
        for interval in to_intervals(per_frame, shortest=max(1, window // 4))
    ]
    return intervals, said


def read_clip(path: str, frames_per_second: float | None = None) -> VideoClip:
    """A video file or a folder of frames as a clip. InterplayError where it cannot be read."""
    from interplay.data.video_files import open_video

    clip = VideoClip(path, open_video(path, frames_per_second))
    if clip.source.frame_count < 1:
        raise InterplayError(f"{path}: found no frame, expected a video")
    return clip
