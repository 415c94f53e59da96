"""The plug-in: equations from end to end, what must not matter, every option, and its memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.scene.superpixel import equations
from tests.scene.superpixel.conftest import CHANNELS, STRIDES, Batch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.ops import roi_align

from interplay.scene.superpixel import SuperpixelInteraction, SuperpixelSettings
from interplay.scene.superpixel.level import window_centres, windows
from interplay.scene.superpixel.references import assigned_box_means, pyramid_level

Make = Callable[..., SuperpixelInteraction]

OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"blocks_per_level": 2},
    {"share": True},
    {"coupling": "top_down"},
    {"coupling": "bottom_up"},
    {"levels": (3,)},
    {"clusters": 4},
    {"clusters": 25},
    {"clusters": 81},
    {"centers": "knn"},
    {"centers": "knn", "neighbours": 4},
    {"fold": 2},
    {"fold": (2, 1)},
    {"sim": "cosine"},
    {"heads": 4},
    {"heads": 2, "head_dim": 3},
    {"prenorm": False},
    {"positions": True},
    {"iei": False},
    *({"iei_weight": kind} for kind in ("far", "inverse", "softmax", "uniform")),
    {"iei_denominator": "d"},
    {"iei_form": "affinity"},
    {"iei_empty": "nearest"},
    {"iei_overlap": "sum"},
    {"iei_mlp": True},
    {"gk_level": "same"},
    {"cei_layers": 0},
    {"cei_layers": 1},
    {"cei_layers": 3},
    {"cei_norm_first": True},
    {"cei_pos": True},
    {"dispatch": "post"},
    {"dispatch": "post", "head_dim": 3},
    {"layer_scale_init": None},
    {"assignment": "dense"},
)


def run(module: SuperpixelInteraction, batch: Batch) -> dict[str, Tensor]:
    return module(batch.features, batch.boxes, batch.sizes)


@torch.no_grad()
def test_equations_from_end_to_end(make: Make, batch: Batch) -> None:
    """Eqs 1–9 as naive loops on the finer level of the first picture, references by RoIAlign on that level."""
    module = make(levels=(2,), gk_level="same")
    made = run(module, batch)["0"][0, :, :13, :23]
    (block,) = module.blocks["0"]
    features = batch.features["0"][0, :, :13, :23]
    size, side = batch.sizes[0], 3
    parts = block.clustering
    normal = parts.norm(features[None])[0].flatten(1).T
    query = parts.similarity_projection(normal).T.reshape(2, 4, 13, 23)
    value = parts.value_projection(normal).T.reshape(2, 4, 13, 23)
    heads = [equations.cluster(query[e], value[e], side, 1.0, float(parts.beta)) for e in range(2)]
    superpixels = block.transform(torch.cat([aggregate for _, _, aggregate in heads], dim=1))
    references = roi_align(features[None], [batch.boxes[0]], 7, 0.25, 2).mean((2, 3))
    superpixels = equations.intra_entity(
        superpixels, references, batch.boxes[0], size, side, block.intra_entity.transform
    )
    for layer in block.cross_entity.encoder.layers:
        attended, _ = layer.self_attn(superpixels, superpixels, superpixels, need_weights=False)
        superpixels = layer.norm1(superpixels + attended)
        superpixels = layer.norm2(superpixels + layer.linear2(torch.relu(layer.linear1(superpixels))))
    table = block.to_points(superpixels)
    expected = features.clone()
    for i in range(13 * 23):
        row, column = divmod(i, 23)
        for e, (winners, kept, _) in enumerate(heads):
            channels = slice(4 * e, 4 * e + 4)
            sent = block.layer_scale[channels] * kept[i] * table[winners[i], channels]
            expected[channels, row, column] += sent
    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option(make: Make, batch: Batch, options: dict[str, Any]) -> None:
    """Shapes; training and prediction forms agree; every parameter gets a gradient; evaluation repeats itself."""
    module = make(**options)
    with torch.no_grad():
        predicted, again = run(module, batch), run(module, batch)
    trained = run(module, batch)
    for key, given in batch.features.items():
        assert predicted[key].shape == given.shape
        assert torch.equal(predicted[key], again[key])
        torch.testing.assert_close(predicted[key], trained[key].detach(), rtol=1e-4, atol=1e-5)
        changed = STRIDES.get(key, 0) in {2**level for level in module.settings.chosen_levels}
        assert torch.equal(predicted[key], given) != changed
    torch.stack([trained[key].square().sum() for key in module.keys]).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert bool((parameter.grad != 0).any()), name


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"iei_weight": "far"}, {"cei_layers": 0}, {"iei_empty": "nearest"}], ids=str)
def test_order_of_boxes_does_not_matter(make: Make, batch: Batch, options: dict[str, Any]) -> None:
    module = make(**options)
    turned = Batch(batch.features, [own.flip(0) for own in batch.boxes], batch.sizes)
    one, other = run(module, batch), run(module, turned)
    for key in STRIDES:
        torch.testing.assert_close(one[key], other[key])


@torch.no_grad()
@pytest.mark.parametrize(
    "options",
    [{}, {"centers": "knn"}, {"coupling": "top_down"}, {"coupling": "bottom_up"}, {"fold": 2}, {"dispatch": "post"}],
    ids=str,
)
def test_padding_does_not_matter(make: Make, batch: Batch, options: dict[str, Any]) -> None:
    module = make(**options)
    together = run(module, batch)
    for image in range(2):
        alone = batch.alone(image)
        made = run(module, alone)
        for key in STRIDES:
            height, width = made[key].shape[2:]
            torch.testing.assert_close(together[key][image : image + 1, :, :height, :width], made[key])
            outside = torch.ones(together[key].shape[2:], dtype=torch.bool)
            outside[:height, :width] = False
            assert torch.equal(together[key][image][:, outside], batch.features[key][image][:, outside])


@torch.no_grad()
def test_whole_maps_where_pictures_are_not_told_apart(make: Make, batch: Batch) -> None:
    """`per_image` off: padded points take part."""
    made = run(make(per_image=False), batch)["0"]
    assert bool((made != batch.features["0"]).any(dim=1).all())


@pytest.mark.parametrize("dispatch", ["pre", "post"])
def test_gamma_zero_gives_the_input_bit_for_bit(make: Make, batch: Batch, dispatch: str) -> None:
    module = make(dispatch=dispatch)
    for block in module.modules():
        if getattr(block, "layer_scale", None) is not None:
            nn.init.zeros_(block.layer_scale)
    for mode in (torch.enable_grad, torch.no_grad):
        with mode():
            made = run(module, batch)
        for key, given in batch.features.items():
            assert torch.equal(made[key], given)


@torch.no_grad()
def test_pictures_without_boxes(make: Make, batch: Batch) -> None:
    """A picture with boxes beside one without; and none at all."""
    module = make()
    one = Batch(batch.features, [batch.boxes[0], torch.zeros(0, 4)], batch.sizes)
    none = Batch(batch.features, [torch.zeros(0, 4)] * 2, batch.sizes)
    torch.testing.assert_close(run(module, one)["0"][0], run(module, batch)["0"][0])
    torch.testing.assert_close(run(module, one)["0"][1], run(module, none)["0"][1])


@torch.no_grad()
def test_maps_smaller_than_the_grid(make: Make) -> None:
    module = make(clusters=49)
    features = {"0": torch.randn(1, CHANNELS, 3, 5), "1": torch.randn(1, CHANNELS, 2, 3)}
    made = module(features, [torch.tensor([[1.0, 1, 15, 9]])], [(10, 19)])
    assert bool(torch.isfinite(made["1"]).all())
    assert not torch.equal(made["1"], features["1"])


@torch.no_grad()
def test_reference_features_given_from_outside(make: Make, batch: Batch) -> None:
    module = make(gk="fc7", gk_width=12)
    references = [torch.randn(len(own), 12) for own in batch.boxes]
    made = module(batch.features, batch.boxes, batch.sizes, references)
    other = module(batch.features, batch.boxes, batch.sizes, [2 * own for own in references])
    assert not torch.equal(made["0"], other["0"])
    with pytest.raises(ValueError, match="gk: fc7"):
        module(batch.features, batch.boxes, batch.sizes)


def test_reference_features_carry_no_gradient(batch: Batch) -> None:
    features = {key: batch.features[key].requires_grad_() for key in STRIDES}
    for means in assigned_box_means(features, batch.boxes, batch.sizes, STRIDES):
        assert bool(means.any())
        assert not means.requires_grad


@torch.no_grad()
def test_on_the_picture_itself() -> None:
    settings = SuperpixelSettings(on="image", head_dim=4, heads=2, mlp_hidden=8, cei_heads=2, positions=True)
    module = SuperpixelInteraction(3, settings).eval()
    pictures = torch.rand(2, 3, 40, 56)
    boxes = [torch.tensor([[2.0, 3, 30, 30]]), torch.zeros(0, 4)]
    made = module({"image": pictures}, boxes, [(40, 56), (33, 41)])["image"]
    assert made.shape == pictures.shape
    assert torch.equal(made[1, :, 33:], pictures[1, :, 33:])
    assert bool((made[1, :, :33, :41] != pictures[1, :, :33, :41]).any())


@torch.no_grad()
@pytest.mark.parametrize("fold", [1, 2])
def test_superpixels(make: Make, batch: Batch, fold: int) -> None:
    found = make(fold=fold).superpixels(batch.features, batch.boxes, batch.sizes)
    assert [tuple(own.shape) for own in found["0"]] == [(2, 13, 23), (2, 16, 18)]
    assert int(found["0"][0].max()) < 9 * fold**2
    if fold == 2:  # the last window's points belong to its own centres
        assert int(found["0"][0][:, 7:, 12:].min()) >= 27


def test_shorter_types(make: Make, batch: Batch) -> None:
    module = make()
    short = Batch({key: own.bfloat16() for key, own in batch.features.items()}, batch.boxes, batch.sizes)
    for mode in (torch.enable_grad, torch.no_grad):
        with mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            made = run(module, short)
        assert made["0"].dtype == torch.bfloat16
        assert bool(torch.isfinite(made["0"]).all())


class Largest(TorchDispatchMode):
    """The largest tensor any operation returns."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(value, Tensor):
                self.elements = max(self.elements, value.numel())
        return result


