"""With torchvision's numerics, our detector is torchvision's: same weights, same proposals, detections and losses."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from tests.scene.detector.conftest import CHANNELS, CLASSES, WIDTH, pixels, small_detector
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import fastrcnn_loss
from torchvision.models.detection.rpn import AnchorGenerator

from interplay.scene.detector import Detector, DetectorSettings
from interplay.scene.detector.converter import load_torchvision_state
from interplay.scene.preparation import SceneTarget


class Pyramid(nn.Module):
    """torchvision's names for the levels."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.body, self.fpn, self.out_channels = detector.backbone.body, detector.backbone.fpn, CHANNELS

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        levels = self.fpn(self.body(x))
        return OrderedDict(zip(("0", "1", "2", "3", "pool"), levels.values(), strict=True))


SIZES = (8, 16, 32, 48, 64)


@pytest.fixture(scope="module")
def both() -> tuple[Detector, FasterRCNN]:
    settings = replace(DetectorSettings.torchvision(), anchor_sizes=SIZES, detections=20)
    drawn = small_detector(settings)
    anchors = AnchorGenerator(tuple((size,) for size in SIZES), ((0.5, 1.0, 2.0),) * 5)
    theirs = FasterRCNN(
        Pyramid(drawn),
        None,
        rpn_anchor_generator=anchors,
        box_head=TwoMLPHead(CHANNELS * 49, WIDTH),
        box_predictor=FastRCNNPredictor(WIDTH, CLASSES),
        box_detections_per_img=20,
    ).eval()
    state = drawn.state_dict()
    for theirs_name, ours_name in (
        ("rpn.head.conv.0.0", "proposals.shared"),
        ("rpn.head.cls_logits", "proposals.objectness"),
        ("rpn.head.bbox_pred", "proposals.deltas"),
        ("roi_heads.box_head.fc6", "box_head.perceptron.fc6"),
        ("roi_heads.box_head.fc7", "box_head.perceptron.fc7"),
        ("roi_heads.box_predictor.cls_score", "box_head.class_scores"),
        ("roi_heads.box_predictor.bbox_pred", "box_head.deltas"),
    ):
        layer = theirs.get_submodule(theirs_name)
        layer.load_state_dict({part: state[f"{ours_name}.{part}"] for part in ("weight", "bias")})
    ours = small_detector(settings, seed=5)
    assert load_torchvision_state(ours, theirs.state_dict(), "torchvision") == ()
    return ours, theirs


def images(picture: Tensor, sizes: Tensor) -> ImageList:
    return ImageList(picture, [(int(height), int(width)) for width, height in sizes.tolist()])


def test_detections(both: tuple[Detector, FasterRCNN]) -> None:
    ours, theirs = both
    picture, sizes = pixels(96, 160, images=2), torch.tensor([[150.0, 90.0], [160.0, 77.0]])
    with torch.no_grad():
        levels = theirs.backbone(picture)
        wanted_regions, _ = theirs.rpn(images(picture, sizes), levels)
        wanted, _ = theirs.roi_heads(levels, wanted_regions, images(picture, sizes).image_sizes)
        features = ours.features(picture)
        regions = ours.propose(features, sizes)
        found = ours.detections(features, sizes)
    for image in range(2):
        torch.testing.assert_close(regions[image], wanted_regions[image], rtol=1e-4, atol=1e-3)
        assert len(found[image].boxes) > 3
        torch.testing.assert_close(found[image].labels, wanted[image]["labels"])
        torch.testing.assert_close(found[image].boxes, wanted[image]["boxes"], rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(found[image].scores, wanted[image]["scores"], rtol=1e-4, atol=1e-5)


def test_losses_with_every_box_drawn(both: tuple[Detector, FasterRCNN]) -> None:
    """With caps above the number of boxes both draw all of them, so that the losses must be equal."""
    ours, theirs = both
    settings = replace(ours.settings, anchor_samples=10**6, region_samples=10**6, region_positive=0.5)
    ours.proposals.settings = ours.box_head.settings = settings
    theirs.rpn.fg_bg_sampler.batch_size_per_image = 10**6
    theirs.roi_heads.fg_bg_sampler.batch_size_per_image = 10**6
    theirs.roi_heads.fg_bg_sampler.positive_fraction = 0.5
    picture, sizes = pixels(64, 96), torch.tensor([[96.0, 64.0]])
    truth, labels = torch.tensor([[5.0, 5, 40, 30], [30, 20, 90, 60]]), torch.tensor([2, 4])
    target = SceneTarget(truth, labels, torch.zeros(0, 3, dtype=torch.int64))
    levels = theirs.backbone(picture)
    theirs.rpn.train()
    regions, wanted = theirs.rpn(images(picture, sizes), levels, [{"boxes": truth}])
    theirs.rpn.eval()
    features = ours.features(picture)
    found = ours.proposals.losses(features, sizes, [truth])
    torch.testing.assert_close(found["objectness"], wanted["loss_objectness"], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found["proposal_box"], wanted["loss_rpn_box_reg"], rtol=1e-4, atol=1e-6)

    chosen, _, drawn, deltas = theirs.roi_heads.select_training_samples(
        [one.detach() for one in regions], [{"boxes": truth, "labels": labels}]
    )
    pooled = theirs.roi_heads.box_roi_pool(levels, chosen, [(64, 96)])
    logits, regression = theirs.roi_heads.box_predictor(theirs.roi_heads.box_head(pooled))
    wanted_class, wanted_box = fastrcnn_loss(logits, regression, drawn, deltas)
    terms = ours.box_head.losses(features, [one.detach() for one in regions], [target])
    torch.testing.assert_close(terms["class"], wanted_class, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(terms["box"], wanted_box, rtol=1e-4, atol=1e-6)
