"""Protocol ``vrd``: predicate, phrase and relationship detection as Lu et al. score them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interplay.evaluation.scene_graph.groups import Groups
from interplay.evaluation.scene_graph.images import GroundTruth, Predicted
from interplay.evaluation.scene_graph.matching import Ranks, one_to_one, overlap
from interplay.evaluation.scene_graph.overlaps import iou_matrix, union_boxes
from interplay.evaluation.scene_graph.ranking import combinations
from interplay.evaluation.scene_graph.rows import Floats, Rows, Shares, Totals
from interplay.evaluation.scene_graph.streaming import PER_PREDICATE, StreamingEvaluator

Detection = Literal["predicate", "phrase", "relationship"]
TASKS: tuple[Detection, ...] = ("predicate", "phrase", "relationship")


class VisualRelationshipEvaluator(StreamingEvaluator):
    """Recall at K of all relations together, for k predicates a pair; and of the zero-shot ones.

    Of each image the K best combinations of a pair and one of its k best predicates, by s_subject · s_object ·
    s_predicate (float64). In this order, each takes the *free* annotated relation of the same three labels that it
    overlaps most, if by at least 0.5 (the first of equal ones). Recall = relations taken / all relations of the data
    set; images without predictions count with theirs.

    * ``predicate``: true boxes and labels; only ordered pairs that have a relation, each once (the first time it is
      given). Confidences of objects are multiplied as they are given: leave them 1;
    * ``phrase``: overlap of the boxes around both;
    * ``relationship``: the smaller of the two boxes' overlaps.

    Zero-shot recall is over zero-shot relations only; what takes a relation is decided on all of them. Figures are
    named ``"relationship R@50 k=1"`` and ``"relationship zR@50 k=1"``. Source: Lu et al., ECCV 2016; spec §K.2,
    §K.3, §J.9.
    *Where we differ*: boxes are compared in floating point, where the authors' program saturates integers
    (their predictions then score 48.73 instead of 47.87, predicate detection at k = 1).

    Args:
        tasks: which of the three; ``predicate`` needs predictions on true boxes, the others on detected ones.
        per_pair: numbers k; those above P − 1 mean all.
        Others as in :class:`StreamingEvaluator`.
    """

    protocol = "vrd"

    def __init__(
        self,
        num_predicates: int,
        tasks: Sequence[Detection] = ("predicate",),
        ks: Iterable[int] = (50, 100),
        per_pair: Iterable[int] = (1, 10, 70),
        zero_shot: ArrayLike | None = None,
        groups: Groups | None = None,
        iou: float = 0.5,
        keep_images: bool = True,
    ) -> None:
        unknown = [task for task in tasks if task not in TASKS]
        if unknown or not tasks:
            raise ValueError(f"tasks: found {list(tasks)}, expected some of {', '.join(TASKS)}")
        self.tasks = tuple(task for task in TASKS if task in tasks)
        self.per_pair = tuple(sorted({int(k) for k in per_pair}))
        if not self.per_pair or self.per_pair[0] < 1:
            raise ValueError(f"per_pair: found {list(self.per_pair)}, expected numbers of predicates, at least 1")
        self.rankings = tuple(f"{task} k={k}" for task in self.tasks for k in self.per_pair)
        super().__init__(num_predicates, ks, zero_shot, groups, iou, keep_images)

    def settings(self) -> dict[str, Any]:
        return {
            "protocol": self.protocol,
            "tasks": list(self.tasks),
            "ks": list(self.ks),
            "predicates_per_pair": list(self.per_pair),
            "iou": self.iou,
            "num_predicates": self.num_predicates,
            "zero_shot_triplets": len(self.zero_shot),
            "groups": {name: members.tolist() for name, members in self.groups.items()},
        }

    def checked(self, truth: GroundTruth, predicted: Predicted) -> Predicted:
        given = len(truth.boxes)
        if "predicate" in self.tasks and len(predicted.pairs) and predicted.pairs.max() >= given:
            raise ValueError(f"pairs: found index {predicted.pairs.max()}, expected less than {given} (true boxes)")
        return predicted

    def ranks(self, truth: GroundTruth, predicted: Predicted) -> Ranks:
        scores = predicted.scores.astype(np.float64, copy=False)
        pair_scores = scores[predicted.pairs[:, 0]] * scores[predicted.pairs[:, 1]]
        predicates = predicted.predicate_scores.astype(np.float64, copy=False)
        found: list[Ranks] = []
        if "predicate" in self.tasks:
            rows = _annotated_once(truth, predicted.pairs)
            ends = overlap(truth, truth.boxes, truth.labels)
            pairs = predicted.pairs[rows]
            for k in self.per_pair:
                best = combinations(pair_scores[rows], predicates[rows], self.depth, k)
                chosen = pairs[best.pair]
                both = np.minimum(ends.subject[chosen[:, 0]], ends.object[chosen[:, 1]])
                found.append(self._taken(both, best.predicate, truth))
        if self.tasks != ("predicate",):
            found += self._detected(truth, predicted, pair_scores, predicates)
        return np.stack(found)

    def _detected(
        self, truth: GroundTruth, predicted: Predicted, pair_scores: Floats, predicates: Floats
    ) -> list[Ranks]:
        """Ranks of phrase and relationship detection, as far as they are asked for."""
        ends = overlap(truth, predicted.boxes, predicted.labels)
        around = union_boxes(truth.boxes[truth.relations[:, 0]], truth.boxes[truth.relations[:, 1]])
        labels = truth.labels[truth.relations[:, :2]]
        found: dict[str, list[Ranks]] = {"phrase": [], "relationship": []}
        for k in self.per_pair:
            best = combinations(pair_scores, predicates, self.depth, k)
            pairs = predicted.pairs[best.pair]
            if "phrase" in self.tasks:
                mine = union_boxes(predicted.boxes[pairs[:, 0]], predicted.boxes[pairs[:, 1]])
                named = (predicted.labels[pairs][:, None] == labels).all(axis=2)
                found["phrase"].append(self._taken(iou_matrix(mine, around) * named, best.predicate, truth))
            if "relationship" in self.tasks:
                both = np.minimum(ends.subject[pairs[:, 0]], ends.object[pairs[:, 1]])
                found["relationship"].append(self._taken(both, best.predicate, truth))
        return found["phrase"] + found["relationship"]

    def _taken(self, overlaps: NDArray[np.float32], predicates: NDArray[np.int64], truth: GroundTruth) -> Ranks:
        return one_to_one(overlaps * (predicates[:, None] == truth.relations[:, 2]), self.iou)

    def shares(self, rows: Rows) -> dict[str, Shares]:
        found = {}
        for at, name in enumerate(self.rankings):
            found[name] = Shares.of(rows, at, self.ks, pooled=True)
            found[f"{name} zero-shot"] = Shares.of(rows, at, self.ks, pooled=True, zero_shot=True)
            grouped = Shares.of(rows, at, self.ks, pooled=True, predicates=self.num_predicates)
            found[name + PER_PREDICATE] = grouped
        return found

    def values(self, totals: Mapping[str, Totals]) -> dict[str, Floats]:
        found: dict[str, Floats] = {}
        for name, total in totals.items():
            task, k = name.split()[:2]
            if name.endswith(PER_PREDICATE):
                means = self.means("R", total)
            else:
                kind = "zR" if name.endswith("zero-shot") else "R"
                means = {f"{kind}@{at}": total.values()[:, 0, place] for place, at in enumerate(self.ks)}
            found |= {f"{task} {figure} {k}": value for figure, value in means.items()}
        return found


def _annotated_once(truth: GroundTruth, pairs: NDArray[Any]) -> NDArray[np.int64]:
    """Rows of ``pairs`` that name an annotated ordered pair, the first of repeats, in the order given."""
    count = len(truth.boxes)
    codes = pairs[:, 0].astype(np.int64) * count + pairs[:, 1]
    names, first = np.unique(codes, return_index=True)
    annotated = truth.relations[:, 0].astype(np.int64) * count + truth.relations[:, 1]
    return np.sort(first[np.isin(names, annotated)])
