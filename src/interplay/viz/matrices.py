"""Confusion matrices (Figs 5 and 6 of the me-GCN paper)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from interplay.evaluation.classification import row_normalised
from interplay.viz.style import FAINT, INK, new_figure, shorten, styled

_NAMED_COLUMNS = 12
_NAMED_ROWS = 60
_LONGEST_NAME = 34


@styled
def confusion_matrix(counts: NDArray[np.int64], classes: Sequence[str], title: str = "") -> Figure:
    """Row-normalised confusion matrix: the share of each true class (row) that was called each class (column).

    Percentages stand in the cells where they can be read; rows of classes that do not occur are grey. Up to 12
    classes are named on both axes, up to 60 on the rows with their numbers on the columns.

    Args:
        counts: int64 (K, K), true class × predicted class.
        classes: K names.
    """
    if not classes:
        raise ValueError("no class: nothing to draw")
    width, height = _size(classes)
    figure = new_figure(width, height)
    axes = figure.add_subplot()
    image = _draw(axes, counts, classes, title, names=True)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=30, pad=0.015, ticks=[0, 0.25, 0.5, 0.75, 1])
    bar.ax.set_yticklabels(["0", "25", "50", "75", "100 %"])
    bar.outline.set_visible(False)
    return figure


@styled
def confusion_matrices(matrices: Sequence[tuple[str, NDArray[np.int64]]], classes: Sequence[str]) -> Figure:
    """Several protocols or models side by side, under the same classes; names stand once, at the left.

    Args:
        matrices: (title, counts (K, K)) of each.
    """
    if not matrices or not classes:
        raise ValueError("no confusion matrix to draw")
    width, height = _size(classes)
    side = min(max(2.4, 0.34 * len(classes)), 9.5)
    figure = new_figure(width + (len(matrices) - 1) * (side + 0.5), height)
    for index, (title, counts) in enumerate(matrices):
        axes = figure.add_subplot(1, len(matrices), index + 1)
        image = _draw(axes, counts, classes, title, names=index == 0)
    bar = figure.colorbar(image, ax=figure.axes, shrink=0.6, aspect=30, pad=0.01, ticks=[0, 0.25, 0.5, 0.75, 1])
    bar.ax.set_yticklabels(["0", "25", "50", "75", "100 %"])
    bar.outline.set_visible(False)
    return figure


def _size(classes: Sequence[str]) -> tuple[float, float]:
    """Inches for a square matrix with its names (about 0.078 inches a character) and the colour bar."""
    number = len(classes)
    side = min(max(2.4, 0.34 * number), 9.5)
    names = 0.078 * min(max(map(len, classes)), _LONGEST_NAME) if number <= _NAMED_ROWS else 0.45
    names += 0.35 if _NAMED_COLUMNS < number <= _NAMED_ROWS else 0.0  # the class numbers
    below = 0.7 + 0.64 * names if number <= _NAMED_COLUMNS else 0.75
    return side + names + 1.25, side + below + 0.3


def _draw(axes: Axes, counts: NDArray[np.int64], classes: Sequence[str], title: str, names: bool) -> AxesImage:
    number = len(classes)
    if counts.shape != (number, number) or number == 0:
        raise ValueError(f"counts must be ({number}, {number}) for {number} classes, got {counts.shape}")
    shares = row_normalised(counts)
    blues = colormaps["Blues"].with_extremes(bad="#eceef0")
    image = axes.imshow(np.ma.masked_invalid(shares), cmap=blues, vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title)
    axes.set_xlabel("predicted")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    if number <= _NAMED_ROWS:
        axes.set_xticks(np.arange(number + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(number + 1) - 0.5, minor=True)
        axes.grid(visible=True, which="minor", color="white", linewidth=0.8)
        axes.tick_params(which="minor", length=0)
        numbered = number > _NAMED_COLUMNS
        labels = [shorten(name, _LONGEST_NAME) for name in classes]
        rows = [f"{name}  {index + 1}" for index, name in enumerate(labels)] if numbered else labels
        axes.set_yticks(
            range(number), rows if names else [str(index + 1) if numbered else "" for index in range(number)]
        )
        if numbered:
            axes.set_xticks(range(number), [str(index + 1) for index in range(number)], fontsize=7)
        else:
            axes.set_xticks(range(number), labels, rotation=40, ha="right", rotation_mode="anchor")
        if names:
            axes.set_ylabel("true")
    else:
        step = 10 ** max(int(np.log10(number)) - 1, 1)
        ticks = np.arange(0, number, step)
        axes.set_xticks(ticks, [str(tick + 1) for tick in ticks], rotation=90)
        axes.set_yticks(ticks, [str(tick + 1) for tick in ticks])
        axes.set_ylabel("true (class number)")
    if number <= 40:
        size = 9.0 if number <= 10 else 7.5 if number <= 16 else 6.0
        for row, column in np.argwhere(np.round(100 * np.nan_to_num(shares)) >= 1):
            share = shares[row, column]
            axes.text(
                column,
                row,
                f"{100 * share:.0f}",
                ha="center",
                va="center",
                fontsize=size,
                color="white" if share > 0.55 else INK if row == column or share >= 0.05 else FAINT,
            )
    return image
