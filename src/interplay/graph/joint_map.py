"""A recording in one layout meets a model trained in another, where the joints exist.

Joints are mapped by name; where the name differs, by the documented choices in ``joint_maps/*.yaml`` (a synonym, or a
mean of joints). Coordinates go through metres, y up, z away from the camera. A joint that cannot be had is an error
that names it: none is made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jaxtyping import Float

from interplay.errors import InterplayError
from interplay.graph.layouts import LayoutError, SkeletonLayout, load_layout

_METRES = {"metre": 1.0, "meter": 1.0, "m": 1.0, "centimetre": 0.01, "cm": 0.01, "millimetre": 1e-3, "mm": 1e-3}


class JointMapError(InterplayError, ValueError):
    """Two layouts that cannot be brought together; the message names the joint."""


@dataclass(frozen=True, eq=False)
class JointMap:
    """How each joint of ``target`` comes from those of ``source``.

    Args:
        source, target: the layouts.
        weights: (target joint, source joint); every row sums to 1.
        recipe: for each target joint the names of the source joints whose mean it is.
    """

    source: SkeletonLayout
    target: SkeletonLayout
    weights: Float[np.ndarray, "target_joint source_joint"]
    recipe: Mapping[str, tuple[str, ...]]


@cache
def _document(name: str) -> Any:
    text = resources.files("interplay.graph").joinpath("joint_maps", f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def _rules(entity: str) -> Mapping[str, Any]:
    """The choices for one kind of entity; a kind that has none is mapped by equal names only."""
    documents: Sequence[Mapping[str, Any]] = [_document("person"), _document("hand")]
    return next((document for document in documents if document["entity"] == entity), {})


def joint_map(source: str | Path | SkeletonLayout, target: str | Path | SkeletonLayout) -> JointMap:
    """Find a source for every joint of the target.

    Raises:
        JointMapError: layouts of different entities, or a target joint that the source cannot give (it is named).
        LayoutError: an unknown layout.
    """
    source, target = load_layout(source), load_layout(target)
    if source.entity != target.entity:
        raise JointMapError(
            f"cannot map {source.name} to {target.name}: found {source.entity} joints, expected {target.entity} joints"
        )
    rules = _rules(target.entity)
    weights = np.zeros((target.joint_count, source.joint_count), np.float64)
    recipe: dict[str, tuple[str, ...]] = {}
    missing = []
    for row, joint in enumerate(target.joints):
        own = rules.get("layouts", {}).get(target.name, {}).get(joint, [])
        choices = [*(own if source.name != target.name else []), [joint], *rules.get("joints", {}).get(joint, [])]
        found = next((choice for choice in choices if all(name in source.joints for name in choice)), None)
        if found is None:
            missing.append(joint)
            continue
        recipe[joint] = tuple(found)
        weights[row, [source.index(name) for name in found]] = 1.0 / len(found)
    if missing:
        raise JointMapError(
            f"cannot map {source.name} to {target.name}: found no source for joint {missing[0]!r}"
            + (f" and {len(missing) - 1} more ({', '.join(missing[1:6])})" if len(missing) > 1 else "")
            + f", expected it among {', '.join(source.joints)}"
        )
    return JointMap(source, target, weights, recipe)


@dataclass(frozen=True, slots=True)
class _Frame:
    """metres = scale · value + offset, the axes ordered so that y points up."""

    axes: tuple[int, int, int]
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    metric: bool
    center: tuple[float, float, float] | None


def _frame(layout: SkeletonLayout) -> _Frame:
    known = _document("coordinates").get(layout.name)
    if known is not None:
        center = known.get("center")
        return _Frame((0, 1, 2), tuple(known["scale"]), tuple(known["offset"]), True, center and tuple(center))
    words = layout.unit.lower().replace(",", " ").split()
    unit = _METRES.get(words[0].removesuffix("s") if len(words) == 1 and words[0] != "s" else "")
    scale = unit if unit is not None else 1.0
    sign = -scale if layout.up.startswith("-") else scale
    # y down is how pictures count: flipping y alone keeps x and z. Another axis that points up is rotated to y.
    axes, signs = {
        "y": ((0, 1, 2), (scale, sign, scale)),
        "z": ((0, 2, 1), (scale, sign, -sign)),
        "x": ((1, 0, 2), (-sign, sign, scale)),
    }[layout.up[-1]]
    return _Frame(axes, signs, (0.0, 0.0, 0.0), unit is not None, None)


def _size(layout: SkeletonLayout, points: Float[np.ndarray, "body joint 3"]) -> float | None:
    """Metres per unit of ``points``, from the body's own size; None where the joints for it are lacking."""
    rule = _rules(layout.entity).get("size")
    if rule is None:
        return None
    ends = []
    for names in (rule["from"], rule["to"]):
        try:
            ends.append(points[:, [layout.index(name) for name in names]].mean(axis=1))
        except LayoutError:
            return None
    length = float(np.median(np.linalg.norm(ends[0] - ends[1], axis=-1)))
    return rule["metres"] / length if length > 1e-9 else None


def map_joints(
    joints: Float[np.ndarray, "time entity source_joint 3"],
    source: str | Path | SkeletonLayout,
    target: str | Path | SkeletonLayout,
) -> Float[np.ndarray, "time entity target_joint 3"]:
    """Bring joints from one layout into another: names, axes and unit.

    Where the source has a unit (metres, millimetres, SBU's normalised values), lengths are kept. Where it has none
    (pixels, shares of a picture), one factor for the whole recording makes the median body as large as a person (or a
    hand) is: shoulders to hips 0.46 m, wrist to middle knuckle 0.096 m. Where the target has none, the numbers stay
    in the source's unit (metres if it has one). A target with a usual place for people (SBU) gets the recording moved
    there, since cameras differ. Relative placement of the entities is kept; one that is absent (all zeros) stays so.

    Args:
        joints: (frame, entity, source joint, 3).

    Returns:
        float32 (frame, entity, target joint, 3); the same array if the layouts are equal.

    Raises:
        JointMapError: a joint of the target that the source cannot give.
        LayoutError: an unknown layout.
    """
    source, target = load_layout(source), load_layout(target)
    if joints.shape[2] != source.joint_count:
        raise JointMapError(
            f"found {joints.shape[2]} joints, expected {source.joint_count} as layout {source.name!r} says"
        )
    if source == target:
        return joints
    mapped = np.einsum("ij,tmjc->tmic", joint_map(source, target).weights, joints.astype(np.float64))
    present = (joints != 0).any(axis=(2, 3))
    if not present.any():
        return np.asarray(mapped, np.float32)
    before, after = _frame(source), _frame(target)
    metres = mapped[..., list(before.axes)] * before.scale + before.offset
    if after.metric and not before.metric:
        own = joints.astype(np.float64)[present][..., list(before.axes)] * before.scale
        metres *= _size(source, own) or 1.0
    values = (metres - after.offset) / after.scale
    values = values[..., np.argsort(after.axes)]
    if after.center is not None:
        values += np.asarray(after.center) - values[present].mean(axis=(0, 1))
    values[~present] = 0.0
    return np.asarray(values, np.float32)
