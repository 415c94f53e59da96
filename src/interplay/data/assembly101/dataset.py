"""Assembly101 as a data set: segments of hand poses, labelled by ``action_id``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from interplay.data.assembly101.actions import ActionTable, read_actions, read_head_actions
from interplay.data.assembly101.packed import PackedClip, PackedStore, is_packed, list_packed
from interplay.data.assembly101.poses import PoseStore
from interplay.data.assembly101.segments import Segment, read_segments
from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.graph.layouts import SkeletonLayout, load_layout

FRAMES_PER_SECOND = 60.0
MARGIN = 25
"""Frames added before the first and after the last frame of a segment, as in the release."""
_SEGMENT_FILE = re.compile(r"(train|validation|test)(?:_\w+)?\.csv")


def fixed_length(joints: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Truncate, or repeat the whole clip cyclically, to exactly ``frames`` frames (the release's preparation)."""
    return joints[np.arange(frames) % len(joints)]


class Assembly101:
    """Two hands in Assembly101, from pose JSON + CSV files or from packed arrays.

    Args:
        root: folder that holds, at any depth, ``actions.csv`` and either the poses (``<sequence>.json``) with
            ``train.csv``, ``validation.csv``, ``test.csv`` / ``test_challenge.csv``, or packed arrays (``.npz`` with
            poses and names, or ``train_data_joint_200.npy`` + ``train_label.pkl``); or one packed file.
        benchmark: what the part ``test`` is: ``validation`` (labels are public) or ``test`` (withheld in
            ``test_challenge.csv``: those clips have label None; see :func:`write_submission`).
        length: 200 truncates or cyclically repeats every clip to 200 frames, as the release does; None keeps each
            at its own length.
        source: ``poses`` or ``packed``; ``auto`` takes poses where there are any.
        actions: path of ``actions.csv`` where it does not lie in or beside ``root``.

    The clip of a segment is frames [max(0, start − 25), min(end + 25 + 1, frames of the sequence)). Joints are world
    millimetres, not centred; tracking confidence is not used. Rows whose sequence has no poses are left out and
    counted in ``missing``. One table a part is read (``test.csv``, which has labels in newer releases, before
    ``test_challenge.csv``). Ids are ``validation/0000000`` (CSV) or ``tr45537`` (packed).

    Raises:
        DataError: no table of actions, nothing to read, or a table that contradicts itself.
    """

    name = "assembly101"
    entity_names = ("left hand", "right hand")
    frames_per_second: float | None = FRAMES_PER_SECOND

    def __init__(
        self,
        root: str | Path,
        benchmark: Literal["validation", "test"] = "validation",
        length: int | None = 200,
        source: Literal["auto", "poses", "packed"] = "auto",
        actions: str | Path | None = None,
    ) -> None:
        if benchmark not in ("validation", "test"):
            raise ValueError(f"benchmark must be 'validation' or 'test', got {benchmark!r}")
        if source not in ("auto", "poses", "packed"):
            raise ValueError(f"source must be 'auto', 'poses' or 'packed', got {source!r}")
        if length is not None and not 1 <= length <= 100_000:
            raise ValueError(f"length must lie between 1 and 100000 or be None, got {length}")
        self.root, self.benchmark, self.length = Path(root), benchmark, length
        self.layout: SkeletonLayout = load_layout("assembly101_hand21")
        if not self.root.exists():
            raise DataError(root, "", "nothing", "a folder of Assembly101 files, or a packed file")
        self._files = [self.root] if self.root.is_file() else sorted(p for p in self.root.rglob("*") if p.is_file())
        self.actions_file = Path(actions) if actions is not None else self._find("actions.csv")
        self.table: ActionTable = read_actions(self.actions_file)
        self.classes = self.table.actions
        self.missing: dict[str, int] = {}
        self._poses = PoseStore({p.stem: p for p in self._files if p.suffix == ".json"})
        self._packed = PackedStore()
        self._entries: list[Segment | PackedClip] = []
        if source in ("auto", "poses"):
            self._entries += self._read_segments()
        if not self._entries and source in ("auto", "packed"):
            self._entries += [clip for path in self._files if is_packed(path) for clip in list_packed(path)]
        _unique_ids(self._entries)
        if not self._entries:
            rows = sum(self.missing.values())
            found = f"no poses for any of {rows} segments" if rows else "no poses"
            raise DataError(root, "", found, "<sequence>.json with train.csv, validation.csv, …, or packed arrays")

    def _find(self, name: str) -> Path:
        for path in self._files:
            if path.name == name:
                return path
        beside = (self.root if self.root.is_dir() else self.root.parent) / name
        above = self.root.parent / name
        for path in (beside, above):
            if path.is_file():
                return path
        raise DataError(self.root, "", f"no {name}", f"{name} in or beside this folder (or give `actions`)")

    def _read_segments(self) -> list[Segment]:
        usable: list[Segment] = []
        for part in ("train", "validation", "test"):
            tables = [path for path in self._files if (m := _SEGMENT_FILE.fullmatch(path.name)) and m[1] == part]
            if not tables:
                continue
            # One table a part: train.csv before train_head.csv, and the one nearest to the root before copies.
            path = min(tables, key=lambda path: (path.name != f"{part}.csv", len(path.parts)))
            segments = read_segments(path, part, self.table)
            with_poses = [segment for segment in segments if segment.sequence in self._poses]
            self.missing[f"segments of {path.name} without poses"] = len(segments) - len(with_poses)
            # Neighbours share a sequence, so that a sequence is read once.
            usable += sorted(with_poses, key=lambda segment: (segment.sequence, segment.start, segment.end))
        return usable

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def ids(self) -> Sequence[str]:
        return [entry.id for entry in self._entries]

    @property
    def head_and_tail(self) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Ids of the 142 head and 1,238 tail actions from ``head_actions.txt``; None where the file is absent."""
        paths = [path for path in self._files if path.name == "head_actions.txt"]
        return read_head_actions(paths[0], self.classes) if paths else None

    @property
    def facts(self) -> dict[str, int | str]:
        """What `interplay data check` prints about the table of actions."""
        table, groups = self.table, self.head_and_tail
        counts: dict[str, int | str] = {
            "actions": len(table.actions),
            "verbs": sum(bool(name) for name in table.verbs),
            "nouns": sum(bool(name) for name in table.nouns),
            "verb-noun pairs": table.pairs,
        }
        return counts if groups is None else counts | {"head and tail actions": f"{len(groups[0])}, {len(groups[1])}"}

    def read(self, index: int) -> SkeletonClip:
        entry = self._entries[index]
        meta: dict[str, int | float | str] = {"part": entry.part}
        action: int | None
        if isinstance(entry, PackedClip):
            joints, file, action = self._packed.read(entry), entry.file, entry.action
        else:
            if entry.problem is not None:
                raise entry.problem
            sequence, file = self._poses[entry.sequence], self._poses.files[entry.sequence]
            action = entry.action
            first, last = max(0, entry.start - MARGIN), min(entry.end + MARGIN + 1, len(sequence))
            joints = sequence[first:last]
            meta |= {"sequence": entry.sequence, "first_frame": first, "toy": entry.toy, "is_shared": entry.is_shared}
            if first >= last:
                raise DataError(file, f"segment {entry.id}", f"{len(sequence)} frames", f"frame {entry.start}")
        if action is not None and not 0 <= action < len(self.classes):
            raise DataError(file, f"clip {entry.id}", f"action {action}", f"0 to {len(self.classes) - 1}")
        if not len(joints) or not np.isfinite(joints).all():
            raise DataError(file, f"clip {entry.id}", "no frames or values that are not finite", "numbers")
        meta["frames"] = len(joints)
        if self.length is not None:
            joints = fixed_length(joints, self.length)
        joints = np.ascontiguousarray(joints, np.float32)
        return SkeletonClip(entry.id, joints, "assembly101_hand21", FRAMES_PER_SECOND, action, meta)

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        """``train``, ``validation``, and as ``test`` the part that ``benchmark`` names."""
        parts = np.array([entry.part for entry in self._entries])
        indices = {part: np.flatnonzero(parts == part).astype(np.int64) for part in ("train", "validation")}
        return indices | {"test": np.flatnonzero(parts == self.benchmark).astype(np.int64)}

    def fingerprint(self) -> str:
        key = hashlib.sha256(f"assembly101 1 {self.length}".encode())
        for path in self._files:
            if path.suffix in (".json", ".csv", ".npz", ".npy", ".pkl"):
                status = path.stat()
                key.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
        key.update("\n".join(self.ids).encode())
        return key.hexdigest()


def _unique_ids(entries: Sequence[Segment | PackedClip]) -> None:
    """Two packed files may repeat an id: later clips could not be told from earlier ones by name."""
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise DataError(entry.id, "", "the same id in two places", "each clip once")
        seen.add(entry.id)
