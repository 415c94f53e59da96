"""``interplay evaluate`` for models of videos, and what one hands in for test clips whose labels are withheld."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from interplay.cli.evaluate import data_settings, progress_bar
from interplay.data.something import WITHHELD, SomethingV1, SomethingV2
from interplay.data.something_submission import submit
from interplay.errors import InterplayError
from interplay.loading import load
from interplay.studies.video_evaluation import evaluate_video_models
from interplay.training.allocation import keep_freed_memory
from interplay.video.recogniser import VideoRecogniser
from interplay.video.run import videos_of

if TYPE_CHECKING:
    from interplay.studies.evaluation import Evaluation


def evaluate_videos(first: VideoRecogniser, arguments: argparse.Namespace, overrides: Sequence[str]) -> Evaluation:
    """Score models for videos, the first of which is loaded; of withheld labels, also write what one hands in."""
    keep_freed_memory()
    recognisers = [first]
    for model in arguments.models[1:]:
        other = load(model, device=arguments.device)
        if not isinstance(other, VideoRecogniser):
            raise InterplayError(f"{other.name}: found no model for videos, expected one as {first.name} is")
        recognisers.append(other)
    name, settings, note = data_settings(first.data, arguments.data, arguments.root, overrides)
    if "classes" in settings and not any(word.startswith("--data.classes=") for word in overrides):
        settings["classes"] = list(first.classes)  # a folder that lacks a class must not move the others
    dataset = videos_of({"name": name, **settings})
    with progress_bar(arguments.json) as progress:
        found = evaluate_video_models(
            recognisers,
            dataset,
            settings,
            arguments.part,
            weights=arguments.weights,
            fuse_of=arguments.fuse_of,
            batch_size=min(arguments.batch, 16),
            strict=arguments.strict,
            seed=arguments.seed,
            note=note,
            progress=progress,
        )
    if arguments.out and arguments.part == WITHHELD and isinstance(dataset, SomethingV1 | SomethingV2):
        path = submit(arguments.out, dataset, found.scores.ids, found.scores.logits, found.scores.classes)
        found = replace(found, notes=(*found.notes, f"{path.name} names the best five classes of every test clip"))
    return found
