"""The playground: a small seeded simulator of two people and of two hands. It is never called real data."""

from interplay.data.playground.dataset import Playground, PlaygroundHands
from interplay.data.playground.episode import CLASSES, NEUTRAL, RELATION_PAIRS, Episode, simulate
from interplay.data.playground.hand_actions import HAND_CLASSES
from interplay.data.playground.hand_episode import HandEpisode, hand_view, simulate_hands
from interplay.data.playground.recordings import long_recording
from interplay.data.playground.scene import Camera, ObjectTrack
from interplay.data.playground.skeleton_view import skeleton_view

__all__ = [
    "CLASSES",
    "HAND_CLASSES",
    "NEUTRAL",
    "RELATION_PAIRS",
    "Camera",
    "Episode",
    "HandEpisode",
    "ObjectTrack",
    "Playground",
    "PlaygroundHands",
    "hand_view",
    "long_recording",
    "simulate",
    "simulate_hands",
    "skeleton_view",
]
