"""Structures of graph operations drawn, which classes use them, and how a search went (AGOS Figs 4 to 6)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import networkx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from interplay.viz.style import FAINT, INK, PALETTE, colour, grid, new_figure, shorten, styled

OPERATION_COLOURS: Mapping[str, str] = {
    "difference": PALETTE[0],
    "difference_propagation": PALETTE[0],
    "temporal": PALETTE[1],
    "temporal_convolution": PALETTE[1],
    "background": PALETTE[2],
    "background_incorporation": PALETTE[2],
    "feature_aggregation": PALETTE[3],
    "node_attention": PALETTE[6],
    "identity": "#9aa3ad",
    "zero": "#d3d8de",
}
"""One colour per operation in every picture; a fixed substructure has that of the operation it begins with."""
OTHER = "#e4e7eb"
_UNKNOWN = "#7a7a7a"
_NAME = 58
Named = tuple[str, Mapping[str, NDArray[np.floating[Any]]]]


def operation_colour(name: str) -> str:
    return OPERATION_COLOURS.get(name, _UNKNOWN)


def in_words(name: str) -> str:
    """An operation's name for people."""
    return {"zero": "none"}.get(name, name.replace("_", " "))


# -- a structure -------------------------------------------------------------------------------------------------------


@styled
def structure_drawings(drawn: Sequence[tuple[str, networkx.DiGraph]], columns: int = 2) -> Figure:
    """Cells as graphs (Fig. 4): supernodes from left to right, an arrow per superedge in its operation's colour.

    Superedges that carry nothing ("zero") are dotted and without a name.

    Args:
        drawn: (title, graph) each; nodes 0 (input), 1 … K and "output", edges with ``operation``.
        columns: pictures beside each other.

    Raises:
        ValueError: nothing to draw.
    """
    if not drawn:
        raise ValueError("no structure: nothing to draw")
    columns = min(columns, len(drawn))
    rows = math.ceil(len(drawn) / columns)
    figure = new_figure(4.9 * columns, 2.75 * rows + 0.35)
    used: dict[str, str] = {}
    for place, (title, graph) in enumerate(drawn):
        axes = figure.add_subplot(rows, columns, place + 1)
        used |= _cell(axes, graph)
        axes.set_title(shorten(title, 64), fontsize=9)
    order = [name for name in OPERATION_COLOURS if name in used]
    _operations_legend(figure, order)
    return figure


def _operations_legend(figure: Figure, names: Sequence[str]) -> None:
    """The operations' colours below everything, as many in a line as fit (about 0.075 inches a character)."""
    words = [in_words(name) for name in names]
    widest = 0.65 + 0.075 * max((len(word) for word in words), default=0)
    columns = max(1, min(5, len(words), int(figure.get_figwidth() / widest)))
    figure.set_figheight(figure.get_figheight() + 0.2 * (math.ceil(len(words) / columns) - 1))
    handles = [Patch(color=operation_colour(name)) for name in names]
    figure.legend(handles, words, loc="outside lower center", ncols=columns)


def _cell(axes: Axes, graph: networkx.DiGraph) -> dict[str, str]:
    """One cell; returns the operations in it."""
    middle = sorted(node for node in graph if isinstance(node, int))
    last = middle[-1]
    at = {node: float(node) for node in middle} | {"output": last + 1.0}
    most = 1.0
    used: dict[str, str] = {}
    for source, target, values in graph.edges(data=True):
        if target == "output":
            _to_output(axes, at[source], at["output"], last)
            continue
        name = str(values["operation"])
        used[name] = name
        length = target - source
        # Arcs that begin at even supernodes go above, the others below: no two then share a lane.
        side = 0.0 if length == 1 else (1.0 if source % 2 == 0 else -1.0)
        height = side * (0.32 + 0.33 * (length - 2) + (0.16 if length > 2 else 0.0))
        most = max(most, abs(height) + 0.25)
        _arrow(axes, at[source], at[target], height, name)
    for node, x in at.items():
        text = {"output": "output", 0: "input"}.get(node, f"N-{node}")
        axes.plot([x], [0], "o", markersize=19 if node not in ("output", 0) else 23, color="white",
                  markeredgecolor=INK, markeredgewidth=1.0, zorder=5)  # fmt: skip
        axes.text(x, 0, text, ha="center", va="center", fontsize=6.6, zorder=6)
    axes.set(xlim=(-0.32, last + 1.32), ylim=(-0.95, 0.2 + 0.33 * max(last - 1, 1) + 0.35))
    axes.set_axis_off()
    return used


