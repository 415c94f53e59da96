"""One HTML page about a run of me-GCN: how it went, how good it became, where it fails and what it looks at."""

from __future__ import annotations

import errno
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.datasets import SkeletonDataset, open_dataset
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
from interplay.graph.layouts import load_layout
from interplay.skeleton.activation import joint_activation
from interplay.skeleton.network import MutualExcitationGCN
from interplay.skeleton.recogniser import SkeletonRecogniser
from interplay.studies.page_parts import Drawer, percent, settings_section, state_section
from interplay.studies.run_parts import RunParts
from interplay.viz import charts, embedding, matrices, skeletons
from interplay.viz.page import Page

FEW_CLIPS = 600
"""Up to this many test clips the t-SNE picture embeds pooled features; above, computing them would take minutes."""
MOST_POINTS = 4000
_HANDSHAKES = ("shaking hands", "shake hands", "handshaking")


@dataclass
class Run(RunParts):
    """A run of me-GCN, or what ``evaluate --out`` wrote."""

    scores: Scores | None = None
    recogniser: SkeletonRecogniser | None = None
    dataset: SkeletonDataset | None = None

    def clip(self, identity: str) -> SkeletonClip | None:
        """A clip of the run's data by name; None where the data are not at hand or the clip cannot be read."""
        if self.dataset is None:
            return None
        if not hasattr(self, "_position"):
            self._position = {name: index for index, name in enumerate(self.dataset.ids)}
        index = self._position.get(identity)
        try:
            return None if index is None else self.dataset.read(index)
        except InterplayError:
            return None


def open_run(folder: str | Path, data_root: str | Path | None = None) -> Run:
    """Read a run folder (or what ``evaluate --out`` wrote).

    Args:
        data_root: where the data are, if not where they were.

    Raises:
        InterplayError: there is no such folder, or nothing of a run in it.
    """
    run = Run(Path(folder))
    if not run.folder.is_dir():
        raise InterplayError(f"{run.folder}: no such folder, expected the folder of a run")

    run.read_files()
    run.scores = run.part("scores", lambda: Scores.load(_first(run.folder, "scores-test.npz", "scores.npz")))
    if all(value is None for value in (run.recipe, run.result, run.history, run.scores)):
        raise InterplayError(f"{run.folder}: found nothing of a run (recipe.yaml, metrics.csv, scores-test.npz, …)")
    run.recogniser = run.model(lambda place: SkeletonRecogniser.from_pretrained(str(place)).eval())
    if run.recipe is not None:
        run.dataset = run.part("data", lambda: _open_data(run.recipe or {}, data_root))
    else:
        run.missing["data"] = "without recipe.yaml it is not known which"
    return run


def skeleton_report(folder: Path, out: Path, data_root: str | Path | None = None) -> Path:
    """Write the page of a run of me-GCN; see :func:`interplay.studies.report.report`."""
    run = open_run(folder, data_root)
    name = str((run.result or {}).get("model") or run.folder.resolve().name)
    data = str((run.result or {}).get("dataset") or ((run.recipe or {}).get("data") or {}).get("name") or "")
    page = Page(f"Run {run.folder.resolve().name}", " · ".join(part for part in (name, f"data: {data}") if part))
    drawer = Drawer(page, out)
    state_section(page, run)
    scores = run.scores
    labelled = scores is not None and len(scores.labelled) > 0
    _numbers(page, run)
    if scores is not None and labelled:
        _classes(drawer, scores)
        _confusions(drawer, scores)
        _tsne(drawer, run, scores)
        _activation(drawer, run, scores)
        _examples(drawer, run, scores)
    _curves(drawer, run)
    settings_section(page, run)
    return page.write(out / "index.html")


def _numbers(page: Page, run: Run) -> None:
    page.section("Numbers")
    if run.scores is None:
        page.note(f"No scores of test clips: {run.missing['scores']}.")
        return
    if not len(run.scores.labelled):
        page.note("No test clip has a known label (a closed test set): there is nothing to measure.")
        return
    found = metrics(run.scores)
    count = len(run.scores.labelled)
    tiles = [("top-1", percent(found["top1"].value), f"{count} test clips")]
    tiles.append(("mean-class accuracy", percent(found["mean_class"].value), f"{len(run.scores.classes)} classes"))
    tiles.append(("cross-entropy", f"{found['cross_entropy'].value:.3f}", "nats"))
    recorded = (run.result or {}).get("metrics") or {}
    best = recorded.get("best")
    if isinstance(best, dict) and isinstance(best.get("test_top1"), float):
        tiles.append(
            (
                "best epoch, top-1",
                percent(best["test_top1"]),
                f"epoch {best.get('epoch')}, chosen by {recorded.get('monitor')}",
            )
        )
    page.tiles(tiles)
    rows = []
    for name, value in found.items():
        scale = 100 if is_proportion(name) else 1
        digits = 1 if scale == 100 else 3
        interval = "–"
        if not math.isnan(value.low):
            interval = f"{scale * value.low:.{digits}f} … {scale * value.high:.{digits}f}"
        unit = " %" if scale == 100 else ""
        rows.append([METRIC_NAMES.get(name, name), f"{scale * value.value:.{digits}f}{unit}", interval, value.count])
    caption = "After the last epoch. Wilson intervals for accuracies, percentile bootstrap (1000, seed 0) for the rest."
    page.table(["metric", "value", "95 % interval", "clips"], rows, caption)


