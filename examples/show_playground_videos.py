"""A strip of frames of every class of the playground's videos, with true boxes and proposals.

python examples/show_playground_videos.py [--out videos.png] [--number 0] [--frames 8] [--only slope edge] [--scale 2]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from interplay.data.playground.video_classes import DIAGNOSTICS, VIDEO_CLASSES, VIDEO_SCRIPTS
from interplay.data.playground.videos import PlaygroundVideos
from interplay.data.videos import VideoClip

OPERATION = {label: operation for pair, operation in DIAGNOSTICS.items() for label in pair}


def strip(clip: VideoClip, count: int, scale: int) -> np.ndarray:
    """Frames at equal distances; true boxes green, the three best proposals of every second frame white."""
    size = np.array([clip.source.width, clip.source.height]) * scale
    chosen = np.linspace(0, clip.source.frame_count - 1, count).round().astype(int).tolist()
    row = []
    for place, (frame, pixels) in enumerate(zip(chosen, clip.source.read(chosen), strict=True)):
        picture = Image.fromarray(pixels).resize(tuple(size.tolist()), Image.Resampling.NEAREST)
        canvas = ImageDraw.Draw(picture)
        boxes = [("lime", each[frame]) for each in clip.meta["boxes"].values()]
        if clip.proposals is not None:
            boxes += [("white", box) for box in clip.proposals.at([frame], 3)[0]]
        for colour, box in boxes if place % 2 else []:
            if not np.isnan(box).any():
                canvas.rectangle((box * np.tile(size, 2)).tolist(), outline=colour)
        row.append(np.asarray(picture))
    return np.concatenate(row, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("videos.png"))
    parser.add_argument("--number", type=int, default=0, help="which clip of each class")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--only", nargs="*", default=[], help="families")
    parser.add_argument("--scale", type=int, default=2)
    arguments = parser.parse_args()
    known = [label for label in VIDEO_CLASSES if not arguments.only or VIDEO_SCRIPTS[label].family in arguments.only]
    dataset = PlaygroundVideos(train_clips=0, validation_clips=0, test_clips=arguments.number + 1, classes=known)
    clips = [dataset.read(int(index)) for index in dataset.parts()["test"][-len(known) :]]
    for row, clip in enumerate(clips):
        event, label = clip.meta["event"], clip.meta["template"]
        times = f"{event['start']:.1f} to {event['end']:.1f} s"
        print(f"{row:2d} {label} ({times}; {event['what']})", OPERATION.get(label, ""))
    Image.fromarray(np.concatenate([strip(c, arguments.frames, arguments.scale) for c in clips])).save(arguments.out)


if __name__ == "__main__":
    main()
