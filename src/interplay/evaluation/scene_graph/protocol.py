"""The evaluator of a protocol by its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from numpy.typing import ArrayLike

from interplay.evaluation.scene_graph.groups import Groups
from interplay.evaluation.scene_graph.open_images import OpenImagesEvaluator
from interplay.evaluation.scene_graph.streaming import StreamingEvaluator
from interplay.evaluation.scene_graph.suppression import RelationNMS
from interplay.evaluation.scene_graph.visual_genome import Task, VisualGenomeEvaluator
from interplay.evaluation.scene_graph.visual_relationships import VisualRelationshipEvaluator

SceneProtocol = Literal["vg", "openimages", "vrd"]
PROTOCOLS: tuple[SceneProtocol, ...] = ("vg", "openimages", "vrd")


def scene_evaluator(
    protocol: SceneProtocol,
    num_predicates: int,
    task: Task = "sggen",
    ks: Iterable[int] | None = None,
    zero_shot: ArrayLike | None = None,
    groups: Groups | None = None,
    relation_nms: RelationNMS = "none",
    per_pair: Iterable[int] | None = None,
) -> StreamingEvaluator:
    """An evaluator; what is None is as the protocol has it.

    Args:
        num_predicates: P, background included.
        task: of ``vg``; under ``vrd`` predcls means predicate detection, sggen phrase and relationship detection;
            ``openimages`` knows sggen only.
        ks: cut-offs K.
        zero_shot: (Z, 3) rows (subject class, object class, predicate).
        relation_nms: of ``vg``.
        per_pair: of ``vrd``: numbers k of predicates kept a pair.

    Raises:
        ValueError: a setting that the protocol does not have.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol: found {protocol!r}, expected one of {', '.join(PROTOCOLS)}")
    if relation_nms != "none" and protocol != "vg":
        raise ValueError(f"relation_nms: found {relation_nms!r}, expected none under {protocol}")
    if per_pair is not None and protocol != "vrd":
        raise ValueError(f"per_pair: found {list(per_pair)}, expected nothing under {protocol}")
    given: dict[str, Any] = {"zero_shot": zero_shot, "groups": groups}
    if ks is not None:
        given["ks"] = ks
    if protocol == "vg":
        return VisualGenomeEvaluator(num_predicates, task, relation_nms=relation_nms, **given)
    if protocol == "openimages":
        if task not in ("sggen", "sgdet"):
            raise ValueError(f"task: found {task!r}, expected sggen under openimages")
        return OpenImagesEvaluator(num_predicates, **given)
    if task == "sgcls":
        raise ValueError("task: found 'sgcls', expected predcls or sggen under vrd")
    if per_pair is not None:
        given["per_pair"] = per_pair
    tasks = ("predicate",) if task == "predcls" else ("phrase", "relationship")
    return VisualRelationshipEvaluator(num_predicates, tasks, **given)  # type: ignore[arg-type]
