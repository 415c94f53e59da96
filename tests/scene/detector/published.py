"""A state dict with the published key layout, from one of our detectors: written out by hand, not by the converter."""

from __future__ import annotations

from torch import Tensor

from interplay.scene.detector import Detector
from interplay.scene.detector.boxes import cell_anchors

BATCH_NORM = ("weight", "bias", "running_mean", "running_var")
LAYER = ("weight", "bias")


def published_state(detector: Detector, blocks: tuple[int, ...] = (1, 1, 1, 1)) -> dict[str, Tensor]:
    ours, made = detector.state_dict(), {}

    def take(theirs: str, name: str, parts: tuple[str, ...]) -> None:
        made.update({f"{theirs}.{part}": ours[f"{name}.{part}"].clone() for part in parts})

    take("backbone.body.stem.conv1", "backbone.body.conv1", ("weight",))
    take("backbone.body.stem.bn1", "backbone.body.bn1", BATCH_NORM)
    for stage, amount in enumerate(blocks, 1):
        for block in range(amount):
            name = f"backbone.body.layer{stage}.{block}"
            for number in (1, 2, 3):
                take(f"{name}.conv{number}", f"{name}.conv{number}", ("weight",))
                take(f"{name}.bn{number}", f"{name}.bn{number}", BATCH_NORM)
            if block == 0:
                take(f"{name}.downsample.0", f"{name}.downsample.0", ("weight",))
                take(f"{name}.downsample.1", f"{name}.downsample.1", BATCH_NORM)
        take(f"backbone.fpn.fpn_inner{stage}", f"backbone.fpn.inner_blocks.{stage - 1}.0", LAYER)
        take(f"backbone.fpn.fpn_layer{stage}", f"backbone.fpn.layer_blocks.{stage - 1}.0", LAYER)
    for level, anchors in enumerate(cell_anchors(detector.settings)):
        made[f"rpn.anchor_generator.cell_anchors.{level}"] = anchors
    take("rpn.head.conv", "proposals.shared", LAYER)
    take("rpn.head.cls_logits", "proposals.objectness", LAYER)
    take("rpn.head.bbox_pred", "proposals.deltas", LAYER)
    take("roi_heads.box.feature_extractor.fc6", "box_head.perceptron.fc6", LAYER)
    take("roi_heads.box.feature_extractor.fc7", "box_head.perceptron.fc7", LAYER)
    take("roi_heads.box.predictor.cls_score", "box_head.class_scores", LAYER)
    take("roi_heads.box.predictor.bbox_pred", "box_head.deltas", LAYER)
    return made
