"""The demo on few episodes: a page with pictures, and the shipped model well above chance."""

from __future__ import annotations

from pathlib import Path

from interplay.loading import load
from interplay.studies.demo import ask, run_demo, summary


def test_the_page(tmp_path: Path) -> None:
    lines: list[str] = []
    page = run_demo(tmp_path, each=1, say=lines.append)
    text = page.read_text()
    assert text.count("data:image/gif") >= 6
    assert text.count("data:image/png") >= 3
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "not real data" in text
    assert {path.suffix for path in (tmp_path / "pictures").iterdir()} == {".gif", ".png", ".svg"}
    assert any("right" in line for line in lines)


def test_the_shipped_model_knows_unseen_episodes() -> None:
    recogniser = load("megcn-playground")
    answered = ask(recogniser, {label: label for label in recogniser.classes}, 2)
    assert sum(item.right for item in answered) >= 0.7 * len(answered), summary(answered)
