"""One HTML page that needs nothing beside itself: no scripts, no fonts, no pictures from elsewhere."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from itertools import chain, count
from pathlib import Path
from typing import Literal

from matplotlib.figure import Figure

from interplay.viz.style import render, write

Kind = Literal["png", "svg", "gif", "jpeg"]

_MIME = {"png": "image/png", "svg": "image/svg+xml", "gif": "image/gif", "jpeg": "image/jpeg"}

_CSS = """
:root { color-scheme: light dark; --ink:#1f2430; --soft:#5b6472; --back:#fbfbfc; --card:#fff; --line:#dfe3e8;
  --accent:#0067a5; --warn-back:#fff6e0; --warn-line:#e6b450; --bar:#cfe3f1; }
@media (prefers-color-scheme: dark) { :root { --ink:#e7eaef; --soft:#a3acb9; --back:#14171c; --card:#1c2027;
  --line:#333a45; --accent:#7cc0ee; --warn-back:#3a3018; --warn-line:#a9803a; --bar:#27455a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); line-height: 1.55;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-size: 16px; }
header, main, footer { max-width: 1080px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 34px; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
header p { color: var(--soft); margin: 0 0 14px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 10px 0; border-block: 1px solid var(--line);
  font-size: 0.92rem; }
a { color: var(--accent); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
section { margin: 34px 0; }
h2 { font-size: 1.3rem; margin: 0 0 8px; scroll-margin-top: 12px; }
h3 { font-size: 1.05rem; margin: 22px 0 6px; }
p { max-width: 78ch; margin: 8px 0; }
figure { margin: 16px 0; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 10px; padding: 10px; }
figcaption { color: var(--soft); font-size: 0.9rem; margin-top: 6px; max-width: 90ch; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 16px;
  margin: 16px 0; }
.gallery figure { margin: 0; }
.gallery img { width: 100%; }
.wide { overflow-x: auto; margin: 14px 0; border: 1px solid var(--line); border-radius: 10px; background: var(--card); }
table { border-collapse: collapse; width: 100%; font-size: 0.93rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding: 8px 12px; font-size: 0.9rem; }
th, td { text-align: left; padding: 6px 12px; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; color: var(--soft); font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; }
tbody th { font-weight: 500; }
.note { border-left: 4px solid var(--warn-line); background: var(--warn-back); padding: 8px 14px; border-radius: 6px;
  margin: 12px 0; max-width: 90ch; }
pre { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px;
  font: 0.85rem/1.45 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; margin: 8px 0; }
details { margin: 10px 0; }
summary { cursor: pointer; color: var(--accent); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 16px 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span, .tile small { color: var(--soft); display: block; font-size: 0.86rem; }
footer { color: var(--soft); font-size: 0.85rem; padding-top: 12px; padding-bottom: 40px;
  border-top: 1px solid var(--line); }
@media print { nav { display: none; } section { break-inside: avoid; } }
"""


class Page:
    """Sections with text, tables and pictures, in the order in which they are added.

    Every text is escaped; pictures are embedded, each with words for those who cannot see it.

    Args:
        title: of the page.
        subtitle: one line below it.
        footer: last line.
    """

    def __init__(self, title: str, subtitle: str = "", footer: str = "Written by Interplay.") -> None:
        self.title, self.subtitle, self.footer = title, subtitle, footer
        self._sections: list[tuple[str, str, list[str]]] = []

    def section(self, title: str, text: str = "") -> None:
        """Begin a section; what follows belongs to it."""
        base = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        taken = {identity for identity, _, _ in self._sections}
        numbered = (f"{base}-{number}" for number in count(2))
        identity = next(name for name in chain([base], numbered) if name not in taken)
        self._sections.append((identity, title, []))
        if text:
            self.text(text)

    def heading(self, text: str) -> None:
        self._add(f"<h3>{escape(text)}</h3>")

    def text(self, text: str) -> None:
        """A paragraph."""
        self._add(f"<p>{escape(text)}</p>")

    def note(self, text: str) -> None:
        """A highlighted remark: what is missing, and why."""
        self._add(f'<p class="note" role="note">{escape(text)}</p>')

    def tiles(self, items: Sequence[tuple[str, str, str]]) -> None:
        """The few numbers that matter most: (what, value, detail) each."""
        cells = "".join(
            f'<div class="tile"><span>{escape(what)}</span><b>{escape(value)}</b><small>{escape(detail)}</small></div>'
            for what, value, detail in items
        )
        self._add(f'<div class="tiles">{cells}</div>')

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "") -> None:
        """A table; the first column names the row, and columns of numbers are aligned to the right."""
        numeric = [
            index > 0 and bool(rows) and all(_numeric(row[index]) for row in rows) for index in range(len(columns))
        ]
        parts = ['<div class="wide"><table>']
        if caption:
            parts.append(f"<caption>{escape(caption)}</caption>")
        heads = (f'<th scope="col"{_aligned(numeric[i])}>{escape(str(name))}</th>' for i, name in enumerate(columns))
        parts.append(f"<thead><tr>{''.join(heads)}</tr></thead><tbody>")
        for row in rows:
            if len(row) != len(columns):
                raise ValueError(f"a row has {len(row)} cells, expected {len(columns)}")
            cells = [f'<th scope="row">{escape(str(row[0]))}</th>']
            cells += [f"<td{_aligned(numeric[i])}>{escape(str(cell))}</td>" for i, cell in enumerate(row) if i > 0]
            parts.append(f"<tr>{''.join(cells)}</tr>")
        parts.append("</tbody></table></div>")
        self._add("".join(parts))

    def figure(self, figure: Figure, alt: str, caption: str = "") -> None:
        """Embed a Matplotlib figure as PNG (what it shows does then not depend on the reader's fonts)."""
        self.picture(render(figure, "png"), alt, caption, "png")

    def picture(
        self, content: bytes, alt: str, caption: str = "", kind: Kind = "png", width: int | None = None
    ) -> None:
        """Embed a picture.

        Args:
            alt: what it shows, in words; must not be empty.
            width: in CSS pixels; None for as wide as it is, at most the page.
        """
        self._add(_picture(content, alt, caption, kind, width))

    def gallery(self, pictures: Sequence[tuple[bytes, str, str, Kind]]) -> None:
        """Several pictures beside each other: (content, alt, caption, kind) each."""
        figures = "".join(_picture(content, alt, caption, kind, None) for content, alt, caption, kind in pictures)
        self._add(f'<div class="gallery">{figures}</div>')

    def code(self, text: str, summary: str = "") -> None:
        """Text as it is; with a summary, folded until asked for."""
        block = f'<pre tabindex="0">{escape(text)}</pre>'
        self._add(f"<details><summary>{escape(summary)}</summary>{block}</details>" if summary else block)

    def html(self) -> str:
        """The whole page."""
        links = "".join(f'<a href="#{identity}">{escape(title)}</a>' for identity, title, _ in self._sections)
        sections = "\n".join(
            f'<section aria-labelledby="{identity}"><h2 id="{identity}">{escape(title)}</h2>\n{chr(10).join(parts)}\n'
            "</section>"
            for identity, title, parts in self._sections
        )
        subtitle = f"<p>{escape(self.subtitle)}</p>" if self.subtitle else ""
        # The policy makes the promise checkable: a browser would refuse anything from elsewhere.
        policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            f"<title>{escape(self.title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n"
            f"<header><h1>{escape(self.title)}</h1>{subtitle}\n"
            f'<nav aria-label="Sections">{links}</nav></header>\n'
            f"<main>\n{sections}\n</main>\n<footer>{escape(self.footer)}</footer>\n</body>\n</html>\n"
        )

    def write(self, path: str | Path) -> Path:
        """Write the page whole or not at all."""
        return write(Path(path), self.html().encode("utf-8"))

    def _add(self, part: str) -> None:
        if not self._sections:
            raise ValueError("begin a section first")
        self._sections[-1][2].append(part)


def _aligned(numeric: bool) -> str:
    return ' class="number"' if numeric else ""


_NUMBER = re.compile(r"^[−-]?[\d.,]+( ?%)?( [±…–] [\d.,]+( ?%)?)?( \(.*\))?$|^–?$")


def _numeric(cell: object) -> bool:
    return isinstance(cell, int | float) or bool(_NUMBER.match(str(cell)))


def _picture(content: bytes, alt: str, caption: str, kind: Kind, width: int | None) -> str:
    if not alt.strip():
        raise ValueError("a picture needs an alternative text")
    data = base64.b64encode(content).decode("ascii")
    size = f' width="{width}"' if width else ""
    words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img src="data:{_MIME[kind]};base64,{data}" alt="{escape(alt)}"{size}>{words}</figure>'
