"""PE-Net: relations as points next to prototypes of predicates (Zheng et al., CVPR 2023; spec §B.7)."""

from __future__ import annotations

from math import log

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import Vocabulary
from interplay.scene.heads.entity_input import EntityInput, suppressed_or_best
from interplay.scene.heads.interface import HeadOutput, RelationHead
from interplay.scene.heads.pairwise_features import LabelEmbedding
from interplay.scene.heads.prototypes import pair_loss, separation_loss, similarity_loss
from interplay.scene.structures import Entities, Pairs, Task, UnionFeatures
from interplay.scene.word_vectors import WordVectors, label_vectors


class PENet(RelationHead):
    """Prototype-based embedding network.

    h = Linear–ReLU–dropout–Linear, shared by subject, object and union; [x_o; x_s] = W x:

        s = t_s + h(x_s) ∘ σ(W_gs [t_s; h(x_s)]),  t_s = W_sub emb[label];   s ← LN(drop(ReLU(L_s s)) + s)    (o alike)
        F = ReLU(s + o) − (s − o)²;   u' = h(down(u));   r = F − u' ∘ σ(W_gp [F; u'])
        r ← LN(drop(ReLU(L_r r)) + r);   r ← G(drop(ReLU r));   c = G(drop(ReLU(W_pred emb_pred)))
        logits = cos(r, c) exp(τ)

    No frequency bias. Classes of entities: ``Linear(Linear(z))`` (SGCls, SGGen), the best of 1..O−1 in training too.
    Losses in training: ``similarity``, ``separation`` and ``pairs`` of :mod:`interplay.scene.heads.prototypes` (in the
    release: ``l21``, ``dist_loss2``, ``loss_dis``).

    Args:
        vocabulary: O classes and P predicates; the background is a prototype as well.
        statistics: not used by this head.
        task: in PredCls classes are given; what refines them exists all the same, untrained, so that the three tasks
            share their checkpoints.
        vectors: word vectors of ``label_dim``, or None.
        entity_width, union_width: widths of x and u.
        hidden: of the representation that refines classes.
        width: of s, o, F and r; G ends at twice that.
        mapping: between the layers that bring label vectors to ``width``.
        label_dim: numbers per class and per predicate name; a predicate of several words starts at their mean.
        dropout: everywhere above.
        temperature: first value of exp(−τ).
        suppression: IoU of the greedy suppression in SGGen.
        max_pairs: pairs per image in training.

    Where we differ: s and o are computed once per entity (the release: once per pair, with a dropout mask per pair);
    51 predicates are written into three formulas of the release; its position batch norm runs twice a step, ours once.
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
        width: int = 2048,
        mapping: int = 1024,
        label_dim: int = 300,
        dropout: float = 0.2,
        temperature: float = 0.07,
        suppression: float = 0.5,
        max_pairs: int | None = 512,
    ) -> None:
        super().__init__()
        del statistics
        self.task: Task = task
        self.refines = task != "predcls"
        self.suppression, self.max_pairs = suppression, max_pairs
        self.entity_input = EntityInput(vocabulary, vectors, entity_width, label_dim).requires_grad_(self.refines)
        self.refine = nn.Sequential(
            nn.Linear(self.entity_input.width, hidden), nn.Linear(hidden, len(vocabulary.classes))
        ).requires_grad_(self.refines)
        self.entity_embedding = LabelEmbedding(vocabulary, label_dim, vectors)
        names = label_vectors(vocabulary.predicates, label_dim, vectors, many_words="mean")
        self.predicate_embedding = nn.Parameter(names)
        self.halves = nn.Linear(entity_width, 2 * width)
        self.subject_name = perceptron(label_dim, mapping, width)
        self.object_name = perceptron(label_dim, mapping, width)
        self.predicate_name = perceptron(label_dim, mapping, width)
        self.to_semantic = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.subject_gate = nn.Linear(2 * width, width)
        self.object_gate = nn.Linear(2 * width, width)
        self.pair_gate = nn.Linear(2 * width, width)
        self.subject_residual = Residual(width, dropout)
        self.object_residual = Residual(width, dropout)
        self.pair_residual = Residual(width, dropout)
        self.down = perceptron(union_width, width, width)
        self.project = perceptron(width, width, 2 * width)
        self.drop = nn.Dropout(dropout)
        self.log_scale = nn.Parameter(torch.tensor(log(1 / temperature)))

    def classes(
        self, x: Float[Tensor, "entity width"], entities: Entities
    ) -> tuple[Float[Tensor, "entity class"], Int[Tensor, " entity"]]:
        """(class logits, labels that pick the entity embeddings)."""
        if not self.refines:
            if entities.labels is None:
                raise ValueError("entities: found no labels, expected the given classes (PredCls)")
            return entities.logits, entities.labels
        z, _ = self.entity_input(x, entities)
        logits = self.refine(z)
        if self.training or self.task != "sggen":
            entities = Entities(entities.counts, entities.boxes, entities.sizes, entities.logits)
        return logits, suppressed_or_best(logits.detach(), entities, self.suppression)

    def ends(
        self, x: Float[Tensor, "entity width"], labels: Int[Tensor, " entity"]
    ) -> tuple[Float[Tensor, "entity semantic"], Float[Tensor, "entity semantic"]]:
        """(s, o) of every entity in either role."""
        as_object, as_subject = self.to_semantic(self.halves(x).unflatten(1, (2, -1))).unbind(dim=1)
        names = self.entity_embedding(labels)
        subject_name, object_name = self.subject_name(names), self.object_name(names)
        s = subject_name + gated(as_subject, subject_name, self.subject_gate)
        o = object_name + gated(as_object, object_name, self.object_gate)
        return self.subject_residual(s), self.object_residual(o)

    def represent(
        self,
        s: Float[Tensor, "pair semantic"],
        o: Float[Tensor, "pair semantic"],
        union: Float[Tensor, "pair width"],
    ) -> Float[Tensor, "pair projected"]:
        """r of pairs."""
        fused = torch.relu(s + o) - (s - o).square()
        r = fused - gated(self.to_semantic(self.down(union)), fused, self.pair_gate)
        projected: Tensor = self.project(self.drop(torch.relu(self.pair_residual(r))))
        return projected

    def prototypes(self) -> Float[Tensor, "predicate projected"]:
        """c of every predicate."""
        c: Tensor = self.project(self.drop(torch.relu(self.predicate_name(self.predicate_embedding))))
        return c

    def compare(
        self, r: Float[Tensor, "pair projected"], c: Float[Tensor, "predicate projected"]
    ) -> Float[Tensor, "pair predicate"]:
        """cos(r, c) exp(τ)."""
        return functional.normalize(r, dim=1) @ functional.normalize(c, dim=1).t() * self.log_scale.exp()

    def forward(
        self, x: Float[Tensor, "entity width"], union: UnionFeatures, entities: Entities, pairs: Pairs
    ) -> HeadOutput:
        logits, labels = self.classes(x, entities)
        s, o = self.ends(x, labels)
        c = self.prototypes()

        def represented(features: Tensor, rows: slice) -> Tensor:
            index = pairs.index[rows]
            return self.represent(s[index[:, 0]], o[index[:, 1]], features)

        if not self.training:  # pairs may be many: only their scores are kept
            scored = union.map(lambda features, rows: self.compare(represented(features, rows), c))
            return HeadOutput(logits, scored, labels, pairs, entity_loss=self.refines)
        r = union.map(represented)
        losses = {"similarity": similarity_loss(c), "separation": separation_loss(c)}
        if pairs.labels is not None:
            losses["pairs"] = pair_loss(r, c, pairs.labels)
        return HeadOutput(logits, self.compare(r, c), labels, pairs, losses, entity_loss=self.refines)


class Residual(nn.Module):
    """LN(drop(ReLU(L x)) + x)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "row width"]) -> Float[Tensor, "row width"]:
        result: Tensor = self.norm(self.drop(torch.relu(self.linear(x))) + x)
        return result


def gated(
    seen: Float[Tensor, "row width"], meant: Float[Tensor, "row width"], gate: nn.Linear
) -> Float[Tensor, "row width"]:
    """seen ∘ σ(W [meant; seen])."""
    return seen * torch.sigmoid(gate(torch.cat([meant, seen], dim=1)))


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Linear – ReLU – Linear."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
