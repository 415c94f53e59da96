"""The data sets by name, and what every one of them offers.

A data set is a class whose constructor arguments are its settings: the command line and the recipes check theirs
against that signature (``--data.root``, ``--data.test_fold``, …).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.scenes import SceneDataset
from interplay.data.videos import VideoDataset
from interplay.errors import InterplayError
from interplay.graph.layouts import SkeletonLayout

DATASETS: Mapping[str, str] = {
    "ntu60": "interplay.data.ntu.dataset:NTU60",
    "ntu120": "interplay.data.ntu.dataset:NTU120",
    "ntu": "interplay.data.ntu.dataset:NTUTree",
    "sbu": "interplay.data.sbu:SBU",
    "assembly101": "interplay.data.assembly101:Assembly101",
    "ctrgcn": "interplay.data.ctrgcn:CTRGCN",
    "pyskl": "interplay.data.pyskl:PYSKL",
    "plain": "interplay.data.plain_folder:PlainFolder",
    "playground": "interplay.data.playground.dataset:Playground",
    "hands": "interplay.data.playground.dataset:PlaygroundHands",
    "vg": "interplay.data.visual_genome:VisualGenome",
    "openimages": "interplay.data.open_images:OpenImages",
    "vrd": "interplay.data.vrd:VRD",
    "coco_graph": "interplay.data.coco_graph:CocoGraph",
    "plain_scenes": "interplay.data.plain_scenes:PlainScenes",
    "playground_scenes": "interplay.data.playground.scenes:PlaygroundScenes",
    "something_v1": "interplay.data.something:SomethingV1",
    "something_v2": "interplay.data.something:SomethingV2",
    "fights": "interplay.data.video_folder:Fights",
    "video_folder": "interplay.data.video_folder:VideoFolder",
    "plain_videos": "interplay.data.plain_videos:PlainVideos",
    "playground_videos": "interplay.data.playground.videos:PlaygroundVideos",
}
"""Name → ``module:class``. The classes are imported only when asked for."""

SCENES = ("vg", "openimages", "vrd", "coco_graph", "plain_scenes", "playground_scenes")
"""Those that hold annotated pictures (:class:`interplay.data.scenes.SceneDataset`), not skeletons."""

VIDEOS = ("something_v1", "something_v2", "fights", "video_folder", "plain_videos", "playground_videos")
"""Those that hold videos (:class:`interplay.data.videos.VideoDataset`)."""


@runtime_checkable
class SkeletonDataset(Protocol):
    """Clips on disk (or simulated), read one at a time.

    Attributes:
        name: as in :data:`DATASETS`.
        layout: joint layout of every clip.
        frames_per_second: of every clip, None where clips differ or nobody knows.
        classes: class names; a clip's label indexes them.
        entity_names: what the two entities are called, e.g. ("left hand", "right hand").
    """

    name: str
    layout: SkeletonLayout
    frames_per_second: float | None
    classes: tuple[str, ...]
    entity_names: tuple[str, ...]

    def __len__(self) -> int: ...

    @property
    def ids(self) -> Sequence[str]:
        """Unique name of each clip."""

    def read(self, index: int) -> SkeletonClip:
        """Read one clip. Raises DataError, and nothing else, for a file that cannot be used."""

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        """Indices of ``train`` and ``test`` (and ``validation`` where the protocol has one)."""

    def fingerprint(self) -> str:
        """A key that changes when files or settings do; cheap (names, sizes, times), for caches."""


def dataset_class(name: str) -> type[Any]:
    """The class behind a name; InterplayError naming the nearest one if there is none."""
    try:
        module, attribute = DATASETS[name].split(":")
    except KeyError:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InterplayError(f"unknown data set {name!r}{hint} (known: {', '.join(DATASETS)})") from None
    cls = getattr(import_module(module), attribute)
    assert isinstance(cls, type)
    return cls


def open_dataset(name: str, root: str | Path | None = None, **settings: Any) -> SkeletonDataset:
    """Open a data set. ``root`` is its folder or file (None for the simulators); settings go to its constructor."""
    dataset: SkeletonDataset = _opened("skeletons", name, root, settings)
    return dataset


def open_scenes(name: str, root: str | Path | None = None, **settings: Any) -> SceneDataset:
    """The same for data sets of annotated pictures."""
    dataset: SceneDataset = _opened("pictures", name, root, settings)
    return dataset


def open_videos(name: str, root: str | Path | None = None, **settings: Any) -> VideoDataset:
    """The same for data sets of videos."""
    dataset: VideoDataset = _opened("videos", name, root, settings)
    return dataset


def kind_of(name: str) -> str:
    """What a data set holds: "skeletons", "pictures" or "videos"."""
    return "pictures" if name in SCENES else "videos" if name in VIDEOS else "skeletons"


def _opened(kind: str, name: str, root: str | Path | None, settings: dict[str, Any]) -> Any:
    cls = dataset_class(name)
    if kind_of(name) != kind:
        known = ", ".join(other for other in DATASETS if kind_of(other) == kind)
        raise InterplayError(f"{name} holds {_KINDS[kind_of(name)]}, expected a data set of {kind} (one of {known})")
    return cls(**settings) if root is None else cls(root=root, **settings)


_KINDS = {"skeletons": "skeletons", "pictures": "annotated pictures", "videos": "videos"}
