"""PYSKL's annotation pickles: ``{"split": {part: [id]}, "annotations": [{frame_dir, label, keypoint, …}]}``.

``keypoint`` is (person, frame, joint, 3) of NTU-25 joints in metres (``ntu60_3danno.pkl``, ``ntu120_3danno.pkl``:
denoised like the raw reader's clips, but neither translated nor filled up to two persons), or (person, frame, joint, 2)
of COCO-17 joints in pixels (the ``_hrnet`` files). The file is mapped, not loaded, and nothing in it is run
(:mod:`interplay.data.unpickler`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.data.ntu import names
from interplay.data.ntu.bodies import SingleActor, translate
from interplay.data.ntu.names import RecordingName
from interplay.data.sources import file_fingerprint, single_file
from interplay.data.unpickler import load_pickle
from interplay.graph.layouts import load_layout

_READER = 1
_LAYOUTS = {(25, 3): "ntu25", (17, 2): "coco17"}


class PYSKL:
    """A data set in PYSKL's pickle.

    Of NTU's files only the two-person classes are kept by default and numbered from 0; of other files every class,
    named by its number. Two people are kept: of more, the two who move most (in file order); in place of an absent
    one zeros, or a duplicate. Pixel coordinates get z = 0; their confidences stay in the file, with their mean as
    ``meta["confidence"]``.

    Args:
        root: the file, or a folder with exactly one ``.pkl``.
        benchmark: which split: ``xsub`` means the parts ``xsub_train`` and ``xsub_val`` (or ``…_test``); for files
            with other names, what precedes ``_train`` or follows ``train``; empty for plain ``train`` and ``val`` or
            ``test``.
        actions: class list as action numbers (label + 1). None: NTU's interactions, or all of another file.
        single_actor: what stands in for an absent second person: "zeros" or a "duplicate" of the first.
        translated: move the origin to the first person's mid-spine in its first frame, as the raw reader does (3-D
            only).
        frames_per_second: of the recordings; None: 30 for NTU's, else unknown.

    Raises:
        DataError: not such a file, no such split, an id twice.
        ValueError: an unknown action or ``single_actor``.
    """

    name = "pyskl"

    def __init__(
        self,
        root: str | Path,
        benchmark: str = "xsub",
        actions: Sequence[int] | None = None,
        single_actor: SingleActor = "zeros",
        translated: bool = True,
        frames_per_second: float | None = None,
    ) -> None:
        if single_actor not in ("zeros", "duplicate"):
            raise ValueError(f"single_actor {single_actor!r}: expected zeros or duplicate")
        if frames_per_second is not None and not 0 < frames_per_second < 1e5:
            raise ValueError(f"frames_per_second {frames_per_second}: expected a positive rate")
        self.path = single_file(Path(root), ".pkl")
        self.single_actor, self.translated = single_actor, translated
        self._load()
        recordings = [RecordingName.parse(str(annotation["frame_dir"])) for annotation in self._annotations]
        ntu = all(
            recording is not None and recording.action == annotation["label"] + 1
            for recording, annotation in zip(recordings, self._annotations, strict=True)
        )
        present = sorted({int(annotation["label"]) for annotation in self._annotations})
        if actions is not None:
            chosen = names.check_actions(actions, max(120, present[-1] + 1))
        elif ntu:
            sixty = present[-1] < 60
            chosen = names.INTERACTIONS_60 if sixty else names.INTERACTIONS_120
        else:
            chosen = tuple(range(1, present[-1] + 2))
        if len(chosen) > 100_000:
            raise DataError(self.path, "", f"label {present[-1]}", "a class index below 100000")
        self.classes = tuple(names.ACTIONS[number - 1] if ntu else str(number - 1) for number in chosen)
        self._labels = {number - 1: label for label, number in enumerate(chosen)}
        self._kept = [i for i, annotation in enumerate(self._annotations) if annotation["label"] in self._labels]
        if not self._kept:
            raise DataError(self.path, "annotations", "no clip of the classes asked for", "at least one")
        self._ids = tuple(str(self._annotations[index]["frame_dir"]) for index in self._kept)
        if len(set(self._ids)) != len(self._ids):
            raise DataError(self.path, "annotations", "a frame_dir twice", "each clip once")
        self._parts = self._split(benchmark)
        first = self._annotations[self._kept[0]]
        shape: tuple[Any, ...] = getattr(first.get("keypoint"), "shape", ())
        if len(shape) != 4 or shape[2:] not in _LAYOUTS:
            self._fail(self._kept[0], "keypoint", f"shape {shape}", "(person, frame, 25, 3) or (person, frame, 17, 2)")
        self.layout = load_layout(_LAYOUTS[shape[2], shape[3]])
        if frames_per_second is None and ntu:
            frames_per_second = 30.0
        self.frames_per_second: float | None = frames_per_second
        self.entity_names: tuple[str, ...] = ("person", "person")

    def _load(self) -> None:
        content = load_pickle(self.path)
        if not isinstance(content, dict) or not {"split", "annotations"} <= content.keys():
            found = f"keys {list(content)[:4]}" if isinstance(content, dict) else type(content).__name__
            raise DataError(self.path, "", found[:120], "a dict with split and annotations")
        split, annotations = content["split"], content["annotations"]
        if not isinstance(split, dict) or not all(isinstance(part, list | tuple) for part in split.values()):
            raise DataError(self.path, "key 'split'", type(split).__name__, "a dict of lists")
        if not isinstance(annotations, list | tuple) or not annotations:
            raise DataError(self.path, "key 'annotations'", f"{type(annotations).__name__}", "a list with at least one")
        for index, annotation in enumerate(annotations):
            if not isinstance(annotation, dict) or not isinstance(annotation.get("frame_dir"), str):
                raise DataError(self.path, f"annotation {index}", "no frame_dir", "a dict with frame_dir and label")
            label = annotation.get("label")
            if not isinstance(label, int | np.integer) or isinstance(label, bool) or not 0 <= label < 100_000:
                raise DataError(self.path, f"annotation {index}", f"label {str(label)[:40]!r}", "a class index")
        self._annotations: Sequence[dict[str, Any]] = annotations
        self._splits: dict[str, Sequence[Any]] = split

    def _split(self, benchmark: str) -> dict[str, NDArray[np.int64]]:
        position = {name: index for index, name in enumerate(self._ids)}
        forms = (f"{benchmark}_{{}}", f"{{}}{benchmark}") if benchmark else ("{}",)
        for form in forms:
            if form.format("train") not in self._splits:
                continue
            for test in ("test", "val"):
                if form.format(test) in self._splits:
                    parts = {"train": "train", "test": test} | ({"validation": "val"} if test == "test" else {})
                    return {
                        ours: np.array(
                            [position[name] for name in self._splits[form.format(theirs)] if _known(name, position)],
                            np.int64,
                        )
                        for ours, theirs in parts.items()
                        if form.format(theirs) in self._splits
                    }
        found = ", ".join(map(str, self._splits))[:200]
        raise DataError(self.path, "key 'split'", found or "nothing", f"{benchmark}_train and {benchmark}_val")

    def _fail(self, index: int, key: str, found: str, expected: str) -> NoReturn:
        name = self._annotations[index]["frame_dir"]
        raise DataError(self.path, f"annotation {index} ({name[:60]}), key {key!r}", found, expected)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def ids(self) -> Sequence[str]:
        return self._ids

    def read(self, index: int) -> SkeletonClip:
        """One clip as (frames, 2, joints, 3).

        Raises:
            DataError: keypoints of another shape or length, not finite, or nobody in them.
        """
        row = self._kept[index]
        annotation = self._annotations[row]
        keypoint = annotation.get("keypoint")
        joints, axes = self.layout.joint_count, 3 if self.layout.name == "ntu25" else 2
        if not isinstance(keypoint, np.ndarray) or keypoint.dtype.kind not in "fiu" or keypoint.ndim != 4:
            self._fail(row, "keypoint", str(getattr(keypoint, "shape", type(keypoint).__name__)), "an array of 4 axes")
        if keypoint.shape[2:] != (joints, axes) or 0 in keypoint.shape:
            self._fail(row, "keypoint", f"shape {keypoint.shape}", f"(person, frame, {joints}, {axes})")
        frames = annotation.get("total_frames", keypoint.shape[1])
        if not isinstance(frames, int | np.integer) or frames != keypoint.shape[1]:
            self._fail(row, "total_frames", str(frames)[:40], f"{keypoint.shape[1]} as in keypoint")
        with np.errstate(over="ignore"):
            people = keypoint.astype(np.float32)
        if not np.isfinite(people).all():
            self._fail(row, "keypoint", "NaN or infinite coordinates", "finite numbers")
        meta: dict[str, int | float | str] = {"people": len(people)}
        if axes == 2:
            people = np.concatenate([people, np.zeros_like(people[..., :1])], axis=-1)
            score = annotation.get("keypoint_score")
            if isinstance(score, np.ndarray) and score.dtype.kind == "f" and score.size:
                confidence = float(np.nan_to_num(score.astype(np.float64)).mean())
                meta["confidence"] = confidence
        people = _two(people, self.single_actor)
        if not people.any():
            self._fail(row, "keypoint", "zeros only", "at least one person")
        clip = np.ascontiguousarray(people.transpose(1, 0, 2, 3))
        if axes == 3 and self.translated:
            clip = translate(clip)
        recording = RecordingName.parse(self._ids[index])
        if recording is not None:
            meta |= recording._asdict()
        label = self._labels[int(annotation["label"])]
        return SkeletonClip(self._ids[index], clip, self.layout.name, self.frames_per_second, label, meta)

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        """``train`` and ``test`` of the benchmark (its ``val`` list is the test part unless there is a ``test``)."""
        return dict(self._parts)

    def fingerprint(self) -> str:
        """Size and time of the file, and the settings (not the benchmark: all splits share one cache)."""
        settings = (_READER, self.classes, sorted(self._labels), self.single_actor, self.translated)
        return file_fingerprint("pyskl", self.path, (*settings, self.frames_per_second))

    def __getstate__(self) -> dict[str, Any]:
        # Arrays are views of the mapped file: other processes map it themselves.
        return {**self.__dict__, "_annotations": None, "_splits": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._load()


def _known(name: object, position: Mapping[str, int]) -> bool:
    return isinstance(name, str) and name in position


def _two(people: NDArray[np.float32], single_actor: SingleActor) -> NDArray[np.float32]:
    """(2, frames, joints, 3) from any number of people."""
    if len(people) == 1:
        second = people if single_actor == "duplicate" else np.zeros_like(people)
        return np.concatenate([people, second])
    if len(people) > 2:
        moved = people.reshape(len(people), -1, 3).astype(np.float64).var(axis=1).sum(axis=1)
        people = people[np.sort(np.argsort(-moved, kind="stable")[:2])]
    return people
