"""Real clips through full-size AGOS (I3D-ResNet-50, 32 × 224 × 224, width 256), with boxes of three kinds, and drawn.

    python examples/full_size_videos.py a.mp4 b.mp4 --boxes grid rpn --detector COCO_V1
    python examples/full_size_videos.py --data something_v2 --root DIR --data.validation clips.txt \\
        --data.boxes boxes.json --clips 8 --boxes given grid rpn

"given" are the data set's own boxes (those of people in Something-Else). Weights are random, also those of the
proposal network unless ``--detector`` is torchvision's name of some or a file: this shows shapes, seconds, memory,
structures and drawings, but no answers worth having.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from interplay.cli.evaluate import data_settings, split_data_settings
from interplay.data.datasets import open_videos
from interplay.data.proposals import Proposals, grid_proposals
from interplay.data.videos import VideoClip
from interplay.errors import InterplayError
from interplay.training.allocation import keep_freed_memory
from interplay.video.activation import marked
from interplay.video.preparation import OpenedClip
from interplay.video.proposal_network import ProposalNetwork, ProposalSettings
from interplay.video.recogniser import VideoRecogniser
from interplay.video.windows import read_clip
from interplay.viz.style import save
from interplay.viz.videos import HIGH, StripFrame, strips

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
SHOWN = 8
"""Frames of a strip."""


def peak(reset: bool = False) -> float:
    """GiB of the process at most since the last reset; nan where the system does not tell (not Linux)."""
    if not STATUS.exists():
        return float("nan")
    if reset:
        CLEAR.write_text("5")
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmHWM")) / 2**20


def network(classes: list[str], options: argparse.Namespace) -> VideoRecogniser:
    """The default model; structure weights are drawn, too, as they begin at 0 and all clips would have zero."""
    torch.manual_seed(0)
    made = VideoRecogniser(
        classes,
        {"width": options.width},
        {"width": options.backbone_width},
        {"frames": 32, "height": options.size, "width": options.size, "boxes": 10},
        name="agos, random",
    ).eval()
    with torch.no_grad():
        for parameter in made.network.structure_parameters():
            parameter.normal_(std=0.05)
    return made


def clips_of(options: argparse.Namespace, words: list[str]) -> Iterator[VideoClip]:
    """Files and folders that are named, and clips of the data set; what cannot be read is said."""
    for name in options.videos:
        yield read_clip(name)
    if options.data is None:
        return
    name, settings, _ = data_settings({}, options.data, options.root, words)
    data = open_videos(name, **settings)
    print(f"{name}: {len(data.classes)} classes; never mirrored: {sorted(data.unflippable)}")
    left = options.clips
    for index in data.parts()["test"].tolist():
        try:
            clip = data.read(index)
        except InterplayError as error:
            print(error)
            continue
        yield clip
        left -= 1
        if not left:
            return


def show(recogniser: VideoRecogniser, clip: VideoClip, boxes: Proposals, seconds: float, out: Path) -> None:
    """A paragraph of figures, and a strip with the most attended box of each frame."""
    peak(reset=True)
    start = time.perf_counter()
    prepared = recogniser.prepared(clip.id, OpenedClip(clip.source, boxes))
    read = time.perf_counter()
    found = recogniser.outputs([prepared])
    answered = time.perf_counter()
    assert prepared.frames is not None
    assert found.choices is not None
    structure = recogniser.network.structures(found.choices)[0]
    source = clip.source
    print(
        f"{clip.id}, {boxes.kind}: {source.frame_count} frames of {source.width} × {source.height} → frames "
        f"{tuple(prepared.frames.shape)}, boxes {tuple(prepared.boxes.shape)}, logits {tuple(found.logits.shape)}"
    )
    parts = f"boxes {seconds:.1f} s, reading {read - start:.1f} s, network {answered - read:.1f} s"
    print(f"  {parts}, {peak():.2f} GiB at most; structure {structure.code()}: {structure}")
    steps = recogniser.frames_of(clip.id, source.frame_count, None)[::2]
    taken = boxes.at(steps.tolist(), recogniser.preparation.boxes)
    marks = marked(recogniser, prepared, steps, taken)
    chosen = torch.linspace(0, len(marks.frames) - 1, SHOWN).round().long().tolist()
    strip = [
        StripFrame(
            picture,
            marks.boxes[step],
            {} if marks.importance is None else {int(marks.importance[step].argmax()): HIGH},
            f"frame {marks.frames[step]}",
        )
        for step, picture in zip(chosen, source.read([int(marks.frames[step]) for step in chosen]), strict=True)
    ]
    title = f"{Path(clip.id).name}, boxes: {boxes.kind}; structure {structure.code()}"
    file = save(strips([(title, strip)]), out / f"{Path(clip.id).stem}_{boxes.kind}")[0]
    print(f"  drawn: {file}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", help="video files, or folders of frames")
    parser.add_argument("--data", help="a data set (docs/data_videos.md)")
    parser.add_argument("--root", help="its folder; its other settings are --data.key value")
    parser.add_argument("--clips", type=int, default=8, help="of the data set, at most")
    parser.add_argument("--boxes", nargs="+", default=["given", "grid"], choices=["given", "grid", "rpn"])
    parser.add_argument("--detector", default="", help="weights of the proposal network; random ones otherwise")
    parser.add_argument("--out", type=Path, default=Path("drawn"))
    for name, value in (("size", 224), ("width", 256), ("backbone-width", 64), ("short", 800), ("classes", 174)):
        parser.add_argument(f"--{name}", type=int, default=value)
    rest, words = split_data_settings(sys.argv[1:])
    options = parser.parse_args(rest)
    keep_freed_memory()
    recogniser = network([f"class {number}" for number in range(options.classes)], options)
    millions = sum(parameter.numel() for parameter in recogniser.parameters()) / 1e6
    print(f"AGOS: {millions:.2f} million weights, {peak():.2f} GiB")
    detector: Any = None
    if "rpn" in options.boxes:
        settings = ProposalSettings(options.detector or "random", short=options.short)
        detector = ProposalNetwork(settings, random=not options.detector)
    for clip in clips_of(options, words):
        for kind in options.boxes:
            start = time.perf_counter()
            boxes = grid_proposals(10) if kind == "grid" else detector.of(clip.source) if kind == "rpn" else None
            if boxes is None and (boxes := clip.proposals) is None:
                print(f"{clip.id}: no boxes of its own")
                continue
            show(recogniser, clip, boxes, time.perf_counter() - start, options.out)


if __name__ == "__main__":
    main()
