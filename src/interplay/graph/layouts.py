"""Joint layouts: which joints a skeleton has, how they hang together, and where its origin is.

A layout is a YAML file. Six ship with the package (:func:`shipped_layouts`); a user's own is given by its path
wherever a layout's name is accepted.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from interplay.errors import InterplayError

_UPS = ("x", "-x", "y", "-y", "z", "-z")


class LayoutError(InterplayError, ValueError):
    """A joint layout that does not exist or contradicts itself."""


@dataclass(frozen=True, slots=True)
class SkeletonLayout:
    """The joints of one entity.

    Args:
        name: how recipes and files refer to it.
        entity: what one skeleton is ("person", "hand").
        joints: joint names, in file order.
        edges: directed pairs (child, parent), 0-based; the inward adjacency has a one for each.
        parents: parent of each joint for the bone stream, -1 where the bone is zero.
        mirror: pairs of joints that a left-right mirror exchanges.
        center: the joint that inward edges lead to.
        origin: the joint that centring moves to zero.
        frames_per_second: of the data set that the layout comes from; None where recordings differ.
        unit: of the coordinates, in words.
        up: the axis that points up, one of x, -x, y, -y, z, -z.
        source: where the definition comes from.
    """

    name: str
    joints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    parents: tuple[int, ...]
    mirror: tuple[tuple[int, int], ...] = ()
    center: int = 0
    origin: int = 0
    entity: str = "person"
    frames_per_second: float | None = None
    unit: str = ""
    up: str = "y"
    source: str = ""

    def __post_init__(self) -> None:
        count = len(self.joints)

        def fail(found: str, expected: str) -> None:
            raise LayoutError(f"layout {self.name!r}: found {found}, expected {expected}")

        if count == 0 or len(set(self.joints)) != count:
            fail(f"joints {list(self.joints)}", "at least one joint, each name once")
        for what, pairs in (("edges", self.edges), ("mirror", self.mirror)):
            for a, b in pairs:
                if not (0 <= a < count and 0 <= b < count and a != b):
                    fail(f"{what} entry [{a}, {b}]", f"two different joints from 0 to {count - 1}")
        if len(self.parents) != count:
            fail(f"{len(self.parents)} parents", f"one for each of the {count} joints")
        for joint, parent in enumerate(self.parents):
            if not -1 <= parent < count or parent == joint:
                fail(f"parent {parent} of joint {joint}", f"another joint from 0 to {count - 1}, or -1")
        for what, index in (("center", self.center), ("origin", self.origin)):
            if not 0 <= index < count:
                fail(f"{what} {index}", f"a joint from 0 to {count - 1}")
        if self.up not in _UPS:
            fail(f"up {self.up!r}", f"one of {', '.join(_UPS)}")
        if self.frames_per_second is not None and not 0 < self.frames_per_second < 1e5:
            fail(f"frames_per_second {self.frames_per_second}", "a positive rate or null")

    @property
    def joint_count(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Index of a joint by name; LayoutError naming the nearest one if there is none."""
        try:
            return self.joints.index(joint)
        except ValueError:
            near = difflib.get_close_matches(joint, self.joints, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise LayoutError(f"layout {self.name!r} has no joint {joint!r}{hint}") from None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the YAML form; :meth:`from_dict` takes them back."""
        return {
            "name": self.name,
            "entity": self.entity,
            "joints": list(self.joints),
            "edges": [list(edge) for edge in self.edges],
            "parents": list(self.parents),
            "mirror": [list(pair) for pair in self.mirror],
            "center": self.center,
            "origin": self.origin,
            "frames_per_second": self.frames_per_second,
            "unit": self.unit,
            "up": self.up,
            "source": self.source,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], where: str = "layout") -> SkeletonLayout:
        """Build from the YAML form. ``parents``, ``mirror``, ``center``, ``origin`` and the rest may be left out:
        parents then follow the edges, mirror pairs follow the names (left_… / right_…), and centre and origin are
        the first joint without a parent."""
        known = set(cls.__dataclass_fields__)
        for key in value:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise LayoutError(f"{where}: unknown key {key!r}{hint}")
        for key in ("name", "joints", "edges"):
            if key not in value:
                raise LayoutError(f"{where}: the key {key!r} is missing")
        try:
            joints = tuple(str(joint) for joint in value["joints"])
            edges = tuple((int(a), int(b)) for a, b in value["edges"])
            if "parents" in value:
                parents = tuple(int(parent) for parent in value["parents"])
            else:
                by_child = dict(reversed(edges))
                parents = tuple(by_child.get(joint, -1) for joint in range(len(joints)))
            if "mirror" in value:
                mirror = tuple((int(a), int(b)) for a, b in value["mirror"])
            else:
                mirror = tuple(
                    (index, joints.index(joint.replace("left", "right")))
                    for index, joint in enumerate(joints)
                    if "left" in joint and joint.replace("left", "right") in joints
                )
            root = next((joint for joint, parent in enumerate(parents) if parent < 0), 0)
            rate = value.get("frames_per_second")
            return cls(
                name=str(value["name"]),
                joints=joints,
                edges=edges,
                parents=parents,
                mirror=mirror,
                center=int(value.get("center", root)),
                origin=int(value.get("origin", root)),
                entity=str(value.get("entity", "person")),
                frames_per_second=None if rate is None else float(rate),
                unit=str(value.get("unit", "")),
                up=str(value.get("up", "y")),
                source=str(value.get("source", "")),
            )
        except (TypeError, ValueError) as error:
            if isinstance(error, LayoutError):
                raise
            raise LayoutError(f"{where}: {error}") from None


def shipped_layouts() -> tuple[str, ...]:
    """Names of the layouts in the package."""
    folder = resources.files("interplay.graph").joinpath("skeletons")
    return tuple(sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml")))


@cache
def _shipped(name: str) -> SkeletonLayout:
    text = resources.files("interplay.graph").joinpath("skeletons", f"{name}.yaml").read_text(encoding="utf-8")
    return SkeletonLayout.from_dict(yaml.safe_load(text), where=name)


def load_layout(name: str | Path | SkeletonLayout) -> SkeletonLayout:
    """A shipped layout by name, or a user's by the path of its YAML file.

    Raises:
        LayoutError: unknown name (the nearest one is named), unreadable file, or a layout that contradicts itself.
    """
    if isinstance(name, SkeletonLayout):
        return name
    known = shipped_layouts()
    if str(name) in known:
        return _shipped(str(name))
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise LayoutError(f"unknown layout {str(name)!r}{hint} (shipped: {', '.join(known)}; or the path of a .yaml)")
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LayoutError(f"{path}: cannot read the layout: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise LayoutError(f"{path}: found {type(value).__name__}, expected a mapping with name, joints, edges")
    return SkeletonLayout.from_dict(value, where=str(path))
