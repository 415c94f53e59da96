"""The typed sample that every video reader yields, and what every such data set offers.

Pixels are read late: a :class:`VideoClip` knows where its video lies, and :meth:`VideoSource.read` decodes the frames
that are asked for and no others, as far as the file allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from interplay.data.proposals import Proposals

UInt8Array: TypeAlias = NDArray[np.uint8]
IntArray: TypeAlias = NDArray[np.int64]
_AT_ONCE = 32


@runtime_checkable
class VideoSource(Protocol):
    """Frames of one video. Opens nothing before something is asked of it, and can be sent to another process.

    Every attribute but ``replaced`` may have to look into the file, and raises DataError where it cannot be used.
    """

    @property
    def frame_count(self) -> int:
        """Exact number of frames, at least 1; counted, not taken from a header."""

    @property
    def frames_per_second(self) -> float | None:
        """Mean rate; None where nobody knows."""

    @property
    def height(self) -> int:
        """Pixels of a frame, shown upright."""

    @property
    def width(self) -> int: ...

    @property
    def replaced(self) -> Mapping[int, int]:
        """Broken frame → frame shown instead, of all that was read so far."""

    def read(self, indices: Sequence[int]) -> UInt8Array:
        """Frames as uint8 (len(indices), height, width, 3), RGB.

        Args:
            indices: frames, 0 ≤ index < frame_count, in any order; they may repeat.

        A frame that does not decode is replaced by its nearest neighbour that does (the earlier of two) and noted in
        ``replaced``.

        Raises:
            DataError: no frame of the video can be read.
            ValueError: an index outside the video.
        """


def read_frames(source: VideoSource, indices: Sequence[int]) -> Iterator[UInt8Array]:
    """Frames one after the other, (height, width, 3) each, of ascending indices.

    Files are decoded in one pass, however long (``read`` of one window after the other would begin anew at a key frame
    each time, and many files have one only, at their beginning). Memory of a few frames.
    """
    one_by_one = getattr(source, "frames", None)
    if one_by_one is not None:
        yield from one_by_one(indices)
        return
    for start in range(0, len(indices), _AT_ONCE):
        yield from source.read(indices[start : start + _AT_ONCE])


@dataclass(frozen=True, eq=False)
class VideoClip:
    """A video with its class and, where there are any, its region proposals.

    Args:
        id: name of the clip, unique in its data set.
        source: its frames.
        label: class index in its data set; −1 where unknown (a test part whose labels are withheld).
        proposals: boxes of the clip, or None where the data set has none for it.
        meta: what else the data set says (template, group, true events, …).
    """

    id: str
    source: VideoSource
    label: int = -1
    proposals: Proposals | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.label < -1:
            raise ValueError(f"label: found {self.label}, expected a class index, or -1 for unknown")


@runtime_checkable
class VideoDataset(Protocol):
    """Clips on disk (or simulated), opened one at a time.

    Attributes:
        name: as in ``interplay.data.datasets.DATASETS``.
        classes: class names; a clip's label indexes them.
        groups: of every clip, what must not be split between training and testing (source video, person, …); None
            where the data set does not say.
        unflippable: classes whose clips must not be mirrored (left and right would swap).
        proposals_kind: where ``VideoClip.proposals`` come from ("annotated", "rendered", "rpn", "grid", "file"), or
            "none".
    """

    name: str
    classes: tuple[str, ...]
    groups: tuple[str, ...] | None
    unflippable: frozenset[int]
    proposals_kind: str

    def __len__(self) -> int: ...

    @property
    def ids(self) -> Sequence[str]:
        """Unique name of each clip."""

    @property
    def labels(self) -> IntArray:
        """(len(self),), −1 where unknown. Known without opening any video."""

    def read(self, index: int) -> VideoClip:
        """One clip; cheap. DataError, and nothing else, where it cannot be used (its file is missing, …)."""

    def parts(self) -> Mapping[str, IntArray]:
        """Indices of ``train`` and ``test`` (and ``validation`` where the protocol has one)."""

    def fingerprint(self) -> str:
        """A key that changes when files or settings do; cheap (names, sizes, times), for caches."""


def checked_indices(indices: Sequence[int], frame_count: int) -> IntArray:
    """The indices as an array; ValueError for one outside the video."""
    wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
    if len(wanted) and not (int(wanted.min()) >= 0 and int(wanted.max()) < frame_count):
        outside = int(wanted[(wanted < 0) | (wanted >= frame_count)][0])
        raise ValueError(f"indices: found frame {outside}, expected 0 to {frame_count - 1}")
    return wanted
