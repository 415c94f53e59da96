"""Clips as strips of frames with boxes, and as a video with boxes, attended boxes and the label of the moment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from interplay.errors import InterplayError
from interplay.interactions import NONE_OF_THE_KNOWN, Interaction
from interplay.viz.animation import can_write_video, current, gif
from interplay.viz.canvas import Picture, check_picture, show
from interplay.viz.style import FAINT, GRID, INK, PALETTE, colour, new_figure, shorten, styled, write

BOX, REFERENCE, HIGH, LOW = "#2f9e6e", "#d3202a", "#1f5fd0", "#7fb6ff"
"""Plain boxes; a reference node; nodes with the most attention, and those with the least."""
_GIF_FRAMES = 200
Boxes = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class StripFrame:
    """A frame with boxes.

    Args:
        picture: uint8 (H, W, 3).
        boxes: (R, 4) shares of the picture.
        marks: box → colour; marked boxes are drawn thick, the others thin.
        title: above it.
    """

    picture: Picture
    boxes: Boxes = field(default_factory=lambda: np.zeros((0, 4)))
    marks: dict[int, str] = field(default_factory=dict)
    title: str = ""


@styled
def strips(
    rows: Sequence[tuple[str, Sequence[StripFrame]]],
    legend: Sequence[tuple[str, str]] = (),
    width: float = 1.55,
    plain: bool = True,
) -> Figure:
    """Rows of frames of clips, each with its title above.

    Args:
        rows: (title, frames) each; rows may differ in length.
        legend: (colour, words) of what is marked.
        width: inches of a frame.
        plain: draw the boxes that are not marked, too.

    Raises:
        ValueError: no frame.
    """
    if not rows or not any(frames for _, frames in rows):
        raise ValueError("no frame: nothing to draw")
    columns = max(len(frames) for _, frames in rows)
    titled = any(frame.title for _, frames in rows for frame in frames)
    above = 0.42 if titled else 0.27
    heights = [
        width * max((one.picture.shape[0] / one.picture.shape[1] for one in frames), default=0.75) + above
        for _, frames in rows
    ]
    figure = new_figure(max(width * columns + 0.1, 5.0), sum(heights) + (0.32 if legend else 0.05))
    parts = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)
    for part, (title, frames) in zip(parts[:, 0], rows, strict=True):
        part.suptitle(shorten(title, int(13 * width * columns)), fontsize=8.5, x=0.005, ha="left")
        grid = part.subplots(1, columns, squeeze=False)[0]
        for place, axes in enumerate(grid):
            if place >= len(frames):
                axes.set_axis_off()
                continue
            _frame(axes, frames[place], plain)
    if legend:
        handles = [Rectangle((0, 0), 1, 1, fill=False, edgecolor=shade, linewidth=1.8) for shade, _ in legend]
        figure.legend(handles, [words for _, words in legend], loc="outside lower center", ncols=len(legend))
    return figure


def _frame(axes: Axes, frame: StripFrame, plain: bool) -> None:
    check_picture(frame.picture)
    show(axes, frame.picture)
    if frame.title:
        axes.set_title(frame.title, fontsize=7, pad=2, fontweight="normal", loc="center")
    height, width = frame.picture.shape[:2]
    order = sorted(range(len(frame.boxes)), key=lambda index: index in frame.marks)
    for index in order:
        shade = frame.marks.get(index)
        if shade is None and not plain:
            continue
        x1, y1, x2, y2 = np.asarray(frame.boxes[index], np.float64) * (width, height, width, height) - 0.5
        line = 0.7 if shade is None else 1.7
        edge = Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=shade or BOX, linewidth=line, clip_on=False)
        if shade is not None:
            edge.set_path_effects([withStroke(linewidth=line + 1.3, foreground="white", alpha=0.75)])
        axes.add_patch(edge)


# -- the clip as a video -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class VideoNotes:
    """What is written and drawn over a video.

    Args:
        interactions: answers; those with start and end are shown while they last.
        structure: words below the label, or "".
        count: frames of the whole video.
        frames_per_second: None where nobody knows: 12 a second then, and frames are counted.
        caption: last line of the header.
    """

    interactions: Sequence[Interaction]
    structure: str = ""
    count: int = 0
    frames_per_second: float | None = None
    caption: str = ""

    @property
    def rate(self) -> float:
        return self.frames_per_second or 12.0


def save_video(
    frames: Iterable[tuple[int, Picture, Boxes, Sequence[int]]],
    notes: VideoNotes,
    path: str | Path,
    *,
    least_width: int = 480,
    kind: Literal["auto", "mp4", "gif"] = "auto",
) -> Path:
    """Write ``path``.mp4 (H.264, by PyAV), or ``path``.gif where that is not installed.

    Frames are drawn and encoded one after the other: memory does not grow with the video. A GIF is thinned out to
    200 frames.

    Args:
        frames: (number of the frame, its pixels, (R, 4) boxes as shares, boxes with the most attention) each.
        path: without suffix.
        least_width: pixels; smaller frames are enlarged by a whole number.

    Returns:
        The file written.

    Raises:
        InterplayError: the place cannot be written. ValueError: no frame.
    """
    path = Path(path)
    as_mp4 = kind == "mp4" or (kind == "auto" and can_write_video())
    pictures = (_drawn(picture, boxes, marks, number, notes, least_width) for number, picture, boxes, marks in frames)
    if as_mp4:
        return _stream_mp4(pictures, notes.rate, path.with_name(f"{path.name}.mp4"))
    step = max(1, -(-notes.count // _GIF_FRAMES))
    kept = [picture for place, picture in enumerate(pictures) if place % step == 0]
    if not kept:
        raise ValueError("no frame: nothing to write")
    return write(path.with_name(f"{path.name}.gif"), gif(kept, min(step / notes.rate, 0.2)))


def _stream_mp4(pictures: Iterator[Image.Image], rate: float, path: Path) -> Path:
    import av

    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp.mp4")
    first = next(pictures, None)
    if first is None:
        raise ValueError("no frame: nothing to write")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(temporary), mode="w", format="mp4") as container:
            track: Any = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
            track.width, track.height, track.pix_fmt = first.width, first.height, "yuv420p"
            track.options = {"crf": "20", "preset": "veryfast"}
            for picture in chain([first], pictures):
                container.mux(track.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
            container.mux(track.encode(None))
        os.replace(temporary, path)
    except OSError as error:
        raise InterplayError(f"{path}: cannot write: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
    return path


@lru_cache(maxsize=8)
def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def _drawn(
    picture: Picture, boxes: Boxes, marks: Sequence[int], number: int, notes: VideoNotes, least_width: int
) -> Image.Image:
    """A frame with its boxes, the label above and the time line below; even sides, as encoders demand."""
    check_picture(picture)
    times = max(1, -(-least_width // picture.shape[1]))
    frame = Image.fromarray(picture)
    if times > 1:
        frame = frame.resize((frame.width * times, frame.height * times), Image.Resampling.BICUBIC)
    scale = max(1.0, frame.width / 640)
    pen = ImageDraw.Draw(frame)
    line = max(1, round(1.2 * scale))
    for index in sorted(range(len(boxes)), key=lambda index: index in marks):
        x1, y1, x2, y2 = (
            float(share) * side for share, side in zip(boxes[index], (frame.width, frame.height) * 2, strict=True)
        )
        corners = (x1, y1, max(x1, x2 - 1), max(y1, y2 - 1))
        if index in marks:
            thick = max(3, round(3 * scale))
            pen.rectangle(_grown(corners, 1), outline="white", width=thick + 2)
            pen.rectangle(corners, outline=PALETTE[1], width=thick)
        else:
            pen.rectangle(corners, outline=BOX, width=line)
    header, footer = round(66 * scale), round(26 * scale)
    sheet = Image.new("RGB", (frame.width + frame.width % 2, frame.height + header + footer), "white")
    if sheet.height % 2:
        sheet = Image.new("RGB", (sheet.width, sheet.height + 1), "white")
    sheet.paste(frame, (0, header))
    _header(ImageDraw.Draw(sheet), sheet.width, number, notes, scale)
    _timeline(ImageDraw.Draw(sheet), sheet, number, notes, scale, footer)
    return sheet


def _header(pen: ImageDraw.ImageDraw, width: int, number: int, notes: VideoNotes, scale: float) -> None:
    now = current(notes.interactions, number / notes.rate)
    pad, size = round(10 * scale), round(16 * scale)
    known = now is not None and now.label != NONE_OF_THE_KNOWN
    score = f"{100 * now.score:.0f} %" if now is not None and known else ""
    small = _font(round(11 * scale))
    room = width - 3 * pad - pen.textlength(score, _font(size))
    text = _fitted(pen, "" if now is None else now.label, size, room, 0.65)
    pen.text((pad, pad * 0.6), text[0], font=text[1], fill=INK if known else FAINT)
    pen.text((width - pad, pad * 0.6), score, font=_font(size), fill=FAINT, anchor="ra")
    others = () if now is None else now.alternatives[:2]
    words = ["    ".join(f"{label} {100 * share:.0f} %" for label, share in others), notes.structure or notes.caption]
    for row, line in enumerate(words):
        fitted = _fitted(pen, line, round(11 * scale), width - 2 * pad, 0.75)
        pen.text((pad, (30 + 16 * row) * scale), fitted[0], font=fitted[1] if line else small, fill=FAINT)


def _fitted(
    pen: ImageDraw.ImageDraw, text: str, size: int, room: float, least: float
) -> tuple[str, ImageFont.FreeTypeFont]:
    """The text in the largest font in which it fits, not below the share ``least``; cut where that is too large."""
    bold, smallest = size >= 16, max(8, round(least * size))
    while size > smallest and pen.textlength(text, _font(size, bold)) > room:
        size -= 1
    while len(text) > 1 and pen.textlength(text, _font(size, bold)) > room:
        text = shorten(text, len(text) - 1)
    return text, _font(size, bold)


def _timeline(
    pen: ImageDraw.ImageDraw, sheet: Image.Image, number: int, notes: VideoNotes, scale: float, footer: int
) -> None:
    pad, right = round(10 * scale), sheet.width - round(70 * scale)
    top = sheet.height - footer
    count = max(notes.count, number + 1)
    middle = top + footer / 2
    across = right - pad
    pen.rectangle((pad, middle - 3 * scale, right, middle + 3 * scale), fill=GRID)
    labels = sorted({one.label for one in notes.interactions} - {NONE_OF_THE_KNOWN})
    for one in notes.interactions:
        if one.start is None or one.end is None or one.label == NONE_OF_THE_KNOWN:
            continue
        begin, end = (pad + across * min(1.0, time * notes.rate / count) for time in (one.start, one.end))
        shade = colour(labels.index(one.label))
        pen.rectangle((begin, middle - 4 * scale, max(begin + 1, end), middle + 4 * scale), fill=shade)
    at = pad + across * number / max(1, count - 1)
    pen.rectangle((at - scale, middle - 8 * scale, at + scale, middle + 8 * scale), fill=INK)
    clock = f"frame {number}" if notes.frames_per_second is None else f"{number / notes.rate:.1f} s"
    pen.text((sheet.width - pad, middle), clock, font=_font(round(11 * scale)), fill=INK, anchor="rm")


def _grown(corners: tuple[float, float, float, float], by: float) -> tuple[float, float, float, float]:
    return corners[0] - by, corners[1] - by, corners[2] + by, corners[3] + by
