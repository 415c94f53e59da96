"""A clip in motion with its label: an animated GIF, and an MP4 where PyAV is installed."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from interplay.data.clips import SkeletonClip
from interplay.graph.layouts import SkeletonLayout, load_layout
from interplay.interactions import NONE_OF_THE_KNOWN, Interaction
from interplay.viz.skeletons import SkeletonArtist, entity_names, view_of
from interplay.viz.style import ENTITY_COLOURS, FAINT, GRID, INK, colour, look, shorten, write

_ASSUMED_RATE = 15.0
_DPI = 96


def animate(
    joints: NDArray[np.floating[Any]],
    layout: str | SkeletonLayout,
    path: str | Path,
    interactions: Sequence[Interaction] = (),
    frames_per_second: float | None = None,
    title: str = "",
    names: Sequence[str] = (),
    max_frames: int = 240,
    width: int = 400,
    video: Literal["auto", "never", "always"] = "auto",
) -> list[Path]:
    """Write ``path``.gif (and ``path``.mp4): the skeletons move, the interaction of the moment stands above them.

    At most ``max_frames`` frames are drawn. A longer recording is thinned out, and shown faster where frames would
    stand longer than a tenth of a second; the time in the corner is always that of the recording.

    Args:
        joints: (T, M, V, 3); an entity that is absent in a frame is not drawn in it.
        path: without suffix.
        interactions: with start and end, each is shown while it lasts and as a bar on the time line; one without
            them is shown all the time.
        frames_per_second: None if unknown: the clip then plays at 15 frames per second and counts frames.
        names: of the entities.
        width: of the picture in pixels.
        video: "always" raises where PyAV is missing, "never" writes no MP4.

    Returns:
        The files written.

    Raises:
        ValueError: joints that do not fit the layout. InterplayError: the place cannot be written.
    """
    layout = load_layout(layout)
    if joints.ndim != 4 or joints.shape[2:] != (layout.joint_count, 3) or not len(joints):
        raise ValueError(f"joints must be (time, entity, {layout.joint_count}, 3), got {joints.shape}")
    if video == "always" and not can_write_video():
        raise ValueError("an MP4 needs the package 'av' (pip install av)")
    path = Path(path)
    step = max(1, math.ceil(len(joints) / max_frames))
    duration = min(step / (frames_per_second or _ASSUMED_RATE), 0.1 if step > 1 else 1.0)
    pictures = _pictures(joints, layout, interactions, frames_per_second, title, names, step, width)
    files = [write(path.with_name(f"{path.name}.gif"), gif(pictures, duration))]
    if video == "always" or (video == "auto" and can_write_video()):
        files.append(write(path.with_name(f"{path.name}.mp4"), _mp4(pictures, duration)))
    return files


def save_animation(
    clip: SkeletonClip,
    layout: str | SkeletonLayout,
    interactions: Sequence[Interaction],
    path: str | Path,
    names: Sequence[str] = (),
) -> Path:
    """:func:`animate` for a clip; returns the GIF's path (``path`` has no suffix)."""
    return animate(clip.joints, layout, path, interactions, clip.frames_per_second, clip.id, names)[0]


def can_write_video() -> bool:
    """Whether PyAV is installed."""
    return find_spec("av") is not None


def current(interactions: Sequence[Interaction], time: float) -> Interaction | None:
    """What is going on at a time in seconds: the best-scored interval around it, else one that has no times."""
    running = [
        one for one in interactions if one.start is not None and one.end is not None and one.start <= time <= one.end
    ]
    if not running:
        running = [one for one in interactions if one.start is None or one.end is None]
    return max(running, key=lambda one: (one.label != NONE_OF_THE_KNOWN, one.score), default=None)


