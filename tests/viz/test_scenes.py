"""A picture with its scene graph: everything found is there, and can be read."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch

from interplay.interactions import Entity, Interaction, Prediction
from interplay.viz.scenes import scene
from interplay.viz.style import render

PICTURE = np.full((300, 400, 3), 230, np.uint8)


def entity(label: str, x: float, y: float, side: float = 60) -> Entity:
    return Entity(label, (x, y, x + side, y + side))


PERSON, CUP, TABLE = entity("person", 20, 40, 140), entity("cup", 230, 60, 50), entity("table", 150, 180, 110)


def interactions() -> tuple[Interaction, ...]:
    return (
        Interaction("holding", 0.9, PERSON, CUP),
        Interaction("looking at", 0.5, PERSON, CUP),
        Interaction("on", 0.7, CUP, TABLE),
        Interaction("near", 0.3, PERSON, TABLE),
        Interaction("laughing", 0.2, PERSON, None),
    )


def texts(figure: object) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]  # type: ignore[attr-defined]


def test_everything_is_drawn_and_listed_best_first() -> None:
    figure = scene(PICTURE, Prediction("a.png", interactions(), "model"))
    found = texts(figure)
    for tag in ("1 holding", "2 on", "3 looking at", "4 near"):
        assert tag in found
    assert "person  holding  cup" in found
    assert "person  laughing  ?" in found  # no box: listed, not drawn
    assert sum(isinstance(patch, FancyArrowPatch) for patch in figure.axes[0].patches) == 4
    names = [text.strip() for text in found]
    assert names.count("person") == names.count("cup") == names.count("table") == 1
    assert render(figure, dpi=60)[:4] == b"\x89PNG"


def test_only_the_best_are_drawn_and_the_rest_is_counted() -> None:
    found = texts(scene(PICTURE, interactions(), most=2))
    assert "and 3 more" in found
    assert "3 looking at" not in found


def test_predicates_do_not_cover_each_other() -> None:
    """Many arrows between crowded entities: no two tags share more than a sliver."""
    rng = np.random.default_rng(0)
    crowd = [entity(f"thing {k}", *rng.uniform(0, (330, 230)), side=50) for k in range(8)]
    many = [
        Interaction("in front of", float(rng.uniform()), crowd[a], crowd[b])
        for a, b in (rng.choice(8, 2, replace=False) for _ in range(12))
    ]
    figure = scene(PICTURE, many)
    figure.draw_without_rendering()
    tags = [text for text in figure.axes[0].texts if "in front of" in text.get_text()]
    boxes = [tag.get_window_extent() for tag in tags]
    assert len(boxes) == 12
    for index, one in enumerate(boxes):
        for other in boxes[:index]:
            across = min(one.x1, other.x1) - max(one.x0, other.x0)
            down = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert min(across, down) <= 0 or across * down < 0.3 * one.width * one.height


def test_nothing_found() -> None:
    assert "nothing found" in texts(scene(PICTURE, ()))


def test_one_thing_on_top_of_another_still_has_an_arrow() -> None:
    item = Interaction("wearing", 0.8, Entity("person", (10, 10, 50, 50)), Entity("shirt", (10, 10, 50, 50)))
    figure = scene(PICTURE, [item])
    (arrow,) = (patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch))
    ends = arrow.get_path().get_extents()
    assert ends.width + ends.height > 10


def test_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        scene(np.zeros((3, 4)), ())  # type: ignore[arg-type]
