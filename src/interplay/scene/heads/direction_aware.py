"""GPS-Net's direction-aware message passing: what flows along i → j is weighed by both entities and their union."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.scene.heads.padding import Padding
from interplay.scene.structures import Pairs

Normalisation = Literal["corrected", "released"]
Missing = Literal["absent", "half"]


def first_of_each(index: Int[Tensor, "pair 2"], entities: int) -> Int[Tensor, " kept"]:
    """Rows of the pairs i ≠ j, a pair that is listed again (with another label) only once.

    An exported head is given pairs that keep to that.
    """
    if torch.compiler.is_exporting():
        return torch.arange(index.shape[0], device=index.device)
    key = index[:, 0] * entities + index[:, 1]
    found, inverse = torch.unique(key, return_inverse=True)
    rows = torch.arange(len(key), device=key.device)
    first = torch.full_like(found, len(key)).scatter_reduce(0, inverse, rows, reduce="amin")
    return first[index[first, 0] != index[first, 1]]


class DirectionAwarePassing(nn.Module):
    """One layer of DMP (GPS-Net §3.2; spec §B.5 (2)).

    ``att_ij = w · ((W_s f_i) ∘ (W_o f_j) ∘ e_ij) + b``, ``a_ij = σ(att_ij)``, ``α_ij = a_ij / Σ_j a_ij``,
    ``f′ = ReLU(W_v f)``, ``m_i = [Σ_j α_ij f′_j ; Σ_j α_ji f′_j]``, ``f ← ReLU(f + W2 ReLU(LN(W1 m)))``.

    Args:
        hidden: width of f and e.
        value: width of f′.
        bottleneck: width between W1 and W2.
        normalisation: ``released`` divides a_ij by the sum of row *j*, as the published code does by a slip.
        missing: a pair that was not sampled has a = 0 (``absent``), or ½ as released (``half``).

    Where we differ: both options; an entity without neighbours gets a zero message instead of NaN; positions count
    from an image's first entity, not from the first that occurs in a pair.
    """

    def __init__(
        self,
        hidden: int = 512,
        value: int = 256,
        bottleneck: int = 128,
        normalisation: Normalisation = "corrected",
        missing: Missing = "absent",
    ) -> None:
        super().__init__()
        self.normalisation, self.missing = normalisation, missing
        self.subject = nn.Linear(hidden, hidden)
        self.object = nn.Linear(hidden, hidden)
        self.attention = nn.Linear(hidden, 1)
        self.value = nn.Linear(hidden, value)
        self.narrow = nn.Linear(2 * value, bottleneck)
        self.norm = nn.LayerNorm(bottleneck)
        self.widen = nn.Linear(bottleneck, hidden)

    def scores(
        self, f: Float[Tensor, "entity hidden"], e: Float[Tensor, "pair hidden"], index: Int[Tensor, "pair 2"]
    ) -> Float[Tensor, " pair"]:
        """att of each pair."""
        found: Tensor = self.attention(self.subject(f)[index[:, 0]] * self.object(f)[index[:, 1]] * e)
        return found[:, 0]

    def weights(
        self, scores: Float[Tensor, " pair"], index: Int[Tensor, "pair 2"], padding: Padding
    ) -> Float[Tensor, "image n n"]:
        """a: row = subject, column = object; zero on the diagonal and where an image has no such entity."""
        sides = (len(padding.counts), padding.longest, padding.longest)
        if self.missing == "half":
            present = padding.present()
            off_diagonal = ~torch.eye(padding.longest, dtype=torch.bool, device=scores.device)
            block = 0.5 * (present[:, :, None] & present[:, None, :] & off_diagonal).to(scores.dtype)
        else:
            block = scores.new_zeros(sides)
        subject, object_ = index.unbind(dim=1)
        place = (padding.image[subject], padding.position[subject], padding.position[object_])
        return block.index_put(place, torch.sigmoid(scores))

    def normalised(self, weights: Float[Tensor, "image n n"]) -> Float[Tensor, "image n n"]:
        """α; zero where the sum is zero."""
        total = weights.sum(dim=2)
        share = torch.where(total > 0, total, 1).reciprocal() * (total > 0)
        return weights * (share[:, :, None] if self.normalisation == "corrected" else share[:, None, :])

    def forward(
        self,
        f: Float[Tensor, "entity hidden"],
        e: Float[Tensor, "pair hidden"],
        index: Int[Tensor, "pair 2"],
        padding: Padding,
    ) -> Float[Tensor, "entity hidden"]:
        """``index`` without repeats and without pairs of an entity with itself (:func:`first_of_each`)."""
        alpha = self.normalised(self.weights(self.scores(f, e, index), index, padding))
        values = padding.pad(torch.relu(self.value(f)))
        messages = torch.cat([alpha @ values, alpha.transpose(1, 2) @ values], dim=2)
        own = messages[padding.image, padding.position]
        refined = torch.relu(self.norm(self.narrow(own)))
        return torch.relu(f + self.widen(refined))


class DirectionAwareGraph(nn.Module):
    """Layers of :class:`DirectionAwarePassing` with own weights over the pairs of a batch."""

    def __init__(
        self, layers: int, hidden: int, value: int, bottleneck: int, normalisation: Normalisation, missing: Missing
    ):
        super().__init__()
        self.layers = nn.ModuleList(
            DirectionAwarePassing(hidden, value, bottleneck, normalisation, missing) for _ in range(layers)
        )

    def forward(
        self, f: Float[Tensor, "entity hidden"], e: Float[Tensor, "pair hidden"], counts: tuple[int, ...], pairs: Pairs
    ) -> Float[Tensor, "entity hidden"]:
        rows = first_of_each(pairs.index, f.shape[0])
        index, e, padding = pairs.index[rows], e[rows], Padding(counts, f.device)
        for layer in self.layers:
            f = layer(f, e, index, padding)
        return f
