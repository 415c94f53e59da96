"""The page needs nothing beside itself, says everything in words, and lets no text become markup."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interplay.viz.page import Page
from interplay.viz.style import new_figure

VOID = {"meta", "img", "br", "hr", "link"}


class Reader(HTMLParser):
    """Collects tags and text, and holds that every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


def example() -> Page:
    page = Page("Run 1", "megcn/sbu")
    page.section("Numbers", "All of them.")
    page.tiles([("top-1", "95.1 %", "163 clips")])
    page.table(["class", "clips"], [["push", 12], ["kick", 3]], "Counts.")
    page.heading("More")
    page.note("No scores: scores.npz is not there.")
    page.section("Pictures")
    page.figure(new_figure(1, 1), "an empty square", "Nothing.")
    page.gallery([(b"<svg/>", "a drawing", "", "svg"), (b"GIF89a", "a moving one", "moving", "gif")])
    page.code("a: 1\n", "Recipe")
    return page


def test_nothing_is_fetched_from_elsewhere() -> None:
    reader = read(example().html())
    for tag, attributes in reader.seen:
        assert tag not in ("script", "link", "iframe", "object", "embed")
        assert all(not (name or "").startswith("on") for name in attributes)
        for name in ("src", "href"):
            if name in attributes:
                assert str(attributes[name]).startswith(("data:image/", "#"))
    assert "url(" not in example().html()
    assert "@import" not in example().html()


def test_sections_are_linked_and_pictures_described() -> None:
    reader = read(example().html())
    targets = [attributes["href"] for tag, attributes in reader.seen if tag == "a"]
    identities = {attributes.get("id") for tag, attributes in reader.seen if tag == "h2"}
    assert targets == ["#numbers", "#pictures"]
    assert {str(target)[1:] for target in targets} == identities
    images = [attributes for tag, attributes in reader.seen if tag == "img"]
    assert [image["alt"] for image in images] == ["an empty square", "a drawing", "a moving one"]
    content = base64.b64decode(str(images[0]["src"]).partition(",")[2])
    assert content.startswith(b"\x89PNG")
    headers = [attributes.get("scope") for tag, attributes in reader.seen if tag == "th"]
    assert headers == ["col", "col", "row", "row"]
    with pytest.raises(ValueError, match="alternative text"):
        example().picture(b"", " ")


def test_numbers_are_aligned_to_the_right() -> None:
    page = Page("t")
    page.section("s")
    page.table(["what", "value", "text"], [["a", "95.1 % (91.0–97.4)", "x"], ["b", "–", "y"]])
    assert page.html().count('class="number"') == 3
    with pytest.raises(ValueError, match="2 cells, expected 1"):
        page.table(["a"], [["b", "c"]])


@given(st.text(max_size=30))
def test_no_text_becomes_markup(text: str) -> None:
    plain = read(_filled("x").html())
    page = _filled(f"<script>{text}</script>\"'&")
    reader = read(page.html())
    assert [tag for tag, _ in reader.seen] == [tag for tag, _ in plain.seen]


def _filled(text: str) -> Page:
    page = Page(text, text, text)
    page.section(text, text)
    page.heading(text)
    page.note(text)
    page.tiles([(text, text, text)])
    page.table([text, text], [[text, text]], text)
    page.picture(b"", f"{text}.", text)
    page.code(text, text)
    return page


def test_equal_titles_get_different_anchors(tmp_path: Path) -> None:
    page = Page("t")
    for _ in range(3):
        page.section("Fold")
    path = page.write(tmp_path / "deep" / "index.html")
    assert re.findall(r'<h2 id="([^"]+)"', path.read_text(encoding="utf-8")) == ["fold", "fold-2", "fold-3"]
    with pytest.raises(ValueError, match="begin a section"):
        Page("t").text("lost")
