"""Rows against rows on the same test clips: paired bootstrap over clips or sources, class pairs, structures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from interplay.data.videos import VideoDataset
from interplay.errors import InterplayError
from interplay.evaluation.classification import restricted_to_pair
from interplay.evaluation.scores import Scores, concatenate
from interplay.video.analysis import Association, association
from interplay.video.outcome import Structures
from interplay.video.run import videos_of


@dataclass(frozen=True)
class Gain:
    """A difference with its 95 % interval.

    Args:
        value: mean over the runs of one side minus mean over those of the other, a share.
        low, high: percentile interval.
        not_above: share of the resamples in which it is not above 0.
        clips: on both sides.
        drawn: clips with replacement, or the sources that they come from.
    """

    value: float
    low: float
    high: float
    not_above: float
    clips: int
    drawn: int

    def to_dict(self) -> dict[str, float | int]:
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "not_above": self.not_above,
            "clips": self.clips,
            "drawn": self.drawn,
        }


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of a row.

    Args:
        folders: seeds × folds.
        scores: of the measured clips, one per seed; folds are joined.
        results: ``result.json`` of each folder.
    """

    folders: tuple[tuple[Path, ...], ...]
    scores: tuple[Scores, ...]
    results: tuple[tuple[Mapping[str, Any], ...], ...]

    @property
    def first(self) -> Path:
        return self.folders[0][0]


def measured_part(folder: Path) -> str:
    """The part whose figures count: the test clips, or those of validation where there are none."""
    for part in ("test", "validation"):
        if (folder / f"scores-{part}.npz").is_file():
            return part
    raise InterplayError(f"{folder}: found no scores of test or validation clips, expected a finished run")


def scores_in(folder: Path, ending: str = "") -> Scores:
    """Scores of a run's labelled measured clips. Sources are looked up where the file does not name them."""
    found = Scores.load(folder / f"scores-{measured_part(folder)}{ending}.npz").labelled
    if found.sources is not None:
        return found
    try:
        section = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))["data"]
        return with_sources(found, _opened(json.dumps(section, sort_keys=True)))
    except (InterplayError, OSError, yaml.YAMLError, LookupError, TypeError, ValueError):
        return found  # the data are not at hand: every clip stands for itself


@lru_cache(maxsize=4)
def _opened(section: str) -> VideoDataset:
    return videos_of(json.loads(section))


def with_sources(scores: Scores, dataset: VideoDataset) -> Scores:
    """The same, with what the clips come from where the data set says so."""
    if scores.sources is not None or dataset.groups is None:
        return scores
    known = dict(zip(dataset.ids, dataset.groups, strict=True))
    if not set(scores.ids) <= set(known):
        return scores
    return replace(scores, sources=tuple(known[name] for name in scores.ids))


def read_runs(folders: Sequence[Sequence[Path]], scores: str = "own") -> Runs:
    """Read what the runs of a row keep.

    Args:
        folders: of each seed, those of its folds.
        scores: "own", or "only_testing".

    Raises:
        InterplayError: something is missing or cannot be read.
    """
    ending = "" if scores == "own" else "-only-testing"
    joined, results = [], []
    for folds in folders:
        parts = [scores_in(folder, ending) for folder in folds]
        joined.append(parts[0] if len(parts) == 1 else concatenate(parts))
        results.append(tuple(json.loads((folder / "result.json").read_text(encoding="utf-8")) for folder in folds))
    return Runs(tuple(tuple(folds) for folds in folders), tuple(joined), tuple(results))


def gain(ours: Sequence[Scores], theirs: Sequence[Scores], resamples: int = 2000, seed: int = 0) -> Gain:
    """Top-1 of one side minus that of the other: mean over the seeds of each, the same clips drawn for both; the same
    whole sources where clips share them.

    Raises:
        InterplayError: the two sides have not answered the same clips.
    """
    return _paired(_right(ours), _right(theirs), resamples, seed)


