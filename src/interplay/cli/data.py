"""``interplay data check|stats|convert DATASET ROOT``: is it readable, what is in it, and into another form."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interplay.errors import InterplayError

if TYPE_CHECKING:
    from interplay.data.datasets import SkeletonDataset
    from interplay.data.scenes import SceneDataset
    from interplay.data.summary import Summary
    from interplay.data.videos import VideoDataset

USAGE = """usage: interplay data check|stats|convert|proposals DATASET ROOT [--data.KEY VALUE ...]

  check      read every clip, picture or video; print a summary and, at the end, a line for each that cannot be read
  stats      clips, lengths and parts of each class; entities and relations of each part, class and predicate
  convert    write the data set in another form (--to, --out)
  proposals  run a detector's region proposal network over videos (--out, --detector); can be interrupted

  DATASET           see `interplay list datasets`
  ROOT              its folder or file (none for the simulators: playground, hands)
  --data.KEY VALUE  a setting of the data set (test_fold, benchmark, ...);
                    `interplay data check DATASET --help` lists them
  --json            one JSON object on standard output instead of tables
  --strict          the first clip that cannot be read ends the work with exit code 2
  --every-frame     of videos: decode every frame, not only count them and look at three
convert:
  --to FORM         clips: cache (memory-mapped, for training) or plain (.npz files and labels.csv)
                    pictures: plain (scenes.json), vg (VG-SGG.h5) or openimages (vrd-*-anno.json)
                    videos: frames (a folder of pictures each), plain (copies), both with videos.json;
                    lists (lines "id frames class"); proposals (a compact store of the boxes)
  --out DIR         where to; made if needed
  --dtype TYPE      of the cache: float16 (default) or float32
  --workers N       processes that read for the cache (default: one per core)
  --pictures HOW    copy (default) or none, for annotated pictures
