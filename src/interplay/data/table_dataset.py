"""What the data sets read from JSON share: pictures in a table, parts by name, zero-shot triplets of the split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.json_files import Place
from interplay.data.picture_folder import PictureFolder
from interplay.data.scene_table import SceneTable
from interplay.data.scenes import BACKGROUND, SceneImage, Vocabulary
from interplay.data.sources import files_fingerprint

PARTS = ("train", "validation", "test")


class TableDataset:
    """A data set whose annotations fit in memory; subclasses fill ``table`` and give it to :meth:`_finish`.

    Attributes:
        vocabulary, zero_shot: see :class:`interplay.data.scenes.SceneDataset`. ``zero_shot`` is computed: test
            triplets that no training or validation picture has.
    """

    name: str
    with_relations: bool = True

    def _finish(
        self, table: SceneTable, pictures: PictureFolder, files: Sequence[Path], settings: tuple[object, ...]
    ) -> None:
        self.table, self.pictures, self.files, self._settings = table, pictures, tuple(files), settings
        self.vocabulary = table.vocabulary
        table.freeze(files[0] if len(files) == 1 else files[0].parent)
        if not len(table):
            raise DataError(files[0].parent, "", "no pictures", "at least one")

    def __len__(self) -> int:
        return len(self.table)

    @property
    def ids(self) -> Sequence[str]:
        return self.table.ids

    def read(self, index: int) -> SceneImage:
        return self.table.read(index, self.pictures)

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        return {part: self.table.part(part, self.with_relations) for part in PARTS}

    @cached_property
    def zero_shot(self) -> NDArray[np.int64] | None:
        return self.table.zero_shot()

    @property
    def facts(self) -> dict[str, int | str]:
        return self.table.facts()

    def fingerprint(self) -> str:
        return files_fingerprint(f"{self.name} 1", self.files, self._settings)


def vocabulary_of(place: Place, classes: object, predicates: object) -> Vocabulary:
    """Two lists of names, to which the background is put in front where it is not there."""
    names = []
    for what, value in (("classes", classes), ("predicates", predicates)):
        found = place.names(value, what)
        if not found:
            place.fail(f"{what}: no names", "at least one")
        names.append(found if found[0] == BACKGROUND else (BACKGROUND, *found))
        if BACKGROUND in names[-1][1:]:
            place.fail(f"{what}: {BACKGROUND} in the middle", "it first, or not at all")
    return Vocabulary(*names)


def folder_of(root: str | Path, what: str) -> Path:
    """The folder itself; DataError if there is none."""
    folder = Path(root)
    if not folder.is_dir():
        raise DataError(root, "", "no such folder", what)
    return folder
