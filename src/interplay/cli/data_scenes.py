"""``interplay data`` for data sets of annotated pictures: tables of counts, and other layouts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from interplay.cli.data_common import Table, conversion, print_published, say_written
from interplay.errors import InterplayError

if TYPE_CHECKING:
    from interplay.data.scene_summary import SceneSummary
    from interplay.data.scenes import SceneDataset

LIST_PICTURES_UP_TO = 20
HEAD = 20
"""Classes that `check` lists; `stats` lists all."""


def report(
    dataset: SceneDataset, action: str, strict: bool, as_json: bool, table: Table, indices: Iterable[int]
) -> list[str]:
    """Count and print; returns a line for each picture that cannot be read."""
    from interplay.data.scene_summary import summarise_scenes

    summary = summarise_scenes(dataset, strict, indices)
    if as_json:
        print(json.dumps(summary.to_dict(), ensure_ascii=False, allow_nan=False))
    elif action == "check":
        _print_check(summary, table)
    else:
        _print_stats(summary, table)
    return summary.bad


def _print_check(summary: SceneSummary, table: Table) -> None:
    every = summary.part("all")
    occurring = {kind: len(summary.table(kind)) for kind in ("classes", "predicates")}
    rows: list[tuple[str, object]] = [
        ("pictures", summary.total),
        ("readable", every.pictures),
        ("unreadable", len(summary.bad)),
        ("files at hand", summary.pictures_found or "none: annotations only"),
        ("entities", f"{every.entities}, {every.entities_each:g} a picture, at most {every.most_entities}"),
        ("relations", f"{every.relations}, {every.relations_each:g} a picture, at most {every.most_relations}"),
        ("classes", f"{len(summary.classes) - 1}, of which {occurring['classes']} occur"),
        ("predicates", f"{len(summary.predicates) - 1}, of which {occurring['predicates']} occur"),
    ]
    for part in summary.parts[:-1]:
        detail = f"{part.pictures} pictures, {part.with_relations} with relations, {part.relations} relations"
        rows.append((f"part {part.part}", detail))
    if summary.zero_shot_triplets is not None:
        detail = f"{summary.zero_shot_triplets} triplets, {summary.zero_shot_relations} relations of the test part"
        rows.append(("zero-shot", detail))
    rows += list(summary.facts.items())
    table(f"data set {summary.dataset}", ("what", "found"), rows)
    print_published(summary.published, "figures", table)


def _print_stats(summary: SceneSummary, table: Table) -> None:
    parts = [part.row() for part in summary.parts]
    table("parts", list(parts[0]), [list(row.values()) for row in parts])
    print_published(summary.published, "figures", table)
    for kind in ("predicates", "classes"):
        if rows := summary.table(kind):
            table(kind, list(rows[0]), [list(row.values()) for row in rows])


def convert(
    dataset: SceneDataset, options: dict[str, str], strict: bool, as_json: bool, indices: Iterable[int]
) -> list[str]:
    """Write the set in another layout; returns a line for each picture that cannot be read."""
    from interplay.data.scene_writers import WRITERS

    form, out = conversion(options, WRITERS, dataset.name, {"--dtype": "--to cache", "--workers": "--to cache"})
    pictures = options.get("--pictures", "copy")
    if pictures not in ("copy", "none"):
        raise InterplayError(f"data convert: --pictures: found {pictures!r}, expected copy or none")
    written, bad = WRITERS[form](dataset, out, pictures == "copy", strict, indices)
    say_written(dataset.name, form, out, "pictures", written, bad, as_json)
    return bad
