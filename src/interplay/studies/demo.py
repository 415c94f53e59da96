"""What a newcomer sees first: the shipped models on episodes they have never met, as one page of pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.playground import simulate
from interplay.data.playground.recordings import long_recording
from interplay.data.playground.skeleton_view import skeleton_view
from interplay.errors import InterplayError
from interplay.evaluation.calibration import expected_calibration_error
from interplay.evaluation.classification import confusion
from interplay.evaluation.intervals import interval_metrics
from interplay.evaluation.scores import Scores
from interplay.evaluation.uncertainty import wilson
from interplay.interactions import NONE_OF_THE_KNOWN, Interaction, Prediction
from interplay.loading import load_skeletons
from interplay.skeleton.recogniser import SkeletonRecogniser
from interplay.studies import demo_scenes, demo_videos
from interplay.training.shipped import shipped_models
from interplay.viz.animation import animate
from interplay.viz.charts import timeline
from interplay.viz.matrices import confusion_matrix
from interplay.viz.page import Page
from interplay.viz.skeletons import stills
from interplay.viz.style import save

FIRST_SEED = 900_000_000
"""Far above every seed that training, validation and test parts of a playground data set use."""

RECORDINGS = 4
"""How many long recordings are scanned."""

SHARED_WITH_SBU: Mapping[str, str] = {
    "approach": "approaching",
    "depart": "departing",
    "kick": "kicking",
    "push": "pushing",
    "shake hands": "shaking hands",
    "hug": "hugging",
    "exchange": "exchanging object",
    "punch": "punching",
}
"""Playground class → what the same thing is called in SBU Kinect Interaction."""


@dataclass(frozen=True)
class Answered:
    """One unseen episode, its true label, and the model's answer."""

    clip: SkeletonClip
    true: str
    prediction: Prediction

    @property
    def answer(self) -> Interaction:
        return self.prediction.interactions[0]

    @property
    def right(self) -> bool:
        return self.answer.label == self.true


def unseen(label: str, number: int, first: int = FIRST_SEED) -> SkeletonClip:
    """An episode of a class, from a seed that no data set uses."""
    # Two seeds that differ in their last bit share the draws of the relation-only classes.
    seed = first + 2 * number
    clip = skeleton_view(simulate(label, seed))
    return replace(clip, id=f"{label} {number + 1}", meta={**clip.meta, "source": "playground"})


def ask(recogniser: SkeletonRecogniser, labels: Mapping[str, str], each: int) -> list[Answered]:
    """Put ``each`` unseen episodes of every class to a model; labels maps the playground's names to the model's."""
    return [
        Answered(clip, true, recogniser.predict(clip))
        for label, true in labels.items()
        for clip in (unseen(label, number) for number in range(each))
    ]


def run_demo(
    out: str | Path, *, each: int = 5, scenes: int = 40, clips: int = 1, say: Callable[[str], None] = print
) -> Path:
    """Ask the shipped models about unseen playground episodes and write ``index.html`` with its pictures.

    Args:
        out: folder; files of an earlier demo are replaced.
        each: episodes per class.
        scenes: pictures.
        clips: videos per class.
        say: where lines for the user go.

    Returns:
        Path of the page.
    """
    began = time.perf_counter()
    folder = Path(out)
    shipped = shipped_models()
    if "megcn-playground" not in shipped:
        raise InterplayError("demo: the model megcn-playground is missing from this installation; install it again")
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    page = Page(
        "Interplay: who does what to whom",
        "The shipped models, asked about simulated episodes and pictures that they have never seen. Everything on this "
        "page was made on this machine a moment ago.",
    )
    recogniser = load_skeletons("megcn-playground")
    say(f"megcn-playground: {each} unseen episodes of each of its {len(recogniser.classes)} classes")
    answered = ask(recogniser, {label: label for label in recogniser.classes}, each)
    say(summary(answered))
    _overview(page, recogniser, answered)
    _moving(page, recogniser, answered, pictures)
    _matrix(page, recogniser, answered, pictures)
    _long(page, recogniser, pictures, say)
    _unknown(page, recogniser, each, say)
    if "megcn-sbu" in shipped:
        _real(page, load_skeletons("megcn-sbu"), each, pictures, say)
    if demo_scenes.MODEL in shipped:
        demo_scenes.scene_section(page, pictures, say, scenes)
    if demo_videos.MODEL in shipped:
        demo_videos.video_section(page, pictures, say, clips)
    page.section("Next")
    page.code(
        "interplay predict megcn-sbu my_recording.npz --draw pictures\n"
        "interplay train megcn/sbu --data.root DIR --data.test_fold 1\n"
        "interplay reproduce megcn.table8 --data playground\n"
        "interplay list recipes"
    )
    path = page.write(folder / "index.html")
    say(f"{path} ({time.perf_counter() - began:.0f} s)")
    return path


