"""A scene-graph model on annotated pictures: figures under a protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from interplay.data.datasets import open_scenes
from interplay.data.scene_statistics import statistics_folder, statistics_of
from interplay.errors import InterplayError
from interplay.evaluation.scene_graph import long_tail_groups, scene_evaluator
from interplay.scene.preparation import collate
from interplay.scene.recogniser import SceneRecogniser
from interplay.scene.task import predicted, truth
from interplay.studies.scene_evaluation import SceneEvaluation, evaluation_of

PROTOCOL_OF: Mapping[str, str] = {"openimages": "openimages", "vrd": "vrd"}
"""Data set → protocol; ``vg`` for all others."""


def evaluate_scene_model(
    recogniser: SceneRecogniser,
    data: Mapping[str, Any],
    part: str = "test",
    protocol: str | None = None,
    *,
    ks: Iterable[int] | None = None,
    relation_nms: str = "none",
    per_pair: Iterable[int] | None = None,
    batch_size: int = 1,
    resamples: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> SceneEvaluation:
    """Answer every picture of a part and count.

    Args:
        recogniser: the model; its task decides what is given to it.
        data: name and settings of the data set, as a recipe's ``data`` section has them.
        part: train, validation or test.
        protocol: vg, openimages or vrd; None for the data set's own.
        ks, relation_nms, per_pair, resamples, seed, progress: as
            :func:`interplay.studies.scene_evaluation.evaluate_scene_predictions` has them.
        batch_size: pictures at a time.

    Raises:
        InterplayError: names that the model does not know, a part that the data set does not have, a setting that the
            protocol does not have.
    """
    settings = dict(data)
    name = str(settings.pop("name"))
    dataset = open_scenes(name, **settings)
    for what in ("classes", "predicates"):
        ours, theirs = getattr(recogniser.vocabulary, what), getattr(dataset.vocabulary, what)
        if ours != theirs:
            raise InterplayError(
                f"{name}: found {len(theirs) - 1} {what}, expected the {len(ours) - 1} that {recogniser.name} knows, "
                "in the same order"
            )
    parts = dataset.parts()
    if part not in parts or not len(parts[part]):
        raise InterplayError(f"{name}: found no part {part!r}, expected one of {', '.join(parts)}")
    groups = None
    if len(parts.get("train", ())):
        counted = statistics_of(dataset, parts["train"], statistics_folder())
        groups = long_tail_groups(counted.foreground.sum((0, 1)))
    chosen = protocol or PROTOCOL_OF.get(name, "vg")
    if per_pair is None and chosen == "vrd":
        per_pair = (1, 10, 70)
    try:
        evaluator = scene_evaluator(
            chosen,  # type: ignore[arg-type]
            len(dataset.vocabulary.predicates),
            recogniser.settings.task,
            ks,
            dataset.zero_shot,
            groups,
            relation_nms,  # type: ignore[arg-type]
            per_pair if chosen == "vrd" else None,
        )
    except ValueError as error:
        raise InterplayError(f"--protocol {chosen}: {error}") from None
    rows = parts[part]
    device = next(recogniser.parameters()).device
    recogniser.eval()
    with torch.inference_mode():
        for start in range(0, len(rows), batch_size):
            images = [dataset.read(int(row)) for row in rows[start : start + batch_size]]
            batch = collate([recogniser.preparation(image) for image in images]).to(device)
            for row, image, scene in zip(rows[start:], images, recogniser.network.answer(batch), strict=False):
                evaluator.update(truth(image), predicted(scene), int(row))
            if progress is not None:
                progress(start + len(images), len(rows))
    return evaluation_of(
        recogniser.name, evaluator, dataset.vocabulary.predicates, resamples, seed, dataset=name, part=part
    )
