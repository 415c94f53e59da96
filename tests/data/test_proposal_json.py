"""Boxes of many clips in JSON: read item by item, the authors' proposals, the annotations of Something-Else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged, memory_below, reads_or_says_why

from interplay.data.errors import DataError
from interplay.data.json_items import read_items
from interplay.data.proposal_json import AnnotatedBoxes, JsonProposals, StoredProposals, proposal_files
from interplay.data.proposals import ProposalWriter, grid_proposals


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


VALUES = st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3))


@given(st.dictionaries(st.text(max_size=6), st.lists(VALUES, max_size=3)), st.integers(0, 3))
@FUZZ
def test_items_are_those_of_json(
    tmp_path_factory: pytest.TempPathFactory, value: dict[str, object], indent: int
) -> None:
    path = tmp_path_factory.mktemp("items") / "a.json"
    path.write_text(json.dumps(value, indent=indent or None), encoding="utf-8")
    assert dict(read_items(path, "x")) == value


@given(damaged(b'{"a": [[1, 2]], "b": {"c": "\\u00e9"}, "d": []}'))
@FUZZ
def test_damaged_items(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    reads_or_says_why(lambda path: list(read_items(path, "x")), tmp_path_factory.mktemp("d") / "a.json", content)


def test_large_files_are_read_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    frame = [[0.1, 0.2, 0.3, 0.4]] * 20
    clips = [json.dumps([frame] * 40 if n in (3, 899) else ["x" * 18_000]) for n in range(900)]
    path.write_text("{" + ",".join(f'"{n}": {clip}' for n, clip in enumerate(clips)) + "}")
    assert path.stat().st_size > 15e6
    with memory_below(12):
        found = JsonProposals([path], ids=["3", "899", "none"])
    assert [found.proposals(id, 10, 10) is None for id in ("3", "899", "none", "4")] == [False, False, True, True]


def test_the_authors_json(tmp_path: Path) -> None:
    many = [[0.1 * k, 0, 1, 1] for k in range(9)] + [[0.0, 0.0, 0.5, 0.5]] * 6
    path = write(tmp_path / "a.json", {"7": [[[0, 0, 0.5, 0.25]], many, []], "8": [[[0.9, 0, 0.1, 1]]], "9": []})
    found = proposal_files(path)
    assert found.kind == "file"
    seven = found.proposals("7", 99, 99)
    assert seven is not None
    assert seven.boxes.shape == (3, 10, 4)  # ten of fifteen
    assert seven.at([0, 2], 2).tolist() == [[[0, 0, 0.5, 0.25], [0, 0, 1, 1]], [[0, 0, 1, 1]] * 2]
    for id, message in (("8", "frame 0: found the box"), ("9", "no frames")):
        with pytest.raises(DataError, match=message):
            found.proposals(id, 99, 99)
    assert found.proposals("10", 99, 99) is None
    for wrong in ([1], 3, {"a": 3}, {"a": "b"}):
        with pytest.raises(DataError):
            proposal_files(write(path, wrong))
    for wrong in ({"a": [3]}, {"a": [[3]]}, {"a": [[[1, 2, 3]]]}, {"a": [[[0, 0, "1", 1]]]}, {"a": {"b": 1}}):
        with pytest.raises(DataError, match="clip 'a'"):
            proposal_files(write(path, wrong)).proposals("a", 9, 9)


def test_stores_and_folders(tmp_path: Path) -> None:
    with ProposalWriter(tmp_path / "store", "grid", {}) as writer:
        writer.add("a", grid_proposals())
        writer.finish()
    found = proposal_files(tmp_path / "store")
    assert isinstance(found, StoredProposals)
    assert found.kind == "grid"
    assert found.proposals("a", 1, 1) is not None
    assert found.proposals("b", 1, 1) is None
    with pytest.raises(DataError, match="no proposals"):
        proposal_files(tmp_path)
    write(tmp_path / "p1.json", {"a": [[[0, 0, 1, 1]]]})
    write(tmp_path / "p2.json", {"b": [[[0, 0, 1, 1]]]})
    assert all(proposal_files(tmp_path).proposals(id, 1, 1) is not None for id in "ab")


def frame(number: int, *boxes: tuple[float, float, float, float]) -> dict[str, object]:
    sides = ("x1", "y1", "x2", "y2")
    labels = [{"box2d": dict(zip(sides, box, strict=True)), "category": "hand"} for box in boxes]
    return {"name": f"5/{number:04d}.jpg", "labels": labels, "nr_instances": len(boxes)}


def test_annotated_boxes(tmp_path: Path) -> None:
    entries = [frame(1, (0, 120, 160, 240), (-50, 0, 400, 24)), frame(4), frame(2, (400, 0, 500, 10), (80, 0, 160, 60))]
    path = write(tmp_path / "boxes.json", {"5": entries, "6": [frame(1, (5, 0, 1, 1))]})
    found = AnnotatedBoxes([path])
    five = found.proposals("5", 240, 320)
    assert five is not None
    assert five.kind == "annotated"
    assert five.frames is not None
    assert five.frames.tolist() == [0, 1, 3]
    first = five.at([0], 3)[0]
    assert first[:2] == pytest.approx(np.array([[0, 0.5, 0.5, 1], [0, 0, 1, 0.1]]), abs=1e-3)  # clipped to the frame
    assert first[2].tolist() == [0, 0, 1, 1]
    assert five.at([1], 1).tolist() == [[[0.25, 0, 0.5, 0.25]]]  # the one outside is gone
    # Frames that nobody annotated have the boxes of the nearest that somebody did; none is an annotation, too.
    assert np.array_equal(five.at([2, 3, 30], 2), five.at([1, 3, 3], 2))
    assert (five.at([3], 2) == [0, 0, 1, 1]).all()
    # The same boxes on frames that are stored at another size; or in the pixels of these frames.
    half = found.proposals("5", 120, 160)
    assert half is not None
    assert np.array_equal(half.boxes, five.boxes, equal_nan=True)
    stored = AnnotatedBoxes([path], height=None).proposals("5", 480, 640)
    assert stored is not None
    assert stored.at([1], 2)[0, 1].tolist() == [0.125, 0, 0.25, 0.125]
    with pytest.raises(DataError, match="entry 0: found the box"):
        found.proposals("6", 240, 320)


@given(damaged(json.dumps({"5": [frame(1, (0, 0, 10, 10)), frame(2)], "6": []}).encode()))
@FUZZ
def test_damaged_annotations(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    def read(path: Path) -> None:
        found = AnnotatedBoxes([path])
        for id in ("5", "6"):
            proposals = found.proposals(id, 240, 320)
            assert proposals is None or proposals.at([0, 9]).shape == (2, 10, 4)

    reads_or_says_why(read, tmp_path_factory.mktemp("d") / "a.json", content)
