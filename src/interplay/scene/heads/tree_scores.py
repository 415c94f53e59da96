"""How much two entities of an image belong together: VCTree's score matrix."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from interplay.data.scene_statistics import SceneStatistics
from interplay.scene.encodings import batch_norm, overlap_info
from interplay.scene.heads.padding import Padding
from interplay.scene.heads.pair_classifier import xavier_linear
from interplay.scene.heads.pairwise_features import encoded_boxes
from interplay.scene.structures import Entities

Prior = Literal["cooccur", "const", "sgb_logsum"]
PART = 128
"""Numbers that each of the four descriptions of an entity is brought to."""


def prior_weights(statistics: SceneStatistics, prior: Prior) -> NDArray[np.float32]:
    """First values of the class-pair weights, (O, O) (spec §B.4).

    ``cooccur``: log-scaled number of relations between two classes, in [0, 1]; ``const``: what PySGG's statistics
    amount to, Σ_p (P + 10⁻³) both ways, ≈ 2.1 everywhere; ``sgb_logsum``: Σ_p log(P + 10⁻³) both ways, as in the public
    code, ≈ −690 for classes that never meet, so that all scores start as zeros and trees follow the order of boxes.
    """
    if prior == "cooccur":
        return statistics.relation_cooccurrence().astype(np.float32)
    if prior == "const":
        found = (statistics.probability() + 1e-3).sum(axis=2)
    elif prior == "sgb_logsum":
        found = np.log(statistics.probability() + 1e-3).sum(axis=2)
    else:
        raise ValueError(f"vctree_prior: found {prior!r}, expected cooccur, const or sgb_logsum")
    return np.asarray(found + found.T, np.float32)


class TreeScores(nn.Module):
    """Score of entity i (object role, row) with entity j (subject role, column) (Tang et al. 2019, §3.2; spec B.4).

        q = ReLU(W [x̄; ē; box; overlap]);   s = ReLU(W_s q), o = ReLU(W_o q)
        co_ij = Σ_ab p_i[a] p_j[b] w[a, b],   p = softmax(detector logits)
        b_ij = σ(v · [s_j ∘ o_i; s_j; o_i; co_ij] + v₀) co_ij,   score_ij = σ(b_ij)

    x̄, ē linear in the detached feature and belief; box = ReLU(BN(W b9)), overlap = ReLU(BN(W overlap6)). b is trained
    against whether two entities have any relation; trees are built from the score and pass no gradient back.
    v · [s_j ∘ o_i; …] is three products of matrices, never (n, n, 3H).

    Args:
        statistics: for the first values of w.
        entity_width, label_dim: of x and e.
        hidden: H.
        prior: see :func:`prior_weights`.
    """

    def __init__(
        self, statistics: SceneStatistics, entity_width: int, label_dim: int, hidden: int, prior: Prior = "cooccur"
    ) -> None:
        super().__init__()
        self.feature = xavier_linear(entity_width, PART)
        self.belief = xavier_linear(label_dim, PART)
        self.box = nn.Linear(9, PART)
        self.box_norm = nn.BatchNorm1d(PART, momentum=0.001)
        self.overlap = nn.Linear(6, PART)
        self.overlap_norm = nn.BatchNorm1d(PART, momentum=0.001)
        self.join = xavier_linear(4 * PART, hidden)
        self.subject = xavier_linear(hidden, hidden)
        self.object = xavier_linear(hidden, hidden)
        self.visual = nn.Linear(3 * hidden + 1, 1)
        self.prior = nn.Parameter(torch.from_numpy(prior_weights(statistics, prior)))

    def described(
        self, x: Float[Tensor, "entity width"], belief: Float[Tensor, "entity label_dim"], entities: Entities
    ) -> Float[Tensor, "entity four_parts"]:
        """[x̄; ē; box; overlap]."""
        overlaps = overlap_info(entities.boxes, entities.counts)
        box = functional.relu(batch_norm(self.box_norm, self.box(encoded_boxes(entities))))
        overlap = functional.relu(batch_norm(self.overlap_norm, self.overlap(overlaps)))
        return torch.cat([self.feature(x.detach()), self.belief(belief.detach()), box, overlap], dim=1)

    def cooccurrence(
        self, logits: Float[Tensor, "entity class"], padding: Padding
    ) -> Float[Tensor, "image longest longest"]:
        """co_ij of each image."""
        belief = logits.detach().to(self.prior.dtype).softmax(dim=1)
        return padding.pad(belief @ self.prior) @ padding.pad(belief).transpose(1, 2)

    def visual_scores(
        self, described: Float[Tensor, "entity four_parts"], co: Float[Tensor, "image n n"], padding: Padding
    ) -> Float[Tensor, "image n n"]:
        """v · [s_j ∘ o_i; s_j; o_i; co_ij] + v₀."""
        q = functional.relu(self.join(described))
        s, o = functional.relu(self.subject(q)), functional.relu(self.object(q))
        hidden = s.shape[1]
        both, of_s, of_o, of_co = torch.split(self.visual.weight[0], [hidden, hidden, hidden, 1])
        columns, rows = padding.pad((s @ of_s)[:, None]), padding.pad((o @ of_o)[:, None])
        product = padding.pad(o * both) @ padding.pad(s).transpose(1, 2)
        total: Tensor = product + columns.transpose(1, 2) + rows + of_co * co + self.visual.bias
        return total

    def forward(
        self,
        x: Float[Tensor, "entity width"],
        belief: Float[Tensor, "entity label_dim"],
        entities: Entities,
        padding: Padding,
    ) -> Float[Tensor, "image n n"]:
        """b of each image; what lies beyond an image's own rows and columns means nothing."""
        co = self.cooccurrence(entities.logits, padding)
        return torch.sigmoid(self.visual_scores(self.described(x, belief, entities), co, padding)) * co
