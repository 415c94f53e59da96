"""The detector as a whole: every backbone, training, freezing, entities for the three tasks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.scene.detector.conftest import CLASSES, pixels, small_detector

from interplay.graph.boxes import iou_matrix
from interplay.scene.detector import Detector, DetectorSettings, feature_pyramid, given_entities
from interplay.scene.preparation import SceneTarget


def target(boxes: list[list[float]], labels: list[int]) -> SceneTarget:
    return SceneTarget(
        torch.tensor(boxes, dtype=torch.float32), torch.tensor(labels), torch.zeros(0, 3, dtype=torch.int64)
    )


def small(settings: DetectorSettings | None = None) -> Detector:
    torch.manual_seed(0)
    return Detector(CLASSES, "small", 8, 16, settings or DetectorSettings.playground())


@pytest.mark.parametrize("name", ["small", "resnet50", "resnext101_32x8d"])
def test_levels(name: str) -> None:
    device = "cpu" if name == "small" else "meta"  # shapes of the large ones without drawing their weights
    with torch.device(device):
        pyramid = feature_pyramid(name, 8).eval()  # type: ignore[arg-type]
        levels = pyramid(torch.zeros(1, 3, 32, 64))
    assert list(levels) == ["P2", "P3", "P4", "P5", "P6"]
    wanted = [(1, 8, 8, 16), (1, 8, 4, 8), (1, 8, 2, 4), (1, 8, 1, 2), (1, 8, 1, 1)]
    assert [tuple(level.shape) for level in levels.values()] == wanted


def test_bad_sizes_and_names() -> None:
    with pytest.raises(ValueError, match=r"found \(30, 64\)"):
        feature_pyramid("small", 8)(pixels(30, 64))
    with pytest.raises(ValueError, match="found 'vgg'"):
        feature_pyramid("vgg")  # type: ignore[arg-type]


def test_it_learns_where_a_square_is() -> None:
    """A bright square on noise: the losses fall and the best detection lands on it."""
    random, detector = torch.Generator().manual_seed(0), small()
    optimiser = torch.optim.Adam(detector.parameters(), lr=3e-3)
    picture = torch.randn(1, 3, 64, 64, generator=random) * 0.1
    picture[:, :, 16:40, 20:44] += 2
    truth, sizes = target([[20, 16, 43, 39]], [3]), torch.tensor([[64.0, 64.0]])
    first = last = None
    for _ in range(30):
        terms = detector.losses(detector.features(picture), sizes, [truth], random)
        assert set(terms) == {"objectness", "proposal_box", "class", "box"}
        last = torch.stack(list(terms.values())).sum()
        first = first if first is not None else float(last.detach())
        optimiser.zero_grad()
        last.backward()
        optimiser.step()
    assert last is not None
    assert first is not None
    assert float(last.detach()) < 0.5 * first
    detector.train()  # statistics of this one picture
    with torch.no_grad():
        (found,) = detector.detections(detector.features(picture), sizes)
    best = int(found.scores.argmax())
    assert int(found.labels[best]) == 3
    assert float(iou_matrix(found.boxes[best : best + 1], truth.boxes)) > 0.5


def test_every_weight_learns() -> None:
    inside = replace(DetectorSettings.playground(), anchor_sizes=(8, 12, 16, 24, 24))  # anchors of P5 fit the picture
    detector, random = small(inside), torch.Generator().manual_seed(0)
    sizes = torch.tensor([[64.0, 64.0], [60.0, 50.0]])
    truths = [target([[5, 5, 30, 30], [20, 20, 60, 60]], [1, 2]), target([[0, 0, 20, 40]], [4])]
    terms = detector.losses(detector.features(pixels(64, 64, 2)), sizes, truths, random)
    torch.stack(list(terms.values())).sum().backward()
    missing = [name for name, value in detector.named_parameters() if value.grad is None or not value.grad.any()]
    assert not missing


def test_draws_are_fixed_by_the_seed() -> None:
    detector = small(replace(DetectorSettings.playground(), region_samples=8, anchor_samples=8))
    sizes, truths = torch.tensor([[64.0, 64.0]]), [target([[5, 5, 30, 30]], [1])]
    features = detector.features(pixels(64, 64))

    def total(seed: int) -> float:
        terms = detector.losses(features, sizes, truths, torch.Generator().manual_seed(seed))
        return float(torch.stack(list(terms.values())).sum().detach())

    assert total(1) == total(1)
    assert total(1) != total(2)


def test_pictures_without_entities() -> None:
    detector = small()
    empty = SceneTarget(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 3, dtype=torch.int64))
    features, sizes = detector.features(pixels(64, 64)), torch.tensor([[64.0, 64.0]])
    terms = detector.losses(features, sizes, [empty])
    assert all(torch.isfinite(term) for term in terms.values())
    strict = small(replace(DetectorSettings.playground(), score=1.0))
    found = strict.detect(features, sizes)
    assert found.counts == (0,)
    assert found.boxes_per_class is not None
    assert found.boxes_per_class.shape == (0, CLASSES, 4)


def test_frozen_means_frozen() -> None:
    detector = small().freeze()
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    torch.nn.Sequential(detector).train()
    detector.features(pixels(64, 64))
    assert not detector.training
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())
    assert not any(parameter.requires_grad for parameter in detector.parameters())


def test_first_stages_stay() -> None:
    detector = small().freeze_stages(2)
    trained = {
        name.split(".")[2]
        for name, value in detector.backbone.named_parameters(prefix="backbone")
        if value.requires_grad
    }
    assert "layer2" in trained
    assert not trained & {"stem", "layer1"}


def test_entities_in_training(legacy_settings: DetectorSettings) -> None:
    """True boxes join the proposals; labels are those of the proposal's best truth, and 0 elsewhere."""
    detector = small_detector(legacy_settings)
    truth = target([[4, 4, 40, 50], [50, 10, 90, 60]], [2, 4])
    sizes = torch.tensor([[96.0, 64.0]])
    features = detector.features(pixels(64, 96))
    with torch.no_grad():
        found = detector.detect(features, sizes, [truth])
        again = detector.detect(features, sizes, [truth])
    assert found.labels is not None
    assert set(found.labels.tolist()) <= {0, 2, 4}
    assert torch.equal(found.boxes, again.boxes)
    assert found.scores is not None
    torch.testing.assert_close(found.scores, found.logits.softmax(1)[:, 1:].max(1).values.minimum(found.scores))
    assert detector.detect(features, sizes).labels is None


