"""Annotated pictures held in memory as a few long arrays: what the readers of JSON layouts fill and read from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.json_files import Place
from interplay.data.picture_folder import PictureFolder
from interplay.data.scenes import SceneImage, Vocabulary
from interplay.data.zero_shot import unseen_triplets

MAX_ENTITIES = 4096
"""Of one picture; what follows needs memory for their square."""
MAX_RELATIONS = 2**17
"""Rows of one picture."""
MAX_SIDE = 2**20
"""Pixels of a picture's side."""


def check_entities(
    place: Place, boxes: NDArray[np.float64], labels: NDArray[np.float64], vocabulary: Vocabulary
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes (N, 4) and labels (N,) that can be used, or a DataError that names the first that cannot.

    A box needs a positive width and height (x2 > x1, y2 > y1) and coordinates within ± :data:`MAX_SIDE`.
    """
    if len(boxes) > MAX_ENTITIES:
        place.fail(f"{len(boxes)} entities", f"at most {MAX_ENTITIES}")
    wrong = ~(np.abs(boxes) <= MAX_SIDE).all(axis=1)  # NaN compares as wrong
    if wrong.any():
        number = int(wrong.argmax())
        place.fail(f"entity {number}: box {_row(boxes[number])}", "x1, y1, x2, y2 in pixels")
    single = boxes.astype(np.float32)
    flat = ~(single[:, 2:] > single[:, :2]).all(axis=1)
    if flat.any():
        number = int(flat.argmax())
        place.fail(f"entity {number}: box {_row(boxes[number])} without an area", "x1 < x2 and y1 < y2")
    return single, check_labels(place, labels, vocabulary)


def check_labels(place: Place, labels: NDArray[np.float64], vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Labels (N,) as int64, each a class of the vocabulary other than the background."""
    known = len(vocabulary.classes) - 1
    strange = ~((labels >= 1) & (labels <= known) & (np.floor(labels) == labels))
    if strange.any():
        number = int(strange.argmax())
        place.fail(f"entity {number}: class {labels[number]:g}", f"1 to {known}")
    return labels.astype(np.int64)


def check_relations(
    place: Place, relations: NDArray[np.float64], entities: int, vocabulary: Vocabulary
) -> NDArray[np.int64]:
    """Rows (Q, 3) as int64: subject and object among the entities, predicate of the vocabulary, background excluded."""
    if len(relations) > MAX_RELATIONS:
        place.fail(f"{len(relations)} relations", f"at most {MAX_RELATIONS}")
    known = len(vocabulary.predicates) - 1
    whole = (np.floor(relations) == relations).all(axis=1)  # NaN is not equal to itself
    ends = ((relations[:, :2] >= 0) & (relations[:, :2] < entities)).all(axis=1) & whole
    if not ends.all():
        number = int((~ends).argmax())
        place.fail(f"relation {number}: {_row(relations[number])}", f"a subject and an object from 0 to {entities - 1}")
    named = (relations[:, 2] >= 1) & (relations[:, 2] <= known)
    if not named.all():
        number = int((~named).argmax())
        place.fail(f"relation {number}: predicate {relations[number, 2]:g}", f"1 to {known}")
    return relations.astype(np.int64)


def _row(values: NDArray[np.float64]) -> str:
    return ", ".join(f"{value:g}" for value in values)


class SceneTable:
    """Pictures with their annotations, as concatenated arrays; those that could not be used keep their DataError.

    Args:
        vocabulary: of all pictures.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.ids: list[str] = []
        self.part_names: list[str] = []
        self._sizes: list[tuple[int, int]] = []
        self._files: list[str | None] = []
        self._meta: list[Mapping[str, int | float | str] | None] = []
        self._errors: dict[int, DataError] = {}
        self._boxes: list[NDArray[np.float32]] = []
        self._labels: list[NDArray[np.int32]] = []
        self._relations: list[NDArray[np.int32]] = []
        self._starts: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def add(
        self,
        place: Place,
        id: str,
        part: str,
        size: tuple[int, int],
        boxes: NDArray[np.float64],
        labels: NDArray[np.float64],
        relations: NDArray[np.float64],
        file: str | None = None,
        meta: Mapping[str, int | float | str] | None = None,
    ) -> None:
        """Add a picture; predicates and labels count from 1.

        Raises:
            DataError: annotations that cannot be used. Nothing has been added then.
        """
        for side in size:
            if not 1 <= side <= MAX_SIDE:
                place.fail(f"a picture of {size[0]}×{size[1]}", f"sides from 1 to {MAX_SIDE} pixels")
        single, classes = check_entities(place, boxes, labels, self.vocabulary)
        outside = (boxes[:, 0] >= size[0]) | (boxes[:, 1] >= size[1]) | (boxes[:, 2:] < 0).any(axis=1)
        if outside.any():
            number = int(outside.argmax())
            place.fail(f"entity {number}: box {_row(boxes[number])}", f"a box within {size[0]}×{size[1]} pixels")
        rows = check_relations(place, relations, len(boxes), self.vocabulary)
        self._append(id, part, size, file, meta)
        self._boxes.append(single)
        self._labels.append(classes.astype(np.int32))
        self._relations.append(rows.astype(np.int32))

    def add_broken(self, id: str, part: str, error: DataError) -> None:
        """Add a picture that raises ``error`` when it is read."""
        self._errors[len(self.ids)] = error
        self._append(id, part, (1, 1), None, None)
        self._boxes.append(np.zeros((0, 4), np.float32))
        self._labels.append(np.zeros(0, np.int32))
        self._relations.append(np.zeros((0, 3), np.int32))

    def _append(
        self,
        id: str,
        part: str,
        size: tuple[int, int],
        file: str | None,
        meta: Mapping[str, int | float | str] | None,
    ) -> None:
        self.ids.append(id)
        self.part_names.append(part)
        self._sizes.append(size)
        self._files.append(file)
        self._meta.append(meta)

    def freeze(self, source: str | Path) -> None:
        """Join what was added; call it once, at the end. DataError if an id occurs twice."""
        seen: set[str] = set()
        for id in self.ids:
            if id in seen:
                raise DataError(source, f"picture {id[:80]!r}", "the same name again", "each picture once")
            seen.add(id)
        entities = np.cumsum([0, *(len(labels) for labels in self._labels)], dtype=np.int64)
        relations = np.cumsum([0, *(len(rows) for rows in self._relations)], dtype=np.int64)
        self._starts = entities, relations
        self._boxes = [np.concatenate([np.zeros((0, 4), np.float32), *self._boxes])]
        self._labels = [np.concatenate([np.zeros(0, np.int32), *self._labels])]
        self._relations = [np.concatenate([np.zeros((0, 3), np.int32), *self._relations])]

    def __len__(self) -> int:
        return len(self.ids)

    def file(self, index: int) -> str:
        """Name of a picture's file, or its id."""
        return self._files[index] or self.ids[index]

    @property
    def broken(self) -> Mapping[int, DataError]:
        """Index → why the picture cannot be read."""
        return self._errors

    def relation_counts(self) -> NDArray[np.int64]:
        """Relations of each picture."""
        assert self._starts is not None, "freeze() comes first"
        return np.diff(self._starts[1])

    def entity_counts(self) -> NDArray[np.int64]:
        """Entities of each picture."""
        assert self._starts is not None, "freeze() comes first"
        return np.diff(self._starts[0])

    def part(self, name: str, needs_relations: bool) -> NDArray[np.int64]:
        """Indices of a part's pictures, those without relations left out on request. A broken one stays."""
        counts = self.relation_counts()
        chosen = [
            index
            for index, part in enumerate(self.part_names)
            if part == name and (not needs_relations or counts[index] > 0 or index in self._errors)
        ]
        return np.array(chosen, np.int64)

    def triplets(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """(T, 3) subject class, object class, predicate of every relation of the named pictures."""
        assert self._starts is not None, "freeze() comes first"
        entities, relations = self._starts
        counts = np.diff(relations)
        chosen = np.zeros(len(self), bool)
        chosen[indices] = True
        rows = self._relations[0][np.repeat(chosen, counts)].astype(np.int64)
        first = np.repeat(entities[:-1][chosen], counts[chosen])
        labels = self._labels[0]
        return np.stack([labels[first + rows[:, 0]], labels[first + rows[:, 1]], rows[:, 2]], axis=1).astype(np.int64)

    def zero_shot(self) -> NDArray[np.int64]:
        """(Z, 3) subject class, object class, predicate of the test relations that no training or validation picture
        has."""
        test = np.array([part == "test" for part in self.part_names], bool)
        return unseen_triplets(self.triplets(np.flatnonzero(test)), self.triplets(np.flatnonzero(~test)))

    def facts(self) -> dict[str, int | str]:
        """What `data check` prints of every such set: pictures without relations, relations of an entity with
        itself."""
        relations = self._relations[0]
        return {
            "pictures without relations": int((self.relation_counts() == 0).sum()) - len(self._errors),
            "relations of an entity with itself": int((relations[:, 0] == relations[:, 1]).sum()),
        }

    def read(self, index: int, pictures: PictureFolder | None = None) -> SceneImage:
        """One picture's annotations; its file is looked for in ``pictures``."""
        assert self._starts is not None, "freeze() comes first"
        if not 0 <= index < len(self):
            raise IndexError(f"picture {index}: there are {len(self)}")
        if index in self._errors:
            raise self._errors[index]
        first, last = self._starts[0][index : index + 2]
        begin, end = self._starts[1][index : index + 2]
        return SceneImage(
            self.ids[index],
            *self._sizes[index],
            self._boxes[0][first:last].copy(),
            self._labels[0][first:last].astype(np.int64),
            self._relations[0][begin:end].astype(np.int64),
            pictures.find(self.file(index)) if pictures is not None else None,
            self._meta[index] or {},
        )
