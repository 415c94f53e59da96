"""Relation heads: one file each, siblings with one interface."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from interplay.errors import InterplayError
from interplay.scene.heads.interface import RelationHead
from interplay.training.recipes import nearest

HEADS: Mapping[str, str] = {
    "motifs": "interplay.scene.heads.motifs:Motifs",
    "graph_rcnn": "interplay.scene.heads.graph_rcnn:GraphRCNN",
    "kern": "interplay.scene.heads.kern:KERN",
    "vctree": "interplay.scene.heads.vctree:VCTree",
    "gps_net": "interplay.scene.heads.gps_net:GPSNet",
    "bgnn": "interplay.scene.heads.bgnn:BGNN",
    "pe_net": "interplay.scene.heads.pe_net:PENet",
    "frequency": "interplay.scene.heads.frequency_baseline:FrequencyBaseline",
}
"""Name → ``module:class``. The last one is no head of a paper but the baseline that looks at the two classes only."""


def head_class(name: str) -> type[RelationHead]:
    """The class behind a name; InterplayError naming the nearest one if there is none."""
    if name not in HEADS:
        raise InterplayError(f"head.name: found {name!r}{nearest(name, HEADS)} (one of {', '.join(HEADS)})")
    module, attribute = HEADS[name].split(":")
    found = getattr(import_module(module), attribute)
    assert isinstance(found, type)
    assert issubclass(found, RelationHead)
    return found
