"""The inflated ResNet: shapes, counts, what is frozen, checkpointing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from interplay.errors import InterplayError
from interplay.video.backbone import Bottleneck, InflatedResNet50, temporal_blocks
from interplay.video.settings import BackboneSettings

TINY = BackboneSettings(width=4, blocks=(1, 2, 1), strides=(1, 2, 2))


def clip(frames: int = 8, size: int = 32, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 3, frames, size, size, generator=torch.Generator().manual_seed(0))


def test_full_size_has_the_published_count_and_shapes() -> None:
    """Table 3 of the supplement, line by line, on the meta device."""
    with torch.device("meta"):
        made = InflatedResNet50().eval()
        shapes: list[tuple[int, ...]] = []
        for part in (
            made.stem,
            made.pool,
            made.stages[0][-1],
            made.pool_time,
            *(stage[-1] for stage in made.stages[1:]),
        ):
            part.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape[1:])))
        found = made(torch.empty(1, 3, 32, 224, 224))
    assert sum(parameter.numel() for parameter in made.parameters()) == 32_204_608
    assert [len(stage) for stage in made.stages] == [3, 4, 6, 3]
    assert tuple(found.shape) == (1, 2048, 16, 7, 7)
    assert shapes == [
        (64, 32, 112, 112),
        (64, 32, 56, 56),
        (256, 32, 56, 56),
        (256, 16, 56, 56),
        (512, 16, 28, 28),
        (1024, 16, 14, 14),
        (2048, 16, 7, 7),
    ]


def test_every_block_has_a_temporal_kernel_and_the_stride_behind_it() -> None:
    with torch.device("meta"):
        made = InflatedResNet50()
    blocks = [block for _, block in made.blocks()]
    assert len(blocks) == 16
    for block in blocks:
        assert isinstance(block, Bottleneck)
        assert block.first.convolution.kernel_size == (3, 1, 1)
        assert block.second.convolution.kernel_size == (1, 3, 3)
        assert block.third.convolution.kernel_size == (1, 1, 1)
        assert block.first.convolution.stride == (1, 1, 1)
    assert not any(isinstance(module, nn.Conv3d) and module.bias is not None for module in made.modules())


@pytest.mark.parametrize(
    ("kind", "counts"),
    [("all", (3, 4, 6, 3)), ("nonlocal", (3, 2, 3, 1)), ("alternate", (2, 2, 3, 2)), ("none", (0, 0, 0, 0))],
)
def test_placements_of_temporal_kernels(kind: str, counts: tuple[int, ...]) -> None:
    found = [sum(temporal_blocks(kind, stage, count)) for stage, count in enumerate((3, 4, 6, 3))]  # type: ignore[arg-type]
    assert tuple(found) == counts


@pytest.mark.parametrize(
    ("frames", "size", "shape"), [(8, 32, (4, 2, 2)), (7, 48, (4, 3, 3)), (1, 20, (1, 2, 2)), (16, 64, (8, 4, 4))]
)
@torch.no_grad()
def test_any_number_of_frames(frames: int, size: int, shape: tuple[int, int, int]) -> None:
    made = InflatedResNet50(TINY).eval()
    found = made(clip(frames, size))
    assert tuple(found.shape) == (2, TINY.channels, *shape)
    assert TINY.stride == 16


@torch.no_grad()
def test_finer_and_shorter_variants() -> None:
    settings = BackboneSettings(width=4, blocks=(1,), strides=(1,), stem_strides=(2, 1))
    assert (settings.channels, settings.stride) == (16, 2)
    assert tuple(InflatedResNet50(settings).eval()(clip()).shape) == (2, 16, 4, 16, 16)


@torch.no_grad()
def test_a_clip_alone_is_as_in_a_batch() -> None:
    made = InflatedResNet50(TINY).eval()
    torch.testing.assert_close(made(clip())[1:], made(clip()[1:]), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_memory_format_does_not_matter() -> None:
    made = InflatedResNet50(TINY).eval()
    other = InflatedResNet50(BackboneSettings(width=4, blocks=(1, 2, 1), strides=(1, 2, 2), channels_last=False)).eval()
    other.load_state_dict(made.state_dict())
    torch.testing.assert_close(made(clip()), other(clip()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("layers", "trained"), [(-1, 4), (0, 3), (1, 2), (2, 1), (3, 0), (4, 0)])
def test_what_is_frozen(layers: int, trained: int) -> None:
    """0 the stem, k the first k stages as well; frozen parts and, by default, all batch norms are in evaluation."""
    made = InflatedResNet50(TINY).freeze(layers).train()
    free = [any(parameter.requires_grad for parameter in part.parameters()) for part in made.parts()]
    assert free == [False] * (4 - trained) + [True] * trained
    assert all(not module.training for module in made.modules() if isinstance(module, nn.BatchNorm3d))
    assert made.frozen == (trained == 0)
    made.freeze(layers, train_norms=True)
    training = [any(m.training for m in part.modules() if isinstance(m, nn.BatchNorm3d)) for part in made.parts()]
    assert training == free


def test_settings_say_what_is_frozen() -> None:
    made = InflatedResNet50(TINY)
    assert not made.frozen
    assert made.freeze().frozen


def test_frozen_statistics_do_not_move() -> None:
    made = InflatedResNet50(TINY).freeze(1).train()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    made(clip()).mean().backward()
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    made.freeze(1, train_norms=True)
    made(clip())
    moved = {name for name, value in made.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert all(name.startswith(("stages.1", "stages.2")) for name in moved)


def test_checkpointing_gives_the_same_gradients() -> None:
    torch.manual_seed(0)
    made = InflatedResNet50(TINY)
    settings = BackboneSettings(width=4, blocks=(1, 2, 1), strides=(1, 2, 2), checkpointing=True)
    other = InflatedResNet50(settings)
    other.load_state_dict(made.state_dict())
    for network in (made, other):
        network.freeze(0).train()
        network(clip()).square().mean().backward()
    for (name, one), (_, theirs) in zip(made.named_parameters(), other.named_parameters(), strict=True):
        if one.grad is None:
            assert name.startswith("stem")
            assert theirs.grad is None
        else:
            torch.testing.assert_close(one.grad, theirs.grad)


@torch.no_grad()
def test_folded_is_the_same() -> None:
    torch.manual_seed(0)
    made = InflatedResNet50(TINY)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm3d):
            for tensor in (module.weight, module.bias, module.running_mean):
                assert tensor is not None
                tensor.normal_()
            assert module.running_var is not None
            module.running_var.uniform_(0.5, 2)
    made.eval()
    torch.testing.assert_close(made.folded()(clip()), made(clip()), rtol=1e-4, atol=1e-4)


def test_settings_out_of_range() -> None:
    with pytest.raises(InterplayError, match=r"backbone.blocks: found \[\], expected one to four"):
        BackboneSettings(blocks=())
    with pytest.raises(InterplayError, match=r"backbone\.fixed_layers: found 5, expected 0 to 4"):
        BackboneSettings(fixed_layers=5)
    with pytest.raises(InterplayError, match=r"backbone\.strides"):
        BackboneSettings(strides=(1, 2))
