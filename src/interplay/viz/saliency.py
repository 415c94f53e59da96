"""Heat maps over pictures: where a predicate's score comes from, without and with SIL (Figs 6 and 8). From arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from interplay.viz.canvas import Picture, check_picture, draw_boxes, panels
from interplay.viz.style import styled


@dataclass(frozen=True, eq=False)
class SaliencyMaps:
    """A triplet in a picture and the maps of the models compared.

    Args:
        picture: uint8 (H, W, 3).
        triplet: names of subject, predicate and object.
        boxes: (2, 4) of subject and object in the picture's pixels.
        maps: title of a model ("without SIL") → (h, w) values ≥ 0 that cover the whole picture.
    """

    picture: Picture
    triplet: tuple[str, str, str]
    boxes: NDArray[np.floating[Any]]
    maps: Mapping[str, NDArray[np.floating[Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_picture(self.picture)
        for title, values in self.maps.items():
            if values.ndim != 2 or not np.isfinite(values).all() or values.min(initial=0) < 0:
                raise ValueError(f"maps[{title!r}]: found {values.shape}, expected (h, w) finite numbers ≥ 0")


@styled
def saliency_comparison(rows: Sequence[SaliencyMaps]) -> Figure:
    """A row per triplet: the picture with subject and object, then each model's map; all scaled to their own maximum.

    Args:
        rows: triplets with the same models.
    """
    titles = list(rows[0].maps) if rows else []
    pictures = []
    for row in rows:
        if list(row.maps) != titles:
            raise ValueError(f"maps: found {list(row.maps)} beside {titles}, expected the same in every row")
        triplet = " ".join(row.triplet)
        pictures.append([(triplet, row.picture), *((title, heated(row.picture, row.maps[title])) for title in titles)])
    figure, axes = panels(pictures)
    for row, own in zip(rows, axes, strict=True):
        draw_boxes(own[0], row.boxes, (row.triplet[0], row.triplet[2]))
        for axis in own[1:]:
            draw_boxes(axis, row.boxes, line=0.9)
    return figure


def heated(picture: Picture, values: NDArray[np.floating[Any]], strength: float = 0.75) -> Picture:
    """A picture under a heat map that is scaled to its maximum and spread over the whole picture; cold stays grey.

    Args:
        picture: (H, W, 3).
        values: (h, w) ≥ 0, brought to the picture's pixels bilinearly.
        strength: how much the hottest point covers the picture.
    """
    height, width = picture.shape[:2]
    highest = float(values.max(initial=0.0))
    scaled = np.asarray(values, dtype=np.float32) / (highest if highest > 0 else 1.0)
    heat = np.asarray(Image.fromarray(scaled).resize((width, height), Image.Resampling.BILINEAR)).clip(0, 1)
    grey = picture.mean(axis=2, keepdims=True).repeat(3, axis=2)
    colours = 255 * colormaps["inferno"](heat)[..., :3]
    cover = strength * np.sqrt(heat)[..., None]
    return np.asarray(((1 - cover) * grey + cover * colours).round().astype(np.uint8))
