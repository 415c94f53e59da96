"""Weights of others into our detector: the public scene-graph benchmark's checkpoints, and torchvision's (spec F)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.models import get_weight

from interplay.data.errors import DataError
from interplay.scene.detector.boxes import cell_anchors
from interplay.scene.detector.model import Detector

SHOWN = 4
"""Keys named in an error; of the others only their number."""

PUBLISHED = (
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
"""Published name → ours. ``{K}`` is K − 1: the published pyramid counts from 1."""
ANCHORS = re.compile(r"rpn\.anchor_generator\.cell_anchors\.(\d)")
PASSED_OVER = re.compile(r"roi_heads\.(relation|attribute)\..*")

TORCHVISION = (
    (r"(backbone\..+)", r"\1"),
    (r"rpn\.head\.conv(?:\.0\.0)?\.(.+)", r"proposals.shared.\1"),
    (r"rpn\.head\.cls_logits\.(.+)", r"proposals.objectness.\1"),
    (r"rpn\.head\.bbox_pred\.(.+)", r"proposals.deltas.\1"),
    (r"roi_heads\.box_head\.(fc[67]\..+)", r"box_head.perceptron.\1"),
    (r"roi_heads\.box_predictor\.cls_score\.(.+)", r"box_head.class_scores.\1"),
    (r"roi_heads\.box_predictor\.bbox_pred\.(.+)", r"box_head.deltas.\1"),
)
TORCHVISION_BODY = ((r"((?:conv1|bn1|layer\d)\..+)", r"backbone.body.\1"),)
CLASS_LAYERS = ("box_head.class_scores.", "box_head.deltas.")


def read_checkpoint(path: Path | str) -> dict[str, Tensor]:
    """Tensors of a ``.pth`` file, under ``model`` where it has that; a ``module.`` before every name is cut off.

    Only tensors are unpickled (``weights_only=True``).

    Raises:
        DataError: no such file, not a checkpoint, or one that holds more than tensors.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(path, "", "no such file", "a checkpoint") from None
    except Exception as error:  # whatever a foreign file provokes
        raise DataError(path, "", str(error).splitlines()[0][:200], "a checkpoint that holds only tensors") from None
    state = content.get("model", content) if isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise DataError(path, "model", f"{type(state).__name__}", "named tensors")
    return without_module({str(name): value for name, value in state.items()})


def without_module(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names without the ``module.`` that distributed training puts before all of them."""
    prefixed = bool(state) and all(name.startswith("module.") for name in state)
    return {name.removeprefix("module.") if prefixed else name: value for name, value in state.items()}


def load_published(detector: Detector, state: Mapping[str, Tensor], source: str = "checkpoint") -> None:
    """Load a detector of the public scene-graph benchmark (and its descendants), whose names :data:`PUBLISHED` lists.

    Parts of a relation head in the same file are passed over. The published anchors must be those of
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
    rest = {name: value for name, value in state.items() if not ANCHORS.fullmatch(name)}
    renamed, unexpected = _renamed(rest, PUBLISHED)
    _load(detector, renamed, unexpected, source)


def load_torchvision(detector: Detector, name: str) -> tuple[str, ...]:
    """Load weights that torchvision publishes, by their name there; downloaded once by torchvision.

    ``FasterRCNN_ResNet50_FPN_Weights.COCO_V1`` fills the whole detector (torchvision numerics), a classifier's such
    as ``ResNeXt101_32X8D_Weights.IMAGENET1K_V2`` only the body.

    Returns:
        Names of ours that stay as drawn: the class layers where the classes are not those of the weights, all but
        the body for a classifier.
    """
    return load_torchvision_state(detector, get_weight(name).get_state_dict(progress=True), name)


def load_torchvision_state(detector: Detector, state: Mapping[str, Tensor], source: str) -> tuple[str, ...]:
    """:func:`load_torchvision` for a state dict at hand. DataError if it does not fit."""
    ours = detector.state_dict()
    if any(name.startswith("backbone.") for name in state):
        renamed, unexpected = _renamed(state, TORCHVISION)
        layers = [name for name in ours if name.startswith(CLASS_LAYERS)]
        fits = all(name in renamed and renamed[name].shape == ours[name].shape for name in layers)
        kept = () if fits else tuple(layers)
        renamed = {name: value for name, value in renamed.items() if name not in kept}
    else:
        body = {name: value for name, value in state.items() if not name.startswith("fc.")}
        renamed, unexpected = _renamed(body, TORCHVISION_BODY)
        kept = tuple(name for name in ours if not name.startswith("backbone.body."))
    _load(detector, renamed, unexpected, source, kept)
    return kept


def _renamed(state: Mapping[str, Tensor], rules: tuple[tuple[str, str], ...]) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors under our names, and the names that no rule knows."""
    renamed, unexpected = {}, []
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        rule = next(((found, ours) for theirs, ours in rules if (found := re.fullmatch(theirs, name))), None)
        if rule is None:
            unexpected.append(name)
            continue
        ours = rule[0].expand(rule[1])
        renamed[re.sub(r"\{(\d)\}", lambda number: str(int(number[1]) - 1), ours)] = value
    return renamed, unexpected


def _load(
    detector: Detector, renamed: dict[str, Tensor], unexpected: list[str], source: str, kept: tuple[str, ...] = ()
) -> None:
    ours = detector.state_dict()
    missing = [name for name in ours if name not in renamed and name not in kept and "num_batches" not in name]
    unexpected = unexpected + [name for name in renamed if name not in ours]
    problems = [
        f"{what} {_named(names)}" for what, names in (("missing", missing), ("unexpected", unexpected)) if names
    ]
    if problems:
        raise DataError(source, "", "; ".join(problems), "the names of a detector of this backbone")
    for name, value in renamed.items():
        if value.shape != ours[name].shape:
            raise DataError(source, name, f"shape {tuple(value.shape)}", f"{tuple(ours[name].shape)}")
    detector.load_state_dict(renamed, strict=False)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
