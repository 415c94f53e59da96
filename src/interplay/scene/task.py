"""A scene-graph model under Lightning: one step of training, one of evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from interplay.data.scenes import SceneImage
from interplay.evaluation.scene_graph import GroundTruth, Predicted, StreamingEvaluator
from interplay.evaluation.scene_graph.annotated_pairs import AnnotatedPairs
from interplay.scene.datamodule import SceneData
from interplay.scene.model import Maps, SceneGraphModel, Scored
from interplay.scene.preparation import SceneBatch
from interplay.scene.ranking import RankedScene
from interplay.scene.sampling import PairSampling
from interplay.scene.schedule import SceneOptimiser, build_optimiser
from interplay.training.draws import generator
from interplay.training.loss_means import LossMeans

MakesEvaluator = Callable[[], StreamingEvaluator]
FindsMaps = Callable[[SceneBatch], Maps | None]


def relation_loss(scored: Scored) -> dict[str, Tensor]:
    """Every term, unweighted: cross-entropy of relations over all sampled pairs, of entities, and the head's own.

    With ``balanced`` heads a pair without a relation weighs as their output says, and the mean is that of the weights.
    A batch without a scored pair has a relation loss of 0 that still reaches the weights.
    """
    entities, output = scored
    labels = output.pairs.labels
    assert labels is not None
    logits = output.relation_logits.float()
    weight: Tensor | None = None
    counted = float((labels >= 0).sum())
    if output.balanced:
        related, background = float((labels > 0).sum()), float((labels == 0).sum())
        weight = logits.new_ones(logits.shape[1])
        weight[0] = related / max(1.0, background)
        counted = related + float(weight[0]) * background
    relation = functional.cross_entropy(logits, labels, weight, ignore_index=-1, reduction="sum")
    losses = {"relation": relation / max(1.0, counted), **output.losses}
    if output.entity_loss and entities.labels is not None and output.entity_logits.requires_grad:
        losses["entity"] = functional.cross_entropy(output.entity_logits.float(), entities.labels)
    return losses


def truth(image: SceneImage) -> GroundTruth:
    """An annotated picture as the evaluators take it."""
    return GroundTruth(image.boxes, image.labels, image.relations, (image.width, image.height))


def predicted(scene: RankedScene) -> Predicted:
    """A ranked answer as the evaluators take it."""
    return Predicted(
        scene.boxes.cpu().numpy(),
        scene.labels.cpu().numpy(),
        scene.entity_scores.cpu().numpy(),
        scene.pairs.cpu().numpy(),
        scene.predicate_probabilities.cpu().numpy(),
    )


@dataclass(frozen=True, eq=False)
class Counted:
    """A part, answered and counted.

    Args:
        evaluator: of the protocol.
        pairs: what the model says of annotated pairs.
        epoch: after which this was, from 0.
    """

    evaluator: StreamingEvaluator
    pairs: AnnotatedPairs
    epoch: int

    def add(self, truth: GroundTruth, answer: Predicted, row: int) -> None:
        self.evaluator.update(truth, answer, row)
        self.pairs.add(truth, answer, row)


class SceneTask(LossMeans):
    """Sum of the losses of a head; recall of annotated triplets on the evaluated parts.

    Logged per epoch: ``train_loss`` and each of its terms as ``train_TERM``; ``PART_R@50``, ``PART_mR@50`` … for each
    watched part, the names as the evaluator has them.

    Args:
        model: the network.
        optimiser: of the recipe.
        sampling: of training pairs.
        batch: pictures per step over all processes.
        seed: of the run; the pairs of a batch depend on (seed, epoch, picture ids) alone.
        data: the pictures; its watched parts are in the order of the loaders.
        evaluator: makes the evaluator of the protocol.
        maps: finds kept maps of a batch, or None.
    """

    def __init__(
        self,
        model: SceneGraphModel,
        optimiser: SceneOptimiser,
        sampling: PairSampling,
        batch: int,
        seed: int,
        data: SceneData,
        evaluator: MakesEvaluator,
        maps: FindsMaps | None = None,
    ) -> None:
        super().__init__()
        self.model, self.optimiser_settings, self.sampling = model, optimiser, sampling
        self.batch, self.seed, self.data, self.parts = batch, seed, data, data.watched_parts
        self.evaluator, self.find_maps = evaluator, maps
        self.counted: dict[str, Counted] = {}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return build_optimiser(self.model, self.optimiser_settings, self.batch)

    def sample_ids(self, batch: SceneBatch) -> list[str]:
        """Names of the pictures in a batch."""
        return list(batch.ids)

    def _maps(self, batch: SceneBatch) -> Maps | None:
        return None if self.find_maps is None else self.find_maps(batch)

    def training_step(self, batch: SceneBatch, batch_idx: int) -> Tensor:
        draws = generator(self.seed, "pairs", self.current_epoch, *batch.ids)
        cap = self.model.head.max_pairs
        sampling = self.sampling if cap is None else replace(self.sampling, cap=min(cap, self.sampling.cap))
        return self.noted(relation_loss(self.model(batch, self._maps(batch), sampling, draws)))

    def on_validation_epoch_start(self) -> None:
        self.counted = {part: self.counter(self.current_epoch) for part in self.parts}

    def validation_step(self, batch: SceneBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        if not batch.ids:
            return
        counted = self.counted[self.parts[dataloader_idx]]
        for name, scene in zip(batch.ids, self.model.answer(batch, self._maps(batch)), strict=True):
            row = self.data.rows[name]
            counted.add(truth(self.data.image(row)), predicted(scene), row)

    def on_validation_epoch_end(self) -> None:
        for part, counted in self.counted.items():
            whole = self._joined(counted.evaluator)
            found = {f"{part}_{name}": float(value) for name, value in whole.result().metrics.items()}
            self.log_dict({name: value for name, value in found.items() if np.isfinite(value)})

    def counter(self, epoch: int) -> Counted:
        """Nothing counted yet."""
        return Counted(self.evaluator(), AnnotatedPairs(given=self.model.settings.task != "sggen"), epoch)

    def _joined(self, evaluator: StreamingEvaluator) -> StreamingEvaluator:
        """All processes' pictures in one evaluator."""
        if self.trainer.world_size == 1:
            return evaluator
        gathered: list[Any] = [None] * self.trainer.world_size
        torch.distributed.all_gather_object(gathered, evaluator)
        whole = self.evaluator()
        for other in gathered:
            whole.merge(other)
        return whole
