"""One's own pictures with their entities and relations: the plain JSON of ``docs/data_scenes.md``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.json_files import Place, read_json
from interplay.data.picture_folder import SUFFIXES, PictureFolder, picture_size
from interplay.data.scene_table import MAX_ENTITIES, MAX_RELATIONS, MAX_SIDE, SceneTable
from interplay.data.scenes import BACKGROUND, SceneImage, Vocabulary
from interplay.data.table_dataset import PARTS, TableDataset, vocabulary_of

FILE = "scenes.json"
LAYOUT = "an object with 'pictures', each with file, entities and relations"


class PlainScenes(TableDataset):
    """Pictures annotated in the plain JSON format.

    Args:
        root: ``scenes.json``, or the folder that holds it.
        images: folder of the pictures; None: the one of the file. ``file`` of a picture may name a path below it.
        with_relations: parts hold only pictures that have a relation.
        test_fraction: share of the pictures that go to ``test`` where no picture says its part; as many to
            ``validation`` are half of it. Of fewer than three pictures, all are in ``train`` and in ``test``.
        seed: of that split.

    Names of classes and predicates are taken from the lists ``classes`` and ``predicates`` where the file has them
    (anything else is then an error), or from what occurs, sorted.

    Raises:
        DataError: no file, or one that is broken as a whole. A picture whose entry is wrong raises when it is read.
    """

    name = "plain_scenes"

    def __init__(
        self,
        root: str | Path,
        images: str | Path | None = None,
        with_relations: bool = True,
        test_fraction: float = 0.2,
        seed: int = 0,
    ) -> None:
        if not 0 < test_fraction < 1:
            raise ValueError(f"test_fraction: found {test_fraction}, expected a number between 0 and 1")
        given = Path(root)
        path = given / FILE if given.is_dir() else given
        self.root, self.with_relations = path.parent, with_relations
        self._test_fraction, self._seed = test_fraction, seed
        place = Place(path, "")
        whole = place.mapping(read_json(path, LAYOUT), ("pictures",))
        entries = place.sequence(whole["pictures"], "pictures")
        vocabulary = _vocabulary(place, whole, entries)
        table = SceneTable(vocabulary)
        self.folder = self.root if images is None else Path(images)
        pictures = PictureFolder([self.folder], images is not None)
        reader = _Reader(vocabulary, self.folder)
        for number, value in enumerate(entries):
            reader.add(table, place.at(f"picture {number}"), value, number)
        self._finish(table, pictures, [path], (with_relations, test_fraction, seed))
        self._given = any(table.part_names)

    def read(self, index: int) -> SceneImage:
        scene = self.table.read(index)
        file = self.folder / self.table.file(index)
        return replace(scene, file=file) if file.is_file() else scene

    def parts(self) -> dict[str, NDArray[np.int64]]:
        """As the pictures say (one that says nothing is in none), or by seed where none says anything."""
        if self._given:
            return dict(super().parts())
        every = self.table.part("", self.with_relations)
        if len(every) < 3:
            return {"train": every, "validation": every[:0], "test": every}
        order = np.random.default_rng(self._seed).permutation(every)
        test = max(round(self._test_fraction * len(every)), 1)
        validation = test // 2
        return {
            "train": np.sort(order[test + validation :]),
            "validation": np.sort(order[test : test + validation]),
            "test": np.sort(order[:test]),
        }

    @property
    def zero_shot(self) -> NDArray[np.int64] | None:  # parts may be drawn by seed
        from interplay.data.zero_shot import unseen_triplets

        parts = self.parts()
        train = np.concatenate([parts["train"], parts["validation"]])
        return unseen_triplets(self.table.triplets(parts["test"]), self.table.triplets(train))


def _vocabulary(place: Place, whole: dict[str, Any], entries: list[Any]) -> Vocabulary:
    """From the file's lists, or from the texts that occur; what is no text is said when its picture is read."""
    occurring: dict[str, set[str]] = {"classes": set(), "predicates": set()}
    for key, field, what in (("classes", "entities", "class"), ("predicates", "relations", "predicate")):
        for entry in entries if key not in whole else ():
            items = entry.get(field) if isinstance(entry, dict) else None
            for item in items if isinstance(items, list) else ():
                name = item.get(what) if isinstance(item, dict) else None
                if isinstance(name, str) and 0 < len(name) <= 1000 and name != BACKGROUND:
                    occurring[key].add(name)
    # A set without any relation is still a set of pictures; there is then one predicate that nothing has.
    lists = [whole.get(key) or sorted(occurring[key]) or ["related to"] for key in ("classes", "predicates")]
    return vocabulary_of(place, *lists)


