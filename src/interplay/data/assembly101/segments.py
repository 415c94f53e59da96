"""Segments: which frames of which sequence show which action.

Two forms of the CSV files are read. The one shipped with the action-recognition code has a row per segment, the
sequence's name in ``video``, and frames at 60 a second, as the poses. The annotations release has a row per segment
*and view* (``sequence/view.mp4``), frames at 30 a second: frame f becomes 2 f + 1, and the views of one segment are
kept once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from interplay.data.assembly101.actions import ActionTable
from interplay.data.tables import Row, read_table

MAX_FRAME = 10_000_000


@dataclass(frozen=True, slots=True)
class Segment:
    """One annotated action: frames ``start`` … ``end`` (60 a second) of a sequence.

    ``action`` is None where the labels are withheld. ``problem`` is what reading this clip will raise: a row that
    contradicts the table of actions is found when the table is opened, but must not stop the others.
    """

    id: str
    sequence: str
    start: int
    end: int
    action: int | None
    part: str
    toy: str = ""
    is_shared: int = -1
    problem: Exception | None = None


def read_segments(path: str | Path, part: str, table: ActionTable) -> list[Segment]:
    """The segments of one CSV file, in its order.

    Raises:
        DataError: a table without the columns id, video and start/end frame, or with frames that are no numbers.
    """
    path = Path(path)
    segments: list[Segment] = []
    seen: set[tuple[str, int, int, int | None]] = set()
    ids: set[str] = set()
    for row in read_table(path, ("id", "video")):
        per_view = row.text("video").endswith(".mp4")
        sequence = row.text("video").split("/")[0] if per_view else row.text("video")
        start, end = (_frame(row, what) for what in ("start", "end"))
        if per_view:
            start, end = 2 * start + 1, 2 * end + 1
        action = row.integer("action_id") if row.has("action_id") else None
        if action is not None and action < 0:
            action = None  # −1 stands for a withheld label
        if per_view:
            key = (sequence, start, end, action)
            if key in seen:
                continue
            seen.add(key)
        problem: Exception | None = None
        identity = f"{part}/{row.text('id')}"
        if identity in ids:
            problem = row.error(f"the id {row.text('id')} again", "each id once")
            identity = f"{identity}~line{row.line}"
        ids.add(identity)
        if end < start:
            problem = row.error(f"end frame {end} before start frame {start}", "end after start")
        elif action is not None:
            try:
                table.check(row, action)
            except Exception as error:
                problem = error
        shared = row.integer("is_shared") if row.has("is_shared") else -1
        segments.append(Segment(identity, sequence, start, end, action, part, row.text("toy_id"), shared, problem))
    return segments


def _frame(row: Row, what: str) -> int:
    column = f"{what}_frame" if f"{what}_frame" in row.values else what
    if column not in row.values:
        raise row.error("no such column", f"a column {what}_frame")
    return row.integer(column, 0, MAX_FRAME)
