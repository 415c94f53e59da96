"""From one recording to a Prediction: bring it to the model's joints, choose two entities, ask, say what was done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from interplay.data.clips import SkeletonClip
from interplay.data.identities import choose_two, reassign_identities
from interplay.data.recordings import read_recording
from interplay.errors import InterplayError
from interplay.evaluation.scanning import frame_probabilities, to_intervals, window_starts, with_none
from interplay.graph.joint_map import map_joints
from interplay.graph.layouts import SkeletonLayout, load_layout
from interplay.interactions import NONE_OF_THE_KNOWN, Interaction, Prediction

if TYPE_CHECKING:
    from interplay.skeleton.recogniser import SkeletonRecogniser

SCAN_ABOVE = 1.25
"""A recording this many times longer than the longest training clip is scanned with windows."""


def prepare_clip(recogniser: SkeletonRecogniser, clip: SkeletonClip) -> tuple[SkeletonClip, list[str]]:
    """The clip as the model wants it (its joints, at most two entities, identities kept over time), and notes.

    Raises:
        InterplayError: no frame with a body, values that are not finite, or joints that cannot be mapped.
    """
    notes: list[str] = []
    if clip.frames == 0 or not clip.joints.any():
        raise InterplayError(f"{clip.id}: found no frame with a body, expected at least one")
    if not np.isfinite(clip.joints).all():
        frame = int(np.argwhere(~np.isfinite(clip.joints))[0][0])
        raise InterplayError(f"{clip.id}: frame {frame}: found NaN or Inf, expected finite coordinates")
    clip, chosen = choose_two(clip)
    notes += chosen
    clip, reassigned = reassign_identities(clip)
    notes += reassigned
    source = load_layout(clip.layout)
    if source != recogniser.layout:
        clip = replace(clip, joints=map_joints(clip.joints, source, recogniser.layout), layout=recogniser.layout.name)
        notes.append(f"joints mapped from {source.name} to {recogniser.layout.name}")
    if clip.entities == 1 or not clip.joints[:, 1].any():
        notes.append(f"one {recogniser.entity_names[0]} only: an answer about two rests on one")
    if "playground" in recogniser.domain and clip.meta.get("source") != "playground":
        notes.append(
            "this model was trained on the simulated playground only; its answers on recordings are not to be relied "
            "on (train on recordings: interplay list recipes)"
        )
    return clip, notes


def answer(
    recogniser: SkeletonRecogniser,
    probabilities: Float[np.ndarray, " class"],
    start: float | None,
    end: float | None,
    top: int,
    known: bool | None = None,
) -> Interaction:
    """One Interaction from class probabilities.

    Below the model's threshold (or where ``known`` is False) the label is "none of the known interactions"; its
    score is then what the best known class leaves, 1 − max p, and the alternatives are the known classes.
    """
    order = np.argsort(-probabilities, kind="stable")
    best = float(probabilities[order[0]])
    if known is None:
        known = recogniser.unknown_threshold is None or best >= recogniser.unknown_threshold
    ranked = [(recogniser.classes[index], min(1.0, float(probabilities[index]))) for index in order[:top]]
    if known:
        return Interaction(*ranked[0], start=start, end=end, alternatives=tuple(ranked[1:]))
    return Interaction(NONE_OF_THE_KNOWN, max(0.0, 1.0 - best), start=start, end=end, alternatives=tuple(ranked))


def predict_clip(
    recogniser: SkeletonRecogniser, clip: SkeletonClip, *, stride: float | None = None, top: int = 5
) -> Prediction:
    """Answer one clip; see :meth:`SkeletonRecogniser.predict`."""
    prepared, notes = prepare_clip(recogniser, clip)
    rate = prepared.frames_per_second
    if rate is None:
        notes.append("unknown frame rate: no times in the answer, and the recording is taken as one clip")
    seconds = None if rate is None else prepared.frames / rate
    limit = recogniser.clip_seconds
    if rate is None or seconds is None or limit is None or seconds <= SCAN_ABOVE * limit[1]:
        interactions = [
            answer(recogniser, recogniser.probabilities([prepared])[0], None if rate is None else 0.0, seconds, top)
        ]
    else:
        window = max(1, round(limit[0] * rate))
        step = max(1, round((limit[0] / 4 if stride is None else stride) * rate))
        interactions = scan(recogniser, prepared, window, step, rate, top)
        notes.append(f"scanned with windows of {window / rate:.2f} s every {step / rate:.2f} s")
    return Prediction(
        clip.id,
        tuple(interactions),
        recogniser.name,
        tuple(notes),
        {"entities": list(recogniser.entity_names), "frames": prepared.frames, "frames_per_second": rate},
    )


def scan(
    recogniser: SkeletonRecogniser, clip: SkeletonClip, window: int, stride: int, rate: float, top: int
) -> list[Interaction]:
    """Intervals of a long recording; windows without a body in them are none of the known."""
    starts = window_starts(clip.frames, window, stride)
    seen = np.array([bool(clip.joints[start : start + window].any()) for start in starts])
    windows = (
        replace(clip, joints=clip.joints[start : start + window])
        for start, filled in zip(starts, seen, strict=True)
        if filled
    )
    probabilities = np.full((len(starts), len(recogniser.classes)), 0.0)
    probabilities[seen] = recogniser.probabilities(windows)
    extended = with_none(probabilities, recogniser.unknown_threshold)
    frames = frame_probabilities(extended, starts, window, clip.frames)
    found = []
    for interval in to_intervals(frames, shortest=max(1, window // 4)):
        start, end = interval.start / rate, interval.end / rate
        known = interval.label >= 0
        # The score of a known interaction is its own mean probability; of none of the known, that of its column.
        shares = np.array(interval.probabilities[:-1])
        item = answer(recogniser, shares, start, end, top, known)
        found.append(item if known else replace(item, score=float(min(1.0, interval.probabilities[-1]))))
    return found


def predict_file(
    recogniser: SkeletonRecogniser,
    path: str | Path,
    *,
    layout: str | Path | SkeletonLayout | None = None,
    frames_per_second: float | None = None,
    stride: float | None = None,
    top: int = 5,
) -> list[Prediction]:
    """Answer every clip of a file (a packed file holds many)."""
    clips = read_recording(path, layout=layout, frames_per_second=frames_per_second)
    return [predict_clip(recogniser, clip, stride=stride, top=top) for clip in clips]


def predict_one(
    recogniser: SkeletonRecogniser,
    recording: SkeletonClip | str | Path,
    *,
    layout: str | Path | SkeletonLayout | None = None,
    frames_per_second: float | None = None,
    stride: float | None = None,
    top: int = 5,
) -> Prediction:
    """Answer a clip, or a file that holds exactly one."""
    if isinstance(recording, SkeletonClip):
        return predict_clip(recogniser, recording, stride=stride, top=top)
    predictions = predict_file(
        recogniser, recording, layout=layout, frames_per_second=frames_per_second, stride=stride, top=top
    )
    if len(predictions) != 1:
        raise InterplayError(
            f"{recording}: found {len(predictions)} clips, expected one; use interplay.skeleton.prediction.predict_file"
        )
    return replace(predictions[0], input=str(recording))
