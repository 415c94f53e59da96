"""BGNN: bipartite graph network with adaptive message propagation (Li et al., CVPR 2021; spec §B.6)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import Vocabulary
from interplay.scene.frequency import FrequencyBias
from interplay.scene.heads.bipartite_graph import BipartiteGraph, Edges, Skip
from interplay.scene.heads.interface import HeadOutput, RelationHead
from interplay.scene.heads.pairwise_features import EdgeFeatures, PairwiseFeatures, encoded_boxes, spread_linear
from interplay.scene.heads.relation_confidence import Recalibration, RelationConfidence, confidence_loss
from interplay.scene.structures import Entities, Pairs, Task, UnionFeatures
from interplay.scene.word_vectors import WordVectors


class BGNN(RelationHead):
    """Relations that look unlikely speak less to their entities; the estimate is refined over S stages.

    Stage s: ``confidence logits_s = RCE_s(p of the stage before)`` → ``s′ = clamp(α σ(bin) − α β, 0, 1)`` →
    T iterations of :class:`~interplay.scene.heads.bipartite_graph.MessagePassing` from (e⁰, p⁰). Relation logits =
    ``W p + frequency`` of the last stage. Each stage has a focal loss
    (:func:`~interplay.scene.heads.relation_confidence.confidence_loss`).

    Args:
        vocabulary, statistics, task, vectors, entity_width, union_width: as for every head.
        pooling: width of the features from :class:`~interplay.scene.heads.pairwise_features.PairwiseFeatures`.
        feature_hidden: hidden width of those features.
        hidden: width of the graph.
        confidence_hidden: width inside the confidence estimators.
        label_dim: numbers per class name.
        gate_width: C of the gates.
        iterations: T.
        stages: S.
        restart_each_stage: start every stage from (e⁰, p⁰) as released, or go on from the stage before.
        skip: an image in which no pair is confident enough keeps (e⁰, p⁰). ``batch``: only if no pair of the whole
            batch is, as released; then an image's answer depends on its neighbours in the batch.
        pretraining_steps: training steps in which the graph is passed by.
        refine_entities: classify entities anew from their last features (SGCls, SGGen).
        edge_features: see :class:`~interplay.scene.heads.pairwise_features.PairwiseFeatures`.
        frequency_bias: add the frequency table.

    Where we differ: ``skip`` is per image; an image with exactly one pair, or none, passes; without ``refine_entities``
    the last iteration has no weights towards the entities, which nobody would read. Pairs labelled −1 are left out of
    the confidence losses (the release gives these losses the labels from before instances were dropped).
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        statistics: SceneStatistics,
        task: Task,
        *,
        vectors: WordVectors | None = None,
        entity_width: int = 4096,
        union_width: int = 4096,
        pooling: int = 2048,
        feature_hidden: int = 512,
        hidden: int = 512,
        confidence_hidden: int = 512,
        label_dim: int = 200,
        gate_width: int = 128,
        iterations: int = 3,
        stages: int = 3,
        restart_each_stage: bool = True,
        skip: Skip = "image",
        pretraining_steps: int = 2000,
        refine_entities: bool = False,
        edge_features: EdgeFeatures = "fusion",
        frequency_bias: bool = True,
    ) -> None:
        super().__init__()
        if min(iterations, stages) < 1:
            raise ValueError(f"iterations, stages: found {iterations}, {stages}, expected 1 or more")
        classes, predicates = len(vocabulary.classes), len(vocabulary.predicates)
        self.restart_each_stage, self.skip, self.pretraining_steps = restart_each_stage, skip, pretraining_steps
        self.task: Task = task
        self.features = PairwiseFeatures(
            vocabulary, task, vectors, entity_width, union_width, feature_hidden, pooling, label_dim, edge_features
        )
        self.confidence = nn.ModuleList(
            RelationConfidence(vocabulary, vectors, hidden if stage else pooling, confidence_hidden, label_dim)
            for stage in range(stages)
        )
        self.recalibration = Recalibration()
        self.refines = refine_entities and task != "predcls"
        going_on = not restart_each_stage and stages > 1
        entity_result = refine_entities or going_on
        self.graph = BipartiteGraph(pooling, hidden, iterations, gate_width, entity_result)
        self.classify_entity = spread_linear(hidden, classes) if refine_entities else None
        if self.classify_entity is not None and not self.refines:
            self.classify_entity.requires_grad_(False)
            self.graph.train_last_entities(going_on)
        self.classify = spread_linear(hidden, predicates)
        table = torch.from_numpy(statistics.frequency_table())
        self.frequency = FrequencyBias(table) if frequency_bias else None
        self.steps: Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def _passed_by(self) -> bool:
        """Whether this training step still belongs to the pre-training; counts training steps."""
        if not self.training:
            return False
        self.steps += 1
        return int(self.steps) <= self.pretraining_steps

    def start(
        self, x: Float[Tensor, "entity width"], union: UnionFeatures, entities: Entities, pairs: Pairs
    ) -> tuple[Float[Tensor, "entity hidden"], Float[Tensor, "pair hidden"], Float[Tensor, "pair seen"]]:
        """e⁰, p⁰ and what the first confidence estimator sees; the wide pair features live a chunk at a time."""
        a, ends = self.features.entities(x, entities, self.features.labels(entities))
        first = self.confidence[0]
        assert isinstance(first, RelationConfidence)

        def compress(features: Tensor, rows: slice) -> Tensor:
            p = self.features.pairs(ends, features, entities, pairs, rows)
            return torch.cat([self.graph.start_pairs(p), first.see(p)], dim=1)

        hidden = self.graph.predicate_in.out_features
        p0, seen = union.map(compress).tensor_split([hidden], dim=1)
        return self.graph.start(a), p0, seen

    def forward(
        self, x: Float[Tensor, "entity width"], union: UnionFeatures, entities: Entities, pairs: Pairs
    ) -> HeadOutput:
        labels = self.features.labels(entities)
        first_entity, first_pair, seen = self.start(x, union, entities, pairs)
        encoded = encoded_boxes(entities)
        scores = entities.scores if entities.scores is not None else torch.ones_like(x[:, 0])
        passed_by = self._passed_by()
        entity, predicate = first_entity, first_pair
        losses: dict[str, Tensor] = {}
        for stage, estimate in enumerate(self.confidence):
            assert isinstance(estimate, RelationConfidence)
            logits = estimate(estimate.see(predicate) if stage else seen, encoded, entities, pairs)
            if self.training and pairs.labels is not None:
                losses[f"relation_confidence_{stage}"] = confidence_loss(logits, pairs.labels)["loss"]
            if passed_by:
                continue
            edges = Edges.choose(self.recalibration(logits[:, -1].sigmoid()), scores, entities, pairs, self.skip)
            if self.restart_each_stage:
                entity, predicate = first_entity, first_pair
            entity, predicate = self.graph(entity, predicate, edges, pairs)[-1]
        relation_logits = self.classify(predicate)
        if self.frequency is not None:
            relation_logits = relation_logits + self.frequency(labels[pairs.subject], labels[pairs.object])
        entity_logits = entities.logits
        if self.refines and self.classify_entity is not None:
            entity_logits = self.classify_entity(entity)
        return HeadOutput(entity_logits, relation_logits, labels, pairs, losses, entity_loss=self.refines)
