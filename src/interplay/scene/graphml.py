"""An answer as a graph that other programs open (networkx, Gephi, yEd)."""

from __future__ import annotations

import io
from pathlib import Path

import networkx

from interplay.interactions import Prediction
from interplay.training.writing import write_whole


def scene_graph(prediction: Prediction) -> networkx.MultiDiGraph:
    """Entities as nodes (label, score, x1, y1, x2, y2), interactions as edges (label, score) from subject to object.

    A node's name is the entity's ``track``; entities without an interaction are nodes too where the answer lists them
    under ``details["entities"]``.
    """
    graph = networkx.MultiDiGraph(input=prediction.input, model=prediction.model)
    for entity in prediction.details.get("entities", ()):
        _add(graph, entity)
    for item in prediction.interactions:
        if item.subject is None or item.object is None:
            continue
        ends = [_add(graph, entity.to_dict()) for entity in (item.subject, item.object)]
        graph.add_edge(*ends, label=item.label, score=item.score)
    return graph


def save_graphml(prediction: Prediction, file: Path) -> None:
    """:func:`scene_graph` as GraphML, whole or not at all."""
    text = io.BytesIO()
    networkx.write_graphml(scene_graph(prediction), text)
    write_whole(file, text.getvalue())


def _add(graph: networkx.MultiDiGraph, entity: dict[str, object]) -> str:
    name = str(entity["track"])
    box = entity["box"]
    corners = dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)) if isinstance(box, list | tuple) else {}
    graph.add_node(name, label=str(entity["label"]), score=entity["score"], **corners)
    return name
