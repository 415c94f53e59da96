"""Charts about a scene-graph model: recall per predicate and per group, and a figure over an option's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from interplay.viz.style import FAINT, INK, PALETTE, grid, new_figure, shorten, styled

GROUP_COLOURS: Mapping[str, str] = {"head": "#7fb2d6", "body": "#8fc9a8", "tail": "#e8b27d", "": "#b9c0c9"}


@styled
def predicate_bars(
    names: Sequence[str],
    recalls: NDArray[np.floating[Any]],
    counts: NDArray[Any],
    groups: Mapping[str, Sequence[int]],
    title: str,
    limit: int = 60,
) -> Figure:
    """Recall of each predicate as bars in the colour of its group, the most frequent first; pictures that have it at
    the right. Predicates that never occur are left out; of more than ``limit`` the most frequent are drawn.

    Args:
        names: of predicates 1 … P − 1.
        recalls: (P − 1,) fractions.
        counts: (P − 1,) pictures that have the predicate.
        groups: name → predicates (≥ 1).
    """
    order = [int(place) for place in np.argsort(-np.asarray(counts), kind="stable") if counts[place] > 0]
    if not order:
        raise ValueError("no predicate occurs: nothing to draw")
    if len(order) > limit:
        title = f"{title} ({limit} most frequent of {len(order)})"
        order = order[:limit]
    member = {predicate - 1: group for group, predicates in groups.items() for predicate in predicates}
    figure = new_figure(7.6, 1.3 + 0.235 * len(order))
    axes = figure.add_subplot()
    positions = np.arange(len(order))
    values = 100 * np.asarray(recalls, dtype=np.float64)[order]
    shades = [GROUP_COLOURS.get(member.get(place, ""), GROUP_COLOURS[""]) for place in order]
    axes.barh(positions, values, height=0.68, color=shades)
    mean = float(100 * np.asarray(recalls, dtype=np.float64).mean())
    axes.axvline(mean, color=PALETTE[1], linewidth=1.2, linestyle=(0, (4, 2)))
    axes.set_yticks(positions, [shorten(names[place], 36) for place in order])
    for position, place in zip(positions, order, strict=True):
        axes.text(101.5, float(position), f"{int(counts[place])}", va="center", fontsize=7.5, color=FAINT)
    axes.set(xlim=(0, 100), ylim=(len(order) - 0.4, -0.6), xlabel="recall in %; pictures at the right")
    axes.tick_params(axis="y", length=0)
    handles: list[Any] = [Patch(color=GROUP_COLOURS[group]) for group in groups if group in GROUP_COLOURS]
    words = [group for group in groups if group in GROUP_COLOURS]
    handles.append(Line2D([], [], color=PALETTE[1], linestyle=(0, (4, 2))))
    axes.legend(
        handles, [*words, f"mean over predicates: {mean:.1f} %"], loc="lower right", bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.2, ncols=len(handles),
    )  # fmt: skip
    axes.set_title(title, pad=22)
    grid(axes, "x")
    return figure


@styled
def group_bars(
    groups: Sequence[str],
    values: Mapping[str, Sequence[float]],
    intervals: Mapping[str, Sequence[tuple[float, float] | None]] | None = None,
    title: str = "Head, body and tail",
) -> Figure:
    """Bars of each figure in each group, in per cent, with intervals where there are some.

    Args:
        groups: names along the horizontal axis.
        values: figure → a fraction per group.
        intervals: figure → (low, high) per group.
    """
    if not groups or not values:
        raise ValueError("no group: nothing to draw")
    figure = new_figure(1.6 + 1.45 * len(groups), 3.2)
    axes = figure.add_subplot()
    width = 0.8 / len(values)
    for number, (name, heights) in enumerate(values.items()):
        at = np.arange(len(groups)) + (number - (len(values) - 1) / 2) * width
        axes.bar(at, 100 * np.asarray(heights), width=0.92 * width, color=PALETTE[number % len(PALETTE)], label=name)
        for place, bounds in enumerate((intervals or {}).get(name, ())):
            if bounds is not None:
                axes.vlines(at[place], 100 * bounds[0], 100 * bounds[1], color=INK, linewidth=0.9)
    axes.set_xticks(range(len(groups)), list(groups))
    axes.set(ylim=(0, None), ylabel="per cent", title=title)
    axes.legend(loc="best")
    grid(axes)
    return figure


@styled
def swept(
    labels: Sequence[str],
    lines: Mapping[str, Sequence[float]],
    deviations: Mapping[str, Sequence[float]],
    baseline: Mapping[str, float],
    what: str,
    title: str,
) -> Figure:
    """Figures over the values of an option (SIL Figs 3 and 4), each with its level without SIL as a dashed line.

    Args:
        labels: values along the horizontal axis.
        lines: figure → a fraction per value.
        deviations: figure → deviation over seeds per value, NaN where there is one seed.
        baseline: figure → fraction without SIL; may lack some.
        what: the option.
    """
    if not labels or not lines:
        raise ValueError("no value: nothing to draw")
    figure = new_figure(5.2, 3.4)
    axes = figure.add_subplot()
    at = np.arange(len(labels))
    for number, (name, values) in enumerate(lines.items()):
        shade = PALETTE[number % len(PALETTE)]
        spread = 100 * np.nan_to_num(np.asarray(deviations.get(name, [np.nan] * len(labels)), dtype=np.float64))
        axes.errorbar(
            at, 100 * np.asarray(values), yerr=spread, color=shade, marker="o", markersize=4, linewidth=1.6,
            capsize=2.5, label=name,
        )  # fmt: skip
        if name in baseline:
            axes.axhline(100 * baseline[name], color=shade, linewidth=1.0, linestyle=(0, (4, 2)))
    axes.set_xticks(at, list(labels))
    axes.set(xlabel=what, ylabel="per cent")
    axes.set_title(title)
    handles, words = axes.get_legend_handles_labels()
    if baseline:
        handles.append(Line2D([], [], color=FAINT, linestyle=(0, (4, 2))))
        words.append("without SIL")
    figure.legend(handles, words, loc="outside lower center", ncols=len(handles))
    grid(axes)
    return figure
