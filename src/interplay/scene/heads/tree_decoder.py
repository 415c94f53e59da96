"""VCTree's decoder of classes: a top-down tree LSTM that is told the class of the parent."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.data.scenes import Vocabulary
from interplay.scene.heads.precision import in_single_precision
from interplay.scene.heads.tree_lstm import ParentToChildren, variational_mask
from interplay.scene.heads.trees import Levels
from interplay.scene.refinement import best_labels
from interplay.scene.word_vectors import START, WordVectors, label_vectors


class TreeDecoder(nn.Module):
    """Class logits from the root of the binary tree down (Tang et al. 2019, §3.4; spec §B.4).

    The input of an entity is [d; emb(label of its binary parent)], row 0 (``start``) for the root and row c + 1 for
    class c. In training the parent's label is *drawn* from its predicted distribution over 1..O−1, in evaluation it is
    the best of them. Labels returned are the best ones in both. Dropout: one mask per tree, on h.

    Args:
        vocabulary, vectors: for the embedding.
        width: of d.
        hidden: of the state.
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
        self.cell = ParentToChildren(width + label_dim, hidden)
        self.output = nn.Linear(hidden, len(vocabulary.classes))
        self.width, self.dropout = width, dropout

    @in_single_precision
    def forward(
        self, inputs: Float[Tensor, "entity width"], levels: Levels, images: int
    ) -> tuple[Float[Tensor, "entity class"], Int[Tensor, " entity"]]:
        """(logits, best classes), in the order of the batch; ``images`` = number of trees."""
        if not len(inputs):
            return inputs.new_zeros(0, self.output.out_features), levels.order
        linear, cell = nn.functional.linear, self.cell
        weight = torch.cat([cell.input.weight, cell.projection.weight])  # both read [d; emb]
        bias = torch.cat([cell.input.bias + cell.parent.bias, cell.projection.bias])
        own = torch.split(linear(inputs[levels.order], weight[:, : self.width], bias), levels.sizes)
        by_label = linear(self.embedding.weight, weight[:, self.width :])
        mask = variational_mask(inputs, images, cell.hidden, self.dropout, self.training)
        of_images = torch.split(levels.images, levels.sizes)
        logits: list[Tensor] = []
        above, fed = None, torch.zeros_like(levels.order[: levels.sizes[0]])
        for level, parent in enumerate(torch.split(levels.parents, levels.sizes)):
            mixed = own[level] + by_label[fed if above is None else fed[parent]]
            gate, skip = torch.split(mixed, [5 * cell.hidden, cell.hidden], dim=1)
            h, c = cell.step(gate, skip, None if above is None else above[parent])
            h = h if mask is None else h * mask[of_images[level]]
            logits.append(self.output(h))
            fed = self._told(logits[-1].detach()) + 1
            above = torch.cat([h, c], dim=1)
        found = levels.restored(torch.cat(logits))
        return found, best_labels(found)

    def _told(self, logits: Float[Tensor, "node class"]) -> Int[Tensor, " node"]:
        if not self.training:
            return best_labels(logits)
        return logits[:, 1:].float().softmax(dim=1).multinomial(1).squeeze(1) + 1
