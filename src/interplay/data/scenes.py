"""The typed sample that every scene-graph reader yields, and what every such data set offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from interplay.data.errors import DataError

BACKGROUND = "__background__"
"""Name at index 0 of every list of classes and of predicates."""


@dataclass(frozen=True)
class Vocabulary:
    """Names by index; index 0 of both is :data:`BACKGROUND`.

    Args:
        classes: O names of entity classes.
        predicates: P names of predicates.
    """

    classes: tuple[str, ...]
    predicates: tuple[str, ...]

    def __post_init__(self) -> None:
        for what, names in (("classes", self.classes), ("predicates", self.predicates)):
            if not names or names[0] != BACKGROUND:
                raise ValueError(f"{what}: found {names[:1]} first, expected {BACKGROUND!r}")


@dataclass(frozen=True, eq=False)
class SceneImage:
    """A picture with its entities and their relations.

    Args:
        id: name of the picture, unique in its data set.
        width, height: pixels of the picture as annotated; boxes are in these pixels.
        boxes: float32 (N, 4), x1, y1, x2, y2; the last pixel is included (width = x2 − x1 + 1).
        labels: int64 (N,), index into the vocabulary's classes, ≥ 1.
        relations: int64 (Q, 3), rows (subject, object, predicate): indices into ``boxes``, and ≥ 1 into the
            vocabulary's predicates. Every annotated row, repeats included.
        file: the picture on disk, or None where only annotations are at hand.
        meta: what else the data set says.
        picture: draws the pixels, uint8 (height, width, 3), where there is no file.
    """

    id: str
    width: int
    height: int
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    relations: NDArray[np.int64]
    file: Path | None = None
    meta: Mapping[str, int | float | str] = field(default_factory=dict)
    picture: Callable[[], NDArray[np.uint8]] | None = None

    def __post_init__(self) -> None:
        if self.boxes.dtype != np.float32 or self.boxes.ndim != 2 or self.boxes.shape[1] != 4:
            raise ValueError(f"boxes must be float32 (N, 4), got {self.boxes.dtype} {self.boxes.shape}")
        if self.labels.dtype != np.int64 or self.labels.shape != self.boxes.shape[:1]:
            raise ValueError(f"labels must be int64 ({len(self.boxes)},), got {self.labels.dtype} {self.labels.shape}")
        if self.relations.dtype != np.int64 or self.relations.ndim != 2 or self.relations.shape[1] != 3:
            raise ValueError(f"relations must be int64 (Q, 3), got {self.relations.dtype} {self.relations.shape}")

    def pixels(self) -> NDArray[np.uint8]:
        """The picture, (height, width, 3) RGB. DataError if there is none or it cannot be decoded."""
        if self.file is None and self.picture is not None:
            return self.picture()
        if self.file is None:
            raise DataError(self.id, "", "annotations only", "a picture")
        return read_picture(self.file)


def read_picture(file: Path | str) -> NDArray[np.uint8]:
    """A picture as uint8 (height, width, 3) RGB, turned upright as its EXIF says. DataError if unreadable."""
    from PIL import ImageOps

    try:
        with Image.open(file) as opened:
            return np.asarray(ImageOps.exif_transpose(opened).convert("RGB"), dtype=np.uint8)
    except FileNotFoundError:
        raise DataError(file, "", "no such file", "a picture") from None
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError, EOFError) as error:
        found = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DataError(file, "", found, "a picture that decodes") from None


@runtime_checkable
class SceneDataset(Protocol):
    """Annotated pictures, read one at a time.

    Attributes:
        name: as in ``interplay.data.datasets.DATASETS``.
        vocabulary: names of classes and predicates.
    """

    name: str
    vocabulary: Vocabulary

    def __len__(self) -> int: ...

    @property
    def zero_shot(self) -> NDArray[np.int64] | None:
        """(Z, 3) rows (subject class, object class, predicate) that training never shows, or None."""

    @property
    def ids(self) -> Sequence[str]:
        """Unique name of each picture."""

    def read(self, index: int) -> SceneImage:
        """Read one picture's annotations (not its pixels). DataError, and nothing else, if they cannot be used."""

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        """Indices of ``train``, ``validation`` and ``test``."""

    def fingerprint(self) -> str:
        """A key that changes when files or settings do; cheap (names, sizes, times), for caches."""
