"""One HTML page about a run of AGOS: figures, classes, structures, what the operations attend to, clips, the search.

As for skeletons and pictures, every picture also lies beside the page as PNG and SVG, and a run that is unfinished, or
whose data or model are not at hand, gets the page that is possible, with a line where something is missing.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from interplay.errors import InterplayError
from interplay.evaluation.classification import (
    METRIC_NAMES,
    confusion,
    drawn,
    is_proportion,
    metrics,
    most_confused,
    per_class,
)
from interplay.studies import video_analyses as analyses
from interplay.studies import video_pictures as pictures
from interplay.studies.page_parts import Drawer, percent, settings_section, state_section
from interplay.studies.video_runs import VideoRun, open_video_run
from interplay.video.outcome import boxes_text
from interplay.video.preparation import PreparedClip
from interplay.viz import charts, matrices
from interplay.viz.page import Page

EXAMPLES = 3
MOST_UNREAD = 20
"""Clips that cannot be read after which no more are tried."""


def video_report(folder: Path, out: Path, data_root: str | Path | None = None) -> Path:
    """Write ``index.html`` and every picture as PNG and SVG; returns the path of the page.

    Raises:
        InterplayError: no run there, or the target cannot be written.
    """
    run = open_video_run(folder, data_root)
    data = str(((run.recipe or {}).get("data") or {}).get("name") or "")
    what = "AGOS" if run.graph == "agos" else run.graph.replace("_", " ")
    simulated = " (simulated: not real data)" if data == "playground_videos" else ""
    page = Page(f"Run {folder.resolve().name}", f"{what} · data: {data}{simulated}")
    drawer = Drawer(page, out)
    state_section(page, run)
    parts: list[tuple[str, analyses.Part]] = [("Numbers", _numbers), ("Classes", _classes)]
    parts += analyses.PARTS if run.graph == "agos" else ()
    for title, part in [*parts, ("Examples", _clips), ("Learning curves", _curves)]:
        page.section(title)
        _tried(part, drawer, run)
    settings_section(page, run)
    return page.write(out / "index.html")


def _tried(part: analyses.Part, drawer: Drawer, run: VideoRun) -> None:
    """Fill a section; what a run's files, model or data do not allow is a line in it, and the page goes on."""
    try:
        part(drawer, run)
    except (InterplayError, OSError, ValueError) as error:
        drawer.page.note(f"Missing: {' '.join(str(error).split())}.")
    except (LookupError, TypeError, AttributeError, RuntimeError) as error:  # files that a person has changed
        drawer.page.note(f"Missing: {type(error).__name__}: {' '.join(str(error).split())}.")


def _numbers(drawer: Drawer, run: VideoRun) -> None:
    page = drawer.page
    if run.scores is None:
        raise InterplayError(f"scores of labelled clips: {run.why('scores')}")
    found = metrics(run.scores)
    count = len(run.scores)
    tiles = [
        (
            "top-1",
            percent(found["top1"].value),
            f"{count} {run.measured} clips, chance {percent(1 / len(run.scores.classes))}",
        ),
        ("mean-class accuracy", percent(found["mean_class"].value), f"{len(run.scores.classes)} classes"),
    ]
    only = ((run.result or {}).get("metrics") or {}).get("only_testing") or {}
    one = next((only[part] for part in ("test", "validation") if part in only), None)
    if one:
        tiles.append(("top-1 with one structure", percent(one["top1"]["value"]), "the most frequent in training"))
    if run.structures is not None:
        distinct = len(np.unique(run.structures.choices, axis=0))
        tiles.append(("structures in use", str(distinct), f"on {len(run.structures.ids)} {run.measured} clips"))
    page.tiles(tiles)
    rows = []
    for name, value in found.items():
        scale, digits, unit = (100, 1, " %") if is_proportion(name) else (1, 3, "")
        interval = "–" if math.isnan(value.low) else f"{scale * value.low:.{digits}f} … {scale * value.high:.{digits}f}"
        rows.append([METRIC_NAMES.get(name, name), f"{scale * value.value:.{digits}f}{unit}", interval, value.count])
    proposals = boxes_text((run.result or {}).get("proposals"))
    caption = (
        f"After the last stage, {run.measured} videos, mean logits of the test clips of each; proposals: {proposals}. "
        f"Intervals draw {drawn(run.scores).replace('samples', 'single videos')}."
    )
    page.table(["metric", "value", "95 % interval", "clips"], rows, caption)
    stages = (run.result or {}).get("stages") or []
    if stages:
        table = []
        for stage in stages:
            stable = stage.get("stable")
            table.append(
                [
                    stage["stage"],
                    stage["what"] + (" (search)" if stage.get("searches") else ""),
                    f"{stage['epochs']} of {stage['most_epochs']}",
                    f"{stage['seconds']:.0f}",
                    f"after {stable['epochs']} epochs, {stable['seconds']:.0f} s" if stable else "–",
                ]
            )
        page.table(["stage", "what trains", "epochs", "seconds", "structures stable"], table)


