"""One HTML page about a scene-graph run: figures, predicates, confusions, pictures with what was found, superpixels.

As for skeletons, every picture also lies beside the page as PNG and SVG, and a run that is unfinished, or whose data or
model are not at hand, gets the page that is possible.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from interplay.data.scenes import SceneDataset, SceneImage
from interplay.errors import InterplayError
from interplay.evaluation.scene_graph.annotated_pairs import AnnotatedPairs
from interplay.interactions import Entity, Interaction
from interplay.scene.recogniser import SceneRecogniser
from interplay.scene.run import scenes_of
from interplay.studies.page_parts import Drawer, percent, settings_section, state_section
from interplay.studies.run_parts import RunParts
from interplay.studies.sil_comparison import WAYS
from interplay.studies.sil_figures import superpixels
from interplay.studies.sil_reproduction import part_pairs
from interplay.viz import charts, matrices, scene_charts, scenes
from interplay.viz.page import Page
from interplay.viz.superpixels import superpixel_levels, superpixels_in_boxes

PICTURES = 4
SHOWN = {"vg": "R@50", "openimages": "R@50", "vrd": "predicate R@50 k=1"}
"""Protocol → the per-predicate figure to draw; where it is missing, the first one there is."""


@dataclass
class SceneRun(RunParts):
    """A run of a scene-graph model."""

    said: AnnotatedPairs | None = None
    recogniser: SceneRecogniser | None = None
    dataset: SceneDataset | None = None

    @property
    def test(self) -> dict[str, Any]:
        """The figures of the test part: ``settings``, ``metrics``, ``per_predicate``, ``counts``, ``intervals``."""
        last = ((self.result or {}).get("metrics") or {}).get("last") or {}
        found = last.get("test") or next(iter(last.values()), None)
        return found if isinstance(found, dict) else {}

    @property
    def predicates(self) -> tuple[str, ...]:
        """Names of predicates 1 … P − 1, or their numbers."""
        source = self.recogniser or self.dataset
        if source is not None:
            return source.vocabulary.predicates[1:]
        size = (self.test.get("settings") or {}).get("num_predicates", 1)
        return tuple(f"predicate {number}" for number in range(1, size))


def is_scene_run(folder: Path) -> bool:
    """Whether a folder holds a run of a scene-graph model."""
    try:
        recipe = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return (folder / "annotated-pairs-test.npz").is_file()
    return isinstance(recipe, Mapping) and recipe.get("system") == "sil"


def open_scene_run(folder: Path, data_root: str | Path | None = None) -> SceneRun:
    """Read a run folder.

    Args:
        data_root: where the data are, if not where they were.

    Raises:
        InterplayError: nothing of a run in it.
    """
    run = SceneRun(folder)
    run.read_files()
    run.said = run.part("pairs", lambda: AnnotatedPairs.load(folder / "annotated-pairs-test.npz"))
    if all(value is None for value in (run.recipe, run.result, run.history)):
        raise InterplayError(f"{folder}: found nothing of a run (recipe.yaml, metrics.csv, result.json, …)")
    run.recogniser = run.model(lambda place: SceneRecogniser.from_pretrained(str(place)).eval())
    if run.recipe is None:
        run.missing["data"] = "without recipe.yaml it is not known which"
    else:
        section = dict(run.recipe.get("data") or {})
        if data_root is not None:
            section["root"] = str(data_root)
        run.dataset = run.part("data", lambda: scenes_of(section))
    return run


def scene_report(folder: Path, out: Path, data_root: str | Path | None = None) -> Path:
    """Write ``index.html`` and every picture as PNG and SVG; returns the path of the page.

    Raises:
        InterplayError: no run there, or the target cannot be written.
    """
    run = open_scene_run(folder, data_root)
    recipe = run.recipe or {}
    head = str((recipe.get("head") or {}).get("name") or "")
    sil = "with SIL" if (recipe.get("model") or {}).get("sil") else "without SIL"
    task = str((recipe.get("model") or {}).get("task") or "")
    data = str((run.result or {}).get("dataset") or (recipe.get("data") or {}).get("name") or "")
    parts = (head and f"{head} {sil}", task, f"data: {data}")
    page = Page(f"Run {folder.resolve().name}", " · ".join(part for part in parts if part))
    drawer = Drawer(page, out)
    state_section(page, run)
    _numbers(page, run)
    _predicates(drawer, run)
    _groups(drawer, run)
    _confusions(drawer, run)
    _ways(page, run, data)
    _examples(drawer, run)
    _superpixels(drawer, run)
    _curves(drawer, run)
    settings_section(page, run)
    return page.write(out / "index.html")


def _numbers(page: Page, run: SceneRun) -> None:
    page.section("Numbers")
    metrics, intervals = run.test.get("metrics") or {}, run.test.get("intervals") or {}
    if not metrics:
        page.note(f"No figures of test pictures: {run.missing.get('result', 'the result has none')}.")
        return
    counts = run.test.get("counts") or {}
    known = {name: value for name, value in metrics.items() if value is not None}
    chosen = [name for name in ("R@50", "mR@50", "ngR@50", "zR@50", "R_micro@50", "score_wtd") if name in known]
    detail = f"{counts.get('images', '?')} pictures, {counts.get('relations', '?')} relations"
    page.tiles(
        [(name, percent(known[name]), detail if place == 0 else "") for place, name in enumerate(chosen or known)][:6]
    )
    rows = [
        [name, percent(value), _interval(intervals.get(name))]
        for name, value in known.items()
        if " " not in name or "k=" in name
    ]
    caption = (
        "After the last epoch. Intervals: 95 % bootstrap over pictures. docs/scene_evaluation.md says what each is."
    )
    page.table(["figure", "value", "95 % interval"], rows, caption)


def _predicates(drawer: Drawer, run: SceneRun) -> None:
    drawer.page.section("Predicates")
    table = run.test.get("per_predicate") or {}
    settings = run.test.get("settings") or {}
    name = SHOWN.get(str(settings.get("protocol")), "")
    name = name if name in table else next((key for key in table if "@" in key), "")
    asked = table.get("asked") or table.get("n_gt")
    if not name or asked is None:
        drawer.page.note(f"No recall per predicate: {run.missing.get('result', 'the result has none')}.")
        return
    recalls = np.array([math.nan if value is None else value for value in table[name]], dtype=np.float64)
    names, counts = run.predicates, np.array(asked, dtype=np.float64)
    groups = _groups_of(settings)
    worst = sorted((place for place in range(len(counts)) if counts[place] > 0), key=lambda place: recalls[place])[:3]
    alt = f"{name} per predicate as bars; lowest: " + ", ".join(f"{names[k]} {percent(recalls[k])}" for k in worst)
    figure = scene_charts.predicate_bars(names, np.nan_to_num(recalls), counts, groups, f"{name} per predicate")
    drawer.figure(figure, "predicates", alt, "The most frequent first; colours say whether training has many or few.")


def _groups(drawer: Drawer, run: SceneRun) -> None:
    drawer.page.section("Head, body and tail")
    metrics, intervals = run.test.get("metrics") or {}, run.test.get("intervals") or {}
    groups = [group for group in ("head", "body", "tail") if any(name.endswith(f" {group}") for name in metrics)]
    figures = [name for name in ("mR@20", "mR@50", "mR@100") if all(f"{name} {group}" in metrics for group in groups)]
    if not groups or not figures:
        drawer.page.note("The result has no figures per group.")
        return
    values = {name: [float(metrics[f"{name} {group}"] or 0.0) for group in groups] for name in figures}
    bounds = {name: [_bounds(intervals.get(f"{name} {group}")) for group in groups] for name in figures}
    alt = "Mean recall per group: " + ", ".join(
        f"{group} {percent(values[figures[-1]][k])}" for k, group in enumerate(groups)
    )
    caption = "Predicates by how often training has them: the most frequent third, the middle, the rarest third."
    drawer.figure(scene_charts.group_bars(groups, values, bounds), "groups", alt, caption)


def _confusions(drawer: Drawer, run: SceneRun) -> None:
    drawer.page.section("Confusions between predicates")
    if run.said is None or not len(counts := run.said.confusion()):
        drawer.page.note(f"No answers for annotated pairs: {run.missing.get('pairs', 'the model names none of them')}.")
        return
    names = run.predicates
    wrong = [(int(counts[true, called]), true, called) for true, called in np.argwhere(counts) if true != called]
    most = sorted(wrong, reverse=True)[:10]
    alt = "Confusion matrix of predicates; most frequent: " + "; ".join(
        f"{names[true]} called {names[called]} ({count})" for count, true, called in most[:3]
    )
    caption = (
        "Row-normalised: annotated pairs by their predicate, and the model's best predicate for that very pair "
        "(background left aside)."
    )
    drawer.figure(matrices.confusion_matrix(counts, names, "Predicates"), "confusion", alt, caption)
    rows = [
        [names[true], names[called], count, percent(count / max(int(counts[true].sum()), 1))]
        for count, true, called in most
    ]
    if rows:
        drawer.page.table(["true", "called", "pairs", "share of predicate"], rows, "Most frequent confusions.")


def _ways(page: Page, run: SceneRun, data: str) -> None:
    pairs = part_pairs(data)
    if not pairs or run.said is None:
        return
    page.section("Predicates that depend on a part")
    page.text("Two by two they have the same classes and the same boxes: only what is inside the boxes tells which.")
    names = run.predicates
    rows = []
    for first, second in pairs:
        found = run.said.two_way(first, second).right
        share = percent(float(found.mean())) if len(found) else "–"
        rows.append([f"{names[first - 1]} / {names[second - 1]}", share, len(found)])
    page.table(["pair", f"{WAYS}: right", "relations"], rows, "Chance is 50 %.")


def _examples(drawer: Drawer, run: SceneRun) -> None:
    page = drawer.page
    page.section("Examples")
    images = _pictures(run)
    if run.recogniser is None or not images:
        page.note(f"Examples need the model and pictures: {run.missing.get('model') or run.missing.get('data')}.")
        return
    for number, image in enumerate(images, start=1):
        found = run.recogniser.predict(image, top=8)
        figure = scenes.scene(image.pixels(), found, most=8)
        first = "; ".join(_triplet(item) for item in found.interactions[:3]) or "nothing"
        drawer.figure(
            figure, f"picture-{number}", f"Picture {image.id}; found: {first}", f"{image.id}: found, best first."
        )
        figure = scenes.scene(image.pixels(), annotated(image, run.recogniser), most=8)
        drawer.figure(
            figure, f"picture-{number}-annotated", f"Picture {image.id} as annotated", f"{image.id}: annotated."
        )


def _superpixels(drawer: Drawer, run: SceneRun) -> None:
    if run.recogniser is None or not run.recogniser.settings.sil:
        return
    drawer.page.section("Superpixels")
    images = _pictures(run)
    if not images:
        drawer.page.note(f"Superpixels need pictures: {run.missing.get('data')}.")
        return
    rows = [superpixels(run.recogniser, image) for image in images[:3]]
    alt = f"Superpixels of {len(rows)} test pictures on each level of the feature pyramid"
    drawer.figure(superpixel_levels(rows), "superpixels", alt, "First clustering head, level by level (SIL, Fig. 7).")
    finest = min(rows[0].levels, key=lambda title: rows[0].levels[title][1])
    caption = f"Inside the boxes, {finest} pixels (SIL, Fig. 5)."
    drawer.figure(superpixels_in_boxes(rows, finest), "superpixels-in-boxes", "Superpixels inside boxes", caption)


def _curves(drawer: Drawer, run: SceneRun) -> None:
    drawer.page.section("Learning curves")
    if run.history is None:
        drawer.page.note(f"No learning curves: {run.missing['history']}.")
        return
    wanted = ("loss", "relation", "entity", "R@50", "mR@50", "R_micro@50", "score_wtd", "learning_rate", "rate", "lr")
    chosen = {
        name: values for name, values in run.history.items() if name == "epoch" or name.split("_", 1)[-1] in wanted
    }
    try:
        figure = charts.learning_curves(chosen)
    except ValueError as error:
        drawer.page.note(f"No learning curves: {error}.")
        return
    drawer.figure(figure, "curves", f"Learning curves over {len(run.history['epoch'])} epochs")


def annotated(image: SceneImage, recogniser: SceneRecogniser) -> list[Interaction]:
    """The annotated relations of a picture as interactions."""
    names = recogniser.vocabulary
    entities = [
        Entity(names.classes[int(label)], tuple(float(v) for v in box), str(index), 1.0)  # type: ignore[arg-type]
        for index, (label, box) in enumerate(zip(image.labels, image.boxes.tolist(), strict=True))
    ]
    return [
        Interaction(names.predicates[predicate], 1.0, entities[subject], entities[object_])
        for subject, object_, predicate in image.relations.tolist()
    ]


def _pictures(run: SceneRun) -> list[SceneImage]:
    """The first test pictures whose pixels can be had."""
    found: list[SceneImage] = []
    for row in () if run.dataset is None else run.dataset.parts().get("test", ())[: 3 * PICTURES]:
        try:
            image = run.dataset.read(int(row)) if run.dataset is not None else None
            if image is not None and len(image.boxes):
                image.pixels()
                found.append(image)
        except InterplayError as error:
            run.missing.setdefault("data", " ".join(str(error).split()))
        if len(found) == PICTURES:
            break
    return found


def _groups_of(settings: Mapping[str, Any]) -> Mapping[str, Sequence[int]]:
    groups = settings.get("groups") or (settings.get("classic") or {}).get("groups") or {}
    return groups if isinstance(groups, Mapping) else {}


def _triplet(item: Interaction) -> str:
    ends = ["?" if one is None else one.label for one in (item.subject, item.object)]
    return f"{ends[0]} {item.label} {ends[1]}"


def _bounds(value: Any) -> tuple[float, float] | None:
    return None if not value else (float(value[0]), float(value[1]))


def _interval(value: Any) -> str:
    bounds = _bounds(value)
    return "–" if bounds is None else f"{100 * bounds[0]:.1f} … {100 * bounds[1]:.1f}"
