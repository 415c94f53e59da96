"""The SIL block as naive loops, one picture, one level: Eqs 1–9 as the documented defaults read them."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cells(length: int, side: int) -> list[range]:
    """Rows (or columns) of each cell of an even grid."""
    return [range(math.floor(cell * length / side), math.ceil((cell + 1) * length / side)) for cell in range(side)]


def pooled(points: Tensor, side: int) -> Tensor:
    """Eq. 1: (D, h, w) → (C, D), the mean of each cell."""
    return torch.stack(
        [
            torch.stack([points[:, row, column] for row in rows for column in columns]).mean(0)
            for rows in cells(points.shape[1], side)
            for columns in cells(points.shape[2], side)
        ]
    )


def cosine(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum() / (one.norm() * other.norm())


def cluster(query: Tensor, value: Tensor, side: int, alpha: float, beta: float) -> tuple[list[int], Tensor, Tensor]:
    """Eqs 1–3 before H' of one head: q and v (d, h, w) → winners, similarities (M), aggregates (C, d)."""
    centres, values = pooled(query, side), pooled(value, side)
    q, v = query.flatten(1).T, value.flatten(1).T
    winners, kept = [], []
    for point in q:
        similar = torch.stack([torch.sigmoid(beta + alpha * cosine(point, centre)) for centre in centres])
        winners.append(int(similar.argmax()))
        kept.append(similar[winners[-1]])
    aggregates = []
    for j in range(side * side):
        above, below = values[j].clone(), torch.ones(())
        for i in range(len(q)):
            if winners[i] == j:
                above, below = above + kept[i] * v[i], below + kept[i]
        aggregates.append(above / below)
    return winners, torch.stack(kept), torch.stack(aggregates)


def middles(size: tuple[int, int], side: int) -> list[tuple[float, float]]:
    """T: x, y of the centres, in pixels."""
    height, width = size
    return [
        ((column + 0.5) * width / side, (row + 0.5) * height / side) for row in range(side) for column in range(side)
    ]


def weights(centres: list[tuple[float, float]], box: Tensor, kind: str) -> dict[int, float]:
    """Eq. 5 over the centres that lie in the box."""
    x1, y1, x2, y2 = box.tolist()
    inside = [j for j, (x, y) in enumerate(centres) if x1 <= x <= x2 and y1 <= y <= y2]
    d = {j: math.dist(centres[j], ((x1 + x2) / 2, (y1 + y2) / 2)) for j in inside}
    half = math.hypot(x2 - x1, y2 - y1) / 2
    epsilon = 1e-6 * half
    raw = {
        "near": lambda j: half - d[j] + epsilon,
        "far": lambda j: d[j],
        "inverse": lambda j: 1 / (d[j] + epsilon),
        "softmax": lambda j: math.exp(-d[j] / (0.1 * half)),
        "uniform": lambda j: 1.0,
    }[kind]
    total = sum(raw(j) for j in inside)
    return {j: raw(j) / total for j in inside}


def intra_entity(
    superpixels: Tensor, references: Tensor, boxes: Tensor, size: tuple[int, int], side: int, transform: torch.nn.Module
) -> Tensor:
    """Eqs 4 and 6."""
    centres = middles(size, side)
    sent: list[list[Tensor]] = [[] for _ in centres]
    for box, g in zip(boxes, references, strict=True):
        w = weights(centres, box, "near")
        above, below = g.clone(), 1.0
        for j, share in w.items():
            above, below = above + share * superpixels[j], below + share
        entity = transform(above / below)
        for j, share in w.items():
            sent[j].append(share * entity)
    return torch.stack(
        [own + torch.stack(got).mean(0) if got else own for own, got in zip(superpixels, sent, strict=True)]
    )
