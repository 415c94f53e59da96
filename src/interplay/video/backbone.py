"""The backbone: a ResNet inflated to clips (paper's supplement, Table 3; agos.md §1)."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from interplay.video.convolution import Triple, convolve
from interplay.video.settings import BackboneSettings, TemporalKernels

EXPANSION = 4


class ConvolutionNorm(nn.Module):
    """A 3-D convolution without bias, and batch norm.

    Shapes: (B, C, T, H, W) → (B, C', T', H', W').
    """

    def __init__(self, inputs: int, outputs: int, kernel: Triple, stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        self.convolution = nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=False)
        nn.init.kaiming_normal_(self.convolution.weight, mode="fan_out", nonlinearity="relu")
        self.norm = nn.BatchNorm3d(outputs)
        self.stride = stride

    def forward(self, x: Float[Tensor, "batch channel frame y x"]) -> Float[Tensor, "batch out step v u"]:
        made: Tensor = self.norm(convolve(x, self.convolution.weight, stride=self.stride))
        return made

    def folded(self) -> FoldedConvolution:
        """The same in evaluation mode, as one convolution."""
        return FoldedConvolution(self)


class FoldedConvolution(nn.Module):
    """A :class:`ConvolutionNorm` in evaluation mode with the batch norm inside the convolution; no gradients."""

    weight: Tensor
    bias: Tensor

    def __init__(self, layer: ConvolutionNorm) -> None:
        super().__init__()
        norm = layer.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        slope = norm.weight.detach() * torch.rsqrt(norm.running_var + norm.eps)
        self.stride = layer.stride
        self.register_buffer("weight", layer.convolution.weight.detach() * slope[:, None, None, None, None])
        self.register_buffer("bias", norm.bias.detach() - slope * norm.running_mean)

    def forward(self, x: Float[Tensor, "batch channel frame y x"]) -> Float[Tensor, "batch out step v u"]:
        return convolve(x, self.weight, self.bias, self.stride)


class Bottleneck(nn.Module):
    """``ReLU(C₃(ReLU(C₂(ReLU(C₁(x))))) + shortcut(x))`` with kernels 3×1×1, 1×3×3, 1×1×1 (A1, A2).

    Args:
        inputs: channels that enter.
        width: of the first two convolutions; four times as many channels leave.
        stride: of height and width.
        temporal: the first kernel is 3×1×1, else 1×1×1.
        stride_first: the first convolution carries the stride, else the second.
    """

    def __init__(self, inputs: int, width: int, stride: int, *, temporal: bool, stride_first: bool) -> None:
        super().__init__()
        strided, plain = (1, stride, stride), (1, 1, 1)
        outputs = width * EXPANSION
        self.first = ConvolutionNorm(inputs, width, (3 if temporal else 1, 1, 1), strided if stride_first else plain)
        self.second = ConvolutionNorm(width, width, (1, 3, 3), plain if stride_first else strided)
        self.third = ConvolutionNorm(width, outputs, (1, 1, 1))
        projected = stride > 1 or inputs != outputs
        self.shortcut = ConvolutionNorm(inputs, outputs, (1, 1, 1), strided) if projected else None

    def forward(self, x: Float[Tensor, "batch channel step y x"]) -> Float[Tensor, "batch out step v u"]:
        made = self.third(torch.relu_(self.second(torch.relu_(self.first(x)))))
        made += x if self.shortcut is None else self.shortcut(x)
        return torch.relu_(made)


def temporal_blocks(kind: TemporalKernels, stage: int, count: int) -> list[bool]:
    """Which blocks of a stage (0 to 3) have a 3×1×1 kernel."""
    if kind == "all" or kind == "none":
        return [kind == "all"] * count
    if kind == "alternate":
        return [block % 2 == 0 for block in range(count)]
    if stage == 0:  # NL-I3D: all of res2; every other block of res3, res4; the middle one of res5
        return [True] * count
    return [block % 2 == (1 if stage == 3 else 0) for block in range(count)]


class InflatedResNet50(nn.Module):
    """conv 5×7×7 → pool 3×3×3 → res2 → pool over time 3×1×1, stride 2 → res3 → res4 → res5.

    With the default settings 32 × 224 × 224 pixels become 2048 × 16 × 7 × 7; 32,204,608 parameters, 126.781 GMAC of
    convolutions. Narrower, shorter and finer variants come by the settings; any number of frames goes in.

    Source: supplement, Table 3; agos.md §1. *Where we differ*: in nothing; the release confirms every line.

    Shapes: (B, 3, F, H, W) → (B, channels, ⌈F/2⌉, ⌈H/stride⌉, ⌈W/stride⌉).
    """

    def __init__(self, settings: BackboneSettings | None = None) -> None:
        super().__init__()
        self.settings = settings = settings or BackboneSettings()
        first, pooled = settings.stem_strides
        self.stem = ConvolutionNorm(3, settings.width, (5, 7, 7), (1, first, first))
        self.pool = nn.MaxPool3d(3, (1, pooled, pooled), 1)
        self.pool_time = nn.MaxPool3d((3, 1, 1), (2, 1, 1), (1, 0, 0))
        self.stages = nn.ModuleList()
        inputs = settings.width
        for stage, count in enumerate(settings.blocks):
            width = settings.width * 2**stage
            blocks = nn.ModuleList()
            for block, temporal in enumerate(temporal_blocks(settings.temporal_kernels, stage, count)):
                stride = settings.strides[stage] if block == 0 else 1
                first_carries = settings.stride_in == "temporal"
                blocks.append(Bottleneck(inputs, width, stride, temporal=temporal, stride_first=first_carries))
                inputs = width * EXPANSION
            self.stages.append(blocks)
        self._frozen = -1  # parts that are frozen: the stem is part 0, stage k part k
        self._train_norms = True
        self.input_dtype: torch.dtype | None = None
        """What clips are converted to; of a snapshot."""

    @property
    def channels(self) -> int:
        """Of the map that comes out."""
        return self.settings.channels

    def parts(self) -> tuple[nn.Module, ...]:
        """Stem and stages."""
        return (self.stem, *self.stages)

    def freeze(self, fixed_layers: int | None = None, train_norms: bool | None = None) -> InflatedResNet50:
        """Choose what trains (A3).

        Args:
            fixed_layers: 0 freezes the stem, k also the first k stages, anything from the number of stages on all;
                −1 nothing; None as the settings say. Frozen parts have no gradients and stay in evaluation mode.
            train_norms: batch norms of the other parts use and update batch statistics; None as the settings say.
        """
        self._frozen = self.settings.fixed_layers if fixed_layers is None else fixed_layers
        self._train_norms = self.settings.train_norms if train_norms is None else train_norms
        for place, part in enumerate(self.parts()):
            part.requires_grad_(place > self._frozen)
        return self.train(self.training)

    def folded(self, dtype: torch.dtype = torch.float32) -> InflatedResNet50:
        """A snapshot for inference in this precision, the batch norms inside the convolutions; it has no parameters."""
        made = copy.deepcopy(self).eval().requires_grad_(False)
        for module in list(made.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, ConvolutionNorm):
                    setattr(module, name, child.folded())
        made.input_dtype = dtype
        return made.to(dtype)

    @property
    def frozen(self) -> bool:
        """Nothing of it trains."""
        return self._frozen >= len(self.stages)

    def train(self, mode: bool = True) -> InflatedResNet50:
        """Training mode for what is not frozen; batch norms as :meth:`freeze` says."""
        super().train(mode)
        for place, part in enumerate(self.parts()):
            if place <= self._frozen:
                part.eval()
            elif not self._train_norms:
                for module in part.modules():
                    if isinstance(module, nn.BatchNorm3d):
                        module.eval()
        return self

    def blocks(self) -> Iterator[tuple[int, nn.Module]]:
        """(stage, block), first to last."""
        for stage, blocks in enumerate(self.stages):
            assert isinstance(blocks, nn.ModuleList)
            for block in blocks:
                yield stage, block

    def forward(self, clip: Float[Tensor, "batch 3 frame height width"]) -> Float[Tensor, "batch channel step y x"]:
        if self.input_dtype is not None:
            clip = clip.to(self.input_dtype)
        if self.settings.channels_last:
            clip = clip.contiguous(memory_format=torch.channels_last_3d)
        x = self.pool(torch.relu_(self.stem(clip)))
        before = 0
        for stage, block in self.blocks():
            if stage == 1 and before == 0:
                x = self.pool_time(x)
            before = stage
            if self.settings.checkpointing and torch.is_grad_enabled() and stage + 1 > self._frozen:
                x = checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        made: Tensor = x if len(self.stages) > 1 else self.pool_time(x)
        return made
