"""How likely two entities are to be related at all: BGNN's relation confidence estimation and its focal loss."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from interplay.data.scenes import Vocabulary
from interplay.scene.heads.pairwise_features import POSITION, LabelEmbedding, spread_linear
from interplay.scene.structures import Entities, Pairs
from interplay.scene.word_vectors import WordVectors


class RelationConfidence(nn.Module):
    """Logits of every predicate and of "related" from a pair's feature and its entities (BGNN §3.3; spec §B.6).

    ``sym = W ReLU([pos_s; emb_s; pos_o; emb_o])``, ``vis = W ReLU(p)``,
    ``multi = W ReLU(LN(W ReLU(LN([vis; sym]))))`` (P − 1 predicates), ``bin = w · multi + b``.

    Args:
        vocabulary, vectors: for the belief embedding.
        width: of p, which is taken without gradient.
        hidden: of the layers between.
        label_dim: numbers per class name.
    """

    def __init__(
        self, vocabulary: Vocabulary, vectors: WordVectors | None, width: int, hidden: int = 512, label_dim: int = 200
    ) -> None:
        super().__init__()
        self.embedding = LabelEmbedding(vocabulary, label_dim, vectors)
        self.position = nn.Sequential(spread_linear(9, POSITION), nn.ReLU(), spread_linear(POSITION, POSITION))
        self.symbolic = spread_linear(2 * (POSITION + label_dim), hidden)
        self.visual = spread_linear(width, hidden)
        self.fuse_norm = nn.LayerNorm(2 * hidden)
        self.fuse = spread_linear(2 * hidden, hidden)
        self.multi_norm = nn.LayerNorm(hidden)
        self.multi = spread_linear(hidden, len(vocabulary.predicates) - 1)
        self.binary = spread_linear(len(vocabulary.predicates) - 1, 1)

    def see(self, features: Float[Tensor, "pair width"]) -> Float[Tensor, "pair hidden"]:
        """vis, of detached pair features; a chunk of pairs at a time if need be."""
        seen: Tensor = self.visual(torch.relu(features.detach()))
        return seen

    def forward(
        self, seen: Float[Tensor, "pair hidden"], encoded: Float[Tensor, "entity 9"], entities: Entities, pairs: Pairs
    ) -> Float[Tensor, "pair predicate"]:
        """(R, P): P − 1 multi-label logits, then the binary one."""
        entity = torch.relu(torch.cat([self.position(encoded), self.embedding.expected(entities.logits)], dim=1))
        by_subject, by_object = self.symbolic.weight.chunk(2, dim=1)  # projected per entity, then gathered per pair
        symbolic = functional.linear(entity, by_subject, self.symbolic.bias)[pairs.subject]
        symbolic = symbolic + functional.linear(entity, by_object)[pairs.object]
        fused = self.fuse(torch.relu(self.fuse_norm(torch.cat([seen, symbolic], dim=1))))
        multi = self.multi(torch.relu(self.multi_norm(fused)))
        return torch.cat([multi, self.binary(multi)], dim=1)


class Recalibration(nn.Module):
    """``s′ = clamp(α s − α β, 0, 1)``: α is learned, β is fixed (BGNN "learnable scaling"; oracle I.9)."""

    def __init__(self, alpha: float = 3.12, beta: float = 0.06) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor([alpha]))
        self.beta: Tensor
        self.register_buffer("beta", torch.tensor([beta]))

    def forward(self, confidence: Float[Tensor, " pair"]) -> Float[Tensor, " pair"]:
        return (self.alpha * confidence - self.alpha * self.beta).clamp(0, 1)


def focal(
    logits: Float[Tensor, "*row"], targets: Float[Tensor, "*row"], alpha: float = 0.2, gamma: float = 2.0
) -> Float[Tensor, "*row"]:
    """``α (1 − p_t)^γ BCE``; α multiplies both classes."""
    crossed = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return alpha * (1 - torch.exp(-crossed)) ** gamma * crossed  # exp(−BCE) = p_t


def confidence_loss(
    logits: Float[Tensor, "pair predicate"], labels: Int[Tensor, " pair"], binary_share: float = 0.8
) -> dict[str, Float[Tensor, ""]]:
    """Focal losses of one stage (spec §B.6, "RCE loss").

    ``L_bin = Σ_r FL(bin_r, [label > 0]) / (n + 1)``, ``L_multi = mean_r Σ_c FL / (n + 1)`` with n related pairs;
    ``loss = 0.8 L_bin + 0.2 L_multi``. Labels −1 are left out.

    Returns:
        ``loss``, ``binary``, ``multi``.
    """
    kept = labels >= 0
    logits, labels = logits[kept], labels[kept]
    related = (labels > 0).to(logits.dtype)
    named = functional.one_hot(labels, logits.shape[1])[:, 1:].to(logits.dtype)
    amount = related.sum() + 1
    binary = focal(logits[:, -1], related).sum() / amount
    multi = focal(logits[:, :-1], named).sum() / (amount * max(len(labels), 1))
    return {"loss": binary_share * binary + (1 - binary_share) * multi, "binary": binary, "multi": multi}
