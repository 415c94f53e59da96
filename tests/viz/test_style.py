"""Pictures leave no traces in Matplotlib's state, come out the same twice, and reach the disk whole."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from interplay.errors import InterplayError
from interplay.viz import style


@style.styled
def drawn(text: str = "label") -> style.Figure:
    figure = style.new_figure(3, 2)
    figure.add_subplot().plot([0, 1], [1, 0], label=text)
    figure.axes[0].set_title(text)
    return figure


def test_drawing_leaves_no_global_state() -> None:
    before = dict(matplotlib.rcParams)
    style.render(drawn())
    assert dict(matplotlib.rcParams) == before
    loaded = "matplotlib.pyplot" in sys.modules and sys.modules["matplotlib.pyplot"].get_fignums()
    assert not loaded


def test_a_figure_is_written_as_png_and_svg(tmp_path: Path) -> None:
    png, svg = style.save(drawn("kick & push $5"), tmp_path / "new" / "fold.1")
    assert (png.name, svg.name) == ("fold.1.png", "fold.1.svg")
    assert "kick &amp; push $5" in svg.read_text(encoding="utf-8")
    with Image.open(io.BytesIO(png.read_bytes())) as picture:
        assert picture.size == (450, 300)
        assert np.asarray(picture.convert("L")).std() > 1
    assert sorted(file.name for file in png.parent.iterdir()) == ["fold.1.png", "fold.1.svg"]


@pytest.mark.parametrize("form", ["png", "svg"])
def test_the_same_figure_gives_the_same_bytes(form: str) -> None:
    assert style.render(drawn(), form) == style.render(drawn(), form)


def test_a_script_that_the_font_lacks_is_no_reason_to_stop() -> None:
    assert style.render(drawn("握手"))  # warnings are errors here


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InterplayError, match="cannot write"):
        style.save(drawn(), tmp_path / "file" / "picture")


def test_colours_and_markers_tell_72_classes_apart() -> None:
    assert len({(style.colour(index), style.marker(index)) for index in range(72)}) == 72


def test_shortening() -> None:
    assert style.shorten("push", 4) == "push"
    assert style.shorten("pushing", 4) == "pus…"
    assert style.shorten("push and pull", 6) == "push…"
