"""What recurrent heads know of an entity before its context: appearance, the detector's belief, its place."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.data.scenes import Vocabulary
from interplay.scene.encodings import PositionEmbedding
from interplay.scene.heads.pairwise_features import POSITION, LabelEmbedding, encoded_boxes
from interplay.scene.refinement import best_labels, refined_labels
from interplay.scene.structures import Entities
from interplay.scene.word_vectors import WordVectors


class EntityInput(nn.Module):
    """z = [x; e; pos]: the entity's feature, the expected embedding of its class, its encoded box (spec §B).

    e = softmax(detector logits) · table, which is the class's own row in PredCls, whose logits are ±1000;
    pos = :class:`~interplay.scene.encodings.PositionEmbedding`.

    Args:
        vocabulary, vectors: for the embedding's first values.
        entity_width: of x.
        label_dim: numbers per class.

    Attributes:
        width: of z.
    """

    def __init__(
        self, vocabulary: Vocabulary, vectors: WordVectors | None, entity_width: int, label_dim: int = 200
    ) -> None:
        super().__init__()
        self.embedding = LabelEmbedding(vocabulary, label_dim, vectors)
        self.position = PositionEmbedding(POSITION)
        self.width = entity_width + label_dim + POSITION

    def forward(
        self, x: Float[Tensor, "entity width"], entities: Entities
    ) -> tuple[Float[Tensor, "entity z"], Float[Tensor, "entity label_dim"]]:
        """(z, e)."""
        belief = self.embedding.expected(entities.logits)
        return torch.cat([x, belief, self.position(encoded_boxes(entities))], dim=1), belief


def suppressed_or_best(
    logits: Float[Tensor, "entity class"], entities: Entities, threshold: float
) -> Int[Tensor, " entity"]:
    """Labels after suppression per class where entities have a box per class (spec §A.9), else the best class.

    *Where we differ*: a box for which everything was struck out keeps its best class, not the background.
    """
    labels = refined_labels(logits, entities, threshold) if logits.shape[0] else best_labels(logits)
    return torch.where(labels > 0, labels, best_labels(logits))
