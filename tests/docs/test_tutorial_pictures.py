"""The tutorial on one's own pictures is followed to its end, word by word, in an empty folder."""

from __future__ import annotations

import json
from pathlib import Path

import networkx
import pytest
from tests.docs import blocks

from interplay.data.datasets import open_scenes
from interplay.scene.recogniser import SceneRecogniser

TUTORIAL = blocks.blocks("docs/tutorial_own_pictures.md")


def test_tutorial(page_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for block in TUTORIAL:
        if block.mark.startswith("write "):
            (page_folder / block.mark.removeprefix("write ")).write_text(block.text, encoding="utf-8")
        elif block.mark == "run":
            blocks.run(block, names)
    printed = capsys.readouterr().out
    assert "person holding cup" in printed
    assert "\nholding\n" in printed
    source = open_scenes("plain_scenes", page_folder / "mine")
    for name, folder in (("vg", "as-visual-genome"), ("openimages", "as-open-images")):
        dataset = open_scenes(name, page_folder / folder)
        assert len(dataset) == 8
        assert dataset.vocabulary == source.vocabulary
        assert {part: len(rows) for part, rows in dataset.parts().items()} == {
            part: len(rows) for part, rows in source.parts().items()
        }
        assert all(dataset.read(index).file is not None for index in range(8))
    model = names["model"]
    assert isinstance(model, SceneRecogniser)
    assert model.vocabulary == source.vocabulary
    assert model.settings.features == "geometry"
    result = json.loads((page_folder / "runs/figures/result.json").read_text(encoding="utf-8"))
    assert result["protocol"]["protocol"] == "vg"
    assert len(printed.strip().splitlines()) >= 3
    assert all(line.split()[1] in source.vocabulary.classes for line in printed.strip().splitlines()[-3:])
    assert (page_folder / "triplets.png").stat().st_size > 10_000
    assert len(networkx.read_graphml(page_folder / "triplets.graphml")) == 3


def test_no_step_is_left_out() -> None:
    assert all(block.mark == "run" or block.mark.startswith("write ") for block in TUTORIAL)
    assert len(TUTORIAL) == 8
