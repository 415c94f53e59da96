"""Cells and rows of the Markdown tables that studies print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from interplay.evaluation.uncertainty import Spread


class Change(Protocol):
    """A difference of two shares with its interval."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def line(cells: Sequence[str]) -> str:
    """``| a | b |``"""
    return "| " + " | ".join(cells) + " |"


def heading(cells: Sequence[str]) -> list[str]:
    """The two lines that a table begins with."""
    return [line(cells), "|" + "---|" * len(cells)]


def percent(value: Spread) -> str:
    """``95.0 ± 0.4``, or the mean alone of one seed."""
    return value.percent().removesuffix(" %")


def change(one: Change) -> str:
    """``+1.2 (+0.3 … +2.0)*``; the star where the interval does not contain 0."""
    sure = "*" if one.low > 0 or one.high < 0 else ""
    return f"{100 * one.value:+.1f} ({100 * one.low:+.1f} … {100 * one.high:+.1f}){sure}"