def _arrow(axes: Axes, x0: float, x1: float, height: float, name: str) -> None:
    shade, nothing = operation_colour(name), name == "zero"
    reach = 0.17
    # A quadratic curve through the apex: its control point lies twice as high.
    bend = -2 * height / (x1 - x0)
    axes.add_patch(
        FancyArrowPatch(
            (x0 + (reach if not height else 0.07), 0.11 * np.sign(height)),
            (x1 - (reach if not height else 0.07), 0.11 * np.sign(height)),
            connectionstyle=f"arc3,rad={bend:.3f}",
            arrowstyle="-|>",
            mutation_scale=10,
            color=shade,
            linewidth=1.0 if nothing else 2.0,
            linestyle=(0, (1.5, 2)) if nothing else "solid",
            zorder=2,
        )
    )
    if nothing:
        return
    y = height + (0.1 * float(np.sign(height)) if height else 0.15)
    words = {"feature": "feat aggr", "difference": "diff", "temporal": "temp", "background": "back", "node": "node att"}
    text = words.get(name.split("_")[0], name)
    axes.text(
        (x0 + x1) / 2, y, text, fontsize=6.6, ha="center", va="center", color=shade, zorder=4, fontweight="bold",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.9},
    )  # fmt: skip


def _to_output(axes: Axes, x: float, end: float, last: int) -> None:
    """Concatenation: from every intermediate supernode, in grey along the bottom."""
    drop = -0.62 - 0.1 * (last - x) / max(last, 1)
    if x == last:
        axes.annotate("", (end - 0.19, 0), (x + 0.17, 0), arrowprops={"arrowstyle": "-|>", "color": FAINT, "lw": 0.8})
        return
    axes.plot([x, x, end, end], [-0.13, drop, drop, -0.16], color=FAINT, linewidth=0.6, alpha=0.7, zorder=1)


# -- structures and classes --------------------------------------------------------------------------------------------


