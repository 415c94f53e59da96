"""Entity and pair features that two heads start from: appearance, belief, position, and how two boxes lie."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.data.scenes import Vocabulary
from interplay.scene.encodings import PositionEmbedding, encode_boxes, pair_info
from interplay.scene.heads.entity_labels import known_or
from interplay.scene.refinement import best_labels
from interplay.scene.structures import Entities, Pairs, Task
from interplay.scene.word_vectors import WordVectors, label_vectors

PAIR_INFO = 32
POSITION = 128
EdgeFeatures = Literal["fusion", "union", "obj_pair"]


class LabelEmbedding(nn.Module):
    """Trainable vectors of the classes, started from word vectors; for labels or for a distribution over them."""

    def __init__(self, vocabulary: Vocabulary, dim: int, vectors: WordVectors | None) -> None:
        super().__init__()
        self.table = nn.Embedding(len(vocabulary.classes), dim, _weight=label_vectors(vocabulary.classes, dim, vectors))

    def forward(self, labels: Int[Tensor, " entity"]) -> Float[Tensor, "entity dim"]:
        rows: Tensor = self.table(labels)
        return rows

    def expected(self, logits: Float[Tensor, "entity class"]) -> Float[Tensor, "entity dim"]:
        """Σ_c softmax(logits)_c · vector of c; ±1000 one-hot logits give the vector of their class exactly."""
        return torch.softmax(logits, dim=1) @ self.table.weight


def encoded_boxes(entities: Entities) -> Float[Tensor, "entity 9"]:
    """:func:`interplay.scene.encodings.encode_boxes` of a batch."""
    return encode_boxes(entities.boxes, entities.sizes[entities.image])


def spread_linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer started uniform with variance 1 / inputs (Kaiming with a = 1) and without bias."""
    layer = nn.Linear(inputs, outputs)
    nn.init.kaiming_uniform_(layer.weight, a=1)
    nn.init.zeros_(layer.bias)
    return layer


class PairwiseFeatures(nn.Module):
    """Pairwise feature extractor of BGNN and Graph R-CNN (spec §B.8).

    ``q = W_q [x; belief embedding; pos]``, ``a0 = [label embedding; x; q]``;
    entity ``a = ReLU(W_ent a0)``; pair ``ReLU(W_out([head(a0_s); tail(a0_o)] ∘ spatial(pair info)))`` plus the union
    feature, through a linear layer where its width differs.

    Args:
        vocabulary, vectors: for the two label embeddings.
        task: in PredCls labels are the true ones, else the detector's best.
        entity_width, union_width: widths of x and u.
        hidden: of q, of head and of tail.
        pooling: width of what comes out.
        label_dim: numbers per class name.
        edge_features: ``fusion`` of pair and union features, or one of the two only.

    Where we differ: labels of detected boxes are the best non-background class of the logits, in training too.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        task: Task,
        vectors: WordVectors | None,
        entity_width: int,
        union_width: int,
        hidden: int,
        pooling: int,
        label_dim: int = 200,
        edge_features: EdgeFeatures = "fusion",
    ) -> None:
        super().__init__()
        self.task: Task = task
        self.belief_embedding = LabelEmbedding(vocabulary, label_dim, vectors)
        self.label_embedding = LabelEmbedding(vocabulary, label_dim, vectors)
        self.position = PositionEmbedding()
        self.query = spread_linear(entity_width + label_dim + POSITION, hidden)
        joined = label_dim + entity_width + hidden
        self.entity = spread_linear(joined, pooling)
        self.union_only = edge_features == "union"
        self.head_tail: nn.Linear | None = None
        if not self.union_only:
            self.head_tail = spread_linear(joined, 2 * hidden)
            self.spatial = nn.Sequential(
                spread_linear(PAIR_INFO, hidden), nn.ReLU(), spread_linear(hidden, 2 * hidden), nn.ReLU()
            )
            self.pair = spread_linear(2 * hidden, pooling)
        self.takes_union = edge_features != "obj_pair"
        self.union: nn.Linear | None = None
        if self.takes_union and union_width != pooling:
            self.union = spread_linear(union_width, pooling)

    def labels(self, entities: Entities) -> Int[Tensor, " entity"]:
        """Classes by which entities are looked up; these heads do not look at true labels except in PredCls."""
        return known_or(best_labels(entities.logits), entities, self.task, training=False)

    def entities(
        self, x: Float[Tensor, "entity width"], entities: Entities, labels: Int[Tensor, " entity"]
    ) -> tuple[Float[Tensor, "entity pooling"], Float[Tensor, "entity ends"]]:
        """(a, [head; tail] of every entity; zero columns where only union features are used)."""
        position = self.position(encoded_boxes(entities))
        query = self.query(torch.cat([x, self.belief_embedding.expected(entities.logits), position], dim=1))
        joined = torch.cat([self.label_embedding(labels), x, query], dim=1)
        ends = x.new_zeros(len(x), 0) if self.head_tail is None else self.head_tail(joined)
        return torch.relu(self.entity(joined)), ends

    def pairs(
        self,
        ends: Float[Tensor, "entity ends"],
        union: Float[Tensor, "chunk width"],
        entities: Entities,
        pairs: Pairs,
        rows: slice,
    ) -> Float[Tensor, "chunk pooling"]:
        """p of the pairs named by ``rows``, whose union features are given."""
        projected = (union if self.union is None else self.union(union)) if self.takes_union else None
        if self.head_tail is None:
            assert projected is not None
            return projected
        index = pairs.index[rows]
        head, tail = ends.chunk(2, dim=1)
        how = self.spatial(pair_info(entities.boxes, index, entities.sizes[entities.image]))
        found = torch.relu(self.pair(torch.cat([head[index[:, 0]], tail[index[:, 1]]], dim=1) * how))
        return found if projected is None else found + projected