def summary(answered: Sequence[Answered]) -> str:
    """One line: how many are right, with the interval."""
    right = sum(item.right for item in answered)
    return f"{right} of {len(answered)} right: {wilson(right, len(answered)).percent()}"


def _overview(page: Page, recogniser: SkeletonRecogniser, answered: Sequence[Answered]) -> None:
    right = sum(item.right for item in answered)
    estimate = wilson(right, len(answered))
    logits = np.log(np.clip(recogniser.probabilities(item.clip for item in answered), 1e-12, 1))
    scores = _scores(recogniser, answered, logits)
    confidence = scores.probabilities.max(axis=1)
    correct = scores.predictions == scores.labels
    page.section(
        "Unseen episodes",
        "The playground simulates two articulated people (25 joints each, 30 frames per second) with sensor noise and "
        "lost frames. It is a simulator, not real data: what a model does here says what the method can tell apart, "
        "not how it does on recordings.",
    )
    page.tiles(
        [
            ("right", f"{100 * estimate.value:.1f} %", f"{right} of {len(answered)}; 95 % interval "
             f"{100 * estimate.low:.1f}–{100 * estimate.high:.1f}"),
            ("classes", str(len(recogniser.classes)), f"chance {100 / len(recogniser.classes):.0f} %"),
            ("calibration error", f"{100 * expected_calibration_error(confidence, correct):.1f} %", "15 bins"),
        ]
    )  # fmt: skip
    rows = []
    for label in recogniser.classes:
        own = [item for item in answered if item.true == label]
        wrong = [item.answer.label for item in own if not item.right]
        rows.append([label, f"{sum(item.right for item in own)} of {len(own)}", ", ".join(wrong) or "–"])
    page.table(["class", "right", "taken for"], rows, caption="Answers per class")


def _moving(page: Page, recogniser: SkeletonRecogniser, answered: Sequence[Answered], folder: Path) -> None:
    page.section("Some of them", "Each with the answer and its probability; the first episode of the class.")
    wanted = ("shake hands", "kick", "hug", "high-five", "mirrored side", "counter-phase")
    gallery = []
    for label in [name for name in wanted if name in recogniser.classes] or recogniser.classes[:6]:
        item = next(one for one in answered if one.true == label)
        path = folder / label.replace(" ", "-")
        files = animate(
            item.clip.joints,
            item.clip.layout,
            path,
            item.prediction.interactions,
            item.clip.frames_per_second,
            width=300,
            max_frames=60,
            video="never",
        )
        caption = f"true: {label}. Answer: {item.answer.label} ({item.answer.score:.2f})"
        gallery.append((files[0].read_bytes(), f"Two skeletons: {caption}", caption, "gif"))
    page.gallery(gallery)  # type: ignore[arg-type]
    first = next(item for item in answered if item.right)
    figure = stills(first.clip.joints, first.clip.layout)
    save(figure, folder / "stills")
    page.figure(figure, f"Six moments of an episode of {first.true}", f"{first.true}, from left to right in time")


def _scores(recogniser: SkeletonRecogniser, answered: Sequence[Answered], logits: NDArray[np.float64]) -> Scores:
    labels = np.array([recogniser.classes.index(item.true) for item in answered])
    return Scores(tuple(item.clip.id for item in answered), logits.astype(np.float32), labels, recogniser.classes)


