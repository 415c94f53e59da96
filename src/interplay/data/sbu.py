"""SBU Kinect Interaction: two people, eight interactions, 15 joints, 15 frames per second.

Two layouts of files are read, and both give the same numbers:

* **packed** ``foldN_data.npy``, float32 (clip, 3, frame, 15, 2), frames at the front and zeros behind them, with
  ``foldN_label.pkl``, a list of ints. Any of the folds may be missing.
* **raw** ``s01s02/01/001/skeleton_pos.txt``: pair of actors / class 01–08 / take. Every line is a frame number, then
  15×3 values of person 1 and 15×3 of person 2. The fold follows from the pair, the label from the class folder.

Measured on the sequences that exist in both: a packed value is the raw value rounded to float32, bit for bit; neither
is scaled or centred. Both hold the data set's normalised coordinates (x and y grow to the right and downwards in the
picture); :func:`to_metres` undoes the normalisation.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.data.npy import open_npy
from interplay.data.sbu_text import read_skeleton_pos, recordings_in
from interplay.data.unpickler import load_pickle
from interplay.graph.layouts import SkeletonLayout, load_layout

CLASSES = (
    "approaching",
    "departing",
    "kicking",
    "pushing",
    "shaking hands",
    "hugging",
    "exchanging object",
    "punching",
)
FOLDS: Mapping[int, tuple[str, ...]] = {
    1: ("s01s02", "s03s04", "s05s02", "s06s04"),
    2: ("s02s03", "s02s07", "s03s05", "s05s03"),
    3: ("s01s03", "s01s07", "s07s01", "s07s03"),
    4: ("s02s01", "s02s06", "s03s02", "s03s06"),
    5: ("s04s02", "s04s03", "s04s06", "s06s02", "s06s03"),
}
"""Standard five folds: the actor pairs (first actor's folder name first) of each."""

FRAMES_PER_SECOND = 15.0
_FOLD_OF_PAIR = {pair: fold for fold, pairs in FOLDS.items() for pair in pairs}
_PACKED = re.compile(r"fold(\d+)_data\.npy")


def to_metres(joints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Undo SBU's normalisation: X = 1.28 − 2.56 x, Y = 0.96 − 1.92 y, Z = 1.28 z (metres, y up, z away).

    Frames in which an entity is absent (all zeros) stay zero. Source: the data set's own description.

    Args:
        joints: (..., joint, 3) normalised.
    """
    present = (joints != 0).any(axis=(-1, -2), keepdims=True)
    metres = joints * np.array([-2.56, -1.92, 1.28], np.float32) + np.array([1.28, 0.96, 0.0], np.float32)
    return np.where(present, metres, np.float32(0)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a clip lies: ``record`` is its index in a packed file or its run of frames in a text file."""

    id: str
    file: Path
    record: int
    label: int | None
    fold: int
    pair: str = ""
    take: str = ""


class SBU:
    """SBU Kinect Interaction, from packed folds or raw text.

    Args:
        root: folder with ``foldN_data.npy`` + ``foldN_label.pkl`` (any folds), or the raw tree (the pair and class
            folders may lie at any depth), or one ``skeleton_pos.txt``. Packed files are preferred where both exist.
        test_fold: the fold held out as ``test``; every other fold present is ``train``. None: every clip is in both
            parts, for a model to be trained on everything or evaluated on a folder it has not seen.
        variant: which release the files are, ``clean`` or ``noisy``. Where ``root`` has a sub-folder whose name holds
            that word, the files are taken from there.

    Labels 0–7 are :data:`CLASSES`. Ids are ``fold1/0003`` (packed) or ``s01s02/01/001`` (raw).

    Raises:
        DataError: nothing to read, ``test_fold`` not present, or a packed file that contradicts itself.
    """

    name = "sbu"
    entity_names = ("person", "person")
    classes = CLASSES
    frames_per_second: float | None = FRAMES_PER_SECOND

    def __init__(self, root: str | Path, test_fold: int | None = None, variant: str = "clean") -> None:
        if variant not in ("clean", "noisy"):
            raise ValueError(f"variant must be 'clean' or 'noisy', got {variant!r}")
        self.root, self.test_fold, self.variant = Path(root), test_fold, variant
        self.layout: SkeletonLayout = load_layout("sbu15")
        if not self.root.exists():
            raise DataError(root, "", "nothing", "a folder of SBU files")
        folder = self._variant_folder()
        self._entries = self._packed(folder) if folder.is_dir() else []
        if not self._entries:
            self._entries = self._raw(folder)
        if not self._entries:
            raise DataError(root, "", "no SBU files", "foldN_data.npy or …/skeleton_pos.txt")
        self.folds = tuple(sorted({entry.fold for entry in self._entries if entry.fold}))
        if test_fold is not None and self.folds and test_fold not in self.folds:
            raise DataError(
                root, "", f"folds {list(self.folds)}", f"fold {test_fold} as test_fold (or null to use every fold)"
            )

    def _variant_folder(self) -> Path:
        folders = sorted(path for path in self.root.iterdir() if path.is_dir()) if self.root.is_dir() else []
        for folder in folders:
            if self.variant in folder.name.lower():
                return folder
        other = "noisy" if self.variant == "clean" else "clean"
        for folder in folders:
            if other in folder.name.lower():
                raise DataError(folder, "", f"the {other} release", f"the {self.variant} one (set `variant`)")
        return self.root

    @staticmethod
    def _packed(folder: Path) -> list[_Entry]:
        entries = []
        found = ((int(match[1]), path) for path in folder.iterdir() if (match := _PACKED.fullmatch(path.name)))
        for fold, path in sorted(found):
            data = _packed_array(path)
            labels = _labels(path.with_name(f"fold{fold}_label.pkl"), len(data))
            entries += [_Entry(f"fold{fold}/{i:04d}", path, i, label, fold) for i, label in enumerate(labels)]
        return entries

    @staticmethod
    def _raw(folder: Path) -> list[_Entry]:
        paths = [folder] if folder.is_file() else sorted(folder.rglob("skeleton_pos*.txt"))
        entries = []
        for path in paths:
            parts = path.resolve().parts[:-1]
            pair = next((part for part in reversed(parts) if part in _FOLD_OF_PAIR), "")
            inside = parts[len(parts) - parts[::-1].index(pair) :] if pair else parts[-2:]
            number = next((part for part in inside if re.fullmatch(r"0[1-8]", part)), None)
            label = None if number is None else int(number) - 1
            relative = path.relative_to(folder).with_suffix("") if path != folder else Path(path.stem)
            name = f"{pair}/{'/'.join(inside)}" if pair else relative.as_posix()
            if pair and path.stem != "skeleton_pos":
                name += f"/{path.stem}"
            take = inside[-1] if pair else ""
            runs = recordings_in(path)
            for run in range(runs):
                identity = name if runs == 1 else f"{name}#{run + 1}"
                entries.append(_Entry(identity, path, run, label, _FOLD_OF_PAIR.get(pair, 0), pair, take))
        return _unique(entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def ids(self) -> Sequence[str]:
        return [entry.id for entry in self._entries]

    def read(self, index: int) -> SkeletonClip:
        entry = self._entries[index]
        meta: dict[str, int | float | str] = {"fold": entry.fold, "variant": self.variant}
        if entry.pair:
            meta |= {"pair": entry.pair, "take": entry.take}
        if entry.file.suffix == ".npy":
            joints = _packed_clip(entry.file, entry.record)
        else:
            joints, first_frame = read_skeleton_pos(entry.file)[entry.record]
            meta["first_frame"] = first_frame
        if entry.label is not None and not 0 <= entry.label < len(CLASSES):
            raise DataError(entry.file, f"clip {entry.record}", f"label {entry.label}", "a class from 0 to 7")
        return SkeletonClip(entry.id, joints, "sbu15", FRAMES_PER_SECOND, entry.label, meta)

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        """``train`` and ``test`` by fold; with ``test_fold=None``, or where no fold is known, every clip in both."""
        folds = np.array([entry.fold for entry in self._entries], np.int64)
        every = np.arange(len(folds), dtype=np.int64)
        if self.test_fold is None or not self.folds:
            return {"train": every, "test": every}
        return {"train": every[folds != self.test_fold], "test": every[folds == self.test_fold]}

    def fingerprint(self) -> str:
        """Of file names, sizes and times, and of the variant; not of ``test_fold``, which changes no clip."""
        key = hashlib.sha256(f"sbu 1 {self.variant}".encode())
        for path in sorted({entry.file for entry in self._entries}):
            files = [path]
            if path.suffix == ".npy":
                files.append(path.with_name(path.name.replace("_data.npy", "_label.pkl")))
            for file in files:
                status = file.stat()
                key.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
        key.update("\n".join(self.ids).encode())
        return key.hexdigest()


def _packed_array(path: Path) -> NDArray[np.float32]:
    data = open_npy(path)
    if data.ndim != 5 or data.shape[1] != 3 or data.shape[3:] != (15, 2) or data.dtype.kind != "f":
        raise DataError(path, "", f"shape {data.shape} of {data.dtype}", "float32 (clip, 3, frame, 15, 2)")
    return data


def _labels(path: Path, count: int) -> list[int]:
    if not path.exists():
        raise DataError(path, "", "no such file", "the labels beside the fold's data")
    value = load_pickle(path)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, list | tuple) or any(
        isinstance(label, bool) or not isinstance(label, int | np.integer) for label in value
    ):
        raise DataError(path, "", "something else", "a list of ints")
    if len(value) != count:
        raise DataError(path, "", f"{len(value)} labels", f"{count}, one for each clip of the fold")
    return [int(label) for label in value]


def read_packed_fold(path: str | Path) -> list[NDArray[np.float32]]:
    """Every clip of one ``foldN_data.npy`` as (frame, 2, 15, 3), zero padding removed."""
    path = Path(path)
    return [_packed_clip(path, index) for index in range(len(_packed_array(path)))]


def read_fold_labels(path: str | Path, count: int) -> list[int | None]:
    """The labels beside one ``foldN_data.npy`` of ``count`` clips; None for each where there is no such file."""
    path = Path(path)
    beside = path.with_name(path.name.replace("_data.npy", "_label.pkl"))
    return [*_labels(beside, count)] if beside != path and beside.is_file() else [None] * count


def _packed_clip(path: Path, index: int) -> NDArray[np.float32]:
    data = _packed_array(path)
    if index >= len(data):
        raise DataError(path, f"clip {index}", f"{len(data)} clips", "as many as when the folder was opened")
    clip = np.ascontiguousarray(np.asarray(data[index], np.float32).transpose(1, 3, 2, 0))
    if not np.isfinite(clip).all():
        raise DataError(path, f"clip {index}", "a value that is not finite", "numbers")
    # True length: up to the last frame that is not zero. A zero frame in the middle is a frame without people.
    filled = np.flatnonzero((clip != 0).any(axis=(1, 2, 3)))
    if not len(filled):
        raise DataError(path, f"clip {index}", "zeros only", "at least one frame with a skeleton")
    return clip[: filled[-1] + 1]


def _unique(entries: list[_Entry]) -> list[_Entry]:
    """Two files may carry one name (copies of a tree inside each other): number the later ones."""
    seen: dict[str, int] = {}
    unique = []
    for entry in entries:
        count = seen[entry.id] = seen.get(entry.id, 0) + 1
        if count > 1:
            entry = _Entry(f"{entry.id}~{count}", entry.file, entry.record, entry.label, entry.fold, entry.pair)
        unique.append(entry)
    return unique
