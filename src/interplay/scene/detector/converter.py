"""Weights of others into our detector: the public scene-graph benchmark's checkpoints, and torchvision's (spec F)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor
from torchvision.models import get_weight

from interplay.data.errors import DataError
from interplay.scene.checkpoints import Rules, load_renamed, read_checkpoint, renamed, without_module
from interplay.scene.detector.backbones import EPSILON
from interplay.scene.detector.boxes import cell_anchors
from interplay.scene.detector.model import Detector

__all__ = ["load_published", "load_torchvision", "load_torchvision_state", "read_checkpoint"]

PUBLISHED: Rules = (
    (r"backbone\.body\.stem\.(.+)", r"backbone.body.\1"),
    (r"backbone\.body\.(layer\d.+)", r"backbone.body.\1"),
    (r"backbone\.fpn\.fpn_inner(\d)\.(.+)", r"backbone.fpn.inner_blocks.{\1}.0.\2"),
    (r"backbone\.fpn\.fpn_layer(\d)\.(.+)", r"backbone.fpn.layer_blocks.{\1}.0.\2"),
    (r"rpn\.head\.conv\.(.+)", r"proposals.shared.\1"),
    (r"rpn\.head\.cls_logits\.(.+)", r"proposals.objectness.\1"),
    (r"rpn\.head\.bbox_pred\.(.+)", r"proposals.deltas.\1"),
    (r"roi_heads\.box\.feature_extractor\.(fc[67]\..+)", r"box_head.perceptron.\1"),
    (r"roi_heads\.box\.predictor\.cls_score\.(.+)", r"box_head.class_scores.\1"),
    (r"roi_heads\.box\.predictor\.bbox_pred\.(.+)", r"box_head.deltas.\1"),
)
ANCHORS = re.compile(r"rpn\.anchor_generator\.cell_anchors\.(\d)")
PASSED_OVER = re.compile(r"roi_heads\.(relation|attribute)\..*")
TORCHVISION: Rules = (
    (r"(backbone\..+)", r"\1"),
    (r"rpn\.head\.conv(?:\.0\.0)?\.(.+)", r"proposals.shared.\1"),
    (r"rpn\.head\.cls_logits\.(.+)", r"proposals.objectness.\1"),
    (r"rpn\.head\.bbox_pred\.(.+)", r"proposals.deltas.\1"),
    (r"roi_heads\.box_head\.(fc[67]\..+)", r"box_head.perceptron.\1"),
    (r"roi_heads\.box_predictor\.cls_score\.(.+)", r"box_head.class_scores.\1"),
    (r"roi_heads\.box_predictor\.bbox_pred\.(.+)", r"box_head.deltas.\1"),
)
TORCHVISION_BODY: Rules = ((r"((?:conv1|bn1|layer\d)\..+)", r"backbone.body.\1"),)
CLASS_LAYERS = ("box_head.class_scores.", "box_head.deltas.")
EXPECTED = "the names of a detector of this backbone"


def load_published(detector: Detector, state: Mapping[str, Tensor], source: str = "checkpoint") -> None:
    """Load a detector of the public scene-graph benchmark (and its descendants), whose names :data:`PUBLISHED` lists.

    Parts of a relation head in the same file are passed over
    (:func:`interplay.scene.published_heads.load_published_head`). The published anchors must be those of
    ``detector.settings``.

    Args:
        detector: legacy numerics; as many classes as the checkpoint.
        source: named in errors.

    Raises:
        DataError: names are missing or left over, shapes or anchors differ.
    """
    if detector.settings.numerics != "legacy":
        raise ValueError(f"detector: found {detector.settings.numerics!r} numerics, expected 'legacy'")
    state = {name: value for name, value in without_module(state).items() if not PASSED_OVER.fullmatch(name)}
    anchors = {int(found[1]): state[name] for name in state if (found := ANCHORS.fullmatch(name))}
    for level, ours in enumerate(cell_anchors(detector.settings)):
        theirs = anchors.get(level)
        if theirs is not None and (theirs.shape != ours.shape or not torch.allclose(theirs.float(), ours, atol=1e-3)):
            record = f"rpn.anchor_generator.cell_anchors.{level}"
            raise DataError(source, record, f"{theirs.flatten().tolist()[:4]}…", f"{ours.flatten().tolist()[:4]}…")
    ours_named, unexpected = renamed({k: v for k, v in state.items() if not ANCHORS.fullmatch(k)}, PUBLISHED)
    load_renamed(detector, ours_named, unexpected, source, EXPECTED)


def load_torchvision(detector: Detector, name: str) -> tuple[str, ...]:
    """Load weights that torchvision publishes, by their name there; downloaded once by torchvision.

    ``FasterRCNN_ResNet50_FPN_Weights.COCO_V1`` fills the whole detector (torchvision numerics), a classifier's such
    as ``ResNeXt101_32X8D_Weights.IMAGENET1K_V2`` only the body.

    Returns:
        Names of ours that stay as drawn: the class layers where the classes are not those of the weights, all but
        the body for a classifier.

    Raises:
        ValueError: torchvision has no such weights.
        DataError: they do not fit this detector.
    """
    return load_torchvision_state(detector, get_weight(name).get_state_dict(progress=True), name)


def load_torchvision_state(detector: Detector, state: Mapping[str, Tensor], source: str) -> tuple[str, ...]:
    """:func:`load_torchvision` for a state dict at hand.

    A detector of legacy numerics computes the same body: its batch norms have no ε, so that torchvision's is added to
    the variances.
    """
    ours = detector.state_dict()
    kept: tuple[str, ...] = ()
    if any(name.startswith("backbone.") for name in state):
        found, unexpected = renamed(state, TORCHVISION)
        layers = tuple(name for name in ours if name.startswith(CLASS_LAYERS))
        if any(name in found and found[name].shape != ours[name].shape for name in layers):
            kept = layers
            found = {name: value for name, value in found.items() if name not in layers}
    else:
        found, unexpected = renamed({k: v for k, v in state.items() if not k.startswith("fc.")}, TORCHVISION_BODY)
        kept = tuple(name for name in ours if not name.startswith("backbone.body."))
    if detector.settings.numerics == "legacy":  # whose batch norms have no ε: it goes into the variances
        found = {name: value + EPSILON if name.endswith("running_var") else value for name, value in found.items()}
    load_renamed(detector, found, unexpected, source, EXPECTED, kept)
    return kept
