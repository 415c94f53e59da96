"""t-SNE pictures of what a model tells apart (Fig. 3 of the me-GCN paper)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from interplay.viz.style import FAINT, colour, marker, new_figure, shorten, styled


def embed(features: NDArray[np.floating[Any]], seed: int = 0) -> NDArray[np.float64]:
    """t-SNE to the plane, min–max scaled to [0, 1] on each axis; float64 (N, 2).

    scikit-learn's ``TSNE(2, init="pca", random_state=seed)``, as the authors draw Fig. 3. Its perplexity of 30 needs
    a few hundred samples; with fewer it is (N − 1) / 3. Features that are all alike sit in the middle.

    Args:
        features: (N, D), one row per sample; pooled features or class scores.
    """
    from sklearn.manifold import TSNE

    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(f"features must be finite, (samples, channels), got shape {values.shape}")
    count = len(values)
    if count < 4 or np.allclose(values, values[:1]):
        # Too few for a neighbourhood: the first two channels, if any.
        points = np.zeros((count, 2))
        points[:, : min(2, values.shape[1])] = values[:, :2]
    else:
        if values.shape[1] == 1:
            values = np.concatenate([values, np.zeros_like(values)], axis=1)
        perplexity = min(30.0, (count - 1) / 3)
        points = TSNE(2, init="pca", random_state=seed, perplexity=perplexity).fit_transform(values).astype(np.float64)
    low, high = (points.min(axis=0), points.max(axis=0)) if count else (np.zeros(2), np.zeros(2))
    extent = high - low
    return np.where(extent > 0, (points - low) / np.where(extent > 0, extent, 1.0), 0.5)


@styled
def scatter(points: NDArray[np.float64], labels: NDArray[np.int64], classes: Sequence[str], title: str = "") -> Figure:
    """One embedding; each class has its own colour and marker, and a line in the legend with its number of samples."""
    columns = 1 if len(classes) <= 30 else math.ceil(len(classes) / 30)
    # The legend needs about 0.078 inches a character.
    longest = min(max(map(len, classes), default=0), 30) + 6
    legend = columns * (0.6 + 0.078 * longest) if len(classes) <= 72 else 0.0
    figure = new_figure(5.5 + legend, 5.6)
    axes = figure.add_subplot()
    _draw(axes, points, labels, len(classes), title)
    if len(classes) <= 72:
        counts = np.bincount(labels[labels >= 0], minlength=len(classes))
        names = [f"{shorten(name, 30)} ({count})" for name, count in zip(classes, counts, strict=True)]
        figure.legend(_handles(len(classes)), names, loc="outside right center", ncols=columns, labelspacing=0.45)
    return figure


@styled
def scatters(panels: Sequence[tuple[str, NDArray[np.float64], NDArray[np.int64]]], classes: Sequence[str]) -> Figure:
    """Several models side by side under one legend: (title, points (N, 2), labels (N,)) of each."""
    if not panels:
        raise ValueError("no embedding to draw")
    columns = min(len(panels), 4)
    rows = math.ceil(len(panels) / columns)
    width = 3.4 * columns
    across = max(1, int(width / 2.3))
    lines = math.ceil(len(classes) / across) if len(classes) <= 72 else 0
    figure = new_figure(width, 3.5 * rows + 0.19 * lines + 0.2)
    for index, (title, points, labels) in enumerate(panels):
        _draw(figure.add_subplot(rows, columns, index + 1), points, labels, len(classes), title)
    if lines:
        names = [shorten(name, 30) for name in classes]
        figure.legend(_handles(len(classes)), names, loc="outside lower center", ncols=across, fontsize=7.5)
    return figure


def _handles(classes: int) -> list[Line2D]:
    return [
        Line2D([], [], linestyle="", marker=marker(index), color=colour(index), markersize=5.5)
        for index in range(classes)
    ]


def _draw(axes: Axes, points: NDArray[np.float64], labels: NDArray[np.int64], classes: int, title: str) -> None:
    if points.shape != (len(labels), 2):
        raise ValueError(f"points must be ({len(labels)}, 2) for {len(labels)} labels, got {points.shape}")
    size = float(np.clip(9000 / max(len(points), 1), 5, 26))
    stranger = labels < 0
    if stranger.any():
        axes.scatter(points[stranger, 0], points[stranger, 1], s=size, color=FAINT, marker=".", alpha=0.5, linewidths=0)
    for index in range(classes):
        mine = points[labels == index]
        if len(mine):
            shade, shape = colour(index), marker(index)
            # A star fills less of its box than a square does.
            area = size * {"*": 1.9, "P": 1.3, "X": 1.3, "^": 1.3, "v": 1.3}.get(shape, 1.0)
            axes.scatter(mine[:, 0], mine[:, 1], s=area, color=shade, marker=shape, alpha=0.75, linewidths=0)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[], yticks=[], aspect="equal")
    axes.set_title(title)
    for spine in axes.spines.values():
        spine.set_visible(True)
