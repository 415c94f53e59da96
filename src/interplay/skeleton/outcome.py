"""What a trained network leaves in its run folder: scores per sample, the model, the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import nn

from interplay.data.datasets import SkeletonDataset
from interplay.evaluation.calibration import threshold_balanced, threshold_keeping
from interplay.evaluation.classification import as_json, metrics
from interplay.evaluation.scores import Scores
from interplay.skeleton.card import default_card
from interplay.skeleton.datamodule import SkeletonData
from interplay.skeleton.recogniser import SkeletonRecogniser, average
from interplay.skeleton.task import SkeletonTask
from interplay.training.callbacks import RunRecord
from interplay.training.card import CardTexts
from interplay.training.folder import RunFolder
from interplay.training.model_folder import save_whole
from interplay.training.places import data_without_places
from interplay.training.running import history, summary

KEPT = 0.95
"""Share of the known validation clips that the threshold of "none of the known interactions" lets pass."""

DOMAINS: Mapping[str, str] = {
    "playground": "the playground, a simulator; not real recordings",
    "hands": "the playground, a simulator; not real recordings",
}
"""What answers must say of a model that never saw a recording."""


def finish(
    folder: RunFolder,
    recipe: Mapping[str, Any],
    trainer: pl.Trainer,
    record: RunRecord,
    task: SkeletonTask,
    module: SkeletonData,
    dataset: SkeletonDataset,
) -> dict[str, Any]:
    """Score every part, save the model, and write ``result.json`` last.

    The headline is the network after the last epoch (specification of me-GCN, §3.9); the row of the best epoch by the
    monitored metric stands beside it.
    """
    device = trainer.strategy.root_device
    network = task.trained.to(device).eval()
    scores: dict[str, Scores] = {}
    for part in module.parts:
        if part == "train" and not recipe["training"]["score_train"]:
            continue
        scores[part] = _with_tables(score(network, module, part, device, trainer.precision_plugin), dataset)
        scores[part].save(folder.scores(part))
    last = {part: as_json(metrics(found)) for part, found in scores.items() if part != "train" and len(found.labelled)}
    counts = {part: len(rows) for part, rows in module.parts.items()}
    result = summary(f"megcn-{recipe['data']['name']}", recipe, last, record, counts)
    recogniser = recogniser_of(network.cpu(), recipe, module, scores)
    texts = CardTexts(training=history(result, "clips"), results=_results_text(result))
    recogniser.card = default_card(recogniser, texts)
    save_whole(recogniser, folder.model)
    folder.write_result(result)
    return result


def headline(result: Mapping[str, Any]) -> str:
    """One line about a finished run."""
    found = result["metrics"]["last"]
    if not found:
        return "trained; the evaluated clips have no labels, their scores are in the folder"
    texts = [f"{part} top-1 {_percent(values['top1'])}" for part, values in found.items()]
    return f"after the last epoch {', '.join(texts)}"


def score(network: nn.Module, module: SkeletonData, part: str, device: torch.device, precision: Any) -> Scores:
    """Logits of every clip of a part.

    Args:
        network: in evaluation mode, on ``device``.
        module: the clips.
        part: which of them.
        device: of the network.
        precision: Lightning's precision plugin, for its autocast.
    """
    rows, logits = [], []
    with torch.inference_mode(), precision.forward_context():
        for looks in module.iterate(part, device):
            rows.append(looks[0].rows)
            logits.append(average([network(batch.clips) for batch in looks]).cpu())
    index = torch.cat(rows)
    labels = np.asarray(module.cache.labels[index.numpy()])
    return Scores(tuple(module.ids(index)), torch.cat(logits).numpy(), labels, module.cache.classes)


def recogniser_of(
    network: nn.Module, recipe: Mapping[str, Any], module: SkeletonData, scores: Mapping[str, Scores]
) -> SkeletonRecogniser:
    """The trained network with everything it needs to answer.

    The threshold of "none of the known interactions" comes from the validation clips where the data set has any: it
    refuses at most one in twenty of them, and less where clips of no known class show that less is enough.
    """
    cache = module.cache
    rate = cache.frames_per_second
    lengths = cache.lengths[module.parts["train"].numpy()]
    known, strange = scores.get("validation"), scores.get("unknown")
    threshold = None
    if known is not None and len(known):
        threshold = threshold_keeping(known, KEPT).value
        if strange is not None and len(strange):
            threshold = min(threshold, threshold_balanced(known, strange).value)
    name = recipe["data"]["name"]
    recogniser = SkeletonRecogniser(
        networks=[{"streams": list(module.settings.streams), "model": dict(recipe["model"])}],
        classes=list(cache.classes),
        layout=cache.layout.to_dict(),
        input=module.settings.form.to_dict(),
        entity_names=list(cache.entity_names),
        frames_per_second=rate,
        clip_seconds=None if rate is None else (float(np.median(lengths)) / rate, float(lengths.max()) / rate),
        unknown_threshold=threshold,
        data=data_without_places(recipe["data"]),
        domain=DOMAINS.get(name, ""),
        name=f"megcn-{name}",
    )
    recogniser.networks[0].load_state_dict(network.state_dict())
    return recogniser


def _with_tables(scores: Scores, dataset: SkeletonDataset) -> Scores:
    """Assembly101's classes are actions, each with a verb and a noun, and some are frequent."""
    table = getattr(dataset, "table", None)
    if table is None:
        return scores
    scores = replace(scores, verbs=table.verb_of, nouns=table.noun_of)
    lists = dataset.head_and_tail() if hasattr(dataset, "head_and_tail") else None
    if lists is not None:
        scores = replace(scores, head=np.isin(np.arange(len(scores.classes)), lists[0]))
    return scores


def _results_text(result: Mapping[str, Any]) -> dict[str, str]:
    return {f"{part} top-1": _percent(values["top1"]) for part, values in result["metrics"]["last"].items()}


def _percent(value: Mapping[str, Any]) -> str:
    low, high = 100 * value["low"], 100 * value["high"]
    return f"{100 * value['value']:.2f} % (95 % interval {low:.1f}–{high:.1f}, {value['count']} clips)"
