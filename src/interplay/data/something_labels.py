"""Labels and lists of Something-Something V1 and V2, in the official files and in the lists that others made of them.

**The order of labels matters.** V1: a class is the row of ``…-labels.csv``, counted from 0, *not sorted*. V2: the
number in ``labels.json``. Spec §9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from interplay.data.errors import DataError
from interplay.data.json_files import Place, read_json
from interplay.data.video_table import Entry

OFFICIAL_CLASSES = 174
DIRECTIONS_V1 = frozenset({2, 4, 30, 41, 52, 66})
"""Turning the camera left, right; pushing left to right, right to left; pulling right to left, left to right."""
DIRECTIONS_V2 = frozenset({86, 87, 93, 94, 166, 167})
"""Pulling left to right, right to left; pushing the same; turning the camera left, right."""
MAX_LINE = 1 << 16
_DIRECTION = re.compile(r"\b(left|right)\b(?! out\b)", re.IGNORECASE)
_SPACES = re.compile(r"\s+")


def direction_classes(classes: Sequence[str]) -> frozenset[int]:
    """Classes whose names tell left from right, so that a mirrored clip would have another class.

    "Pulling two ends of something … it right out" names no direction: "right out" is left aside, as the authors do.
    """
    return frozenset(index for index, name in enumerate(classes) if _DIRECTION.search(name))


def checked_directions(path: Path, classes: Sequence[str], expected: frozenset[int]) -> frozenset[int]:
    """The same; of 174 classes they must be the six that the paper's ids say. DataError where labels are in another
    order (sorted, for instance)."""
    found = direction_classes(classes)
    if len(classes) == OFFICIAL_CLASSES and found != expected:
        shown = ", ".join(map(str, sorted(found)))
        order = ", ".join(map(str, sorted(expected)))
        raise DataError(path, "", f"left and right in the classes {shown}", f"in {order}: the official order of labels")
    return found


def text_lines(path: Path, expected: str) -> Iterator[tuple[int, str]]:
    """Lines that are not empty, stripped, with their number from 1. DataError for what is no text."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            number = 0
            while line := stream.readline(MAX_LINE):
                number += 1
                if len(line) == MAX_LINE:
                    raise DataError(path, f"line {number}", f"more than {MAX_LINE} characters", expected)
                if line := line.strip():
                    yield number, line
    except FileNotFoundError:
        raise DataError(path, "", "no such file", expected) from None
    except OSError as error:
        raise DataError(path, "", error.strerror or type(error).__name__, expected) from None
    except UnicodeDecodeError:
        raise DataError(path, "", "a byte that is no text", "UTF-8") from None


def read_labels_v1(path: Path) -> tuple[str, ...]:
    """One label a line, in the order of the file."""
    labels = tuple(line for _, line in text_lines(path, "a label on each line"))
    _different(path, labels)
    return labels


def read_labels_v2(path: Path) -> tuple[str, ...]:
    """``{"template": "number"}``: labels in the order of their numbers, which must be 0, 1, 2, …"""
    place = Place(path, "")
    found = place.mapping(read_json(path, "an object with a number for each label"))
    by_number: dict[int, str] = {}
    for label, text in found.items():
        number = int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 10 else text
        number = place.integer(number, f"label {label[:80]!r}:", 0, len(found) - 1)
        if number in by_number:
            place.fail(f"{number} for {by_number[number]!r} and {label[:80]!r}", "each number once")
        by_number[number] = label
    labels = tuple(by_number[number] for number in range(len(by_number)))
    _different(path, labels)
    return labels


def _different(path: Path, labels: Sequence[str]) -> None:
    if not labels:
        raise DataError(path, "", "no labels", "at least one")
    if len(set(labels)) != len(labels):
        twice = next(label for number, label in enumerate(labels) if label in labels[:number])
        raise DataError(path, "", f"the label {twice[:80]!r} twice", "each label once")


class PartReader:
    """Entries of one part, from any form of its file, told apart by what stands in it.

    Args:
        classes: labels by class index.

    Forms: JSON ``[{"id", "label", "template", "placeholders"}]`` (V2); lines ``id;label`` or ``id`` (V1, tests); lines
    ``id frames class`` (the lists of the release, of TSM and MMAction; the id may be a path).
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = classes
        self.number_of: Mapping[str, int] = {plain(name): number for number, name in enumerate(classes)}

    def read(self, path: Path, part: str, labelled: bool) -> list[Entry]:
        """
        Args:
            path: of the file.
            part: goes to the entries.
            labelled: False: whatever label is in the file is left aside (the lists of the test part hold arbitrary
                ones).

        Raises:
            DataError: the file cannot be read at all. A line that is wrong becomes an entry that raises.
        """
        if path.suffix.lower() == ".json":
            return self._json(path, part, labelled)
        return [self._line(path, number, line, part, labelled) for number, line in text_lines(path, "a list of clips")]

    def _line(self, path: Path, number: int, line: str, part: str, labelled: bool) -> Entry:
        place = Place(path, f"line {number}")
        fields = line.rsplit(None, 2)
        listed = ";" not in line and len(fields) == 3 and fields[1].isdecimal() and fields[2].isdecimal()
        name, _, label = (text.strip() for text in line.partition(";"))
        name = fields[0] if listed else name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            name = Path(name).name  # somebody else's disk: looked for by its id
        identity = Path(name).stem
        meta: dict[str, object] = {"listed_frames": int(fields[1][:9])} if listed else {}
        try:
            if not identity or len(name) > 1000:
                place.fail(f"the id {name[:80]!r}", "the name of a video")
            if not labelled:
                return Entry(identity, -1, part, name, meta=meta)
            if listed:
                at = place.integer(int(fields[2][:9]), "class", 0, len(self.classes) - 1)
            else:
                at = self._number(place, label)
            return Entry(identity, at, part, name, meta={"template": self.classes[at], **meta})
        except DataError as error:
            return Entry(identity or f"{path.name} line {number}", -1, part, name, meta=meta, error=error)

    def _json(self, path: Path, part: str, labelled: bool) -> list[Entry]:
        entries = []
        for number, value in enumerate(Place(path, "").sequence(read_json(path, "a list of clips"), "clips")):
            place, name = Place(path, f"clip {number}"), f"{path.name} clip {number}"
            try:
                clip = place.mapping(value, ("id",))
                name = place.text(clip["id"], "id")
                if name in (".", "..") or "/" in name:
                    place.fail(f"the id {name[:80]!r}", "the name of a video")
                if not labelled:
                    entries.append(Entry(name, -1, part))
                    continue
                label = place.text(clip.get("template", clip.get("label")), "template")
                at = self._number(place, label)
                given = clip.get("placeholders", [])
                words = tuple(place.text(word, "placeholders") for word in place.sequence(given, "placeholders", 100))
                entries.append(Entry(name, at, part, meta={"template": self.classes[at], "placeholders": words}))
            except DataError as error:
                entries.append(Entry(name, -1, part, error=error))
        return entries

    def _number(self, place: Place, label: str) -> int:
        try:
            return self.number_of[plain(label)]
        except KeyError:
            place.fail(f"the label {label[:80]!r}", f"one of the {len(self.classes)} labels")


def plain(label: str) -> str:
    """A template without brackets: ``Pushing [something]`` → ``Pushing something``."""
    return _SPACES.sub(" ", label.replace("[", "").replace("]", "")).strip()
