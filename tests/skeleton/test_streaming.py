"""A live stream: each answer equals predict on the same window, and memory stays that of one window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interplay.errors import InterplayError


def test_each_answer_equals_predict_on_the_same_window(recogniser, make_clip) -> None:  # type: ignore[no-untyped-def]
    clip = make_clip(120)
    stream = recogniser.stream()
    assert (stream.window, stream.stride) == (30, 8)
    answers = 0
    for number, frame in enumerate(clip.joints, start=1):
        answer = stream.update(frame)
        if number < 30 or (number - 30) % 8:
            assert answer is None
            continue
        answers += 1
        assert answer is not None
        window = replace(clip, joints=clip.joints[number - 30 : number])
        (live,), (whole,) = answer.interactions, recogniser.predict(window).interactions
        assert (live.label, live.score, live.alternatives) == (whole.label, whole.score, whole.alternatives)
        assert live.start == pytest.approx((number - 30) / 15)
        assert live.end == pytest.approx(number / 15)
    assert answers == 12


def test_memory_is_that_of_one_window(recogniser) -> None:  # type: ignore[no-untyped-def]
    stream = recogniser.stream(stride=1000.0)
    for _ in range(2000):
        stream.update(np.ones((2, 15, 3), np.float32))
    assert len(stream._frames) == stream.window


def test_a_camera_may_reuse_its_buffer(recogniser, make_clip) -> None:  # type: ignore[no-untyped-def]
    clip = make_clip(30)
    buffer = np.empty((2, 15, 3), np.float32)
    reused, fresh = recogniser.stream(), recogniser.stream()
    for frame in clip.joints:
        buffer[:] = frame
        a, b = reused.update(buffer), fresh.update(frame)
    assert a is not None
    assert a == b


def test_update_on_the_model_itself(recogniser, make_clip) -> None:  # type: ignore[no-untyped-def]
    answers = [recogniser.update(frame) for frame in make_clip(30).joints]
    assert [answer is not None for answer in answers] == [False] * 29 + [True]


def test_reset_starts_over(recogniser, make_clip) -> None:  # type: ignore[no-untyped-def]
    stream, frames = recogniser.stream(), make_clip(30).joints
    for frame in frames[:20]:
        stream.update(frame)
    stream.reset()
    assert [stream.update(frame) is not None for frame in frames] == [False] * 29 + [True]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros((2, 15)), r"found shape \(2, 15\)"),
        (np.full((2, 15, 3), np.nan), "NaN or Inf"),
        (np.zeros((2, 14, 3)), r"expected \(2, 15, 3\)"),
    ],
)
def test_bad_frames_are_named(recogniser, frame: np.ndarray, message: str) -> None:  # type: ignore[no-untyped-def]
    stream = recogniser.stream()
    stream.update(np.ones((2, 15, 3), np.float32))
    with pytest.raises(InterplayError, match=message):
        stream.update(frame)


def test_a_rate_is_needed(recogniser) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InterplayError, match="positive rate"):
        recogniser.stream(frames_per_second=0.0)
