"""AGOS's equations as loops over nodes, frames and cells, one clip at a time, and nothing shared with the library."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from interplay.video.settings import VideoSettings


def unit(x: Tensor) -> Tensor:
    return x / x.norm() if float(x.norm()) > 0 else x


def affinity(weights: dict[str, Tensor], left: Tensor, right: Tensor, settings: VideoSettings) -> Tensor:
    """s of two features."""
    u, b = weights["affinity.weight"], weights.get("affinity.bias", torch.zeros_like(left))
    if settings.u == "diagonal":
        u = torch.diag(u.diagonal())
    if settings.similarity == "cosine":
        return (unit(left) @ u + b) @ unit(right)
    return (left @ u + b) @ right / math.sqrt(len(left))


def softmax(values: list[Tensor], settings: VideoSettings) -> list[Tensor]:
    scale = settings.scale if settings.similarity == "cosine" else 1.0
    powers = [torch.exp(scale * value) for value in values]
    total = torch.stack(powers).sum()
    return [power / total for power in powers]


def delta(x: Tensor, weights: dict[str, Tensor], slope: float) -> Tensor:
    mean = x.mean()
    variance = ((x - mean) ** 2).mean()
    normed = (x - mean) / torch.sqrt(variance + 1e-5)
    normed = normed * weights["activation.norm.weight"] + weights["activation.norm.bias"]
    return torch.where(normed > 0, normed, slope * normed)


def transform(x: Tensor, weights: dict[str, Tensor]) -> Tensor:
    made = weights["transform.weight"] @ x
    return made + weights["transform.bias"] if "transform.bias" in weights else made


def feature_aggregation(x: Tensor, weights: dict[str, Tensor], settings: VideoSettings) -> Tensor:
    rows = []
    for i in range(len(x)):
        shares = softmax([affinity(weights, x[i], other, settings) for other in x], settings)
        total = sum((share * transform(other, weights) for share, other in zip(shares, x, strict=True)), 0 * x[0])
        rows.append(delta(total, weights, settings.slope))
    return torch.stack(rows)


def difference_propagation(x: Tensor, weights: dict[str, Tensor], settings: VideoSettings) -> Tensor:
    """All pairs, as Eq. 3 is written."""
    rows = []
    for i in range(len(x)):
        others = [j for j in range(len(x)) if j != i or settings.dp_diagonal == "kept"]
        shares = softmax([affinity(weights, x[i], x[j], settings) for j in others], settings)
        total = 0 * x[0]
        for share, j in zip(shares, others, strict=True):
            if j != i:
                total = total + share * transform(x[i] - x[j], weights)
        rows.append(delta(total, weights, settings.slope))
    return torch.stack(rows)


def nearest(x: Tensor, i: int, frame: int, boxes: int, cosine: bool) -> int:
    if frame == i // boxes:
        return i
    best, found = -math.inf, -1
    for j in range(frame * boxes, (frame + 1) * boxes):
        value = float(unit(x[i]) @ unit(x[j]) if cosine else x[i] @ x[j])
        if value > best:
            best, found = value, j
    return found


def temporal_convolution(x: Tensor, boxes: int, weights: dict[str, Tensor], settings: VideoSettings) -> Tensor:
    steps, (width, _, taps) = len(x) // boxes, weights["weight"].shape
    padded = settings.tc_out == "own_frame" or settings.tc_padding == "zero"
    pad = taps // 2 if padded else 0
    rows = []
    for i in range(len(x)):
        sequence = [x[nearest(x, i, frame, boxes, settings.tc_nearest == "cosine")] for frame in range(steps)]
        outputs = []
        for start in range(-pad, steps + pad - taps + 1):
            made = weights["bias"].clone() if "bias" in weights else torch.zeros(width, dtype=x.dtype)
            for tap in range(taps):
                if 0 <= start + tap < steps:
                    seen = sequence[start + tap]
                    if settings.tc_convolution == "dense":
                        made = made + weights["weight"][:, :, tap] @ seen
                    else:
                        made = made + weights["weight"][:, 0, tap] * seen
            outputs.append(delta(made, weights, settings.slope))
        rows.append(outputs[i // boxes] if settings.tc_out == "own_frame" else torch.stack(outputs).mean(0))
    return torch.stack(rows)


def background_incorporation(
    x: Tensor, y: Tensor, boxes: int, weights: dict[str, Tensor], settings: VideoSettings
) -> Tensor:
    """W is applied to every cell and then aggregated, V to the affinities: Eqs. 6 to 8 as they are written."""
    width = x.shape[1]
    w, v = weights["transform.weight"][:, :width], weights["transform.weight"][:, width:]
    rows = []
    for i in range(len(x)):
        cells = y[i // boxes]
        relations = [affinity(weights, x[i], cell, settings) for cell in cells]
        shares = softmax(relations, settings)
        seen = torch.stack(shares if settings.bi_rel == "softmax" else relations)
        total = v @ seen
        for share, cell in zip(shares, cells, strict=True):
            total = total + share * (w @ cell)
        if "transform.bias" in weights:
            total = total + weights["transform.bias"]
        rows.append(delta(total, weights, settings.slope))
    return torch.stack(rows)


def node_attention(x: Tensor, positions: Tensor, weights: dict[str, Tensor], settings: VideoSettings) -> Tensor:
    rows = []
    for i in range(len(x)):
        cosine = settings.na_similarity == "cosine"
        similar = [unit(x[i]) @ unit(other) if cosine else x[i] @ other for other in x]
        if settings.na == "all":
            evidence = [*similar, *positions[i]]
        else:
            order = sorted((j for j in range(len(x)) if j != i or settings.na_self), key=lambda j: -float(similar[j]))
            chosen = order[: settings.na_neighbours]
            evidence = [similar[j] for j in chosen]
            for j in chosen:
                evidence += [*(positions[i] - positions[j])]
        value = weights["weight.weight"][0] @ torch.stack(evidence) + weights["weight.bias"][0]
        made = x[i] / (1 + torch.exp(-value))
        rows.append(delta(made, weights, settings.slope) if settings.na_activation else made)
    return torch.stack(rows)


def roi_align_legacy(maps: Tensor, box: Tensor) -> Tensor:
    """(cell rows, cell columns, channel) → 7×7 bins, one point each, as jwyang's kernel computes them."""
    height, width, _ = maps.shape
    x1, y1, x2, y2 = (float(value) for value in box)  # in cells
    bins = torch.zeros(7, 7, maps.shape[2], dtype=maps.dtype)
    for row in range(7):
        for column in range(7):
            at_y = y1 + row * max(y2 - y1 + 1, 0) / 6
            at_x = x1 + column * max(x2 - x1 + 1, 0) / 6
            if at_y < 0 or at_y >= height or at_x < 0 or at_x >= width:
                continue
            top, left = min(math.floor(at_y), height - 2), min(math.floor(at_x), width - 2)
            down, right = at_y - top, at_x - left
            bins[row, column] = (
                maps[top, left] * (1 - down) * (1 - right)
                + maps[top, left + 1] * (1 - down) * right
                + maps[top + 1, left] * down * (1 - right)
                + maps[top + 1, left + 1] * down * right
            )
    return bins
