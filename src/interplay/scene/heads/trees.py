"""Trees over the entities of each image: maximum spanning tree, and its binary left-child right-sibling form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Forest:
    """A tree per image, over the batch's concatenated entities. −1 where there is none.

    Args:
        counts: N_b, entities of each image.
        roots: (B,) row of each image's root; −1 in an image without entities.
        parent: (N,) parent in the tree.
        sibling_rank: (N,) how many children its parent had before this one.
        picked: (N,) when the entity joined its tree; the root at 0.
        left: (N,) left child in the binary form: the first child.
        right: (N,) right child in the binary form: the next sibling.
        binary_parent: (N,) parent in the binary form.
        depth: (N,) in the binary form; the root at 0.
    """

    counts: tuple[int, ...]
    roots: Indices
    parent: Indices
    sibling_rank: Indices
    picked: Indices
    left: Indices
    right: Indices
    binary_parent: Indices
    depth: Indices

    def levels(self, device: torch.device) -> Levels:
        """The same binary trees, sorted by depth."""
        entities = len(self.depth)
        order = np.argsort(self.depth, kind="stable")
        sizes: list[int] = np.bincount(self.depth).tolist() if entities else []
        first = np.cumsum([0, *sizes])
        place = np.empty(entities + 1, np.int64)  # where an entity stands inside its level
        place[order] = np.arange(entities) - first[self.depth[order]]
        place[-1] = -1  # what is missing: the zero row that stands last
        children = np.stack([place[self.left], place[self.right]], axis=1)[order]
        images = np.repeat(np.arange(len(self.counts)), self.counts)[order]
        parents = place[self.binary_parent][order]

        def on_device(array: Indices) -> Tensor:
            return torch.from_numpy(array).to(device)

        return Levels(on_device(order), on_device(children), on_device(parents), on_device(images), sizes)


@dataclass(frozen=True, eq=False)
class Levels:
    """Entities of a forest by rising depth in the binary form, so that a tree LSTM takes a level of all trees at once.

    Args:
        order: (N,) entities, level after level.
        children: (N, 2), in that order: place of the left and the right child in the level below; −1 = none.
        parents: (N,), in that order: place of the binary parent in the level above; −1 = none.
        images: (N,), in that order: the image.
        sizes: entities of each level.
    """

    order: Int[Tensor, " entity"]
    children: Int[Tensor, "entity 2"]
    parents: Int[Tensor, " entity"]
    images: Int[Tensor, " entity"]
    sizes: list[int]

    def restored(self, rows: Float[Tensor, "entity width"]) -> Float[Tensor, "entity width"]:
        """Rows in level order back in the order of the batch."""
        return torch.zeros_like(rows).index_copy(0, self.order, rows)


def spanning_forest(scores: Float[Tensor, "image n n"], counts: Sequence[int]) -> Forest:
    """Maximum spanning tree of each image by Prim's algorithm, all images step by step together (spec §B.4, §H.4, L.7).

    root = argmaxᵢ of the row mean over the image's own entities, the diagonal included; then, repeatedly, the largest
    score[i, j] with i in the tree and j not in it makes j the next child of i. The score need not be symmetric. Of
    equal scores the one whose i joined the tree first is taken, then the smallest j. Entities keep their best parent so
    far, so that n entities cost n steps over n numbers.

    Binary form: first child = left child, next sibling = right child.

    Args:
        scores: padded; what lies beyond an image's own rows and columns is not looked at. NaN counts as −∞.
        counts: N_b.
    """
    sizes = np.asarray(counts, np.int64)
    images, longest = len(sizes), scores.shape[-1]
    values = np.nan_to_num(scores.detach().float().cpu().numpy(), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    exists = np.arange(longest) < sizes[:, None]
    every = np.arange(images)
    parent, rank, picked, left, right, above, depth, last = (
        np.full((images, longest), -1, np.int64) for _ in range(8)
    )  # `last`: the child that joined last
    roots = np.full(images, -1, np.int64)
    if longest:
        means = np.where(exists[:, None, :], values, 0).sum(axis=2) / np.maximum(sizes, 1)[:, None]
        means[~exists] = -np.inf
        remaining = exists.copy()
        start = _first(remaining & (means == means.max(axis=1, keepdims=True)))
        roots = np.where(sizes > 0, start, -1)
        remaining[every, start] = False
        picked[every, start], depth[every, start] = 0, 0
        best, best_of = values[every, start].copy(), np.repeat(start[:, None], longest, axis=1)
    children = np.zeros((images, longest), np.int64)
    for step in range(1, longest):
        open_images = np.flatnonzero(sizes > step)
        free = remaining[open_images]
        offered = np.where(free, best[open_images], -np.inf)
        candidates = free & (offered == offered.max(axis=1, keepdims=True))
        since = np.where(candidates, np.take_along_axis(picked[open_images], best_of[open_images], axis=1), longest)
        j = _first(since == since.min(axis=1, keepdims=True))
        i = best_of[open_images, j]
        before = last[open_images, i]
        first_child = before < 0
        holder = np.where(first_child, i, before)
        left[open_images[first_child], i[first_child]] = j[first_child]
        right[open_images[~first_child], before[~first_child]] = j[~first_child]
        parent[open_images, j], above[open_images, j], last[open_images, i] = i, holder, j
        depth[open_images, j] = depth[open_images, holder] + 1
        rank[open_images, j] = children[open_images, i]
        children[open_images, i] += 1
        picked[open_images, j] = step
        remaining[open_images, j] = False
        offer = values[open_images, j]
        better = offer > best[open_images]
        best[open_images] = np.where(better, offer, best[open_images])
        best_of[open_images] = np.where(better, j[:, None], best_of[open_images])
    firsts = np.cumsum(np.concatenate([[0], sizes[:-1]])) if images else sizes

    def rows(local: Indices) -> Indices:
        shifted = np.where(local >= 0, local + firsts[:, None], -1)
        return np.asarray(shifted[exists], np.int64)

    return Forest(
        tuple(int(size) for size in sizes),
        np.where(roots >= 0, roots + firsts, -1),
        rows(parent),
        rank[exists],
        picked[exists],
        rows(left),
        rows(right),
        rows(above),
        depth[exists],
    )


def _first(chosen: NDArray[np.bool_]) -> Indices:
    """Column of the first True of each row."""
    return np.asarray(chosen.argmax(axis=1), np.int64)