def _classes(drawer: Drawer, run: VideoRun) -> None:
    if run.scores is None:
        raise InterplayError(f"accuracy per class: {run.why('scores')}")
    rows = per_class(run.scores)
    worst = sorted((row for row in rows if row.count), key=lambda row: row.recall)[:3]
    alt = "Accuracy per class as bars; lowest: " + ", ".join(f"{row.name} {percent(row.recall)}" for row in worst)
    drawer.figure(
        charts.per_class_bars(rows), "per-class", alt, f"Accuracy per class with 95 % intervals, {run.measured} clips."
    )
    pairs = most_confused(run.scores)
    figure = matrices.confusion_matrix(confusion(run.scores), run.scores.classes, "Confusion matrix")
    drawer.figure(figure, "confusion", "Confusion matrix", f"Row-normalised, in per cent, {run.measured} clips.")
    if pairs:
        table = [[pair.true, pair.predicted, pair.count, percent(pair.share)] for pair in pairs]
        drawer.page.table(["true", "called", "clips", "share of class"], table, "Most confused pairs.")


def _clips(drawer: Drawer, run: VideoRun) -> None:
    if run.opened is None or run.scores is None:
        raise InterplayError(f"examples need the model, the data and scores: {run.why('model', 'scores')}")
    scores = run.scores
    best = scores.probabilities.max(axis=1)
    for words, which, stem in (
        ("Right, and sure", scores.predictions == scores.labels, "right"),
        ("Wrong, and sure", scores.predictions != scores.labels, "wrong"),
    ):
        shown: list[tuple[str, PreparedClip]] = []
        seen: set[int] = set()
        unread = 0
        for index in sorted(np.flatnonzero(which).tolist(), key=lambda index: -best[index]):
            if len(shown) == EXAMPLES or unread == MOST_UNREAD:
                break
            if int(scores.labels[index]) in seen:
                continue
            try:
                clip = run.opened.by_id(scores.ids[index])
            except InterplayError:
                unread += 1
                continue
            seen.add(int(scores.labels[index]))
            called, true = (scores.classes[int(one[index])] for one in (scores.predictions, scores.labels))
            title = f"{called}, {percent(best[index])}" + ("" if called == true else f" (true: {true})")
            shown.append((title, clip))
        if shown:
            alt = f"{words}: " + "; ".join(title for title, _ in shown)
            drawer.figure(
                pictures.example_strips(shown),
                stem,
                alt,
                f"{words}: {run.measured} clips of different classes. Green: region proposals.",
            )
        else:
            drawer.page.text(f"{words}: none" + (" that can be read." if unread else "."))


def _curves(drawer: Drawer, run: VideoRun) -> None:
    if run.history is None:
        raise InterplayError(f"learning curves: {run.why('history')}")
    history = run.history
    wanted = ("loss", "top1")
    chosen = {name: values for name, values in history.items() if name.rpartition("_")[2] in wanted}
    chosen["epoch"] = [float(number) for number in range(1, len(next(iter(history.values()))) + 1)]
    stages = history.get("stage", [])
    ends = [
        f"stage {int(stage)} to epoch {place + 1}"
        for place, stage in enumerate(stages)
        if place + 1 == len(stages) or stages[place + 1] != stage
    ]
    figure = charts.learning_curves(chosen)
    caption = f"Loss and accuracy of all stages, one after the other: {', '.join(ends)}."
    drawer.figure(figure, "curves", f"Learning curves over {len(chosen['epoch'])} epochs", caption)
