"""Scoring models on data: labels by name, bad clips named, fusion by sample, every switch in the protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from interplay.data.clips import SkeletonClip
from interplay.data.errors import DataError
from interplay.errors import InterplayError
from interplay.evaluation.scores import Scores, softmax
from interplay.graph.layouts import SkeletonLayout, load_layout
from interplay.skeleton.recogniser import SkeletonRecogniser
from interplay.studies.evaluation import evaluate_files, evaluate_models, match_labels, part_indices


class Clips:
    """Ten clips of three classes in memory; clip 4 cannot be read."""

    name = "clips"
    frames_per_second: float | None = 30.0
    entity_names: tuple[str, ...] = ("person", "person")

    def __init__(self, classes: Sequence[str] = ("push", "kick", "hug"), layout: str = "sbu15") -> None:
        self.classes = tuple(classes)
        self.layout: SkeletonLayout = load_layout(layout)

    def __len__(self) -> int:
        return 10

    @property
    def ids(self) -> Sequence[str]:
        return [f"clip {index}" for index in range(10)]

    def read(self, index: int) -> SkeletonClip:
        if index == 4:
            raise DataError("clips.npy", "clip 4", "nothing", "a clip")
        joints = np.random.default_rng(index).normal(size=(6 + index, 2, self.layout.joint_count, 3))
        label = None if index == 5 else index % 3
        return SkeletonClip(f"clip {index}", joints.astype(np.float32), self.layout.name, 30.0, label)

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        return {"train": np.arange(5), "test": np.arange(5, 10)}

    def fingerprint(self) -> str:
        return "clips"


def recogniser(
    seed: int = 0, classes: Sequence[str] = ("push", "kick", "hug"), **options: object
) -> SkeletonRecogniser:
    torch.manual_seed(seed)
    return SkeletonRecogniser(
        networks=[{"streams": ["joint"], "model": {"channels": [8, 8, 8], "depth": [1, 0, 0]}}],
        classes=list(classes),
        layout=load_layout("sbu15").to_dict(),
        input={"window": 8},
        name=f"model {seed}",
        **options,  # type: ignore[arg-type]
    ).eval()


def test_every_clip_is_scored_once_and_the_bad_one_is_named() -> None:
    model = recogniser()
    steps: list[tuple[int, int]] = []
    found = evaluate_models(
        [model], Clips(), {"root": "/secret", "fold": 2}, "all", batch_size=4, progress=lambda *s: steps.append(s)
    )
    assert found.scores.ids == tuple(f"clip {index}" for index in range(10) if index != 4)
    assert found.scores.labels.tolist() == [0, 1, 2, 0, -1, 0, 1, 2, 0]
    assert found.metrics["top1"].count == 8
    alone = model.scores([Clips().read(7)])
    np.testing.assert_allclose(found.scores.logits[found.scores.ids.index("clip 7")], alone[0], atol=1e-4)
    assert found.skipped == ("clips.npy: clip 4: found nothing, expected a clip",)
    assert steps[-1] == (10, 10)
    written = found.to_dict()
    assert written["protocol"]["data"] == {"name": "clips", "fold": 2}, "not where the data lie on this machine"
    assert written["protocol"]["part"] == "all"
    assert written["count"] == 9
    with pytest.raises(DataError, match="clip 4"):
        evaluate_models([model], Clips(), {}, "all", strict=True)


def test_labels_are_matched_by_name() -> None:
    found = evaluate_models([recogniser(classes=("hug", "push", "wave"))], Clips(), {}, "test")
    assert found.scores.labels.tolist() == [-1, 1, -1, 0, 1]
    assert any("kick" in note for note in found.notes)
    indices, strange = match_labels(("a", "b"), ("b", "c"))
    assert (indices.tolist(), strange) == ([-1, 0], ["a"])
    with pytest.raises(InterplayError, match="no class in common"):
        match_labels(("a",), ("b",))


def test_models_are_fused_by_sample() -> None:
    models = [recogniser(0), recogniser(1)]
    single = [evaluate_models([model], Clips(), {}, "test").scores for model in models]
    both = evaluate_models(models, Clips(), {}, "test", weights=[1.0, 2.0])
    np.testing.assert_allclose(both.scores.logits, single[0].logits + 2 * single[1].logits, rtol=1e-4, atol=1e-4)
    assert both.protocol["fusion"] == {"of": "logits", "weights": [1.0, 2.0]}
    assert both.model == "model 0 + model 1"
    mean = evaluate_models(models, Clips(), {}, "test", fuse_of="probabilities").scores
    expected = (softmax(single[0].logits) + softmax(single[1].logits)) / 2
    np.testing.assert_allclose(mean.probabilities, expected, atol=1e-4)
    with pytest.raises(InterplayError, match="other classes"):
        evaluate_models([models[0], recogniser(classes=("a", "b", "c"))], Clips(), {}, "test")


def test_another_layout_is_mapped_and_said() -> None:
    found = evaluate_models([recogniser()], Clips(layout="ntu25"), {}, "test")
    assert found.protocol["joints_mapped"] is True
    assert "joints mapped from ntu25 to sbu15" in found.notes


def test_what_the_threshold_does_is_measured() -> None:
    strict = evaluate_models([recogniser(unknown_threshold=1.0)], Clips(), {}, "test").metrics
    assert strict["kept_as_known"].value == 0.0
    assert strict["rejected_unlabelled"].value == 1.0
    lenient = evaluate_models([recogniser(unknown_threshold=0.0)], Clips(), {}, "test").metrics
    assert lenient["kept_as_known"].value == 1.0


def test_parts_have_names() -> None:
    assert part_indices(Clips(), "all").tolist() == list(range(10))
    with pytest.raises(InterplayError, match="no part 'tst', expected one of train, test, all"):
        part_indices(Clips(), "tst")


def test_files_are_parts_of_a_protocol_or_models(tmp_path: Path) -> None:

    folder = tmp_path
    logits = np.eye(2, dtype=np.float32)
    one = Scores(("a", "b"), logits, np.array([0, 1]), ("x", "y"))
    one.save(folder / "1.npz")
    replace(one, ids=("c", "d"), labels=np.array([1, 1])).save(folder / "2.npz")
    folds = evaluate_files([folder / "1.npz", folder / "2.npz"])
    assert folds.metrics["top1"].value == pytest.approx(3 / 4)
    assert folds.over_folds["top1"].values == (1.0, 0.5)
    fused = evaluate_files([folder / "1.npz", folder / "1.npz"], fused=True, weights=[1, 3])
    np.testing.assert_allclose(fused.scores.logits, 4 * logits)
    with pytest.raises(InterplayError, match="--fuse"):
        evaluate_files([folder / "1.npz", folder / "1.npz"])
    replace(one, labels=np.array([-1, -1])).save(folder / "closed.npz")
    closed = evaluate_files([folder / "closed.npz"])
    assert closed.metrics == {}
    assert any("nothing to measure" in note for note in closed.notes)
