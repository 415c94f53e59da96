"""A model evaluated again is tested as its own run tested it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.video.made_up import MadeUp
from tests.video.test_task import network

from interplay.studies.video_evaluation import evaluate_video_models
from interplay.video.datamodule import VideoData, VideoInput
from interplay.video.kept_frames import KeptFrames
from interplay.video.outcome import scored
from interplay.video.recogniser import VideoRecogniser

SETTINGS: dict[str, Any] = {"frames": 4, "height": 24, "width": 24, "boxes": 3, "batch_size": 4, "test_count": 3}


@pytest.mark.parametrize(
    "changes",
    [{}, {"test_clips": "offsets"}, {"proposals": "grid"}, {"keep_frames": 7, "keep_short": 30}],
    ids=str,
)
def test_the_runs_own_protocol_is_repeated(changes: dict[str, Any], tmp_path: Path) -> None:
    dataset, settings = MadeUp(length=30), VideoInput(**SETTINGS, **changes)
    kept = None
    if settings.keep_frames:
        kept = KeptFrames.prepare(
            dataset,
            range(len(dataset)),
            short=settings.kept_short,
            frames=settings.keep_frames,
            boxes=3,
            folder=str(tmp_path),
        )
    data = VideoData(dataset, settings, 5, kept=kept)
    model = network(graph="roi_pooling").eval()
    expected, _ = scored(model, data, "test", torch.device("cpu"))
    made = VideoRecogniser.of(model, data, {"name": "made_up"}, "", "mine")
    copy = VideoRecogniser(**made.config())  # what a model folder holds besides weights in half precision
    copy.load_state_dict(made.state_dict())
    again = evaluate_video_models([copy], dataset, {})
    assert again.scores.ids == expected.ids
    np.testing.assert_allclose(again.scores.logits, expected.logits, rtol=1e-4, atol=1e-5)
    (told,) = again.protocol["models"]
    assert told["test_seed"] == 5
    assert told["test_clips"] == settings.test_clips
    assert told["proposals"] == settings.proposals
    assert told["kept_frames"] == settings.keep_frames
    assert again.protocol["proposals"] == ["grid" if settings.proposals == "grid" else "rendered"]
    copy.test_seed, copy.test_clips = 6, "draws"
    other = evaluate_video_models([copy], dataset, {})
    assert not np.allclose(other.scores.logits, expected.logits, rtol=1e-3, atol=1e-3)
