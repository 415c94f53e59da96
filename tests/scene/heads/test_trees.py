"""Maximum spanning trees against a naive Prim and networkx, and their binary form."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from interplay.scene.heads.padding import Padding
from interplay.scene.heads.trees import Forest, spanning_forest

Tree = tuple[int, list[int], list[list[int]]]


def naive_tree(scores: NDArray[np.float32]) -> Tree:
    """(root, parents, children): all pairs searched at each step, first of equal ones in (picked, index) order."""
    count = len(scores)
    root = int(scores.mean(axis=1).argmax())
    chosen, free = [root], [i for i in range(count) if i != root]
    parents, children = [-1] * count, [[] for _ in range(count)]
    while free:
        _, i, j = max(((scores[i, j], -chosen.index(i), -j) for i in chosen for j in free), key=lambda cell: cell)
        i, j = chosen[-i], -j
        parents[j] = i
        children[i].append(j)
        chosen.append(j)
        free.remove(j)
    return root, parents, children


def padded(matrices: list[NDArray[np.float32]]) -> tuple[torch.Tensor, tuple[int, ...]]:
    longest = max((len(matrix) for matrix in matrices), default=0)
    block = torch.full((len(matrices), longest, longest), 7.0)  # what lies outside must not matter
    for image, matrix in enumerate(matrices):
        block[image, : len(matrix), : len(matrix)] = torch.from_numpy(matrix)
    return block, tuple(map(len, matrices))


def check(matrices: list[NDArray[np.float32]]) -> Forest:
    forest = spanning_forest(*padded(matrices))
    first = 0
    for image, matrix in enumerate(matrices):
        root, parents, children = naive_tree(matrix) if len(matrix) else (-1, [], [])
        rows = slice(first, first + len(matrix))
        assert forest.roots[image] == (root + first if len(matrix) else -1)
        assert forest.parent[rows].tolist() == [p + first if p >= 0 else -1 for p in parents]
        left = [of[0] + first if of else -1 for of in children]
        right = [-1] * len(matrix)
        above = [-1] * len(matrix)
        for i, of in enumerate(children):
            for order, j in enumerate(of):
                assert forest.sibling_rank[first + j] == order
                above[j] = (of[order - 1] if order else i) + first
                if order:
                    right[of[order - 1]] = j + first
        assert forest.left[rows].tolist() == left
        assert forest.right[rows].tolist() == right
        assert forest.binary_parent[rows].tolist() == above
        for j, parent in enumerate(above):
            assert forest.depth[first + j] == (forest.depth[parent] + 1 if parent >= 0 else 0)
        first += len(matrix)
    return forest


@pytest.mark.parametrize("seed", range(6))
def test_random_scores(seed: int) -> None:
    random = np.random.default_rng(seed)
    sizes = random.integers(0, 14, 5)
    check([random.normal(size=(n, n)).astype(np.float32) for n in sizes])


@pytest.mark.parametrize("seed", range(6))
def test_ties_go_to_who_joined_first(seed: int) -> None:
    random = np.random.default_rng(seed)
    check([random.integers(0, 3, (n, n)).astype(np.float32) for n in (9, 6, 1, 12)])
    check([np.zeros((n, n), np.float32) for n in (4, 7)])


def test_is_a_maximum_spanning_tree() -> None:
    scores = np.random.default_rng(0).random((20, 20)).astype(np.float32)
    scores = (scores + scores.T) / 2
    forest = check([scores])
    graph = networkx.Graph()
    graph.add_weighted_edges_from((i, j, float(scores[i, j])) for i in range(20) for j in range(i))
    best = networkx.maximum_spanning_tree(graph)
    ours = {frozenset((j, int(p))) for j, p in enumerate(forest.parent) if p >= 0}
    assert ours == {frozenset(edge) for edge in best.edges}


def test_chain_and_star() -> None:
    chain, star = np.zeros((5, 5), np.float32), np.zeros((5, 5), np.float32)
    chain[0, 1:] = [9, 0, 0, 0]
    for i in range(1, 4):
        chain[i, i + 1] = 1
    star[2, [0, 1, 3, 4]] = [4, 3, 2, 1]
    forest = check([chain, star])
    assert forest.left[:5].tolist() == [1, 2, 3, 4, -1]
    assert forest.right[5:].tolist() == [6, 8, -1, 9, -1]
    assert forest.depth.tolist() == [0, 1, 2, 3, 4, 1, 2, 0, 3, 4]


def test_scores_that_are_no_numbers_still_give_trees() -> None:
    forest = spanning_forest(torch.full((1, 4, 4), torch.nan), (4,))
    assert sorted(forest.picked.tolist()) == [0, 1, 2, 3]
    assert int((forest.parent < 0).sum()) == 1


def test_levels_point_at_parents_and_children() -> None:
    random = np.random.default_rng(3)
    forest = check([random.random((n, n)).astype(np.float32) for n in (6, 0, 9, 1)])
    levels = forest.levels(torch.device("cpu"))
    assert sum(levels.sizes) == 16
    slices = levels.order.split(levels.sizes)
    for depth, nodes in enumerate(slices):
        assert forest.depth[nodes].tolist() == [depth] * len(nodes)
        for node, parent in zip(nodes.tolist(), levels.parents.split(levels.sizes)[depth].tolist(), strict=True):
            found = int(slices[depth - 1][parent]) if parent >= 0 else -1
            assert found == forest.binary_parent[node]
        for node, pair in zip(nodes.tolist(), levels.children.split(levels.sizes)[depth].tolist(), strict=True):
            named = [int(slices[depth + 1][place]) if place >= 0 else -1 for place in pair]
            assert named == [forest.left[node], forest.right[node]]
    rows = torch.arange(16.0)[:, None]
    torch.testing.assert_close(levels.restored(rows[levels.order]), rows)


def test_padding_there_and_back() -> None:
    padding = Padding((2, 0, 3), torch.device("cpu"))
    rows = torch.arange(10.0).view(5, 2)
    block = padding.pad(rows)
    assert block.shape == (3, 3, 2)
    torch.testing.assert_close(block[padding.present()], rows)
    assert float(block[~padding.present()].abs().sum()) == 0
