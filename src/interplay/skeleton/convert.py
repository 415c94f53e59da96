"""Weights of the public CTR-GCN code in our network, which without mutual excitation is the same function.

CTR-GCN (github.com/Uason-Chen/CTR-GCN, ``model/ctrgcn.py``) contracts the second joint index of the adjacency, the
me-GCN paper's Eq. 1 the first. Both are loaded: ``contraction="second"`` takes the weights as they are;
``"first"`` (default) exchanges ψ and φ, negates ξ's weight (not its bias) and transposes A; the output is the same.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from interplay.errors import InterplayError
from interplay.graph.layouts import SkeletonLayout, load_layout
from interplay.skeleton.graph_convolution import Contraction
from interplay.skeleton.network import ENTITIES, MutualExcitationGCN

BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


class Weights:
    """A state dict read by name; what is missing is reported by name."""

    def __init__(self, state: Mapping[str, Tensor], where: str) -> None:
        self.state = state
        self.where = where
        self.used: set[str] = set()

    def __call__(self, key: str) -> Tensor:
        if key not in self.state:
            raise InterplayError(f"{self.where}: the weight {key!r} is missing, expected a CTR-GCN state dict")
        self.used.add(key)
        return self.state[key]

    def has(self, prefix: str) -> bool:
        return any(key.startswith(prefix) for key in self.state)

    def batch_norm(self, *prefixes: str) -> dict[str, Tensor]:
        """One batch norm over the channels of several, keys without a prefix."""
        made = {name: torch.cat([self(f"{prefix}.{name}") for prefix in prefixes]) for name in BATCH_NORM[:4]}
        for prefix in prefixes:
            self.used.add(f"{prefix}.num_batches_tracked")
        counted = self.state.get(f"{prefixes[0]}.num_batches_tracked")
        made["num_batches_tracked"] = torch.tensor(0) if counted is None else counted
        return made


def under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights with a prefix."""
    return {prefix + key: value for key, value in state.items()}


def unit_weights(read: Weights, prefix: str) -> dict[str, Tensor]:
    """State of a ``MutualExcitationGraphConvolution`` from CTR-GCN's ``unit_gcn`` at ``prefix`` (ending with a dot)."""
    subsets = 1 + max(
        (int(match[1]) for key in read.state if (match := re.match(re.escape(prefix) + r"convs\.(\d+)\.", key))),
        default=-1,
    )

    def stacked(convolution: int) -> dict[str, Tensor]:
        names = [f"{prefix}convs.{subset}.conv{convolution}" for subset in range(max(1, subsets))]
        return {
            "weight": torch.stack([read(f"{name}.weight")[:, :, 0, 0] for name in names]),
            "bias": torch.stack([read(f"{name}.bias") for name in names]),
        }

    adjacency = f"{prefix}PA" if f"{prefix}PA" in read.state else f"{prefix}A"
    made = {
        **under("topology.generation.psi.", stacked(1)),
        **under("topology.generation.phi.", stacked(2)),
        **under("feature.omega.", stacked(3)),
        **under("topology.xi.", stacked(4)),
        "topology.adjacency": read(adjacency),
        "topology.alpha": read(f"{prefix}alpha").reshape(1),
        **under("bn.", read.batch_norm(f"{prefix}bn")),
    }
    if read.has(f"{prefix}down."):
        made |= {"residual.weight": read(f"{prefix}down.0.weight"), "residual.bias": read(f"{prefix}down.0.bias")}
        made |= under("residual.bn.", read.batch_norm(f"{prefix}down.1"))
    return made


def temporal_weights(read: Weights, prefix: str) -> dict[str, Tensor]:
    """State of a ``MultiScaleTemporalConvolution`` from CTR-GCN's ``MultiScale_TemporalConv``."""
    branch = [f"{prefix}branches.{index}." for index in range(4)]
    return {
        "reduce_weight": torch.stack([read(f"{name}0.weight")[:, :, 0, 0] for name in branch[:3]]),
        "reduce_bias": torch.cat([read(f"{name}0.bias") for name in branch[:3]]),
        **under("reduce_bn.", read.batch_norm(*[f"{name}1" for name in branch[:3]])),
        "taps_weight": torch.stack([read(f"{name}3.conv.weight")[..., 0] for name in branch[:2]]),
        "taps_bias": torch.stack([read(f"{name}3.conv.bias") for name in branch[:2]]),
        "pointwise_weight": read(f"{branch[3]}0.weight")[:, :, 0, 0],
        "pointwise_bias": read(f"{branch[3]}0.bias"),
        **under("bn.", read.batch_norm(f"{branch[0]}3.bn", f"{branch[1]}3.bn", f"{branch[2]}4", f"{branch[3]}1")),
    }


