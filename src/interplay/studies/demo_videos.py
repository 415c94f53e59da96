"""The part of the demo that shows the shipped model of videos: unseen clips, drawn, with their structures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplay.data.playground.videos import PlaygroundVideos
from interplay.data.videos import VideoClip
from interplay.evaluation.uncertainty import wilson
from interplay.interactions import Prediction
from interplay.loading import load
from interplay.studies.video_drawing import draw_video
from interplay.studies.video_pictures import brief
from interplay.video.recogniser import VideoRecogniser
from interplay.video.structure import Structure
from interplay.viz.page import Page
from interplay.viz.structures import structure_drawings
from interplay.viz.style import save

MODEL = "agos-playground"
SEED = 900_000
"""Of clips that no part of a data set has."""
SHOWN = 3


def video_section(page: Page, folder: Path, say: Callable[[str], None], each: int = 1) -> None:
    """Ask the shipped model about unseen clips, and show some with its answers and its structures.

    Args:
        page: to write on.
        folder: for the pictures.
        say: where a line with the accuracy goes.
        each: clips of each class.
    """
    recogniser = load(MODEL)
    assert isinstance(recogniser, VideoRecogniser)
    dataset = PlaygroundVideos(
        train_clips=0, validation_clips=0, test_clips=each, classes=recogniser.classes, seed=SEED
    )
    clips = [dataset.read(int(row)) for row in dataset.parts()["test"]]
    answered = [(clip, recogniser.predict(clip, top=3)) for clip in clips]
    right = np.array([found.interactions[0].label == recogniser.classes[clip.label] for clip, found in answered])
    share = wilson(int(right.sum()), len(right))
    structures = [made for _, found in answered if (made := structure_of(found)) is not None]
    page.section(
        "Videos",
        f"{MODEL} (AGOS: an inflated ResNet on a few frames, region proposals, and a structure of graph operations "
        f"that each clip chooses for itself) on {len(clips)} unseen clips of hands and objects on a table, {each} of "
        f"each of {len(recogniser.classes)} classes. Simulated, not real videos.",
    )
    page.tiles(
        [
            ("right", share.percent().split(" (")[0], f"95 % interval {100 * share.low:.0f}–{100 * share.high:.0f}"),
            ("chance", f"{100 / len(recogniser.classes):.1f} %", f"{len(recogniser.classes)} classes"),
            ("structures in use", str(len(set(structures))), f"on {len(clips)} clips"),
        ]
    )
    gallery = []
    for number, (clip, found) in enumerate(_shown(answered, right), start=1):
        true = recogniser.classes[clip.label]
        path = draw_video(recogniser, clip, found, folder / f"video-{number}", kind="gif")
        answer = found.interactions[0]
        caption = f"true: {true}. Answer: {answer.label} ({answer.score:.2f})"
        gallery.append((path.read_bytes(), f"A clip with boxes: {caption}", caption, "gif"))
    page.gallery(gallery)  # type: ignore[arg-type]
    frequent = sorted(set(structures), key=lambda one: (-structures.count(one), one.code()))[:2]
    if frequent:
        drawn = [(f"{structures.count(one)} of {len(clips)} clips", one.graph()) for one in frequent]
        figure = structure_drawings(drawn)
        save(figure, folder / "structures")
        words = "; ".join(brief(one) for one in frequent)
        page.figure(figure, f"The most frequent structures: {words}", "What stands on the superedges of a clip's cell.")
    say(f"{MODEL}: {int(right.sum())} of {len(right)} unseen clips right: {share.percent()}")


def structure_of(found: Prediction) -> Structure | None:
    """The structure in a prediction; None for a baseline or a long video."""
    held = found.details.get("structure")
    return None if held is None else Structure.from_json({k: held[k] for k in ("space", "supernodes", "operations")})


def _shown(
    answered: list[tuple[VideoClip, Prediction]], right: NDArray[np.bool_]
) -> list[tuple[VideoClip, Prediction]]:
    """The first clips of different structures, rightly answered ones before the others."""
    order = sorted(range(len(answered)), key=lambda index: not right[index])
    chosen: list[tuple[VideoClip, Prediction]] = []
    for fresh in (True, False):
        for index in order:
            clip, found = answered[index]
            taken = [structure_of(one) for _, one in chosen]
            new = all(clip.id != one.id for one, _ in chosen) and (not fresh or structure_of(found) not in taken)
            if len(chosen) < SHOWN and new:
                chosen.append((clip, found))
    return chosen
