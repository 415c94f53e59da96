"""The legacy detector by plain NumPy and one-box-at-a-time loops, from weights in the published key layout."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

from interplay.scene.detector.settings import DetectorSettings

Weights = Mapping[str, torch.Tensor]
Array = np.ndarray


def frozen_norm(x: torch.Tensor, weights: Weights, name: str) -> torch.Tensor:
    scale = weights[f"{name}.weight"] / weights[f"{name}.running_var"].sqrt()
    shift = weights[f"{name}.bias"] - weights[f"{name}.running_mean"] * scale
    return x * scale[:, None, None] + shift[:, None, None]


def convolved(x: torch.Tensor, weights: Weights, name: str, stride: int = 1, padding: int = 0) -> torch.Tensor:
    weight = weights[f"{name}.weight"]
    return functional.conv2d(x, weight, weights.get(f"{name}.bias"), stride, padding, 1, x.shape[1] // weight.shape[1])


def bottleneck(x: torch.Tensor, weights: Weights, name: str, stride: int) -> torch.Tensor:
    y = frozen_norm(convolved(x, weights, f"{name}.conv1"), weights, f"{name}.bn1").relu()
    y = frozen_norm(convolved(y, weights, f"{name}.conv2", stride, 1), weights, f"{name}.bn2").relu()
    y = frozen_norm(convolved(y, weights, f"{name}.conv3"), weights, f"{name}.bn3")
    if f"{name}.downsample.0.weight" in weights:
        x = frozen_norm(convolved(x, weights, f"{name}.downsample.0", stride), weights, f"{name}.downsample.1")
    return (x + y).relu()


def pyramid(pixels: torch.Tensor, weights: Weights) -> dict[str, torch.Tensor]:
    body = "backbone.body"
    x = frozen_norm(convolved(pixels, weights, f"{body}.stem.conv1", 2, 3), weights, f"{body}.stem.bn1").relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    stages = []
    for stage in range(1, 5):
        block = 0
        while f"{body}.layer{stage}.{block}.conv1.weight" in weights:
            x = bottleneck(x, weights, f"{body}.layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1)
            block += 1
        stages.append(x)
    levels, above = {}, None
    for stage in (4, 3, 2, 1):
        inner = convolved(stages[stage - 1], weights, f"backbone.fpn.fpn_inner{stage}")
        above = inner if above is None else inner + above.repeat_interleave(2, 2).repeat_interleave(2, 3)
        levels[f"P{stage + 1}"] = convolved(above, weights, f"backbone.fpn.fpn_layer{stage}", 1, 1)
    levels["P6"] = levels["P5"][:, :, ::2, ::2]
    return levels


def rounded_anchor(stride: int, size: float, ratio: float) -> list[float]:
    width = round(math.sqrt(stride * stride / ratio))
    height = round(width * ratio)
    width, height = width * size / stride, height * size / stride
    centre = 0.5 * (stride - 1)
    return [
        centre - 0.5 * (width - 1),
        centre - 0.5 * (height - 1),
        centre + 0.5 * (width - 1),
        centre + 0.5 * (height - 1),
    ]


def moved(box: Array, delta: Array, weights: tuple[float, ...], width: float, height: float) -> list[float]:
    """One box regressed and clipped."""
    w, h = box[2] - box[0] + 1, box[3] - box[1] + 1
    x, y = box[0] + 0.5 * w, box[1] + 0.5 * h
    dx, dy, dw, dh = (float(d) / scale for d, scale in zip(delta, weights, strict=True))
    x, y = dx * w + x, dy * h + y
    w, h = math.exp(min(dw, math.log(1000 / 16))) * w, math.exp(min(dh, math.log(1000 / 16))) * h
    corners = [x - 0.5 * w, y - 0.5 * h, x + 0.5 * w - 1, y + 0.5 * h - 1]
    return [min(max(value, 0.0), limit - 1) for value, limit in zip(corners, (width, height) * 2, strict=True)]


def iou(a: Array, b: Array) -> float:
    w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + 1)
    h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + 1)
    total = sum((c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b))
    return float(w * h / (total - w * h))


def survivors(boxes: Array, scores: Array, threshold: float) -> list[int]:
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable").tolist():
        if all(iou(boxes[row], boxes[other]) <= threshold for other in kept):
            kept.append(row)
    return kept


def proposals(
    levels: Mapping[str, torch.Tensor], weights: Weights, size: tuple[int, int], settings: DetectorSettings
) -> Array:
    """Of image 0."""
    boxes, scores = [], []
    for level, (name, anchor_size) in enumerate(
        zip(("P2", "P3", "P4", "P5", "P6"), settings.anchor_sizes, strict=True)
    ):
        hidden = convolved(levels[name][:1], weights, "rpn.head.conv", 1, 1).relu()
        objectness = convolved(hidden, weights, "rpn.head.cls_logits")[0].sigmoid().numpy()
        deltas = convolved(hidden, weights, "rpn.head.bbox_pred")[0].numpy()
        stride, found = 4 << level, []
        for row in range(hidden.shape[2]):
            for column in range(hidden.shape[3]):
                for index, ratio in enumerate(settings.anchor_ratios):
                    anchor = np.array(rounded_anchor(stride, anchor_size, ratio)) + stride * np.array(
                        [column, row, column, row]
                    )
                    delta = deltas[4 * index : 4 * index + 4, row, column]
                    found.append((float(objectness[index, row, column]), moved(anchor, delta, (1, 1, 1, 1), *size)))
        found.sort(key=lambda item: -item[0])
        found = found[: settings.pre_suppression]
        own, own_scores = np.array([box for _, box in found]), np.array([score for score, _ in found])
        kept = survivors(own, own_scores, settings.proposal_iou)[: settings.post_suppression]
        boxes.append(own[kept])
        scores.append(own_scores[kept])
    best = np.argsort(-np.concatenate(scores), kind="stable")[: settings.post_suppression]
    return np.concatenate(boxes)[best]


def pooled(levels: Mapping[str, torch.Tensor], box: Array, size: int = 7, points: int = 2) -> Array:
    """RoIAlign of one box of image 0, (C, size, size), from the level of its area."""
    area = (box[2] - box[0] + 1) * (box[3] - box[1] + 1)
    level = min(max(math.floor(4 + math.log2(math.sqrt(area) / 224 + 1e-6)), 2), 5)
    feature, scale = levels[f"P{level}"][0].numpy().astype(np.float64), 1 / (1 << level)
    x1, y1 = box[0] * scale, box[1] * scale
    width, height = max(box[2] * scale - x1, 1.0), max(box[3] * scale - y1, 1.0)
    out = np.zeros((feature.shape[0], size, size))
    for row in range(size):
        for column in range(size):
            for i in range(points):
                for j in range(points):
                    y = y1 + (row + (i + 0.5) / points) * height / size
                    x = x1 + (column + (j + 0.5) / points) * width / size
                    out[:, row, column] += between(feature, y, x) / points**2
    return out


def between(feature: Array, y: float, x: float) -> Array:
    height, width = feature.shape[1:]
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(len(feature))
    y, x = max(y, 0.0), max(x, 0.0)
    top, left = min(int(y), height - 1), min(int(x), width - 1)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down = 0.0 if top == height - 1 else y - top
    across = 0.0 if left == width - 1 else x - left
    upper = feature[:, top, left] * (1 - across) + feature[:, top, right] * across
    lower = feature[:, bottom, left] * (1 - across) + feature[:, bottom, right] * across
    return np.asarray(upper * (1 - down) + lower * down)


def classified(levels: Mapping[str, torch.Tensor], weights: Weights, boxes: Array) -> tuple[Array, Array]:
    """Class scores (n, O) and regressions (n, O, 4)."""
    flat = np.stack([pooled(levels, box).reshape(-1) for box in boxes])
    head = "roi_heads.box"
    array = {key: value.numpy().astype(np.float64) for key, value in weights.items() if key.startswith(head)}

    def layer(x: Array, name: str) -> Array:
        return np.asarray(x @ array[f"{head}.{name}.weight"].T + array[f"{head}.{name}.bias"])

    hidden = np.maximum(layer(flat, "feature_extractor.fc6"), 0)
    hidden = np.maximum(layer(hidden, "feature_extractor.fc7"), 0)
    return layer(hidden, "predictor.cls_score"), layer(hidden, "predictor.bbox_pred").reshape(len(boxes), -1, 4)


def softmax(logits: Array) -> Array:
    exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponential / exponential.sum(axis=1, keepdims=True))


def detections(
    boxes: Array, logits: Array, deltas: Array, size: tuple[int, int], settings: DetectorSettings
) -> list[tuple[int, int, float, list[float]]]:
    """(region, class, score, box), one class per region, in the order of the regions."""
    probability = softmax(logits)
    best: dict[int, tuple[float, int]] = {}
    regressed = np.array(
        [[moved(box, delta, (10, 10, 5, 5), *size) for delta in own] for box, own in zip(boxes, deltas, strict=True)]
    )
    for label in range(1, logits.shape[1]):
        rows = np.flatnonzero(probability[:, label] > settings.score)
        if len(rows) == 0:
            continue
        kept = survivors(regressed[rows, label], probability[rows, label], settings.detection_iou)[: settings.per_class]
        for row in rows[kept].tolist():
            if row not in best or probability[row, label] > best[row][0]:
                best[row] = (probability[row, label], label)
    found = [(row, label, score, regressed[row, label].tolist()) for row, (score, label) in sorted(best.items())]
    if len(found) > settings.detections:
        last = sorted((item[2] for item in found), reverse=True)[settings.detections - 1]
        found = [item for item in found if item[2] >= last]
    return found
