"""Published checkpoints: names, one-line errors, and the arithmetic that the weights were trained with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from tests.scene.detector import reference
from tests.scene.detector.conftest import CLASSES, pixels, small_detector
from tests.scene.detector.published import published_state

from interplay.data.errors import DataError
from interplay.scene.detector import Detector, DetectorSettings
from interplay.scene.detector.converter import load_published, load_torchvision_state, read_checkpoint

ANCHORS = "rpn.anchor_generator.cell_anchors"


def test_converted_detector_against_plain_arithmetic(legacy_settings: DetectorSettings, tmp_path: Path) -> None:
    state = published_state(small_detector(legacy_settings, seed=0))
    torch.save(
        {"model": {f"module.{name}": value for name, value in state.items()}, "iteration": 7}, tmp_path / "a.pth"
    )
    detector = small_detector(legacy_settings, seed=1)
    load_published(detector, read_checkpoint(tmp_path / "a.pth"))

    picture, size = pixels(64, 96), (90, 61)
    with torch.no_grad():
        levels = reference.pyramid(picture, state)
        features = detector.features(picture)
        for name, level in levels.items():
            torch.testing.assert_close(features[name], level, rtol=1e-4, atol=1e-4)
        sizes = torch.tensor([size], dtype=torch.float32)
        regions = reference.proposals(levels, state, size, legacy_settings)
        np.testing.assert_allclose(detector.propose(features, sizes)[0].numpy(), regions, atol=2e-3)

        logits, deltas = reference.classified(levels, state, regions)
        found_logits = detector.classify(features, torch.from_numpy(regions).float(), [len(regions)])
        np.testing.assert_allclose(found_logits.numpy(), logits, atol=1e-3)

        wanted = reference.detections(regions, logits, deltas, size, legacy_settings)
        found = detector.detect(features, sizes)
    assert found.boxes_per_class is not None
    assert found.scores is not None
    assert len(found.boxes) == len(wanted) == legacy_settings.detections
    rows = [row for row, *_ in wanted]
    np.testing.assert_allclose(found.logits.numpy(), logits[rows], atol=1e-3)
    np.testing.assert_allclose(found.scores.numpy(), [score for _, _, score, _ in wanted], atol=1e-4)
    np.testing.assert_allclose(found.boxes.numpy(), [box for *_, box in wanted], atol=1e-2)
    labels = torch.tensor([label for _, label, _, _ in wanted])
    torch.testing.assert_close(found.boxes_per_class[torch.arange(len(rows)), labels], found.boxes)


def test_full_size_layout() -> None:
    """Names and shapes of the published VG detector, without its 600 MB."""
    with torch.device("meta"):
        state = Detector(151).state_dict()
    assert state["backbone.body.layer3.22.conv2.weight"].shape == (1024, 32, 3, 3)
    assert state["backbone.body.layer4.0.downsample.0.weight"].shape == (2048, 1024, 1, 1)
    assert state["backbone.fpn.inner_blocks.3.0.weight"].shape == (256, 2048, 1, 1)
    assert state["proposals.objectness.weight"].shape == (4, 256, 1, 1)
    assert state["proposals.deltas.bias"].shape == (16,)
    assert state["box_head.perceptron.fc6.weight"].shape == (4096, 12544)
    assert state["box_head.deltas.weight"].shape == (604, 4096)


def test_relation_parts_are_passed_over(legacy_settings: DetectorSettings) -> None:
    state = published_state(small_detector(legacy_settings))
    state["roi_heads.relation.predictor.post_emb.weight"] = torch.zeros(1)
    load_published(small_detector(legacy_settings, seed=1), state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("rpn.head.conv.bias"), r"missing proposals\.shared\.bias"),
        (lambda state: state.update({"extra.weight": torch.zeros(1)}), r"unexpected extra\.weight"),
        (
            lambda state: state.update({"roi_heads.box.predictor.cls_score.weight": torch.zeros(7, 16)}),
            r"class_scores\.weight.*\(7, 16\).*\(5, 16\)",
        ),
        (lambda state: state.update({f"{ANCHORS}.2": state[f"{ANCHORS}.2"] + 1}), r"cell_anchors\.2"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(
    legacy_settings: DetectorSettings, change: object, message: str
) -> None:
    state = published_state(small_detector(legacy_settings))
    change(state)  # type: ignore[operator]
    detector = small_detector(legacy_settings, seed=1)
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    with pytest.raises(DataError, match=message) as error:
        load_published(detector, state, "published.pth")
    assert "\n" not in str(error.value)
    assert "published.pth" in str(error.value)
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())


def test_many_missing_names_are_counted(legacy_settings: DetectorSettings) -> None:
    with pytest.raises(DataError, match=r"and \d+ more"):
        load_published(small_detector(legacy_settings), {})


def test_unreadable_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no checkpoint")
    torch.save({"model": [1, 2]}, tmp_path / "list.pth")
    torch.save({"model": {"a": torch.zeros(1)}, "code": Path("x")}, tmp_path / "object.pth")
    for name in ("text.pth", "list.pth", "object.pth", "none.pth"):
        with pytest.raises(DataError, match=name) as error:
            read_checkpoint(tmp_path / name)
        assert "\n" not in str(error.value)


def test_torchvision_body_by_its_state() -> None:
    detector = Detector(CLASSES, "resnet50", 8, 16, DetectorSettings.torchvision())
    state = torchvision.models.resnet50().state_dict()
    kept = load_torchvision_state(detector, state, "resnet50")
    assert torch.equal(detector.backbone.body.layer2[0].conv2.weight, state["layer2.0.conv2.weight"])
    assert all(not name.startswith("backbone.body") for name in kept)
    legacy = Detector(CLASSES, "resnet50", 8, 16, DetectorSettings())
    load_torchvision_state(legacy, state, "resnet50")
    picture = torch.rand(1, 3, 64, 64)
    for level, values in detector.backbone.body.eval()(picture).items():  # ε is added to the variances instead
        torch.testing.assert_close(legacy.backbone.body.eval()(picture)[level], values)
    with pytest.raises(DataError, match=r"missing backbone\.body\.conv1\.weight"):
        load_torchvision_state(detector, {}, "nothing")
