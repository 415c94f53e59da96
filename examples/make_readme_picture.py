"""Draw docs/assets/interplay.png: a simulated recording of two people, and the intervals a model answers with.

python examples/make_readme_picture.py [MODEL] [OUT.png]     MODEL -: the moments alone
"""

from __future__ import annotations

import argparse
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

import interplay
from interplay.data.playground import long_recording, skeleton_view
from interplay.viz.charts import timeline
from interplay.viz.skeletons import stills
from interplay.viz.style import render

ACTS = ("approach", "shake hands", "high-five", "give", "depart")
WIDTH = 1400
DPI = 160.0


def picture(model: str, out: Path) -> Path:
    """Stills of the middle of every true interaction, above true and predicted intervals on one time axis."""
    episode = long_recording(seed=906, labels=ACTS)
    clip = skeleton_view(episode)
    middles = [((act.start or 0.0) + (act.end or 0.0)) / 2 for act in episode.interactions]
    frames = np.array([round(middle * episode.frames_per_second) for middle in middles])
    strip = stills(clip.joints[frames], clip.layout, number=len(frames))
    for axes, act in zip(strip.axes, episode.interactions, strict=True):
        axes.set_xlabel(f"{act.label}, {act.start:.1f}–{act.end:.1f} s", fontsize=8)
    figures = [strip]
    if model != "-":
        answer = interplay.load(model).predict(clip)
        title = f"Simulated recording, answered by {answer.model}"
        seconds = clip.frames / episode.frames_per_second
        figures.append(timeline(answer.interactions, episode.interactions, seconds, title))
    parts = [Image.open(BytesIO(render(figure, "png", DPI))).convert("RGB") for figure in figures]
    scaled = [part.resize((WIDTH, round(part.height * WIDTH / part.width)), Image.Resampling.LANCZOS) for part in parts]
    sheet = Image.new("RGB", (WIDTH, sum(part.height for part in scaled)), "white")
    for top, part in zip(np.cumsum([0] + [part.height for part in scaled]).tolist(), scaled, strict=False):
        sheet.paste(part, (0, top))
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(64, dither=Image.Dither.NONE).save(out, optimize=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", default="megcn-playground", help="- for the moments alone")
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).parents[1] / "docs/assets/interplay.png")
    arguments = parser.parse_args()
    print(picture(arguments.model, arguments.out))


if __name__ == "__main__":
    main()
