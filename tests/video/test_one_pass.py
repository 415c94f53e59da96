"""Windows of a long video from one pass over it: the clips of window after window, each frame decoded once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from tests.data.video_clips import encode, moving
from tests.video.made_up import random_model

import interplay
from interplay.data.proposals import Proposals, proposals_from
from interplay.data.video_files import ContainerSource
from interplay.data.videos import UInt8Array, VideoClip
from interplay.video.one_pass import clips_of
from interplay.video.preparation import OpenedClip
from interplay.video.proposal_network import DetectedBoxes, ProposalNetwork, ProposalSettings
from interplay.video.recogniser import VideoRecogniser

LENGTH = 90
WINDOWS = [(0, 24), (6, 30), (12, 36), (60, 84), (66, 90)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> VideoRecogniser:
    loaded = interplay.load(random_model(tmp_path_factory.mktemp("random") / "model", ["still", "moving"]))
    assert isinstance(loaded, VideoRecogniser)
    return loaded


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One key frame, at the beginning."""
    path = tmp_path_factory.mktemp("video") / "long.mp4"
    return encode(path, moving(LENGTH, 64, 48), options={"preset": "ultrafast", "g": "10000"})


def own_boxes() -> Proposals:
    frames = [np.array([[0.0, 0.0, 0.5, 0.5 + frame / 200], [0.2, 0.2, 0.9, 0.9]]) for frame in range(LENGTH)]
    return proposals_from(frames, "file")


def test_the_clips_are_those_of_one_window_after_the_other(model: VideoRecogniser, video: Path) -> None:
    source, boxes = ContainerSource(video), own_boxes()
    found = list(clips_of(model, "v", source, boxes, WINDOWS))
    assert len(found) == len(WINDOWS)
    for (clip, shown), (start, stop) in zip(found, WINDOWS, strict=True):
        alone = model.prepared(f"v#{start}", OpenedClip(ContainerSource(video), boxes, start, stop))
        assert clip.id == alone.id
        assert clip.frames is not None
        assert alone.frames is not None
        assert torch.equal(clip.frames, alone.frames)
        assert torch.equal(clip.boxes, alone.boxes)
        assert start <= shown.min() <= shown.max() < stop


class Shown(ContainerSource):
    """Counts the passes that begin, and the frames that come."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.passes = 0
        self.seen: list[int] = []

    def frames(self, indices: Sequence[int]) -> Iterator[UInt8Array]:
        self.passes += 1
        for index, picture in zip(indices, super().frames(indices), strict=True):
            self.seen.append(index)
            yield picture


def test_a_long_video_is_decoded_once(model: VideoRecogniser, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    av_open = av.open

    def counted(file: str, *words: object, **more: object) -> object:
        opened.append(file)
        return av_open(file, *words, **more)  # type: ignore[call-overload]

    source = Shown(video)
    assert (source.frame_count, source.height) == (LENGTH, 48)
    monkeypatch.setattr("interplay.data.video_timeline.av.open", counted)
    prediction = model.predict(VideoClip("v", source), stride=0.25)
    assert len(prediction.details["windows"]) > 20
    assert len(opened) == 1
    assert source.passes == 1
    assert source.seen == sorted(set(source.seen))


class Bright(ProposalNetwork):
    """Instead of a detector: a box whose corner says how bright the frame is at the top left."""

    def forward(self, frames: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        corners = frames[:, 0, 0, 0].float() / 256
        return [(torch.tensor([[0.0, 0.0, float(c), 1.0]]), torch.ones(1)) for c in corners]


@pytest.fixture(scope="module")
def detector() -> ProposalNetwork:
    return Bright(ProposalSettings("none", boxes=1, short=32), random=True)


def test_a_detector_looks_at_the_frames_that_the_clips_show(
    model: VideoRecogniser, video: Path, detector: ProposalNetwork
) -> None:
    source = Shown(video)
    boxes = detector.on(source)
    found = list(clips_of(model, "v", source, boxes, WINDOWS))
    assert source.passes == 1  # the detector took the frames that came by
    pictures = ContainerSource(video).read(range(LENGTH))
    for (_, shown), (start, stop) in zip(found, WINDOWS, strict=True):
        steps = shown[::2]
        assert set(steps.tolist()) <= set(range(start, stop))
        expected = pictures[steps, 0, 0, 0].astype(np.float32) / 256
        assert boxes.at(steps.tolist(), 1)[:, 0, 2] == pytest.approx(expected, abs=1e-3)
    assert source.passes == 1
    prediction = model.predict(VideoClip("v", Shown(video)), proposals=detector.on(Shown(video)))
    assert prediction.details["proposals"] == "rpn"


def test_boxes_are_remembered_but_not_for_ever(
    video: Path, detector: ProposalNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interplay.video.proposal_network.KEPT", 3)
    source = Shown(video)
    boxes = DetectedBoxes(detector, source)
    first = boxes.at([5, 1, 5, 2], 2)
    assert first.shape == (4, 2, 4)
    assert first[0].tolist() == first[2].tolist()
    assert first[:, 1].tolist() == [[0, 0, 1, 1]] * 4  # fewer were found than asked for
    assert source.seen == [1, 2, 5]
    boxes.at([1, 2], 2)
    assert source.seen == [1, 2, 5]
    boxes.at([7, 8], 2)
    boxes.at([5, 7], 2)
    assert source.seen == [1, 2, 5, 7, 8]
    boxes.at([1], 2)
    assert source.seen == [1, 2, 5, 7, 8, 1]
