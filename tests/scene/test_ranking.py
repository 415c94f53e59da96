"""Ranked triplets: one image's answer does not depend on its batch, and nothing is lost."""

from __future__ import annotations

import torch

from interplay.scene.heads.interface import HeadOutput
from interplay.scene.ranking import rank
from interplay.scene.refinement import best_labels
from interplay.scene.sampling import all_pairs
from interplay.scene.structures import Entities, Pairs

RANDOM = torch.Generator().manual_seed(0)


def output(logits: torch.Tensor, pairs: Pairs) -> HeadOutput:
    return HeadOutput(logits, torch.randn(len(pairs.index), 5, generator=RANDOM), best_labels(logits), pairs)


def test_against_loops() -> None:
    counts = (3, 1, 4)
    boxes, logits = torch.rand(8, 4, generator=RANDOM) * 50, torch.randn(8, 6, generator=RANDOM)
    entities = Entities(counts, boxes, torch.full((3, 2), 100.0), logits)
    pairs = all_pairs(entities)
    answer = output(logits, pairs)
    ranked = rank(answer, entities)
    entity, predicate = logits.softmax(1), answer.relation_logits.softmax(1)
    for image, (first, count) in enumerate(zip(entities.starts, counts, strict=True)):
        wanted = []
        for row, (s, o) in enumerate(pairs.index.tolist()):
            if first <= s < first + count:
                score = float(entity[s, 1:].max() * entity[o, 1:].max() * predicate[row, 1:].max())
                wanted.append((-score, s - first, o - first, 1 + int(predicate[row, 1:].argmax())))
        wanted.sort()
        found = ranked[image]
        assert [tuple(pair) for pair in found.pairs.tolist()] == [item[1:3] for item in wanted]
        assert found.predicates.tolist() == [item[3] for item in wanted]
        torch.testing.assert_close(found.scores, -torch.tensor([item[0] for item in wanted]))
        assert torch.equal(found.labels, logits[first : first + count, 1:].argmax(1) + 1)
    assert ranked[1].pairs.shape == (0, 2)


def test_boxes_back_in_the_original_picture() -> None:
    entities = Entities(
        (2,), torch.tensor([[0.0, 0, 10, 20], [5, 5, 9, 9]]), torch.full((1, 2), 50.0), torch.randn(2, 3)
    )
    (answer,) = rank(output(entities.logits, all_pairs(entities)), entities)
    assert answer.rescaled(2.0, 0.5).boxes.tolist() == [[0, 0, 20, 10], [10, 2.5, 18, 4.5]]


def test_a_box_that_lost_every_class_comes_last() -> None:
    """Four boxes on one place and two classes: two of them keep nothing, and score 0."""
    boxes = torch.tensor([[0.0, 0, 9, 9]]).repeat(4, 1)
    logits = torch.randn(4, 3, generator=RANDOM)
    entities = Entities(
        (4,), boxes, torch.full((1, 2), 50.0), logits, boxes_per_class=boxes[:, None].expand(4, 3, 4) + 1
    )
    (answer,) = rank(output(logits, all_pairs(entities)), entities)
    lost = answer.labels == 0
    assert int(lost.sum()) == 2
    assert torch.equal(answer.boxes[lost], boxes[lost])
    assert not answer.entity_scores[lost].any()
    alive = (answer.scores > 0).nonzero()[:, 0]
    assert alive.tolist() == [0, 1]
