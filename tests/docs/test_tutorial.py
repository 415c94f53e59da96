"""The tutorial is followed to its end, word by word, in an empty folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.docs import blocks

import interplay

TUTORIAL = blocks.blocks("docs/tutorial-own-recordings.md")


def test_tutorial(page_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for block in TUTORIAL:
        if block.mark.startswith("write "):
            (page_folder / block.mark.removeprefix("write ")).write_text(block.text, encoding="utf-8")
        elif block.mark == "run":
            blocks.run(block, names)
    model = interplay.load(page_folder / "runs/mine")
    assert set(model.classes) == {"hug", "push", "high-five"}
    result = json.loads((page_folder / "runs/mine-evaluation/result.json").read_text(encoding="utf-8"))
    assert result["count"] == 6
    assert (page_folder / "runs/mine/report/index.html").is_file()
    assert list((page_folder / "runs/pictures").glob("*.gif"))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('{"input"')]
    answer = interplay.Prediction.from_json(lines[-1])
    assert answer.interactions[0].label in (*model.classes, interplay.NONE_OF_THE_KNOWN)


def test_no_step_is_left_out() -> None:
    unmarked = [block for block in TUTORIAL if block.language in ("bash", "python", "yaml") and not block.mark]
    assert not unmarked, unmarked
    assert all(not block.mark.startswith("skip") for block in TUTORIAL)
