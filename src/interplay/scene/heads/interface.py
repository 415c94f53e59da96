"""What every relation head is: entities, pairs and their features in, scores of classes and predicates out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.scene.structures import Entities, Pairs, UnionFeatures


@dataclass(frozen=True, eq=False)
class HeadOutput:
    """A head's answer for a batch.

    Args:
        entity_logits: (N, O) refined class scores; the detector's own where a head does not refine.
        relation_logits: (R, P) predicate scores before softmax, column 0 = background.
        entity_labels: (N,) classes in 1..O−1 that the head used to look up embeddings and the frequency bias.
        pairs: the pairs that ``relation_logits`` belong to (a head that proposes pairs returns fewer than given).
        losses: unweighted terms beside the two cross-entropies, in training (name → scalar).
        entity_loss: whether the task adds the cross-entropy of ``entity_logits`` (False where a head brings its own
            term or does not refine).
        balanced: whether the background weighs (related pairs / unrelated ones of the batch) in the cross-entropy of
            ``relation_logits``, not 1.
    """

    entity_logits: Float[Tensor, "entity class"]
    relation_logits: Float[Tensor, "pair predicate"]
    entity_labels: Int[Tensor, " entity"]
    pairs: Pairs
    losses: dict[str, Float[Tensor, ""]] = field(default_factory=dict)
    entity_loss: bool = True
    balanced: bool = False


class RelationHead(nn.Module, ABC):
    """Base of the seven heads. They know features, boxes and labels; nothing of images, files or SIL.

    A subclass is constructed as ``Head(vocabulary, statistics, task, *, vectors=None, entity_width=4096,
    union_width=4096, …)``: ``vocabulary`` (:class:`interplay.data.scenes.Vocabulary`), ``statistics``
    (:class:`interplay.data.scene_statistics.SceneStatistics`), the task, ``vectors``
    (:class:`interplay.scene.word_vectors.WordVectors` or None for the deterministic fallback), the widths of ``x`` and
    ``u``, then its own options with the defaults of its paper.
    """

    max_pairs: int | None = None
    """Pairs per image in training that the head's memory allows; None = the sampler's own cap."""

    def propose(self, x: Float[Tensor, "entity width"], entities: Entities, pairs: Pairs) -> Pairs:
        """The pairs worth looking at, chosen before union features are computed; all of them unless overridden."""
        del x, entities
        return pairs

    @abstractmethod
    def forward(
        self, x: Float[Tensor, "entity width"], union: UnionFeatures, entities: Entities, pairs: Pairs
    ) -> HeadOutput:
        """Score a batch.

        Args:
            x: features of the entities.
            union: features of the pairs' union boxes, in the order of ``pairs``.
            entities: boxes, sizes, detector logits, and labels where they are known.
            pairs: as returned by :meth:`propose`; labels in training.
        """