@pytest.mark.parametrize("training", [True, False])
def test_no_tensor_of_centres_times_points_times_channels(training: bool) -> None:
    """Backward pass included: nothing larger than f and v together, 2·M·D, though C·M·D would be 49·M·D."""
    module = SuperpixelInteraction(64, SuperpixelSettings(levels=(2,), heads=2, mlp_hidden=8, cei_ffn=8), {"0": 4})
    features = {"0": torch.randn(1, 64, 75, 100)}
    boxes = [torch.tensor([[5.0, 5, 200, 200]])]
    with Largest() as largest, torch.set_grad_enabled(training):
        made = module(features, boxes, [(300, 400)])
        if training:
            made["0"].sum().backward()
    assert largest.elements <= (2 if training else 1) * features["0"].numel() + 1000


def test_windows_and_their_centres() -> None:
    assert windows((5, 4), 2) == [
        (slice(0, 2), slice(0, 2)),
        (slice(0, 2), slice(2, 4)),
        (slice(2, 5), slice(0, 2)),
        (slice(2, 5), slice(2, 4)),
    ]
    (whole,) = windows((25, 25), 1)
    assert window_centres(whole, (98, 100), 4, 2).tolist() == [[25.0, 24.5], [75.0, 24.5], [25.0, 73.5], [75.0, 73.5]]
    corner = window_centres((slice(2, 5), slice(2, 4)), (18, 16), 4, 1)
    assert corner.tolist() == [[12.0, 13.0]]


