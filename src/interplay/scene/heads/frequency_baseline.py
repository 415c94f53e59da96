"""The baseline that looks at nothing but the two classes: how often did training show this predicate between them?"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import Vocabulary
from interplay.scene.heads.interface import HeadOutput, RelationHead
from interplay.scene.refinement import refined_labels
from interplay.scene.structures import Entities, Pairs, Task, UnionFeatures
from interplay.scene.word_vectors import WordVectors


def smoothed_probability(statistics: SceneStatistics, strength: float) -> Float[np.ndarray, "class class predicate"]:
    """Predicate distributions of every ordered class pair that lean on coarser ones where counts are few.

        p(r)        = (n_r + 1) / (n + P − 1)
        p(r | s)    = (n_{s,r} + κ p(r)) / (n_s + κ),   p(r | o) alike
        p(r | s, o) = (n_{s,o,r} + κ (p(r | s) + p(r | o)) / 2) / (n_{s,o} + κ)

    n counts annotated relations r ≥ 1; background has probability 0 here. κ = ``strength``; κ → 0 is the plain share.
    """
    counts = statistics.foreground[:, :, 1:].astype(np.float64)
    prior = (counts.sum((0, 1)) + 1) / (counts.sum() + counts.shape[2])
    by_subject = (counts.sum(1) + strength * prior) / (counts.sum((1, 2))[:, None] + strength)
    by_object = (counts.sum(0) + strength * prior) / (counts.sum((0, 2))[:, None] + strength)
    lean = (by_subject[:, None] + by_object[None]) / 2
    found = (counts + strength * lean) / (counts.sum(2, keepdims=True) + strength)
    return np.concatenate([np.zeros((*found.shape[:2], 1)), found], axis=2)


def backed_off(statistics: SceneStatistics, strength: float) -> Float[np.ndarray, "class class predicate"]:
    """Every predicate and the background, none of them 0: b / (b + n + κ) for the background, the rest smoothed.

    b = overlapping pairs + 1, n = annotated relations of the class pair, κ = ``strength``.
    """
    background = statistics.overlapping.astype(np.float64) + 1
    related = statistics.foreground.sum(2) + strength
    table = smoothed_probability(statistics, strength) * (related / (background + related))[:, :, None]
    table[:, :, 0] = background / (background + related)
    return np.asarray(table)


class FrequencyBaseline(RelationHead):
    """log p(r | s, o) of :func:`backed_off`: counts of the training annotations, nothing of the picture.

    Nothing is learnt: the one parameter exists so that the baseline trains and saves like a head.

    Args:
        vocabulary, statistics, task, vectors, entity_width, union_width: as for every head; only the counts are used.
        backoff: κ (spec K.4); 0 gives the plain table of spec A.6, with which unseen
            pairs of classes are background.
        suppression: IoU of the greedy suppression in SGGen.
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
        backoff: float = 1.0,
        suppression: float = 0.5,
    ) -> None:
        super().__init__()
        del task, vectors, entity_width, union_width
        if backoff < 0:
            raise ValueError(f"backoff: found {backoff}, expected 0 or more")
        self.suppression, self.classes = suppression, len(vocabulary.classes)
        self.table: Tensor
        table = np.log(statistics.probability() + 1e-3) if backoff == 0 else np.log(backed_off(statistics, backoff))
        self.register_buffer("table", torch.from_numpy(table).float().flatten(0, 1))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(
        self, x: Float[Tensor, "entity width"], union: UnionFeatures, entities: Entities, pairs: Pairs
    ) -> HeadOutput:
        del x, union
        labels = refined_labels(entities.logits, entities, self.suppression).clamp_min(1)
        if entities.labels is not None and self.training:
            labels = torch.where(entities.labels > 0, entities.labels, labels)
        logits = self.scale * self.table[labels[pairs.subject] * self.classes + labels[pairs.object]]
        return HeadOutput(entities.logits, logits, labels, pairs, entity_loss=False)