def _pictures(
    joints: NDArray[np.floating[Any]],
    layout: SkeletonLayout,
    interactions: Sequence[Interaction],
    frames_per_second: float | None,
    title: str,
    names: Sequence[str],
    step: int,
    width: int,
) -> list[Image.Image]:
    view = view_of(joints, layout)
    rate = frames_per_second or _ASSUMED_RATE
    length = len(joints) / rate
    header, footer = 58, 40
    # Even sizes: the usual video encoding demands them.
    width += width % 2
    height = header + footer + round(width * min(max(view.aspect, 0.55), 1.3))
    height += height % 2
    with look():
        figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0.0, footer / height, 1.0, 1 - (header + footer) / height))
        artist = SkeletonArtist(axes, layout, view, joints.shape[1])
        top = 1 - 20 / height
        label = figure.text(14 / width, top, "", fontsize=12, fontweight="bold", va="center")
        score = figure.text(1 - 14 / width, top, "", fontsize=10, ha="right", va="center", color=FAINT)
        under = 1 - 43 / height
        subtitle = shorten(title, 34)
        figure.text(14 / width, under, subtitle, fontsize=8, va="center", color=FAINT)
        legend = names or entity_names(layout, joints.shape[1])
        at = 1 - 14 / width
        for index in reversed(range(len(legend))):
            name = shorten(legend[index], 14)
            shade = ENTITY_COLOURS[index % len(ENTITY_COLOURS)]
            figure.text(at, under, name, fontsize=8, ha="right", va="center", color=shade, fontweight="bold")
            at -= (len(name) * 6.9 + 12) / width
        strip = figure.add_axes((14 / width, 10 / height, 1 - 84 / width, 18 / height))
        cursor = _strip(strip, interactions, length)
        clock = figure.text(1 - 14 / width, 19 / height, "", fontsize=8, ha="right", va="center", color=INK)
        pictures = []
        for frame in range(0, len(joints), step):
            time = frame / rate
            artist.update(joints[frame])
            now = current(interactions, time)
            known = now is not None and now.label != NONE_OF_THE_KNOWN
            label.set_text(shorten(now.label, 34) if now is not None else "")
            label.set_color(INK if known else FAINT)
            score.set_text(f"{100 * now.score:.0f} %" if now is not None and known else "")
            clock.set_text(f"frame {frame}" if frames_per_second is None else f"{time:.1f} s")
            cursor.set_xdata([time, time])
            canvas.draw()  # type: ignore[no-untyped-call]
            pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
            pictures.append(Image.fromarray(pixels).convert("RGB"))
    return pictures


def _strip(axes: Any, interactions: Sequence[Interaction], length: float) -> Any:
    """The time line below: intervals as coloured bars, and the cursor that is returned."""
    axes.set(xlim=(0, length), ylim=(0, 1), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.add_patch(Rectangle((0, 0.3), length, 0.4, facecolor=GRID))
    labels = sorted({one.label for one in interactions} - {NONE_OF_THE_KNOWN})
    for one in interactions:
        if one.start is None or one.end is None or one.label == NONE_OF_THE_KNOWN:
            continue
        shade = colour(labels.index(one.label))
        axes.add_patch(Rectangle((one.start, 0.2), one.end - one.start, 0.6, facecolor=shade, alpha=0.85))
    (cursor,) = axes.plot([0, 0], [0, 1], color=INK, linewidth=1.5, clip_on=False)
    return cursor


def gif(pictures: Sequence[Image.Image], duration: float) -> bytes:
    """One palette for all frames and no dithering: what stands still costs nothing."""
    chosen = [pictures[index] for index in sorted({0, len(pictures) // 2, len(pictures) - 1})]
    sheet = Image.new("RGB", (chosen[0].width, chosen[0].height * len(chosen)))
    for index, picture in enumerate(chosen):
        sheet.paste(picture, (0, index * picture.height))
    found = sheet.quantize(colors=64, method=Image.Quantize.MEDIANCUT).getpalette()
    # Averaging makes white a little grey; it has to be white beside a white page. Pillow looks colours up in coarse
    # boxes, so that all near-whites have to go.
    entries = np.array(found, dtype=np.uint8).reshape(-1, 3)
    entries[(entries >= 244).all(axis=1)] = 255
    palette = Image.new("P", (1, 1))
    palette.putpalette(entries.reshape(-1).tolist())
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    stream = io.BytesIO()
    # Times are hundredths of a second; browsers slow down whatever claims less than two of them.
    milliseconds = max(20, 10 * round(100 * duration))
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, optimize=True)
    return stream.getvalue()


def _mp4(pictures: Sequence[Image.Image], duration: float) -> bytes:
    """H.264, the pixel format that every player knows."""
    av = import_module("av")
    stream = io.BytesIO()
    with av.open(stream, mode="w", format="mp4") as container:
        track = container.add_stream("libx264", rate=max(1, round(1 / duration)))
        track.width, track.height, track.pix_fmt = pictures[0].width, pictures[0].height, "yuv420p"
        track.options = {"crf": "23", "preset": "veryfast"}
        for picture in pictures:
            container.mux(track.encode(av.VideoFrame.from_image(picture)))
        container.mux(track.encode(None))
    return stream.getvalue()
