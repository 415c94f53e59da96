"""Sizes, normalisation, mirroring and padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from interplay.data.errors import DataError
from interplay.data.scenes import SceneImage
from interplay.scene.preparation import ScenePreparation, collate, normalise, resized_size


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((800, 600), (800, 600)),
        ((600, 800), (600, 800)),
        ((500, 333), (900, 600)),
        ((1024, 400), (1000, 391)),  # 400/1024·1000 = 390.6 → 391, and 391·2.56 = 1000.96 → 1000
        ((400, 1024), (391, 1000)),
        ((300, 300), (600, 600)),
        ((5000, 1), (1000, 1)),  # 0.2 would be no picture at all
    ],
)
def test_resized_size(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert resized_size(*size) == wanted


def picture(folder: Path, width: int, height: int) -> SceneImage:
    pixels = np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / f"{width}.png")
    boxes = np.array([[0, 0, width / 2 - 1, height - 1], [3, 2, 8, 6]], dtype=np.float32)
    relations = np.array([[0, 1, 2]], dtype=np.int64)
    return SceneImage(str(width), width, height, boxes, np.array([1, 2]), relations, folder / f"{width}.png")


def test_pixels_as_the_weights_expect_them(tmp_path: Path) -> None:
    image = picture(tmp_path, 20, 10)
    raw = image.pixels()
    scene = ScenePreparation(10, 20)(image)
    assert scene.pixels is not None
    wanted = raw[4, 7, ::-1].astype(np.float32) - np.array([102.9801, 115.9465, 122.7717], dtype=np.float32)
    np.testing.assert_allclose(scene.pixels[:, 4, 7].numpy(), wanted, rtol=1e-6)
    red = (raw[4, 7, 0] / 255 - 0.485) / 0.229
    assert float(normalise(raw, "rgb")[0, 4, 7]) == pytest.approx(red, abs=1e-5)


def test_boxes_follow_the_picture(tmp_path: Path) -> None:
    image = picture(tmp_path, 20, 10)
    scene = ScenePreparation(30, 100)(image)
    assert scene.size == (60, 30)
    np.testing.assert_allclose(scene.target.boxes.numpy(), image.boxes * 3)
    mirrored = ScenePreparation(10, 20, flip=1.0)(image, torch.Generator().manual_seed(0))
    assert mirrored.target.boxes.tolist() == [[10, 0, 19, 9], [11, 2, 16, 6]]
    assert mirrored.pixels is not None
    plain = ScenePreparation(10, 20, flip=1.0)(image)
    assert plain.pixels is not None
    x1, y1, x2, y2 = (int(v) for v in mirrored.target.boxes[1])
    assert torch.equal(mirrored.pixels[:, y1 : y2 + 1, x1 : x2 + 1].flip(2), plain.pixels[:, 2:7, 3:9])


def test_padding(tmp_path: Path) -> None:
    prepare = ScenePreparation(10, 200)
    scenes = [prepare(picture(tmp_path, width, height)) for width, height in ((40, 10), (33, 30))]
    batch = collate(scenes)
    assert batch.pixels is not None
    assert batch.pixels.shape == (2, 3, 32, 64)
    assert batch.sizes.tolist() == [[40, 10], [11, 10]]
    assert batch.ids == ("40", "33")
    assert scenes[1].pixels is not None
    assert torch.equal(batch.pixels[1, :, :10, :11], scenes[1].pixels)
    assert not batch.pixels[1, :, 10:].any()
    assert not batch.pixels[1, :, :, 11:].any()


def test_annotations_only() -> None:
    image = SceneImage("x", 20, 10, np.zeros((1, 4), np.float32), np.array([1]), np.zeros((0, 3), np.int64))
    batch = collate([ScenePreparation(with_pixels=False)(image)])
    assert batch.pixels is None
    assert batch.sizes.tolist() == [[1000, 500]]
    with pytest.raises(DataError, match="annotations only"):
        ScenePreparation()(image)


@pytest.mark.parametrize("given", [{"short": 0}, {"short": 9, "long": 5}, {"flip": 2.0}, {"channels": "hsv"}])
def test_bad_settings(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="found"):
        ScenePreparation(**given)  # type: ignore[arg-type]
