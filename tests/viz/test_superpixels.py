"""Superpixels over pictures: the right pixels get the right colours."""

from __future__ import annotations

import numpy as np
import pytest

from interplay.viz.canvas import sampled
from interplay.viz.style import render
from interplay.viz.superpixels import SuperpixelMaps, label_colours, painted, superpixel_levels, superpixels_in_boxes


def maps(**changes: object) -> SuperpixelMaps:
    picture = np.full((40, 60, 3), 128, np.uint8)
    labels = np.zeros((10, 15), np.int64)
    labels[:, 8:] = 3
    given = {
        "picture": picture,
        "levels": {"P2": (labels, 4), "P3": (labels[::2, ::2], 8)},
        "boxes": np.array([[10.0, 5, 40, 30]]),
        "names": ("cup",),
        **changes,
    }
    return SuperpixelMaps(**given)  # type: ignore[arg-type]


def test_every_pixel_gets_its_superpixel() -> None:
    row = maps()
    made = painted(row, "P2", 1.0).astype(int)
    colours = np.rint(255 * label_colours(4)).astype(int)
    assert made[5, 10].tolist() == colours[0].tolist()
    assert made[5, 50].tolist() == colours[3].tolist()
    # where two meet, at column 8 · 4, the line is nearly white
    assert made[5, 32].min() > 180


def test_a_resized_map_finds_the_pictures_pixels() -> None:
    """A map of the picture at twice its size."""
    labels = np.arange(6).reshape(2, 3)
    picture = np.zeros((4, 6, 3), np.uint8)
    at = sampled(labels, picture, (8, 12), 4)
    assert at[:, 0].tolist() == [0, 0, 3, 3]
    assert at[0].tolist() == [0, 0, 1, 1, 2, 2]


def test_a_map_that_ends_before_the_picture() -> None:
    """39 pixels of stride 4 are ten points, the last of three pixels."""
    at = sampled(np.arange(10)[None].repeat(2, 0), np.zeros((8, 39, 3), np.uint8), None, 4)
    assert at[0, 38] == 9
    assert at[0, 35] == 8


def test_neighbours_have_different_colours() -> None:
    colours = label_colours(81)
    for side in (7, 9):
        for step in (1, side):
            distance = np.abs(colours[step:] - colours[:-step]).sum(1)
            assert distance.min() > 0.2


def test_figures() -> None:
    rows = [maps(), maps()]
    levels = superpixel_levels(rows)
    assert len(levels.axes) == 6
    assert [axes.get_title(loc="left") for axes in levels.axes[:3]] == ["", "P2", "P3"]
    assert render(levels, dpi=60)[:4] == b"\x89PNG"
    inside = superpixels_in_boxes(rows, "P3")
    assert len(inside.axes) == 6
    shown = np.asarray(inside.axes[2].images[0].get_array())
    assert shown[35, 5].tolist() == [int(0.45 * 128 + 0.55 * 255)] * 3  # outside the box: faded, no superpixel
    assert len(set(shown[10, 20].tolist())) > 1


@pytest.mark.parametrize(
    "changes",
    [
        {"picture": np.zeros((4, 4), np.uint8)},
        {"levels": {"P2": (np.zeros((2, 2)), 4)}},
        {"levels": {"P2": (np.full((2, 2), -1), 4)}},
    ],
)
def test_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="found"):
        maps(**changes)


def test_rows_must_have_the_same_levels() -> None:
    with pytest.raises(ValueError, match="the same in every row"):
        superpixel_levels([maps(), maps(levels={"P2": (np.zeros((2, 2), np.int64), 4)})])
    with pytest.raises(ValueError, match="rows"):
        superpixel_levels([])
