"""Faster R-CNN with a feature pyramid, and entities for the three tasks."""

from interplay.scene.detector.backbones import BackboneName, FeaturePyramid, feature_pyramid
from interplay.scene.detector.box_head import Detections
from interplay.scene.detector.model import Detector, given_entities
from interplay.scene.detector.settings import DetectorSettings

__all__ = [
    "BackboneName",
    "Detections",
    "Detector",
    "DetectorSettings",
    "FeaturePyramid",
    "feature_pyramid",
    "given_entities",
]
