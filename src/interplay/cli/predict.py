"""``interplay predict MODEL INPUT…``: named interactions, for people, for machines, and drawn."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from interplay.errors import InterplayError

if TYPE_CHECKING:
    from interplay.interactions import Prediction
    from interplay.skeleton.recogniser import SkeletonRecogniser


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="interplay predict", description="Name the interactions in files.", allow_abbrev=False
    )
    made.add_argument("model", help="a shipped name (interplay list models), a model folder, or a hub id")
    made.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="recordings (docs/data.md), pictures or videos, as the model asks"
    )
    made.add_argument("--json", metavar="FILE", help="write one Prediction a line as JSON; - for standard output")
    made.add_argument(
        "--draw",
        metavar="DIR",
        type=Path,
        help="write an animated skeleton, a picture with boxes and arrows, or a video with boxes and labels, per input",
    )
    made.add_argument("--layout", help="joint layout of the files, where the format does not say (name or YAML)")
    made.add_argument("--fps", type=float, help="frames per second of the files, where the format does not say")
    made.add_argument("--stride", type=float, help="seconds between windows on long recordings (a quarter window)")
    made.add_argument("--top", type=int, help="labels per answer, runners-up included (3); triplets per picture (20)")
    made.add_argument("--least", type=float, default=0.0, help="of pictures: leave out triplets scored below (0)")
    made.add_argument(
        "--proposals",
        metavar="WHAT",
        help="boxes in videos: grid (default), rpn (torchvision's detector, downloaded) or a file with its weights",
    )
    made.add_argument("--graphml", metavar="DIR", type=Path, help="of pictures: write the scene graph as GraphML")
    made.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    return made


def main(argv: list[str]) -> int:
    """Answer every input; the bad ones are named on standard error. Exit code 0, 1 (some bad) or 2 (all bad)."""
    arguments = parser().parse_args(argv)
    if arguments.top is not None and arguments.top < 1:
        raise InterplayError(f"--top: found {arguments.top}, expected at least 1")
    if arguments.fps is not None and not arguments.fps > 0:
        raise InterplayError(f"--fps: found {arguments.fps}, expected a positive rate")
    if arguments.stride is not None and not arguments.stride > 0:
        raise InterplayError(f"--stride: found {arguments.stride}, expected seconds greater than 0")

    from interplay.loading import load
    from interplay.skeleton.recogniser import SkeletonRecogniser

    recogniser = load(arguments.model, device=arguments.device)
    if arguments.proposals is not None and not hasattr(recogniser, "proposals"):
        raise InterplayError(f"--proposals: {recogniser.name} takes no videos, expected it with a model for videos")
    if not isinstance(recogniser, SkeletonRecogniser):
        from interplay.video.recogniser import VideoRecogniser

        if isinstance(recogniser, VideoRecogniser):
            from interplay.cli.predict_videos import answer_videos

            return answer_videos(recogniser, arguments)
        from interplay.cli.predict_pictures import answer_pictures

        return answer_pictures(recogniser, arguments)

    from interplay.data.recordings import read_recording
    from interplay.skeleton.prediction import predict_clip

    lines: list[str] = []
    bad = 0
    for name in arguments.inputs:
        try:
            clips = read_recording(name, layout=arguments.layout, frames_per_second=arguments.fps)
        except (InterplayError, OSError) as error:
            bad += 1
            print(f"interplay: error: {' '.join(str(error).split())}", file=sys.stderr)
            continue
        for clip in clips:
            try:
                prediction = predict_clip(recogniser, clip, stride=arguments.stride, top=arguments.top or 3)
            except InterplayError as error:
                bad += 1
                print(f"interplay: error: {name}: {error}", file=sys.stderr)
                continue
            prediction = _named(prediction, name, len(clips) > 1)
            lines.append(prediction.to_json())
            if arguments.json != "-":
                print(describe(prediction))
            elif lines:
                print(lines[-1], flush=True)
            if arguments.draw is not None:
                path = _draw(recogniser, clip, prediction, arguments.draw)
                print(f"drawn: {path}", file=sys.stderr)
    if arguments.json not in (None, "-"):
        Path(arguments.json).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return 0 if not bad else (1 if lines else 2)


def _named(prediction: Prediction, name: str, many: bool) -> Prediction:
    from dataclasses import replace

    return replace(prediction, input=f"{name}#{prediction.input}" if many else name)


def describe(prediction: Prediction) -> str:
    """For people: a line per interaction, runners-up behind it, notes below."""
    lines = [prediction.input]
    for item in prediction.interactions:
        when = "" if item.start is None or item.end is None else f"{item.start:7.2f} – {item.end:6.2f} s  "
        others = ", ".join(f"{label} {score:.2f}" for label, score in item.alternatives)
        lines.append(f"  {when}{item.label} {item.score:.2f}" + (f"   ({others})" if others else ""))
    lines += [f"  note: {note}" for note in prediction.notes]
    return "\n".join(lines)


def _draw(recogniser: SkeletonRecogniser, clip: object, prediction: Prediction, folder: Path) -> Path:
    from interplay.data.clips import SkeletonClip
    from interplay.graph.layouts import load_layout
    from interplay.viz.animation import save_animation

    assert isinstance(clip, SkeletonClip)
    folder.mkdir(parents=True, exist_ok=True)
    stem = json.dumps(prediction.input)[1:-1].replace("/", "_").replace("#", "_").replace("\\", "_")
    return save_animation(clip, load_layout(clip.layout), prediction.interactions, folder / stem)
