"""Pictures of structures: the words below them stay inside."""

from __future__ import annotations

import numpy as np
import pytest

from interplay.video.structure import SPACES
from interplay.viz.structures import operation_use


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("panels", [1, 2])
def test_the_legend_of_operations_stays_inside_the_picture(space: str, panels: int) -> None:
    names = list(SPACES[space])
    shares = np.full((2, len(names)), 1 / len(names))
    figure = operation_use([("adaptive", ("0→1", "1→2"), names, shares)] * panels)
    figure.canvas.draw()
    (legend,) = figure.legends
    box, whole = legend.get_window_extent(), figure.bbox
    assert whole.x0 <= box.x0
    assert box.x1 <= whole.x1
    assert whole.y0 <= box.y0
    assert box.y1 <= whole.y1
