"""``interplay predict`` for videos: what happens in a clip, or when what happens in a long video."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from interplay.errors import InterplayError
from interplay.video.recogniser import VideoRecogniser
from interplay.video.windows import read_clip

if TYPE_CHECKING:
    from interplay.data.proposals import FrameBoxes
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
    detector = _detector(arguments.proposals, recogniser)
    places = {} if arguments.draw is None else drawing_places(arguments.inputs, arguments.draw)
    lines: list[str] = []
    bad = 0
    for name in arguments.inputs:
        try:
            clip = read_clip(name, arguments.fps)
            boxes: FrameBoxes | Literal["grid"] = "grid" if detector is None else detector.on(clip.source)
            prediction = recogniser.predict(clip, proposals=boxes, stride=arguments.stride, top=arguments.top or 3)
            lines.append(prediction.to_json())
            print(lines[-1] if arguments.json == "-" else describe(prediction), flush=True)
            if name in places:
                print(f"drawn: {_draw(recogniser, clip, prediction, boxes, places[name])}", file=sys.stderr)
        except (InterplayError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            bad += 1
            print(f"interplay: error: {' '.join(str(error).split())}", file=sys.stderr)
    if arguments.json not in (None, "-"):
        Path(arguments.json).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return 0 if not bad else (1 if lines else 2)


def drawing_places(names: Sequence[str], folder: Path) -> dict[str, Path]:
    """Input → its drawing without suffix, none of them another's and none an input: ``a.mp4`` beside ``a.mkv`` are
    drawn as ``a_mp4`` and ``a_mkv``, and an input that lies in the folder itself as ``a_drawn``."""
    stems = {name: str(Path(name).with_suffix("")).strip("/.").replace("/", "_") or "video" for name in names}
    inputs = {Path(name).resolve() for name in names}
    taken: set[str] = set()
    found: dict[str, Path] = {}
    for name, stem in stems.items():
        if list(stems.values()).count(stem) > 1:
            stem += Path(name).suffix.replace(".", "_")
        if any((folder / f"{stem}{suffix}").resolve() in inputs for suffix in (".mp4", ".gif")):
            stem += "_drawn"
        number, free = 2, stem
        while free in taken:
            number, free = number + 1, f"{stem}_{number}"
        taken.add(free)
        found[name] = folder / free
    return found


def _detector(wanted: str | None, recogniser: VideoRecogniser) -> ProposalNetwork | None:
    """What makes boxes: nothing (the grid), or a detector by the name or the file of its weights."""
    if wanted in (None, "grid"):
        return None
    from interplay.video.proposal_network import ProposalNetwork, ProposalSettings

    weights = "COCO_V1" if wanted == "rpn" else str(wanted)
    network = ProposalNetwork(ProposalSettings(weights, boxes=recogniser.preparation.boxes))
    return network.to(next(recogniser.parameters()).device)


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
    recogniser: VideoRecogniser,
    clip: VideoClip,
    prediction: Prediction,
    boxes: FrameBoxes | Literal["grid"],
    stem: Path,
) -> Path:
    from interplay.data.proposals import grid_proposals
    from interplay.studies.video_drawing import draw_video

    drawn = grid_proposals(recogniser.preparation.boxes) if boxes == "grid" else boxes
    return draw_video(recogniser, clip, prediction, stem, drawn)
