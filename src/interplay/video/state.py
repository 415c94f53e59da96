"""What a graph operation sees: the nodes of one supernode, and the clip around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional


def unit(x: Float[Tensor, "*any width"]) -> Float[Tensor, "*any width"]:
    """x̂ = x / ‖x‖₂; a zero vector stays zero (agos.md §4)."""
    return functional.normalize(x, dim=-1)


@dataclass(frozen=True)
class NodeLayout:
    """How the nodes of a clip stand (agos.md §0): node = step·boxes + box.

    Args:
        steps: T', frames of the map.
        boxes: R, boxes per frame.
        cells: h·w, positions of the map in a frame.
    """

    steps: int = 16
    boxes: int = 10
    cells: int = 49

    @property
    def nodes(self) -> int:
        """N = T'·R."""
        return self.steps * self.boxes


class ClipContext:
    """What all supernodes of a clip share.

    Args:
        background: map y^t, the cells of a frame row by row.
        positions: s_i: centre x, y and time (3), or corners, centre, size and time (9), each in [0, 1].
        boxes: R, boxes per frame.
    """

    def __init__(
        self,
        background: Float[Tensor, "batch step cell width"],
        positions: Float[Tensor, "batch node coordinate"],
        boxes: int,
    ) -> None:
        self._background, self._positions, self.boxes = background, positions, boxes
        self._whole: ClipContext | None = None
        self._rows: Tensor | None = None

    @cached_property
    def background(self) -> Float[Tensor, "batch step cell width"]:
        """y."""
        return self._picked(self._background)

    @cached_property
    def positions(self) -> Float[Tensor, "batch node coordinate"]:
        """s."""
        return self._picked(self._positions)

    @cached_property
    def background_norm(self) -> Float[Tensor, "batch step cell"]:
        """‖y‖₂, at least 10⁻¹²; what ŷ = y/‖y‖ needs without a second map."""
        if self._whole is not None:
            return self._picked(self._whole.background_norm)
        found: Tensor = torch.linalg.vector_norm(self._background, dim=-1)
        return found.clamp_min(1e-12)

    def select(self, rows: Int64[Tensor, " row"]) -> ClipContext:
        """Only these clips; nothing is copied before it is looked at, as most operations see no background."""
        if self._whole is not None and self._rows is not None:
            return self._whole.select(self._rows[rows])
        made = ClipContext(self._background, self._positions, self.boxes)
        made._whole, made._rows = self, rows
        return made

    def _picked(self, values: Tensor) -> Tensor:
        return values if self._rows is None else values.index_select(0, self._rows)


@dataclass(frozen=True)
class NodeState:
    """One supernode: features of all nodes, with what is computed from them at most once.

    Args:
        nodes: X.
        context: the clip around them.
    """

    nodes: Float[Tensor, "batch node width"]
    context: ClipContext

    @property
    def background(self) -> Float[Tensor, "batch step cell width"]:
        """y."""
        return self.context.background

    @property
    def positions(self) -> Float[Tensor, "batch node coordinate"]:
        """s."""
        return self.context.positions

    @property
    def boxes(self) -> int:
        """R."""
        return self.context.boxes

    @property
    def steps(self) -> int:
        """T'."""
        return self.nodes.shape[1] // self.boxes

    @cached_property
    def nodes_unit(self) -> Float[Tensor, "batch node width"]:
        """x̂."""
        return unit(self.nodes)

    @cached_property
    def cosine(self) -> Float[Tensor, "batch node node"]:
        """x̂_iᵀx̂_j, in full precision also under autocast: what is nearest must not be a matter of rounding."""
        return full_precision_product(self.nodes_unit, self.nodes_unit)

    @cached_property
    def inner_product(self) -> Float[Tensor, "batch node node"]:
        """x_iᵀx_j."""
        return full_precision_product(self.nodes, self.nodes)

    @cached_property
    def nearest_by_cosine(self) -> Int64[Tensor, "batch node step"]:
        """n(i, u): the node of frame u most like node i; in its own frame that is i (Eq. 4)."""
        return nearest(self.cosine.detach(), self.boxes, own=True)

    def moved(self, nodes: Float[Tensor, "batch node width"]) -> NodeState:
        """The same clips at another supernode."""
        return NodeState(nodes, self.context)

    def select(self, rows: Int64[Tensor, " row"]) -> NodeState:
        """Only these clips."""
        return NodeState(self.nodes.index_select(0, rows), self.context.select(rows))


def full_precision_product(
    left: Float[Tensor, "batch left width"], right: Float[Tensor, "batch right width"]
) -> Float[Tensor, "batch left right"]:
    """left·rightᵀ outside autocast."""
    with torch.autocast(left.device.type, enabled=False):
        wide = torch.promote_types(left.dtype, torch.float32)
        return torch.bmm(left.to(wide), right.to(wide).transpose(1, 2))


def nearest(similarity: Float[Tensor, "batch node node"], boxes: int, *, own: bool) -> Int64[Tensor, "batch node step"]:
    """Index of the most similar node of each frame; ``own`` forces i in the frame of i (duplicate boxes tie)."""
    batch, nodes, _ = similarity.shape
    steps = nodes // boxes
    inside = similarity.view(batch, nodes, steps, boxes).argmax(dim=-1)
    found = inside + boxes * torch.arange(steps, device=similarity.device)
    if own:
        i = torch.arange(nodes, device=similarity.device)
        found[:, i, i // boxes] = i
    return found
