"""A run's model and clips, and the pictures of what it does with them; shared by the paper's figures and the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import yaml
from matplotlib.figure import Figure

from interplay.data.videos import VideoDataset
from interplay.errors import InterplayError
from interplay.training.places import data_at, data_without_places
from interplay.video.activation import Attention, top_related
from interplay.video.analysis import Case, StructureUse, structure_use, uses_of
from interplay.video.held_clips import HeldClips, Mismatch, pair_to_swap
from interplay.video.outcome import Structures
from interplay.video.preparation import PreparedClip
from interplay.video.recogniser import VideoRecogniser
from interplay.video.run import videos_of
from interplay.video.structure import Structure
from interplay.viz import structures as drawing
from interplay.viz.videos import HIGH, LOW, REFERENCE, StripFrame, strips

FEW, FEWER = 400, 40
"""Test clips that are answered anew for a picture: of small clips, and of large ones (the full size takes a second each
on a CPU)."""
SMALL = 16 * 128 * 128
"""Pixels of a clip up to which it counts as small."""
FRAMES = 6
TRANSFERRED = 3
"""Structures that are compared on two data sets."""
RELATED = 5


@dataclass(eq=False)
class OpenedRun:
    """A trained model with the data set of its run.

    Args:
        recogniser: in evaluation mode.
        dataset: the videos.
        part: of the data set.
    """

    recogniser: VideoRecogniser
    dataset: VideoDataset
    part: str = "test"

    @classmethod
    def of(cls, folder: Path, data_root: str | Path | None = None) -> OpenedRun:
        """From a run folder. InterplayError where model or data cannot be read."""
        recipe = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
        section = dict(recipe["data"])
        if data_root is not None:
            section = {**data_at(data_without_places(section), data_root), "root": str(data_root)}
        dataset = videos_of(section)
        parts = dataset.parts()
        part = next((name for name in ("test", "validation") if len(parts.get(name, ()))), "train")
        recogniser = VideoRecogniser.from_pretrained(str(folder / "model")).eval()
        return cls(recogniser, dataset, part)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Id → row."""
        return {name: row for row, name in enumerate(self.dataset.ids)}

    def prepared(self, row: int) -> PreparedClip:
        """The deterministic clip of a video, as the run itself tested it."""
        clip = self.dataset.read(row)
        return self.recogniser.prepared(clip.id, self.recogniser.tested(clip), label=clip.label)

    @property
    def most(self) -> int:
        """Clips that are answered anew."""
        preparation = self.recogniser.preparation
        return FEW if preparation.frames * preparation.height * preparation.width <= SMALL else FEWER

    def chosen_rows(self) -> list[int]:
        """Labelled clips of the part, one class after the other, at most :attr:`most`."""
        labels = np.asarray(self.dataset.labels)
        rows = np.asarray(self.dataset.parts()[self.part])
        rows = rows[labels[rows] >= 0]
        seen: dict[int, int] = {}
        turn = []
        for row in rows.tolist():
            turn.append(seen.get(int(labels[row]), 0))
            seen[int(labels[row])] = turn[-1] + 1
        order = np.lexsort((rows, np.array(turn, np.int64))) if len(rows) else np.zeros(0, np.int64)
        return sorted(rows[order[: self.most]].tolist())

    @cached_property
    def held(self) -> HeldClips:
        """Those clips, through the backbone once; videos that cannot be read are left out."""
        return HeldClips(self.recogniser, self._readable())

    def _readable(self) -> Iterator[PreparedClip]:
        for row in self.chosen_rows():
            try:
                yield self.prepared(row)
            except InterplayError:
                continue

    def by_id(self, name: str) -> PreparedClip:
        """A clip by its name. InterplayError where there is none, or it cannot be read."""
        if name not in self.rows:
            raise InterplayError(f"{self.dataset.name}: found no clip {name!r}, expected the data of the run")
        return self.prepared(self.rows[name])


# -- structures --------------------------------------------------------------------------------------------------------


def brief(structure: Structure) -> str:
    """A structure in a few words: the first letters of its operations."""
    short = {"zero": "–", "identity": "id"}
    return " ".join(
        short.get(name, "".join(word[0] for word in name.split("_")) if "_" in name else name[:4])
        for name in structure.operations
    )


def histogram(uses: Sequence[StructureUse], classes: Sequence[str], clips: int, title: str = "") -> Figure:
    """Fig. 6."""
    named = [(f"{brief(use.structure)} ({use.count})", use.shares) for use in uses]
    return drawing.structure_histogram(classes, named, title or f"Structures of each class, {clips} clips")


def cells(uses: Sequence[StructureUse], classes: Sequence[str], clips: int) -> Figure:
    """Fig. 4: the most frequent structures drawn, with the class that uses each most."""
    drawn = []
    for use in uses:
        first = use.dominant(classes, 1)
        who = f", {100 * first[0][1]:.0f} % of “{first[0][0]}”" if first else ""
        drawn.append((f"{use.count} of {clips} clips{who}", use.structure.graph()))
    return drawing.structure_drawings(drawn)


def everywhere(recogniser: VideoRecogniser) -> dict[str, Structure]:
    """Operation → the structure that has it on every superedge; zero and identity are left out."""
    network = recogniser.network
    model = network.model
    return {
        name: Structure((name,) * len(network.superedges), model.space, model.supernodes)
        for name in network.space
        if name not in ("zero", "identity")
    }


