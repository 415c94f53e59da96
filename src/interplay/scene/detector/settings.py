"""Every number of the two detectors' arithmetic (spec A.2, A.4; torchvision's FasterRCNN)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from interplay.scene.regions import Numerics

MAX_LOG_GROWTH = math.log(1000 / 16)
"""A box grows by at most this much (natural logarithm) in one regression."""
STRIDES = (4, 8, 16, 32, 64)
"""Pixels per cell of P2…P6."""


@dataclass(frozen=True)
class DetectorSettings:
    """Numbers of a detector: by default the public scene-graph benchmark's; :meth:`torchvision` has torchvision's.

    Args:
        numerics: ``legacy`` counts the last pixel in widths, areas, IoU and clipping, places anchors by rounded
            integer sides, and keeps anchors that leave the picture out of training.
        anchor_sizes: √area of the anchors of P2…P6, pixels.
        anchor_ratios: height / width.
        pre_suppression, post_suppression: proposals per level before non-maximum suppression, per image after it.
        training_pre_suppression, training_post_suppression: the same while the detector itself is trained.
        proposal_iou: overlap from which a proposal gives way to a better one of its level.
        proposal_side: proposals with a shorter side are dropped, pixels.
        score: detections must score above this.
        side: detections with a shorter side are dropped, pixels.
        detection_iou: overlap from which a detection gives way to a better one of its class.
        per_class: detections of a class per image.
        detections: detections per image (legacy: all that tie with the last one stay).
        canonical_side: √area of a box that is pooled from P4.
        anchor_samples: anchors per image in the proposal loss, half of them positive at most.
        region_samples, region_positive: proposals per image in the box loss and the share of positive ones.
        region_background: proposals below this IoU are background; between it and ½ they are left out.
        region_beta: where the box loss turns from quadratic to linear.
    """

    numerics: Numerics = "legacy"
    anchor_sizes: tuple[int, ...] = (32, 64, 128, 256, 512)
    anchor_ratios: tuple[float, ...] = (0.23232838, 0.63365731, 1.28478321, 3.15089189)
    pre_suppression: int = 6000
    post_suppression: int = 1000
    training_pre_suppression: int = 12000
    training_post_suppression: int = 2000
    proposal_iou: float = 0.7
    proposal_side: float = 0.0
    score: float = 0.01
    side: float = 0.0
    detection_iou: float = 0.3
    per_class: int = 300
    detections: int = 80
    canonical_side: float = 224.0
    anchor_samples: int = 256
    region_samples: int = 256
    region_positive: float = 0.5
    region_background: float = 0.3
    region_beta: float = 1.0

    def __post_init__(self) -> None:
        if len(self.anchor_sizes) != len(STRIDES):
            raise ValueError(f"anchor_sizes: found {len(self.anchor_sizes)}, expected one per level P2…P6")
        if self.numerics not in ("legacy", "torchvision"):
            raise ValueError(f"numerics: found {self.numerics!r}, expected 'legacy' or 'torchvision'")

    @classmethod
    def torchvision(cls) -> DetectorSettings:
        """As ``fasterrcnn_resnet50_fpn`` has them."""
        return cls(
            numerics="torchvision",
            anchor_ratios=(0.5, 1.0, 2.0),
            pre_suppression=1000,
            post_suppression=1000,
            training_pre_suppression=2000,
            training_post_suppression=2000,
            proposal_side=1e-3,
            score=0.05,
            side=1e-2,
            detection_iou=0.5,
            per_class=10**9,
            detections=100,
            region_samples=512,
            region_positive=0.25,
            region_background=0.5,
            region_beta=1 / 9,
        )

    @classmethod
    def playground(cls) -> DetectorSettings:
        """Legacy arithmetic, sizes for pictures of about 160 × 120 pixels."""
        return cls(
            anchor_sizes=(8, 16, 32, 64, 128),
            pre_suppression=500,
            post_suppression=200,
            training_pre_suppression=500,
            training_post_suppression=300,
            canonical_side=56.0,
            detections=40,
            region_samples=128,
        )

    @property
    def last_pixel(self) -> int:
        """1 where widths are x2 − x1 + 1."""
        return int(self.numerics == "legacy")
