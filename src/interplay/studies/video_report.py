"""One HTML page about a run of AGOS: figures, classes, structures, what the operations attend to, clips, the search.

As for skeletons and pictures, every picture also lies beside the page as PNG and SVG, and a run that is unfinished, or
whose data or model are not at hand, gets the page that is possible, with a line where something is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from interplay.errors import InterplayError
from interplay.evaluation.classification import (
    METRIC_NAMES,
    confusion,
    is_proportion,
    metrics,
    most_confused,
    per_class,
)
from interplay.evaluation.scores import Scores
from interplay.studies import video_pictures as pictures
from interplay.studies.agos_figures import FREQUENT, searches_of, use_panels
from interplay.studies.agos_tables import OPERATIONS
from interplay.studies.report import Drawer, percent, settings_section
from interplay.studies.video_pictures import OpenedRun
from interplay.studies.video_runs import VideoRun, open_video_run
from interplay.video.analysis import association, cases, entropies, operation_accuracies, structure_use
from interplay.video.held_clips import exchanged, pair_to_swap, swap
from interplay.video.outcome import Structures
from interplay.video.preparation import PreparedClip
from interplay.video.structure import superedges
from interplay.viz import charts, matrices
from interplay.viz import structures as drawing
from interplay.viz.page import Page

EXAMPLES = 3


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
    if run.result is None:
        page.section("State")
        page.note(f"This run is not finished ({run.missing.get('result', 'no result')}); the page shows what is there.")
    _numbers(page, run)
    _classes(drawer, run)
    if run.graph == "agos":
        for title, part in _ANALYSES:
            page.section(title)
            try:
                part(drawer, run)
            except (InterplayError, ValueError) as error:
                page.note(f"Missing: {' '.join(str(error).split())}.")
    _clips(drawer, run)
    _curves(drawer, run)
    settings_section(page, {name: getattr(run, name) for name in ("recipe", "environment", "result")}, run.missing)
    return page.write(out / "index.html")


def _numbers(page: Page, run: VideoRun) -> None:
    page.section("Numbers")
    if run.scores is None:
        page.note(f"No scores of labelled clips: {run.why('scores')}.")
        return
    found = metrics(run.scores)
    count = len(run.scores)
    tiles = [
        ("top-1", percent(found["top1"].value), f"{count} clips, chance {percent(1 / len(run.scores.classes))}"),
        ("mean-class accuracy", percent(found["mean_class"].value), f"{len(run.scores.classes)} classes"),
    ]
    only = ((run.result or {}).get("metrics") or {}).get("only_testing") or {}
    one = next((only[part] for part in ("test", "validation") if part in only), None)
    if one:
        tiles.append(("top-1 with one structure", percent(one["top1"]["value"]), "the most frequent in training"))
    if run.structures is not None:
        distinct = len(np.unique(run.structures.choices, axis=0))
        tiles.append(("structures in use", str(distinct), f"on {len(run.structures.ids)} clips"))
    page.tiles(tiles)
    rows = []
    for name, value in found.items():
        scale, digits, unit = (100, 1, " %") if is_proportion(name) else (1, 3, "")
        interval = "–" if math.isnan(value.low) else f"{scale * value.low:.{digits}f} … {scale * value.high:.{digits}f}"
        rows.append([METRIC_NAMES.get(name, name), f"{scale * value.value:.{digits}f}{unit}", interval, value.count])
    proposals = (run.result or {}).get("proposals", "not said")
    caption = f"After the last stage, mean logits of the test clips of each video; proposals: {proposals}."
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
    drawer.page.section("Classes")
    if run.scores is None:
        drawer.page.note(f"No accuracy per class: {run.why('scores')}.")
        return
    rows = per_class(run.scores)
    worst = sorted((row for row in rows if row.count), key=lambda row: row.recall)[:3]
    alt = "Accuracy per class as bars; lowest: " + ", ".join(f"{row.name} {percent(row.recall)}" for row in worst)
    drawer.figure(charts.per_class_bars(rows), "per-class", alt, "Accuracy per class with 95 % Wilson intervals.")
    pairs = most_confused(run.scores)
    figure = matrices.confusion_matrix(confusion(run.scores), run.scores.classes, "Confusion matrix")
    drawer.figure(figure, "confusion", "Confusion matrix", "Row-normalised, in per cent.")
    if pairs:
        table = [[pair.true, pair.predicted, pair.count, percent(pair.share)] for pair in pairs]
        drawer.page.table(["true", "called", "clips", "share of class"], table, "Most confused pairs.")


# -- structures --------------------------------------------------------------------------------------------------------


def _structures_of(run: VideoRun) -> Structures:
    if run.structures is None:
        raise InterplayError(f"structures of the measured clips: {run.why('structures')}")
    return run.structures


def _opened_of(run: VideoRun) -> OpenedRun:
    if run.opened is None:
        raise InterplayError(f"it needs the trained model and the data: {run.why('model')}")
    return run.opened


def _structures(drawer: Drawer, run: VideoRun) -> None:
    structures = _structures_of(run)
    page, classes = drawer.page, _class_names(run)
    uses = structure_use(structures, len(classes), FREQUENT)
    clips = len(structures.ids)
    drawer.figure(
        pictures.cells(uses[:4], classes, clips),
        "structures",
        f"The {min(4, len(uses))} most frequent structures as graphs",
        "The most frequent structures (paper, Fig. 4): what stands on each superedge, and the class that uses it most.",
    )
    page.table(
        ["structure", "code", "clips", "classes that use it most"],
        [
            [
                " ".join(use.structure.operations),
                use.structure.code(),
                use.count,
                ", ".join(f"{name} ({percent(share)})" for name, share in use.dominant(classes)) or "–",
            ]
            for use in uses
        ],
        "Operations in the order of the superedges; the share of the class's clips in brackets.",
    )
    drawer.figure(
        pictures.histogram(uses, classes, clips),
        "histogram",
        f"Share of each class's clips with each of the {len(uses)} most frequent structures",
        "Structures and classes (Fig. 6); clips that have the structure in brackets.",
    )
    found = association(structures)
    page.text(
        f"{found.structures} structures, {found.classes} classes, {found.clips} clips: mutual information "
        f"{found.value:.3f} nats, {found.by_chance:.3f} where the classes are shuffled; p = {found.p:.4f} "
        f"(permutation test, {found.permutations} shuffles)."
    )


def _class_names(run: VideoRun) -> tuple[str, ...]:
    if run.scores is not None:
        return run.scores.classes
    return _opened_of(run).recogniser.classes


def _exchange(drawer: Drawer, run: VideoRun) -> None:
    held = _opened_of(run).held
    pair = pair_to_swap(held)
    if pair is None:
        raise InterplayError("all clips have one structure, there is nothing to exchange")
    found = swap(held, *pair)
    drawer.figure(
        pictures.mismatch_figure(found),
        "mismatch",
        f"Best classes of two clips with their own and with each other's structure: {found[0].true}; {found[1].true}",
        "Fig. 5: of the two most frequent structures the surest clip each. The true class is red.",
    )
    own, other = held.scores(), held.scores(exchanged(held))
    right = [float((one.predictions == one.labels).mean()) for one in (own, other)]
    drawer.page.text(
        f"Over {len(held)} clips, deterministic clip each: {percent(right[0])} right with their own structure, "
        f"{percent(right[1])} with that of another clip that has another one (drawn at random)."
    )


def _use(drawer: Drawer, run: VideoRun) -> None:
    structures = _structures_of(run)
    named = {"this run": structures}
    other = run.beside.get("without L_var")
    if other is not None:
        named["without L_var"] = Structures.load(other / "structures-test.npz")
    drawer.figure(
        drawing.operation_use(use_panels(named)),
        "operation-use",
        "How often each operation stands on each superedge",
        "Share of the clips that chose each operation (supplement 3.2).",
    )
    edges = [f"{i}→{j}" for i, j in superedges(structures.supernodes)]
    rows = [[edge, f"{value:.3f}"] for edge, value in zip(edges, entropies(structures), strict=True)]
    limit = math.log(len(structures.operations))
    drawer.page.table(
        ["superedge", "entropy of α, nats"], rows, f"0 is sure, {limit:.3f} undecided; mean over the clips."
    )
    if other is None:
        drawer.page.note(
            "No run without the variance loss beside this one to compare with "
            "(the same recipe with --stage2.diversity 0 in the same folder, or interplay reproduce agos.s5)."
        )


def _search(drawer: Drawer, run: VideoRun) -> None:
    named = {"this run": run.folder}
    if "without L_var" in run.beside:
        named["without L_var"] = run.beside["without L_var"]
    curves = searches_of(named)
    if not curves:
        raise InterplayError(
            f"epochs of a search: {run.why('history') if run.history is None else 'this run has none'}"
        )
    drawer.figure(
        drawing.search_curves(curves),
        "search",
        "Entropy of the structure weights, changed structures, structures and operations in use over the epochs",
        "On the training clips that are watched, one structure each, epoch for epoch.",
    )


def _nodes(drawer: Drawer, run: VideoRun) -> None:
    """Fig. 7 for one clip: where its own structure lacks an operation, the structure that has it everywhere."""
    opened = _opened_of(run)
    held = opened.held
    scores = held.scores()
    right = np.flatnonzero(scores.predictions == scores.labels)
    number = int(right[scores.probabilities[right].max(axis=1).argmax()]) if len(right) else 0
    clip = opened.by_id(held.ids[number])
    own = held.attention(number)
    ways = pictures.everywhere(opened.recogniser)
    rows = []
    for operation in ("feature_aggregation", "difference_propagation", "node_attention"):
        found = pictures.first_of(own, operation)
        where = "its own structure"
        for name, structure in ways.items() if found is None else ():
            found = pictures.first_of(held.attention(number, structure), operation)
            where = f"{drawing.in_words(name)} on every superedge"
            if found is not None:
                break
        if found is not None:
            rows.append((f"{operation.replace('_', ' ')} ({where})", clip, found))
    if not rows:
        raise InterplayError("no operation of this model attends to nodes")
    label = scores.classes[int(scores.labels[number])]
    drawer.figure(
        pictures.nodes_figure(rows),
        "nodes",
        f"Most attended boxes of a clip of “{label}”, operation by operation",
        f"Fig. 7, “{label}”, {clip.id}: the reference is the box of the middle step that the others draw on most.",
    )


def _operations(drawer: Drawer, run: VideoRun) -> None:
    """Per class and clip by clip: models of one operation where they lie beside this run, else this model's own."""
    single = {name: run.beside[name] for name in OPERATIONS if name in run.beside}
    opened = _opened_of(run)
    if len(single) >= 2:
        scores = {name: Scores.load(folder / "scores-test.npz") for name, folder in single.items()}
        drawer.page.text("Models of a single operation, trained beside this run on the same clips (Table 2).")
    else:
        ways = pictures.everywhere(opened.recogniser)
        scores = {name: opened.held.scores([structure]) for name, structure in ways.items()}
        scores["its own structure"] = opened.held.scores()
        drawer.page.note(
            "No models of a single operation beside this run (interplay reproduce agos.table2 trains them in one "
            f"folder): here this model answers {len(opened.held)} clips with one operation on every superedge instead."
        )
    table = operation_accuracies(scores)
    widest = ", ".join(table.classes[:3])
    drawer.figure(
        drawing.accuracy_by_operation(table.classes, table.counts, table.values),
        "operations",
        f"Accuracy of each operation on each class; they differ most on: {widest}",
        "Supplement, Fig. 6: the classes on which the operations differ most stand above.",
    )
    found = cases(scores)
    drawer.figure(
        pictures.cases_figure(opened, found),
        "cases",
        "Successes and failures: " + "; ".join(f"{case.true}, {case.why}" for case in found[:4]),
        "Fig. 8: a clip that each alone gets right, one that all do, and one that none does. Green: proposals.",
    )
    names = list(scores)
    drawer.page.table(
        ["clip", "true", *(drawing.in_words(name) for name in names)],
        [
            [
                case.id,
                case.true,
                *("right" if case.answers[name] == case.true else case.answers[name] for name in names),
            ]
            for case in found
        ],
    )


