"""``interplay data`` for data sets of videos: tables of counts, and other forms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from interplay.cli.data_common import Table, conversion, print_published, say_written

if TYPE_CHECKING:
    from interplay.data.video_summary import VideoSummary
    from interplay.data.videos import VideoDataset

LIST_CLIPS_UP_TO = 20
LINES = 50
"""Of clips that cannot be used, or have broken frames; --json has all."""


def report(
    dataset: VideoDataset,
    action: str,
    strict: bool,
    as_json: bool,
    every_frame: bool,
    table: Table,
    indices: Iterable[int],
) -> list[str]:
    """Count and print; returns a line for each video that cannot be read, and then those with broken frames."""
    from interplay.data.video_summary import Pixels, summarise_videos

    pixels: Pixels = "all" if every_frame else "some" if action == "check" else "none"
    summary = summarise_videos(dataset, strict, indices, pixels)
    if as_json:
        print(json.dumps(summary.to_dict(), ensure_ascii=False, allow_nan=False))
    elif action == "check":
        _print_check(summary, every_frame, table)
    else:
        _print_stats(summary, table)
    return shortened(summary.bad)


def shortened(lines: Sequence[str]) -> list[str]:
    """At most :data:`LINES` of them, and how many more there are."""
    if len(lines) <= LINES:
        return list(lines)
    return [*lines[:LINES], f"and {len(lines) - LINES} more (--json lists all)"]


def _print_check(summary: VideoSummary, every_frame: bool, table: Table) -> None:
    lengths = summary.lengths()
    looked = "every frame" if every_frame else "first, middle and last frame; --every-frame looks at all"
    rows: list[tuple[str, object]] = [
        ("clips", summary.total),
        ("readable", len(summary.clips)),
        ("unreadable", len(summary.bad)),
        ("with broken frames", f"{len(summary.broken)} ({looked})"),
        ("frames per clip", f"{lengths['shortest']} to {lengths['longest']}, median {lengths['median']:g}"),
        ("seconds in all", lengths["seconds"] or "unknown"),
        ("frames per second", _few([f"{rate:g}" for rate in summary.rates()]) or "unknown"),
        ("width x height", _few([f"{size}: {clips} clips" for size, clips in summary.sizes().items()])),
        ("proposals", f"{summary.proposals_kind}, of {summary.with_proposals()} clips"),
        ("classes", f"{len(summary.classes)}, of which {len({clip.label for clip in summary.clips} - {-1})} occur"),
    ]
    rows += [(f"part {part}", f"{count} clips") for part, count in summary.parts.items()]
    if summary.groups is not None and "source videos" not in summary.facts:
        rows.append(("groups", summary.groups))
    rows += list(summary.facts.items())
    if summary.other_length:
        rows.append(("another length than listed", f"{len(summary.other_length)} clips"))
    table(f"data set {summary.dataset}", ("what", "found"), rows)
    print_published(summary.published, "counts", table)
    if len(summary.clips) <= LIST_CLIPS_UP_TO:
        listed = [
            (
                clip.id,
                summary.classes[clip.label] if clip.label >= 0 else "",
                clip.frames,
                f"{clip.width} x {clip.height}",
            )
            for clip in summary.clips
        ]
        table("clips", ("id", "class", "frames", "size"), listed)
    if summary.broken:
        broken = [(id, _few([str(frame) for frame in frames])) for id, frames in list(summary.broken.items())[:LINES]]
        table("frames that do not decode; the nearest that does is shown instead", ("clip", "frames"), broken)
    if summary.other_length:
        others = [(id, *pair) for id, pair in list(summary.other_length.items())[:LINES]]
        table("another length than listed", ("clip", "listed", "found"), others)


def _few(words: Sequence[str], most: int = 6) -> str:
    return ", ".join(words) if len(words) <= most else f"{', '.join(words[:most])} and {len(words) - most} more"


def _print_stats(summary: VideoSummary, table: Table) -> None:
    lengths = summary.lengths()
    table("lengths", tuple(lengths), [tuple(lengths.values())])
    table("parts", ("part", "clips"), list(summary.parts.items()))
    print_published(summary.published, "counts", table)
    table("sizes", ("width x height", "clips"), list(summary.sizes().items()) or [("none", 0)])
    if classes := summary.classes_table():
        table("classes", list(classes[0]), [list(row.values()) for row in classes])


def convert(
    dataset: VideoDataset, options: dict[str, str], strict: bool, as_json: bool, indices: Iterable[int]
) -> list[str]:
    """Write the set in another form; returns a line for each video that cannot be read."""
    from interplay.data.video_writers import WRITERS

    form, out = conversion(
        options,
        WRITERS,
        dataset.name,
        {"--dtype": "--to cache", "--workers": "--to cache", "--pictures": "annotated pictures"},
    )
    written, bad = WRITERS[form](dataset, out, strict, indices)
    say_written(dataset.name, form, out, "clips", written, bad, as_json)
    return shortened(bad)
