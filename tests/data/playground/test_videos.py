from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from interplay.data.playground.video_classes import BACKWARDS, DIAGNOSTICS, UNFLIPPABLE, VIDEO_CLASSES, VIDEO_SCRIPTS
from interplay.data.playground.videos import PlaygroundVideos
from interplay.data.videos import VideoClip, VideoDataset, VideoSource

SAME_TIME = [pair for pair in DIAGNOSTICS if pair not in BACKWARDS]
"""Diagnostic pairs that differ in more than order."""
CAR, EDGE = "Moving something along with something behind it", "Pushing something off something"


@pytest.fixture(scope="module")
def dataset() -> PlaygroundVideos:
    return PlaygroundVideos(train_clips=2, validation_clips=1, test_clips=1, height=48, width=64)


@pytest.fixture(scope="module")
def clips(dataset: PlaygroundVideos) -> list[VideoClip]:
    return [dataset.read(index) for index in range(len(dataset))]


def pixels(clip: VideoClip, count: int = 0) -> NDArray[np.uint8]:
    """All frames, or ``count`` of them at equal distances."""
    last = clip.source.frame_count
    return clip.source.read(np.linspace(0, last - 1, count or last).round().astype(int).tolist())


def overlap(boxes: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.floating]:
    """Intersection over union of (T, K, 4) with (T, 4): (T, K)."""
    low, high = np.maximum(boxes[..., :2], other[:, None, :2]), np.minimum(boxes[..., 2:], other[:, None, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    areas = [np.prod(each[..., 2:] - each[..., :2], axis=-1) for each in (boxes, other[:, None])]
    return np.asarray(shared / (areas[0] + areas[1] - shared + 1e-9))


def test_what_every_video_data_set_offers(dataset: PlaygroundVideos, clips: list[VideoClip]) -> None:
    assert isinstance(dataset, VideoDataset)
    assert len(dataset.classes) == len(set(dataset.classes)) == 38
    assert len(set(dataset.ids)) == len(dataset) == 4 * 38
    assert [len(part) for part in dataset.parts().values()] == [76, 38, 38]
    assert np.array_equal(np.concatenate(list(dataset.parts().values())), np.arange(len(dataset)))
    assert dataset.groups is not None
    for clip, name, label in zip(clips, dataset.ids, dataset.labels, strict=True):
        assert isinstance(clip.source, VideoSource)
        assert (clip.id, clip.label) == (name, label)
        assert clip.meta["template"] == dataset.classes[label]
        assert 36 <= clip.source.frame_count <= 48
        assert clip.source.frames_per_second == 12.0
        assert (clip.source.height, clip.source.width) == (48, 64)
        start, end = clip.meta["event"]["start"], clip.meta["event"]["end"]
        assert 0 <= start < end <= clip.source.frame_count / 12
        assert all(each.shape == (clip.source.frame_count, 4) for each in clip.meta["boxes"].values())


def test_left_and_right_are_not_mirrored(dataset: PlaygroundVideos) -> None:
    named = {k for k, label in enumerate(dataset.classes) if " left" in label or " right" in label}
    assert dataset.unflippable == named == {dataset.classes.index(label) for label in UNFLIPPABLE}
    assert len(named) == 6
    assert PlaygroundVideos(classes=[CAR, "Pushing something from left to right"]).unflippable == {1}


def test_a_clip_depends_on_its_seed_part_and_number_only(dataset: PlaygroundVideos, clips: list[VideoClip]) -> None:
    fewer = PlaygroundVideos(train_clips=1, validation_clips=0, test_clips=1, classes=[EDGE, CAR], height=48, width=64)
    by_name = {clip.id: clip for clip in clips}
    for index in range(len(fewer)):
        clip = fewer.read(index)
        assert np.array_equal(pixels(clip, 4), pixels(by_name[clip.id], 4))
        first, second = clip.proposals, by_name[clip.id].proposals
        assert first is not None
        assert second is not None
        assert np.array_equal(first.boxes, second.boxes, equal_nan=True)
    other = PlaygroundVideos(classes=[CAR], seed=1, height=48, width=64).read(0)
    known = by_name["train-00000-32"]
    assert known.meta["template"] == CAR
    assert not np.array_equal(pixels(other, 2), pixels(known, 2))
    assert fewer.fingerprint() != dataset.fingerprint() != PlaygroundVideos().fingerprint()
    assert not np.array_equal(pixels(by_name["test-00000-32"], 2), pixels(known, 2))


def test_only_frames_that_are_asked_for(clips: list[VideoClip]) -> None:
    source = clips[4].source
    whole = pixels(clips[4])
    assert np.array_equal(source.read([7, 0, 7, 31]), whole[[7, 0, 7, 31]])
    assert np.array_equal(pickle.loads(pickle.dumps(source)).read([5]), whole[[5]])
    assert source.read([]).shape == (0, 48, 64, 3)
    assert not source.replaced
    with pytest.raises(ValueError, match="found frame 99"):
        source.read([99])


def test_true_boxes_hold_what_moves(clips: list[VideoClip]) -> None:
    """Where a still camera's picture changes much, there is a box, a shadow or an arm."""
    shares = []
    for clip in clips[:38]:
        if clip.meta["family"] in ("turn sideways", "turn upwards", "approach"):
            continue
        frames = pixels(clip, 12).astype(float)
        at = np.linspace(0, clip.source.frame_count - 1, 12).round().astype(int)
        held = np.zeros((48, 64), dtype=bool)
        for each in clip.meta["boxes"].values():
            for x1, y1, x2, y2 in each[at][~np.isnan(each[at]).any(axis=1)].tolist():
                held[int(y1 * 48) : int(y2 * 48) + 3, int(x1 * 64) : int(x2 * 64) + 2] = True
        moved = np.abs(frames - np.median(frames, axis=0)).max(axis=(0, 3)) > 60
        shares.append(held[moved].mean() if moved.any() else 1.0)
    assert np.median(shares) > 0.7


def test_proposals_are_what_an_imperfect_detector_finds(clips: list[VideoClip]) -> None:
    found, total, false = 0, 0, []
    for clip in clips:
        proposals = clip.proposals
        assert proposals is not None
        assert proposals.kind == "rendered"
        assert proposals.scores is not None
        assert proposals.boxes.shape == (clip.source.frame_count, 10, 4)
        assert (np.diff(proposals.scores.astype(float), axis=1) <= 0).all()
        boxes = np.nan_to_num(proposals.boxes.astype(float))
        best = np.zeros(boxes.shape[:2])
        hidden = {"car 0"} if clip.meta["family"] == "car" else set()
        for name, each in clip.meta["boxes"].items():
            there = ~np.isnan(each).any(axis=1)
            iou = np.where(there[:, None], overlap(boxes, np.nan_to_num(each)), 0.0)
            best = np.maximum(best, iou)
            if clip.meta["family"] == "edge" or name in hidden or "clutter" in name:
                continue
            found, total = found + int((iou.max(axis=1)[there] > 0.5).sum()), total + int(there.sum())
        false.append(float((best < 0.3).mean()))
    assert 0.7 < found / total < 0.97
    assert 0.2 < np.mean(false) < 0.8


def test_some_things_are_always_missed(dataset: PlaygroundVideos, clips: list[VideoClip]) -> None:
    for clip in clips:
        assert clip.proposals is not None
        boxes = np.nan_to_num(clip.proposals.boxes.astype(float))
        if clip.meta["family"] == "car":
            assert overlap(boxes, np.nan_to_num(clip.meta["boxes"]["car 0"])).max() < 0.5
        elif clip.meta["family"] == "edge":
            late = np.arange(len(boxes)) / 12 > clip.meta["event"]["tips"]
            for name in ("thing 0", "thing 1"):
                iou = overlap(boxes, np.nan_to_num(clip.meta["boxes"][name]))
                assert iou[late].max() < 0.6
                assert iou[:3].max() > 0.5  # at first it is found
    none = PlaygroundVideos(classes=[CAR], misses=1.0).read(0).proposals
    assert none is not None
    assert none.boxes.shape[1] == 10


@pytest.mark.parametrize("pair", BACKWARDS)
def test_a_class_and_its_opposite_have_the_same_frames_in_the_opposite_order(pair: tuple[str, str]) -> None:
    """So nothing that ignores order tells them apart: not a frame, not all of them, no speed, no colour."""
    dataset = PlaygroundVideos(train_clips=1, validation_clips=0, test_clips=0, classes=pair, height=36, width=48)
    one, other = dataset.read(0), dataset.read(1)
    assert dataset.groups is not None
    assert dataset.groups[0] == dataset.groups[1]
    assert np.array_equal(pixels(one), pixels(other)[::-1])
    for name, boxes in one.meta["boxes"].items():
        assert np.array_equal(boxes, other.meta["boxes"][name][::-1], equal_nan=True)
    assert one.meta["event"]["backwards"] != other.meta["event"]["backwards"]


def looks(clips: Sequence[VideoClip]) -> dict[str, NDArray[np.floating]]:
    """What can be seen of clips in a frame, or without time; and how much they move."""
    rows: dict[str, list[NDArray[np.floating]]] = {}
    for number, clip in enumerate(clips):
        frames = pixels(clip, 6).astype(np.float64) / 255
        small = frames.reshape(6, 8, 4, 12, 4, 3).mean(axis=(2, 4)).reshape(6, -1)
        row = {
            "colour": frames.mean(axis=(1, 2)).ravel(),
            "first frame": small[0],
            "last frame": small[-1],
            "some frame": small[number * 5 % 6],
            "bag of frames": small.mean(axis=0),
            "speed": np.abs(np.diff(small, axis=0)).mean(keepdims=True)[0],
        }
        for name, value in row.items():
            rows.setdefault(name, []).append(value)
    return {name: np.stack(values) for name, values in rows.items()}


def test_diagnostic_pairs_are_at_chance_without_what_they_need() -> None:
    """A linear classifier on colours, a first, last or any frame, all frames without their order, or the amount of
    motion, trained on 50 and tested on 30 clips of each class, at chance; the true event tells every clip's class."""
    accuracy: dict[str, list[float]] = {}
    for pair in SAME_TIME:
        if VIDEO_SCRIPTS[pair[0]].backwards:
            continue  # the frames of the pair before it, in the opposite order
        dataset = PlaygroundVideos(
            train_clips=50, validation_clips=0, test_clips=30, classes=pair, seed=5, height=32, width=48
        )
        clips = [dataset.read(index) for index in range(len(dataset))]
        codes = {(clip.label, clip.meta["event"]["what"]) for clip in clips}
        assert len(codes) == len({code for _, code in codes}) == 2
        train, test = dataset.parts()["train"], dataset.parts()["test"]
        for name, values in looks(clips).items():
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
            model.fit(values[train], dataset.labels[train])
            accuracy.setdefault(name, []).append(float(model.score(values[test], dataset.labels[test])))
    for name, each in accuracy.items():
        assert max(each) < 0.70, (name, each)
        assert np.mean(each) < 0.58, (name, each)


@pytest.mark.parametrize("pair", SAME_TIME)
def test_the_two_clips_of_a_group_differ_in_what_happens_only(pair: tuple[str, str]) -> None:
    """The same look, camera, things and length; and the difference is large enough to be seen."""
    dataset = PlaygroundVideos(train_clips=1, validation_clips=0, test_clips=0, classes=pair, height=48, width=64)
    one, other = (dataset.read(index) for index in range(2))
    assert one.source.frame_count == other.source.frame_count
    assert set(one.meta["boxes"]) == set(other.meta["boxes"])
    first, second = pixels(one).astype(float), pixels(other).astype(float)
    assert np.median(np.abs(first - second)) < 1.0
    assert np.abs(first - second).max() > 80
    if VIDEO_SCRIPTS[pair[0]].family in ("slope", "edge", "meet"):
        assert np.array_equal(first[0], second[0])


def test_operations_of_the_diagnostics() -> None:
    operations = {"feature_aggregation", "difference_propagation", "temporal_convolution", "background_incorporation"}
    assert operations | {"node_attention"} == set(DIAGNOSTICS.values())
    assert {name for pair in (*DIAGNOSTICS, *BACKWARDS) for name in pair} == set(VIDEO_CLASSES)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"train_clips": -1}, "got -1"),
        ({"misses": 1.5}, "misses=1.5"),
        ({"width": 20}, "20×72"),
        ({"classes": ["Opening somthing"]}, "did you mean 'Opening something'"),
        ({"classes": [CAR, CAR]}, "different"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], found: str) -> None:
    with pytest.raises(ValueError, match=rf"playground_videos: .*{found}"):
        PlaygroundVideos(**settings)
