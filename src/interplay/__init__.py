"""Interplay recognises interactions. This module is the whole public surface; heavy parts load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interplay.interactions import NONE_OF_THE_KNOWN, Entity, Interaction, Prediction

if TYPE_CHECKING:
    from interplay.data.clips import SkeletonClip
    from interplay.data.errors import DataError
    from interplay.graph.layouts import SkeletonLayout, load_layout
    from interplay.loading import load

__version__ = "0.1.0"

__all__ = [
    "NONE_OF_THE_KNOWN",
    "DataError",
    "Entity",
    "Interaction",
    "Prediction",
    "SkeletonClip",
    "SkeletonLayout",
    "__version__",
    "load",
    "load_layout",
]

_LAZY = {
    "DataError": "interplay.data.errors",
    "SkeletonClip": "interplay.data.clips",
    "SkeletonLayout": "interplay.graph.layouts",
    "load": "interplay.loading",
    "load_layout": "interplay.graph.layouts",
}


def __getattr__(name: str) -> Any:
    # torch takes a second to import; `interplay --help` must not pay for it.
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'interplay' has no attribute {name!r}")