def _matrix(page: Page, recogniser: SkeletonRecogniser, answered: Sequence[Answered], folder: Path) -> None:
    # The best known class counts here, also where the answer was "none of the known".
    best = [
        item.answer.alternatives[0][0] if item.answer.label == NONE_OF_THE_KNOWN else item.answer.label
        for item in answered
    ]
    logits = np.eye(len(recogniser.classes))[[recogniser.classes.index(label) for label in best]]
    figure = confusion_matrix(confusion(_scores(recogniser, answered, logits)), recogniser.classes)
    save(figure, folder / "confusion")
    page.section("What is taken for what")
    page.figure(figure, "Confusion matrix of the unseen episodes", "Rows: true class; columns: answer.")


def _long(page: Page, recogniser: SkeletonRecogniser, folder: Path, say: Callable[[str], None]) -> None:
    predicted, true, length = {}, {}, {}
    for number in range(RECORDINGS):
        episode = long_recording(FIRST_SEED + number)
        clip = skeleton_view(episode)
        clip = replace(clip, id=f"recording {number + 1}", meta={**clip.meta, "source": "playground"})
        predicted[clip.id] = recogniser.predict(clip).interactions
        true[clip.id] = episode.interactions
        length[clip.id] = clip.frames / (clip.frames_per_second or 30.0)
    measured = interval_metrics(predicted, true)
    page.section(
        "Long recordings",
        f"{RECORDINGS} recordings of {min(length.values()):.0f} to {max(length.values()):.0f} seconds with "
        f"{measured.true} interactions and neutral stretches between them, scanned with sliding windows and answered "
        f"as intervals. {measured.hits} of {measured.true} found with their name and an overlap (IoU) of at least one "
        f"half; {measured.predicted - measured.hits} answers match none.",
    )
    for name in list(predicted)[:2]:
        figure = timeline(predicted[name], true[name], length[name])
        save(figure, folder / f"timeline-{name.replace(' ', '-')}")
        page.figure(
            figure,
            f"Time line of {name}: true and predicted intervals",
            f"{name.capitalize()}: above what happened, below what was answered.",
        )
    say(f"{RECORDINGS} long recordings: {measured.hits} of {measured.true} interactions found")


def _unknown(page: Page, recogniser: SkeletonRecogniser, each: int, say: Callable[[str], None]) -> None:
    from interplay.data.playground import NEUTRAL

    if recogniser.unknown_threshold is None:
        return
    rows, refused, asked = [], 0, 0
    for kind in NEUTRAL:
        answers = [recogniser.predict(unseen(kind, number)).interactions[0] for number in range(each)]
        none = sum(item.label == NONE_OF_THE_KNOWN for item in answers)
        refused, asked = refused + none, asked + len(answers)
        others = ", ".join(sorted({item.label for item in answers} - {NONE_OF_THE_KNOWN})) or "–"
        rows.append([kind, f"{none} of {len(answers)}", others])
    page.section(
        "None of the known",
        f"Two people who do nothing with each other. An answer below a probability of "
        f"{recogniser.unknown_threshold:.2f} (calibrated on validation episodes) is “{NONE_OF_THE_KNOWN}”.",
    )
    page.table(["what they do", "refused", "otherwise answered"], rows)
    say(f"nothing between them: {refused} of {asked} answered “{NONE_OF_THE_KNOWN}”")


def _real(page: Page, recogniser: SkeletonRecogniser, each: int, folder: Path, say: Callable[[str], None]) -> None:
    labels = {label: true for label, true in SHARED_WITH_SBU.items() if true in recogniser.classes}
    answered = ask(recogniser, labels, each)
    best = sum(item.prediction.interactions[0].label == item.true for item in answered)
    page.section(
        "A model of real recordings, away from home",
        "megcn-sbu was trained on recordings of real people (SBU Kinect Interaction). Here it is asked about simulated "
        "ones, their 25 joints mapped to its 15: not what it was made for, and a check that a recording in one layout "
        f"meets a model of another. {best} of {len(answered)} right, chance {100 / len(recogniser.classes):.0f} %. How "
        "it does on real recordings that it has not seen stands on its model card.",
    )
    rows = []
    for true in labels.values():
        own = [item for item in answered if item.true == true]
        wrong = [item.answer.label for item in own if not item.right]
        rows.append([true, f"{sum(item.right for item in own)} of {len(own)}", ", ".join(wrong) or "–"])
    page.table(["class", "right", "taken for"], rows)
    say(f"megcn-sbu on simulated people (not its domain): {summary(answered)}")
