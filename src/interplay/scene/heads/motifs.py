"""MOTIFS: context of entities and of edges from biLSTMs over each image (Zellers et al., CVPR 2018; spec §B.1)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import Vocabulary
from interplay.scene.frequency import FrequencyBias
from interplay.scene.heads.entity_input import EntityInput, suppressed_or_best
from interplay.scene.heads.highway_decoder import HighwayDecoder
from interplay.scene.heads.interface import HeadOutput, RelationHead
from interplay.scene.heads.pair_classifier import PairClassifier, Pairing
from interplay.scene.heads.pairwise_features import LabelEmbedding
from interplay.scene.heads.sequences import Order, PackedOrder, SequenceContext, visiting_order
from interplay.scene.structures import Entities, Pairs, Task, UnionFeatures
from interplay.scene.word_vectors import WordVectors


class Motifs(RelationHead):
    """Stacked motif network.

        z = [x; e; pos];   C = biLSTM(z) over the image's entities
        logits = decoder([z; C])                       (SGCls, SGGen; PredCls: given)
        D = biLSTM([emb(label); x; C])
        predicates = W (V [h(D_s); t(D_o)] ∘ u) + frequency[label_s, label_o]

    Parts: :class:`~interplay.scene.heads.entity_input.EntityInput`,
    :class:`~interplay.scene.heads.sequences.SequenceContext`,
    :class:`~interplay.scene.heads.highway_decoder.HighwayDecoder`,
    :class:`~interplay.scene.heads.pair_classifier.PairClassifier`.

    Labels: in training the classes that the decoder was fed (the true one; its best where that is background), not
    those it predicted; in SGGen at test time after greedy suppression; in PredCls the given ones.

    Args:
        vocabulary: O classes and P predicates.
        statistics: counts over the training images, for the frequency bias.
        task: in PredCls nothing is decoded; the decoder exists all the same, untrained, so that the three tasks share
            their checkpoints.
        vectors: word vectors of ``label_dim``, or None.
        entity_width, union_width: widths of x and u.
        hidden: of the contexts.
        pooling: width at which a pair meets its union feature.
        label_dim: numbers per class name.
        object_layers, edge_layers: of the two biLSTMs.
        dropout: inside the decoder and between layers.
        order: in which entities are read.
        frequency: add the frequency bias.
        vision: multiply by the union feature; without it none is computed.
        refine: decode classes; without it the detector's are kept (PySGG's variant).
        pairing, squash: Neural Motifs' own h ∘ t and tanh; see :class:`PairClassifier`.
        suppression: IoU of the greedy suppression in SGGen.

    Where we differ: sequences are packed per image (PySGG's packing mixes images) and sorted per image; several images
    decode at once at test time (the public decoder takes one). A box for which the suppression leaves no class keeps
    its best one.
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
        pooling: int = 4096,
        label_dim: int = 200,
        object_layers: int = 1,
        edge_layers: int = 1,
        dropout: float = 0.2,
        order: Order = "leftright",
        frequency: bool = True,
        vision: bool = True,
        refine: bool = True,
        pairing: Pairing = "concatenate",
        squash: bool = False,
        suppression: float = 0.5,
    ) -> None:
        super().__init__()
        self.task: Task = task
        self.order: Order = order
        self.suppression = suppression
        self.decodes = refine and task != "predcls"
        self.entity_input = EntityInput(vocabulary, vectors, entity_width, label_dim)
        self.label_embedding = LabelEmbedding(vocabulary, label_dim, vectors)
        self.object_context = SequenceContext(self.entity_input.width, hidden, object_layers, dropout)
        self.decoder = HighwayDecoder(
            vocabulary, vectors, self.entity_input.width + hidden, hidden, label_dim, dropout
        ).requires_grad_(self.decodes)
        self.edge_context = SequenceContext(label_dim + entity_width + hidden, hidden, edge_layers, dropout)
        bias = FrequencyBias(torch.from_numpy(statistics.frequency_table())) if frequency else None
        self.relation = PairClassifier(
            hidden,
            pooling,
            union_width,
            len(vocabulary.predicates),
            bias,
            vision=vision,
            pairing=pairing,
            squash=squash,
        )

    def decoded(
        self, z: Float[Tensor, "entity z"], context: Float[Tensor, "entity hidden"], entities: Entities, by: PackedOrder
    ) -> tuple[Float[Tensor, "entity class"], Int[Tensor, " entity"]]:
        """(class logits, labels to go on with)."""
        if self.task == "predcls":
            if entities.labels is None:
                raise ValueError("entities: found no labels, expected the given classes (PredCls)")
            return entities.logits, entities.labels
        if not self.decodes:
            return entities.logits, suppressed_or_best(entities.logits, entities, self.suppression)
        taught = entities.labels if self.training else None
        logits, fed = self.decoder(torch.cat([z, context], dim=1), by, taught)
        if self.training or self.task != "sggen":
            return logits, fed
        return logits, suppressed_or_best(logits, entities, self.suppression)

    def forward(
        self, x: Float[Tensor, "entity width"], union: UnionFeatures, entities: Entities, pairs: Pairs
    ) -> HeadOutput:
        by = visiting_order(entities, self.order, random=self.training)
        z, _ = self.entity_input(x, entities)
        context = self.object_context(z, by)
        logits, labels = self.decoded(z, context, entities, by)
        edge = self.edge_context(torch.cat([self.label_embedding(labels), x, context], dim=1), by)
        return HeadOutput(logits, self.relation(edge, union, pairs, labels), labels, pairs, entity_loss=self.decodes)