@styled
def structure_histogram(
    classes: Sequence[str],
    shares: Sequence[tuple[str, NDArray[np.floating[Any]]]],
    title: str = "Structures of each class",
    limit: int = 60,
) -> Figure:
    """Share of each class's clips with each structure (Fig. 6); what the other structures have is light grey.

    Up to ``limit`` classes stand one below the other with their names; more stand side by side by their index.

    Args:
        shares: (title of a structure, (K,) shares, NaN where a class has no clip) each, the most frequent first.
    """
    present = [k for k in range(len(classes)) if shares and not np.isnan(shares[0][1][k])]
    if not present:
        raise ValueError("no class with a clip: nothing to draw")
    values = np.stack([np.asarray(one, np.float64)[present] for _, one in shares])
    rest = np.clip(1 - values.sum(0), 0, 1)
    bars = [*((name, row, colour(place)) for place, (name, _) in enumerate(shares) for row in [values[place]])]
    if rest.max(initial=0.0) > 1e-9:
        bars.append(("other structures", rest, OTHER))
    at = np.arange(len(present))
    before = np.zeros(len(present))
    beside = max(1, min(len(bars), 118 // (6 + max(len(name) for name, _, _ in bars))))
    lines = math.ceil(len(bars) / beside)
    if len(present) <= limit:
        figure = new_figure(9.0, 1.2 + 0.235 * len(present) + 0.2 * lines)
        axes = figure.add_subplot()
        for name, row, shade in bars:
            axes.barh(at, 100 * row, left=100 * before, height=0.74, color=shade, label=name)
            before = before + row
        axes.set_yticks(at, [shorten(classes[k], _NAME) for k in present])
        axes.set(xlim=(0, 100), ylim=(len(present) - 0.4, -0.6), xlabel="share of the class's clips in %")
        axes.tick_params(axis="y", length=0)
        grid(axes, "x")
    else:
        figure = new_figure(11.0, 3.6 + 0.2 * lines)
        axes = figure.add_subplot()
        for name, row, shade in bars:
            axes.bar(at, 100 * row, bottom=100 * before, width=1.0, color=shade, label=name)
            before = before + row
        axes.set(xlim=(-0.6, len(present) - 0.4), ylim=(0, 100), xlabel="class index", ylabel="share in %")
        step = 10 if len(present) > 100 else 5
        axes.set_xticks(at[::step], [str(present[k]) for k in at[::step]])
        grid(axes)
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=beside)
    return figure


@styled
def operation_use(panels: Sequence[tuple[str, Sequence[str], Sequence[str], NDArray[np.floating[Any]]]]) -> Figure:
    """How often each operation stands on each superedge, a panel per model (with and without L_var).

    Args:
        panels: (title, superedges, operations, (E, O) shares) each.
    """
    if not panels:
        raise ValueError("no structure: nothing to draw")
    figure = new_figure(max(5.4, 4.3 * len(panels)), 3.3)
    used: dict[str, None] = {}
    for place, (title, edges, operations, shares) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), place + 1)
        before = np.zeros(len(edges))
        for number, name in enumerate(operations):
            row = 100 * np.asarray(shares, np.float64)[:, number]
            axes.bar(range(len(edges)), row, bottom=before, width=0.72, color=operation_colour(name))
            before = before + row
            used[name] = None
        axes.set_xticks(range(len(edges)), list(edges))
        axes.set(ylim=(0, 100), xlabel="superedge")
        axes.set_title(shorten(title, 50))
        if place == 0:
            axes.set_ylabel("share of the clips in %")
        grid(axes)
    _operations_legend(figure, list(used))
    return figure


@styled
def search_curves(
    searches: Sequence[tuple[str, Mapping[str, NDArray[np.floating[Any]]], int]], title: str = ""
) -> Figure:
    """Entropy of α, clips whose structure changed, structures in use over the epochs; and the operations in use of the
    first search.

    Args:
        searches: (name, quantity → values, |O|) each; quantities ``epoch``, ``entropy`` (nats), ``changed`` (share),
            ``distinct``, ``use_OPERATION`` (share).
    """
    if not searches:
        raise ValueError("no search: nothing to draw")
    figure = new_figure(12.4, 3.3 if not title else 3.6)
    drawn = (
        ("entropy", "entropy of α, nats", 1.0),
        ("changed", "clips with another structure, %", 100.0),
        ("distinct", "structures in use", 1.0),
    )
    for place, (quantity, words, scale) in enumerate(drawn):
        axes = figure.add_subplot(1, 4, place + 1)
        for number, (name, values, operations) in enumerate(searches):
            at, line = values["epoch"], scale * np.asarray(values[quantity], np.float64)
            axes.plot(at, line, "o-" if len(at) < 4 else "-", color=colour(number), label=name, linewidth=1.7, ms=3.5)
            if quantity == "entropy":
                axes.axhline(math.log(max(operations, 1)), color=FAINT, linewidth=0.8, linestyle=(0, (4, 2)))
        _over_epochs(axes, words)
        if quantity == "entropy":
            axes.set_ylim(0, None)
            axes.margins(y=0.1)
            axes.text(0.02, 0.03, "dashed: undecided", transform=axes.transAxes, fontsize=7, color=FAINT)
    axes = figure.add_subplot(1, 4, 4)
    name, values, _ = searches[0]
    uses = {
        key.removeprefix("use_"): np.asarray(one, np.float64) for key, one in values.items() if key.startswith("use_")
    }
    if uses:
        at = values["epoch"]
        if len(at) == 1:
            at, uses = np.array([at[0] - 0.5, at[0] + 0.5]), {key: np.repeat(one, 2) for key, one in uses.items()}
        axes.stackplot(at, [100 * one for one in uses.values()], colors=[operation_colour(key) for key in uses])
        axes.set_ylim(0, 100)
    _over_epochs(axes, "operations in use, %" + (f": {shorten(name, 16)}" if len(searches) > 1 else ""))
    handles, words_ = figure.axes[0].get_legend_handles_labels()
    several = len(searches) > 1
    handles = [*(handles if several else []), *(Patch(color=operation_colour(key)) for key in uses)]
    words_ = [*(words_ if several else []), *(in_words(key) for key in uses)]
    figure.legend(handles, words_, loc="outside lower center", ncols=max(1, min(8, len(handles))))
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def _over_epochs(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9.5)
    axes.set_xlabel("epoch of the search")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.margins(x=0.02)
    grid(axes)