def block_weights(read: Weights, prefix: str) -> dict[str, Tensor]:
    """State of a ``MutualExcitationBlock`` from CTR-GCN's ``TCN_GCN_unit``."""
    made = under("convolution.", unit_weights(read, f"{prefix}gcn1."))
    made |= under("temporal.", temporal_weights(read, f"{prefix}tcn1."))
    if read.has(f"{prefix}residual."):
        made |= {"residual.weight": read(f"{prefix}residual.conv.weight")}
        made |= {"residual.bias": read(f"{prefix}residual.conv.bias")}
        made |= under("residual.bn.", read.batch_norm(f"{prefix}residual.bn"))
    return made


def exchange_contraction(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights with which the other contraction gives the same output, and back.

    ψ and φ exchanged, ξ's weight negated, A transposed; for units without mutual topology excitation (its map V_RL
    would have to be −V_RLᵀ).

    Raises:
        ValueError: a β in ``state`` is not zero.
    """
    made = {}
    for key, value in state.items():
        if ".topology.fusion." in f".{key}" and bool((value != 0).any()):
            raise ValueError(f"{key}: with a β other than 0 the two contractions are different functions")
        if ".generation.psi." in f".{key}":
            key = key.replace("generation.psi.", "generation.phi.")
        elif ".generation.phi." in f".{key}":
            key = key.replace("generation.phi.", "generation.psi.")
        elif key.endswith("topology.xi.weight"):
            value = -value
        elif key.endswith("topology.adjacency"):
            value = value.transpose(1, 2).contiguous()
        made[key] = value
    return made


def from_ctrgcn(
    state: Mapping[str, Tensor],
    layout: str | SkeletonLayout = "ntu25",
    *,
    contraction: Contraction = "first",
    mte: bool = False,
    mfe: bool = False,
    where: str = "state dict",
    **options: Any,
) -> MutualExcitationGCN:
    """Our network with the weights of a CTR-GCN state dict; sizes are read off the weights.

    Args:
        state: as the public code saves it (``data_bn.weight``, ``l1.gcn1.convs.0.conv1.weight``, …); a leading
            ``module.`` is dropped.
        layout: the joints that it was trained on.
        contraction: which index our network contracts; both give CTR-GCN's outputs.
        mte: add β, starting at 0, so that the outputs stay the same until it is trained.
        mfe: the same for γ.
        where: what to call ``state`` in an error.
        options: further arguments of :class:`~interplay.skeleton.network.MutualExcitationGCN` (dropout, …).

    Raises:
        InterplayError: a weight is missing, left over or of the wrong shape; it is named.
    """
    read = Weights({key.removeprefix("module."): value for key, value in state.items()}, where)
    count = max((int(match[1]) for key in read.state if (match := re.match(r"l(\d+)\.", key))), default=0)
    classes = read("fc.weight").shape[0]
    made = under("input_norm.bn.", read.batch_norm("data_bn"))
    made |= {"classifier.weight": read("fc.weight"), "classifier.bias": read("fc.bias")}
    for index in range(count):
        made |= under(f"blocks.{index}.", block_weights(read, f"l{index + 1}."))
    for key in made:
        if key.endswith("adjacency"):
            made[key] = made[key].float()
    if left := sorted(set(read.state) - read.used):
        raise InterplayError(f"{where}: the weight {left[0]!r} is not one of a CTR-GCN with two entities")
    widths = [made[f"blocks.{index}.convolution.bn.weight"].shape[0] for index in range(count)]
    starts = [0, *(i for i in range(1, count) if f"blocks.{i}.residual.weight" in made), count]
    stages = [widths[start] for start in starts[:-1]]
    if count == 0 or len(stages) != 3:
        raise InterplayError(f"{where}: found {count} blocks in {len(stages)} stages, expected three stages")
    joints = load_layout(layout).joint_count
    network = MutualExcitationGCN(
        classes,
        layout,
        in_channels=made["input_norm.bn.weight"].shape[0] // (ENTITIES * joints),
        channels=(stages[0], stages[1], stages[2]),
        depth=(starts[1], starts[2] - starts[1], starts[3] - starts[2]),
        contraction=contraction,
        mte=mte,
        mfe=mfe,
        **options,
    )
    if contraction == "first":
        made = exchange_contraction(made)
    expected = network.state_dict()
    for key, value in expected.items():
        if key not in made and ".fusion." in key:
            made[key] = torch.zeros_like(value)
        elif key not in made:
            raise InterplayError(f"{where}: no weight for {key!r}")
        elif made[key].shape != value.shape:
            raise InterplayError(f"{where}: {key} is {tuple(made[key].shape)}, expected {tuple(value.shape)}")
    network.load_state_dict(made)
    return network


def load_ctrgcn(path: str | Path, layout: str | SkeletonLayout = "ntu25", **options: Any) -> MutualExcitationGCN:
    """:func:`from_ctrgcn` from a ``.pt``/``.pth`` file; only tensors are unpickled (``weights_only=True``).

    Raises:
        InterplayError: the file cannot be read, holds anything but tensors, or is no CTR-GCN.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InterplayError(f"{path}: cannot be read as weights ({first})") from None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InterplayError(f"{path}: found {type(state).__name__}, expected a state dict of tensors")
    return from_ctrgcn(state, layout, where=str(path), **options)
