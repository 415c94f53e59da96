"""One look for every picture, and how a picture reaches the disk."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from interplay.errors import InterplayError

P = ParamSpec("P")
R = TypeVar("R")

INK, FAINT, GRID = "#22272e", "#6b7480", "#dfe3e8"
ENTITY_COLOURS = ("#0067a5", "#d1530a", "#00806a", "#8b4a9c")
"""The first entity is blue, the second orange: told apart under every common form of colour blindness."""

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#332288", "#882255", "#7a7a7a")
"""Okabe and Ito's colours without the yellow that vanishes on white, with two dark ones and a grey added."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Eight shapes and nine colours share no divisor, so 72 classes have a pair of their own."""

STYLE: Any = {
    "font.family": ["DejaVu Sans"],  # ships with Matplotlib: the same widths everywhere
    "font.size": 9.0,
    "text.color": INK,
    "text.parse_math": False,  # class names may hold dollar signs
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.labelsize": 9.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9aa3ad",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "figure.titlesize": 12.0,
    "figure.titleweight": "bold",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "svg.hashsalt": "interplay",
}


@contextlib.contextmanager
def look() -> Iterator[None]:
    """The style, for as long as something is drawn."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # A class name in a script that the font lacks shows boxes; that is no reason to stop or to shout.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Draw under :func:`look`."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with look():
            return function(*args, **kwargs)

    return wrapper


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, with its own canvas and a layout that keeps labels apart."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def grid(axes: Axes, axis: Literal["both", "x", "y"] = "y") -> None:
    """A light grid behind the data."""
    axes.grid(visible=True, axis=axis)
    axes.set_axisbelow(True)


def colour(index: int) -> str:
    return PALETTE[index % len(PALETTE)]


def marker(index: int) -> str:
    return MARKERS[index % len(MARKERS)]


def shorten(text: str, length: int) -> str:
    """At most ``length`` characters, the last one an ellipsis where something was cut."""
    return text if len(text) <= length else text[: max(length - 1, 0)].rstrip() + "…"


def render(figure: Figure, form: str = "png", dpi: float = 150.0) -> bytes:
    """The picture as the bytes of a PNG or SVG file; the same figure gives the same bytes."""
    stream = io.BytesIO()
    metadata = {"Date": None} if form == "svg" else {"Software": None}
    with look():
        figure.savefig(stream, format=form, dpi=dpi, metadata=metadata)
    return stream.getvalue()


def save(figure: Figure, path: str | Path, dpi: float = 150.0) -> tuple[Path, Path]:
    """Write ``path``.png and ``path``.svg (``path`` has no suffix); folders are made.

    Raises:
        InterplayError: the folder cannot be written or the disk is full.
    """
    path = Path(path)
    files = path.with_name(f"{path.name}.png"), path.with_name(f"{path.name}.svg")
    for file in files:
        write(file, render(figure, file.suffix[1:], dpi))
    return files


def write(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all; one line if the place cannot be written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise InterplayError(f"{path}: cannot write: {error.strerror or error}") from None
    return path
