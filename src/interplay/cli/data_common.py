"""What ``interplay data`` does alike for annotated pictures and videos."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from interplay.errors import InterplayError

if TYPE_CHECKING:
    from interplay.data.scene_summary import Published

Table = Callable[[str, Sequence[str], Sequence[Sequence[object]]], None]


def print_published(published: Sequence[Published], what: str, table: Table) -> None:
    """A table of found and published ``what`` (figures, counts), if any are published."""
    rows = [
        (row.what, row.found, row.published, row.source, "yes" if row.agrees else "NO", row.why) for row in published
    ]
    if rows:
        table(f"against the published {what}", ("what", "found", "published", "by", "equal", "why not"), rows)


def conversion(
    options: Mapping[str, str], forms: Collection[str], dataset: str, foreign: Mapping[str, str]
) -> tuple[str, Path]:
    """Form and folder that ``data convert`` was asked for.

    Args:
        foreign: options of other conversions → which.

    Raises:
        InterplayError: no such form, no folder, or an option of another conversion.
    """
    form = options.get("--to", "")
    if form not in forms:
        raise InterplayError(f"data convert: --to: found {form!r}, expected {', '.join(forms)} for {dataset}")
    if "--out" not in options:
        raise InterplayError("data convert: found no --out, expected the folder to write to")
    for key, of in foreign.items():
        if key in options:
            raise InterplayError(f"data convert: {key} is an option of {of}")
    return form, Path(options["--out"])


def say_written(dataset: str, form: str, out: Path, what: str, written: int, bad: list[str], as_json: bool) -> None:
    """What was converted, in a line or as JSON."""
    if as_json:
        print(json.dumps({"dataset": dataset, "form": form, "out": str(out), what: written, "bad": bad}))
    else:
        print(f"{written} {what} of {dataset} written to {out} as {form}")