def _classes(drawer: Drawer, scores: Scores) -> None:
    drawer.page.section("Classes")
    rows = per_class(scores)
    worst = sorted((row for row in rows if row.count), key=lambda row: row.recall)[:3]
    alt = "Accuracy per class as bars; lowest: " + ", ".join(f"{row.name} {percent(row.recall)}" for row in worst)
    drawer.figure(charts.per_class_bars(rows), "per-class", alt, "Accuracy per class with 95 % Wilson intervals.")


def _confusions(drawer: Drawer, scores: Scores) -> None:
    drawer.page.section("Confusions")
    pairs = most_confused(scores)
    named = "; ".join(f"{pair.true} called {pair.predicted} ({pair.count})" for pair in pairs[:3]) or "none"
    figure = matrices.confusion_matrix(confusion(scores), scores.classes, "Confusion matrix")
    caption = "Row-normalised, in per cent: rows are true classes, columns what they were called."
    drawer.figure(figure, "confusion", f"Confusion matrix; most frequent mistakes: {named}", caption)
    if pairs:
        rows = [[pair.true, pair.predicted, pair.count, percent(pair.share)] for pair in pairs]
        drawer.page.table(["true", "called", "clips", "share of class"], rows, "Most confused pairs.")
    else:
        drawer.page.text("No test clip is confused.")


def _tsne(drawer: Drawer, run: Run, scores: Scores) -> None:
    drawer.page.section("What lies near what")
    values, what = features_of(run, scores)
    chosen = np.arange(len(scores))
    if len(chosen) > MOST_POINTS:
        chosen = np.sort(np.random.default_rng(0).choice(len(scores), MOST_POINTS, replace=False))
        what += f", {MOST_POINTS} of {len(scores)} clips drawn at random"
    points = embedding.embed(values[chosen])
    figure = embedding.scatter(points, scores.labels[chosen], scores.classes, "t-SNE of the test clips")
    caption = f"t-SNE of {what}; each class has its own colour and shape. Distances between groups mean little."
    drawer.figure(
        figure, "tsne", f"t-SNE scatter of {len(chosen)} test clips in {len(scores.classes)} classes", caption
    )


def features_of(run: Run, scores: Scores) -> tuple[NDArray[np.float32], str]:
    """Features of the scored clips, in their order: stored, computed where that is quick, else the scores."""
    stored = run.folder / "features.npz"
    if stored.is_file():
        try:
            with np.load(stored, allow_pickle=False) as archive:
                position = {str(name): index for index, name in enumerate(archive["ids"])}
                values = archive["features"]
            return np.asarray(values[[position[name] for name in scores.ids]], np.float32), "the pooled features"
        except (OSError, ValueError, KeyError, IndexError):
            pass
    fallback = np.asarray(scores.logits), "the class scores"
    if run.recogniser is None or run.dataset is None or len(scores) > FEW_CLIPS:
        return fallback
    clips = [run.clip(name) for name in scores.ids]
    if any(clip is None for clip in clips):
        return fallback
    network, streams = run.recogniser.networks[0], run.recogniser.streams[0]
    assert isinstance(network, MutualExcitationGCN)
    rows = []
    with torch.inference_mode():
        for start in range(0, len(clips), 32):
            batch = [clip for clip in clips[start : start + 32] if clip is not None]
            try:
                rows.append(network.features(run.recogniser.inputs(batch, streams)).numpy())
            except InterplayError:
                return fallback
    return np.concatenate(rows), f"the pooled {rows[0].shape[1]}-dimensional features"


def _activation(drawer: Drawer, run: Run, scores: Scores) -> None:
    drawer.page.section("Which joints the last layer uses")
    try:
        figure, alt, caption = activation_figure(run, scores)
    except (ValueError, InterplayError) as error:
        drawer.page.note(f"No joint activation: {error}.")
        return
    drawer.figure(figure, "activation", alt, caption)


