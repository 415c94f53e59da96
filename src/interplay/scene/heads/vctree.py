"""VCTree: context of entities and edges along a tree that the picture decides (Tang et al., CVPR 2019; spec §B.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import Vocabulary
from interplay.scene.frequency import FrequencyBias
from interplay.scene.heads.entity_input import EntityInput
from interplay.scene.heads.interface import HeadOutput, RelationHead
from interplay.scene.heads.padding import Padding
from interplay.scene.heads.pair_classifier import PairClassifier
from interplay.scene.heads.pairwise_features import LabelEmbedding
from interplay.scene.heads.tree_decoder import TreeDecoder
from interplay.scene.heads.tree_lstm import BidirectionalTreeLSTM
from interplay.scene.heads.tree_scores import Prior, TreeScores
from interplay.scene.heads.trees import Levels, spanning_forest
from interplay.scene.structures import Entities, Pairs, Task, UnionFeatures
from interplay.scene.word_vectors import WordVectors


class VCTree(RelationHead):
    """Visual context tree.

        score = σ(b) of every two entities → maximum spanning tree → binary tree (left child, right sibling)
        z = [x; e; pos];   C = BiTreeLSTM(z)
        logits = top-down decoder([z; C])              (SGCls, SGGen; PredCls: given)
        D = BiTreeLSTM([emb(label); x; C])
        predicates = W (V [h(D_s); t(D_o)] ∘ u) + frequency[label_s, label_o],   h, t with ReLU

    Parts: :class:`~interplay.scene.heads.tree_scores.TreeScores`,
    :func:`~interplay.scene.heads.trees.spanning_forest`,
    :class:`~interplay.scene.heads.tree_lstm.BidirectionalTreeLSTM`,
    :class:`~interplay.scene.heads.tree_decoder.TreeDecoder`,
    :class:`~interplay.scene.heads.pair_classifier.PairClassifier`.

    Labels: the best decoded classes 1..O−1, in training too and without suppression; in PredCls the given ones.
    ``losses["tree"]``: mean over images of the binary cross-entropy of b with ``pairs.related`` over all N × N cells,
    the diagonal among the negatives.

    Args:
        vocabulary: O classes and P predicates.
        statistics: counts over the training images, for frequency bias and tree prior.
        task: in PredCls nothing is decoded; the decoder exists all the same, untrained, so that the three tasks share
            their checkpoints.
        vectors: word vectors of ``label_dim``, or None.
        entity_width, union_width: widths of x and u.
        hidden: of the contexts (half for either direction) and of the scores; the paper's text says 1024.
        pooling: width at which a pair meets its union feature.
        label_dim: numbers per class name.
        object_layers, edge_layers: of the two tree LSTMs.
        dropout: inside the decoder, and in tree LSTMs of several layers.
        vctree_prior: first values of the class-pair weights; ``sgb_logsum`` as released by SGB, ``const`` by PySGG.

    Where we differ: the prior (see :func:`~interplay.scene.heads.tree_scores.prior_weights`). The virtual root node and
    the hybrid (reinforcement) learning of the original are left out, as in SGB.
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
        vctree_prior: Prior = "cooccur",
    ) -> None:
        super().__init__()
        self.task: Task = task
        self.decodes = task != "predcls"
        self.entity_input = EntityInput(vocabulary, vectors, entity_width, label_dim)
        self.label_embedding = LabelEmbedding(vocabulary, label_dim, vectors)
        self.scores = TreeScores(statistics, entity_width, label_dim, hidden, vctree_prior)
        self.object_context = BidirectionalTreeLSTM(self.entity_input.width, hidden, object_layers, dropout)
        self.decoder = TreeDecoder(
            vocabulary, vectors, self.entity_input.width + hidden, hidden, label_dim, dropout
        ).requires_grad_(self.decodes)
        self.edge_context = BidirectionalTreeLSTM(label_dim + entity_width + hidden, hidden, edge_layers, dropout)
        self.relation = PairClassifier(
            hidden,
            pooling,
            union_width,
            len(vocabulary.predicates),
            FrequencyBias(torch.from_numpy(statistics.frequency_table())),
            rectified=True,
        )

    def decoded(
        self, z: Float[Tensor, "entity z"], context: Float[Tensor, "entity hidden"], entities: Entities, levels: Levels
    ) -> tuple[Float[Tensor, "entity class"], Int[Tensor, " entity"]]:
        """(class logits, labels to go on with)."""
        if not self.decodes:
            if entities.labels is None:
                raise ValueError("entities: found no labels, expected the given classes (PredCls)")
            return entities.logits, entities.labels
        logits, labels = self.decoder(torch.cat([z, context], dim=1), levels, len(entities.counts))
        return logits, labels

    def forward(
        self, x: Float[Tensor, "entity width"], union: UnionFeatures, entities: Entities, pairs: Pairs
    ) -> HeadOutput:
        images = len(entities.counts)
        padding = Padding(entities.counts, x.device)
        z, belief = self.entity_input(x, entities)
        binary = self.scores(x, belief, entities, padding)
        levels = spanning_forest(torch.sigmoid(binary.detach()), entities.counts).levels(x.device)
        context = self.object_context(z, levels, images)
        logits, labels = self.decoded(z, context, entities, levels)
        edge = self.edge_context(torch.cat([self.label_embedding(labels), x, context], dim=1), levels, images)
        losses = {}
        if self.training and pairs.related is not None:
            losses["tree"] = tree_loss(binary, pairs.related, padding)
        scored = self.relation(edge, union, pairs, labels)
        return HeadOutput(logits, scored, labels, pairs, losses, entity_loss=self.decodes)


def tree_loss(
    binary: Float[Tensor, "image n n"], related: Sequence[Int[Tensor, "_ _"]], padding: Padding
) -> Float[Tensor, ""]:
    """Mean over images of the mean binary cross-entropy over an image's N × N cells; images without entities do not
    count.

    Args:
        binary: b, padded.
        related: 0/1 per image.
        padding: of the batch.
    """
    present = padding.present()
    inside = present[:, :, None] & present[:, None, :]
    cells = torch.cat([image.flatten() for image in related]).to(binary.dtype)
    truth = torch.zeros_like(binary).masked_scatter(inside, cells)
    weight = inside.to(binary.dtype)
    each = functional.binary_cross_entropy_with_logits(binary, truth, weight=weight, reduction="none")
    of_image, amount = each.sum(dim=(1, 2)), weight.sum(dim=(1, 2))
    loss: Tensor = (of_image / amount.clamp_min(1)).sum() / (amount > 0).sum().clamp_min(1)
    return loss
