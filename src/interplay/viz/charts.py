"""Bars per class, learning curves, and intervals along a recording."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from interplay.evaluation.classification import ClassRow
from interplay.interactions import NONE_OF_THE_KNOWN, Interaction
from interplay.viz.style import FAINT, INK, PALETTE, colour, grid, new_figure, shorten, styled


@styled
def per_class_bars(rows: Sequence[ClassRow], title: str = "Accuracy per class", limit: int = 60) -> Figure:
    """Accuracy (recall) of each class with its 95 % Wilson interval; the number of clips stands at the right.

    With more than ``limit`` classes the best and the worst are drawn, ``limit`` in all.
    """
    present = [row for row in rows if row.count]
    if not present:
        raise ValueError("no class with a sample: nothing to draw")
    if len(present) > limit:
        ordered = sorted(present, key=lambda row: -row.recall)
        present = ordered[: limit // 2] + ordered[-(limit - limit // 2) :]
        title = f"{title} (best and worst of {len(ordered)})"
    figure = new_figure(7.6, 1.3 + 0.235 * len(present))
    axes = figure.add_subplot()
    positions = np.arange(len(present))
    values = np.array([row.recall for row in present])
    low, high = (np.array([getattr(row, end) for row in present]) for end in ("low", "high"))
    axes.barh(positions, 100 * values, height=0.68, color="#7fb2d6")
    errors = 100 * np.clip(np.stack([values - low, high - values]), 0, None)
    axes.errorbar(100 * values, positions, xerr=errors, fmt="none", ecolor=INK, elinewidth=0.9, capsize=2.0)
    mean = 100 * float(values.mean())
    axes.axvline(mean, color=PALETTE[1], linewidth=1.2, linestyle=(0, (4, 2)))
    axes.set_yticks(positions, [shorten(row.name, 36) for row in present])
    for position, row in zip(positions, present, strict=True):
        axes.text(101.5, float(position), f"{row.correct}/{row.count}", va="center", fontsize=7.5, color=FAINT)
    axes.set(xlim=(0, 100), ylim=(len(present) - 0.4, -0.6), xlabel="accuracy in %, with 95 % interval")
    axes.tick_params(axis="y", length=0)
    axes.legend(
        [Line2D([], [], color=PALETTE[1], linestyle=(0, (4, 2)))],
        [f"mean over classes: {mean:.1f} %"],
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.2,
    )
    axes.set_title(title)
    grid(axes, "x")
    return figure


@styled
def learning_curves(history: Mapping[str, Sequence[float]], x: str = "epoch", title: str = "Learning curves") -> Figure:
    """One panel per measured quantity over the epochs; a quantity's parts (train, validation, …) share its panel.

    Args:
        history: column → one value per row, NaN where nothing was measured. A column is ``part/quantity`` or
            ``part_quantity`` with part one of train, validation (val), test; anything else is a panel of its own.
            ``step`` and ``seconds`` are not drawn.
        x: the column along the horizontal axis.
    """
    panels: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    steps = np.asarray(history.get(x, range(max((len(v) for v in history.values()), default=0))), dtype=np.float64)
    for name, values in history.items():
        numbers = np.asarray(values, dtype=np.float64)
        measured = np.isfinite(numbers) & np.isfinite(steps[: len(numbers)])
        if name in (x, "step", "seconds") or not measured.any():
            continue
        part, quantity = _part(name)
        panels.setdefault(quantity, {})[part] = (steps[: len(numbers)][measured], numbers[measured])
    if not panels:
        raise ValueError("no measured quantity: nothing to draw")
    columns = 4 if len(panels) == 4 else min(len(panels), 3)
    rows = math.ceil(len(panels) / columns)
    figure = new_figure((3.3 if columns == 4 else 3.9) * columns, 2.9 * rows + 0.3)
    shades = {"train": PALETTE[0], "validation": PALETTE[1], "test": PALETTE[2], "": PALETTE[6]}
    for index, (quantity, lines) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, index + 1)
        for part, (at, measurements) in lines.items():
            style = "o-" if len(at) == 1 else "-"
            axes.plot(
                at, measurements, style, color=shades.get(part, PALETTE[6]), linewidth=1.6, label=part, markersize=4
            )
        axes.set_title(quantity.replace("_", " "))
        axes.set_xlabel(x)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.margins(x=0.02)
        grid(axes)
        if any(lines):
            axes.legend(loc="best")
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def _part(name: str) -> tuple[str, str]:
    aliases = {"train": "train", "training": "train", "val": "validation", "valid": "validation"}
    aliases |= {"validation": "validation", "test": "test"}
    for separator in ("/", "_"):
        head, _, tail = name.partition(separator)
        if tail and head in aliases:
            return aliases[head], tail
    return "", {"lr": "learning rate"}.get(name, name)


@styled
def timeline(
    predicted: Sequence[Interaction],
    true: Sequence[Interaction] | None = None,
    duration: float | None = None,
    title: str = "",
) -> Figure:
    """Intervals along a recording: a lane of true ones above a lane of predicted ones, labels inside or beside.

    Args:
        predicted, true: with start and end in seconds; None for ``true`` draws one lane.
        duration: of the recording in seconds; None for the last end.
    """
    lanes = [("true", list(true))] if true is not None else []
    lanes.append(("predicted", list(predicted)))
    every = [interval for _, intervals in lanes for interval in intervals]
    if any(interval.start is None or interval.end is None for interval in every):
        raise ValueError("a timeline needs intervals with start and end")
    end = duration or max((interval.end or 0.0 for interval in every), default=1.0) or 1.0
    labels = sorted({interval.label for interval in every} - {NONE_OF_THE_KNOWN})
    shades = {label: colour(index) for index, label in enumerate(labels)} | {NONE_OF_THE_KNOWN: "#c3c9d0"}
    figure = new_figure(9.5, 1.15 + 0.62 * len(lanes) + 0.2 * math.ceil(len(shades) / 5))
    axes = figure.add_subplot()
    for lane, (_, intervals) in enumerate(lanes):
        for interval in intervals:
            assert interval.start is not None
            assert interval.end is not None
            width = interval.end - interval.start
            alpha = 1.0 if lane == 0 and len(lanes) == 2 else 0.45 + 0.55 * interval.score
            axes.barh(lane, width, left=interval.start, height=0.62, color=shades[interval.label], alpha=alpha)
            _name(axes, interval, lane, width / end, shades[interval.label], alpha)
    axes.set(xlim=(0, end), ylim=(len(lanes) - 0.5, -0.5), xlabel="time in seconds")
    axes.set_yticks(range(len(lanes)), [name for name, _ in lanes])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_title(title)
    grid(axes, "x")
    used = [label for label in shades if any(interval.label == label for interval in every)]
    if used:
        handles = [Patch(color=shades[label]) for label in used]
        names = [shorten(label, 30) for label in used]
        figure.legend(handles, names, loc="outside lower center", ncols=min(5, len(used)), handlelength=1.0)
    return figure


def _name(axes: Axes, interval: Interaction, lane: int, share: float, shade: str, alpha: float) -> None:
    """Write the label into its bar where it fits (about 105 characters go across the whole axis)."""
    text = interval.label if interval.score >= 1.0 else f"{interval.label} {100 * interval.score:.0f} %"
    room = int(share * 105) - 1
    if room < 4:
        return
    if len(text) > room:
        text = shorten(interval.label, room)
    assert interval.start is not None
    assert interval.end is not None
    middle = (interval.start + interval.end) / 2
    # Dark on light, light on dark: relative luminance of the bar over white.
    seen = alpha * np.array(to_rgb(shade)) + 1 - alpha
    ink = INK if float(seen @ (0.2126, 0.7152, 0.0722)) > 0.52 else "white"
    axes.text(middle, lane, text, ha="center", va="center", fontsize=8, color=ink, clip_on=True)
