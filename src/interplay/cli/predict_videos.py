"""``interplay predict`` for videos: what happens in a clip, or when what happens in a long video."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from interplay.errors import InterplayError
from interplay.video.recogniser import VideoRecogniser
from interplay.video.windows import read_clip

if TYPE_CHECKING:
    from interplay.data.proposals import Proposals
    from interplay.data.videos import VideoClip
    from interplay.interactions import Prediction
    from interplay.loading import Recogniser
    from interplay.video.proposal_network import ProposalNetwork


def answer_videos(recogniser: Recogniser, arguments: argparse.Namespace) -> int:
    """Answer every video; the bad ones are named on standard error. Exit code 0, 1 (some bad) or 2 (all bad)."""
    assert isinstance(recogniser, VideoRecogniser)
    for option in ("layout", "graphml"):
        if getattr(arguments, option) is not None:
            raise InterplayError(f"--{option}: {recogniser.name} takes videos, expected it with another kind of model")
    detector = _detector(arguments.proposals, recogniser, arguments.device)
    lines: list[str] = []
    bad = 0
    for name in arguments.inputs:
        try:
            clip = read_clip(name, arguments.fps)
            boxes: Proposals | Literal["grid"] = "grid" if detector is None else detector.of(clip.source)
            prediction = recogniser.predict(clip, proposals=boxes, stride=arguments.stride, top=arguments.top or 3)
        except (InterplayError, OSError) as error:
            bad += 1
            print(f"interplay: error: {' '.join(str(error).split())}", file=sys.stderr)
            continue
        lines.append(prediction.to_json())
        print(lines[-1] if arguments.json == "-" else describe(prediction), flush=True)
        if arguments.draw is not None:
            stem = str(Path(name).with_suffix("")).strip("/.").replace("/", "_")
            print(f"drawn: {_draw(recogniser, clip, prediction, boxes, arguments.draw / stem)}", file=sys.stderr)
    if arguments.json not in (None, "-"):
        Path(arguments.json).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return 0 if not bad else (1 if lines else 2)


def _detector(wanted: str | None, recogniser: VideoRecogniser, device: str) -> ProposalNetwork | None:
    """What makes boxes: nothing (the grid), or a detector by the name or the file of its weights."""
    if wanted in (None, "grid"):
        return None
    from interplay.video.proposal_network import ProposalNetwork, ProposalSettings

    weights = "COCO_V1" if wanted == "rpn" else str(wanted)
    return ProposalNetwork(ProposalSettings(weights, boxes=recogniser.preparation.boxes)).to(device)


def describe(prediction: Prediction) -> str:
    """A line per interaction, runners-up behind it; the structure; notes below."""
    lines = [prediction.input]
    for item in prediction.interactions:
        when = "" if item.start is None or item.end is None else f"{item.start:7.2f} – {item.end:6.2f} s  "
        others = ", ".join(f"{label} {score:.2f}" for label, score in item.alternatives)
        lines.append(f"  {when}{item.label} {item.score:.2f}" + (f"   ({others})" if others else ""))
    structure = prediction.details.get("structure")
    if structure is not None:
        lines.append(f"  structure {structure['code']}: {' '.join(structure['operations'])}")
    lines += [f"  note: {note}" for note in prediction.notes]
    return "\n".join(lines)


def _draw(
    recogniser: VideoRecogniser, clip: VideoClip, prediction: Prediction, boxes: Proposals | Literal["grid"], stem: Path
) -> Path:
    from interplay.data.proposals import grid_proposals
    from interplay.studies.video_drawing import draw_video

    drawn = grid_proposals(recogniser.preparation.boxes) if boxes == "grid" else boxes
    return draw_video(recogniser, clip, prediction, stem, drawn)
