"""Any supported file as clips: what ``predict`` opens.

The content decides where a suffix has more than one meaning (``.json``, ``.npz``, ``.npy``, ``.txt``).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.data.identities import choose_two, exactly_two, reassign_identities
from interplay.data.npy import open_npy
from interplay.data.plain import read_plain
from interplay.graph.layouts import SkeletonLayout, load_layout

__all__ = ["choose_two", "exactly_two", "iterate_recordings", "read_recording", "reassign_identities"]

SUPPORTED = ".skeleton, skeleton_pos.txt, .npz, .json, .csv, .npy, .pkl"
Layout = str | Path | SkeletonLayout | None


def read_recording(
    path: str | Path, layout: Layout = None, frames_per_second: float | None = None
) -> list[SkeletonClip]:
    """Every clip in a file; see :func:`iterate_recordings`, which needs the memory of one clip only."""
    return list(iterate_recordings(path, layout, frames_per_second))


def iterate_recordings(
    path: str | Path, layout: Layout = None, frames_per_second: float | None = None
) -> Iterator[SkeletonClip]:
    """The clips in a file of any supported format, one after the other.

    ======================  =====================================================  ==============
    file                    what it is                                             frames a second
    ======================  =====================================================  ==============
    ``.skeleton``           NTU RGB+D, raw                                          30
    ``.txt``                SBU ``skeleton_pos.txt`` (may hold several recordings)  15
    ``.npy``                SBU packed fold, or Assembly101 packed                  15, 60
    ``.npz``                plain (``joints``), Assembly101 packed (``poses``),     its own, 60, 30
                            CTR-GCN (``x_train``, …)
    ``.json``               plain (an object), Assembly101 poses (a list)           its own, 60
    ``.csv``                plain                                                   must be given
    ``.pkl``                PYSKL                                                   30
    ======================  =====================================================  ==============

    Args:
        path: the file.
        layout: joint layout, for plain files that do not name one. For every other format it must be the format's
            own.
        frames_per_second: of the recording; wins over what the format says (a resampled file, say).

    Yields:
        Clips with as many entities as the file has; choosing two is the caller's business (:func:`choose_two`).

    Raises:
        DataError: not a supported file, a damaged one, or one that needs a layout or a frame rate.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(path, "", "a folder", f"a file ({SUPPORTED})")
    if not path.is_file():
        raise DataError(path, "", "no such file", f"a recording ({SUPPORTED})")
    if frames_per_second is not None and not 0 < frames_per_second < 1e5:
        raise ValueError(f"frames_per_second must be a positive rate, got {frames_per_second}")
    name = _kind(path)
    if name == "plain":
        yield read_plain(path, layout, frames_per_second)
        return
    for clip in _READERS[name](path):
        if layout is not None and load_layout(layout) != load_layout(clip.layout):
            raise DataError(path, "layout", clip.layout, f"{load_layout(layout).name}, as asked for")
        yield clip if frames_per_second is None else replace(clip, frames_per_second=float(frames_per_second))


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    by_suffix = {".skeleton": "ntu", ".txt": "sbu", ".csv": "plain", ".pkl": "pyskl"}
    by_content = {".npy": _npy_kind, ".npz": _npz_kind, ".json": _json_kind}
    if suffix in by_content:
        return by_content[suffix](path)
    if suffix not in by_suffix:
        raise DataError(path, "", f"a {suffix or 'nameless'} file", SUPPORTED)
    return by_suffix[suffix]


def _npy_kind(path: Path) -> str:
    shape = open_npy(path).shape
    if len(shape) == 5 and shape[1] == 3 and shape[4] == 2 and shape[3] in (15, 21):
        return "sbu" if shape[3] == 15 else "assembly101"
    raise DataError(path, "", f"shape {shape}", "(clip, 3, frame, 15, 2) of SBU or (clip, 3, frame, 21, 2) of hands")


def _npz_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise DataError(path, "", f"a damaged archive ({error})", "an .npz file") from None
    for key, kind in (("joints", "plain"), ("poses", "assembly101"), ("x_train", "ctrgcn"), ("x_test", "ctrgcn")):
        if key in names:
            return kind
    raise DataError(path, "", f"arrays {sorted(names)[:8]}", "joints (plain), poses (Assembly101) or x_train (CTR-GCN)")


def _json_kind(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            start = stream.read(1 << 12).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError as error:
        raise DataError(path, "", error.strerror or type(error).__name__, "a readable file") from None
    return "poses" if start.startswith(b"[") else "plain"


def _ntu(path: Path) -> Iterator[SkeletonClip]:
    from interplay.data.ntu.dataset import read_recording as read_ntu

    yield read_ntu(path)


def _sbu(path: Path) -> Iterator[SkeletonClip]:
    from interplay.data.sbu import FRAMES_PER_SECOND, read_fold_labels, read_packed_fold
    from interplay.data.sbu_text import read_skeleton_pos

    if path.suffix.lower() == ".npy":
        clips = read_packed_fold(path)
        fold, labels = path.stem.removesuffix("_data"), read_fold_labels(path, len(clips))
        for index, (joints, label) in enumerate(zip(clips, labels, strict=True)):
            yield SkeletonClip(f"{fold}/{index:04d}", joints, "sbu15", FRAMES_PER_SECOND, label)
        return
    recordings = read_skeleton_pos(path)
    for index, (joints, first) in enumerate(recordings, start=1):
        name = path.stem if len(recordings) == 1 else f"{path.stem}#{index}"
        yield SkeletonClip(name, joints, "sbu15", FRAMES_PER_SECOND, meta={"first_frame": first})


def _poses(path: Path) -> Iterator[SkeletonClip]:
    from interplay.data.assembly101.dataset import FRAMES_PER_SECOND
    from interplay.data.assembly101.poses import read_pose_json

    joints = read_pose_json(path)
    _finite(path, path.stem, joints)
    yield SkeletonClip(path.stem, joints, "assembly101_hand21", FRAMES_PER_SECOND)


def _assembly101(path: Path) -> Iterator[SkeletonClip]:
    from interplay.data.assembly101.dataset import FRAMES_PER_SECOND
    from interplay.data.assembly101.packed import PackedStore, list_packed

    store = PackedStore()
    for clip in list_packed(path):
        joints = store.read(clip)
        _finite(path, clip.id, joints)
        meta: Mapping[str, int | float | str] = {"part": clip.part}
        yield SkeletonClip(clip.id, joints, "assembly101_hand21", FRAMES_PER_SECOND, clip.action, meta)


def _ctrgcn(path: Path) -> Iterator[SkeletonClip]:
    from interplay.data.datasets import open_dataset

    dataset = open_dataset("ctrgcn", path)
    yield from (dataset.read(index) for index in range(len(dataset)))


def _pyskl(path: Path) -> Iterator[SkeletonClip]:
    from interplay.data.datasets import open_dataset

    dataset = open_dataset("pyskl", path)
    yield from (dataset.read(index) for index in range(len(dataset)))


def _finite(path: Path, record: str, joints: Any) -> None:
    from numpy import isfinite

    if not isfinite(joints).all() or not joints.any():
        raise DataError(path, record, "values that are not finite, or zeros only", "numbers")


_READERS = {
    "ntu": _ntu,
    "sbu": _sbu,
    "poses": _poses,
    "assembly101": _assembly101,
    "ctrgcn": _ctrgcn,
    "pyskl": _pyskl,
}
