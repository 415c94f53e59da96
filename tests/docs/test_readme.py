"""The README's commands exist, its runnable blocks run, its links lead somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs import blocks
from tests.docs.blocks import ROOT, Block

README = blocks.blocks("README.md")


@pytest.mark.parametrize("block", [block for block in README if block.mark == "parse"], ids=str)
def test_commands_exist(block: Block) -> None:
    blocks.parse(block)


def test_runnable_blocks_run(page_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    ran = [block for block in README if block.mark == "run"]
    for block in ran:
        blocks.run(block, names)
    assert len(ran) >= 2
    # The first block prints an answer, the second one at least one more.
    assert len(capsys.readouterr().out.splitlines()) >= 2


def test_picture_is_small() -> None:
    picture = ROOT / "docs/assets/interplay.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size <= 300_000


def test_every_page_of_the_documentation_is_named() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [
        page for page in blocks.PAGES if page.startswith("docs/") and page != "docs/index.md" and page not in text
    ]
    assert not missing
