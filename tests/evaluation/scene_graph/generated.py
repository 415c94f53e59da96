"""Made-up images and answers: small ones full of near copies, repeats and ties, and crowded ones to time with."""

from __future__ import annotations

from typing import Any

import numpy as np

from interplay.evaluation.scene_graph import GroundTruth, Predicted

CLASSES, PREDICATES = 4, 6
ZERO_SHOT = np.array([[s, o, p] for s in (1, 2, 3) for o in (1, 2) for p in (2, 4)] + [[9, 9, 9]])


def image(draw: np.random.Generator, task: str) -> tuple[GroundTruth, Predicted]:
    """At most six entities; integer boxes, so that overlaps of exactly one half and scores that tie do occur."""
    count = int(draw.integers(2, 7))
    corners = draw.integers(0, 12, (count, 2))
    boxes = np.concatenate([corners, corners + draw.integers(1, 9, (count, 2))], axis=1).astype(np.float32)
    labels = draw.integers(1, CLASSES, count)
    for copy in range(1, count):
        if draw.random() < 0.4:  # a near copy of an earlier one
            boxes[copy] = boxes[copy - 1] + draw.integers(0, 2, 4)
            boxes[copy, 2:] = np.maximum(boxes[copy, 2:], boxes[copy, :2])
            labels[copy] = labels[copy - 1]
    wanted = int(draw.integers(0, 7))
    pairs = np.array([(i, j) for i in range(count) for j in range(count) if i != j])
    relations = np.column_stack(
        [pairs[draw.integers(0, len(pairs), wanted)], draw.integers(1, PREDICATES, wanted)]
    ).reshape(-1, 3)
    if wanted > 1 and draw.random() < 0.5:
        relations[1] = relations[0]
    truth = GroundTruth(boxes, labels, relations, (32, 32))
    return truth, answer(draw, truth, task)


def answer(draw: np.random.Generator, truth: GroundTruth, task: str, predicates: int = PREDICATES) -> Predicted:
    """Boxes and labels changed as the task allows; usually ranked by score, sometimes not; sometimes with ties."""
    boxes, labels = truth.boxes.copy(), truth.labels.copy()
    scores = np.ones(len(boxes), dtype=np.float32)
    if task == "sggen":
        more = draw.integers(0, len(boxes), int(draw.integers(0, 3)))
        boxes, labels = np.concatenate([boxes, boxes[more]]), np.concatenate([labels, labels[more]])
        boxes[:, 2:] += draw.integers(0, 4, (len(boxes), 2))
    if task != "predcls":
        wrong = draw.random(len(labels)) < 0.15
        labels[wrong] = draw.integers(1, CLASSES, int(wrong.sum()))
        scores = draw.random(len(labels)).astype(np.float32)
    pairs = np.array([(i, j) for i in range(len(boxes)) for j in range(len(boxes)) if i != j])
    logits = draw.normal(0, 2, (len(pairs), predicates))
    if draw.random() < 0.3:
        logits = logits.round()
    known = {(s, o): p for s, o, p in truth.relations.tolist()}
    for row, pair in enumerate(map(tuple, pairs.tolist())):
        if pair in known and draw.random() < 0.6:
            logits[row, known[pair]] += 3
    weights = np.exp(logits)
    predicate_scores = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    best = predicate_scores[:, 1:].max(axis=1) * scores[pairs[:, 0]] * scores[pairs[:, 1]]
    order = np.argsort(-best, kind="stable")
    case = draw.random()
    if case < 0.2:
        order = draw.permutation(order)
    elif case < 0.4:
        order = order[: int(draw.integers(0, len(order)))]
    return Predicted(boxes, labels, scores, pairs[order], predicate_scores[order])


def crowded(
    draw: np.random.Generator, entities: int, task: str = "sggen", predicates: int = 51, relations: int = 12
) -> tuple[GroundTruth, Predicted]:
    """One picture with all ordered pairs ranked, as a model gives it: 80 entities have 6,320 pairs."""
    corners = draw.uniform(0, 500, (entities, 2))
    boxes = np.concatenate([corners, corners + draw.uniform(20, 200, (entities, 2))], axis=1).astype(np.float32)
    labels = draw.integers(1, 151, entities)
    every: Any = np.array([(i, j) for i in range(entities) for j in range(entities) if i != j])
    rows = np.column_stack([every[draw.integers(0, len(every), relations)], draw.integers(1, predicates, relations)])
    truth = GroundTruth(boxes, labels, rows, (800, 600))
    logits = draw.normal(0, 2, (len(every), predicates)).astype(np.float32)
    logits[:, 0] += 5
    weights = np.exp(logits)
    predicate_scores = weights / weights.sum(axis=1, keepdims=True)
    scores = np.ones(entities, np.float32) if task == "predcls" else draw.random(entities).astype(np.float32)
    best = predicate_scores[:, 1:].max(axis=1) * scores[every[:, 0]] * scores[every[:, 1]]
    order = np.argsort(-best, kind="stable")
    return truth, Predicted(boxes, labels, scores, every[order], predicate_scores[order])