def clips_with_structures(opened: OpenedRun) -> tuple[Figure, Figure, list[str]]:
    """Fig. 4: of the two most frequent structures the surest rightly recognised clip each (one clip where all have one
    structure): the structures drawn, the clips as strips, and what they are."""
    held = opened.held
    own = held.structures()
    pair = pair_to_swap(held) or (0,)
    titles = [f"“{opened.recogniser.classes[int(held.labels[clip])]}”, {held.ids[clip]}" for clip in pair]
    drawn = [(title, own[clip].graph()) for title, clip in zip(titles, pair, strict=True)]
    clips = [(title, opened.by_id(held.ids[clip])) for title, clip in zip(titles, pair, strict=True)]
    return drawing.structure_drawings(drawn), example_strips(clips), titles


def transferred(
    own: Structures, classes: Sequence[str], gone: Structures, others: Sequence[str], name: str
) -> tuple[list[StructureUse], Figure, Figure]:
    """Supplement, Figs 2 to 4: the most frequent structures of the data that they were searched on, and who uses the
    very same structures there and on the data that the structure weights went to.

    Args:
        own, gone: structures of the clips of both.
        classes, others: of both.
        name: of the former, for the titles.
    """
    uses = structure_use(own, len(classes), TRANSFERRED)
    there = uses_of(gone, [use.structure for use in uses], len(others))
    title = f"Searched on {name}"
    return (
        uses,
        histogram(uses, classes, len(own.ids), f"{title}, its own clips"),
        histogram(there, others, len(gone.ids), f"{title}, the other's clips"),
    )


def mismatch_figure(pair: tuple[Mismatch, Mismatch]) -> Figure:
    """Fig. 5."""
    return drawing.mismatch([(one.true or one.id, one.true, one.with_own, one.with_other) for one in pair])


# -- clips -------------------------------------------------------------------------------------------------------------


def spread_steps(clip: PreparedClip, count: int = FRAMES) -> list[int]:
    """Steps of a clip, evenly spread."""
    steps = len(clip.boxes)
    return [int(step) for step in np.unique(np.linspace(0, steps - 1, min(count, steps)).round())]


def strip(clip: PreparedClip, steps: Sequence[int], marks: Mapping[int, str] | None = None) -> list[StripFrame]:
    """Frames of steps with their boxes.

    Args:
        marks: node (step·boxes + box) → colour.
    """
    assert clip.frames is not None
    boxes = clip.boxes.numpy()
    count = boxes.shape[1]
    found = []
    for step in steps:
        own = {node - step * count: shade for node, shade in (marks or {}).items() if node // count == step}
        picture = clip.frames[min(2 * step, len(clip.frames) - 1)].numpy()
        found.append(StripFrame(picture, boxes[step], own, f"step {step + 1}"))
    return found


def example_strips(clips: Sequence[tuple[str, PreparedClip]]) -> Figure:
    """Clips as rows of frames with their boxes."""
    return strips([(title, strip(clip, spread_steps(clip))) for title, clip in clips])


def cases_figure(opened: OpenedRun, found: Sequence[Case]) -> Figure:
    """Fig. 8: clips with what every model called them."""
    rows = []
    for case in found:
        clip = opened.by_id(case.id)
        wrong = {name: answer for name, answer in case.answers.items() if answer != case.true}
        said = "; ".join(f"{drawing.in_words(name)}: {answer}" for name, answer in list(wrong.items())[:1])
        title = f"“{case.true}”: {_words(case.why)}" + (f" ({said})" if said else "")
        rows.append((title, strip(clip, spread_steps(clip))))
    return strips(rows)


def _words(text: str) -> str:
    return text.replace("_", " ")


def nodes_figure(rows: Sequence[tuple[str, PreparedClip, Attention]]) -> Figure:
    """Fig. 7: a row per operation. Feature aggregation and difference propagation: a reference node (red) and the nodes
    that it draws on most (blue). Node attention: the nodes with the highest (blue) and lowest (light blue) weights."""
    drawn = []
    for title, clip, attention in rows:
        marks = marks_of(attention, clip.boxes.shape[1])
        drawn.append((title, strip(clip, _busiest(marks, clip), marks)))
    legend = [(REFERENCE, "reference node"), (HIGH, "most attention"), (LOW, "least attention")]
    return strips(drawn, legend)


def marks_of(attention: Attention, boxes: int) -> dict[int, str]:
    """Node → colour."""
    if attention.weights is not None:
        order = np.argsort(-attention.weights, kind="stable")
        return {
            **{int(node): LOW for node in order[-RELATED:]},
            **{int(node): HIGH for node in order[:RELATED]},
        }
    if attention.pairs is None:
        return {}
    reference = reference_node(attention, boxes)
    related, _ = top_related(attention.pairs, reference, RELATED)
    return {**{int(node): HIGH for node in related}, reference: REFERENCE}


def reference_node(attention: Attention, boxes: int) -> int:
    """The node of the middle step that the others draw on most."""
    importance = attention.importance()
    assert importance is not None
    step = len(importance) // boxes // 2
    return step * boxes + int(importance[step * boxes : (step + 1) * boxes].argmax())


def _busiest(marks: Mapping[int, str], clip: PreparedClip, count: int = FRAMES) -> list[int]:
    """The steps with marks, the reference's first, then those with the most; filled up with evenly spread ones."""
    boxes = clip.boxes.shape[1]
    tally: dict[int, float] = {}
    for node, shade in marks.items():
        tally[node // boxes] = tally.get(node // boxes, 0) + (100 if shade == REFERENCE else 1)
    chosen = sorted(tally, key=lambda step: (-tally[step], step))[:count]
    for step in spread_steps(clip, count):
        if len(chosen) < min(count, len(clip.boxes)) and step not in chosen:
            chosen.append(step)
    return sorted(chosen)


def first_of(found: Sequence[Attention], operation: str) -> Attention | None:
    """The first of an operation that runs."""
    return next((one for one in found if one.operation == operation), None)
