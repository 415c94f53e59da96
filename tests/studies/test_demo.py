"""The demo on few episodes: a page with pictures, and the shipped model well above chance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tests.data.video_clips import encode, moving

from interplay.data.playground.scenes import PlaygroundScenes
from interplay.data.playground.videos import PlaygroundVideos
from interplay.evaluation.scene_graph import scene_evaluator
from interplay.loading import load
from interplay.scene.recogniser import SceneRecogniser
from interplay.scene.task import predicted, truth
from interplay.studies.demo import ask, run_demo, summary
from interplay.training.shipped import shipped_models
from interplay.video.recogniser import VideoRecogniser


def test_the_page(tmp_path: Path) -> None:
    lines: list[str] = []
    page = run_demo(tmp_path, each=1, scenes=6, say=lines.append)
    text = page.read_text()
    assert text.count("data:image/gif") >= 6
    assert text.count("data:image/png") >= 3
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "not real data" in text
    assert {path.suffix for path in (tmp_path / "pictures").iterdir()} == {".gif", ".png", ".svg"}
    assert any("right" in line for line in lines)
    assert any(line.startswith("sil-motifs-playground: 6 unseen pictures, R@20") for line in lines)
    assert text.count("Unseen picture") == 4
    assert any(line.startswith("agos-playground: ") and "of 38 unseen clips right" in line for line in lines)


def test_the_shipped_model_of_pictures_finds_triplets_from_pixels_alone() -> None:
    recogniser = load("sil-motifs-playground")
    assert isinstance(recogniser, SceneRecogniser)
    dataset = PlaygroundScenes(train=0, validation=0, test=16, seed=7)
    evaluator = scene_evaluator("vg", len(recogniser.vocabulary.predicates), "sggen", (20, 50))
    for row in range(16):
        image = dataset.read(row)
        evaluator.update(truth(image), predicted(recogniser.ranked(image)), row)
    metrics = evaluator.result().metrics
    assert metrics["R@20"] >= 0.33
    assert metrics["R@50"] >= 0.5


def test_the_shipped_model_of_pictures_says_that_it_never_saw_a_photograph() -> None:
    answer = load("sil-motifs-playground").predict(np.zeros((60, 80, 3), np.uint8))
    assert any("simulated pictures only" in note and "sil/vg" in note for note in answer.notes)
    config = json.loads((shipped_models()["sil-motifs-playground"] / "config.json").read_text(encoding="utf-8"))
    assert config["detector"]["weights"] is None
    assert config["model"]["weights"] is None


def test_the_shipped_model_of_videos_knows_unseen_clips(tmp_path: Path) -> None:
    recogniser = load("agos-playground")
    assert isinstance(recogniser, VideoRecogniser)
    dataset = PlaygroundVideos(train_clips=0, validation_clips=0, test_clips=1, classes=recogniser.classes, seed=5)
    rows = dataset.parts()["test"][::3]
    answered = [recogniser.predict(dataset.read(int(row))) for row in rows]
    true = [recogniser.classes[dataset.labels[row]] for row in rows]
    right = [found.interactions[0].label == label for found, label in zip(answered, true, strict=True)]
    assert sum(right) >= 0.75 * len(right)
    folder = shipped_models()["agos-playground"]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10e6
    assert not any("means nothing" in note for note in answered[0].notes)
    stranger = recogniser.predict(encode(tmp_path / "other.mp4", moving(20)))
    assert any("means nothing" in note for note in stranger.notes)


def test_the_shipped_model_knows_unseen_episodes() -> None:
    recogniser = load("megcn-playground")
    answered = ask(recogniser, {label: label for label in recogniser.classes}, 2)
    assert sum(item.right for item in answered) >= 0.7 * len(answered), summary(answered)
