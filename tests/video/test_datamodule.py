"""Batches of videos: what is drawn for whom, what is kept on disk, what cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.video.made_up import MadeUp

from interplay.data.datasets import open_videos
from interplay.errors import InterplayError
from interplay.video.datamodule import VideoData, VideoInput, Visit
from interplay.video.kept_features import KeptFeatures
from interplay.video.kept_frames import KeptFrames
from interplay.video.network import AGOS
from interplay.video.settings import BackboneSettings, VideoSettings

SETTINGS: dict[str, Any] = {"frames": 4, "height": 24, "width": 24, "boxes": 3, "batch_size": 4, "evaluation_batch": 3}


def data(dataset: MadeUp | None = None, **changes: Any) -> VideoData:
    return VideoData(dataset or MadeUp(), VideoInput(**{**SETTINGS, **changes}), 1)


def network(classes: int = 4) -> AGOS:
    backbone = BackboneSettings(width=2, blocks=(1, 1), strides=(1, 2))
    torch.manual_seed(0)
    return AGOS(
        classes,
        model=VideoSettings(width=8, na_neighbours=2, tc_kernel=1),
        backbone=backbone,
        frames=4,
        size=24,
        boxes=3,
    ).eval()


def test_an_epoch_sees_every_clip_once_and_the_same_way_again() -> None:
    first, second = data(), data()
    batches = [first.training_batch(2, number) for number in range(first.steps)]
    assert sorted(name for batch in batches for name in batch.ids) == sorted(MadeUp().ids[:12])
    again = second.training_batch(2, 1)  # without what was drawn before
    assert again.ids == batches[1].ids
    assert again.frames is not None
    assert batches[1].frames is not None
    assert torch.equal(again.frames, batches[1].frames)
    assert torch.equal(again.boxes, batches[1].boxes)
    assert [first.training_batch(3, number).ids for number in range(3)] != [batch.ids for batch in batches]
    assert again.frames.shape == (4, 4, 24, 24, 3)
    assert again.boxes.shape == (4, 2, 3, 4)


def test_boxes_lie_where_the_square_is_also_when_it_is_mirrored() -> None:
    made = data(frames=8, height=40, width=40)
    for epoch in range(6):
        for number in range(made.steps):
            batch = made.training_batch(epoch, number)
            assert batch.frames is not None
            for frames, boxes in zip(batch.frames, batch.boxes, strict=True):
                for shown, box in zip(frames[::2], boxes[:, 0], strict=True):
                    bright = (shown[..., 0] > 140).nonzero().double()
                    low, high = bright.amin(0) / 40, (bright.amax(0) + 1) / 40
                    seen = torch.stack([low[1], low[0], high[1], high[0]])
                    assert (seen - box.double()).abs().max() < 0.06


def test_classes_that_say_left_or_right_are_never_mirrored() -> None:
    made = data(flip=1.0, scales=(1.0,), frames=4, height=40, width=48)
    for row in range(12):
        clip = made.drawn(row, torch.Generator().manual_seed(row))
        assert clip.frames is not None
        raw = made.dataset.read(row).source.read(range(12))
        matches = [np.array_equal(frame, clip.frames[0].numpy()) for frame in raw]
        mirrored = [np.array_equal(frame[:, ::-1], clip.frames[0].numpy()) for frame in raw]
        if clip.label in made.dataset.unflippable:
            assert any(matches)
            assert not any(mirrored)
        else:
            assert any(mirrored)


def test_test_clips_belong_to_their_video() -> None:
    made = data(MadeUp(length=48))
    draws = [made.test_frames("square-16", 48, number).tolist() for number in range(5)]
    assert len({tuple(frames) for frames in draws}) > 1
    assert draws == [data(MadeUp(length=48)).test_frames("square-16", 48, number).tolist() for number in range(5)]
    assert made.test_frames("square-17", 48, 0).tolist() != draws[0]
    spread = data(MadeUp(length=48), test_clips="offsets")
    assert spread.test_frames("any", 48, 0).tolist() == [1, 13, 25, 37]
    assert made.test_frames("any", 48, None).tolist() == [6, 18, 30, 42]


def test_what_cannot_be_read_is_left_out_and_named() -> None:
    made = data(MadeUp(broken=("square-3", "square-17")))
    seen = [name for number in range(made.steps) for name in made.training_batch(0, number).ids]
    assert len(seen) == 11
    assert [name for batch in made.iterate("test") for name in batch.ids] == ["square-16", "square-18", "square-19"]
    assert set(made.unreadable) == {"square-3", "square-17"}
    assert "no such file" in made.unreadable["square-3"]
    nothing = data(MadeUp(broken=tuple(MadeUp().ids)))
    with pytest.raises(InterplayError, match="no clip of a batch can be read"):
        nothing.training_batch(0, 0)
    assert len(nothing.evaluation_batch("test", 0)) == 0


def test_kept_frames_are_the_frames(tmp_path: Path) -> None:
    dataset = MadeUp(broken=("square-3",))
    rows = list(range(len(dataset)))
    keep: dict[str, Any] = {"short": 40, "frames": 12, "boxes": 3, "folder": str(tmp_path)}
    said: list[str] = []
    kept = KeptFrames.prepare(dataset, rows, **keep, say=said.append)
    assert "frames of 19 clips kept" in said[0]
    made = VideoData(dataset, VideoInput(**SETTINGS), 1, kept=kept)
    plain = VideoData(dataset, VideoInput(**SETTINGS), 1)
    assert "square-3" in made.unreadable
    assert len(made.parts["train"]) == 11
    for visit in (Visit(4, 0), Visit(17), Visit(17, test=2)):
        one, other = made.prepared(visit), plain.prepared(visit)
        assert one.frames is not None
        assert other.frames is not None
        assert torch.equal(one.frames, other.frames)
        assert torch.equal(one.boxes, other.boxes)
    again = KeptFrames.prepare(dataset, rows, **keep, say=said.append)
    assert len(said) == 1
    assert again.clips == kept.clips
    (place,) = (path for path in tmp_path.iterdir() if path.is_dir())
    (place / "index.json").unlink()  # as after a kill
    (place / "frames.bin").write_bytes(b"half")
    whole = KeptFrames.prepare(dataset, rows, **keep, say=said.append)
    assert len(said) == 2
    assert np.array_equal(whole.reader(4).pixels, made.dataset.read(4).source.read(range(12)))
    small = KeptFrames.prepare(dataset, [0], short=20, frames=6, boxes=3, folder=str(tmp_path))
    assert small.reader(0).pixels.shape == (6, 20, 24, 3)


def test_kept_maps_are_those_of_their_draws(tmp_path: Path) -> None:
    model, made = network(), data(MadeUp(train=5, validation=2, test=2))
    kept = KeptFeatures.prepare(model.backbone, model.backbone_features, made, 2, str(tmp_path))
    made.use(2, kept, 2)
    for epoch in range(3):
        batch = made.training_batch(epoch, 0)
        assert batch.frames is None
        assert batch.features is not None
        assert batch.features.shape == (2, model.backbone.channels, 2, 3, 3)
    first, third = made.prepared(Visit(1, 0)), made.prepared(Visit(1, 2))
    assert first.features is not None
    assert third.features is not None
    assert torch.equal(first.features, third.features)
    centred = made.prepared(Visit(6))
    assert centred.features is not None
    made.use(2)
    shown = made.prepared(Visit(6))
    assert torch.equal(shown.boxes, centred.boxes)
    assert shown.frames is not None
    with torch.no_grad():
        from interplay.video.transforms import normalised

        expected = model.backbone_features(normalised(shown.frames[None]))[0]
    torch.testing.assert_close(centred.features, expected, rtol=2e-3, atol=2e-3)  # kept in float16
    with torch.no_grad():
        next(iter(model.backbone.parameters())).add_(0.1)
    KeptFeatures.prepare(model.backbone, model.backbone_features, made, 2, str(tmp_path))
    assert len(list(tmp_path.glob("*/index.json"))) == 2  # another backbone, another folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 3}, "input.frames"),
        ({"scales": (1.5,)}, "input.scales"),
        ({"keep_frames": 2}, "input.keep_frames"),
        ({"batch_size": 0}, "input.batch_size"),
        ({"flip": 2.0}, "input.flip"),
    ],
)
def test_settings_out_of_range_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InterplayError, match=message):
        VideoInput(**{**SETTINGS, **changes})


@pytest.mark.parametrize(
    ("version", "six"), [("v1", {2, 4, 30, 41, 52, 66}), ("v2", {86, 87, 93, 94, 166, 167})], ids=["v1", "v2"]
)
def test_of_something_something_exactly_the_six_direction_classes_are_never_mirrored(
    shared: Path, tmp_path: Path, version: str, six: set[int]
) -> None:
    """A clip of each of the 174 classes of the real label files, bright on the left, drawn with flip 1."""
    (labels,) = (shared / "data" / "something" / version).glob("*labels.*")
    frames = tmp_path / "one"
    frames.mkdir()
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:, :3] = 200
    for number in (1, 2):
        Image.fromarray(picture).save(frames / f"{number:05d}.png")
    (tmp_path / "frames").mkdir()
    for label in range(174):
        (tmp_path / "frames" / str(label)).symlink_to(frames)
    (tmp_path / "train.txt").write_text("".join(f"{label} 2 {label}\n" for label in range(174)))
    dataset = open_videos(f"something_{version}", tmp_path, labels=labels)
    assert len(dataset.classes) == 174
    made = VideoData(dataset, VideoInput(**{**SETTINGS, "height": 8, "width": 8, "flip": 1.0}), 1)
    kept = set()
    for row in range(174):
        clip = made.drawn(row, torch.Generator().manual_seed(row))
        assert clip.frames is not None
        halves = clip.frames.float().mean(dim=(0, 1, 3)).view(2, 4).mean(1)
        if halves[0] > halves[1]:
            kept.add(clip.label)
    assert kept == six
