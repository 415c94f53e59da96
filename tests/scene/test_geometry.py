"""Features without pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from interplay.data.scenes import BACKGROUND, Vocabulary
from interplay.scene.encodings import encode_boxes, pair_info, two_box_masks
from interplay.scene.geometry import GeometryFeatures
from interplay.scene.sampling import all_pairs
from interplay.scene.structures import Entities
from interplay.scene.word_vectors import label_vectors

VOCABULARY = Vocabulary((BACKGROUND, "cup", "table", "hand"), (BACKGROUND, "on"))


def given() -> Entities:
    boxes = torch.tensor([[0.0, 0, 40, 40], [10, 10, 90, 60], [50, 20, 70, 80], [3, 3, 9, 9]])
    return Entities((3, 1), boxes, torch.full((2, 2), 100.0), torch.zeros(4, 4), torch.tensor([1, 2, 3, 1]))


def module() -> GeometryFeatures:
    torch.manual_seed(0)
    return GeometryFeatures(VOCABULARY, None, 16, 24, label_dim=10, mask_channels=8)


def test_formula() -> None:
    features, entities = module().eval(), given()
    pairs = all_pairs(entities)
    sizes = entities.sizes[entities.image]
    assert torch.equal(features.labels.weight, label_vectors(VOCABULARY.classes, 10))
    with torch.no_grad():
        x = features.entities(entities)
        u = features.pairs(entities, pairs, chunk=4).map(lambda found, _: found)
        e = features.labels.weight[entities.labels]
        single = torch.cat([e[2], features.position(encode_boxes(entities.boxes, sizes))[2]])
        torch.testing.assert_close(x[2], torch.relu(features.entity_norm(features.entity(single))))
        for row, (i, j) in enumerate(pairs.index.tolist()):
            masks = features.rectangles(two_box_masks(entities.boxes, pairs.index[row : row + 1], sizes)).mean((2, 3))[
                0
            ]
            info = pair_info(entities.boxes, pairs.index[row : row + 1], sizes)[0]
            both = torch.cat([masks, info, e[i], e[j]])
            torch.testing.assert_close(u[row], torch.relu(features.union_norm(features.union(both))))
    assert x.shape == (4, 16)
    assert u.shape == (6, 24)


def test_labels_are_needed() -> None:
    with pytest.raises(ValueError, match="PredCls only"):
        module().entities(replace(given(), labels=None))


def test_every_weight_learns() -> None:
    features, entities = module(), given()
    pairs = all_pairs(entities)
    total = (
        features.entities(entities).square().sum() + features.pairs(entities, pairs).map(lambda u, _: u).square().sum()
    )
    total.backward()
    missing = [name for name, value in features.named_parameters() if value.grad is None or not value.grad.any()]
    assert not missing
