"""Level-batched tree LSTMs against recursion over single nodes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.scene.heads.batches import CLASSES, VOCABULARY
from torch import Tensor, nn

from interplay.scene.heads.tree_decoder import TreeDecoder
from interplay.scene.heads.tree_lstm import BidirectionalTreeLSTM, ChildrenToParent, ParentToChildren
from interplay.scene.heads.trees import Forest, spanning_forest

CPU = torch.device("cpu")


def forest_of(counts: tuple[int, ...], seed: int = 0) -> Forest:
    draw = torch.Generator().manual_seed(seed)
    return spanning_forest(torch.rand(len(counts), max(counts), max(counts), generator=draw), counts)


def randomised(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def up_naively(cell: ChildrenToParent, x: Tensor, forest: Forest, node: int) -> dict[int, tuple[Tensor, Tensor]]:
    d, zero = cell.hidden, (torch.zeros(cell.hidden), torch.zeros(cell.hidden))
    states: dict[int, tuple[Tensor, Tensor]] = {}
    sides = []
    for child in (int(forest.left[node]), int(forest.right[node])):
        if child >= 0:
            states |= up_naively(cell, x, forest, child)
        sides.append(states[child] if child >= 0 else zero)
    (hl, cl), (hr, cr) = sides
    gates = cell.input(x[node]) + cell.left(hl) + cell.right(hr)
    i, o, fl, fr, u, r = gates.view(6, d)
    c = i.sigmoid() * u.tanh() + fl.sigmoid() * cl + fr.sigmoid() * cr
    h = r.sigmoid() * o.sigmoid() * c.tanh() + (1 - r.sigmoid()) * cell.projection(x[node])
    return states | {node: (h, c)}


def down_naively(
    cell: ParentToChildren, x: Tensor, forest: Forest, node: int, above: tuple[Tensor, Tensor] | None = None
) -> dict[int, tuple[Tensor, Tensor]]:
    d = cell.hidden
    hp, cp = above or (torch.zeros(d), torch.zeros(d))
    i, o, f, u, r = (cell.input(x[node]) + cell.parent(hp)).view(5, d)
    c = i.sigmoid() * u.tanh() + f.sigmoid() * cp
    h = r.sigmoid() * o.sigmoid() * c.tanh() + (1 - r.sigmoid()) * cell.projection(x[node])
    states = {node: (h, c)}
    for child in (int(forest.left[node]), int(forest.right[node])):
        if child >= 0:
            states |= down_naively(cell, x, forest, child, (h, c))
    return states


@pytest.mark.parametrize("counts", [(5,), (1,), (7, 1, 4, 12), (1, 1)])
@torch.no_grad()
def test_both_directions(counts: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    forest = forest_of(counts)
    levels = forest.levels(CPU)
    x = torch.randn(sum(counts), 6)
    for cell, naive in ((ChildrenToParent(6, 4), up_naively), (ParentToChildren(6, 4), down_naively)):
        randomised(cell)
        found = levels.restored(cell(x[levels.order], levels))
        for root in forest.roots:
            for node, (h, _) in naive(cell, x, forest, int(root)).items():  # type: ignore[operator]
                torch.testing.assert_close(found[node], h)


def test_gradients_are_those_of_the_recursion() -> None:
    torch.manual_seed(0)
    forest = forest_of((6, 3))
    levels = forest.levels(CPU)
    x = torch.randn(9, 5)
    cell = ChildrenToParent(5, 4)
    randomised(cell)
    weights = torch.randn(9, 4)
    levels_loss = (levels.restored(cell(x[levels.order], levels)) * weights).sum()
    states: dict[int, tuple[Tensor, Tensor]] = {}
    for root in forest.roots:
        states |= up_naively(cell, x, forest, int(root))
    naive_loss = sum((states[node][0] * weights[node]).sum() for node in range(9))
    assert isinstance(naive_loss, Tensor)
    ours = torch.autograd.grad(levels_loss, tuple(cell.parameters()))
    theirs = torch.autograd.grad(naive_loss, tuple(cell.parameters()))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


def test_layers_stack_and_an_image_alone_is_the_same() -> None:
    torch.manual_seed(0)
    lstm = BidirectionalTreeLSTM(6, 8, layers=2, dropout=0.3).eval()
    forest = forest_of((4, 5))
    x = torch.randn(9, 6)
    together = lstm(x, forest.levels(CPU), 2)
    alone = lstm(x[:4], forest_of((4,)).levels(CPU), 1)  # another tree: the block was drawn with another size
    assert together.shape == (9, 8)
    assert alone.shape == (4, 8)
    single = Forest((4,), forest.roots[:1], *(getattr(forest, name)[:4] for name in list(vars(forest))[2:]))
    torch.testing.assert_close(lstm(x[:4], single.levels(CPU), 1), together[:4])


def test_dropout_masks_whole_trees_and_only_with_several_layers() -> None:
    x, levels = torch.randn(9, 6), forest_of((4, 5)).levels(CPU)
    one = BidirectionalTreeLSTM(6, 8, layers=1, dropout=0.9).train()
    assert torch.equal(one(x, levels, 2), one(x, levels, 2))
    several = BidirectionalTreeLSTM(6, 32, layers=2, dropout=0.5).train()
    found = several(x, levels, 2)
    for rows in (found[:4], found[4:]):
        assert ((rows == 0) == (rows[0] == 0)).all()
    assert (found == 0).any()


def test_first_values() -> None:
    cell = ChildrenToParent(20, 8)
    for block in (*cell.input.weight.split(8), *cell.left.weight.split(8), cell.projection.weight):
        torch.testing.assert_close(block @ block.T, torch.eye(8), rtol=1e-4, atol=1e-5)
    assert cell.left.bias.view(6, 8).mean(dim=1).tolist() == [0, 0, 0.5, 0.5, 0, 0]
    assert ParentToChildren(20, 8).parent.bias.view(5, 8).mean(dim=1).tolist() == [0, 0, 1, 0, 0]
    with pytest.raises(ValueError, match="even"):
        BidirectionalTreeLSTM(4, 5)


@torch.no_grad()
def test_decoder_is_the_recursion() -> None:
    torch.manual_seed(0)
    forest = forest_of((7, 3, 1))
    decoder = TreeDecoder(VOCABULARY, None, 6, 5, label_dim=4).eval()
    randomised(decoder)
    x = torch.randn(11, 6)
    logits, labels = decoder(x, forest.levels(CPU), 3)
    for node in np.argsort(forest.depth, kind="stable"):
        chain = [int(node)]
        while forest.binary_parent[chain[-1]] >= 0:
            chain.append(int(forest.binary_parent[chain[-1]]))
        above: tuple[Tensor, Tensor] | None = None
        before = 0
        cell = decoder.cell
        for step in chain[::-1]:
            entry = torch.cat([x[step], decoder.embedding.weight[before]])[None]
            gate = cell.input(entry) + cell.parent.bias
            h, c = cell.step(gate, cell.projection(entry), None if above is None else torch.cat(above, dim=1))
            above = (h, c)
            expected = decoder.output(h)[0]
            before = int(expected[1:].argmax()) + 2
        torch.testing.assert_close(logits[int(node)], expected)
        assert labels[int(node)] == before - 1


@torch.no_grad()
def test_training_draws_the_label_that_is_passed_on() -> None:
    torch.manual_seed(0)
    decoder = TreeDecoder(VOCABULARY, None, 6, 5, label_dim=4, dropout=0.0)
    x, levels = torch.randn(8, 6), forest_of((8,)).levels(CPU)
    first, labels = decoder.train()(x, levels, 1)
    assert any(not torch.equal(decoder(x, levels, 1)[0], first) for _ in range(8)), "another draw, other logits"
    assert torch.equal(labels, first[:, 1:].argmax(dim=1) + 1), "labels returned are the best, not the drawn"
    drawn = decoder._told(torch.log(torch.tensor([0.97, 0.0, 0.03, 0.0, 0.0, 0.0])).expand(200, CLASSES))
    assert set(drawn.tolist()) == {2}
