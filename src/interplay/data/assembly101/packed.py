"""Packed poses: one array for all clips of a part.

Either an ``.npz`` with ``poses`` (clip, 3, frame, 21, 2) and ``names``, or the release's
``<part>_data_joint_200.npy`` with ``<part>_label.pkl``, a pair (names, action ids). A name such as
``tr45537_a1_v3_n0_len105_rotate_partial_toy.pkl`` holds the part (tr, va, te), the action, verb and noun ids, and the
number of frames of the segment with its margins; longer ones are truncated in the array, shorter ones padded there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.npy import open_npy, open_npz
from interplay.data.unpickler import load_pickle

NAME = re.compile(r"(tr|va|te)\w*?(\d{1,9})_a(\d{1,6})_v(\d{1,6})_n(\d{1,6})_len(\d{1,7})(?:_|\.|$).*", re.DOTALL)
PARTS = {"tr": "train", "va": "validation", "te": "test"}


@dataclass(frozen=True, slots=True)
class PackedClip:
    """Where a clip lies, and what its name says."""

    id: str
    file: Path
    index: int
    part: str
    action: int
    frames: int


def is_packed(path: Path) -> bool:
    """Does the file name look like packed poses? (The content is checked when it is opened.)"""
    return path.suffix == ".npz" or re.fullmatch(r"\w+_data_joint_\d+\.npy", path.name) is not None


def _arrays(path: Path) -> tuple[NDArray[Any], list[str]]:
    if path.suffix == ".npz":
        arrays = open_npz(path)
        for key in ("poses", "names"):
            if key not in arrays:
                raise DataError(path, "", f"arrays {sorted(arrays)}", f"an array {key!r}")
        poses, names = arrays["poses"], [str(name) for name in arrays["names"].ravel().tolist()]
    else:
        poses = open_npy(path)
        labels = path.with_name(path.name.split("_data_joint_")[0] + "_label.pkl")
        value = load_pickle(labels)
        if not isinstance(value, tuple | list) or len(value) != 2 or not isinstance(value[0], tuple | list):
            raise DataError(labels, "", "something else", "a pair (names, action ids)")
        names = [str(name) for name in value[0]]
    if poses.ndim != 5 or poses.shape[1] != 3 or poses.shape[3:] != (21, 2) or poses.dtype.kind != "f":
        raise DataError(path, "", f"shape {poses.shape} of {poses.dtype}", "floats (clip, 3, frame, 21, 2)")
    if len(names) != len(poses):
        raise DataError(path, "", f"{len(names)} names", f"{len(poses)}, one for each clip")
    return poses, names


def list_packed(path: Path) -> list[PackedClip]:
    """The clips of a packed file.

    Raises:
        DataError: not such a file, or a name that does not say the part, the action and the length.
    """
    _, names = _arrays(path)
    clips = []
    for index, name in enumerate(names):
        match = NAME.fullmatch(name)
        if match is None:
            raise DataError(path, f"clip {index}", f"the name {name[:80]!r}", "tr…/va…/te…_a…_v…_n…_len…")
        part, number, action, _, _, frames = match.groups()
        clips.append(PackedClip(f"{part}{number}", path, index, PARTS[part], int(action), int(frames)))
    return clips


class PackedStore:
    """Opens each packed file once. An ``.npz`` is unpacked in memory; an ``.npy`` is mapped."""

    def __init__(self) -> None:
        self._open: dict[Path, NDArray[Any]] = {}

    def read(self, clip: PackedClip) -> NDArray[np.float32]:
        """(frame, 2, 21, 3) in millimetres, padding removed."""
        if clip.file not in self._open:
            self._open = {clip.file: _arrays(clip.file)[0]}
        poses = self._open[clip.file]
        if clip.index >= len(poses):
            raise DataError(clip.file, f"clip {clip.index}", f"{len(poses)} clips", "as many as when it was opened")
        length = min(clip.frames, poses.shape[2])
        joints = np.asarray(poses[clip.index, :, :length], np.float32).transpose(1, 3, 2, 0)
        return np.ascontiguousarray(joints)

    def __getstate__(self) -> dict[str, Any]:
        return {"_open": {}}
