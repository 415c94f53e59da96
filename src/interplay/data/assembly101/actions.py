"""The table of actions: 1,380 actions, 24 verbs, 90 nouns, and only 1,198 distinct (verb, noun) pairs.

An action is therefore known by its ``action_id`` alone ("unscrew track with hand" and "unscrew track with
screwdriver" share verb and noun). Verb and noun accuracy follow from the action through this table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.tables import Row, read_table

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ActionTable:
    """What each action consists of.

    Attributes:
        actions, verbs, nouns: names; the index is the id. A verb or noun id that no action uses has an empty name.
        verb_of, noun_of: int64 (action,), the verb and noun id of each action.
    """

    actions: tuple[str, ...]
    verbs: tuple[str, ...]
    nouns: tuple[str, ...]
    verb_of: IntArray
    noun_of: IntArray

    @property
    def pairs(self) -> int:
        """How many different (verb, noun) pairs the actions have."""
        return len(set(zip(self.verb_of.tolist(), self.noun_of.tolist(), strict=True)))

    def check(self, row: Row, action: int) -> None:
        """DataError where a segment's names or ids contradict the table."""
        if not 0 <= action < len(self.actions):
            raise row.error(f"action_id {action}", f"0 to {len(self.actions) - 1}")
        wanted = {"verb_id": int(self.verb_of[action]), "noun_id": int(self.noun_of[action])}
        for column, value in wanted.items():
            if row.has(column) and row.integer(column) != value:
                raise row.error(f"{column} {row.integer(column)}", f"{value}, that of action {action} in the table")
        if row.has("action_cls") and row.text("action_cls") != self.actions[action]:
            raise row.error(f"action {row.text('action_cls')!r}", f"{self.actions[action]!r}, action {action}")


def read_actions(path: str | Path) -> ActionTable:
    """Read ``actions.csv`` (columns action_id, verb_id, noun_id, action_cls, verb_cls, noun_cls).

    Raises:
        DataError: a missing column, ids that are not 0…n−1 once each, or one verb or noun id with two names.
    """
    path = Path(path)
    names: dict[int, tuple[str, int, int]] = {}
    parts: dict[str, dict[int, str]] = {"verb": {}, "noun": {}}
    for row in read_table(path, ("action_id", "verb_id", "noun_id", "action_cls", "verb_cls", "noun_cls")):
        action, verb, noun = (row.integer(f"{what}_id", 0, 100_000) for what in ("action", "verb", "noun"))
        if action in names:
            raise row.error(f"action_id {action} again", "each action once")
        names[action] = (row.text("action_cls"), verb, noun)
        for what, index in (("verb", verb), ("noun", noun)):
            name = parts[what].setdefault(index, row.text(f"{what}_cls"))
            if name != row.text(f"{what}_cls"):
                raise row.error(f"{what} {index} called {row.text(f'{what}_cls')!r}", f"{name!r}, as before")
    if not names or set(names) != set(range(len(names))):
        raise DataError(path, "", f"{len(names)} actions", "the ids 0, 1, 2, … once each")
    ordered = [names[action] for action in range(len(names))]
    return ActionTable(
        actions=tuple(name for name, _, _ in ordered),
        verbs=_by_id(parts["verb"]),
        nouns=_by_id(parts["noun"]),
        verb_of=np.array([verb for _, verb, _ in ordered], np.int64),
        noun_of=np.array([noun for _, _, noun in ordered], np.int64),
    )


def _by_id(names: dict[int, str]) -> tuple[str, ...]:
    return tuple(names.get(index, "") for index in range(max(names) + 1))


def read_head_actions(path: str | Path, actions: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Head and tail action ids from ``head_actions.txt`` (one action a line, its id or its name); all others are tail.

    Raises:
        DataError: a line that names no action.
    """
    path = Path(path)
    by_name = {name: index for index, name in enumerate(actions)}
    head: set[int] = set()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, "", type(error).__name__, "a text file of actions") from None
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        first = text.split(",")[0].strip()
        index = by_name.get(text, int(first) if first.isdecimal() and len(first) < 9 else -1)
        if not 0 <= index < len(actions):
            raise DataError(path, f"line {number}", repr(text[:80]), "an action's id or name")
        head.add(index)
    tail = sorted(set(range(len(actions))) - head)
    return np.array(sorted(head), np.int64), np.array(tail, np.int64)
