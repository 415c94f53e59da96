"""Options: documented defaults, presets, and refusals."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from interplay.scene.superpixel import SuperpixelInteraction, SuperpixelSettings
from interplay.scene.superpixel.settings import PRESETS


def test_every_option_is_documented() -> None:
    text = SuperpixelSettings.__doc__ or ""
    for field in fields(SuperpixelSettings):
        assert f"        {field.name}: " in text, field.name


def test_full_block_has_the_size_the_paper_implies() -> None:
    """f, v, H', H^a, H'' and two encoder layers at width 256: about 2.4 million parameters a level."""
    made = SuperpixelInteraction()
    (block,) = made.blocks["0"]
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in block.named_children()}
    assert counts["transform"] == 2 * 256 * 1024 + 1024 + 256
    assert counts["clustering"] == 2 * (256 * 256 + 256) + 2 * 256 + 2
    assert counts["intra_entity"] == counts["to_points"] == 256 * 256 + 256
    assert sum(p.numel() for p in made.parameters()) == pytest.approx(4 * 2.4e6, rel=0.02)


def test_presets() -> None:
    reduced = SuperpixelSettings.preset("reduced", clusters=81, cei_layers=3)
    assert (reduced.heads, reduced.mlp_hidden, reduced.clusters, reduced.cei_layers) == (4, 256, 81, 3)
    assert SuperpixelSettings.preset("full") == SuperpixelSettings()
    for name in PRESETS:
        made = SuperpixelInteraction(32, SuperpixelSettings.preset(name, mlp_hidden=8, cei_ffn=8))
        (block,) = made.blocks["3"]
        assert (block.intra_entity is not None) == ("iei" in name or name in ("full", "reduced"))
        assert (block.cross_entity is not None) == ("cei" in name or name in ("full", "reduced"))
    with pytest.raises(ValueError, match="expected one of full, reduced"):
        SuperpixelSettings.preset("none")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clusters": 50}, "clusters: found 50, expected a square"),
        ({"cei_layers": -1}, "cei_layers: found -1"),
        ({"levels": (3, 2)}, "levels: found \\[3, 2\\], expected rising"),
        ({"fold": (1, 2)}, "fold: found"),
        ({"neighbours": 0}, "neighbours: found 0"),
        ({"cei_dropout": 1.0}, "cei_dropout: found 1.0"),
        ({"heads": 0}, "heads: found 0"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SuperpixelSettings(**options)
