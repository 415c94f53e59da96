"""Strips of frames, videos with boxes, and pictures of structures: what is drawn can be read back."""

from __future__ import annotations

import io
from pathlib import Path

import networkx
import numpy as np
import pytest
from PIL import Image

from interplay.interactions import Interaction
from interplay.viz import structures
from interplay.viz.style import render
from interplay.viz.videos import HIGH, StripFrame, VideoNotes, save_video, strips

GREY = np.full((24, 32, 3), 120, np.uint8)
BOXES = np.array([[0.1, 0.1, 0.5, 0.6], [0.4, 0.3, 0.9, 0.9]])


def frames(count: int):  # type: ignore[no-untyped-def]
    return ((number, GREY, BOXES, [1]) for number in range(count))


@pytest.mark.parametrize("kind", ["mp4", "gif"])
def test_every_frame_is_written_with_the_marked_box(kind: str, tmp_path: Path) -> None:
    said = [Interaction("pushing something from left to right, slowly and for a long time", 0.8, start=0.0, end=0.25)]
    notes = VideoNotes(said, "structure: difference zero", 6, 12.0)
    path = save_video(frames(6), notes, tmp_path / "deep" / "clip", least_width=96, kind=kind)  # type: ignore[arg-type]
    assert path.suffix == f".{kind}"
    if kind == "gif":
        with Image.open(path) as opened:
            assert opened.n_frames >= 1
            picture = np.asarray(opened.convert("RGB")).astype(int)
    else:
        import av

        with av.open(str(path)) as container:
            pictures = [one.to_ndarray(format="rgb24") for one in container.decode(video=0)]
        assert len(pictures) == 6
        picture = pictures[0].astype(int)
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    orange = (picture[..., 0] > 170) & (picture[..., 2] < 90) & (picture[..., 1] < 140)
    rows, columns = np.nonzero(orange)
    across = (columns.min() / picture.shape[1], columns.max() / picture.shape[1])
    assert across == pytest.approx((0.4, 0.9), abs=0.06)
    assert len(rows) > 40
    with pytest.raises(ValueError, match="no frame"):
        save_video(iter(()), notes, tmp_path / "none", kind=kind)  # type: ignore[arg-type]


def test_strips_and_structures_are_drawn_and_refuse_nothing_to_draw() -> None:
    row = [StripFrame(GREY, BOXES, {0: HIGH}, "step 1"), StripFrame(GREY)]
    figure = strips([("a clip", row), ("another", row[:1])], [(HIGH, "most attention")])
    with Image.open(io.BytesIO(render(figure))) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    blue = np.abs(pixels - np.array([0x1F, 0x5F, 0xD0])).max(-1) < 40
    assert blue.sum() > 100
    graph = networkx.DiGraph()
    for source, target, name in ((0, 1, "difference"), (0, 2, "zero"), (1, 2, "temporal")):
        graph.add_edge(source, target, operation=name)
    graph.add_edges_from(((1, "output"), (2, "output")), operation="concatenation")
    text = render(structures.structure_drawings([("mine", graph)]), "svg").decode()
    for word in ("mine", "N-1", "input", "output", "diff", "temp", "difference"):
        assert f">{word}<" in text, word
    assert structures.operation_colour("zero") in text
    shares = [("s1", np.array([0.25, np.nan, 1.0]))]
    text = render(structures.structure_histogram(("a", "b", "c"), shares), "svg").decode()
    assert ">a<" in text
    assert ">b<" not in text  # no clip of it
    assert "other structures" in text
    wide = [("s1", np.full(80, 0.5))]
    assert "class index" in render(structures.structure_histogram([f"c{k}" for k in range(80)], wide), "svg").decode()
    for nothing in (lambda: strips([]), lambda: structures.structure_drawings([]), lambda: structures.mismatch([])):
        with pytest.raises(ValueError, match="nothing to draw"):
            nothing()
