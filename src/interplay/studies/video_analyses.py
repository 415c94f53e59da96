"""The analyses in the report of an AGOS run: each fills a section of the page, or raises with what it lacks.

Structures and classes, two clips with their structures, structures exchanged and transferred, operations in use, the
variance loss, the search, attended nodes, the operations class by class. Source: paper, Figs 4 to 8; supplement,
Figs 1 to 6; agos.md §12.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from interplay.errors import InterplayError
from interplay.evaluation.scores import Scores
from interplay.studies import video_pictures as pictures
from interplay.studies.agos_comparison import measured_part
from interplay.studies.agos_figures import FREQUENT, searches_of, structures_in, use_panels
from interplay.studies.agos_tables import OPERATIONS
from interplay.studies.page_parts import Drawer, percent
from interplay.studies.video_pictures import OpenedRun
from interplay.studies.video_runs import VideoRun, recipe_in, train_command, transfer_command
from interplay.training.folder import flat
from interplay.video.analysis import association, cases, entropies, operation_accuracies, structure_use
from interplay.video.held_clips import exchanged, pair_to_swap, swap
from interplay.video.outcome import Structures
from interplay.video.structure import superedges
from interplay.viz import structures as drawing

Part = Callable[[Drawer, VideoRun], None]
DRAWN = 4
"""Structures that are drawn as graphs."""
MOST_TRANSFERS = 3


def _structures_of(run: VideoRun) -> Structures:
    if run.structures is None:
        raise InterplayError(f"structures of the measured clips: {run.why('structures')}")
    return run.structures


def _opened_of(run: VideoRun) -> OpenedRun:
    if run.opened is None:
        raise InterplayError(f"it needs the trained model and the data: {run.why('model')}")
    return run.opened


def _class_names(run: VideoRun) -> tuple[str, ...]:
    if run.scores is not None:
        return run.scores.classes
    return _opened_of(run).recogniser.classes


def _answered(run: VideoRun) -> str:
    """The clips that are answered anew for a picture, in words."""
    opened = _opened_of(run)
    return f"{len(opened.held)} {opened.part} clips, the deterministic clip of each, classes in turn"


# -- structures --------------------------------------------------------------------------------------------------------


def _structures(drawer: Drawer, run: VideoRun) -> None:
    structures = _structures_of(run)
    page, classes = drawer.page, _class_names(run)
    uses = structure_use(structures, len(classes), FREQUENT)
    clips = len(structures.ids)
    drawer.figure(
        pictures.cells(uses[:DRAWN], classes, clips),
        "structures",
        f"The {min(DRAWN, len(uses))} most frequent structures as graphs",
        f"The most frequent structures of {clips} {run.measured} clips, drawn as in Fig. 4: what stands on each "
        "superedge, and the class that uses it most.",
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
        f"Structures and classes (Fig. 6), {clips} {run.measured} clips; clips that have the structure in brackets.",
    )
    found = association(structures)
    page.text(
        f"{found.structures} structures, {found.classes} classes, {found.clips} clips: mutual information "
        f"{found.value:.3f} nats, {found.by_chance:.3f} where the classes are shuffled; p = {found.p:.4f} "
        f"(permutation test, {found.permutations} shuffles)."
    )


def _two_clips(drawer: Drawer, run: VideoRun) -> None:
    structures, clips, titles = pictures.clips_with_structures(_opened_of(run))
    which = (
        "of the two most frequent structures the surest clip each, rightly recognised and of different classes where "
        "there are such"
        if len(titles) > 1
        else "all clips have this structure"
    )
    words = "; ".join(titles)
    drawer.figure(
        structures,
        "two-structures",
        f"The structures of: {words}",
        f"Fig. 4: clips and the structures that the model gives them ({which}; among {_answered(run)}).",
    )
    drawer.figure(clips, "two-clips", f"Frames of: {words}", "Fig. 4: these clips. Green: region proposals.")


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
        "Fig. 5: the two clips above with their own and with each other's structure. The true class is red.",
    )
    own, other = held.scores(), held.scores(exchanged(held))
    right = [float((one.predictions == one.labels).mean()) for one in (own, other)]
    drawer.page.text(
        f"Over {_answered(run)}: {percent(right[0])} right with their own structure, {percent(right[1])} with that of "
        "another clip that has another one (drawn at random)."
    )


def _transfer(drawer: Drawer, run: VideoRun) -> None:
    """Who uses the same structures on the data that they were searched on, and on those they were moved to."""
    for number, (source, target) in enumerate(run.beside.transfers[:MOST_TRANSFERS]):
        name, other = _data_in_words(source, target)
        classes, others = (Scores.load(one / f"scores-{measured_part(one)}.npz").classes for one in (source, target))
        own, gone = structures_in(source), structures_in(target)
        uses, here, there = pictures.transferred(own, classes, gone, others, name)
        stem = "transfer" + (f"-{number + 1}" if number else "")
        drawer.figure(
            pictures.cells(uses, classes, len(own.ids)),
            f"{stem}-cells",
            f"The {len(uses)} most frequent structures of {name} as graphs",
            f"Supplement, Figs 2 to 4 (a): the {len(uses)} most frequent structures where they were searched ({name}, "
            f"{len(own.ids)} {measured_part(source)} clips).",
        )
        drawer.figure(
            here,
            f"{stem}-own",
            f"Share of each class's clips with each of {len(uses)} structures where they were searched: {name}",
            f"Figs 2 to 4 (b): share of each class's clips that have them, of the same clips of {name}.",
        )
        drawer.figure(
            there,
            f"{stem}-moved",
            f"Share of each class's clips with the same structures where they were transferred: {other}",
            f"Figs 2 to 4 (c): the same with the structure weights fixed and everything else trained on {other} "
            f"({len(gone.ids)} {measured_part(target)} clips; run {target.name}).",
        )
    if not run.beside.transfers:
        drawer.page.note(
            "No run beside this one took its structure weights to other data (supplement, Figs 2 to 4). It is made by: "
            + transfer_command(run)
        )


def _data_in_words(source: Path, target: Path) -> tuple[str, str]:
    """The data of two runs: names, and where these are equal the settings that differ."""
    sections = [dict((recipe_in(one) or {}).get("data") or {}) for one in (source, target)]
    names = [str(section.pop("name", "?")) for section in sections]
    if names[0] != names[1]:
        return names[0], names[1]
    plain = [flat(section) for section in sections]
    keys = [key for key in plain[0] if key != "root" and plain[0][key] != plain[1].get(key)]
    words = [
        ", ".join([name, *(f"{key} {one.get(key)}" for key in keys)]) for name, one in zip(names, plain, strict=True)
    ]
    return words[0], words[1]


# -- operations and the search -----------------------------------------------------------------------------------------


def _use(drawer: Drawer, run: VideoRun) -> None:
    structures = _structures_of(run)
    drawer.figure(
        drawing.operation_use(use_panels({"this run": structures})),
        "operation-use",
        "How often each operation stands on each superedge",
        f"Share of {len(structures.ids)} {run.measured} clips that chose each operation (supplement 3.2).",
    )
    edges = [f"{i}→{j}" for i, j in superedges(structures.supernodes)]
    rows = [[edge, f"{value:.3f}"] for edge, value in zip(edges, entropies(structures), strict=True)]
    limit = math.log(len(structures.operations))
    drawer.page.table(
        ["superedge", "entropy of α, nats"],
        rows,
        f"0 is sure, {limit:.3f} undecided; mean over the same clips.",
    )


def _variance_loss(drawer: Drawer, run: VideoRun) -> None:
    """Supplement, Fig. 1 and 3.2: the cells searched with and without L_var, and the operations in them."""
    pair = run.beside.pair
    if pair is None:
        _one_side(drawer, run)
        return
    folders = {"with L_var": pair.with_loss, "without L_var": pair.without}
    named = {name: structures_in(folder) for name, folder in folders.items()}
    own = run.folder.resolve()
    which = ("this run and " if own in folders.values() else "runs beside this one: ") + " and ".join(
        folder.name for folder in folders.values() if folder != own
    )
    clips = f"{len(named['without L_var'].ids)} {measured_part(pair.without)} clips"
    drawn = [(f"{name}, {_most(one)}", one.most_frequent().graph()) for name, one in named.items()]
    drawer.figure(
        drawing.structure_drawings(drawn),
        "l-var-cells",
        "The cells searched with and without the variance loss as graphs",
        f"Supplement, Fig. 1: the cells searched with and without the variance loss ({pair.what}; {which}), of each "
        f"the structure of most of {clips}.",
    )
    drawer.figure(
        drawing.operation_use(use_panels(named)),
        "l-var-use",
        "How often each operation stands on each superedge, with and without the variance loss",
        f"Supplement 3.2: share of {clips} that chose each operation, the same runs.",
    )
    if curves := searches_of(folders):
        drawer.figure(
            drawing.search_curves(curves),
            "l-var-search",
            "Entropy of the structure weights and changed structures over the epochs, with and without the loss",
            "The searches of the same runs on the watched training clips, epoch for epoch; operations with L_var.",
        )


def _one_side(drawer: Drawer, run: VideoRun) -> None:
    """The searched cell of a run that has no counterpart, and what makes the counterpart."""
    structures, recipe = _structures_of(run), run.recipe or {}
    weight = (recipe.get("stage2") or {}).get("diversity")
    drawer.figure(
        drawing.structure_drawings([(f"L_var × {weight}, {_most(structures)}", structures.most_frequent().graph())]),
        "l-var-cells",
        "The searched cell of this run as a graph",
        f"Supplement, Fig. 1: the searched cell, the structure of most of {len(structures.ids)} {run.measured} clips.",
    )
    if (recipe.get("training") or {}).get("structure_from") is not None:
        drawer.page.note("This run did not search (training.structure_from): the variance loss took no part in it.")
        return
    ending, other = ("with-l-var", "0.1") if weight == 0 else ("without-l-var", "0.0")
    drawer.page.note(
        "No two runs beside this one differ in the variance loss alone. This run's counterpart is made by: "
        + train_command(run, ending, "--stage2.diversity", other)
        + " (the paper's pair, non-adaptive with the original operations, by: interplay reproduce agos.s5)"
    )


def _most(found: Structures) -> str:
    """How many clips have the most frequent structure."""
    row = np.array(found.most_frequent().indices)
    return f"{int((found.choices == row).all(axis=1).sum())} of {len(found.ids)} clips"


def _search(drawer: Drawer, run: VideoRun) -> None:
    curves = searches_of({"this run": run.folder})
    if not curves:
        raise InterplayError(
            f"epochs of a search: {run.why('history') if run.history is None else 'this run has none'}"
        )
    drawer.figure(
        drawing.search_curves(curves),
        "search",
        "Entropy of the structure weights, changed structures, structures and operations in use over the epochs",
        "On the training clips that are watched, one structure each, epoch for epoch (supplement 3.1).",
    )


# -- what operations attend to, and what they are good for -------------------------------------------------------------


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
    which = "the surest rightly recognised" if len(right) else "the first"
    drawer.figure(
        pictures.nodes_figure(rows),
        "nodes",
        f"Most attended boxes of a clip of “{label}”, operation by operation",
        f"Fig. 7, “{label}”, {clip.id}, {which} of {_answered(run)}. Red: the reference, the box of the middle step "
        "that the others draw on most; dark blue: what it draws on most, or the highest weights of node attention; "
        "light blue: its lowest.",
    )


def _operations(drawer: Drawer, run: VideoRun) -> None:
    """Per class and clip by clip: models of one operation where they lie beside this run, else this model's own."""
    single = {name: run.beside.single[name] for name in OPERATIONS if name in run.beside.single}
    opened = _opened_of(run)
    train = train_command(run, "OPERATION", "--model.graph", "OPERATION")
    if len(single) >= 2:
        scores = {name: Scores.load(one / f"scores-{measured_part(one)}.npz") for name, one in single.items()}
        clips = f"{len(next(iter(scores.values())))} {run.measured} clips"
        drawer.page.text("Models of a single operation, trained beside this run on the same clips (Table 2).")
        if left := [name.replace("_", " ") for name in OPERATIONS if name not in single]:
            drawer.page.note(f"Not trained: {', '.join(left)}. Each is made by: {train}")
    else:
        ways = pictures.everywhere(opened.recogniser)
        scores = {name: opened.held.scores([structure]) for name, structure in ways.items()}
        scores["its own structure"] = opened.held.scores()
        clips = _answered(run)
        drawer.page.note(
            "No models of a single operation beside this run: here this model answers with one operation on every "
            f"superedge instead. Each of the five (OPERATION: {', '.join(OPERATIONS)}) is made by: {train}"
        )
    table = operation_accuracies(scores)
    widest = ", ".join(table.classes[:3])
    drawer.figure(
        drawing.accuracy_by_operation(table.classes, table.counts, table.values),
        "operations",
        f"Accuracy of each operation on each class; they differ most on: {widest}",
        f"Supplement, Fig. 6: {clips}; the classes on which the operations differ most stand above.",
    )
    found = cases(scores)
    drawer.figure(
        pictures.cases_figure(opened, found),
        "cases",
        "Successes and failures: " + "; ".join(f"{case.true}, {case.why}" for case in found[:4]),
        "Fig. 8; supplement, Fig. 5: of these clips one that each alone (or with the fewest others) gets right, one "
        "that all do, and one that none does. Green: region proposals.",
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


PARTS: tuple[tuple[str, Part], ...] = (
    ("Structures and classes", _structures),
    ("Two clips and their structures", _two_clips),
    ("Structures exchanged", _exchange),
    ("Structures transferred", _transfer),
    ("Operations in use", _use),
    ("With and without the variance loss", _variance_loss),
    ("The search", _search),
    ("Top activated nodes", _nodes),
    ("Operations, class by class", _operations),
)
"""Title and analysis, in the order of the page."""
