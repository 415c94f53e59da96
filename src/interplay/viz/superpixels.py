"""Superpixels over a picture: inside the boxes (SIL Fig. 5) and level by level (Fig. 7). From plain arrays."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from interplay.viz.canvas import Picture, check_picture, draw_boxes, panels, sampled
from interplay.viz.style import styled

NAMED = 8
"""Most boxes of a picture that are written on."""


@dataclass(frozen=True, eq=False)
class SuperpixelMaps:
    """A picture and what one clustering head made of it.

    Args:
        picture: uint8 (H, W, 3).
        levels: title of a level → (assignment of its points, (h, w) integers; stride in pixels of the resized picture).
        boxes: (N, 4) in the picture's pixels.
        names: of the boxes.
        size: height and width of the resized picture that was clustered; None: the picture's own.
    """

    picture: Picture
    levels: Mapping[str, tuple[NDArray[np.integer[Any]], int]]
    boxes: NDArray[np.floating[Any]] = field(default_factory=lambda: np.zeros((0, 4)))
    names: Sequence[str] = ()
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_picture(self.picture)
        for title, (labels, _) in self.levels.items():
            if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer) or labels.min(initial=0) < 0:
                raise ValueError(
                    f"levels[{title!r}]: found {labels.dtype} {labels.shape}, expected whole numbers ≥ 0 (h, w)"
                )


@styled
def superpixel_levels(rows: Sequence[SuperpixelMaps], strength: float = 0.55) -> Figure:
    """Fig. 7: a row per picture; the picture with its boxes, then its superpixels on every level.

    Args:
        rows: pictures with the same levels.
        strength: how much of a superpixel's colour covers the picture, 0 to 1.
    """
    titles = list(rows[0].levels) if rows else []
    for row in rows:
        if list(row.levels) != titles:
            raise ValueError(f"levels: found {list(row.levels)} beside {titles}, expected the same in every row")
    figure, axes = panels(
        [[("", row.picture), *((title, painted(row, title, strength)) for title in titles)] for row in rows]
    )
    for row, own in zip(rows, axes, strict=True):
        draw_boxes(own[0], row.boxes, _readable(row))
    return figure


@styled
def superpixels_in_boxes(rows: Sequence[SuperpixelMaps], level: str, strength: float = 0.6) -> Figure:
    """Fig. 5: a row per picture; the picture, its boxes, and the superpixels of one level inside the boxes only."""
    pictures = []
    for row in rows:
        height, width = row.picture.shape[:2]
        y, x = np.mgrid[:height, :width]
        inside = np.zeros((height, width), dtype=bool)
        for x1, y1, x2, y2 in np.asarray(row.boxes, dtype=np.float64).reshape(-1, 4):
            inside |= (x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)
        faded = (0.45 * row.picture + 0.55 * 255).astype(np.uint8)
        within = np.where(inside[..., None], painted(row, level, strength), faded)
        pictures.append([("picture", row.picture), ("boxes", row.picture), ("superpixels inside boxes", within)])
    figure, axes = panels(pictures)
    for row, own in zip(rows, axes, strict=True):
        draw_boxes(own[1], row.boxes, _readable(row))
        draw_boxes(own[2], row.boxes, line=0.8)
    return figure


def _readable(row: SuperpixelMaps) -> Sequence[str]:
    """Names of the boxes where there are few enough to be read."""
    return row.names if len(row.names) <= NAMED else ()


def painted(row: SuperpixelMaps, level: str, strength: float) -> Picture:
    """The picture under the colours of one level's superpixels, with white lines where they meet."""
    labels, stride = row.levels[level]
    at = sampled(labels, row.picture, row.size, stride)
    colours = label_colours(int(labels.max(initial=0)) + 1)
    mixed = (1 - strength) * row.picture + strength * 255 * colours[at]
    edge = np.zeros(at.shape, dtype=bool)
    edge[:, 1:] |= at[:, 1:] != at[:, :-1]
    edge[1:] |= at[1:] != at[:-1]
    mixed[edge] = 0.25 * mixed[edge] + 0.75 * 255
    return np.asarray(mixed.round(), dtype=np.uint8)


def label_colours(number: int) -> NDArray[np.float64]:
    """(number, 3) in [0, 1]: hues a golden angle apart, so that neighbours on the grid of centres differ."""
    return np.array(
        [
            colorsys.hsv_to_rgb(
                index * 0.6180339887 % 1, (0.85, 0.6, 0.75)[index % 3], (0.95, 0.8, 0.65)[index // 3 % 3]
            )
            for index in range(number)
        ]
    ).reshape(number, 3)
