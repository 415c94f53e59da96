"""Intra-entity interaction: weights, the worked example, naive loops, and boxes without a centre."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.scene.superpixel import equations
from torch import Tensor

from interplay.scene.superpixel.intra_entity import (
    IntraEntityInteraction,
    distances,
    half_diagonals,
    members,
    superpixel_weights,
)

KINDS = ("near", "far", "inverse", "softmax", "uniform")
SIDE, WIDTH = 7, 5
SIZE = (700, 700)
BOX = (100.0, 100.0, 400.0, 300.0)


def grid(size: tuple[int, int] = SIZE, side: int = SIDE) -> Tensor:
    return torch.tensor(equations.middles(size, side))[None]


def weigh(box: tuple[float, ...], kind: str, empty: str = "skip") -> Tensor:
    """(C,) of one box."""
    centres, boxes = grid(), torch.tensor([[box]])
    inside = members(centres, boxes, torch.ones(1, 1, dtype=torch.bool), empty)  # type: ignore[arg-type]
    return superpixel_weights(distances(centres, boxes), inside, half_diagonals(boxes), kind)[0, 0]  # type: ignore[arg-type]


def test_worked_example() -> None:
    """Six centres in a box of a 700 × 700 picture; numbers worked out by hand."""
    centres, boxes = grid(), torch.tensor([[BOX]])
    inside = members(centres, boxes, torch.ones(1, 1, dtype=torch.bool))[0, 0]
    expected = [(x, y) for y in (150, 250) for x in (150, 250, 350)]
    assert [tuple(point) for point in centres[0][inside].tolist()] == expected
    d = distances(centres, boxes)[0, 0][inside]
    torch.testing.assert_close(d, torch.tensor([111.8034, 50.0, 111.8034] * 2))
    assert float(half_diagonals(boxes)) == pytest.approx(180.2776, abs=1e-4)
    near, far = weigh(BOX, "near")[inside], weigh(BOX, "far")[inside]
    torch.testing.assert_close(near, torch.tensor([0.128120, 0.243759, 0.128120] * 2), rtol=0, atol=1e-6)
    torch.testing.assert_close(far, torch.tensor([0.204314, 0.091372, 0.204314] * 2), rtol=0, atol=1e-6)
    assert 1 + float(d.sum()) == pytest.approx(548.2, abs=0.05)
    assert 1 + float(d.sum()) / 700 / 2**0.5 == pytest.approx(1.5528, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("box", [BOX, (0.0, 0.0, 699.0, 699.0), (40.0, 40.0, 60.0, 60.0), (50.0, 50.0, 50.0, 50.0)])
def test_weights_sum_to_one_over_the_box(kind: str, box: tuple[float, ...]) -> None:
    made = weigh(box, kind)
    assert float(made.sum()) == pytest.approx(1.0, abs=1e-6)
    assert bool((made >= 0).all())


@pytest.mark.parametrize("kind", KINDS)
def test_weights_against_loops(kind: str) -> None:
    box = (90.0, 130.0, 480.0, 610.0)
    expected = torch.zeros(SIDE * SIDE)
    for j, share in equations.weights(equations.middles(SIZE, SIDE), torch.tensor(box), kind).items():
        expected[j] = share
    torch.testing.assert_close(weigh(box, kind), expected)


def test_a_box_without_a_centre() -> None:
    box = (70.0, 60.0, 140.0, 120.0)  # between the centres; of its middle, (105, 90), the nearest is (150, 50)
    assert not weigh(box, "near").any()
    nearest = weigh(box, "near", "nearest")
    assert grid()[0][nearest == 1].tolist() == [[150.0, 50.0]]
    assert float(nearest.sum()) == 1


def interaction(**options: Any) -> IntraEntityInteraction:
    torch.manual_seed(1)
    return IntraEntityInteraction(WIDTH, **options)


def apply(module: IntraEntityInteraction, boxes: Tensor, references: Tensor, superpixels: Tensor) -> Tensor:
    present = torch.ones(1, len(boxes), dtype=torch.bool)
    size = torch.tensor([SIZE], dtype=torch.float32)
    return module(superpixels[None], references[None], grid(), boxes[None], present, size)[0]


@pytest.fixture
def case() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    boxes = torch.tensor([BOX, (60.0, 60.0, 140.0, 120.0), (120.0, 20.0, 690.0, 690.0), (0.0, 0.0, 699.0, 300.0)])
    return boxes, torch.randn(4, WIDTH), torch.randn(SIDE * SIDE, WIDTH)


@torch.no_grad()
def test_equations_4_and_6(case: tuple[Tensor, Tensor, Tensor]) -> None:
    boxes, references, superpixels = case
    module = interaction()
    expected = equations.intra_entity(superpixels, references, boxes, SIZE, SIDE, module.transform)
    torch.testing.assert_close(apply(module, boxes, references, superpixels), expected)


@torch.no_grad()
def test_order_of_boxes_does_not_matter(case: tuple[Tensor, Tensor, Tensor]) -> None:
    boxes, references, superpixels = case
    order = torch.tensor([2, 0, 3, 1])
    module = interaction()
    made = apply(module, boxes[order], references[order], superpixels)
    torch.testing.assert_close(made, apply(module, boxes, references, superpixels))


@torch.no_grad()
def test_a_box_without_a_centre_changes_nothing(case: tuple[Tensor, Tensor, Tensor]) -> None:
    boxes, references, superpixels = case
    empty = boxes[1:2]
    assert torch.equal(apply(interaction(), empty, references[1:2], superpixels), superpixels)
    assert not torch.equal(apply(interaction(empty="nearest"), empty, references[1:2], superpixels), superpixels)
    rest = torch.tensor([0, 2, 3])
    without = apply(interaction(), boxes[rest], references[rest], superpixels)
    torch.testing.assert_close(apply(interaction(), boxes, references, superpixels), without)


@torch.no_grad()
def test_no_boxes(case: tuple[Tensor, Tensor, Tensor]) -> None:
    _, _, superpixels = case
    assert torch.equal(apply(interaction(), torch.zeros(0, 4), torch.zeros(0, WIDTH), superpixels), superpixels)


@torch.no_grad()
def test_overlap_mean_or_sum(case: tuple[Tensor, Tensor, Tensor]) -> None:
    """The same box twice: the mean is what one sends, the sum twice that."""
    boxes, references, superpixels = case
    twice, both = boxes[[0, 0]], references[[0, 0]]
    once = apply(interaction(), boxes[:1], references[:1], superpixels) - superpixels
    mean = apply(interaction(), twice, both, superpixels) - superpixels
    total = apply(interaction(overlap="sum"), twice, both, superpixels) - superpixels
    torch.testing.assert_close(mean, once)
    torch.testing.assert_close(total, 2 * once)


@torch.no_grad()
@pytest.mark.parametrize("options", [{"denominator": "d"}, {"form": "affinity"}])
def test_denominators(case: tuple[Tensor, Tensor, Tensor], options: dict[str, str]) -> None:
    """One box, H^a the identity: Eq. 4 by hand."""
    boxes, references, superpixels = case
    module = interaction(**options)
    torch.nn.init.eye_(module.transform.weight)
    torch.nn.init.zeros_(module.transform.bias)
    w = weigh(BOX, "near")
    inside = w > 0
    d = distances(grid(), boxes[None, :1])[0, 0]
    if "form" in options:
        s = (1 - d / 180.27756) * inside
        entity = (references[0] + s @ superpixels) / (1 + s.sum())
    else:
        entity = (references[0] + w @ superpixels) / (1 + 547.21360 / 989.94949)
    expected = superpixels + w[:, None] * entity
    torch.testing.assert_close(apply(module, boxes[:1], references[:1], superpixels), expected, rtol=1e-5, atol=1e-5)
