"""The part of the demo that shows the shipped model of pictures: unseen pictures, found and annotated triplets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from interplay.data.playground.scenes import PlaygroundScenes
from interplay.evaluation.scene_graph import bootstrap_intervals, scene_evaluator
from interplay.interactions import Interaction
from interplay.loading import load
from interplay.scene.recogniser import SceneRecogniser
from interplay.scene.task import predicted, truth
from interplay.studies.scene_report import annotated
from interplay.viz import scenes
from interplay.viz.page import Page
from interplay.viz.style import save

MODEL = "sil-motifs-playground"
SEED = 900_000
"""Of pictures that no part of a data set has."""
SHOWN = 4
KS = (20, 50)


def scene_section(page: Page, folder: Path, say: Callable[[str], None], count: int = 40) -> None:
    """Ask the shipped model about unseen pictures, nothing given but the pixels, and show some with its answers.

    Args:
        page: to write on.
        folder: for the pictures.
        say: where a line with the recall goes.
        count: pictures.
    """
    recogniser = load(MODEL)
    assert isinstance(recogniser, SceneRecogniser)
    dataset = PlaygroundScenes(train=0, validation=0, test=count, seed=SEED)
    images = [dataset.read(int(row)) for row in dataset.parts()["test"]]
    evaluator = scene_evaluator("vg", len(recogniser.vocabulary.predicates), recogniser.settings.task, KS)
    for row, image in enumerate(images):
        evaluator.update(truth(image), predicted(recogniser.ranked(image)), row)
    intervals = bootstrap_intervals(evaluator, resamples=500, seed=0)
    metrics = evaluator.result().metrics
    page.section(
        "Pictures",
        f"{MODEL} (MOTIFS on a small detector, with superpixel-based interaction learning where its card says so) on "
        f"{count} unseen pictures of the playground. It is given the pixels alone: it finds the people, their parts "
        "and the things around them, and names what each does to another. Simulated, not photographs.",
    )
    page.tiles(
        [
            (
                f"R@{k}",
                f"{100 * metrics[f'R@{k}']:.0f} %",
                f"of the annotated triplets are among the {k} best of their picture; 95 % interval "
                f"{100 * intervals[f'R@{k}'].low:.0f}–{100 * intervals[f'R@{k}'].high:.0f}",
            )
            for k in KS
        ]
    )
    for number, image in enumerate(images[:SHOWN], start=1):
        found = recogniser.predict(image, top=8)
        figure = scenes.scene(image.pixels(), found, most=8)
        save(figure, folder / f"scene-{number}")
        true = {_words(item) for item in annotated(image, recogniser)}
        rows = [
            [_words(item), f"{item.score:.2f}", "yes" if _words(item) in true else "no"] for item in found.interactions
        ]
        said = "; ".join(str(row[0]) for row in rows[:3]) or "nothing"
        page.figure(figure, f"Unseen picture {number}; found: {said}", f"Picture {number}: found, best first.")
        page.table(["found", "score", "annotated so"], rows)
    first = KS[0]
    say(f"{MODEL}: {count} unseen pictures, R@{first} {100 * metrics[f'R@{first}']:.0f} % from pixels alone")


def _words(item: Interaction) -> str:
    ends = ["?" if one is None else one.label for one in (item.subject, item.object)]
    return f"{ends[0]} {item.label} {ends[1]}"
