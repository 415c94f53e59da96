"""Region proposals: which boxes a frame gets, the grid, and the store that survives interruption."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged

from interplay.data.errors import DataError
from interplay.data.proposals import (
    HEADER,
    INDEX,
    VALUES,
    Proposals,
    ProposalStore,
    ProposalWriter,
    grid_proposals,
    proposals_from,
)
from interplay.errors import InterplayError

FULL = [0, 0, 1, 1]


def test_each_frame_gets_its_own_boxes_then_full_frames() -> None:
    made = proposals_from([np.array([[0, 0, 0.5, 0.5], [0.5, 0, 1, 1]]), np.zeros((0, 4)), np.ones((1, 4))], "rpn")
    assert made.boxes.shape == (3, 2, 4)
    at = made.at([2, 0, 1], count=3)
    assert at.dtype == np.float32
    assert at.tolist() == [
        [[1, 1, 1, 1], FULL, FULL],
        [[0, 0, 0.5, 0.5], [0.5, 0, 1, 1], FULL],
        [FULL, FULL, FULL],
    ]
    assert made.at([0], count=1).tolist() == [[[0, 0, 0.5, 0.5]]]
    assert made.at([7]).tolist() == made.at([2]).tolist()  # fewer rows than frames: the last
    with pytest.raises(ValueError, match="count: found 0"):
        made.at([0], count=0)


def test_absent_boxes_in_the_middle_close_up() -> None:
    boxes = np.full((1, 3, 4), np.nan, np.float16)
    boxes[0, 2] = 0.25
    assert Proposals(boxes, "file").at([0], 2).tolist() == [[[0.25] * 4, FULL]]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=6, unique=True), st.lists(st.integers(0, 70), max_size=8))
@FUZZ
def test_rows_of_some_frames_serve_the_nearest(numbers: list[int], wanted: list[int]) -> None:
    numbers = sorted(numbers)
    made = proposals_from([np.zeros((1, 4))] * len(numbers), "rpn", frame_numbers=numbers)
    slow = [min(range(len(numbers)), key=lambda row: (abs(numbers[row] - frame), row)) for frame in wanted]
    assert made.row_of(wanted).tolist() == slow


def test_boxes_outside_are_clipped_and_nonsense_is_refused() -> None:
    made = proposals_from([np.array([[-1.0, 0.5, 2.0, 3.0]])], "file", scores=[np.array([1e9])])
    assert made.boxes.tolist() == [[[0, 0.5, 1, 1]]]
    assert made.scores is not None
    assert made.scores.tolist() == [[65504]]
    for boxes in ([[np.nan, 0, 1, 1]], [[0.9, 0, 0.1, 1]]):
        with pytest.raises(ValueError, match="found a box"):
            proposals_from([np.array(boxes)], "file")
    with pytest.raises(ValueError, match="found none"):
        proposals_from([], "file")
    with pytest.raises(ValueError, match="kind: found 'magic'"):
        Proposals(np.zeros((1, 1, 4), np.float16), "magic")
    with pytest.raises(ValueError, match="float32"):
        Proposals(np.zeros((1, 1, 4), np.float32), "file")
    half = np.zeros((1, 1, 4), np.float16)
    half[0, 0, 2] = np.nan
    with pytest.raises(ValueError, match="NaN in part"):
        Proposals(half, "file")
    with pytest.raises(ValueError, match="ascending"):
        Proposals(np.zeros((2, 1, 4), np.float16), "file", frames=np.array([3, 3]))
    with pytest.raises(ValueError, match="scores: found float32"):
        Proposals(np.zeros((2, 1, 4), np.float16), "file", scores=np.zeros((2, 1), np.float32))


@pytest.mark.parametrize("count", [1, 10, 11, 60])
def test_the_grid_is_one_sequence_inside_the_frame(count: int) -> None:
    grid = grid_proposals(count)
    boxes = grid.at([0, 9], count)
    assert boxes.shape == (2, count, 4)
    assert len(np.unique(boxes[0], axis=0)) == count
    assert boxes[0, 0].tolist() == FULL
    assert (boxes[..., 2:] - boxes[..., :2] > 0.2).all()
    assert np.array_equal(boxes[0], grid_proposals(60).at([0], 60)[0, :count])
    covered = np.zeros((8, 8), bool)
    for x1, y1, x2, y2 in np.round(boxes[0, 1:] * 8).astype(int) if count >= 10 else ():
        covered[y1:y2, x1:x2] = True
    assert covered.all() or count == 1


def some(seed: int, scores: bool = True) -> Proposals:
    draw = np.random.default_rng(seed)
    low = draw.uniform(0, 0.5, (3, 2, 2))
    boxes = np.concatenate([low, low + draw.uniform(0, 0.5, (3, 2, 2))], axis=2)
    marks = list(draw.uniform(0, 1, (3, 2))) if scores else None
    return proposals_from(list(boxes), "rpn", marks, [0, 2, 30] if scores else None)


def same(first: Proposals, second: Proposals) -> bool:
    pairs = ((first.boxes, second.boxes), (first.scores, second.scores), (first.frames, second.frames))
    return all((a is None) == (b is None) and (a is None or np.array_equal(a, b)) for a, b in pairs)


def test_store_round_trip(tmp_path: Path) -> None:
    with ProposalWriter(tmp_path / "s", "rpn", {"weights": "COCO"}) as writer:
        for number in range(5):
            writer.add(f"clip {number}", some(number, scores=number % 2 == 0))
        with pytest.raises(ValueError, match="again"):
            writer.add("clip 0", some(0))
        with pytest.raises(ValueError, match="kind 'grid'"):
            writer.add("g", grid_proposals())
        with pytest.raises(DataError, match="did not end"):
            ProposalStore(tmp_path / "s")
        writer.finish()
    store = ProposalStore(tmp_path / "s")
    assert (store.kind, store.settings, list(store)) == ("rpn", {"weights": "COCO"}, [f"clip {n}" for n in range(5)])
    assert all(same(store[f"clip {n}"], some(n, n % 2 == 0)) for n in range(5))
    assert store.get("clip 9") is None
    with pytest.raises(InterplayError, match="other settings"):
        ProposalWriter(tmp_path / "s", "rpn", {"weights": "none"})


def test_boxes_of_another_video_take_the_place_of_those_before(tmp_path: Path) -> None:
    with ProposalWriter(tmp_path / "s", "rpn", {}) as writer:
        writer.add("a", some(0), "a.mp4 10 1")
        writer.add("b", some(1), "b.mp4 10 1")
        writer.finish()
    with ProposalWriter(tmp_path / "s", "rpn", {}) as writer:
        assert writer.done == {"a": "a.mp4 10 1", "b": "b.mp4 10 1"}
        with pytest.raises(ValueError, match="again"):
            writer.add("a", some(2), "a.mp4 10 1")
        writer.add("a", some(2), "a.mp4 20 2")
        writer.finish()
    store = ProposalStore(tmp_path / "s")
    assert "a" in store
    assert "c" not in store
    assert len(store) == 2
    assert same(store["a"], some(2))
    assert same(store["b"], some(1))


@pytest.mark.parametrize("cut", [0, 1, 7, 40])
def test_interrupted_anywhere_it_ends_with_the_same_bytes(tmp_path: Path, cut: int) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        with ProposalWriter(folder, "rpn", {}) as writer:
            for number in range(4):
                writer.add(str(number), some(number))
            if folder == whole:
                writer.finish()
    for name in (INDEX, VALUES):  # boxes are always at least as far as the index
        content = (broken / name).read_bytes()
        (broken / name).write_bytes(content[: len(content) - cut] if name == INDEX else content + b"half")
    with ProposalWriter(broken, "rpn", {}) as writer:
        assert len(writer.done) == (4 if cut == 0 else 3)
        with pytest.raises(InterplayError, match="somebody"):
            ProposalWriter(broken, "rpn", {})
        for number in range(4):
            if str(number) not in writer.done:
                writer.add(str(number), some(number))
        writer.finish()
    for name in (HEADER, INDEX, VALUES):
        assert (whole / name).read_bytes() == (broken / name).read_bytes()


@given(st.data())
@FUZZ
def test_a_damaged_store_is_read_or_says_why(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("store")
    with ProposalWriter(folder, "rpn", {}) as writer:
        writer.add("a", some(0))
        writer.add("b", some(1, scores=False))
        writer.finish()
    file = folder / data.draw(st.sampled_from((HEADER, INDEX, VALUES)))
    file.write_bytes(data.draw(damaged(file.read_bytes())))
    try:
        store = ProposalStore(folder)
    except DataError:
        return
    for name in store:
        try:
            assert store[name].at([0, 5]).shape == (2, 10, 4)
        except DataError:
            continue


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        ProposalStore(tmp_path)
    (tmp_path / HEADER).write_text(json.dumps({"format": "x", "kind": "rpn", "settings": {}, "complete": True}))
    with pytest.raises(DataError, match="'x'"):
        ProposalStore(tmp_path)