proposals:
  --out DIR         where to; what is there already is not made again
  --detector WHAT   COCO_V1 (default: torchvision's weights, downloaded), a file with such weights, or grid
  --frames N, --boxes N, --short N, --device NAME    16 frames, 10 boxes, short side of 800 pixels, cpu

Exit code 0; 1 where something could not be read; 2 for bad input.
"""
ACTIONS = ("check", "stats", "convert", "proposals")
FLAGS = ("--json", "--strict", "--every-frame", "--help", "-h")
OPTIONS: tuple[str, ...] = ("--to", "--out", "--dtype", "--workers", "--pictures")
OPTIONS += ("--detector", "--frames", "--boxes", "--short", "--device")
LIST_CLIPS_UP_TO = 20


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    words, flags, options, settings = _sort(argv)
    asks = bool(flags & {"--help", "-h"})
    if not words or (asks and len(words) < 2):
        print(USAGE, end="")
        return 0 if asks else 2
    action, *rest = words
    if action not in ACTIONS:
        raise InterplayError(f"data: unknown action {action!r}{_near(action, ACTIONS)} (one of {', '.join(ACTIONS)})")
    if not rest or len(rest) > 2:
        raise InterplayError(f"data {action}: found {len(rest)} arguments, expected DATASET and ROOT")
    if action not in ("convert", "proposals") and options:
        raise InterplayError(f"data {action}: {sorted(options)[0]} is an option of convert or proposals")
    if asks:
        return _help(rest[0])
    opened = _open(rest[0], rest[1] if len(rest) == 2 else None, settings)
    strict, as_json = "--strict" in flags, "--json" in flags
    from interplay.data.datasets import kind_of

    if "--every-frame" in flags and (action not in ("check", "stats") or kind_of(rest[0]) != "videos"):
        raise InterplayError(f"data {action}: --every-frame is for check and stats of videos")
    if action == "proposals":
        if kind_of(rest[0]) != "videos":
            raise InterplayError(f"data proposals: {rest[0]} holds {kind_of(rest[0])}, expected videos")
        from interplay.cli.data_proposals import propose

        bad = propose(opened, options, strict, as_json, _bar(range(len(opened)), f"proposals of {opened.name}"))
        _print_bad(bad)
        return 1 if bad else 0
    if hasattr(opened, "vocabulary"):
        from interplay.cli import data_scenes

        scenes: SceneDataset = opened
        bar = _bar(range(len(scenes)), f"reading {scenes.name}")
        if action == "convert":
            bad = data_scenes.convert(scenes, options, strict, as_json, bar)
        else:
            bad = data_scenes.report(scenes, action, strict, as_json, _table, bar)
        _print_bad(bad)
        return 1 if bad else 0
    if kind_of(rest[0]) == "videos":
        from interplay.cli import data_videos

        videos: VideoDataset = opened
        bar = _bar(range(len(videos)), f"reading {videos.name}")
        if action == "convert":
            bad = data_videos.convert(videos, options, strict, as_json, bar)
        else:
            every_frame = "--every-frame" in flags
            bad = data_videos.report(videos, action, strict, as_json, every_frame, _table, bar)
        _print_bad(bad)
        return 1 if bad else 0
    dataset: SkeletonDataset = opened
    if "--pictures" in options:
        raise InterplayError("data convert: --pictures is an option of annotated pictures")
    if action == "convert":
        return _convert(dataset, options, strict, as_json)

    from interplay.data.summary import summarise

    summary = summarise(dataset, strict, _bar(range(len(dataset)), f"reading {dataset.name}"))
    if as_json:
        print(json.dumps(summary.to_dict(), ensure_ascii=False, allow_nan=False))
    elif action == "check":
        _print_check(summary)
    else:
        _print_stats(summary)
    _print_bad(summary.bad)
    return 1 if summary.bad else 0


def _near(word: str, known: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _sort(argv: Sequence[str]) -> tuple[list[str], set[str], dict[str, str], list[str]]:
    """Plain words, flags, options with their values, and the data set's settings (as given)."""
    words: list[str] = []
    flags: set[str] = set()
    options: dict[str, str] = {}
    settings: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        key, equals, value = word.partition("=")
        if word in FLAGS:
            flags.add(word)
        elif key.startswith("--data.") or key in OPTIONS:
            if not equals:
                if not rest:
                    raise InterplayError(f"data: {key}: found nothing after it, expected a value")
                value = rest.pop(0)
            if key in OPTIONS:
                options[key] = value
            else:
                settings.append(f"{key}={value}")
        elif word.startswith("-") and word != "-":
            hint = _near(key, (*FLAGS, *OPTIONS))
            raise InterplayError(f"data: unknown option {key}{hint} (settings of the data set are --data.KEY VALUE)")
        else:
            words.append(word)
    return words, flags, options, settings


def _parser(name: str) -> Any:
    from interplay.data.datasets import dataset_class
    from interplay.training.recipes import RecipeParser, Section

    return RecipeParser({"data": Section(dataset_class(name))}, {})


def _help(name: str) -> int:
    parser = _parser(name).parser
    parser.prog = "interplay data"
    parser.usage = f"interplay data check|stats|convert {name} ROOT [--data.KEY VALUE ...]"
    parser.print_help()
    return 0


def _open(name: str, root: str | None, settings: list[str]) -> Any:
    """A SkeletonDataset, a SceneDataset or a VideoDataset."""
    from inspect import Parameter, signature

    from interplay.data.datasets import dataset_class, kind_of, open_dataset, open_scenes, open_videos

    if root is not None:
        settings = [f"--data.root={root}", *settings]
    parser = _parser(name)
    place = signature(dataset_class(name)).parameters.get("root")
    needs_root = place is not None and place.default is Parameter.empty
    if needs_root and not any(setting.startswith("--data.root=") for setting in settings):
        raise InterplayError(f"data: {name} needs a ROOT, the data set's folder or file")
    if not needs_root and root is not None:
        raise InterplayError(f"data: {name} is simulated: found ROOT {root!r}, expected none")
    values = parser.resolve({}, settings, f"data {name}")["data"]
    try:
        root = values.pop("root", None)
        opens = {"pictures": open_scenes, "videos": open_videos, "skeletons": open_dataset}
        return opens[kind_of(name)](name, root, **values)
    except ValueError as error:
        if isinstance(error, InterplayError):
            raise
        raise InterplayError(f"data {name}: {error}") from error


def _bar(indices: range, what: str) -> Iterator[int]:
    """A progress bar with an ETA on standard error where that is a terminal; silence elsewhere."""
    if not sys.stderr.isatty():
        yield from indices
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(indices, description=what, console=Console(stderr=True), transient=True)


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A rich table on a terminal, aligned text elsewhere."""
    cells = [[_cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(title=title, title_justify="left")
        for column, name in enumerate(header):
            numeric = all(_is_number(row[column]) for row in cells)
            table.add_column(name, justify="right" if numeric else "left", overflow="fold")
        for row in cells:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max(len(text) for text in column) for column in zip(header, *cells, strict=True)]
    print(title)
    for row in (list(header), *cells):
        print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    print()


def _cell(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).isdecimal()


def _print_check(summary: Summary) -> None:
    lengths = summary.lengths()
    rates = ", ".join(f"{rate:g}" for rate in summary.rates()) or "unknown"
    rows: list[tuple[str, object]] = [
        ("clips", summary.total),
        ("readable", len(summary.clips)),
        ("unreadable", len(summary.bad)),
        ("layout", f"{summary.layout}, {summary.joints} joints, {' + '.join(summary.entity_names)}"),
        ("frames per second", rates),
        ("frames per clip", f"{lengths['shortest']} to {lengths['longest']}, median {lengths['median']:g}"),
        ("seconds in all", lengths["seconds"]),
        ("bodies per clip", ", ".join(f"{bodies}: {clips} clips" for bodies, clips in summary.bodies().items())),
        ("classes", f"{len(summary.classes)}, of which {len({clip.label for clip in summary.clips} - {None})} occur"),
    ]
    rows += [(f"part {part}", f"{count} clips") for part, count in summary.parts.items()]
    rows += list(summary.facts.items())
    rows += [(f"left out: {reason}", count) for reason, count in summary.missing.items()]
    _table(f"data set {summary.dataset}", ("what", "found"), rows)
    if len(summary.clips) <= LIST_CLIPS_UP_TO:
        listed = [
            (clip.id, "" if clip.label is None else summary.classes[clip.label], clip.frames, clip.bodies)
            for clip in summary.clips
        ]
        _table("clips", ("id", "class", "frames", "bodies"), listed)
    if summary.published:
        compared = [
            (what, found, published, "yes" if found == published else "NO")
            for what, found, published in summary.published
        ]
        _table("against the published counts", ("what", "found", "published", "equal"), compared)


def _print_stats(summary: Summary) -> None:
    lengths = summary.lengths()
    _table("lengths", tuple(lengths), [tuple(lengths.values())])
    _table("parts", ("part", "clips"), list(summary.parts.items()))
    classes = summary.classes_table()
    if classes:
        header = [key for key in classes[0] if key != "label"]
        _table("classes", header, [[row[key] for key in header] for row in classes])


def _print_bad(bad: Sequence[str]) -> None:
    for line in bad:
        print(f"interplay: unreadable: {line}", file=sys.stderr)


def _convert(dataset: SkeletonDataset, options: dict[str, str], strict: bool, as_json: bool) -> int:
    forms: dict[str, Callable[..., tuple[int, list[str]]]] = {"cache": _to_cache, "plain": _to_plain}
    form = options.get("--to", "")
    if form not in forms:
        raise InterplayError(f"data convert: --to: found {form!r}{_near(form, forms)}, expected cache or plain")
    if "--out" not in options:
        raise InterplayError("data convert: found no --out, expected the folder to write to")
    out = Path(options["--out"])
    written, bad = forms[form](dataset, out, options, strict)
    if as_json:
        print(json.dumps({"dataset": dataset.name, "form": form, "out": str(out), "clips": written, "bad": bad}))
    else:
        print(f"{written} clips of {dataset.name} written to {out} as {form}")
    _print_bad(bad)
    return 1 if bad else 0


def _to_cache(dataset: SkeletonDataset, out: Path, options: dict[str, str], strict: bool) -> tuple[int, list[str]]:
    from interplay.data.cache import prepare

    text = options.get("--workers")
    if text is not None and not (text.isdecimal() and 1 <= int(text) <= 1024):
        raise InterplayError(f"data convert: --workers: found {text!r}, expected a number from 1 to 1024")
    dtype = options.get("--dtype", "float16")
    if dtype not in ("float16", "float32"):
        raise InterplayError(f"data convert: --dtype: found {dtype!r}, expected float16 or float32")
    cache = prepare(dataset, out, dtype=dtype, workers=int(text) if text else None, strict=strict)
    return len(cache), [str(message) for _, message in cache.skipped]


def _to_plain(dataset: SkeletonDataset, out: Path, options: dict[str, str], strict: bool) -> tuple[int, list[str]]:
    from interplay.data.plain_folder import write_plain_folder

    for key in ("--dtype", "--workers"):
        if key in options:
            raise InterplayError(f"data convert: {key} is an option of --to cache")
    return write_plain_folder(dataset, out, strict, _bar(range(len(dataset)), f"writing {dataset.name}"))
