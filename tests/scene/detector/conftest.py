"""Small detectors with weights that answer something."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from interplay.scene.detector import Detector, DetectorSettings
from interplay.scene.detector.backbones import residual_pyramid

CLASSES, CHANNELS, WIDTH = 5, 8, 16


def small_detector(settings: DetectorSettings, seed: int = 0) -> Detector:
    """One bottleneck per stage, four groups; every bias, norm and score drawn so that nothing hides behind a zero."""
    torch.manual_seed(seed)
    pyramid = residual_pyramid((1, 1, 1, 1), 4, 4, CHANNELS, settings.numerics)
    detector = Detector(CLASSES, pyramid, CHANNELS, WIDTH, settings).eval()
    random = torch.Generator().manual_seed(seed)
    for name, parameter in detector.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.1, generator=random)
    for name, buffer in detector.named_buffers():
        if name.startswith("proposals.anchors"):
            continue
        if name.endswith(("running_var", "weight")):
            buffer.uniform_(0.5, 1.5, generator=random)
        else:
            buffer.normal_(0, 0.1, generator=random)
    calibrate(detector, random)
    return detector


@torch.no_grad()
def calibrate(detector: Detector, random: torch.Generator) -> None:
    """Answers of about unit size, so that nothing saturates and nothing ties."""
    proposals, head = detector.proposals, detector.box_head
    for layer in (proposals.objectness, proposals.deltas, head.class_scores, head.deltas):
        nn.init.normal_(layer.weight, generator=random)
    features = detector.features(pixels(64, 96))
    objectness, deltas, _ = proposals.scores(features)
    proposals.objectness.weight /= objectness.std()
    proposals.deltas.weight *= 0.2 / deltas.std()
    boxes = torch.tensor([[0.0, 0, 20, 30], [10, 10, 60, 50], [30, 5, 90, 60]])
    logits, regressions = head(features, [boxes])
    head.class_scores.weight *= 1.5 / logits.std()
    head.deltas.weight *= 0.5 / regressions.std()


def pixels(height: int = 64, width: int = 96, images: int = 1, seed: int = 1) -> Tensor:
    return torch.randn(images, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def legacy_settings() -> DetectorSettings:
    """Legacy, with anchors and levels that a picture of 64 × 96 pixels uses all of."""
    return DetectorSettings(
        anchor_sizes=(8, 16, 32, 48, 64), pre_suppression=60, post_suppression=30, detections=6, score=0.1
    )