class _Reader:
    def __init__(self, vocabulary: Vocabulary, folder: Path) -> None:
        self.folder = folder
        self.classes = {name: number for number, name in enumerate(vocabulary.classes) if number}
        self.predicates = {name: number for number, name in enumerate(vocabulary.predicates) if number}

    def add(self, table: SceneTable, place: Place, value: object, number: int) -> None:
        name, part = f"picture {number}", ""
        try:
            entry = place.mapping(value, ("file", "entities"))
            file = place.text(entry["file"], "file")
            if Path(file).is_absolute() or ".." in Path(file).parts:
                place.fail(f"file {file[:80]!r}", "a path below the folder of the pictures")
            name = Path(file).with_suffix("").as_posix() if Path(file).suffix.lower() in SUFFIXES else file
            part = str(entry.get("part", ""))
            if part not in ("", *PARTS):
                found, part = part[:40], ""
                place.fail(f"part {found!r}", "train, validation or test")
            boxes, labels, at = self._entities(place, entry["entities"])
            rows = self._relations(place, entry.get("relations", []), at)
            table.add(place, name, part, self._size(place, entry, file), boxes, labels, rows, file=file)
        except DataError as error:
            table.add_broken(name, part, error)

    def _size(self, place: Place, entry: dict[str, Any], file: str) -> tuple[int, int]:
        """As written, or of the picture."""
        if "width" in entry or "height" in entry:
            width, height = (place.integer(entry.get(key), key, 1, MAX_SIDE) for key in ("width", "height"))
            return width, height
        size = picture_size(self.folder / file)
        if size is None:
            place.fail(f"no picture {file[:80]!r} that decodes", "the picture, or its width and height")
        return size

    def _entities(self, place: Place, value: object) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, int]]:
        boxes, labels, at = [], [], {}
        for number, item in enumerate(place.sequence(value, "entities", MAX_ENTITIES)):
            here = place.at(f"entity {number}")
            entity = here.mapping(item, ("class", "box"))
            labels.append(self._known(here, entity["class"], "class", self.classes))
            boxes.append(entity["box"])
            if "id" in entity:
                identity = here.text(entity["id"], "id")
                if identity in at:
                    here.fail(f"id {identity!r} again", "each id once in a picture")
                at[identity] = number
        return place.table(boxes, "box", 4, MAX_ENTITIES), np.array(labels, np.float64), at

    def _relations(self, place: Place, value: object, at: dict[str, int]) -> NDArray[np.float64]:
        rows = []
        for number, item in enumerate(place.sequence(value, "relations", MAX_RELATIONS)):
            here = place.at(f"relation {number}")
            relation = here.mapping(item, ("subject", "predicate", "object"))
            ends = [self._end(here, relation[role], role, at) for role in ("subject", "object")]
            rows.append([*ends, self._known(here, relation["predicate"], "predicate", self.predicates)])
        return np.array(rows, np.float64).reshape(-1, 3)

    @staticmethod
    def _end(place: Place, value: object, role: str, at: dict[str, int]) -> int:
        """An entity's id, or its number in the list from 0."""
        if isinstance(value, str):
            if value not in at:
                place.fail(f"{role} {value[:40]!r}", "the id of an entity of this picture")
            return at[value]
        return place.integer(value, role, 0, MAX_ENTITIES)

    @staticmethod
    def _known(place: Place, value: object, what: str, table: dict[str, int]) -> int:
        name = place.text(value, what)
        if name not in table:
            import difflib

            near = difflib.get_close_matches(name, table, n=1)
            place.fail(
                f"{what} {name[:40]!r}" + (f" (meant {near[0]!r}?)" if near else ""), f"a {what} of the file's list"
            )
        return table[name]
