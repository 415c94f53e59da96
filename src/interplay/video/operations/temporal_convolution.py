"""Temporal convolution over the nearest nodes of all frames, TC (paper Eqs. 4 and 5)."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from interplay.video.affinity import Affinity, NormalisedActivation
from interplay.video.settings import VideoSettings
from interplay.video.state import NodeLayout, NodeState, full_precision_product, nearest


class TemporalConvolution(nn.Module):
    """``X_i = [x_{n(i,0)}, …, x_{n(i,T'−1)}]``, ``z_i = mean_u δ((W ∗ X_i)[u])``.

    ``n(i, u)`` is the node of frame u most similar to i, and i itself in its own frame. The kernel spans 7 frames and
    is depth-wise; without padding it has T' − 6 outputs, each normalised and activated before the mean. Gradients flow
    through the gathered features, not through the choice of nodes.

    Options: ``tc_convolution="dense"``; ``tc_padding="zero"`` (T' outputs); ``tc_out="own_frame"`` (padded, the output
    at the node's own frame); ``tc_nearest="inner_product"``; ``tc_u`` (the release's matrix in the product, always the
    identity there: cosine without forcing the own frame).

    Source: Eqs. 4, 5; agos.md §4.3, A7 to A9. *Where we differ*: the paper says neither how the kernel is grouped nor
    what becomes of its outputs; the default is the release's.

    Shapes: nodes (B, T'·R, C) → (B, T'·R, C); T' ≥ 7 unless padded.

    Raises:
        ValueError: fewer frames than the kernel spans.
    """

    def __init__(self, settings: VideoSettings, layout: NodeLayout) -> None:
        super().__init__()
        width, kernel = settings.width, settings.tc_kernel
        self.own_frame = settings.tc_out == "own_frame"
        self.padding = kernel // 2 if self.own_frame or settings.tc_padding == "zero" else 0
        if layout.steps + 2 * self.padding < kernel:
            raise ValueError(
                f"temporal_convolution: found {layout.steps} frames of features, expected at least the {kernel} of "
                "the kernel (more frames, a smaller tc_kernel, or tc_padding 'zero')"
            )
        self.nearest_by = settings.tc_nearest
        plain = replace(settings, u_start="identity", u_bias=False)  # nothing trains it
        self.affinity = Affinity(plain).requires_grad_(False) if settings.tc_u else None
        self.depthwise = settings.tc_convolution == "depthwise"
        self.weight = nn.Parameter(torch.empty(width, 1 if self.depthwise else width, kernel))
        nn.init.kaiming_normal_(self.weight)
        self.bias = nn.Parameter(torch.zeros(width)) if settings.bias else None
        self.activation = NormalisedActivation(settings)

    def nearest(self, state: NodeState) -> Int64[Tensor, "batch node step"]:
        """n(i, u)."""
        # What the state keeps for other operations is computed with gradients; the choice itself has none.
        if self.affinity is not None:
            x = (state.nodes_unit if self.affinity.similarity == "cosine" else state.nodes).detach()
            return nearest(full_precision_product(self.affinity.project(x).detach(), x), state.boxes, own=False)
        if self.nearest_by == "cosine":
            return state.nearest_by_cosine
        return nearest(state.inner_product.detach(), state.boxes, own=True)

    def convolve(
        self, nodes: Float[Tensor, "batch node width"], index: Int64[Tensor, "batch node step"]
    ) -> Float[Tensor, "batch node short width"]:
        """W ∗ X_i, time before features so that the norm finds features together.

        Depth-wise, an output is a sum over taps of weighted nodes: every node is weighted once per tap, and the sums
        pick from these, so that no sequence is ever written down.
        """
        batch, count, width = nodes.shape
        taps = self.weight.shape[2]
        if self.padding:  # a node of zeros stands behind the others
            nodes = functional.pad(nodes, (0, 0, 0, 1))
            index = functional.pad(index, (self.padding, self.padding), value=count)
        rows = nodes.shape[1]
        clips = torch.arange(batch, device=index.device)[:, None, None]
        if not self.depthwise:
            sequences = nodes.flatten(0, 1).index_select(0, (index + rows * clips).flatten())
            windows = sequences.view(*index.shape, width).unfold(2, taps, 1).flatten(3)  # batch node short width·tap
            return functional.linear(windows, self.weight.flatten(1), self.bias)
        weighted = nodes[:, None] * self.weight[:, 0].T.to(nodes.dtype)[:, None]  # batch tap row width
        first = rows * (taps * clips[..., None] + torch.arange(taps, device=index.device))
        picked = (index.unfold(2, taps, 1) + first).reshape(-1, taps)
        made = functional.embedding_bag(picked, weighted.flatten(0, 2), mode="sum")
        made = made if self.bias is None else made + self.bias.to(made.dtype)
        return made.view(batch, count, -1, width)

    def forward(self, state: NodeState) -> Float[Tensor, "batch node width"]:
        index = self.nearest(state)
        if torch.is_grad_enabled() or state.nodes.device.type != "cpu" or torch.compiler.is_exporting():
            return self.outputs(state.nodes, index)
        made = torch.empty_like(state.nodes)  # clip by clip, as the outputs of one stay in the processor's cache
        for clip in range(len(made)):
            made[clip] = self.outputs(state.nodes[clip : clip + 1], index[clip : clip + 1])[0]
        return made

    def outputs(
        self, nodes: Float[Tensor, "batch node width"], index: Int64[Tensor, "batch node step"]
    ) -> Float[Tensor, "batch node width"]:
        """z for given n(i, u)."""
        made = self.convolve(nodes, index)
        if self.own_frame:
            batch, count, short, width = made.shape
            own = torch.arange(count, device=made.device) // (count // short)
            made = made.gather(2, own[None, :, None, None].expand(batch, count, 1, width))
        activated: Tensor = self.activation(made)
        return activated.mean(dim=2)
