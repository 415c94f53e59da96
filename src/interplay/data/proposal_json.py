"""Boxes of many clips in JSON files: the authors' proposals, and the people's annotations of Something-Else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.json_files import Place
from interplay.data.json_items import read_items
from interplay.data.proposals import HEADER, Proposals, ProposalStore, proposals_from

MAX_FRAMES, MAX_BOXES = 1 << 20, 1 << 12
ANNOTATED_HEIGHT = 240
"""Pixels of the Something-Something V2 videos whose frames were annotated."""


class StoredProposals:
    """The clips of a :class:`ProposalStore`.

    Args:
        folder: of the store.
    """

    def __init__(self, folder: str | Path) -> None:
        self.store = ProposalStore(folder)
        self.kind = self.store.kind
        self.files: Sequence[Path] = (self.store.folder / HEADER, self.store.folder / "index.jsonl")

    def has(self, id: str) -> bool:
        return id in self.store

    def proposals(self, id: str, height: int, width: int) -> Proposals | None:
        return self.store.get(id)


class JsonProposals:
    """The authors' JSON: ``{"video id": [frame][box][x1, y1, x2, y2]}``, shares of the original frame, best first.

    Args:
        files: one or several.
        ids: clips that are kept; None: all.
        most: boxes of a frame that are kept, from the first.

    Read once from beginning to end; what is kept takes 8 bytes a box. For whole data sets, turn it into a store
    (``interplay data convert … --to proposals``).

    Raises:
        DataError: a file that is broken. A clip whose boxes are wrong raises when it is asked for.
    """

    kind = "file"

    def __init__(self, files: Sequence[Path], ids: Collection[str] | None = None, most: int = 10) -> None:
        self.files: Sequence[Path] = tuple(files)
        wanted = None if ids is None else frozenset(ids)
        self._found: dict[str, Proposals | DataError] = {}
        for path in files:
            for id, value in read_items(path, "an object with a list of frames for each clip"):
                if wanted is None or id in wanted:
                    try:
                        self._found[id] = self._clip(Place(path, f"clip {id[:80]!r}"), value, most)
                    except DataError as error:
                        self._found[id] = error

    def _clip(self, place: Place, value: object, most: int) -> Proposals:
        rows: list[NDArray[np.float64]] = []
        for number, boxes in enumerate(place.sequence(value, "frames", MAX_FRAMES)):
            here = place.at(f"frame {number}")
            row = here.table(boxes, "boxes", 4, MAX_BOXES)[:most]
            _checked(here, row)
            rows.append(row)
        if not rows:
            place.fail("no frames", "a list of boxes for each")
        return proposals_from(rows, self.kind)

    def has(self, id: str) -> bool:
        return id in self._found

    def proposals(self, id: str, height: int, width: int) -> Proposals | None:
        found = self._found.get(id)
        if isinstance(found, DataError):
            raise found.with_traceback(None)
        return found


class AnnotatedBoxes:
    """Something-Else: hands and objects that people marked in frames of Something-Something V2.

    Args:
        files: JSON objects ``{id: [{"name": "id/0001.jpg", "labels": [{"box2d": {"x1", "y1", "x2", "y2"}, …}]}]}``.
        ids: clips that are kept; None: all.
        height: pixels of the frames that were annotated; frames stored at another height have the same shape, and
            boxes are shares of it. None: those of the stored frames.

    ``name`` says which frame an entry is of, counted from 1. Clips have fewer annotated than stored frames (two of
    them the boxes of the nearest annotated frame). Boxes are clipped to the frame; what then has no area is left out.

    Raises:
        DataError: a file that is broken. A clip whose boxes are wrong raises when it is asked for.
    """

    kind = "annotated"

    def __init__(
        self, files: Sequence[Path], ids: Collection[str] | None = None, height: int | None = ANNOTATED_HEIGHT
    ) -> None:
        self.files: Sequence[Path] = tuple(files)
        self.height = height
        wanted = None if ids is None else frozenset(ids)
        self._found: dict[str, tuple[Place, dict[int, NDArray[np.float32]]] | DataError] = {}
        for path in files:
            for id, value in read_items(path, "an object with a list of annotated frames for each clip"):
                if wanted is None or id in wanted:
                    place = Place(path, f"clip {id[:80]!r}")
                    try:
                        self._found[id] = place, self._clip(place, value)
                    except DataError as error:
                        self._found[id] = error

    @staticmethod
    def _clip(place: Place, value: object) -> dict[int, NDArray[np.float32]]:
        """Frame from 0 → boxes in pixels."""
        frames: dict[int, NDArray[np.float32]] = {}
        for number, entry in enumerate(place.sequence(value, "frames", MAX_FRAMES)):
            here = place.at(f"entry {number}")
            frame = here.mapping(entry, ("name", "labels"))
            stem = Path(here.text(frame["name"], "name")).stem
            if not (stem.isascii() and stem.isdecimal() and 1 <= int(stem[:9]) <= MAX_FRAMES):
                here.fail(f"name {stem[:40]!r}", "a frame's number from 1, such as 0001.jpg")
            if int(stem[:9]) - 1 in frames:
                here.fail(f"frame {stem} again", "each frame once")
            rows = []
            for box in here.sequence(frame["labels"], "labels", MAX_BOXES):
                sides = here.mapping(here.mapping(box, ("box2d",))["box2d"], ("x1", "y1", "x2", "y2"))
                rows.append([sides[side] for side in ("x1", "y1", "x2", "y2")])
            table = here.table(rows, "box2d", 4, MAX_BOXES)
            _checked(here, table)
            frames[int(stem[:9]) - 1] = table.astype(np.float32)
        if not frames:
            place.fail("no annotated frame", "at least one")
        return frames

    def has(self, id: str) -> bool:
        return id in self._found

    def proposals(self, id: str, height: int, width: int) -> Proposals | None:
        found = self._found.get(id)
        if found is None:
            return None
        if isinstance(found, DataError):
            raise found.with_traceback(None)
        _, frames = found
        scale = 1.0 if self.height is None else self.height / height
        size = np.array([width * scale, height * scale] * 2)
        rows = []
        for number in sorted(frames):
            boxes = np.clip(frames[number] / size, 0, 1)
            rows.append(boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)])
        return proposals_from(rows, self.kind, frame_numbers=sorted(frames))


def _checked(place: Place, boxes: NDArray[np.float64]) -> None:
    """DataError for a box that is not finite or inside out."""
    if not np.isfinite(boxes).all() or (boxes[:, :2] > boxes[:, 2:]).any():
        wrong = next(row for row in boxes.tolist() if not np.isfinite(row).all() or row[0] > row[2] or row[1] > row[3])
        place.fail(f"the box {wrong}", "x1 ≤ x2 and y1 ≤ y2, finite")


def proposal_files(path: str | Path, ids: Collection[str] | None = None) -> StoredProposals | JsonProposals:
    """A store (its folder), or the authors' JSON (a file, or a folder of them). DataError where it is neither."""
    path = Path(path)
    if path.is_file():
        return JsonProposals([path], ids)
    if (path / HEADER).exists():
        return StoredProposals(path)
    files = sorted(path.glob("*.json")) if path.is_dir() else []
    if not files:
        raise DataError(path, "", "no proposals", f"a folder with {HEADER}, or JSON files")
    return JsonProposals(files, ids)
