"""The playground: a small seeded simulator of two people and of two hands. It is never called real data."""

from interplay.data.playground.dataset import Playground
from interplay.data.playground.episode import CLASSES, NEUTRAL, RELATION_PAIRS, Camera, Episode, ObjectTrack, simulate
from interplay.data.playground.skeleton_view import skeleton_view

__all__ = [
    "CLASSES",
    "NEUTRAL",
    "RELATION_PAIRS",
    "Camera",
    "Episode",
    "ObjectTrack",
    "Playground",
    "simulate",
    "skeleton_view",
]
