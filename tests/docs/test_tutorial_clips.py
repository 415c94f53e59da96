"""The tutorial on one's own clips is followed to its end, word by word, in an empty folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.docs import blocks

from interplay.video.recogniser import VideoRecogniser

TUTORIAL = blocks.blocks("docs/tutorial_own_clips.md")


def test_tutorial(page_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for block in TUTORIAL:
        if block.mark.startswith("write "):
            (page_folder / block.mark.removeprefix("write ")).write_text(block.text, encoding="utf-8")
        elif block.mark == "run":
            blocks.run(block, names)
    printed = capsys.readouterr().out
    assert "sliding to the" in printed
    model = names["model"]
    assert isinstance(model, VideoRecogniser)
    assert model.classes == ("sliding to the left", "sliding to the right")
    assert model.proposals == "grid"
    result = json.loads((page_folder / "runs/mine/result.json").read_text(encoding="utf-8"))
    assert [stage["stage"] for stage in result["stages"]] == [1, 2, 3, 4]
    assert result["count"] == {"train": 12, "test": 4}
    pooled = json.loads((page_folder / "runs/pooled/result.json").read_text(encoding="utf-8"))
    assert pooled["stages"][0]["begun_from"] == "mine/stage1"
    assert pooled["protocol"]["model"]["graph"] == "roi_pooling"
    scored = json.loads((page_folder / "runs/figures/result.json").read_text(encoding="utf-8"))
    assert scored["count"] == 4


def test_one_step_alone_is_left_out() -> None:
    """The one that downloads a detector."""
    others = [block for block in TUTORIAL if not (block.mark == "run" or block.mark.startswith("write "))]
    assert [(block.mark, block.text.split()[:3]) for block in others] == [("parse", ["interplay", "data", "proposals"])]
