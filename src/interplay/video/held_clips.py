"""Clips whose backbone maps are computed once, answered with their own structures, with others', or with given ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from interplay.errors import InterplayError
from interplay.evaluation.scores import Scores
from interplay.video.activation import Attention, read_attention
from interplay.video.network import VideoOutput
from interplay.video.preparation import PreparedClip, collate
from interplay.video.recogniser import VideoRecogniser
from interplay.video.structure import Structure

TOGETHER = 16
"""Clips that go through the network at a time."""
Structures = Sequence[Structure] | Tensor


@dataclass(frozen=True)
class Mismatch:
    """One clip with its own structure and with another's (Fig. 5).

    Args:
        id: of the clip.
        true: its class, or "" where unknown.
        own, other: the structures.
        with_own, with_other: the best classes with their probabilities, best first.
    """

    id: str
    true: str
    own: Structure
    other: Structure
    with_own: tuple[tuple[str, float], ...]
    with_other: tuple[tuple[str, float], ...]


class HeldClips:
    """Backbone maps and boxes of some clips.

    Args:
        recogniser: a model; on the CPU.
        clips: prepared for it.

    Attributes:
        ids: of the clips.
        labels: int64 (N,), −1 where unknown.

    Raises:
        InterplayError: not one clip.
    """

    def __init__(self, recogniser: VideoRecogniser, clips: Iterable[PreparedClip]) -> None:
        self.recogniser = recogniser
        self.ids: tuple[str, ...] = ()
        self._batches: list[tuple[Tensor, Tensor]] = []
        labels: list[int] = []
        waiting: list[PreparedClip] = []
        for clip in clips:
            self.ids += (clip.id,)
            labels.append(clip.label)
            waiting.append(clip)
            if len(waiting) == TOGETHER:
                self._hold(waiting)
        if waiting:
            self._hold(waiting)
        if not self.ids:
            raise InterplayError(f"{recogniser.name}: found no clip that can be read, expected at least one")
        self.labels = np.array(labels, np.int64)
        self._own: VideoOutput | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @torch.inference_mode()
    def _hold(self, waiting: list[PreparedClip]) -> None:
        batch = collate(waiting)
        self._batches.append((self.recogniser.network.backbone_features(batch.clips()).float(), batch.boxes))
        waiting.clear()

    @torch.inference_mode()
    def output(self, structures: Structures | None = None) -> VideoOutput:
        """Answers to all clips.

        Args:
            structures: a value per clip or one for all, or places in the space (N, E); None for each clip's own.
        """
        if structures is None and self._own is not None:
            return self._own
        found: list[VideoOutput] = []
        first = 0
        for features, boxes in self._batches:
            own = structures
            if own is not None and len(own) > 1:
                own = own[first : first + len(features)]
            found.append(self.recogniser.network(None, boxes, features=features, structures=own))
            first += len(features)
        logits = torch.cat([one.logits for one in found]).float()
        weights = (
            None if found[0].weights is None else torch.cat([w for one in found if (w := one.weights) is not None])
        )
        choices = (
            None if found[0].choices is None else torch.cat([c for one in found if (c := one.choices) is not None])
        )
        made = VideoOutput(logits, weights, choices)
        if structures is None:
            self._own = made
        return made

    def scores(self, structures: Structures | None = None) -> Scores:
        """The same as scores of the clips."""
        return Scores(self.ids, self.output(structures).logits.numpy(), self.labels, self.recogniser.classes)

    def structures(self) -> list[Structure]:
        """Each clip's own. ValueError for a model without structures."""
        choices = self.output().choices
        if choices is None:
            raise ValueError(f"{self.recogniser.name}: found no structures, expected a model of the graph agos")
        return self.recogniser.network.structures(choices)

    @torch.inference_mode()
    def attention(self, clip: int, structure: Structure | None = None) -> list[Attention]:
        """What the operations of a clip's structure, or of a given one, attend to, in the order in which they run."""
        features, boxes = self._batches[clip // TOGETHER]
        row = slice(clip % TOGETHER, clip % TOGETHER + 1)
        return read_attention(self.recogniser.network, features[row], boxes[row], structure)

    def boxes(self, clip: int) -> Tensor:
        """(step, box, 4) of a clip, shares of the crop."""
        return self._batches[clip // TOGETHER][1][clip % TOGETHER]


def exchanged(held: HeldClips, seed: int = 0) -> list[Structure]:
    """For each clip the structure of another clip, drawn among those whose structure is another.

    Where all have the same there is nothing to exchange: each keeps it.
    """
    own = held.structures()
    draws = np.random.default_rng(seed)
    made = []
    for structure in own:
        others = [other for other in own if other != structure]
        made.append(others[int(draws.integers(len(others)))] if others else structure)
    return made


def swap(held: HeldClips, first: int, second: int, top: int = 5) -> tuple[Mismatch, Mismatch]:
    """Two clips with their own and with exchanged structures (Fig. 5)."""
    own = held.structures()
    other = list(own)
    other[first], other[second] = own[second], own[first]
    ways = [held.scores(), held.scores(other)]

    def one(clip: int) -> Mismatch:
        best = [_best(scores, clip, top) for scores in ways]
        label = int(held.labels[clip])
        true = held.recogniser.classes[label] if label >= 0 else ""
        return Mismatch(held.ids[clip], true, own[clip], other[clip], best[0], best[1])

    return one(first), one(second)


def pair_to_swap(held: HeldClips) -> tuple[int, int] | None:
    """Two clips for :func:`swap`: of the two most frequent structures, the surest rightly recognised clip of each, of
    different classes; None where all clips have one structure."""
    own = held.structures()
    counts: dict[Structure, int] = {}
    for structure in own:
        counts[structure] = counts.get(structure, 0) + 1
    frequent = sorted(counts, key=lambda one: (-counts[one], one.code()))[:2]
    if len(frequent) < 2:
        return None
    scores = held.scores()
    right = scores.predictions == held.labels
    sure = scores.probabilities.max(axis=1)

    def surest(structure: Structure, without: int) -> int:
        mine = [clip for clip, one in enumerate(own) if one == structure]
        key = lambda clip: (held.labels[clip] == without, not right[clip], -sure[clip], held.ids[clip])  # noqa: E731
        return min(mine, key=key)

    first = surest(frequent[0], -2)
    return first, surest(frequent[1], int(held.labels[first]))


def _best(scores: Scores, clip: int, top: int) -> tuple[tuple[str, float], ...]:
    values = scores.probabilities[clip]
    order = np.argsort(-values, kind="stable")[:top]
    return tuple((scores.classes[int(k)], float(values[k])) for k in order)
