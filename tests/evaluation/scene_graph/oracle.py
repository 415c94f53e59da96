"""Plain per-image evaluators, one image and one annotated relation after another: what the fast ones are held to.

Written from the protocols' definitions, float64 wherever a definition does not say float32. Lists of hits are kept for
every prediction, figures are lists of numbers whose mean is taken at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from interplay.evaluation.scene_graph import GroundTruth, Predicted

Array = np.ndarray[Any, np.dtype[Any]]
Images = Iterable[tuple[GroundTruth, Predicted]]


def iou(box: Array, boxes: Array) -> Array:
    """One box with several, last pixel included."""
    box, boxes = box.astype(np.float64), boxes.astype(np.float64)
    width = np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0]) + 1
    height = np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1]) + 1
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    area = (box[2] - box[0] + 1) * (box[3] - box[1] + 1)
    areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    return shared / (area + areas - shared)


def around(boxes: Array) -> Array:
    """(…, 8) subject and object boxes → (…, 4) the box around both."""
    return np.concatenate(
        [np.minimum(boxes[..., 0:2], boxes[..., 4:6]), np.maximum(boxes[..., 2:4], boxes[..., 6:8])], axis=-1
    )


def triplets(pairs: Array, predicates: Array, labels: Array, boxes: Array) -> tuple[Array, Array]:
    """(C, 3) subject label, predicate, object label; (C, 8) both boxes."""
    names = np.column_stack([labels[pairs[:, 0]], predicates, labels[pairs[:, 1]]])
    return names, np.concatenate([boxes[pairs[:, 0]], boxes[pairs[:, 1]]], axis=1)


def true_triplets(truth: GroundTruth) -> tuple[Array, Array]:
    return triplets(truth.relations[:, :2], truth.relations[:, 2], truth.labels, truth.boxes)


def recovered(true: tuple[Array, Array], said: tuple[Array, Array]) -> list[list[int]]:
    """For each prediction the annotated relations that it recovers."""
    hits: list[list[int]] = [[] for _ in said[0]]
    same = (true[0][:, None] == said[0][None]).all(axis=2)
    for row in range(len(same)):
        candidates = np.flatnonzero(same[row])
        if not len(candidates):
            continue
        boxes = said[1][candidates]
        subject, other = iou(true[1][row, :4], boxes[:, :4]), iou(true[1][row, 4:], boxes[:, 4:])
        for candidate in candidates[(subject >= 0.5) & (other >= 0.5)]:
            hits[candidate].append(row)
    return hits


def found(hits: list[list[int]], k: int) -> set[int]:
    return {row for prediction in hits[:k] for row in prediction}


def suppressed(
    boxes: Array, labels: Array, scores: Array, pairs: Array, predicate_scores: Array, corrected: bool
) -> tuple[Array, Array]:
    """Order and predicates after relation suppression, with the full pair-by-pair matrix and the full maximum."""
    overlaps = np.stack([iou(box, boxes) for box in boxes])
    subject, other = pairs[:, 0], pairs[:, 1]
    together = np.minimum(overlaps[subject][:, subject], overlaps[other][:, other]) >= 0.6
    together &= labels[subject][:, None] == labels[subject]
    together &= labels[other][:, None] == labels[other]
    work, taken = predicate_scores.copy(), np.zeros(len(pairs), dtype=np.int64)
    work[:, 0] = 0
    kept_score = np.zeros(len(pairs), dtype=predicate_scores.dtype)
    for _ in range(len(pairs)):
        row, column = np.unravel_index(work.argmax(), work.shape)
        if corrected:
            if work[row, column] <= 0:  # nothing left: these keep their best at score 0
                rest = np.flatnonzero(work[:, 0] >= 0)
                taken[rest] = predicate_scores[rest, 1:].argmax(axis=1) + 1
                break
            taken[row], kept_score[row] = column, predicate_scores[row, column]
            open_rows = together[row] & (work[:, 0] >= 0)
            work[open_rows, column] = 0
        else:
            if taken[row] == 0:
                taken[row] = column
            work[together[row], column] = 0
        work[row] = -1
    if not corrected:
        kept_score = predicate_scores[np.arange(len(pairs)), taken]
    second = scores[other] if corrected else scores[subject]
    return np.argsort(-(kept_score * scores[subject] * second), kind="stable"), taken


class PlainVisualGenome:
    """Protocol ``vg``."""

    def __init__(
        self,
        predicates: int,
        task: str,
        ks: Sequence[int],
        zero_shot: Array,
        relation_nms: str = "none",
    ) -> None:
        self.predicates, self.task, self.ks, self.relation_nms = predicates, task, ks, relation_nms
        self.zero_shot = np.asarray(zero_shot).reshape(-1, 3)
        names = ("R", "ngR", "zR", "ngzR")
        self.lists: dict[tuple[str, int], list[float]] = {(name, k): [] for name in names for k in ks}
        self.by_predicate: dict[tuple[str, int], list[list[float]]] = {
            (name, k): [[] for _ in range(predicates)] for name in names[:2] for k in ks
        }
        self.hit = dict.fromkeys(ks, 0)
        self.count = 0

    def update(self, truth: GroundTruth, predicted: Predicted) -> None:
        if not len(truth.relations):
            return
        pairs, predicate_scores = predicted.pairs, predicted.predicate_scores
        if self.task == "predcls":
            boxes, labels, scores = truth.boxes, truth.labels, np.ones(len(truth.boxes))
        else:
            boxes, labels, scores = predicted.boxes, predicted.labels, predicted.scores
        true = true_triplets(truth)
        if not len(pairs):
            constrained, free, accuracy = [], [], []
        else:
            said, order = 1 + predicate_scores[:, 1:].argmax(axis=1), np.arange(len(pairs))
            if self.relation_nms != "none":
                order, said = suppressed(
                    boxes, labels, scores, pairs, predicate_scores, self.relation_nms == "corrected"
                )
            constrained = recovered(true, triplets(pairs[order], said[order], labels, boxes))
            products = (scores[pairs[:, 0]] * scores[pairs[:, 1]])[:, None] * predicate_scores[:, 1:]
            best = np.argsort(-products.ravel(), kind="stable")[: max(self.ks)]
            row, column = np.unravel_index(best, products.shape)
            free = recovered(true, triplets(pairs[row], column + 1, labels, boxes))
            annotated = (pairs[:, None] == truth.relations[None, :, :2]).all(axis=2).any(axis=1)
            if self.relation_nms != "penet":
                annotated = annotated[order]
            accuracy = [hits for hits, flag in zip(constrained, annotated, strict=True) if flag]
        ends = truth.labels[truth.relations[:, :2]]
        rows = np.column_stack([ends, truth.relations[:, 2]])
        zero = {q for q in range(len(rows)) if (rows[q] == self.zero_shot).all(axis=1).any()}
        for k in self.ks:
            for name, hits in (("R", constrained), ("ngR", free)):
                got = found(hits, k)
                self.lists[name, k].append(len(got) / len(rows))
                if zero:
                    self.lists[name.replace("R", "zR"), k].append(len(got & zero) / len(zero))
                self._by_predicate(self.by_predicate[name, k], got, truth.relations[:, 2])
            self.hit[k] += len(found(accuracy, k))
        self.count += len(rows)

    def _by_predicate(self, collected: list[list[float]], got: set[int], predicates: Array) -> None:
        count, hit = [0] * self.predicates, [0] * self.predicates
        for predicate in predicates:
            count[predicate] += 1
        for row in got:
            hit[predicates[row]] += 1
        for predicate in range(self.predicates):
            if count[predicate]:
                collected[predicate].append(hit[predicate] / count[predicate])

    def metrics(self) -> dict[str, float]:
        made = {f"{name}@{k}": float(np.mean(values)) if values else np.nan for (name, k), values in self.lists.items()}
        for (name, k), collected in self.by_predicate.items():
            means = [float(np.mean(values)) if values else 0.0 for values in collected[1:]]
            made[f"{name.replace('R', 'mR')}@{k}"] = float(np.mean(means))
        if self.task != "sggen":
            made |= {f"A@{k}": hits / self.count if self.count else np.nan for k, hits in self.hit.items()}
        return made


def best_combinations(scores: Array, predicted: Predicted, per_pair: int, depth: int) -> list[tuple[int, int, Any]]:
    """(pair, predicate, score): the ``per_pair`` best predicates of each pair, of these the ``depth`` best."""
    candidates = []
    for row, (subject, other) in enumerate(predicted.pairs):
        probabilities = predicted.predicate_scores[row, 1:].astype(scores.dtype)
        for predicate in np.argsort(-probabilities, kind="stable")[:per_pair]:
            candidates.append((row, int(predicate) + 1, scores[subject] * scores[other] * probabilities[predicate]))
    return sorted(candidates, key=lambda candidate: -candidate[2])[:depth]


class PlainOpenImages:
    """Protocol ``openimages`` without the classic figures."""

    def __init__(self, predicates: int, ks: Sequence[int]) -> None:
        self.predicates, self.ks = predicates, ks
        self.images: list[dict[str, Any]] = []

    def update(self, truth: GroundTruth, predicted: Predicted) -> None:
        ranked = best_combinations(predicted.scores.astype(np.float32), predicted, 2, 100)
        ranked = [one for one in ranked if one[2] > 1e-5]
        rows = np.array([one[0] for one in ranked], dtype=np.int64)
        predicates = np.array([one[1] for one in ranked], dtype=np.int64)
        said = triplets(predicted.pairs[rows], predicates, predicted.labels, predicted.boxes)
        self.images.append({"true": true_triplets(truth), "said": said, "scores": [one[2] for one in ranked]})

    def metrics(self) -> dict[str, float]:
        made: dict[str, float] = {}
        hits = [recovered(image["true"], image["said"]) for image in self.images]
        sizes = [len(image["true"][0]) for image in self.images]
        for k in self.ks:
            got = [len(found(one, k)) for one in hits]
            made[f"R_micro@{k}"] = sum(got) / (sum(sizes) + 1e-12)
            made[f"R_macro@{k}"] = float(np.mean([one / (size + 1e-12) for one, size in zip(got, sizes, strict=True)]))
        for kind in ("rel", "phr"):
            found_ap = [self._ap(predicate, kind) for predicate in range(1, self.predicates)]
            total = sum(positives for _, positives in found_ap)
            made[f"mAP_{kind}"] = float(np.mean([ap for ap, _ in found_ap]))
            made[f"wmAP_{kind}"] = sum(ap * positives for ap, positives in found_ap) / max(total, 1e-12)
        for name, prefix in (("score_wtd", "w"), ("score", "")):
            made[name] = 0.2 * made["R_micro@50"] + 0.4 * (made[f"{prefix}mAP_rel"] + made[f"{prefix}mAP_phr"])
        return made

    def _ap(self, predicate: int, kind: str) -> tuple[float, int]:
        detections = [
            (float(image["scores"][at]), number, at)
            for number, image in enumerate(self.images)
            for at in range(len(image["scores"]))
            if image["said"][0][at, 1] == predicate
        ]
        detections.sort(key=lambda one: -one[0])
        positives = sum(int((image["true"][0][:, 1] == predicate).sum()) for image in self.images)
        taken: set[tuple[int, int]] = set()
        pattern = []
        for _, number, at in detections:
            (names, boxes), (said, mine) = self.images[number]["true"], self.images[number]["said"]
            best, best_row = 0.5, -1
            for row in np.flatnonzero((names == said[at]).all(axis=1)):
                if kind == "rel":
                    pair = (iou(boxes[row, :4], mine[at, None, :4])[0], iou(boxes[row, 4:], mine[at, None, 4:])[0])
                    value = min(pair)
                else:
                    value = iou(around(boxes[row]), around(mine[at])[None])[0]
                if value > best:
                    best, best_row = value, int(row)
            pattern.append(best_row >= 0 and (number, best_row) not in taken)
            taken.add((number, best_row))
        return area(pattern, positives), positives


def area(pattern: Sequence[bool], positives: int) -> float:
    """Average precision of a pattern of right and wrong detections."""
    right, points = 0, []
    for place, hit in enumerate(pattern, start=1):
        right += hit
        points.append((right / (positives + 1e-12), right / place))
    total, best, later = 0.0, 0.0, points[-1][0] if points else 0.0
    for recall, precision in reversed([(0.0, 0.0), *points]):  # the best precision from here on
        total += (later - recall) * best
        best, later = max(best, precision), recall
    return total


class PlainVisualRelationships:
    """Protocol ``vrd``."""

    def __init__(self, tasks: Sequence[str], ks: Sequence[int], per_pair: Sequence[int], zero_shot: Array) -> None:
        self.tasks, self.ks, self.per_pair = tasks, ks, per_pair
        self.zero_shot = {tuple(row) for row in np.asarray(zero_shot).reshape(-1, 3).tolist()}
        self.hits = {(task, k, at, kind): 0 for task in tasks for k in per_pair for at in ks for kind in ("R", "zR")}
        self.asked = {"R": 0, "zR": 0}

    def update(self, truth: GroundTruth, predicted: Predicted) -> None:
        names, boxes = true_triplets(truth)
        zero = {q for q, (s, p, o) in enumerate(names.tolist()) if (s, o, p) in self.zero_shot}
        self.asked["R"] += len(names)
        self.asked["zR"] += len(zero)
        for task in self.tasks:
            mine = predicted
            if task == "predicate":
                rows: list[int] = []
                seen: set[tuple[int, ...]] = set()
                annotated = {tuple(pair) for pair in truth.relations[:, :2].tolist()}
                for row, pair in enumerate(map(tuple, predicted.pairs.tolist())):
                    if pair in annotated and pair not in seen:
                        rows.append(row)
                        seen.add(pair)
                mine = Predicted(
                    truth.boxes,
                    truth.labels,
                    predicted.scores,
                    predicted.pairs[rows],
                    predicted.predicate_scores[rows],
                )
            for k in self.per_pair:
                ranked = best_combinations(mine.scores.astype(np.float64), mine, k, max(self.ks))
                for at in self.ks:
                    got = self._walk(ranked[:at], mine, names, boxes, task)
                    self.hits[task, k, at, "R"] += len(got)
                    self.hits[task, k, at, "zR"] += len(got & zero)

    @staticmethod
    def _walk(
        ranked: list[tuple[int, int, Any]], predicted: Predicted, names: Array, boxes: Array, task: str
    ) -> set[int]:
        free = set(range(len(names)))
        true = names.tolist()
        for row, predicate, _ in ranked:
            subject, other = predicted.pairs[row].tolist()
            said = [predicted.labels[subject], predicate, predicted.labels[other]]
            if said not in true:
                continue
            mine = np.concatenate([predicted.boxes[subject], predicted.boxes[other]])[None]
            best, taken = 0.0, -1
            for q in sorted(free):
                if true[q] != said:
                    continue
                if task == "phrase":
                    value = iou(around(boxes[q]), around(mine))[0]
                else:
                    value = min(iou(boxes[q, :4], mine[:, :4])[0], iou(boxes[q, 4:], mine[:, 4:])[0])
                if value >= 0.5 and value > best:
                    best, taken = value, q
            free.discard(taken)
        return set(range(len(names))) - free

    def metrics(self) -> dict[str, float]:
        return {
            f"{task} {kind}@{at} k={k}": hits / self.asked[kind] if self.asked[kind] else np.nan
            for (task, k, at, kind), hits in self.hits.items()
        }
