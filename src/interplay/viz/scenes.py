"""A picture with what was found in it: boxes, arrows from subjects to objects, and the predicates on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.patheffects import withStroke

from interplay.interactions import Box, Entity, Interaction, Prediction
from interplay.viz.canvas import Picture, check_picture, draw_boxes, show
from interplay.viz.style import FAINT, INK, colour, new_figure, shorten, styled

_FONT = 7.0
_BEND = 0.18
Point = tuple[float, float]


@dataclass(frozen=True)
class _Tag:
    """A rectangle of text in pixels of the picture."""

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: _Tag) -> float:
        """Shared area."""
        across = (self.width + other.width) / 2 - abs(self.x - other.x)
        down = (self.height + other.height) / 2 - abs(self.y - other.y)
        return max(across, 0.0) * max(down, 0.0)


@styled
def scene(picture: Picture, found: Prediction | Sequence[Interaction], most: int = 12, width: float = 7.0) -> Figure:
    """The picture with the best interactions drawn, and beside it all of these as text.

    Entities have one colour each; an arrow has the colour of its subject. Predicates stand where they cover the least
    of what is written already. Interactions without boxes are only listed.

    Args:
        picture: uint8 (H, W, 3).
        found: a prediction or its interactions, boxes in the picture's pixels.
        most: interactions drawn and listed, best first.
        width: inches of the picture.
    """
    check_picture(picture)
    interactions = found.interactions if isinstance(found, Prediction) else tuple(found)
    chosen = sorted(interactions, key=lambda item: -item.score)[:most]
    entities = _entities(chosen)
    height = width * picture.shape[0] / picture.shape[1]
    lines = max(len(chosen) + 2, 4)
    figure = new_figure(width + 3.1, max(height, 0.19 * lines) + 0.15)
    left, right = figure.subplots(1, 2, width_ratios=(width, 3.0))
    show(left, picture)
    boxes = np.array([entity.box for entity in entities], dtype=np.float64).reshape(-1, 4)
    draw_boxes(left, boxes)
    pixels = picture.shape[1] / (width * 72)  # of the picture in one point
    placed: list[_Tag] = []
    for index, entity in enumerate(entities):
        _name(left, entity, colour(index), pixels, placed, picture.shape[0])
    placed += [_Tag(x, y, 9 * pixels, 9 * pixels) for x, y in (_middle(entity) for entity in entities)]
    seen: dict[tuple[int, int], int] = {}
    for number, item in enumerate(chosen, start=1):
        ends = _ends(item, entities)
        if ends is not None:
            twin = seen.get(ends, 0)
            seen[ends] = twin + 1
            _arrow(left, item, entities, ends, number, twin, pixels, placed, (picture.shape[1], picture.shape[0]))
    for index, entity in enumerate(entities):
        left.plot(*_middle(entity), "o", color=colour(index), markersize=4, markeredgecolor="white", zorder=4)
    _listing(right, chosen, entities, len(interactions))
    return figure


def _entities(chosen: Sequence[Interaction]) -> list[Entity]:
    """Every entity with a box, once; the same box and class is the same entity."""
    found: dict[tuple[str, Box], Entity] = {}
    for item in chosen:
        for entity in (item.subject, item.object):
            if entity is not None and entity.box is not None:
                found.setdefault((entity.label, entity.box), entity)
    return list(found.values())


def _ends(item: Interaction, entities: Sequence[Entity]) -> tuple[int, int] | None:
    """Indices of subject and object, or None where one has no box."""
    keys = [(entity.label, entity.box) for entity in entities]
    if item.subject is None or item.object is None or item.subject.box is None or item.object.box is None:
        return None
    return keys.index((item.subject.label, item.subject.box)), keys.index((item.object.label, item.object.box))


def _middle(entity: Entity) -> Point:
    assert entity.box is not None
    x1, y1, x2, y2 = entity.box
    return (x1 + x2) / 2, (y1 + y2) / 2


def _name(axes: Axes, entity: Entity, shade: str, pixels: float, placed: list[_Tag], bottom: int) -> None:
    """An entity's class at whichever corner of its box is freest; ``placed`` gets the tag."""
    assert entity.box is not None
    x1, y1, x2, y2 = entity.box
    text = shorten(entity.label, 20)
    width, height = _extent(text, pixels)
    corners = [
        _Tag(x, min(max(y, height / 2), bottom - height / 2), width, height)
        for y in (y1 - height / 2, y1 + height / 2, y2 - height / 2, y2 + height / 2)
        for x in (x1 + width / 2, max(x2 - width / 2, x1 + width / 2))
    ]
    best = min(corners, key=lambda tag: sum(tag.overlap(other) for other in placed))  # the first of equals
    placed.append(best)
    axes.text(
        best.x, best.y, text, color="white", fontsize=_FONT, ha="center", va="center", zorder=4,
        bbox={"facecolor": shade, "edgecolor": "none", "pad": 1.2},
    )  # fmt: skip