_ANALYSES: tuple[tuple[str, Callable[[Drawer, VideoRun], None]], ...] = (
    ("Structures and classes", _structures),
    ("Structures exchanged", _exchange),
    ("Operations in use", _use),
    ("The search", _search),
    ("Top activated nodes", _nodes),
    ("Operations, class by class", _operations),
)


def _clips(drawer: Drawer, run: VideoRun) -> None:
    page = drawer.page
    page.section("Examples")
    if run.opened is None or run.scores is None:
        page.note(f"Examples need the model, the data and scores: {run.why('model', 'scores')}.")
        return
    scores = run.scores
    best = scores.probabilities.max(axis=1)
    for words, which, stem in (
        ("Right, and sure", scores.predictions == scores.labels, "right"),
        ("Wrong, and sure", scores.predictions != scores.labels, "wrong"),
    ):
        shown: list[tuple[str, PreparedClip]] = []
        seen: set[int] = set()
        for index in sorted(np.flatnonzero(which).tolist(), key=lambda index: -best[index]):
            if len(shown) == EXAMPLES or int(scores.labels[index]) in seen or scores.ids[index] not in run.opened.rows:
                continue
            try:
                clip = run.opened.by_id(scores.ids[index])
            except InterplayError:
                continue
            seen.add(int(scores.labels[index]))
            called, true = (scores.classes[int(one[index])] for one in (scores.predictions, scores.labels))
            title = f"{called}, {percent(best[index])}" + ("" if called == true else f" (true: {true})")
            shown.append((title, clip))
        if shown:
            alt = f"{words}: " + "; ".join(title for title, _ in shown)
            drawer.figure(pictures.example_strips(shown), stem, alt, f"{words}. Green: region proposals.")
        else:
            page.text(f"{words}: none.")


def _curves(drawer: Drawer, run: VideoRun) -> None:
    drawer.page.section("Learning curves")
    if run.history is None:
        drawer.page.note(f"No learning curves: {run.why('history')}.")
        return
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
    try:
        figure = charts.learning_curves(chosen)
    except ValueError as error:
        drawer.page.note(f"No learning curves: {error}.")
        return
    drawer.figure(
        figure, "curves", f"Learning curves over {len(chosen['epoch'])} epochs", f"All stages: {', '.join(ends)}."
    )
