"""What pictures of pictures share: a picture as a panel, boxes with names, and maps brought to its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from interplay.viz.style import colour, new_figure, shorten

Picture = NDArray[np.uint8]


def check_picture(picture: Picture) -> None:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ValueError(f"picture: found {picture.dtype} {picture.shape}, expected uint8 (height, width, 3)")


def panels(pictures: Sequence[Sequence[tuple[str, Picture]]], width: float = 2.7) -> tuple[Figure, list[list[Axes]]]:
    """Rows of titled pictures; rows are as high as their first picture needs, columns ``width`` inches wide.

    Args:
        pictures: rows of (title, picture); the same number in each row.
    """
    if not pictures or not pictures[0] or len({len(row) for row in pictures}) != 1:
        raise ValueError(f"pictures: found rows of {[len(row) for row in pictures]}, expected rows of equal length")
    for row in pictures:
        for _, picture in row:
            check_picture(picture)
    heights = [width * row[0][1].shape[0] / row[0][1].shape[1] for row in pictures]
    figure = new_figure(width * len(pictures[0]) + 0.1, sum(heights) + 0.32 * len(heights) + 0.1)
    grid = figure.add_gridspec(len(pictures), len(pictures[0]), height_ratios=heights)
    drawn = []
    for number, row in enumerate(pictures):
        axes = [figure.add_subplot(grid[number, column]) for column in range(len(row))]
        for axis, (title, picture) in zip(axes, row, strict=True):
            show(axis, picture, title)
        drawn.append(axes)
    return figure, drawn


def show(axes: Axes, picture: NDArray[Any], title: str = "") -> None:
    """A picture without ticks; data coordinates are its pixels."""
    axes.imshow(picture, interpolation="nearest", aspect="equal")
    axes.set_xlim(-0.5, picture.shape[1] - 0.5)
    axes.set_ylim(picture.shape[0] - 0.5, -0.5)
    axes.set_axis_off()
    if title:
        axes.set_title(shorten(title, 48), fontsize=8.5)


def draw_boxes(axes: Axes, boxes: NDArray[np.floating[Any]], names: Sequence[str] = (), line: float = 1.6) -> None:
    """Boxes (N, 4) in the picture's pixels, each in a colour of its own, named at the upper left corner."""
    for index, (x1, y1, x2, y2) in enumerate(np.asarray(boxes, dtype=np.float64).reshape(-1, 4)):
        edge = Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour(index), linewidth=line)
        edge.set_path_effects([withStroke(linewidth=line + 1.4, foreground="white", alpha=0.7)])
        axes.add_patch(edge)
        if index < len(names):
            axes.text(
                x1, y1, f" {shorten(names[index], 20)} ", color="white", fontsize=6.5, va="bottom", ha="left",
                clip_on=True, bbox={"facecolor": colour(index), "edgecolor": "none", "pad": 0.6},
            )  # fmt: skip


def sampled(values: NDArray[Any], picture: Picture, size: tuple[int, int] | None, stride: int) -> NDArray[Any]:
    """A map's value at every pixel of a picture: that of the point whose square of ``stride`` pixels it lies in.

    Args:
        values: (h, w, …), a map of the picture resized to ``size``.
        picture: (H, W, 3).
        size: height and width of the resized picture; None: the picture's own.
        stride: pixels of the resized picture per point.

    Returns:
        (H, W, …).
    """
    height, width = picture.shape[:2]
    resized = (height, width) if size is None else size
    rows, columns = (
        np.minimum(((np.arange(length) + 0.5) * other / length / stride).astype(np.int64), points - 1)
        for length, other, points in zip((height, width), resized, values.shape[:2], strict=True)
    )
    return np.asarray(values[rows][:, columns])
