"""2-D weights in the inflated network, on files made here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck as FlatBottleneck
from torchvision.models.resnet import ResNet

from interplay.data.errors import DataError
from interplay.errors import InterplayError
from interplay.video.backbone import InflatedResNet50
from interplay.video.inflation import Inflate, inflate_kernel, load_inflated, load_weights
from interplay.video.settings import BackboneSettings

SMALL = BackboneSettings(blocks=(1, 2, 1, 1))


@pytest.fixture(scope="module")
def flat() -> ResNet:
    """torchvision's own network with fewer blocks and statistics away from where they start."""
    torch.manual_seed(0)
    made = ResNet(FlatBottleneck, [1, 2, 1, 1], num_classes=2).eval()
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1)
                module.bias.normal_(std=0.1)
    return made


@torch.no_grad()
def flat_map(made: ResNet, picture: Tensor) -> Tensor:
    x = made.maxpool(made.relu(made.bn1(made.conv1(picture))))
    for layer in (made.layer1, made.layer2, made.layer3, made.layer4):
        x = layer(x)
    return x


@pytest.mark.parametrize("how", ["centre", "mean"])
def test_kernels(how: Inflate) -> None:
    kernel = torch.randn(2, 3, 3, 3)
    made = inflate_kernel(kernel, 5, how)
    torch.testing.assert_close(made.sum(dim=2), kernel)
    used = made.abs().amax(dim=(0, 1, 3, 4)) > 0
    assert used.tolist() == ([False, False, True, False, False] if how == "centre" else [True] * 5)


@pytest.mark.parametrize("how", ["centre", "mean"])
@torch.no_grad()
def test_a_clip_of_one_picture_is_seen_as_the_picture(flat: ResNet, how: Inflate) -> None:
    """Centre: in every frame. Mean: in the middle, where the padding at the ends is far enough away."""
    made = InflatedResNet50(SMALL).eval()
    load_inflated(made, flat.state_dict(), how)
    picture = torch.randn(1, 3, 32, 32)
    frames = 8 if how == "centre" else 40
    found = made(picture[:, :, None].expand(-1, -1, frames, -1, -1))
    steps = range(4) if how == "centre" else (9, 10)
    for step in steps:
        torch.testing.assert_close(found[:, :, step], flat_map(flat, picture), rtol=1e-4, atol=1e-4)


def test_from_files(flat: ResNet, tmp_path: Path) -> None:
    wrapped = {"state_dict": {f"module.{name}": value for name, value in flat.state_dict().items()}}
    torch.save(wrapped, tmp_path / "flat.pth")
    save_file(flat.state_dict(), tmp_path / "flat.safetensors")
    first, second = InflatedResNet50(SMALL), InflatedResNet50(SMALL)
    load_weights(first, str(tmp_path / "flat.pth"))
    load_weights(second, str(tmp_path / "flat.safetensors"))
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(first.stem.convolution.weight[:, :, 2], flat.conv1.weight)


def test_what_does_not_fit(flat: ResNet, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"layer1.1.conv1.weight.*found nothing"):
        load_inflated(InflatedResNet50(BackboneSettings(blocks=(2, 2, 1, 1))), flat.state_dict())
    with pytest.raises(DataError, match=r"conv1.weight.*shape \(64, 3, 7, 7\).*\(8, 3, 7, 7\)"):
        load_inflated(InflatedResNet50(BackboneSettings(width=8, blocks=(1,))), flat.state_dict())
    with pytest.raises(InterplayError, match="expected a file, or one of torchvision's IMAGENET1K_V1"):
        load_weights(InflatedResNet50(SMALL), "imagenet")
    bad = tmp_path / "bad.pth"
    bad.write_bytes(b"nothing of the kind")
    with pytest.raises(InterplayError, match=r"bad.pth: found no readable weights"):
        load_weights(InflatedResNet50(SMALL), str(bad))
