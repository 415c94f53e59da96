"""Confusion matrices say what the counts say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure

from interplay.viz.matrices import confusion_matrices, confusion_matrix
from interplay.viz.style import render

COUNTS = np.array([[8, 2, 0], [0, 0, 0], [1, 0, 199]])
CLASSES = ("push", "kick", "hug")


def inside(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_cells_hold_row_percentages_and_absent_classes_are_blank() -> None:
    figure = confusion_matrix(COUNTS, CLASSES, "fold 1")
    assert inside(figure) == ["80", "20", "100"]  # what rounds to zero is not written
    shares = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(shares[0], [0.8, 0.2, 0.0])
    assert np.ma.getmaskarray(shares)[1].all()
    svg = render(figure, "svg").decode()
    assert all(name in svg for name in (*CLASSES, "fold 1", "predicted", "true"))


def test_26_classes_are_named_on_the_rows_and_numbered_on_the_columns() -> None:
    names = [f"a rather long name of an interaction {index}" for index in range(26)]
    figure = confusion_matrix(np.eye(26, dtype=np.int64) * 5, names)
    rows = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    columns = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert rows[0] == "a rather long name of an interact…  1"
    assert columns == [str(index + 1) for index in range(26)]
    assert inside(figure) == ["100"] * 26


def test_labels_do_not_overlap() -> None:
    figure = confusion_matrix(np.eye(26, dtype=np.int64), [f"name {index}" for index in range(26)])
    render(figure, dpi=figure.dpi)  # extents are asked for at that resolution
    for labels in (figure.axes[0].get_yticklabels(), figure.axes[0].get_xticklabels()):
        boxes = [label.get_window_extent() for label in labels]
        assert not any(one.overlaps(other) for one, other in pairwise(boxes))
        assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes), "nothing is clipped"


def test_1380_classes_are_drawn_without_text_in_cells() -> None:
    figure = confusion_matrix(np.eye(1380, dtype=np.int64), [str(index) for index in range(1380)])
    assert inside(figure) == []
    assert len(figure.axes[0].get_xticks()) < 30


def test_two_protocols_side_by_side_share_one_scale() -> None:
    figure = confusion_matrices([("X-Sub", COUNTS), ("X-Set", COUNTS.T)], CLASSES)
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["X-Sub", "X-Set"]
    assert {axes.images[0].get_clim() for axes in figure.axes[:2]} == {(0.0, 1.0)}


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"counts must be \(2, 2\)"):
        confusion_matrix(COUNTS, ("push", "kick"))
    with pytest.raises(ValueError, match="no confusion matrix"):
        confusion_matrices([], CLASSES)
