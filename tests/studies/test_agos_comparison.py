"""Rows against rows: whole sources are drawn where clips share them; folds of video scores as one protocol."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tests.video.made_up import MadeUp
from tests.video.test_task import network

from interplay.cli import main
from interplay.evaluation.scores import Scores
from interplay.studies.agos_comparison import clip_interval, gain, pair_gain, scores_in
from interplay.studies.video_evaluation import evaluate_video_models
from interplay.video.datamodule import VideoData, VideoInput
from interplay.video.outcome import scored
from interplay.video.recogniser import VideoRecogniser
from interplay.video.run import videos_of


def scores(seed: int, share: float, sources: int = 20, each: int = 5) -> Scores:
    """Clips of a source are all right or all wrong."""
    draws = np.random.default_rng(seed)
    labels = np.repeat(np.arange(sources) % 2, each)
    right = np.repeat(draws.random(sources) < share, each)
    logits = np.eye(2, dtype=np.float32)[np.where(right, labels, 1 - labels)]
    names = tuple(f"{number // each}-{number % each}" for number in range(sources * each))
    return Scores(names, logits, labels, ("fight", "no_fight"), sources=tuple(name.split("-")[0] for name in names))


def test_whole_sources_are_drawn() -> None:
    """Where the clips of a source are alike, the interval is that of one clip of each source."""
    ours, theirs = scores(1, 0.9), scores(2, 0.6)
    found = gain([ours], [theirs], 500)
    assert (found.clips, found.drawn) == (100, 20)
    order = sorted(range(100), key=lambda row: ours.ids[row])
    firsts = [next(row for row in order if ours.sources[row] == name) for name in sorted(set(ours.sources or ()))]
    single = gain([ours.select(firsts)], [theirs.select(firsts)], 500)
    assert (single.clips, single.drawn) == (20, 20)
    assert (found.value, found.low, found.high) == pytest.approx((single.value, single.low, single.high))
    clips = gain([replace(ours, sources=None)], [theirs], 500)
    assert (clips.clips, clips.drawn) == (100, 100)
    assert found.high - found.low > 1.5 * (clips.high - clips.low)
    assert clip_interval([ours], 500)[0] < clip_interval([replace(ours, sources=None)], 500)[0]
    assert pair_gain([ours], [theirs], ("fight", "no_fight"), 50).drawn == 20


def test_sources_are_looked_up_for_runs_that_did_not_keep_them(tmp_path: Path) -> None:
    data = {"name": "playground_videos", "test_clips": 2, "train_clips": 0, "validation_clips": 0}
    data |= {"classes": ["Opening something", "Closing something"]}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"data": data}))
    dataset = videos_of(data)
    bare = Scores(tuple(dataset.ids), np.zeros((4, 2), np.float32), np.asarray(dataset.labels), dataset.classes)
    bare.save(tmp_path / "scores-test.npz")
    found = scores_in(tmp_path)
    assert found.sources == tuple(dataset.groups or ())
    assert len(set(found.sources)) == 2
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"data": {"name": "fights", "root": str(tmp_path / "gone")}}))
    assert scores_in(tmp_path).sources is None


def test_five_folds_are_one_protocol(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``interplay evaluate --predictions runs/fights-*/scores-test.npz``"""
    whole = scores(3, 0.7)
    files, shares = [], []
    for fold in range(5):
        mine = whole.select(np.array([int(name) % 5 == fold for name in whole.sources or ()]))
        files.append(str(mine.save(tmp_path / f"fights-{fold}" / "scores-test.npz")))
        shares.append(float((mine.predictions == mine.labels).mean()))
    assert main(["evaluate", "--predictions", *files, "--out", str(tmp_path / "out")]) == 0
    assert "20 sources of 100 clips" in capsys.readouterr().out
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    top1 = result["metrics"]["top1"]
    right = float((whole.predictions == whole.labels).mean())
    assert (top1["value"], top1["count"]) == (pytest.approx(right), 100)
    assert result["protocol"]["intervals"]["drawn"] == "20 sources"
    assert result["over_folds"]["top1"]["values"] == pytest.approx(shares)
    low, high = clip_interval([whole], 1000)
    assert (top1["low"], top1["high"]) == pytest.approx((low, high), abs=0.06)
    assert Scores.load(tmp_path / "out" / "scores.npz").sources is not None


def test_videos_keep_their_sources_from_training_to_evaluation() -> None:
    dataset = MadeUp(train=1, validation=0, test=6)
    dataset.groups = tuple(f"film {row // 2}" for row in range(len(dataset)))
    settings = VideoInput(frames=4, height=24, width=24, boxes=3, batch_size=4, test_count=1)
    data = VideoData(dataset, settings, 5)
    model = network(graph="roi_pooling").eval()
    expected = ("film 0", "film 1", "film 1", "film 2", "film 2", "film 3")
    assert scored(model, data, "test", torch.device("cpu"))[0].sources == expected
    found = evaluate_video_models([VideoRecogniser.of(model, data, {"name": "made_up"}, "", "mine")], dataset, {})
    assert found.scores.sources == expected
    assert found.protocol["intervals"]["drawn"] == "4 sources"
    assert any("4 sources of 6 clips" in note for note in found.notes)
