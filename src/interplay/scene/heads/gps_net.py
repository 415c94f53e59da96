"""GPS-Net: graph property sensing network (Lin et al., CVPR 2020; spec §B.5)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import Vocabulary
from interplay.scene.encodings import PositionEmbedding, encode_boxes
from interplay.scene.frequency import FrequencyBias
from interplay.scene.heads.direction_aware import DirectionAwareGraph, Missing, Normalisation
from interplay.scene.heads.entity_labels import known_or
from interplay.scene.heads.interface import HeadOutput, RelationHead
from interplay.scene.heads.node_priority_loss import node_priority_loss
from interplay.scene.heads.pairwise_features import POSITION, LabelEmbedding
from interplay.scene.refinement import best_labels
from interplay.scene.structures import Entities, Pairs, Task, UnionFeatures
from interplay.scene.word_vectors import WordVectors

HELD = 2**26
"""Numbers of union features that are kept between two passes over them; more are made a second time."""

BOX = 5


def sinus_table(classes: int, dim: int) -> Float[Tensor, "class dim"]:
    """``sin(kω) + cos(kω)``, ω = linspace(−π, π, dim), k = class + 1: almost orthogonal rows, not trained."""
    angle = torch.arange(1, classes + 1, dtype=torch.float64)[:, None] * torch.linspace(
        -torch.pi, torch.pi, dim, dtype=torch.float64
    )
    return (angle.sin() + angle.cos()).float()


class GPSNet(RelationHead):
    """Messages that know their direction, entities that matter named first, a softened prior of predicates.

    (1) ``f_i = W [x; pos; belief embedding]``, ``e_ij = W u_ij``; (2) layers of
    :class:`~interplay.scene.heads.direction_aware.DirectionAwarePassing`; (3) entity logits = ``W f`` with the
    :mod:`node priority loss <interplay.scene.heads.node_priority_loss>`;
    (4) ``z = W [x; sinus embedding of the class; x1/W, y1/H, x2/W, y2/H, wh/(WH)]`` with own weights for subject and
    object, ``logits = W (u ∘ (z_s ∘ z_o))``; (5) ``logits += d ∘ p̃``, d = W_d u, p̃ = log-softmax of the raw
    frequencies, a trainable table.

    Args:
        vocabulary, statistics, task, vectors, entity_width, union_width: as for every head.
        hidden: width of f and e.
        value, bottleneck: inner widths of message passing.
        layers: of message passing.
        label_dim: of the belief embedding and of the sinus embedding.
        normalisation, missing: see DirectionAwarePassing.
        fusion: z_s and z_o meet as a ``product`` (released), or as ``ReLU(z_s + z_o) − (z_s − z_o)²`` (paper).
        refined_in_relations: z sees f after message passing, too. Without it messages change the names of entities
            only, and PredCls, where names are given, has no message passing.
        bias_adapt: scale p̃ by d (paper); else it is added as it is (released).
        frequency_bias: add the softened table at all.
        node_priority: False trains entities with plain cross-entropy.

    Where we differ: finite for an image with one entity, without pairs, or without relations.

    With refined labels or ``refined_in_relations`` union features are needed before and after message passing: they are
    kept if they have at most :data:`HELD` numbers or came in one chunk anyway, else made twice.
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
        hidden: int = 512,
        value: int = 256,
        bottleneck: int = 128,
        layers: int = 2,
        label_dim: int = 200,
        normalisation: Normalisation = "corrected",
        missing: Missing = "absent",
        fusion: Literal["product", "difference"] = "product",
        refined_in_relations: bool = False,
        bias_adapt: bool = True,
        frequency_bias: bool = True,
        node_priority: bool = True,
    ) -> None:
        super().__init__()
        classes, predicates = len(vocabulary.classes), len(vocabulary.predicates)
        self.task: Task = task
        self.fusion, self.refined_in_relations, self.node_priority = fusion, refined_in_relations, node_priority
        self.refines = task != "predcls"
        self.passes = self.refines or refined_in_relations
        self.belief_embedding = LabelEmbedding(vocabulary, label_dim, vectors)
        self.position = PositionEmbedding()
        self.entity_in = nn.Linear(entity_width + POSITION + label_dim, hidden)
        self.edge_in = nn.Linear(union_width, hidden)
        self.graph = DirectionAwareGraph(layers, hidden, value, bottleneck, normalisation, missing)
        for part in (self.belief_embedding, self.position, self.entity_in, self.edge_in, self.graph):
            part.requires_grad_(self.passes)
        self.classify_entity = nn.Linear(hidden, classes).requires_grad_(self.refines)
        self.sinus: Tensor
        self.register_buffer("sinus", sinus_table(classes, label_dim), persistent=False)
        seen = entity_width + label_dim + BOX + (hidden if refined_in_relations else 0)
        self.subject, self.object = nn.Linear(seen, union_width), nn.Linear(seen, union_width)
        self.classify = nn.Linear(union_width, predicates)
        for layer in (self.subject, self.object, self.classify):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.frequency = FrequencyBias(torch.from_numpy(statistics.softened_table())) if frequency_bias else None
        self.adapt = nn.Linear(union_width, predicates) if frequency_bias and bias_adapt else None
        if self.adapt is not None:
            nn.init.ones_(self.adapt.bias)  # starts near the prior as it is

    def refined(
        self, x: Float[Tensor, "entity width"], union: UnionFeatures, entities: Entities, pairs: Pairs
    ) -> Float[Tensor, "entity hidden"]:
        """f after message passing."""
        position = self.position(encode_boxes(entities.boxes, entities.sizes[entities.image]))
        f = self.entity_in(torch.cat([x, position, self.belief_embedding.expected(entities.logits)], dim=1))
        e = union.map(lambda features, rows: self.edge_in(features))
        found: Tensor = self.graph(f, e, entities.counts, pairs)
        return found

    def roles(
        self, seen: list[Tensor], entities: Entities, labels: Int[Tensor, " entity"]
    ) -> tuple[Float[Tensor, "entity width"], Float[Tensor, "entity width"]]:
        """z of every entity as subject and as object."""
        encoded = encode_boxes(entities.boxes, entities.sizes[entities.image])
        given = torch.cat([*seen, self.sinus[labels], encoded[:, 4:]], dim=1)
        return self.subject(given), self.object(given)

    def relations(
        self,
        subject: Float[Tensor, "entity width"],
        object_: Float[Tensor, "entity width"],
        union: UnionFeatures,
        pairs: Pairs,
        labels: Int[Tensor, " entity"],
    ) -> Float[Tensor, "pair predicate"]:
        """Logits of every pair."""

        def classify(features: Tensor, rows: slice) -> Tensor:
            index = pairs.index[rows]
            first, second = subject[index[:, 0]], object_[index[:, 1]]
            joined = first * second if self.fusion == "product" else torch.relu(first + second) - (first - second) ** 2
            logits: Tensor = self.classify(features * joined)
            if self.frequency is None:
                return logits
            prior: Tensor = self.frequency(labels[index[:, 0]], labels[index[:, 1]])
            if self.adapt is not None:
                prior = self.adapt(features) * prior
            return logits + prior

        return union.map(classify)

    def forward(
        self, x: Float[Tensor, "entity width"], union: UnionFeatures, entities: Entities, pairs: Pairs
    ) -> HeadOutput:
        if self.passes and (union.chunk is None or union.pairs * union.width <= HELD):
            union = UnionFeatures.of(union.map(lambda features, rows: features), union.chunk)
        seen, entity_logits = [x], entities.logits
        losses: dict[str, Tensor] = {}
        if self.passes:
            f = self.refined(x, union, entities, pairs)
            if self.refined_in_relations:
                seen.append(f)
            if self.refines:
                entity_logits = self.classify_entity(f)
                if self.training and self.node_priority:
                    losses["node_priority"] = node_priority_loss(entity_logits, entities, pairs)
        labels = known_or(best_labels(entity_logits.detach()), entities, self.task, self.training)
        logits = self.relations(*self.roles(seen, entities, labels), union, pairs, labels)
        own_loss = self.refines and not self.node_priority
        return HeadOutput(entity_logits, logits, labels, pairs, losses, entity_loss=own_loss)
