"""Protocol ``openimages``: pooled recall and average precision of relations and phrases, and the classic figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interplay.evaluation.scene_graph.groups import Groups
from interplay.evaluation.scene_graph.images import GroundTruth, Predicted
from interplay.evaluation.scene_graph.matching import Ranks, agreement, first_ranks, overlap, true_positives
from interplay.evaluation.scene_graph.overlaps import iou_matrix, union_boxes
from interplay.evaluation.scene_graph.precision import TINY, Detections, average_precision
from interplay.evaluation.scene_graph.ranking import combinations
from interplay.evaluation.scene_graph.rows import PACK, Floats, Rows, Shares, Totals
from interplay.evaluation.scene_graph.streaming import SceneGraphResult, StreamingEvaluator
from interplay.evaluation.scene_graph.visual_genome import VisualGenomeEvaluator

DEPTH = 100
PER_PAIR = 2
CUT = 1e-5


class OpenImagesEvaluator(StreamingEvaluator):
    """R_micro, R_macro, wmAP_rel, wmAP_phr, mAP_rel, mAP_phr, score_wtd, score; R, ngR, mR as on Visual Genome.

    Detections of an image: the two best predicates of each pair, the 100 best of these by s_subject · s_object ·
    s_predicate, without those of 1e-5 and below.

    * R_micro@K: relations that the first K detections recover (labels equal, IoU of both boxes ≥ 0.5), over all;
      R_macro@K: mean of each image's share, images without relations counting 0;
    * AP of a predicate: detections of all images by score; right if the best-overlapping annotated row of the same
      image and predicate with equal labels (the first of equal ones) overlaps by *more* than 0.5 and is free. Overlap:
      the smaller of the two boxes' IoU (``rel``), or the IoU of the union boxes (``phr``). Detections in images without
      relations are wrong. Of exact repeats one can be found, yet all count as positives;
    * wmAP = Σ AP · positives / Σ positives; mAP = plain mean over all predicates, those that never occur counting 0;
    * score_wtd = 0.2 R_micro@50 + 0.4 wmAP_rel + 0.4 wmAP_phr; ``score`` with the plain means.
    * R, ngR, mR, ngmR at ``classic_ks``: protocol ``vg``, sggen.

    Source: spec §D.5, §J.3–J.6. Memory: 8 bytes for each of at most 100 detections an image.
    *Where we differ*: nowhere; 1e-12 is added to denominators as in the reference.
    """

    rankings = ("R_micro",)
    protocol = "openimages"

    def __init__(
        self,
        num_predicates: int,
        ks: Iterable[int] = (1, 5, 10, 20, 50, 100),
        classic_ks: Iterable[int] = (20, 50, 100),
        zero_shot: ArrayLike | None = None,
        groups: Groups | None = None,
        iou: float = 0.5,
    ) -> None:
        super().__init__(num_predicates, {*ks, 50}, zero_shot, groups, iou)
        if self.depth > DEPTH:
            raise ValueError(f"ks: found {self.depth}, expected at most {DEPTH}, the detections taken of an image")
        self.classic = VisualGenomeEvaluator(num_predicates, "sggen", classic_ks, zero_shot, groups, iou=iou)
        self._pending: list[tuple[int, NDArray[Any], NDArray[Any], NDArray[np.bool_]]] = []
        self._detections: list[Detections] = []

    def settings(self) -> dict[str, Any]:
        return {
            "protocol": self.protocol,
            "ks": list(self.ks),
            "classic": self.classic.settings(),
            "iou": self.iou,
            "predicates_per_pair": PER_PAIR,
            "detections_per_image": DEPTH,
            "smallest_score": CUT,
        }

    def update(self, truth: GroundTruth, predicted: Predicted, image: int | None = None) -> None:
        number = self._next if image is None else int(image)
        self.classic.update(truth, predicted, image)
        super().update(truth, predicted, image)
        if len(predicted.pairs) and not len(truth.relations):
            self._add(truth, predicted)
        elif not len(predicted.pairs):
            none = np.zeros(0)
            self._pending.append((0, none, none.astype(np.int16), np.zeros((2, 0), dtype=np.bool_)))
        # What was just added knows no number yet.
        self._pending[-1] = (number, *self._pending[-1][1:])
        if len(self._pending) >= PACK:
            self._pack()

    def ranks(self, truth: GroundTruth, predicted: Predicted) -> Ranks:
        return first_ranks(self._add(truth, predicted))[None]

    def _add(self, truth: GroundTruth, predicted: Predicted) -> NDArray[np.bool_]:
        """Keep the image's detections; (C, Q) which relation each of them recovers."""
        scores = predicted.scores.astype(np.float32, copy=False)
        found = combinations(
            scores[predicted.pairs[:, 0]] * scores[predicted.pairs[:, 1]],
            predicted.predicate_scores.astype(np.float32, copy=False),
            DEPTH,
            PER_PAIR,
        )
        high = found.score > np.float32(CUT)
        pairs, predicates, kept = predicted.pairs[found.pair[high]], found.predicate[high], found.score[high]
        hits = np.zeros((2, len(kept)), dtype=np.bool_)
        agreeing = np.zeros((len(kept), len(truth.relations)), dtype=np.bool_)
        if agreeing.size:
            ends = overlap(truth, predicted.boxes, predicted.labels)
            agreeing = agreement(ends, truth, pairs, predicates, self.iou)
            same = predicates[:, None] == truth.relations[:, 2]
            both = np.minimum(ends.subject[pairs[:, 0]], ends.object[pairs[:, 1]])
            hits[0] = true_positives(both, same, self.iou)
            phrases = iou_matrix(
                union_boxes(predicted.boxes[pairs[:, 0]], predicted.boxes[pairs[:, 1]]),
                union_boxes(truth.boxes[truth.relations[:, 0]], truth.boxes[truth.relations[:, 1]]),
            )
            named = predicted.labels[pairs][:, None, :] == truth.labels[truth.relations[:, :2]][None]
            hits[1] = true_positives(phrases * named.all(axis=2), same, self.iou)
        self._pending.append((0, kept, predicates.astype(np.int16), hits))
        return agreeing

    def _pack(self) -> None:
        if self._pending:
            numbers, scores, predicates, hits = zip(*self._pending, strict=True)
            self._detections.append(
                Detections(
                    np.array(numbers, dtype=np.int64),
                    np.array([len(one) for one in scores], dtype=np.int64),
                    np.concatenate(scores).astype(np.float32),
                    np.concatenate(predicates),
                    np.concatenate(hits, axis=1),
                )
            )
            self._pending = []

    def merge(self, other: Self) -> None:
        numbered = other._numbered if self._numbered is None else self._numbered
        shift = 0 if numbered else self._next
        super().merge(other)
        self.classic.merge(other.classic)
        self._pack()
        other._pack()
        self._detections += [part.shifted(shift) for part in other._detections]

    def detections(self) -> Detections:
        """Every detection kept, by image."""
        self._pack()
        joined = Detections.joined(self._detections)
        self._detections = [joined]
        return joined.ordered()

    def shares(self, rows: Rows) -> dict[str, Shares]:
        micro = Shares.of(rows, 0, self.ks, pooled=True)
        macro = Shares.of(rows, 0, self.ks, pooled=False)
        images = np.arange(len(rows.numbers))
        shares = np.zeros((len(images), len(self.ks)))
        shares[macro.image] = macro.found
        return {
            "R_micro": micro,
            "R_macro": Shares(shares, np.ones(len(images)), images, np.zeros_like(images), 1),
        }

    def values(self, totals: Mapping[str, Totals]) -> dict[str, Floats]:
        return {
            f"{name}@{k}": one.values(0.0)[:, 0, at] for name, one in totals.items() for at, k in enumerate(self.ks)
        }

    def figures(self, weights: Floats | None = None, rows: Rows | None = None) -> dict[str, Floats]:
        found = super().figures(weights, rows)
        precision, positives = self._precision(weights, self.rows() if rows is None else rows)
        share = positives / np.maximum(positives.sum(axis=1, keepdims=True), TINY)
        for name, values in precision.items():
            found[f"w{name}"] = (values * share).sum(axis=1)
            found[name] = values.mean(axis=1)
        for name, prefix in (("score_wtd", "w"), ("score", "")):
            precise = found[f"{prefix}mAP_rel"] + found[f"{prefix}mAP_phr"]
            found[name] = 0.2 * found["R_micro@50"] + 0.4 * precise
        return found | self.classic.figures(weights)

    def _precision(self, weights: Floats | None, rows: Rows) -> tuple[dict[str, Floats], Floats]:
        """AP of each predicate, name → (B, P − 1), and positives (B, P − 1)."""
        kept = self.detections()
        images = np.repeat(np.arange(len(kept.images)), kept.counts)
        batch = 1 if weights is None else len(weights)
        asked = Shares.of(rows, 0, (1,), pooled=True, predicates=self.num_predicates).totals(weights).asked[:, 1:]
        found = {name: np.zeros((batch, self.num_predicates - 1)) for name in ("mAP_rel", "mAP_phr")}
        order = np.lexsort((-kept.scores, kept.predicates))
        bounds = np.searchsorted(kept.predicates[order], np.arange(1, self.num_predicates + 1))
        for predicate in range(1, self.num_predicates):
            part = order[bounds[predicate - 1] : bounds[predicate]]
            counted = np.ones((1, len(part))) if weights is None else weights[:, images[part]]
            for values, hits in zip(found.values(), kept.hits[:, part], strict=True):
                values[:, predicate - 1] = average_precision(hits.astype(np.float64), counted, asked[:, predicate - 1])
        return found, asked

    def result(self) -> SceneGraphResult:
        """All figures; per predicate also ``AP_rel``, ``AP_phr``, ``n_gt``; per image also ``detections_kept``."""
        made, classic = super().result(), self.classic.result()
        rows = self.rows()
        precision, positives = self._precision(None, rows)
        kept = self.detections()
        return replace(
            made,
            metrics={name: float(value[0]) for name, value in self.figures(None, rows).items()},
            per_predicate={
                "AP_rel": precision["mAP_rel"][0],
                "AP_phr": precision["mAP_phr"][0],
                "n_gt": positives[0],
                **classic.per_predicate,
            },
            per_image={**made.per_image, **classic.per_image, "detections_kept": kept.counts},
        )
