"""Which box of a frame stands for the one that was attended to, and in which stretch of a video."""

from __future__ import annotations

import numpy as np
import pytest

from interplay.studies.video_drawing import marks_of, overlaps, windows_of
from interplay.video.activation import Marked

BOX = [0.2, 0.2, 0.6, 0.6]
FAR = [0.8, 0.8, 0.9, 0.9]


def test_the_attended_box_is_followed_into_frames_between() -> None:
    boxes = np.array([[BOX, FAR], [FAR, BOX]], np.float32)
    found = Marked(np.array([0, 10]), boxes, np.array([[2.0, 0.5], [0.5, 2.0]]))
    moved = np.array([FAR, [0.25, 0.2, 0.65, 0.6]])
    assert marks_of(found, 3, moved) == [1]
    assert marks_of(found, 9, np.array([BOX, FAR])) == [0]
    gone = np.array([FAR, [0.0, 0.0, 0.1, 0.1]])
    assert marks_of(found, 0, gone) == [0], "the next best that is there"
    assert marks_of(Marked(found.frames, boxes, None), 0, moved) == []
    assert overlaps(np.array(BOX), np.array([BOX, FAR])).tolist() == [1.0, 0.0]
    point = np.array([0.5, 0.5, 0.5, 0.5])
    assert overlaps(point, np.array([point, BOX])).tolist() == [1.0, 0.0]
    half = overlaps(np.array([0.0, 0.0, 1.0, 1.0]), np.array([[0.0, 0.0, 0.5, 1.0]]))
    assert half == pytest.approx([0.5])


def test_stretches_of_a_prediction() -> None:
    structure = {"space": "fixed", "supernodes": 2, "operations": ["zero", "identity", "difference"], "code": 7}
    ((start, stop, own),) = windows_of({"structure": structure}, 40)
    assert (start, stop) == (0, 40)
    assert own is not None
    assert own.operations == ("zero", "identity", "difference")
    windows = [{"start": 0.0, "end": 2.0}, {"start": 1.0, "end": 3.0}]
    found = windows_of({"windows": windows, "frames_per_second": 12.0}, 34)
    assert found == [(0, 24, None), (12, 34, None)]
