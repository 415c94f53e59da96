"""What a trained model leaves in its run folder: scores, structures, the model, the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from interplay.errors import InterplayError
from interplay.evaluation.classification import as_json, metrics
from interplay.evaluation.scores import Scores
from interplay.training.callbacks import RunRecord
from interplay.training.card import CardTexts
from interplay.training.folder import RunFolder
from interplay.training.model_folder import save_whole
from interplay.training.places import data_without_places
from interplay.training.running import history, summary
from interplay.video.card import default_card
from interplay.video.datamodule import VideoData
from interplay.video.network import AGOS
from interplay.video.preparation import VideoBatch
from interplay.video.recogniser import VideoRecogniser
from interplay.video.structure import Structure

if TYPE_CHECKING:
    from interplay.video.run import Sections

DOMAINS: Mapping[str, str] = {
    "playground_videos": "trained on the playground (simulated) only: what it says of a real video means nothing",
}
"""What answers must say of a model that never saw a camera's video."""
TIMED = 200
"""Training videos whose duration is looked up, about."""


@dataclass(frozen=True)
class Structures:
    """Structures of some clips, from the deterministic clip of each video.

    Args:
        ids: of the clips.
        labels: int64 (N,), −1 where unknown.
        choices: int64 (N, E), places in the space.
        weights: float32 (N, E, O), α.
        space, supernodes: of the model.
        operations: names of the O candidates.
    """

    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    choices: NDArray[np.int64]
    weights: NDArray[np.float32]
    space: str
    supernodes: int
    operations: tuple[str, ...]

    def save(self, path: Path) -> None:
        """``structures-PART.npz`` of a run folder; nothing in it is pickled."""
        np.savez_compressed(
            path,
            ids=np.array(self.ids, np.str_),
            labels=self.labels,
            choices=self.choices.astype(np.int8),
            weights=self.weights,
            space=np.array(self.space),
            supernodes=np.array(self.supernodes),
            operations=np.array(self.operations, np.str_),
        )

    @classmethod
    def load(cls, path: Path) -> Structures:
        """What :meth:`save` wrote. InterplayError where it cannot be read."""
        try:
            with np.load(path, allow_pickle=False) as held:
                return cls(
                    tuple(held["ids"].tolist()),
                    held["labels"].astype(np.int64),
                    held["choices"].astype(np.int64),
                    held["weights"],
                    str(held["space"]),
                    int(held["supernodes"]),
                    tuple(held["operations"].tolist()),
                )
        except FileNotFoundError:
            raise
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise InterplayError(f"{path}: found no structures that can be read: {error}") from None

    def most_frequent(self) -> Structure:
        """The structure of the most clips; of several, the one with the smallest code."""
        counted = Counter(map(tuple, self.choices.tolist()))
        made = {row: Structure.from_indices(row, self.space, self.supernodes) for row in counted}  # type: ignore[arg-type]
        return made[min(counted, key=lambda row: (-counted[row], made[row].code()))]


@torch.no_grad()
def scored(
    network: AGOS, data: VideoData, part: str, device: torch.device, forced: Structure | None = None
) -> tuple[Scores, Scores | None]:
    """Test clips of every video of a part: the mean of their logits, by id (specification §7, A23).

    Args:
        network: in evaluation mode, on ``device``.
        forced: also the scores with this structure for every clip ("only testing", Table 1), from the same maps.
    """
    total: dict[str, list[Tensor]] = {}
    labels: dict[str, int] = {}
    for number in range(data.settings.test_count):
        for batch in data.iterate(part, test=number):
            moved = batch.to(device)
            features = network.backbone_features(moved.clips()).float()
            answers = [network(None, moved.boxes, features=features).logits.float().cpu()]
            if forced is not None:
                answers.append(network(None, moved.boxes, features=features, structures=[forced]).logits.float().cpu())
            for row, name in enumerate(batch.ids):
                logits = torch.stack([answer[row] for answer in answers])
                total.setdefault(name, []).append(logits)
                labels[name] = int(batch.labels[row])
    ids = tuple(total)
    means = torch.stack([torch.stack(total[name]).mean(0) for name in ids]).numpy()
    known = np.array([labels[name] for name in ids], np.int64)
    classes, groups = data.dataset.classes, data.dataset.groups
    source = {} if groups is None else dict(zip(data.dataset.ids, groups, strict=True))
    sources = tuple(source[name] for name in ids) if source else None
    own, *others = (Scores(ids, means[:, row], known, classes, sources=sources) for row in range(means.shape[1]))
    return own, others[0] if others else None


@torch.no_grad()
def structures(network: AGOS, batches: Iterable[VideoBatch], device: torch.device) -> Structures:
    """Structures of clips, as :meth:`VideoData.iterate` and :meth:`VideoData.chosen` give them."""
    ids: list[str] = []
    labels: list[int] = []
    weights: list[Tensor] = []
    for batch in batches:
        moved = batch.to(device)
        features = moved.features if moved.features is not None else network.backbone_features(moved.clips()).float()
        weights.append(network.weights(features).detach().float().cpu())
        ids += batch.ids
        labels += batch.labels.tolist()
    joined = torch.cat(weights)
    return Structures(
        tuple(ids),
        np.array(labels, np.int64),
        network.choose(joined).numpy(),
        joined.numpy(),
        network.model.space,
        network.model.supernodes,
        tuple(network.space),
    )


