"""The classes of the table's clips, the families they come in, and what each pair of classes was built for.

Classes of a family share everything but what happens: clip n of each has the same table, light, things, colours,
places, speeds and camera.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from interplay.data.playground import video_scripts_camera as camera
from interplay.data.playground import video_scripts_order as order
from interplay.data.playground import video_scripts_pairs as pairs
from interplay.data.playground.table_stage import Script


@dataclass(frozen=True, slots=True)
class VideoClass:
    """How a class is acted: the family's name and script, the script's options, and whether time runs backwards."""

    family: str
    script: Script
    options: Mapping[str, bool] = field(default_factory=dict)
    backwards: bool = False


VIDEO_SCRIPTS: Mapping[str, VideoClass] = {
    "Turning the camera left while filming something": VideoClass("turn sideways", camera.turn_sideways),
    "Turning the camera right while filming something": VideoClass("turn sideways", camera.turn_sideways, {}, True),
    "Turning the camera upwards while filming something": VideoClass("turn upwards", camera.turn_upwards),
    "Turning the camera downwards while filming something": VideoClass("turn upwards", camera.turn_upwards, {}, True),
    "Approaching something with your camera": VideoClass("approach", camera.approach),
    "Moving away from something with your camera": VideoClass("approach", camera.approach, {}, True),
    "Pushing something from left to right": VideoClass("along", camera.push_along, {"leftwards": False}),
    "Pushing something from right to left": VideoClass("along", camera.push_along, {"leftwards": True}),
    "Pulling something from right to left": VideoClass("along", camera.push_along, {"leftwards": False}, True),
    "Pulling something from left to right": VideoClass("along", camera.push_along, {"leftwards": True}, True),
    "Moving something towards the camera": VideoClass("towards camera", camera.towards_camera),
    "Moving something away from the camera": VideoClass("towards camera", camera.towards_camera, {}, True),
    "Moving something up": VideoClass("lift", camera.lift),
    "Moving something down": VideoClass("lift", camera.lift, {}, True),
    "Moving something closer to something": VideoClass("gap", camera.towards_each_other, {"both": False}),
    "Moving something away from something": VideoClass("gap", camera.towards_each_other, {"both": False}, True),
    "Moving something and something closer to each other": VideoClass("gap", camera.towards_each_other, {"both": True}),
    "Moving something and something away from each other": VideoClass(
        "gap", camera.towards_each_other, {"both": True}, True
    ),
    "Opening something": VideoClass("lid", order.open_lid),
    "Closing something": VideoClass("lid", order.open_lid, {}, True),
    "Putting something onto something": VideoClass("onto", order.put_onto),
    "Taking something off something": VideoClass("onto", order.put_onto, {}, True),
    "Putting something into something": VideoClass("into", order.put_into),
    "Taking something out of something": VideoClass("into", order.put_into, {}, True),
    "Covering something with something": VideoClass("cover", order.cover),
    "Uncovering something": VideoClass("cover", order.cover, {}, True),
    "Tipping something over": VideoClass("tip", order.tip_over),
    "Putting something upright on the table": VideoClass("tip", order.tip_over, {}, True),
    "Letting something roll down a slanted surface": VideoClass("slope", pairs.slope, {"rolls": True}),
    "Letting something slide down a slanted surface": VideoClass("slope", pairs.slope, {"rolls": False}),
    "Pushing something off something": VideoClass("edge", pairs.over_the_edge, {"falls": True}),
    "Pushing something so that it almost falls off but doesn't": VideoClass(
        "edge", pairs.over_the_edge, {"falls": False}
    ),
    "Moving something along with something behind it": VideoClass("car", pairs.along_with, {"same": True}),
    "Moving something the opposite way to something behind it": VideoClass("car", pairs.along_with, {"same": False}),
    "Something colliding with something and both are being deflected": VideoClass(
        "meet", pairs.meet, {"deflected": True}
    ),
    "Something and something rolling past each other": VideoClass("meet", pairs.meet, {"deflected": False}),
    "Poking something so that it slightly moves": VideoClass("poke", pairs.poke, {"moves": True}),
    "Poking something so lightly that it doesn't move": VideoClass("poke", pairs.poke, {"moves": False}),
}
VIDEO_CLASSES = tuple(VIDEO_SCRIPTS)
"""Names of the classes (templates), in the order of their labels."""

UNFLIPPABLE = tuple(name for name, each in VIDEO_SCRIPTS.items() if each.family in ("turn sideways", "along"))
"""A mirrored clip of one of these would be one of another."""

BACKWARDS: tuple[tuple[str, str], ...] = tuple(
    (name, other)
    for name, each in VIDEO_SCRIPTS.items()
    for other, reverse in VIDEO_SCRIPTS.items()
    if not each.backwards and reverse.backwards and (each.family, each.options) == (reverse.family, reverse.options)
)
"""Pairs of a class and the class of the same clips backwards in time: the same frames in the opposite order."""

DIAGNOSTICS: Mapping[tuple[str, str], str] = {
    (
        "Letting something roll down a slanted surface",
        "Letting something slide down a slanted surface",
    ): "difference_propagation",
    (
        "Moving something closer to something",
        "Moving something and something closer to each other",
    ): "temporal_convolution",
    (
        "Moving something away from something",
        "Moving something and something away from each other",
    ): "temporal_convolution",
    ("Opening something", "Closing something"): "temporal_convolution",
    (
        "Pushing something off something",
        "Pushing something so that it almost falls off but doesn't",
    ): "background_incorporation",
    (
        "Moving something along with something behind it",
        "Moving something the opposite way to something behind it",
    ): "background_incorporation",
    (
        "Something colliding with something and both are being deflected",
        "Something and something rolling past each other",
    ): "feature_aggregation",
    (
        "Poking something so that it slightly moves",
        "Poking something so lightly that it doesn't move",
    ): "node_attention",
}
"""Two classes → the graph operation that they were built for (first, second, fifth: supplement 4.1 b, c, d)."""
