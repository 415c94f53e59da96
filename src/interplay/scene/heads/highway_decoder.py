"""MOTIFS' decoder of classes: a highway LSTM that is told the class it gave to the entity before."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.data.scenes import Vocabulary
from interplay.scene.heads.precision import in_single_precision
from interplay.scene.heads.sequences import PackedOrder
from interplay.scene.heads.tree_lstm import variational_mask
from interplay.scene.refinement import best_labels
from interplay.scene.word_vectors import START, WordVectors, label_vectors


class HighwayDecoder(nn.Module):
    """Class logits one entity after the other (Zellers et al. 2018, Eq. 4–5; spec §B.1).

        a = W [d; emb(previous label)] + b (6H),   s = U h' + b' (5H),
        m = σ(a₀+s₀) tanh(a₂+s₂) + σ(a₁+s₁) m',
        h = σ(a₄+s₄) σ(a₃+s₃) tanh(m) + (1 − σ(a₄+s₄)) a₅,   logits = W_out h + b_out.

    The first entity follows the row :data:`~interplay.scene.word_vectors.START` of the embedding, class c is row
    c + 1. In training the true class is fed on, where that is background (and in evaluation) the best class of 1..O−1.
    Dropout: one mask per sequence, on h.

    W d is one product over all entities and W emb one over all classes, so that a step costs U h' only.

    Args:
        vocabulary, vectors: for the embedding.
        width: of d.
        hidden: H.
        label_dim: numbers per class.
        dropout: of h.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        vectors: WordVectors | None,
        width: int,
        hidden: int,
        label_dim: int = 200,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        names = (START, *vocabulary.classes)
        self.embedding = nn.Embedding(len(names), label_dim, _weight=label_vectors(names, label_dim, vectors))
        self.input = nn.Linear(width + label_dim, 6 * hidden)
        self.state = nn.Linear(hidden, 5 * hidden)
        self.output = nn.Linear(hidden, len(vocabulary.classes))
        nn.init.zeros_(self.input.bias)
        nn.init.zeros_(self.state.bias)
        self.width, self.hidden, self.dropout = width, hidden, dropout

    @in_single_precision
    def forward(
        self,
        inputs: Float[Tensor, "entity width"],
        order: PackedOrder,
        taught: Int[Tensor, " entity"] | None = None,
    ) -> tuple[Float[Tensor, "entity class"], Int[Tensor, " entity"]]:
        """(logits, labels fed on), in the order of the batch; ``taught``: true classes, 0 = not known."""
        d = self.hidden
        if not len(inputs):
            return inputs.new_zeros(0, self.output.out_features), order.order
        weight = self.input.weight
        own = nn.functional.linear(inputs[order.order], weight[:, : self.width], self.input.bias)
        own = own + nn.functional.pad(self.state.bias, (0, d))
        by_label = nn.functional.linear(self.embedding.weight, weight[:, self.width :])
        rows = torch.arange(order.steps[0], device=inputs.device)
        mask = variational_mask(inputs, order.steps[0], d, self.dropout, self.training)
        known = None if taught is None else torch.split(taught[order.order], order.steps)
        fed = rows.new_zeros(order.steps[0])  # the start row
        h = m = own.new_zeros(order.steps[0], d)
        logits, labels = [], []
        for step, (alive, a) in enumerate(zip(order.steps, torch.split(own, order.steps), strict=True)):
            a = a + by_label[fed[:alive]]
            gates = torch.addmm(a[:, : 5 * d], h[:alive], self.state.weight.t())
            i, f = torch.sigmoid(gates[:, : 2 * d]).chunk(2, dim=1)
            o, q = torch.sigmoid(gates[:, 3 * d :]).chunk(2, dim=1)
            m = torch.addcmul(f * m[:alive], i, torch.tanh(gates[:, 2 * d : 3 * d]))
            h = torch.lerp(a[:, 5 * d :], o * torch.tanh(m), q)
            h = h if mask is None else h * mask[:alive]
            logits.append(self.output(h))
            label = best_labels(logits[-1].detach())
            if known is not None:
                label = torch.where(known[step] > 0, known[step], label)
            labels.append(label)
            fed = label + 1
        return torch.cat(logits)[order.place], torch.cat(labels)[order.place]
