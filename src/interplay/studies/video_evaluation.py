"""Models for videos on a data set: five clips a video, the numbers and the protocol behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.data.videos import VideoClip, VideoDataset
from interplay.errors import InterplayError
from interplay.evaluation.scores import UNKNOWN, Scores, fuse
from interplay.studies.evaluation import Evaluation, FuseOf, match_labels, numbers, say_what_is_drawn
from interplay.training.places import data_without_places
from interplay.video.preparation import proposals_of
from interplay.video.recogniser import VideoRecogniser


def evaluate_video_models(
    recognisers: Sequence[VideoRecogniser],
    dataset: VideoDataset,
    settings: Mapping[str, Any],
    part: str = "test",
    *,
    weights: Sequence[float] | None = None,
    fuse_of: FuseOf = "logits",
    batch_size: int = 8,
    strict: bool = False,
    seed: int = 0,
    note: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score a part of a data set of videos; several models are fused by video.

    A video's logits are the mean over its test clips, which are those of the model's own run: so many, drawn by the
    run's (seed, video, number of the clip) or spread, with the boxes and the thinning of that run. Labels are matched
    by class name: a video whose class the model does not know is scored but has no label. A video that cannot be read
    is skipped and named.

    Args:
        settings: of the data set, for the protocol.
        part: as the data set has them, or ``all``.
        batch_size: clips at a time.
        strict: a video that cannot be used is an error.
        seed: of the bootstrap intervals.
        note: what the reader has to know besides.
        progress: called with (videos done, videos in all).

    Raises:
        InterplayError: models with different classes, no such part, nothing to score, or (strict) a bad video.
    """
    first = recognisers[0]
    for other in recognisers[1:]:
        if other.classes != first.classes:
            raise InterplayError(f"{other.name}: found other classes than those of {first.name}, expected the same")
    parts = dataset.parts()
    if part != "all" and part not in parts:
        raise InterplayError(f"{dataset.name}: found no part {part!r}, expected one of {', '.join(parts)}, all")
    rows = np.arange(len(dataset)) if part == "all" else np.asarray(parts[part])
    label_of, strange = match_labels(dataset.classes, first.classes)
    skipped: list[str] = []
    ids: list[str] = []
    used: list[int] = []
    labels: list[int] = []
    logits: list[list[NDArray[np.float32]]] = [[] for _ in recognisers]
    kinds: set[str] = set()
    replaced = 0
    for row in map(int, rows):
        try:
            clip = dataset.read(row)
            found = [_logits(one, clip, batch_size) for one in recognisers]
            replaced += len(clip.source.replaced)
        except InterplayError as error:
            if strict:
                raise
            skipped.append(str(error))
        else:
            ids.append(clip.id)
            used.append(row)
            labels.append(UNKNOWN if clip.label < 0 else int(label_of[clip.label]))
            kinds.update(proposals_of(clip, one.test_proposals, one.preparation.boxes).kind for one in recognisers)
            for kept, one_logits in zip(logits, found, strict=True):
                kept.append(one_logits)
        if progress is not None:
            progress(len(ids) + len(skipped), len(rows))
    if not ids:
        cause = f"; the first problem: {skipped[0]}" if skipped else ""
        raise InterplayError(f"{dataset.name}: part {part!r} has no video that can be scored{cause}")
    known = np.array(labels, np.int64)
    sources = None if dataset.groups is None else tuple(dataset.groups[row] for row in used)
    single = [Scores(tuple(ids), np.stack(one_rows), known, first.classes, sources=sources) for one_rows in logits]
    scores = single[0] if len(single) == 1 else fuse(single, weights, fuse_of)
    notes = [*_domain(recognisers, dataset), *_notes(first, kinds, strange, skipped, replaced, note)]
    found_numbers = numbers(scores, seed)
    if not found_numbers:
        notes.append("no video has a known label: there are scores, but no metrics")
    protocol: dict[str, Any] = {
        "data": {key: _plain(value) for key, value in data_without_places({"name": dataset.name, **settings}).items()},
        "part": part,
        "models": [
            {
                "name": one.name,
                "graph": one.network.model.graph,
                "clips": one.test_count,
                "test_clips": one.test_clips,
                "test_seed": one.test_seed,
                "proposals": one.test_proposals,
                "kept_frames": one.kept_frames,
                "kept_short": one.kept_short,
            }
            for one in recognisers
        ],
        "proposals": sorted(kinds),
        "intervals": {"confidence": 0.95, "bootstrap_seed": seed, "resamples": 1000},
    }
    notes += say_what_is_drawn(scores, protocol)
    if len(single) > 1:
        protocol["fusion"] = {"of": fuse_of, "weights": list(weights) if weights else [1.0] * len(single)}
    name = " + ".join(one.name for one in recognisers)
    return Evaluation(name, dataset.name, scores, found_numbers, protocol, {}, tuple(notes), tuple(skipped), seed)


def _logits(recogniser: VideoRecogniser, clip: VideoClip, batch_size: int) -> NDArray[np.float32]:
    """Mean logits of the test clips of a video."""
    reader = recogniser.tested(clip)
    clips = [
        recogniser.prepared(clip.id, reader, recogniser.frames_of(clip.id, reader.frame_count, number))
        for number in range(recogniser.test_count)
    ]
    rows = [
        recogniser.outputs(clips[start : start + batch_size]).logits.numpy()
        for start in range(0, len(clips), batch_size)
    ]
    return np.asarray(np.concatenate(rows).mean(0), np.float32)


def _domain(recognisers: Sequence[VideoRecogniser], dataset: VideoDataset) -> Iterator[str]:
    """Which models never saw a camera's video and are scored on something else than they were trained on."""
    for one in recognisers:
        if one.domain and dataset.name != one.data.get("name"):
            yield f"{one.name} was {one.domain}"


def _notes(
    recogniser: VideoRecogniser,
    kinds: set[str],
    strange: Sequence[str],
    skipped: Sequence[str],
    replaced: int,
    note: str,
) -> Iterator[str]:
    yield f"proposals: {', '.join(sorted(kinds))}; the model was trained with {recogniser.proposals}"
    if strange:
        yield f"classes that the model does not know, left out of the metrics: {', '.join(strange)}"
    if skipped:
        yield f"{len(skipped)} videos could not be used; the first: {skipped[0]}"
    if replaced:
        yield f"{replaced} broken frames were replaced by their neighbours"
    if note:
        yield note


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | dict) or value is None else str(value)