def test_a_batch_does_not_change_an_image(legacy_settings: DetectorSettings) -> None:
    detector = small_detector(legacy_settings)
    pictures, sizes = pixels(64, 96, 2), torch.tensor([[96.0, 64.0], [70.0, 50.0]])
    with torch.no_grad():
        both = detector.detect(detector.features(pictures), sizes)
        second = detector.detect(detector.features(pictures[1:]), sizes[1:])
    assert both.counts[1:] == second.counts
    torch.testing.assert_close(both.boxes[both.counts[0] :], second.boxes, rtol=1e-4, atol=1e-3)


def test_given_entities() -> None:
    targets = [target([[0, 0, 9, 9], [5, 5, 8, 8]], [1, 3]), target([[1, 1, 4, 4]], [2])]
    sizes = torch.tensor([[64.0, 64.0], [60.0, 50.0]])
    found = given_entities(targets, sizes, CLASSES)
    probabilities = found.logits.softmax(1)
    assert probabilities.argmax(1).tolist() == [1, 3, 2]
    assert set(probabilities.flatten().tolist()) == {0.0, 1.0}
    detector = small().eval()
    logits = detector.classify(detector.features(pixels(64, 64, 2)), found.boxes, found.counts)
    assert logits.shape == (3, CLASSES)
    assert torch.equal(given_entities(targets, sizes, CLASSES, logits).logits, logits)
