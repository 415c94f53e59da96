"""The frequency bias: what the classes of subject and object alone say about the predicate."""

from __future__ import annotations

from math import isqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class FrequencyBias(nn.Module):
    """Trainable logits of the predicate for each pair of classes (Zellers et al. 2018, §3; spec §A.6).

        table[s·O + o, p] = log(P(p | s, o) + 10⁻³) to begin with,

    P counted on the training images (:meth:`interplay.data.scene_statistics.SceneStatistics.frequency_table`).

    Args:
        table: (O², P).

    Raises:
        ValueError: the number of rows is no square.
    """

    def __init__(self, table: Float[Tensor, "classes_squared predicate"]) -> None:
        super().__init__()
        self.classes = isqrt(table.shape[0])
        if self.classes**2 != table.shape[0]:
            raise ValueError(f"table: found {table.shape[0]} rows, expected the square of the number of classes")
        self.table = nn.Embedding(table.shape[0], table.shape[1], _weight=table.detach().clone().float())

    def forward(self, subjects: Int[Tensor, " pair"], objects: Int[Tensor, " pair"]) -> Float[Tensor, "pair predicate"]:
        """Rows of the classes of subjects and objects."""
        rows: Tensor = self.table(subjects * self.classes + objects)
        return rows

    def soft(self, pair_probabilities: Float[Tensor, "pair class 2"]) -> Float[Tensor, "pair predicate"]:
        """Σ_{a,b} P_subject(a) P_object(b) table[a·O + b] for class distributions (last index: subject, object).

        Contracts the subject first, so that (R, O·P) is the largest tensor and never the joint (R, O²).
        """
        subject, object_ = pair_probabilities.unbind(dim=-1)
        by_object = (subject @ self.table.weight.view(self.classes, -1)).view(len(subject), self.classes, -1)
        return torch.einsum("ro,rop->rp", object_, by_object)
