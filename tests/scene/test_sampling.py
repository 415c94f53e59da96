"""Pairs: what is drawn, how often, and that a seed fixes it."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor

from interplay.scene.preparation import SceneTarget
from interplay.scene.sampling import PairSampling, all_pairs
from interplay.scene.structures import Entities, Pairs


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spread(count: int) -> Tensor:
    """Boxes that do not overlap."""
    x = torch.arange(count).float() * 20
    return torch.stack([x, x, x + 9, x + 9], dim=1)


def scene(counts: tuple[int, ...], labels: Tensor | None = None) -> Entities:
    boxes = torch.cat([spread(count) for count in counts])
    return Entities(counts, boxes, torch.full((len(counts), 2), 500.0), torch.zeros(len(boxes), 4), labels)


def target(boxes: Tensor, relations: list[tuple[int, int, int]], labels: Tensor | None = None) -> SceneTarget:
    labels = torch.ones(len(boxes), dtype=torch.int64) if labels is None else labels
    return SceneTarget(boxes, labels, torch.tensor(relations, dtype=torch.int64).reshape(-1, 3))


def cells(pairs: Pairs) -> Counter[tuple[int, ...]]:
    assert pairs.labels is not None
    return Counter(tuple(row) for row in torch.cat([pairs.index, pairs.labels[:, None]], dim=1).tolist())


def test_given_boxes_fill_the_cap() -> None:
    entities = scene((3, 4))
    targets = [target(spread(3), [(0, 1, 2), (2, 1, 3)]), target(spread(4), [(3, 0, 1)])]
    pairs = PairSampling().given(entities, targets, seeded())
    assert pairs.counts == (6, 12)
    found = cells(pairs)
    assert found[0, 1, 2] == found[2, 1, 3] == found[6, 3, 1] == 1
    assert max(Counter(cell[:2] for cell in found).values()) == 1  # every ordered pair once
    assert all(subject != partner for subject, partner, _ in found)
    assert sum(label == 0 for _, _, label in found) == 15
    assert pairs.related is not None
    assert torch.equal(pairs.related[0], torch.tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    assert pairs.related[1].sum() == 2


def test_caps() -> None:
    boxes = spread(10)
    relations = [(i, j, 1) for i in range(5) for j in range(5) if i != j]
    pairs = PairSampling(cap=40).given(scene((10,)), [target(boxes, relations)], seeded())
    assert pairs.labels is not None
    assert (len(pairs.labels), int((pairs.labels == 1).sum())) == (40, 10)
    related = {(i, j) for i, j, _ in relations}
    background = {(i, j) for (i, j, label) in cells(pairs) if label == 0}
    assert len(background) == 30
    assert not background & related


def test_one_predicate_of_a_pair_is_drawn_by_its_rows() -> None:
    sampling, entities = PairSampling(cap=2, positive_fraction=1.0), scene((2,))
    targets = [target(spread(2), [(0, 1, 1), (0, 1, 2), (0, 1, 2), (0, 1, 2)])]
    generator = seeded()
    drawn: Counter[int] = Counter()
    for _ in range(400):
        found = cells(sampling.given(entities, targets, generator))
        assert len(found) == 2
        drawn.update(label for (subject, _, label) in found if subject == 0)
    assert drawn[1] + drawn[2] == 400
    assert 60 < drawn[1] < 140
    every = PairSampling(one_predicate=False).given(entities, targets, generator)
    assert cells(every) == Counter({(0, 1, 1): 1, (0, 1, 2): 1, (1, 0, 0): 1})


@pytest.mark.parametrize(("as_background", "label"), [(False, -1), (True, 0)])
def test_relations_left_out(as_background: bool, label: int) -> None:
    sampling = PairSampling(drop_as_background=as_background)
    pairs = sampling.given(scene((2,)), [target(spread(2), [(0, 1, -1)])], seeded())
    assert cells(pairs) == Counter({(0, 1, label): 1, (1, 0, 0): 1})


def naive_detected(
    boxes: Tensor, labels: Tensor, truth: SceneTarget
) -> tuple[set[tuple[int, ...]], set[tuple[int, int]]]:
    """Related rows and free cells, by loops."""

    def stands_for(entity: int, box: int) -> bool:
        a, b = truth.boxes[entity].tolist(), boxes[box].tolist()
        width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + 1)
        height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + 1)
        area = sum((c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b))
        iou = width * height / (area - width * height)
        return iou > 0.5 and int(truth.labels[entity]) == int(labels[box])

    rows = {
        (i, j, predicate)
        for subject, partner, predicate in truth.relations.tolist()
        for i in range(len(boxes))
        for j in range(len(boxes))
        if i != j and stands_for(subject, i) and stands_for(partner, j)
    }
    taken = {row[:2] for row in rows}
    free = {(i, j) for i in range(len(boxes)) for j in range(len(boxes)) if i != j and labels[i] > 0 and labels[j] > 0}
    return rows, free - taken  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(5))
def test_detections_against_loops(seed: int) -> None:
    random = seeded(seed)
    truth_boxes = torch.tensor([[0.0, 0, 40, 40], [30, 30, 90, 90], [100, 10, 160, 80]])
    truth = target(truth_boxes, [(0, 1, 2), (1, 2, 3), (2, 0, 1)], torch.tensor([1, 2, 1]))
    boxes = truth_boxes.repeat(4, 1) + torch.randn(12, 4, generator=random) * 6
    labels = torch.where(torch.rand(12, generator=random) < 0.7, truth.labels.repeat(4), 0)
    entities = Entities((12,), boxes, torch.tensor([[200.0, 100.0]]), torch.zeros(12, 3), labels)
    rows, free = naive_detected(boxes, labels, truth)
    pairs = PairSampling(per_relation=100, positive_fraction=1.0).detected(entities, [truth], random)
    found = cells(pairs)
    assert {cell for cell in found if cell[2] > 0} == rows
    assert {cell[:2] for cell in found if cell[2] == 0} == free
    few = cells(PairSampling(per_relation=2, positive_fraction=1.0).detected(entities, [truth], random))
    for predicate in (1, 2, 3):
        amount = sum(row[2] == predicate for row in rows)
        assert sum(cell[2] == predicate for cell in few) == min(amount, 2)
    assert {cell[:2] for cell in few if cell[2] == 0} == free  # pairs that were not kept are no background


def test_draws_follow_the_overlap() -> None:
    """With one draw per relation, a pair is drawn with probability ∝ product of its two IoUs."""
    truth = target(torch.tensor([[0.0, 0, 9, 9], [50, 0, 59, 9]]), [(0, 1, 1)])
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 5], [50, 0, 59, 9]])  # IoU 1, .6, 1
    entities = Entities((3,), boxes, torch.tensor([[99.0, 99.0]]), torch.zeros(3, 2), torch.ones(3, dtype=torch.int64))
    generator, drawn = seeded(), 0
    for _ in range(500):
        found = cells(PairSampling(per_relation=1).detected(entities, [truth], generator))
        drawn += found[0, 2, 1]
    assert abs(drawn / 500 - 1 / 1.6) < 0.08


def test_seed_fixes_draws() -> None:
    truth = target(spread(20), [(i, i + 1, 1 + i % 3) for i in range(19)])
    sampling, entities = PairSampling(cap=50), scene((20,))
    one, same = (sampling.given(entities, [truth], seeded(3)) for _ in range(2))
    other = sampling.given(entities, [truth], seeded(4))
    assert torch.equal(one.index, same.index)
    assert not torch.equal(one.index, other.index)


def test_images_without_relations_or_partners() -> None:
    sampling = PairSampling()
    lonely = sampling.given(scene((1, 2)), [target(spread(1), []), target(spread(2), [])], seeded())
    assert (lonely.counts, cells(lonely)) == ((0, 2), Counter({(1, 2, 0): 1, (2, 1, 0): 1}))
    nothing = sampling.detected(
        scene((3,), torch.zeros(3, dtype=torch.int64)), [target(spread(2), [(0, 1, 1)])], seeded()
    )
    assert nothing.counts == (0,)
    none_found = sampling.detected(
        scene((0,), torch.zeros(0, dtype=torch.int64)), [target(spread(2), [(0, 1, 1)])], seeded()
    )
    assert none_found.counts == (0,)


def test_all_pairs_keeps_the_best_scored() -> None:
    entities = Entities(
        (3,), spread(3), torch.tensor([[99.0, 99.0]]), torch.zeros(3, 2), scores=torch.tensor([0.9, 0.1, 0.5])
    )
    assert all_pairs(entities).index.tolist() == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]
    assert all_pairs(entities, cap=2).index.tolist() == [[0, 2], [2, 0]]


def test_detections_need_labels() -> None:
    with pytest.raises(ValueError, match="found no labels"):
        PairSampling().detected(scene((2,)), [target(spread(2), [])], seeded())
