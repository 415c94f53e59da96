"""A structure: which operation stands on each superedge of a cell (paper §3.2, Fig. 4)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx
import torch
from jaxtyping import Int64
from torch import Tensor

from interplay.video.settings import Space

SPACES: Mapping[str, tuple[str, ...]] = {
    "fixed": ("zero", "identity", "difference", "temporal", "background"),
    "original": (
        "zero",
        "identity",
        "feature_aggregation",
        "difference_propagation",
        "temporal_convolution",
        "background_incorporation",
        "node_attention",
    ),
    "parallel": ("zero", "identity", "aggregation_difference", "temporal_background", "aggregation_background"),
}
"""Candidates of each space in the order of the structure weights (agos.md §4)."""

TITLES: Mapping[str, str] = {
    "zero": "none",
    "identity": "identity",
    "difference": "difference propagation, feature aggregation, node attention",
    "temporal": "temporal convolution, feature aggregation, node attention",
    "background": "background incorporation, feature aggregation, node attention",
    "aggregation_difference": "feature aggregation beside difference propagation, node attention",
    "temporal_background": "temporal convolution beside background incorporation, node attention",
    "aggregation_background": "feature aggregation beside background incorporation, node attention",
    "feature_aggregation": "feature aggregation",
    "difference_propagation": "difference propagation",
    "temporal_convolution": "temporal convolution",
    "background_incorporation": "background incorporation",
    "node_attention": "node attention",
}
"""What an operation's name stands for, in the order of application."""


def superedges(supernodes: int) -> tuple[tuple[int, int], ...]:
    """(from, to) of every superedge of a cell: (0,1)(0,2)(1,2)(0,3)(1,3)(2,3) for three intermediate supernodes."""
    return tuple((i, j) for j in range(1, supernodes + 1) for i in range(j))


@dataclass(frozen=True)
class Structure:
    """One operation per superedge.

    Args:
        operations: names, in the order of :func:`superedges`.
        space: "fixed", "original" or "parallel"; what names there are.
        supernodes: intermediate supernodes.

    Raises:
        ValueError: unknown space or operation, or another number of operations than superedges.
    """

    operations: tuple[str, ...]
    space: Space = "fixed"
    supernodes: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        _known(self.space)
        expected = len(superedges(self.supernodes))
        if len(self.operations) != expected:
            raise ValueError(
                f"structure: found {len(self.operations)} operations, expected {expected} for {self.supernodes} "
                "supernodes"
            )
        for operation in self.operations:
            if operation not in SPACES[self.space]:
                raise ValueError(
                    f"structure: found operation {operation!r}, expected one of {', '.join(SPACES[self.space])}"
                )

    @cached_property
    def indices(self) -> tuple[int, ...]:
        """Place of each operation in the space."""
        names = SPACES[self.space]
        return tuple(names.index(operation) for operation in self.operations)

    def code(self) -> int:
        """The operations as digits of one number to base |O|, first superedge first."""
        number = 0
        for index in self.indices:
            number = number * len(SPACES[self.space]) + index
        return number

    @classmethod
    def from_code(cls, code: int, space: Space = "fixed", supernodes: int = 3) -> Structure:
        """The inverse of :meth:`code`."""
        base, edges = len(SPACES[space]), len(superedges(supernodes))
        if not 0 <= code < base**edges:
            raise ValueError(f"structure code: found {code}, expected 0 to {base**edges - 1}")
        digits = [code // base**place % base for place in reversed(range(edges))]
        return cls.from_indices(digits, space, supernodes)

    @classmethod
    def from_indices(cls, indices: Iterable[int], space: Space = "fixed", supernodes: int = 3) -> Structure:
        """From places in the space, one per superedge."""
        names = SPACES[space]
        found = [int(index) for index in indices]
        for index in found:
            if not 0 <= index < len(names):
                raise ValueError(f"structure: found operation {index}, expected 0 to {len(names) - 1}")
        return cls(tuple(names[index] for index in found), space, supernodes)

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``json.dumps`` takes them."""
        return {"space": self.space, "supernodes": self.supernodes, "operations": list(self.operations)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | str) -> Structure:
        """The inverse of :meth:`to_json`, from the mapping or from its text.

        Raises:
            ValueError: something is missing, unknown or of the wrong type.
        """
        given = json.loads(value) if isinstance(value, str) else value
        known = {"space", "supernodes", "operations"}
        if not isinstance(given, Mapping) or set(given) != known:
            raise ValueError(f"structure: found {given!r}, expected a mapping with {', '.join(sorted(known))}")
        operations = given["operations"]
        _known(given["space"])
        if isinstance(operations, str) or not isinstance(operations, Sequence):
            raise ValueError(f"structure: found operations {operations!r}, expected a list of names")
        supernodes = given["supernodes"]
        if isinstance(supernodes, bool) or not isinstance(supernodes, int):
            raise ValueError(f"structure: found supernodes {supernodes!r}, expected a whole number")
        return cls(tuple(map(str, operations)), given["space"], supernodes)

    def graph(self) -> networkx.DiGraph:
        """Supernodes as nodes, superedges with their ``operation``; the concatenation at the end is ``output``."""
        made = networkx.DiGraph(space=self.space)
        made.add_node(0, kind="input")
        made.add_nodes_from(range(1, self.supernodes + 1), kind="intermediate")
        made.add_node("output", kind="output")
        for (source, target), operation in zip(superedges(self.supernodes), self.operations, strict=True):
            made.add_edge(source, target, operation=operation)
        made.add_edges_from(((node, "output") for node in range(1, self.supernodes + 1)), operation="concatenation")
        return made

    def __str__(self) -> str:
        pairs = zip(superedges(self.supernodes), self.operations, strict=True)
        return " ".join(f"{source}→{target}:{operation}" for (source, target), operation in pairs)


def _known(space: object) -> None:
    if not isinstance(space, str) or space not in SPACES:
        raise ValueError(f"structure: found space {space!r}, expected one of {', '.join(SPACES)}")


def choices_of(
    structures: Sequence[Structure] | Tensor, space: Space, supernodes: int, batch: int, device: torch.device
) -> Int64[Tensor, "batch edge"]:
    """Structures of a batch as places in the space; a single one serves all clips.

    Raises:
        ValueError: another space, another number of supernodes or of clips, or a place outside the space.
    """
    edges = len(superedges(supernodes))
    if isinstance(structures, Tensor):
        made = structures.to(device=device, dtype=torch.int64)
    else:
        for structure in structures:
            if (structure.space, structure.supernodes) != (space, supernodes):
                raise ValueError(
                    f"structure: found {structure.space} with {structure.supernodes} supernodes, expected {space} "
                    f"with {supernodes}"
                )
        made = torch.tensor([structure.indices for structure in structures], dtype=torch.int64, device=device)
    if made.ndim != 2 or made.shape[1] != edges or made.shape[0] not in (1, batch):
        raise ValueError(f"structures: found shape {tuple(made.shape)}, expected ({batch}, {edges}) or (1, {edges})")
    if made.numel() and not bool(((made >= 0) & (made < len(SPACES[space]))).all()):
        raise ValueError(f"structures: found an operation outside 0 to {len(SPACES[space]) - 1}")
    return made.expand(batch, edges)
