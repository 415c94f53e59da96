"""The plain format: one's own recordings as ``.npz``, ``.json`` or ``.csv``, documented in ``docs/data.md``.

Every file needs a joint layout (a shipped name, or the path of a YAML file) and a number of frames per second; both
stand in the file (``.npz``, ``.json``) or are given by the caller. Coordinates have two or three components; with two,
z is 0. An entity that is absent in a frame is all zeros (``null`` in JSON, no rows in CSV).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.data.npy import open_npz
from interplay.data.tables import read_table
from interplay.graph.layouts import LayoutError, SkeletonLayout, load_layout

SUFFIXES = (".npz", ".json", ".csv")
MAX_JSON_BYTES = 64 * 2**20
"""Of a ``.json`` file, which becomes Python objects many times its size: some half an hour of two people."""
MAX_VALUES = 2**28
"""Of one clip, 1 GiB as float32: five days of two people would be more. A frame number of 10⁹ in a ``.csv`` is too."""
MAX_ENTITIES = 64


def read_plain(
    path: str | Path, layout: str | Path | SkeletonLayout | None = None, frames_per_second: float | None = None
) -> SkeletonClip:
    """Read one recording.

    Args:
        path: ``.npz`` with ``joints`` (frame, entity, joint, 2 or 3), ``layout``, ``frames_per_second`` and optionally
            ``label``; ``.json`` with the same keys; or ``.csv`` with the columns frame, entity, joint (name or index),
            x, y and optionally z, in any order of rows.
        layout: wins over the file's; needed for ``.csv``. A file's own layout may be a path relative to the file.
        frames_per_second: wins over the file's. A rate in a user's layout YAML counts where neither is given.

    Returns:
        A clip with as many entities as the file has. A label that is a whole number is ``clip.label``; one that is a
        name is ``clip.meta["label"]``.

    Raises:
        DataError: what is wrong, where, and what was expected.
    """
    path = Path(path)
    readers = {".npz": _read_npz, ".json": _read_json, ".csv": _read_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(path, "", f"a {path.suffix or 'nameless'} file", ", ".join(SUFFIXES))
    if not path.is_file():
        raise DataError(path, "", "no such file", f"a recording ({', '.join(SUFFIXES)})")
    joints, own = reader(path, layout)
    shape = _layout(path, layout if layout is not None else own.get("layout"), layout is None)
    if joints.ndim != 4 or joints.shape[3] not in (2, 3) or 0 in joints.shape:
        raise DataError(path, "joints", f"shape {joints.shape}", "(frame, entity, joint, 2 or 3), none of them empty")
    if joints.shape[2] != shape.joint_count:
        raise DataError(path, "joints", f"{joints.shape[2]} joints", f"{shape.joint_count}, as layout {shape.name!r}")
    if joints.shape[1] > MAX_ENTITIES:
        raise DataError(path, "joints", f"{joints.shape[1]} entities", f"at most {MAX_ENTITIES}")
    if joints.size > MAX_VALUES:
        raise DataError(path, "joints", f"{joints.size} values", f"at most {MAX_VALUES}; cut the recording")
    with np.errstate(over="ignore"):
        values = np.zeros((*joints.shape[:3], 3), np.float32)
        values[..., : joints.shape[3]] = joints
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        frame, entity, joint, _ = bad[0].tolist()
        where = f"frame {frame}, entity {entity}, joint {shape.joints[joint]}"
        raise DataError(path, where, "a value that is not finite", "numbers; zeros for an entity that is absent")
    if not values.any():
        raise DataError(path, "joints", "zeros only", "at least one frame with an entity")
    label = own.get("label")
    meta: dict[str, int | float | str] = {}
    if isinstance(label, str) and label:
        meta["label"] = label
    number = label if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < 2**31 else None
    rate = _rate(path, frames_per_second, own.get("frames_per_second"), shape)
    return SkeletonClip(path.stem, values, _layout_name(path, layout, own), rate, number, meta)


def _layout_name(path: Path, given: str | Path | SkeletonLayout | None, own: dict[str, Any]) -> str:
    """A shipped name stays a name; a path becomes one that can be opened from anywhere."""
    if isinstance(given, SkeletonLayout):
        return given.name
    text = str(given if given is not None else own["layout"])
    if not text.endswith((".yaml", ".yml")):
        return text
    beside = path.parent / text
    return str((Path(text) if given is not None or not beside.is_file() else beside).resolve())


def _layout(path: Path, value: Any, beside: bool = False) -> SkeletonLayout:
    if isinstance(value, SkeletonLayout):
        return value
    if not isinstance(value, str | Path) or not str(value):
        raise DataError(path, "layout", "none", "a joint layout: a shipped name or the path of a YAML (give `layout`)")
    text = str(value)
    if "\0" in text:
        raise DataError(path, "layout", "a NUL character", "a shipped name or the path of a YAML")
    try:
        if beside and text.endswith((".yaml", ".yml")) and (path.parent / text).is_file():
            return load_layout(path.parent / text)
        return load_layout(text)
    except (LayoutError, OSError) as error:
        raise DataError(path, "layout", str(error), "a layout that can be read") from None


def _rate(path: Path, given: float | None, own: Any, layout: SkeletonLayout) -> float:
    value = given if given is not None else own
    if value is None and layout.name not in _SHIPPED_RATES_ARE_NOT_YOURS:
        value = layout.frames_per_second
    if value is None:
        raise DataError(path, "frames_per_second", "none", "the recording's frame rate (give `frames_per_second`)")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e5:
        raise DataError(path, "frames_per_second", repr(value)[:40], "a positive number")
    return float(value)


# The rates in these layouts are those of the data sets they come from, not of whatever sensor made this file.
_SHIPPED_RATES_ARE_NOT_YOURS = frozenset({"ntu25", "sbu15", "assembly101_hand21"})


def _scalar(path: Path, key: str, value: NDArray[Any]) -> Any:
    if value.size != 1:
        raise DataError(path, f"array {key!r}", f"{value.size} values", "one")
    item = value.reshape(-1)[0].item()
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else item


def _read_npz(path: Path, layout: object) -> tuple[NDArray[Any], dict[str, Any]]:
    arrays = open_npz(path, limit=8 * MAX_VALUES)
    if "joints" not in arrays:
        raise DataError(path, "", f"arrays {sorted(arrays)[:8]}", "an array 'joints' (frame, entity, joint, 2 or 3)")
    joints = arrays["joints"]
    if joints.dtype.kind not in "fiu":
        raise DataError(path, "array 'joints'", f"values of type {joints.dtype}", "numbers")
    keys = ("layout", "frames_per_second", "label")
    return joints, {key: _scalar(path, key, arrays[key]) for key in keys if key in arrays}


def _read_json(path: Path, layout: object) -> tuple[NDArray[Any], dict[str, Any]]:
    try:
        if (size := path.stat().st_size) > MAX_JSON_BYTES:
            raise DataError(path, "", f"{size} bytes", f"at most {MAX_JSON_BYTES}; longer recordings as .npz")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(path, "", error.strerror or type(error).__name__, "a readable file") from None
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise DataError(path, "", f"broken JSON ({type(error).__name__})", "an object with 'joints'") from None
    if not isinstance(value, dict) or not isinstance(value.get("joints"), list):
        raise DataError(path, "", type(value).__name__, "an object with a list 'joints' (frame, entity, joint, xyz)")
    own = {key: value[key] for key in ("layout", "frames_per_second", "label") if key in value}
    return _nested(path, value["joints"]), own


def _nested(path: Path, frames: list[Any]) -> NDArray[np.float64]:
    """Lists of frames of entities; ``null`` and entities that later frames lack are zeros."""
    count, shape = 0, (0, 0)
    values: list[tuple[int, int, NDArray[np.float64]]] = []
    for number, frame in enumerate(frames):
        if not isinstance(frame, list) or len(frame) > MAX_ENTITIES:
            raise DataError(path, f"frame {number}", type(frame).__name__, f"a list of at most {MAX_ENTITIES} entities")
        count = max(count, len(frame))
        for index, entity in enumerate(frame):
            if entity is None:
                continue
            where = f"frame {number}, entity {index}"
            try:
                points = np.array(entity, np.float64)
            except (ValueError, TypeError, OverflowError):
                raise DataError(path, where, "something else", "a list of points of two or three numbers") from None
            if points.ndim != 2 or (shape != (0, 0) and points.shape != shape):
                expected = f"{shape}, as before" if values else "(joint, 2 or 3)"
                raise DataError(path, where, f"shape {points.shape}", expected)
            shape = (points.shape[0], points.shape[1])
            values.append((number, index, points))
    if len(frames) * max(count, 1) * math.prod(shape) > MAX_VALUES:
        raise DataError(path, "joints", "a clip that is too large", f"at most {MAX_VALUES} values")
    joints = np.zeros((len(frames), count, *shape))
    for number, index, points in values:
        joints[number, index] = points
    return joints


def _read_csv(path: Path, layout: str | Path | SkeletonLayout | None) -> tuple[NDArray[Any], dict[str, Any]]:
    shape = _layout(path, layout)
    index_of = {joint: index for index, joint in enumerate(shape.joints)} | {
        str(index): index for index in range(shape.joint_count)
    }
    points: dict[tuple[int, str], NDArray[np.float64]] = {}  # NaN where no row has been seen
    for row in read_table(path, ("frame", "entity", "joint", "x", "y")):
        key = (row.integer("frame"), row.text("entity"))
        joint = index_of.get(row.text("joint"))
        if joint is None:
            raise row.error(f"joint {row.text('joint')[:40]!r}", f"a joint of layout {shape.name!r}, by name or index")
        if key not in points:
            points[key] = np.full((shape.joint_count, 3), np.nan)
        target = points[key]
        if not np.isnan(target[joint, 0]):
            raise row.error(f"joint {shape.joints[joint]} again", "each joint once in a frame of an entity")
        target[joint] = row.number("x"), row.number("y"), row.number("z") if row.has("z") else 0.0
        if len(points) * shape.joint_count * 3 > MAX_VALUES // 8:  # these are objects, each with its own cost
            raise DataError(path, f"line {row.line}", "a table that is too long", "a shorter recording, or .npz")
    for (frame, entity), joints in points.items():
        for lacking in np.flatnonzero(np.isnan(joints[:, 0])).tolist():
            where, found = f"frame {frame}, entity {entity[:40]!r}", f"no joint {shape.joints[lacking]}"
            raise DataError(path, where, found, "every joint of the layout, or no row at all")
    if not points:
        raise DataError(path, "", "no rows", "at least one frame")
    names = sorted({entity for _, entity in points}, key=_natural)
    numbers = [frame for frame, _ in points]
    first, frames = min(numbers), max(numbers) - min(numbers) + 1
    if len(names) > MAX_ENTITIES or frames * len(names) * shape.joint_count * 3 > MAX_VALUES:
        found = f"frames {first} to {max(numbers)} of {len(names)} entities"
        raise DataError(path, "", found, f"at most {MAX_ENTITIES} entities and {MAX_VALUES} values")
    values = np.zeros((frames, len(names), shape.joint_count, 3))
    column = {name: index for index, name in enumerate(names)}
    for (frame, entity), joints in points.items():
        values[frame - first, column[entity]] = joints
    return values, {"layout": layout}


def _natural(text: str) -> tuple[int, int, str]:
    return (0, int(text), "") if text.isdecimal() and len(text) < 10 else (1, 0, text)


def write_plain(clip: SkeletonClip, path: str | Path, label: str | None = None) -> Path:
    """Write a clip as plain ``.npz``, float32, that :func:`read_plain` gives back value by value.

    ``label`` is the class name; without it the clip's class index is written, if it has one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    extra: dict[str, Any] = {}
    if clip.frames_per_second is not None:
        extra["frames_per_second"] = np.float64(clip.frames_per_second)
    if label is not None or clip.label is not None:
        extra["label"] = np.array(label if label is not None else clip.label)
    np.savez_compressed(path, joints=clip.joints, layout=np.array(clip.layout), **extra)
    return path
