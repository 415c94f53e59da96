"""KERN: knowledge-embedded routing (Chen et al., CVPR 2019; spec §B.3)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import Vocabulary
from interplay.scene.frequency import FrequencyBias
from interplay.scene.heads.entity_labels import known_or, suppressed_labels
from interplay.scene.heads.gated_graph import ObjectRouting, RelationRouting
from interplay.scene.heads.interface import HeadOutput, RelationHead
from interplay.scene.refinement import best_labels
from interplay.scene.structures import Entities, Pairs, Task, UnionFeatures
from interplay.scene.word_vectors import WordVectors

JOINT_CLASSES = 256
"""Classes up to which the class scores are one product of all nodes unless asked otherwise."""


class KERN(RelationHead):
    """Statistical knowledge routes messages, first among classes of all entities, then among predicates of a pair.

    ``M_obj[i, j] = P(class j in an image | class i in it)``; ``M_rel[s, o] = P(predicate | classes s, o)``.
    Equations in :class:`~interplay.scene.heads.gated_graph.ObjectRouting` (SGCls and SGGen only) and
    :class:`~interplay.scene.heads.gated_graph.RelationRouting`.

    Args:
        vocabulary: O classes and P predicates.
        statistics: counts over the training images.
        task: in PredCls classes are given and there is no object routing.
        vectors: not used by this head.
        entity_width, union_width: widths of x and u.
        hidden: H of both graphs.
        output: Q, width of a node's output.
        steps: T.
        tied_reset: the reset gate shares U3 with the update gate, as released.
        frequency_bias: add the frequency table.
        object_scores: ``joint`` product of all class nodes, or ``classwise``; None = joint up to 256 classes.
        label_suppression: IoU of the per-class suppression that picks labels in SGGen at test time.
        max_pairs: pairs per image in training.
        pair_chunk: pair graphs at a time outside of training.

    Where we differ from the release: U4 is used; M_obj is counted over the set of an image's classes; a frequency bias
    is added; more than 256 classes score class-wise (the joint product would have 185 million weights for Open Images).
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
        output: int = 512,
        steps: int = 3,
        tied_reset: bool = False,
        frequency_bias: bool = True,
        object_scores: Literal["joint", "classwise"] | None = None,
        label_suppression: float = 0.3,
        max_pairs: int | None = 256,
        pair_chunk: int = 256,
    ) -> None:
        super().__init__()
        del vectors
        classes, predicates = len(vocabulary.classes), len(vocabulary.predicates)
        if pair_chunk < 1:
            raise ValueError(f"pair_chunk: found {pair_chunk}, expected 1 or more")
        self.task: Task = task
        self.max_pairs, self.pair_chunk, self.label_suppression = max_pairs, pair_chunk, label_suppression
        self.object_knowledge: Tensor
        self.relation_knowledge: Tensor
        relation_knowledge = torch.from_numpy(statistics.probability()).float()
        self.register_buffer("relation_knowledge", relation_knowledge)
        self.register_buffer("object_knowledge", torch.from_numpy(statistics.object_knowledge()).float())
        classwise = object_scores == "classwise" if object_scores else classes > JOINT_CLASSES
        self.object_routing = ObjectRouting(classes, entity_width, hidden, output, steps, tied_reset, classwise)
        self.refines = task != "predcls"
        self.object_routing.requires_grad_(self.refines)
        self.relation_routing = RelationRouting(
            predicates, entity_width, union_width, hidden, output, steps, tied_reset
        )
        table = torch.from_numpy(statistics.frequency_table())
        self.frequency = FrequencyBias(table) if frequency_bias else None

    def entity_logits(self, x: Float[Tensor, "entity width"], entities: Entities) -> Float[Tensor, "entity class"]:
        """Refined class scores, or the given ones in PredCls."""
        if not self.refines:
            return entities.logits
        logits: Tensor = self.object_routing(x, self.object_knowledge, entities.image, len(entities.counts))
        return logits

    def labels(self, logits: Float[Tensor, "entity class"], entities: Entities) -> Int[Tensor, " entity"]:
        """Classes that pick the rows of M_rel: true ones in training and PredCls, else the refined ones."""
        detached = logits.detach()
        suppress = self.task == "sggen" and not self.training
        guess = suppressed_labels(detached, entities, self.label_suppression) if suppress else best_labels(detached)
        return known_or(guess, entities, self.task, self.training)

    def forward(
        self, x: Float[Tensor, "entity width"], union: UnionFeatures, entities: Entities, pairs: Pairs
    ) -> HeadOutput:
        entity_logits = self.entity_logits(x, entities)
        labels = self.labels(entity_logits, entities)
        projected = self.relation_routing.project_entity(x)
        classes = labels[pairs.index]

        def route(features: Tensor, rows: slice) -> Tensor:
            if self.training or torch.compiler.is_exporting():
                here, name = pairs.index[rows], classes[rows]
                found: Tensor = self.relation_routing(
                    projected[here], features, self.relation_knowledge[name[:, 0], name[:, 1]]
                )
                return found
            size = self.pair_chunk
            places, named = torch.split(pairs.index[rows], size), torch.split(classes[rows], size)
            return torch.cat(
                [
                    self.relation_routing(projected[place], part, self.relation_knowledge[name[:, 0], name[:, 1]])
                    for part, place, name in zip(torch.split(features, size), places, named, strict=True)
                ]
            )

        logits = union.map(route)
        if self.frequency is not None:
            logits = logits + self.frequency(classes[:, 0], classes[:, 1])
        return HeadOutput(entity_logits, logits, labels, pairs, entity_loss=self.refines)
