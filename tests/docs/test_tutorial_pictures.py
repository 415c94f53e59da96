"""The tutorial on one's own pictures is followed to its end, word by word, in an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs import blocks

from interplay.data.datasets import open_scenes

TUTORIAL = blocks.blocks("docs/tutorial_own_pictures.md")


def test_tutorial(page_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for block in TUTORIAL:
        if block.mark == "run":
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


def test_no_step_is_left_out() -> None:
    assert all(block.mark == "run" for block in TUTORIAL)
    assert len(TUTORIAL) == 5