def activation_figure(run: Run, scores: Scores) -> tuple[Figure, str, str]:
    """The paper's Fig. 4 for one clip of a run: the figure, what it shows in words, and its caption.

    Raises:
        InterplayError: the run has no model, or none of its scored clips can be read.
        ValueError: the model makes one entity of the two (early fusion).
    """
    if run.recogniser is None or run.dataset is None:
        reason = run.missing.get("model") or run.missing.get("data")
        raise InterplayError(f"it needs the trained model and a clip: {reason}")
    clip = example_clip(run, scores)
    if clip is None or clip.label is None:
        raise InterplayError("it needs a test clip that can be read: none of the scored clips is in the data set")
    network, streams = run.recogniser.networks[0], run.recogniser.streams[0]
    assert isinstance(network, MutualExcitationGCN)
    there = skeletons.present(clip.joints)[:, 0]
    pose = clip.joints[int(np.flatnonzero(there)[there.sum() // 2]), 0] if there.any() else clip.joints[0, 0]
    before, after = joint_activation(network, run.recogniser.inputs([clip], streams))
    first, last = before[0].numpy().astype(np.float64), after[0].numpy().astype(np.float64)
    layout, label = run.recogniser.layout, run.dataset.classes[clip.label]
    rising = layout.joints[int((last - first).argmax())].replace("_", " ")
    what = f"{rising} rises most" if np.abs(last - first).max() > 1e-6 else "nothing changes"
    title = f"Joint activation of one {layout.entity} in “{label}”"
    figure = skeletons.joint_activation(first, last, layout, pose, title)
    caption = (
        f"Clip {clip.id}, entity 1: how strongly the last layer's adjacency draws on each joint, with its individual "
        "map only (before feature fusion) and with the shared map added (after). Size and colour show the share."
    )
    return figure, f"Joint activation before and after fusion: {what}", caption


def example_clip(run: Run, scores: Scores) -> SkeletonClip | None:
    """A rightly recognised clip, of a handshake if there is one (as in the paper), the surest first."""
    right = scores.predictions == scores.labels
    wanted = [scores.classes.index(name) for name in _HANDSHAKES if name in scores.classes]
    best = scores.probabilities.max(axis=1)
    order = sorted(range(len(scores)), key=lambda i: (scores.labels[i] not in wanted, not right[i], -best[i]))
    for index in order[:20]:
        clip = run.clip(scores.ids[index])
        if clip is not None and clip.label is not None and clip.joints.any():
            return clip
    return None


def _examples(drawer: Drawer, run: Run, scores: Scores, number: int = 4) -> None:
    page = drawer.page
    page.section("Examples")
    if run.dataset is None:
        page.note(f"Examples need the recordings: {run.missing.get('data')}. Say where they are with --data.root.")
        return
    best = scores.probabilities.max(axis=1)
    right = (scores.predictions == scores.labels) & (scores.labels >= 0)
    wrong = (scores.predictions != scores.labels) & (scores.labels >= 0)
    for heading, which, stem in (("Right, and sure", right, "right"), ("Wrong, and sure", wrong, "wrong")):
        page.heading(heading)
        order = sorted(np.flatnonzero(which), key=lambda index: -best[index])
        seen: set[int] = set()
        shown = 0
        for index in order:
            if shown == number or int(scores.labels[index]) in seen:  # one per class, for variety
                continue
            clip = run.clip(scores.ids[index])
            if clip is None:
                continue
            seen.add(int(scores.labels[index]))
            shown += 1
            called, true = (scores.classes[int(where[index])] for where in (scores.predictions, scores.labels))
            title = called if stem == "right" else f"{called} (true: {true})"
            names = _names(run.dataset.entity_names)
            layout = load_layout(clip.layout)
            figure = skeletons.stills(clip.joints, layout, clip.frames_per_second, title=title, names=names)
            alt = f"Six frames of clip {clip.id}: true class {true}, called {called}"
            drawer.figure(figure, f"{stem}-{shown}", alt, f"{clip.id}: {title}, probability {percent(best[index])}")
        if not shown:
            empty = {"right": "no clip was recognised", "wrong": "no mistake"}[stem]
            page.text(f"None: {empty}." if not which.any() else "None of these clips is in the data set given.")


def _curves(drawer: Drawer, run: Run) -> None:
    drawer.page.section("Learning curves")
    if run.history is None:
        drawer.page.note(f"No learning curves: {run.missing['history']}.")
        return
    try:
        figure = charts.learning_curves(run.history)
    except ValueError as error:
        drawer.page.note(f"No learning curves: {error}.")
        return
    epochs = len(next(iter(run.history.values())))
    caption = "Training accuracy is measured on augmented clips while the weights change."
    drawer.figure(figure, "curves", f"Learning curves over {epochs} epochs", caption)


def _open_data(recipe: Mapping[str, Any], root: str | Path | None) -> SkeletonDataset:
    settings = dict(recipe.get("data") or {})
    name = str(settings.pop("name"))
    if root is not None:
        settings["root"] = root
    return open_dataset(name, **settings)


def _names(entities: Sequence[str]) -> tuple[str, ...]:
    if len(set(entities)) == len(entities):
        return tuple(entities)
    return tuple(f"{name} {index + 1}" for index, name in enumerate(entities))


def _first(folder: Path, *names: str) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(errno.ENOENT, "no such file", str(folder / names[0]))
