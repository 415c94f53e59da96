"""Entities of each image as a sequence, packed so that no step mixes images with padding, and a biLSTM over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from interplay.scene.structures import Entities, owners, starts

Order = Literal["leftright", "size", "confidence", "random"]


@dataclass(frozen=True, eq=False)
class PackedOrder:
    """Where each entity stands in packed sequences, one sequence per image.

    Args:
        order: (N,) entity in each packed slot: all first entities, then all second ones, …; longest image first, of
            equally long ones the later first.
        place: (N,) packed slot of each entity.
        image: (N,) image of each slot.
        steps: sequences alive at each time step.
    """

    order: Int[Tensor, " entity"]
    place: Int[Tensor, " entity"]
    image: Int[Tensor, " entity"]
    steps: list[int]

    @classmethod
    def falling(cls, keys: Float[Tensor, " entity"], counts: Sequence[int]) -> PackedOrder:
        """Entities of each image by falling key, equal keys as they come.

        Args:
            keys: one number per entity.
            counts: N_b.
        """
        device = keys.device
        visit = keys.argsort(descending=True, stable=True)
        visit = visit[owners(counts, device)[visit].argsort(stable=True)]  # image by image, order kept inside
        image = owners(counts, device)
        first = torch.tensor(starts(counts), dtype=torch.int64, device=device)
        position = torch.arange(len(keys), device=device) - first[image]
        longest_first = sorted(range(len(counts)), key=lambda b: (counts[b], b), reverse=True)
        rank = torch.empty(len(counts), dtype=torch.int64)
        rank[longest_first] = torch.arange(len(counts))
        slots = (position * max(len(counts), 1) + rank.to(device)[image]).argsort()
        order = visit[slots]
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order), device=device)
        steps = [sum(count > step for count in counts) for step in range(max(counts, default=0))]
        return cls(order, place, image[slots], steps)

    def run(self, lstm: nn.LSTM, x: Float[Tensor, "entity width"]) -> Float[Tensor, "entity states"]:
        """[forward; backward] states of each entity, in the order of the batch; *forward* is the visiting order."""
        if not len(x):
            return x.new_zeros(0, 2 * lstm.hidden_size)
        packed = x[self.order]
        if self.steps[0] == 1:  # a single image needs no packing
            states: Tensor = lstm(packed.unsqueeze(1))[0].squeeze(1)
        else:
            states = lstm(PackedSequence(packed, torch.tensor(self.steps)))[0].data
        return states[self.place]


def visiting_order(entities: Entities, order: Order = "leftright", random: bool = False) -> PackedOrder:
    """The sequence in which MOTIFS reads the entities of an image (spec §B.1).

    ``leftright``: by falling x of the centre, which is *right to left*, as in the public code; ``size``: largest box
    first; ``confidence``: by the detector's best class probability; ``random``: drawn anew with ``random``, otherwise
    one fixed shuffle that depends on nothing but the position in the image.

    *Where we differ*: sorted per image, so that an image alone is read as in a batch (the public key divides by the
    largest centre of the batch, which can exchange near neighbours), and never mixes images (PySGG's packing does).
    """
    boxes = entities.boxes
    if order == "leftright":
        keys = boxes[:, 0] + boxes[:, 2]
    elif order == "size":
        keys = (boxes[:, 2:] - boxes[:, :2] + 1).prod(dim=1)
    elif order == "confidence":
        keys = entities.logits.softmax(dim=1)[:, 1:].amax(dim=1)
    elif order == "random" and random:
        keys = torch.rand(len(boxes), device=boxes.device)
    elif order == "random":
        draws = torch.rand(max(entities.counts, default=0), generator=torch.Generator().manual_seed(0))
        first = torch.tensor(entities.starts, dtype=torch.int64, device=boxes.device)
        keys = draws.to(boxes.device)[torch.arange(len(boxes), device=boxes.device) - first[entities.image]]
    else:
        raise ValueError(f"order: found {order!r}, expected leftright, size, confidence or random")
    return PackedOrder.falling(keys, entities.counts)


class SequenceContext(nn.Module):
    """A bidirectional LSTM over the entities of each image, its 2H states brought to H (Zellers et al. 2018, Eq. 2–6).

    Args:
        width: of the input.
        hidden: H.
        layers: of the LSTM; dropout only lies between layers.
        dropout: its rate.
    """

    def __init__(self, width: int, hidden: int, layers: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, layers, bidirectional=True, dropout=dropout if layers > 1 else 0.0)
        self.output = nn.Linear(2 * hidden, hidden)

    def forward(self, x: Float[Tensor, "entity width"], order: PackedOrder) -> Float[Tensor, "entity hidden"]:
        context: Tensor = self.output(order.run(self.lstm, x))
        return context
