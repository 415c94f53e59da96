"""What stands between detector and head: SIL's two other inputs (fc7, the picture), and word vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.scene.detector.conftest import pixels

from interplay.data.errors import DataError
from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import BACKGROUND, Vocabulary
from interplay.errors import InterplayError
from interplay.scene.detector import Detector
from interplay.scene.detector.settings import DetectorSettings
from interplay.scene.model import ModelSettings, SceneGraphModel
from interplay.scene.preparation import SceneBatch, SceneTarget
from interplay.scene.structures import Entities
from interplay.scene.superpixel import SuperpixelSettings

NAMES = Vocabulary((BACKGROUND, "cup", "table", "hand"), (BACKGROUND, "on", "near"))
BLOCK: dict[str, Any] = {"heads": 2, "cei_heads": 2, "mlp_hidden": 8, "cei_ffn": 8, "clusters": 4}
WIDTH, OF_DETECTOR = 12, 10


def model(head: dict[str, Any] | None = None, block: dict[str, Any] | None = None, **settings: Any) -> SceneGraphModel:
    torch.manual_seed(0)
    detector = None
    if settings.get("features") != "geometry":
        detector = Detector(4, "small", 8, OF_DETECTOR, DetectorSettings.playground())
    chosen = ModelSettings(width=WIDTH, mask_channels=4, sil=block is not None, **settings)
    interaction = None if block is None else SuperpixelSettings(**{**BLOCK, **block})
    counts = SceneStatistics.nothing(NAMES)
    return SceneGraphModel(NAMES, counts, chosen, head or {"name": "frequency"}, detector, interaction)


def batch() -> SceneBatch:
    """Two pictures of 64 × 64 and 60 × 48 pixels, the second padded."""
    given = pixels(64, 64, 2)
    given[1, :, :, 48:] = given[1, :, 60:] = 0
    boxes = torch.tensor([[4.0, 4, 40, 30], [10, 12, 44, 46], [2, 30, 20, 47]])
    relation = torch.tensor([[0, 1, 1]])
    targets = (
        SceneTarget(boxes, torch.tensor([1, 2, 3]), relation),
        SceneTarget(boxes[1:], torch.tensor([2, 3]), relation),
    )
    sizes = torch.tensor([[64.0, 64.0], [48.0, 60.0]])
    return SceneBatch(("a", "b"), given, sizes, torch.ones(2, 2), targets)


def prepared(network: SceneGraphModel) -> tuple[SceneBatch, dict[str, torch.Tensor], Entities]:
    given = batch()
    maps = network.eval().maps(given)
    assert maps is not None
    return given, maps, network.entities(given, maps, False)


def test_references_are_the_frozen_detectors_fc7() -> None:
    network = model(block={"gk": "fc7"})
    reference = network.interaction.blocks["P2"][0].intra_entity.reference  # type: ignore[index]
    assert reference.in_features == OF_DETECTOR  # the detector's width, not that of the settings
    given, maps, entities = prepared(network)
    seen: list[torch.Tensor] = []
    network.interaction.register_forward_pre_hook(lambda _, arguments: seen.extend(arguments[3]))
    changed = network.interacting(maps, entities)
    expected = network.detector.box_head.hidden(maps, torch.split(entities.boxes, [3, 2]))
    assert torch.equal(torch.cat(seen), expected)
    assert not torch.cat(seen).requires_grad
    assert not torch.equal(changed["P2"], maps["P2"])
    scored = network.train()(given)  # the whole way
    network.box_features(network.interacting(maps, entities), entities.boxes, entities.counts).sum().backward()
    assert reference.weight.grad.abs().sum() > 0
    assert len(scored.output.relation_logits) == 3 * 2 + 2 * 1


def test_sil_on_the_picture_is_seen_by_the_backbone() -> None:
    network = model(block={"on": "image"})
    given, maps, entities = prepared(network)
    assert given.pixels is not None
    changed = network.interacting(maps, entities, given.pixels)
    assert {key: value.shape for key, value in changed.items()} == {key: value.shape for key, value in maps.items()}
    assert not torch.equal(changed["P2"], maps["P2"])
    changed["P3"].square().sum().backward()
    assert all(one.grad is not None for one in network.interaction.parameters())
    assert all(one.grad is None for one in network.detector.parameters())
    found = network.superpixels(maps, entities, given.pixels)["image"]
    assert [tuple(one.shape) for one in found] == [(2, 64, 64), (2, 60, 48)]
    block = network.interaction.blocks["image"][0]  # type: ignore[index]
    torch.nn.init.zeros_(block.layer_scale)
    unchanged = network.interacting(maps, entities, given.pixels)
    assert all(torch.equal(unchanged[key], maps[key]) for key in maps)
    with pytest.raises(ValueError, match="expected pictures"):
        network.interacting(maps, entities)


def test_blocks_that_cannot_be_are_one_line() -> None:
    with pytest.raises(InterplayError, match=r"sil: heads: found 3, expected a divisor of 8 channels"):
        model(block={"heads": 3, "cei_heads": 3})


def glove(folder: Path, *dims: int) -> Path:
    for dim in dims:
        rows = "".join(f"{word} {' '.join([str(number)] * dim)}\n" for number, word in enumerate(NAMES.classes))
        (folder / f"glove.6B.{dim}d.txt").write_text(rows, encoding="utf-8")
    return folder


def test_one_setting_serves_heads_of_every_dimension(tmp_path: Path) -> None:
    folder = glove(tmp_path, 8, 200)
    narrow = {"name": "motifs", "hidden": 8, "pooling": 8, "label_dim": 8}
    for place in (folder, folder / "glove.6B.{dim}d.txt", folder / "glove.6B.8d.txt"):
        table = model(narrow, word_vectors=str(place)).head.entity_input.embedding.table.weight  # type: ignore[union-attr]
        assert table[:, 0].tolist()[1:] == [1.0, 2.0, 3.0]
        assert table.shape == (4, 8)
    geometry = model(narrow, features="geometry", word_vectors=str(folder)).geometry
    assert geometry.labels.weight[2].tolist() == [2.0] * 200
    with pytest.raises(DataError, match=r"no such file, expected one file of 6 numbers a word"):
        model({**narrow, "label_dim": 6}, word_vectors=str(folder))
    (folder / "other.8d.txt").write_text("cup 1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"glove\.6B\.8d\.txt, other\.8d\.txt"):
        model(narrow, word_vectors=str(folder))
    model({"name": "frequency"}, word_vectors=str(tmp_path / "not read"))  # it has no embedding
