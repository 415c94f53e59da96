"""Features without pictures: labels, boxes and masks only (``features: geometry``, spec K.4; PredCls).

They let heads train on annotations whose pictures one does not have. SIL does not apply, for there is no map.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from interplay.data.scenes import Vocabulary
from interplay.scene.encodings import PositionEmbedding, encode_boxes, pair_info, two_box_masks
from interplay.scene.features import RectangleEncoder
from interplay.scene.structures import Entities, Pairs, UnionFeatures
from interplay.scene.word_vectors import WordVectors, label_vectors

LABEL_DIM = 200
"""Numbers of a label's embedding."""


class GeometryFeatures(nn.Module):
    """x_i = ReLU(LN(W_e [e_i; pos_i])) and u_ij = ReLU(LN(W_u [mean rect(masks_ij); info_ij; e_i; e_j])).

    e_i: trainable embedding of the true label; pos_i: 128 numbers of the box (:class:`PositionEmbedding`);
    rect: :class:`RectangleEncoder`, averaged over its 7 × 7 cells; info: :func:`pair_info`, 32 numbers.

    Args:
        vocabulary: names of the classes.
        vectors: word vectors to start the embedding from; None = the fallback drawn by name.
        entity_width, union_width: D of x and of u.
        label_dim: of the embedding.
        mask_channels: of the mask encoder.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        vectors: WordVectors | None = None,
        entity_width: int = 512,
        union_width: int = 512,
        label_dim: int = LABEL_DIM,
        mask_channels: int = 256,
    ) -> None:
        super().__init__()
        self.labels = nn.Embedding(len(vocabulary.classes), label_dim)
        with torch.no_grad():
            self.labels.weight.copy_(label_vectors(vocabulary.classes, label_dim, vectors))
        self.position = PositionEmbedding()
        self.entity = nn.Linear(label_dim + 128, entity_width)
        self.entity_norm = nn.LayerNorm(entity_width)
        self.rectangles = RectangleEncoder(mask_channels)
        self.union = nn.Linear(mask_channels + 32 + 2 * label_dim, union_width)
        self.union_norm = nn.LayerNorm(union_width)

    def entities(self, entities: Entities) -> Float[Tensor, "entity width"]:
        """x of every entity. ValueError where the true labels are not given."""
        encoded = encode_boxes(entities.boxes, entities.sizes[entities.image])
        both = torch.cat([self._embedded(entities), self.position(encoded)], dim=1)
        return functional.relu(self.entity_norm(self.entity(both)))

    def pairs(self, entities: Entities, pairs: Pairs, chunk: int | None = None) -> UnionFeatures:
        """u of every pair, computed ``chunk`` pairs at a time when asked for (None = all at once)."""
        boxes, sizes, embedded = entities.boxes, entities.sizes[entities.image], self._embedded(entities)

        def make(rows: slice) -> Float[Tensor, "chunk width"]:
            index = pairs.index[rows]
            masks = self.rectangles(two_box_masks(boxes, index, sizes)).mean(dim=(2, 3))
            parts = [masks, pair_info(boxes, index, sizes), embedded[index].flatten(1)]
            return functional.relu(self.union_norm(self.union(torch.cat(parts, dim=1))))

        return UnionFeatures(make, len(pairs.index), self.union.out_features, chunk)

    def _embedded(self, entities: Entities) -> Float[Tensor, "entity dim"]:
        if entities.labels is None:
            raise ValueError("entities: found no labels, expected true ones: geometry features are for PredCls only")
        embedded: Tensor = self.labels(entities.labels)
        return embedded