def finish(
    folder: RunFolder,
    recipe: Mapping[str, Any],
    network: AGOS,
    data: VideoData,
    device: torch.device,
    stages: Sequence[Mapping[str, Any]],
    sections: Sections,
) -> dict[str, Any]:
    """Test every evaluated part, keep scores and structures, save the model, and write ``result.json`` last.

    The headline is the mean of the test clips' logits after the last stage; ``only_testing`` stands beside it: the
    same model with the structure most frequent on all training videos for every clip (Table 1; A29).
    """
    network = network.to(device).eval()
    data.use(sections.input.batch_size)
    found: dict[str, Structures] = {}
    if network.structure_parameters():
        for part in ("train", *data.evaluation_parts):
            found[part] = structures(network, data.iterate(part), device)
        for part, one in found.items():
            one.save(folder.path / f"structures-{part}.npz")
    frequent = found["train"].most_frequent() if found else None
    last: dict[str, Any] = {}
    only: dict[str, Any] = {}
    asked = [*data.evaluation_parts, *(["train"] if sections.training.score_train else [])]
    for part in asked:
        scores, forced = scored(network, data, part, device, frequent)
        scores.save(folder.scores(part))
        if part != "train":
            last[part] = as_json(metrics(scores))
        if forced is not None:
            forced.save(folder.path / f"scores-{part}-only-testing.npz")
            if part != "train":
                only[part] = as_json(metrics(forced))
    rows = [{"stage": stage["stage"], **row} for stage in stages for row in stage["rows"]]
    folder.write_metrics(rows)
    record = RunRecord(folder, "validation_loss" if "validation" in data.evaluation_parts else "train_loss")
    record.rows = rows
    counts = {part: len(part_rows) for part, part_rows in data.parts.items()}
    name = "-".join(["agos", *([] if sections.model.graph == "agos" else [sections.model.graph]), data.dataset.name])
    result = summary(name, recipe, last, record, counts)
    told = ("rows", "classes", "backbone", "input")
    result["stages"] = [{key: value for key, value in stage.items() if key not in told} for stage in stages]
    result["structures"] = {
        part: {"clips": len(one.ids), "distinct": len({tuple(row) for row in one.choices.tolist()})}
        for part, one in found.items()
    }
    if frequent is not None:
        result["metrics"]["only_testing"] = only
        result["structures"]["most_frequent"] = frequent.to_json()
    result["proposals"] = data.boxes_used()
    result["unreadable"], result["replaced"] = dict(data.unreadable), dict(data.replaced)
    recogniser = VideoRecogniser.of(
        network.cpu(),
        data,
        data_without_places(recipe["data"]),
        DOMAINS.get(recipe["data"]["name"], ""),
        name,
        frequent,
        durations(data),
    )
    texts = CardTexts(training=told_of_training(result), results=_results_text(result))
    recogniser.card = default_card(recogniser, texts)
    save_whole(recogniser, folder.model)
    folder.write_result(result)
    return result


def durations(data: VideoData) -> tuple[float, float] | None:
    """(median, longest) duration of training videos in seconds; None where nobody knows."""
    rows = data.parts["train"].tolist()
    if data.kept is not None:
        found = [data.kept.seconds[row] for row in rows if row in data.kept.seconds]
    else:
        found = []
        for row in rows[:: max(1, len(rows) // TIMED)]:
            try:
                source = data.dataset.read(row).source
                if source.frames_per_second:
                    found.append(source.frame_count / source.frames_per_second)
            except InterplayError:
                continue  # it was named when its batch was made
    return (float(np.median(found)), max(found)) if found else None


def boxes_text(used: Mapping[str, int] | str | None) -> str:
    """``result["proposals"]`` in words: ``annotated 900 clips, grid 12 clips``; older runs say one kind."""
    if used is None or isinstance(used, str):
        return used or "not said"
    return ", ".join(f"{kind} {count:,} clip{'' if count == 1 else 's'}" for kind, count in used.items())


def told_of_training(result: Mapping[str, Any]) -> str:
    """What the model card says of the training."""
    return f"{history(result, 'clips')} Boxes: {boxes_text(result['proposals'])}."


def headline(result: Mapping[str, Any]) -> str:
    """One line about a finished run."""
    found = result["metrics"]["last"]
    if not found:
        return "trained; there are no clips with labels to test it on"
    texts = [f"{part} top-1 {_percent(values['top1'])}" for part, values in found.items()]
    unread = f"; {len(result['unreadable'])} clips could not be read" if result["unreadable"] else ""
    return f"after stage {result['stages'][-1]['stage']}, {', '.join(texts)}{unread}"


def _results_text(result: Mapping[str, Any]) -> dict[str, str]:
    return {f"{part} top-1": _percent(values["top1"]) for part, values in result["metrics"]["last"].items()}


def _percent(value: Mapping[str, Any]) -> str:
    low, high = 100 * value["low"], 100 * value["high"]
    return f"{100 * value['value']:.2f} % (95 % interval {low:.1f}–{high:.1f}, {value['count']} clips)"
