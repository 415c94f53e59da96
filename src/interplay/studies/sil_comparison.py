"""With SIL minus without, on the same test pictures: paired bootstrap over runs of several seeds.

What is compared is the mean over seeds of each side; the same pictures are drawn for every run of both sides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.errors import InterplayError
from interplay.evaluation.scene_graph import Difference, StreamingEvaluator, scene_evaluator
from interplay.evaluation.scene_graph.annotated_pairs import AnnotatedPairs
from interplay.evaluation.scene_graph.rows import Rows

PARTS = "part-dependent"
"""Group of the playground's predicates that differ in a part of a box only."""
WAYS = "which way"
"""Of annotated relations of those predicates: the share whose predicate is more probable than its counterpart."""
_BLOCK = 4_000_000
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RunAnswers:
    """What a run folder keeps of its answers to a part's pictures.

    Args:
        folder: of the run.
        rows: ranks of the annotated relations.
        settings: of the evaluator.
        ways: (I,) right and asked relations of either-or predicates in each picture, where there are such.
    """

    folder: Path
    rows: Rows
    settings: Mapping[str, Any]
    ways: tuple[Floats, Floats] | None = None


def read_answers(folder: Path, pairs: Sequence[tuple[int, int]] = (), part: str = "test") -> RunAnswers:
    """Read them.

    Args:
        pairs: ids of predicates of which an annotated pair has one or the other.

    Raises:
        InterplayError: a file that is missing or cannot be used.
    """
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        settings = result["metrics"]["last"][part]["settings"]
        with np.load(folder / f"per-image-{part}.npz", allow_pickle=False) as archive:
            rows = Rows.of(archive)
        ways = None
        if pairs:
            said = AnnotatedPairs.load(folder / f"annotated-pairs-{part}.npz")
            right, asked = np.zeros(len(rows.numbers)), np.zeros(len(rows.numbers))
            for first, second in pairs:
                one = said.two_way(first, second)
                at = np.searchsorted(rows.numbers, one.numbers)
                np.add.at(right, at, one.right)
                np.add.at(asked, at, 1.0)
            ways = right, asked
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InterplayError(f"{folder}: found no answers that can be compared: {error}") from None
    return RunAnswers(folder, rows, settings, ways)


def evaluator_for(settings: Mapping[str, Any], groups: Mapping[str, Sequence[int]] | None = None) -> StreamingEvaluator:
    """An evaluator of the protocol that a run was counted under, with groups of predicates of one's own."""
    classic = settings.get("classic") or settings
    return scene_evaluator(
        settings["protocol"], classic["num_predicates"], classic.get("task", "sggen"), settings["ks"], None, groups
    )


class Figures:
    """Every figure of a run that follows from ranks, for any weighting of its pictures."""

    def __init__(self, answers: RunAnswers, groups: Mapping[str, Sequence[int]] | None) -> None:
        self.answers, self.evaluator = answers, evaluator_for(answers.settings, groups)
        self.shares = self.evaluator.shares(answers.rows)

    def __call__(self, weights: Floats | None = None) -> dict[str, Floats]:
        """Name → (B,) for weights (B, I); None: each picture once."""
        found = self.evaluator.values({name: one.totals(weights) for name, one in self.shares.items()})
        if self.answers.ways is not None:
            right, asked = (np.atleast_1d(one.sum() if weights is None else weights @ one) for one in self.answers.ways)
            found[WAYS] = np.divide(right, asked, out=np.full(len(right), np.nan), where=asked > 0)
        return found


def compare(
    with_sil: Sequence[RunAnswers],
    without: Sequence[RunAnswers],
    groups: Mapping[str, Sequence[int]] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Difference]:
    """Mean over ``with_sil`` minus mean over ``without`` of every figure, 95 % percentile interval.

    Raises:
        InterplayError: the runs have not answered the same pictures.
    """
    first, same = with_sil[0].rows, ("numbers", "counts", "predicates")
    for one in (*with_sil, *without):
        if not all(np.array_equal(getattr(one.rows, name), getattr(first, name)) for name in same):
            raise InterplayError(f"{one.folder}: found other test pictures than in {with_sil[0].folder}")
    sides = [[Figures(one, groups) for one in side] for side in (with_sil, without)]

    def difference(weights: Floats | None) -> dict[str, Floats]:
        means = []
        for side in sides:
            found = [figures(weights) for figures in side]
            means.append({name: np.mean([one[name] for one in found], axis=0) for name in found[0]})
        return {name: value - means[1][name] for name, value in means[0].items() if name in means[1]}

    drawn = [difference(weights) for weights in _weights(len(first.numbers), resamples, seed)]
    made = {}
    for name, value in difference(None).items():
        values = np.concatenate([block[name] for block in drawn])
        values = values[~np.isnan(values)]
        if not len(values) or np.isnan(value[0]):
            continue
        low, high = np.quantile(values, (0.025, 0.975))
        made[name] = Difference(float(value[0]), float(low), float(high), float((values <= 0).mean()))
    return made


def _weights(images: int, resamples: int, seed: int) -> Iterator[Floats]:
    """(B, I) how often each picture was drawn, block after block."""
    generator = np.random.default_rng(seed)
    rows = max(1, _BLOCK // max(images, 1))
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        yield generator.multinomial(images, np.full(images, 1 / images), size=count).astype(np.float64)
