"""Entity and union features: chunks, shared union boxes, gradients, start from the detector."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from interplay.graph.boxes import union_boxes
from interplay.scene.encodings import two_box_masks
from interplay.scene.features import BoxFeatures, UnionFeatureExtractor
from interplay.scene.regions import LEVELS, RegionPerceptron, RegionPooler
from interplay.scene.sampling import all_pairs
from interplay.scene.structures import Entities, Pairs

CHANNELS, WIDTH = 4, 8


def maps(images: int = 2) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(0)
    return {level: torch.randn(images, CHANNELS, 32 >> i, 48 >> i, generator=random) for i, level in enumerate(LEVELS)}


def entities(counts: tuple[int, ...] = (4, 3)) -> Entities:
    random = torch.Generator().manual_seed(1)
    low = torch.rand(sum(counts), 2, generator=random) * 60
    boxes = torch.cat([low, low + 5 + torch.rand(sum(counts), 2, generator=random) * 60], dim=1)
    sizes = torch.tensor([[190.0, 128.0]]).repeat(len(counts), 1)
    return Entities(counts, boxes, sizes, torch.zeros(sum(counts), 3))


def extractor() -> UnionFeatureExtractor:
    torch.manual_seed(0)
    return UnionFeatureExtractor(RegionPooler(), CHANNELS, WIDTH)


def test_chunks_do_not_change_features() -> None:
    given, module = entities(), extractor().eval()
    pairs = all_pairs(given)
    with torch.no_grad():
        whole = module(maps(), given, pairs).map(lambda u, _: u)
        parts = module(maps(), given, pairs, chunk=5).map(lambda u, _: u)
    assert whole.shape == (18, WIDTH)
    torch.testing.assert_close(parts, whole)


def test_pairs_one_by_one() -> None:
    """Union boxes that pairs share are pooled once; every pair alone gives the same."""
    given, module, features = entities(), extractor().eval(), maps()
    pairs = all_pairs(given)
    with torch.no_grad():
        together = module(features, given, pairs).map(lambda u, _: u)
        for row, (subject, partner) in enumerate(pairs.index.tolist()):
            union = union_boxes(given.boxes[[subject]], given.boxes[[partner]])
            region = torch.cat([pairs.image[row].float()[None, None], union], dim=1)
            pooled = torch.relu(module.reduce(module.pooler.all_levels(features, region)))
            masks = two_box_masks(given.boxes, pairs.index[row : row + 1], given.sizes[given.image])
            torch.testing.assert_close(module.combine(pooled, masks)[0], together[row])
    assert not torch.allclose(together[0], together[3])


def test_gradients_reach_everything() -> None:
    given, module = entities(), extractor()
    features = {level: value.requires_grad_() for level, value in maps().items()}
    module(features, given, all_pairs(given)).map(lambda u, _: u).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in module.parameters())
    assert all(value.grad is not None and value.grad.any() for value in features.values())


def test_gradients_of_shared_union_boxes_add_up() -> None:
    given, module = entities((2,)), extractor().eval()
    both = Pairs((2,), torch.tensor([[0, 1], [1, 0]]))
    one_by_one = torch.zeros_like(module.reduce.weight)
    for row in range(2):
        single = Pairs((1,), both.index[row : row + 1])
        (gradient,) = torch.autograd.grad(
            module(maps(1), given, single).map(lambda u, _: u).sum(), [module.reduce.weight]
        )
        one_by_one += gradient
    (together,) = torch.autograd.grad(module(maps(1), given, both).map(lambda u, _: u).sum(), [module.reduce.weight])
    torch.testing.assert_close(together, one_by_one)


@pytest.mark.parametrize("training", [True, False])
def test_no_pairs(training: bool) -> None:
    given, module = entities((1,)), extractor().train(training)
    assert module(maps(1), given, all_pairs(given)).map(lambda u, _: u).shape == (0, WIDTH)


def test_start_from_the_detector() -> None:
    source = RegionPerceptron(CHANNELS, WIDTH)
    box, union = BoxFeatures(RegionPooler(), CHANNELS, WIDTH), extractor()
    for part in (box, union):
        part.start_from(source)
        assert torch.equal(part.perceptron.fc6.weight, source.fc6.weight)
        assert part.perceptron.fc6.weight is not source.fc6.weight
    with pytest.raises(ValueError, match=r"fc6: found weights \(16, 196\) in the detector, expected \(8, 196\)"):
        box.start_from(RegionPerceptron(CHANNELS, 16))


def test_entity_features_of_an_image_ignore_the_others() -> None:
    given = entities()
    module = BoxFeatures(RegionPooler(), CHANNELS, WIDTH)
    features = maps()
    both = module(features, given.boxes, given.counts)
    second = module({level: value[1:] for level, value in features.items()}, given.boxes[4:], (3,))
    torch.testing.assert_close(both[4:], second)
