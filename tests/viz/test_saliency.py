"""Heat maps over pictures."""

from __future__ import annotations

import numpy as np
import pytest

from interplay.viz.saliency import SaliencyMaps, heated, saliency_comparison
from interplay.viz.style import render


def maps(**changes: object) -> SaliencyMaps:
    hot = np.zeros((10, 15))
    hot[4:6, 10:12] = 2.0
    given = {
        "picture": np.full((40, 60, 3), (200, 100, 60), np.uint8),
        "triplet": ("person", "holding", "cup"),
        "boxes": np.array([[2.0, 2, 30, 38], [35, 10, 55, 30]]),
        "maps": {"without SIL": hot.T[:10, :15] * 0, "with SIL": hot},
        **changes,
    }
    return SaliencyMaps(**given)  # type: ignore[arg-type]


def test_cold_is_grey_and_hot_is_bright() -> None:
    row = maps()
    made = heated(row.picture, row.maps["with SIL"]).astype(int)
    assert made[2, 2].tolist() == [120, 120, 120]
    assert made[20, 44, 0] > 200
    assert made[20, 44, 0] - made[20, 44, 2] > 60
    assert np.array_equal(heated(row.picture, 5 * row.maps["with SIL"]), heated(row.picture, row.maps["with SIL"]))


def test_a_map_of_zeros_is_drawn_without_complaint() -> None:
    row = maps()
    assert heated(row.picture, row.maps["without SIL"]).max() == 120


def test_figure() -> None:
    figure = saliency_comparison([maps(), maps()])
    assert [axes.get_title(loc="left") for axes in figure.axes[:3]] == ["person holding cup", "without SIL", "with SIL"]
    assert len(figure.axes) == 6
    assert render(figure, dpi=60)[:4] == b"\x89PNG"


@pytest.mark.parametrize("bad", [np.full((2, 2), np.nan), np.full((2, 2), -1.0), np.zeros(3)])
def test_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="finite numbers"):
        maps(maps={"x": bad})


def test_rows_must_have_the_same_models() -> None:
    with pytest.raises(ValueError, match="the same in every row"):
        saliency_comparison([maps(), maps(maps={})])
