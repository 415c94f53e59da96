"""Protocol ``vg``: recall of annotated triplets as the public Visual Genome benchmark computes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interplay.evaluation.scene_graph.groups import Groups
from interplay.evaluation.scene_graph.images import GroundTruth, Predicted
from interplay.evaluation.scene_graph.matching import Ranks, agreement, first_ranks, overlap
from interplay.evaluation.scene_graph.ranking import combinations, constrained
from interplay.evaluation.scene_graph.rows import Floats, Rows, Shares, Totals
from interplay.evaluation.scene_graph.streaming import PER_PREDICATE, StreamingEvaluator
from interplay.evaluation.scene_graph.suppression import RelationNMS, suppress

Task = Literal["predcls", "sgcls", "sggen", "sgdet"]
"""True boxes and labels given; true boxes given; nothing given (two names for that)."""


class VisualGenomeEvaluator(StreamingEvaluator):
    """R, ng-R, mR, ng-mR, zero-shot R and ng-R, and pair accuracy A, at any K; groups of predicates.

    A prediction recovers an annotated relation if all three labels agree and both boxes have IoU ≥ 0.5 (+1-pixel boxes,
    float32). One prediction may recover several relations; with ``hits`` the relations that the first K recover:

    * R@K: mean over images of hits / relations, one predicate a pair (its best), pairs in the order given;
      ngR@K: without that constraint, the best (pair, predicate) combinations by s_subject · s_object · s_predicate;
    * mR@K, ngmR@K: for each predicate the mean over the images that have it, then the mean over all predicates, those
      that never occur counting 0; per group of predicates likewise (``"mR@50 tail"``);
    * zR@K, ngzR@K: relations whose (subject class, object class, predicate) is in the zero-shot list, mean over the
      images that have one;
    * A@K (not for sggen): pairs that have an annotated relation only, the first K of these; hits of all images over
      relations of all images.

    Images without relations are left out. Source: spec §D.1, §D.4, §J. *Where we differ*: an image with relations for
    which the model names no pair counts 0 (the reference leaves it out, but its models always name one); ties keep
    their order.

    Args:
        task: ``predcls`` ignores predicted boxes, labels and scores in favour of the true ones with score 1.
        relation_nms: :mod:`suppression <interplay.evaluation.scene_graph.suppression>` of near copies, constrained
            figures only. ``penet`` also reproduces its release's A, whose mask of annotated pairs follows the order
            before, applied to the order after.
        Others as in :class:`StreamingEvaluator`.
    """

    rankings = ("R", "ngR", "A")
    protocol = "vg"

    def __init__(
        self,
        num_predicates: int,
        task: Task = "sggen",
        ks: Iterable[int] = (20, 50, 100),
        zero_shot: ArrayLike | None = None,
        groups: Groups | None = None,
        relation_nms: RelationNMS = "none",
        iou: float = 0.5,
        keep_images: bool = True,
    ) -> None:
        super().__init__(num_predicates, ks, zero_shot, groups, iou, keep_images)
        if task not in ("predcls", "sgcls", "sggen", "sgdet"):
            raise ValueError(f"task: found {task!r}, expected predcls, sgcls or sggen")
        if relation_nms not in ("none", "penet", "corrected"):
            raise ValueError(f"relation_nms: found {relation_nms!r}, expected none, penet or corrected")
        self.task: Task = "sggen" if task == "sgdet" else task
        if self.task == "sggen" and relation_nms != "none":
            raise ValueError(f"relation_nms: found {relation_nms!r} with sggen, expected none (true boxes only)")
        self.relation_nms = relation_nms

    def settings(self) -> dict[str, Any]:
        return {
            "protocol": self.protocol,
            "task": self.task,
            "ks": list(self.ks),
            "relation_nms": self.relation_nms,
            "iou": self.iou,
            "num_predicates": self.num_predicates,
            "zero_shot_triplets": len(self.zero_shot),
            "groups": {name: members.tolist() for name, members in self.groups.items()},
        }

    def checked(self, truth: GroundTruth, predicted: Predicted) -> Predicted:
        given = len(truth.boxes)
        if self.task == "predcls" and len(predicted.pairs) and predicted.pairs.max() >= given:
            raise ValueError(f"pairs: found index {predicted.pairs.max()}, expected less than {given} (true boxes)")
        return predicted

    def ranks(self, truth: GroundTruth, predicted: Predicted) -> Ranks:
        pairs = predicted.pairs
        predicates = predicted.predicate_scores.astype(np.float32, copy=False)
        if self.task == "predcls":
            boxes, labels, scores = truth.boxes, truth.labels, np.ones(len(truth.boxes))
            pair_scores = None
        else:
            boxes, labels, scores = predicted.boxes, predicted.labels, predicted.scores.astype(np.float32, copy=False)
            pair_scores = scores[pairs[:, 0]] * scores[pairs[:, 1]]
        annotated = None if self.task == "sggen" else self._annotated(truth, pairs)
        if self.relation_nms == "none":
            first = np.arange(min(self.depth, len(pairs)))
            listed = first if annotated is None else np.concatenate([first, annotated[: self.depth]])
            said = constrained(predicates, listed)
        else:
            corrected = self.relation_nms == "corrected"
            order, taken = suppress(boxes, labels, scores, pairs, predicates, corrected)
            first = order[: self.depth]
            assert annotated is not None
            # The release looks up places of the order before in the order after.
            again = order[np.isin(order, annotated)] if corrected else order[annotated]
            listed = np.concatenate([first, again[: self.depth]])
            said = taken[listed]
        free = combinations(pair_scores, predicates, self.depth)
        agreeing = agreement(
            overlap(truth, boxes, labels),
            truth,
            pairs[np.concatenate([listed, free.pair])],
            np.concatenate([said, free.predicate]),
            self.iou,
        )
        bounds = (0, len(first), len(listed), len(agreeing))
        in_order, accuracy, unconstrained = (first_ranks(agreeing[low:high]) for low, high in pairwise(bounds))
        return np.stack([in_order, unconstrained, accuracy])

    @staticmethod
    def _annotated(truth: GroundTruth, pairs: NDArray[Any]) -> NDArray[np.int64]:
        """Rows of ``pairs`` whose indices are those of an annotated relation."""
        size = 1 + max(int(pairs.max()), int(truth.relations[:, :2].max()))
        known = np.zeros((size, size), dtype=np.bool_)
        known[truth.relations[:, 0], truth.relations[:, 1]] = True
        return np.flatnonzero(known[pairs[:, 0], pairs[:, 1]])

    def shares(self, rows: Rows) -> dict[str, Shares]:
        found = {}
        for at, name in enumerate(("R", "ngR")):
            zero = name.replace("R", "zR")
            found[name] = Shares.of(rows, at, self.ks, pooled=False)
            found[zero] = Shares.of(rows, at, self.ks, pooled=False, zero_shot=True)
            found[name + PER_PREDICATE] = Shares.of(rows, at, self.ks, pooled=False, predicates=self.num_predicates)
        if self.task != "sggen":
            found["A"] = Shares.of(rows, 2, self.ks, pooled=True)
        return found

    def values(self, totals: Mapping[str, Totals]) -> dict[str, Floats]:
        found: dict[str, Floats] = {}
        for name, total in totals.items():
            if name.endswith(PER_PREDICATE):
                means = self.means(name.removesuffix(PER_PREDICATE), total)
                found |= {key.replace("mngR", "ngmR"): value for key, value in means.items()}
            else:
                values = total.values()
                found |= {f"{name}@{k}": values[:, 0, at] for at, k in enumerate(self.ks)}
        return found
