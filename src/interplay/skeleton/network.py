"""me-GCN: input norm, blocks of me-GC and temporal convolution, and the inference layer."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.graph.adjacency import Subsets, adjacency_subsets, block_diagonal
from interplay.graph.layouts import SkeletonLayout, load_layout
from interplay.skeleton.block import MutualExcitationBlock
from interplay.skeleton.early_fusion import EarlyFusion, fuse_entities
from interplay.skeleton.fused import FusedBlock
from interplay.skeleton.graph_convolution import (
    Contraction,
    MutualExcitationGraphConvolution,
    PointwiseConvolution,
)
from interplay.skeleton.input_norm import InputNorm
from interplay.skeleton.mutual_feature import MutualFeatureExcitation
from interplay.skeleton.mutual_topology import AlphaOn, Mutual, MutualTopologyExcitation, Topology
from interplay.skeleton.pointwise import working
from interplay.skeleton.temporal_convolution import TemporalKind, temporal_convolution
from interplay.skeleton.workers import shares, side_by_side, workers

ENTITIES = 2
FIRST_RELATION_CHANNELS = 8


class MutualExcitationGCN(nn.Module):
    """Mutual excitation graph convolutional network (me-GCN; paper section III).

    Input norm → K blocks → mean over joints and time → pool over the entities → dropout → linear.

    Args:
        num_classes: classes to tell apart.
        layout: joint layout, by name, path of a YAML file, or itself.
        in_channels: values per joint: 3 for one stream, 6, 9, 12 for streams put together.
        channels: widths of the three stages; the second and third start with temporal stride 2.
        depth: blocks of each stage; the paper's K = 8 … 12 are (3,3,2) (3,3,3) (4,3,3) (4,4,3) (4,4,4).
        reduction: r; relation channels C' = Cin / r, and 8 in the first block.
        subsets: static matrices: ``spatial`` (self, inward, outward), ``uniform`` (one), ``identity`` (three).
        adaptive: the static matrices are learnt.
        alpha_on: α on the dynamic part (CTR-GCN, authors' release) or on the static one (the paper's formula).
        mte: mutual topology excitation; off, the network is CTR-GCN if ``mfe`` is off too.
        mfe: mutual feature excitation.
        mutual: ``shared``: the same V_RL for both entities (paper); ``directed``: V_LR = −V_RLᵀ for entity 1.
        mutual_layers: blocks, counted from 1, that have mutual excitation; None for all (Table V).
        tie_entities: one β and one γ per subset for both entities.
        beta_init: β at the start (Table VI).
        gamma_init: γ at the start (Table VI).
        mfe_proj: second convolution on MFE's individual branch (authors' release, +0.79 M parameters).
        tc: temporal convolution: ``multiscale``, ``single`` (5 taps), ``none``.
        input_norm: ``batch`` or ``instance``.
        input_norm_shared: the same input statistics for both entities.
        fusion: ``mean`` or ``sum`` over the entities at the end.
        contraction: joint index of A that is summed: ``first`` (paper Eq. 1) or ``second`` (CTR-GCN's code).
        early_fusion: make one entity of the two before the first layer (Table VIII); mutual excitation is then off.
        dropout: before the linear layer.

    Shapes: (B, in_channels, T, V, 2) → (B, num_classes); any T ≥ 1.

    Raises:
        ValueError: an argument out of its range, with what was expected.
    """

    def __init__(
        self,
        num_classes: int = 26,
        layout: str | SkeletonLayout = "ntu25",
        *,
        in_channels: int = 3,
        channels: tuple[int, int, int] = (64, 128, 256),
        depth: tuple[int, int, int] = (4, 3, 3),
        reduction: int = 8,
        subsets: Subsets = "spatial",
        adaptive: bool = True,
        alpha_on: AlphaOn = "dynamic",
        mte: bool = True,
        mfe: bool = True,
        mutual: Mutual = "shared",
        mutual_layers: Sequence[int] | None = None,
        tie_entities: bool = False,
        beta_init: float = 0.0,
        gamma_init: float = 0.0,
        mfe_proj: bool = False,
        tc: TemporalKind = "multiscale",
        input_norm: Literal["batch", "instance"] = "batch",
        input_norm_shared: bool = False,
        fusion: Literal["mean", "sum"] = "mean",
        contraction: Contraction = "first",
        early_fusion: EarlyFusion = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        for name, value, allowed in (
            ("subsets", subsets, get_args(Subsets)),
            ("alpha_on", alpha_on, get_args(AlphaOn)),
            ("mutual", mutual, get_args(Mutual)),
            ("tc", tc, get_args(TemporalKind)),
            ("input_norm", input_norm, ("batch", "instance")),
            ("fusion", fusion, ("mean", "sum")),
            ("contraction", contraction, get_args(Contraction)),
            ("early_fusion", early_fusion, get_args(EarlyFusion)),
        ):
            if value not in allowed:
                raise ValueError(f"{name}: found {value!r}, expected one of {', '.join(map(repr, allowed))}")
        if len(channels) != 3 or len(depth) != 3 or depth[0] < 1 or min(depth) < 0:
            raise ValueError(f"channels {channels}, depth {depth}: expected three of each, depth at least (1, 0, 0)")
        for name, number in (("num_classes", num_classes), ("in_channels", in_channels), ("reduction", reduction)):
            if number < 1:
                raise ValueError(f"{name}: found {number}, expected at least 1")
        layers = set(range(1, sum(depth) + 1))
        mutual_set = layers if mutual_layers is None else set(mutual_layers)
        if not mutual_set <= layers:
            raise ValueError(f"mutual_layers: found {sorted(mutual_set - layers)}, expected blocks 1 to {sum(depth)}")

        self.layout = load_layout(layout)
        self.in_channels = in_channels
        self.early_fusion: EarlyFusion = early_fusion
        self.fusion = fusion
        adjacency = adjacency_subsets(self.layout, subsets)
        entities = ENTITIES if early_fusion == "none" else 1
        fused_channels = in_channels * ENTITIES if early_fusion == "concat_channels" else in_channels
        if early_fusion == "concat_joints":
            adjacency = block_diagonal(adjacency, ENTITIES)
        self.input_norm = InputNorm(fused_channels, adjacency.shape[-1], entities, input_norm, input_norm_shared)

        blocks: list[MutualExcitationBlock] = []
        width = fused_channels
        for stage, count in enumerate(depth):
            for position in range(count):
                first = not blocks
                out, stride = channels[stage], 2 if stage > 0 and position == 0 else 1
                excited = entities == ENTITIES and len(blocks) + 1 in mutual_set
                topology = MutualTopologyExcitation(
                    adjacency,
                    width,
                    out,
                    FIRST_RELATION_CHANNELS if first else max(1, width // reduction),
                    adaptive=adaptive,
                    normalise_columns=subsets == "identity",
                    alpha_on=alpha_on,
                    mutual=mutual if excited and mte else None,
                    tie_entities=tie_entities,
                    beta_init=beta_init,
                )
                feature = MutualFeatureExcitation(
                    adjacency.shape[0],
                    width,
                    out,
                    mutual=excited and mfe,
                    tie_entities=tie_entities,
                    gamma_init=gamma_init,
                    projection=mfe_proj,
                )
                residual: nn.Module | None = nn.Identity()
                if first:
                    residual = None
                elif stride > 1 or width != out:
                    residual = PointwiseConvolution(width, out, stride)
                convolution = MutualExcitationGraphConvolution(topology, feature, width, out, contraction)
                blocks.append(MutualExcitationBlock(convolution, temporal_convolution(tc, out, stride), residual))
                width = out
        self.blocks = nn.ModuleList(blocks)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, num_classes)
        nn.init.normal_(self.classifier.weight, 0.0, math.sqrt(2.0 / num_classes))
        nn.init.zeros_(self.classifier.bias)

    def start(
        self, x: Float[Tensor, "batch channel time joint entity"]
    ) -> Float[Tensor, "batch fused_entity fused_channel fused_joint time"]:
        """Early fusion and input norm: what the first block sees."""
        expected = (self.in_channels, self.layout.joint_count, ENTITIES)
        if (x.shape[1], *x.shape[3:]) != expected or x.shape[2] < 1:
            raise ValueError(
                f"network input: found {tuple(x.shape)}, expected (batch, {expected[0]} channels, time, "
                f"{expected[1]} joints of {self.layout.name}, {ENTITIES} entities)"
            )
        normed: Tensor = self.input_norm(fuse_entities(x, self.early_fusion))
        return normed

    def features(self, x: Float[Tensor, "batch channel time joint entity"]) -> Float[Tensor, "batch feature"]:
        """The pooled embedding in front of the linear layer (paper Fig. 3)."""
        y = self.start(x)
        for block in self.blocks:
            y = block(y)
        return self.pool(y)

    def pool(self, y: Float[Tensor, "batch entity feature joint time"]) -> Float[Tensor, "batch feature"]:
        """Mean over joints and time, mean or sum over the entities."""
        pooled = y.mean(dim=(3, 4))
        return pooled.mean(dim=1) if self.fusion == "mean" else pooled.sum(dim=1)

    def fused(self, chunk: int = 4) -> FusedNetwork:
        """A snapshot for inference, several times faster on a CPU."""
        return FusedNetwork(self, chunk)

    def stack(self) -> list[MutualExcitationBlock]:
        """The blocks, first to last."""
        return [block for block in self.blocks if isinstance(block, MutualExcitationBlock)]

    def forward(self, x: Float[Tensor, "batch channel time joint entity"]) -> Float[Tensor, "batch class"]:
        """Logits."""
        logits: Tensor = self.classifier(self.dropout(self.features(x)))
        return logits

    @torch.no_grad()
    def diagnostics(self, x: Float[Tensor, "batch channel time joint entity"]) -> list[Topology]:
        """The maps V_X, V_RL and A_X (before and after FFB) of every block; α, β, γ are the blocks' parameters."""
        y = self.start(x)
        found = []
        for block in self.stack():
            found.append(block.convolution.topology.diagnose(y.mean(dim=-1)))
            y = block(y)
        return found


class FusedNetwork(nn.Module):
    """A :class:`~interplay.skeleton.network.MutualExcitationGCN` for inference; made by its ``fused`` method.

    Batch norms are folded into the convolutions around them, residuals and offsets are what the products accumulate
    onto, and a batch is walked in chunks that stay in the processor's cache. It has no gradients.

    Args:
        network: trained; its present weights are copied.
        chunk: clips at a time on a CPU (other devices take the whole batch).

    Shapes: (B, in_channels, T, V, 2) → (B, num_classes).
    """

    def __init__(self, network: MutualExcitationGCN, chunk: int = 4) -> None:
        super().__init__()
        network = copy.deepcopy(network).eval()
        with torch.no_grad():
            self.blocks = nn.ModuleList(FusedBlock(block) for block in network.stack())
        self._lower: dict[tuple[torch.dtype, torch.device], list[FusedBlock]] = {}
        network.blocks = nn.ModuleList()
        self.network = network
        self.chunk = chunk
        self.eval().requires_grad_(False)

    def precision(self, dtype: torch.dtype) -> list[FusedBlock]:
        """The blocks with weights of this type, made once."""
        blocks = [block for block in self.blocks if isinstance(block, FusedBlock)]
        weight = blocks[0].convolution.weight
        if weight.dtype == dtype:
            return blocks
        key = (dtype, weight.device)
        if key not in self._lower:
            self._lower = {key: [block.in_precision(dtype) for block in blocks]}
        return self._lower[key]

    def features(self, x: Float[Tensor, "batch channel time joint entity"]) -> Float[Tensor, "batch feature"]:
        """The pooled embedding in front of the linear layer."""
        chunk = self.chunk if x.device.type == "cpu" else max(1, len(x))
        parts = x.split(chunk) if len(x) else (x,)  # type: ignore[no-untyped-call]
        count = workers(x.device, len(parts))
        if count > 1 and len(parts) % count:  # equal shares, so that nobody waits long for the last one
            parts = x.split(-(-len(x) // (count * -(-len(parts) // count))))  # type: ignore[no-untyped-call]

        def work(share: range) -> list[Tensor]:
            return [self._part(parts[index]) for index in share]

        with torch.no_grad():
            self.precision(working(self.network.classifier.weight[:0]).dtype)  # made before the threads ask for it
            made = [row for rows in side_by_side(work, shares(len(parts), count)) for row in rows]
        return torch.cat(made) if len(made) != 1 else made[0]

    def _part(self, x: Tensor) -> Tensor:
        y = working(self.network.start(x))
        for block in self.precision(y.dtype):
            y = block(y)
        return self.network.pool(y)

    def forward(self, x: Float[Tensor, "batch channel time joint entity"]) -> Float[Tensor, "batch class"]:
        """Logits."""
        logits: Tensor = self.network.classifier(self.features(x))
        return logits
