"""Graph R-CNN: relation proposals and an attentional graph network (Yang et al., ECCV 2018; spec §B.2)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import Vocabulary
from interplay.scene.frequency import FrequencyBias
from interplay.scene.heads.attentional_graph import GraphStep, Messages, Neighbours
from interplay.scene.heads.entity_labels import known_or
from interplay.scene.heads.interface import HeadOutput, RelationHead
from interplay.scene.heads.pairwise_features import EdgeFeatures, PairwiseFeatures
from interplay.scene.heads.relation_proposal import RelationProposal, best_pairs, two_layers
from interplay.scene.refinement import best_labels
from interplay.scene.structures import Entities, Pairs, Task, UnionFeatures
from interplay.scene.word_vectors import WordVectors


class GraphRCNN(RelationHead):
    """Propose pairs, pass messages among features, classify, pass messages among scores.

    ``e⁰, p⁰ = W ReLU(W ·)`` of the entity and pair features; ``feature_steps`` exchanges
    (:class:`~interplay.scene.heads.attentional_graph.GraphStep`); ``scores = W ReLU(·)``; ``score_steps`` exchanges of
    the O and P scores; a last linear layer each, plus the frequency table.

    Args:
        vocabulary, statistics, task, vectors, entity_width, union_width: as for every head.
        messages: ``attention`` (paper, PySGG), or ``mean`` as the original release: x and u enter without
            :class:`~interplay.scene.heads.pairwise_features.PairwiseFeatures`, no ReLU before the scores, and no last
            linear layer.
        pooling, feature_hidden, label_dim, edge_features: of the pairwise features.
        hidden: width of e and p.
        feature_steps, score_steps: exchanges at each level, weights shared over them.
        heads: of the attention among features; among scores it has one.
        keep_pairs: pairs per image that :meth:`propose` keeps, positives first in training; None keeps all.
        entity_neighbours: entities hear ``all`` others of the image (original), or those that they share a pair with
            (PySGG).
        only_objects_updated: an entity that is the object of no pair does not change, as in PySGG.
        predicate_copy: predicates add a copy of themselves at the feature level, as in PySGG by a slip.
        frequency_bias: add the frequency table.
        background_weight: "ratio" weighs the background of the relations' cross-entropy by related over unrelated
            pairs of the batch, as the original release; None: as every predicate.

    Where we differ: messages reach predicates at the feature level; every entity is updated; PredCls works.
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
        messages: Messages = "attention",
        pooling: int = 4096,
        feature_hidden: int = 512,
        label_dim: int = 200,
        edge_features: EdgeFeatures = "fusion",
        hidden: int = 1024,
        feature_steps: int = 2,
        score_steps: int = 2,
        heads: int = 4,
        keep_pairs: int | None = 256,
        entity_neighbours: Literal["all", "pairs"] = "all",
        only_objects_updated: bool = False,
        predicate_copy: bool = False,
        frequency_bias: bool = True,
        background_weight: Literal["ratio"] | None = None,
    ) -> None:
        super().__init__()
        if min(feature_steps, score_steps) < 1:
            raise ValueError(f"feature_steps, score_steps: found {feature_steps}, {score_steps}, expected 1 or more")
        if keep_pairs is not None and keep_pairs < 1:
            raise ValueError(f"keep_pairs: found {keep_pairs}, expected 1 or more, or None")
        classes, predicates = len(vocabulary.classes), len(vocabulary.predicates)
        self.task: Task = task
        self.keep_pairs, self.feature_steps, self.score_steps = keep_pairs, feature_steps, score_steps
        self.entity_neighbours: Literal["all", "pairs"] = entity_neighbours
        self.only_objects_updated = only_objects_updated
        self.proposal = RelationProposal(classes, task) if keep_pairs is not None else None
        self.features: PairwiseFeatures | None = None
        widths = entity_width, union_width
        if messages == "attention":
            widths = pooling, pooling
            self.features = PairwiseFeatures(
                vocabulary, task, vectors, entity_width, union_width, feature_hidden, pooling, label_dim, edge_features
            )
        self.entity_in, self.predicate_in = (two_layers(width, hidden, hidden) for width in widths)
        self.feature_graph = GraphStep(hidden, hidden, messages, heads, predicate_copy)
        before = nn.ReLU if messages == "attention" else nn.Identity
        self.entity_scores = nn.Sequential(before(), nn.Linear(hidden, classes))
        self.predicate_scores = nn.Sequential(before(), nn.Linear(hidden, predicates))
        self.score_graph = GraphStep(classes, predicates, messages, 1)
        self.refines = task != "predcls"
        last = messages == "attention"
        self.classify_entity = (nn.Linear(classes, classes) if last else nn.Identity()).requires_grad_(self.refines)
        self.classify = nn.Linear(predicates, predicates) if last else nn.Identity()
        table = torch.from_numpy(statistics.frequency_table())
        self.frequency = FrequencyBias(table) if frequency_bias else None
        self.balanced = background_weight == "ratio"

    def propose(self, x: Float[Tensor, "entity width"], entities: Entities, pairs: Pairs) -> Pairs:
        """The ``keep_pairs`` pairs of each image that look most related; in training positives come before others."""
        del x
        if self.proposal is None or self.keep_pairs is None or max(pairs.counts, default=0) <= self.keep_pairs:
            return pairs
        with torch.no_grad():
            scores = self.proposal.of_pairs(entities, pairs.index).sigmoid()
        if self.training and pairs.labels is not None:
            scores = scores + 2 * (pairs.labels > 0)
        return pairs.chosen(best_pairs(scores, pairs, self.keep_pairs))

    def start(
        self, x: Float[Tensor, "entity width"], union: UnionFeatures, entities: Entities, pairs: Pairs
    ) -> tuple[Float[Tensor, "entity hidden"], Float[Tensor, "pair hidden"]]:
        """e⁰ and p⁰; the wide pair features live a chunk at a time."""
        if self.features is None:
            return self.entity_in(x), union.map(lambda features, rows: self.predicate_in(features))
        extract = self.features
        a, ends = extract.entities(x, entities, extract.labels(entities))

        def embed(features: Tensor, rows: slice) -> Tensor:
            embedded: Tensor = self.predicate_in(extract.pairs(ends, features, entities, pairs, rows))
            return embedded

        return self.entity_in(a), union.map(embed)

    def exchange(
        self, entity: Float[Tensor, "entity hidden"], predicate: Float[Tensor, "pair hidden"], neighbours: Neighbours
    ) -> tuple[list[tuple[Tensor, Tensor]], list[tuple[Tensor, Tensor]]]:
        """(e, p) of the feature level and of the score level, before the first and after every exchange."""
        features = [(entity, predicate)]
        for _ in range(self.feature_steps):
            features.append(self.feature_graph(*features[-1], neighbours))
        entity, predicate = features[-1]
        scores = [(self.entity_scores(entity), self.predicate_scores(predicate))]
        for _ in range(self.score_steps):
            scores.append(self.score_graph(*scores[-1], neighbours))
        return features, scores

    def forward(
        self, x: Float[Tensor, "entity width"], union: UnionFeatures, entities: Entities, pairs: Pairs
    ) -> HeadOutput:
        neighbours = Neighbours.find(entities, pairs, self.entity_neighbours, self.only_objects_updated)
        entity, predicate = self.exchange(*self.start(x, union, entities, pairs), neighbours)[1][-1]
        entity_logits = self.classify_entity(entity) if self.refines else entities.logits
        labels = known_or(best_labels(entity_logits.detach()), entities, self.task, self.training)
        logits = self.classify(predicate)
        if self.frequency is not None:
            logits = logits + self.frequency(labels[pairs.subject], labels[pairs.object])
        losses = {}
        if self.training and self.proposal is not None and pairs.labels is not None:
            losses["relation_proposal"] = self.proposal.loss(entities, pairs)
        return HeadOutput(entity_logits, logits, labels, pairs, losses, self.refines, self.balanced)