def _extent(text: str, pixels: float) -> tuple[float, float]:
    """About the size of a tag, in pixels of the picture."""
    return (0.58 * len(text) + 1.2) * _FONT * pixels, 1.75 * _FONT * pixels


def _bent(start: Point, end: Point, bend: float, share: float) -> Point:
    """A point of the quadratic curve that an arrow with ``arc3`` follows."""
    (x1, y1), (x2, y2) = start, end
    control = (x1 + x2) / 2 + bend * (y2 - y1), (y1 + y2) / 2 - bend * (x2 - x1)
    a, b, c = (1 - share) ** 2, 2 * share * (1 - share), share**2
    return a * x1 + b * control[0] + c * x2, a * y1 + b * control[1] + c * y2


def _arrow(
    axes: Axes,
    item: Interaction,
    entities: Sequence[Entity],
    ends: tuple[int, int],
    number: int,
    twin: int,
    pixels: float,
    placed: list[_Tag],
    extent: tuple[int, int],
) -> None:
    """One arrow with its predicate; ``placed`` gets the new tag."""
    start, end = _middle(entities[ends[0]]), _middle(entities[ends[1]])
    if math.dist(start, end) < 12 * pixels:  # on top of each other: a short arrow that leaves room for itself
        end = end[0] + 30 * pixels, end[1] - 14 * pixels
    bend = _BEND + 0.16 * twin  # a second predicate of the same two takes a wider way
    shade = colour(ends[0])
    axes.add_patch(
        FancyArrowPatch(
            start, end, connectionstyle=f"arc3,rad={-bend}", arrowstyle="-|>", mutation_scale=9, color=shade,
            linewidth=1.5, shrinkA=3, shrinkB=4, zorder=3,
            path_effects=[withStroke(linewidth=3.2, foreground="white", alpha=0.75)],
        )
    )  # fmt: skip
    text = f"{number} {shorten(item.label, 22)}"
    width, height = _extent(text, pixels)
    best, least = None, math.inf
    for share in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8):
        x, y = _bent(start, end, bend, share)
        for aside in (0, 1, -1, 2, -2):
            tag = _Tag(
                min(max(x, width / 2), extent[0] - width / 2),
                min(max(y + aside * height, height / 2), extent[1] - height / 2),
                width,
                height,
            )
            covered = sum(tag.overlap(other) for other in placed) / (width * height)
            cost = covered + 0.08 * abs(aside) + 0.1 * abs(share - 0.5)
            if cost < least:
                best, least = tag, cost
    assert best is not None
    placed.append(best)
    axes.text(
        best.x, best.y, text, fontsize=_FONT, color=INK, ha="center", va="center", zorder=5,
        bbox={"boxstyle": "round,pad=0.22", "facecolor": "white", "edgecolor": shade, "linewidth": 0.9, "alpha": 0.93},
    )  # fmt: skip


def _listing(axes: Axes, chosen: Sequence[Interaction], entities: Sequence[Entity], total: int) -> None:
    """Number, triplet and score, a line each, with the subject's colour."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    lines = max(len(chosen) + 2, 4)
    axes.set_ylim(lines, 0)
    for line, item in enumerate(chosen):
        subject = "?" if item.subject is None else item.subject.label
        object_ = "?" if item.object is None else item.object.label
        ends = _ends(item, entities)
        axes.text(0.0, line + 0.5, f"{line + 1}", fontsize=_FONT, color=FAINT if ends is None else colour(ends[0]),
                  va="center", fontweight="bold")  # fmt: skip
        subject, object_ = shorten(subject, 16), shorten(object_, 16)
        label = shorten(item.label, 46 - len(subject) - len(object_))  # what fits beside the score
        text = f"{subject}  {label}  {object_}"
        axes.text(0.08, line + 0.5, text, fontsize=_FONT, va="center")
        axes.text(1.0, line + 0.5, f"{item.score:.2f}", fontsize=_FONT, color=FAINT, va="center", ha="right")
    rest = total - len(chosen)
    note = "nothing found" if not total else f"and {rest} more" if rest else ""
    axes.text(0.08, len(chosen) + 0.5, note, fontsize=_FONT, color=FAINT, va="center")