def clip_interval(scores: Sequence[Scores], resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """95 % of the mean top-1 over the runs, clips (or their sources) drawn with replacement."""
    own = _right(scores)
    found = _paired(own, replace(own, right=np.zeros_like(own.right)), resamples, seed)
    return found.low, found.high


def pair_gain(
    ours: Sequence[Scores], theirs: Sequence[Scores], pair: tuple[str, str], resamples: int = 2000, seed: int = 0
) -> Gain:
    """The same for telling two classes apart: on their clips, with their two scores only (chance is 50 %)."""
    sides = [[restricted_to_pair(one, *pair) for one in side] for side in (ours, theirs)]
    return _paired(_right(sides[0]), _right(sides[1]), resamples, seed)


def pair_accuracy(scores: Sequence[Scores], pair: tuple[str, str]) -> float:
    """Mean over the runs."""
    return float(np.mean([_hits(restricted_to_pair(one, *pair)).mean() for one in scores]))


def _hits(scores: Scores) -> NDArray[np.float64]:
    return np.asarray(scores.predictions == scores.labels, np.float64)


@dataclass(frozen=True, eq=False)
class _Right:
    """Ids in order, the share of the runs that are right on each clip, and the clips' sources (0 to S − 1)."""

    ids: tuple[str, ...]
    right: NDArray[np.float64]
    sources: NDArray[np.int64]


def _right(scores: Sequence[Scores]) -> _Right:
    first = sorted(scores[0].ids)
    rows = []
    for one in scores:
        place = {name: row for row, name in enumerate(one.ids)}
        if sorted(one.ids) != first:
            raise InterplayError("found runs that scored other clips than the first, expected the same test clips")
        rows.append(_hits(one)[[place[name] for name in first]])
    clusters = scores[0].clusters
    if clusters is None:
        return _Right(tuple(first), np.mean(rows, axis=0), np.arange(len(first)))
    place = dict(zip(scores[0].ids, clusters.tolist(), strict=True))
    return _Right(tuple(first), np.mean(rows, axis=0), np.array([place[name] for name in first], np.int64))


def _paired(
    ours: _Right,
    theirs: _Right,
    resamples: int,
    seed: int,
) -> Gain:
    if ours.ids != theirs.ids:
        raise InterplayError("found rows that scored different clips, expected the same test clips on both sides")
    differences = ours.right - theirs.right
    sizes = np.bincount(ours.sources).astype(np.float64)
    sums = np.bincount(ours.sources, weights=differences)
    count = len(sizes)
    draws = np.random.default_rng(seed)
    values: list[NDArray[np.float64]] = []
    block = max(1, 2_000_000 // max(count, 1))
    for start in range(0, resamples, block):
        weights = draws.multinomial(count, np.full(count, 1 / count), size=min(block, resamples - start))
        values.append((weights @ sums) / (weights @ sizes))
    drawn = np.concatenate(values)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Gain(float(differences.mean()), float(low), float(high), float((drawn <= 0).mean()), len(differences), count)


@dataclass(frozen=True)
class StructureFacts:
    """Structures of a row's measured clips, seed by seed.

    Args:
        distinct: structures in use on the measured clips.
        association: mutual information with the classes.
        stable: (epochs, seconds) until the structures were stable, None where they were not within the epochs.
        epochs: of the search.
    """

    distinct: int
    association: Association
    stable: tuple[int, float] | None
    epochs: int


def structure_facts(runs: Runs, permutations: int = 2000) -> list[StructureFacts]:
    """Of each seed's (first fold's) run; empty for a row without structures."""
    found = []
    for folds, results in zip(runs.folders, runs.results, strict=True):
        path = folds[0] / f"structures-{measured_part(folds[0])}.npz"
        if not path.is_file():
            return []
        structures = Structures.load(path)
        search = next((stage for stage in results[0].get("stages", ()) if stage.get("searches")), None)
        stable = (search or {}).get("stable")
        found.append(
            StructureFacts(
                len(np.unique(structures.choices, axis=0)),
                association(structures, permutations),
                None if not stable else (int(stable["epochs"]), float(stable["seconds"])),
                0 if search is None else int(search["epochs"]),
            )
        )
    return found