# -- answers -----------------------------------------------------------------------------------------------------------

Ranked = Sequence[tuple[str, float]]


@styled
def mismatch(rows: Sequence[tuple[str, str, Ranked, Ranked]]) -> Figure:
    """Best classes of clips with their own and with another's structure (Fig. 5); the true class is red.

    Args:
        rows: (title, true class, with its own, with the other) each; answers best first with probabilities.
    """
    if not rows:
        raise ValueError("no clip: nothing to draw")
    figure = new_figure(9.6, 0.2 + 2.05 * len(rows))
    for place, (title, true, own, other) in enumerate(rows):
        for side, (words, answers) in enumerate((("its own structure", own), ("the other's structure", other))):
            axes = figure.add_subplot(len(rows), 2, 2 * place + side + 1)
            at = np.arange(len(answers))
            shades = ["#f0a3a3" if name == true else "#c3d3df" for name, _ in answers]
            axes.barh(at, [100 * score for _, score in answers], height=0.72, color=shades)
            axes.set(xlim=(0, 100), ylim=(len(answers) - 0.4, -0.6))
            axes.set_yticks([])
            for row, (name, score) in enumerate(answers):
                text = f"{shorten(name, 46)}  {100 * score:.0f} %"
                axes.text(1.5, row, text, fontsize=7.5, va="center", fontweight="bold" if name == true else "normal")
            axes.set_title(f"{shorten(title, 44)}: {words}" if side == 0 else words, fontsize=9)
            axes.set_xlabel("probability in %" if place == len(rows) - 1 else "")
    return figure


@styled
def accuracy_by_operation(
    classes: Sequence[str],
    counts: NDArray[np.integer[Any]],
    values: Mapping[str, NDArray[np.floating[Any]]],
    title: str = "Accuracy of each operation on each class",
    limit: int = 40,
) -> Figure:
    """A row per class, a dot per operation (supplement, Fig. 6), in the order given; at most ``limit`` classes."""
    if not len(classes) or not values:
        raise ValueError("no class: nothing to draw")
    shown = min(limit, len(classes))
    if shown < len(classes):
        title = f"{title} ({shown} of {len(classes)} classes)"
    figure = new_figure(9.0, 1.5 + 0.26 * shown)
    axes = figure.add_subplot()
    at = np.arange(shown)
    stacked = 100 * np.stack([np.asarray(one, np.float64)[:shown] for one in values.values()])
    axes.hlines(at, stacked.min(0), stacked.max(0), color="#d3d8de", linewidth=2.4, zorder=1)
    shifts = np.linspace(-0.24, 0.24, len(values)) if len(values) > 1 else np.zeros(1)
    for number, (name, row) in enumerate(zip(values, stacked, strict=True)):
        shade = OPERATION_COLOURS.get(name, colour(number))
        axes.plot(row, at + shifts[number], "osD^vPX*"[number % 8], color=shade, markersize=4.6, label=in_words(name))
    axes.set_yticks(at, [shorten(name, _NAME) for name in classes[:shown]])
    for place in range(shown):
        axes.text(103.5, place, str(int(counts[place])), va="center", fontsize=7.5, color=FAINT)
    axes.set(xlim=(-2, 102), ylim=(shown - 0.4, -0.6), xlabel="accuracy in %; clips at the right")
    axes.tick_params(axis="y", length=0)
    axes.set_title(title)
    grid(axes, "x")
    figure.legend(loc="outside lower center", ncols=min(3, len(values)))
    return figure