def test_level_of_a_box() -> None:
    sides = torch.tensor([56.0, 111.9, 112, 223.9, 224, 448, 900])
    boxes = torch.stack((torch.zeros(7), torch.zeros(7), sides - 1, sides - 1), dim=1)
    assert pyramid_level(boxes, 2, 5).tolist() == [2, 2, 3, 3, 4, 5, 5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": [(50, 90), (65, 71)]}, "sizes\\[1\\]: found a picture of 65×71"),
        ({"sizes": [(50, 90)]}, "expected 8 channels and equal numbers"),
        ({"features": {"0": torch.zeros(2, 8, 16, 24)}}, "expected \\['1'\\] as well"),
    ],
)
def test_what_does_not_fit_is_named(make: Make, batch: Batch, change: dict[str, Any], message: str) -> None:
    given = {"features": batch.features, "boxes": batch.boxes, "sizes": batch.sizes, **change}
    with pytest.raises(ValueError, match=message):
        make()(**given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": (2, 5)}, "levels: found \\[5\\]"),
        ({"heads": 3}, "heads: found 3"),
        ({"cei_heads": 3}, "cei_heads: found 3"),
        ({"fold": (2, 1), "share": True}, "expected one number where levels share"),
    ],
)
def test_settings_that_do_not_fit_the_maps(make: Make, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_strides_are_powers_of_two() -> None:
    with pytest.raises(ValueError, match="powers of two"):
        SuperpixelInteraction(8, strides={"0": 6})
