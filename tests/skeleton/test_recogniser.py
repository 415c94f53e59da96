"""A model folder: saved, loaded, asked; clips alone and in a batch; one network and several."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import interplay
from interplay import NONE_OF_THE_KNOWN
from interplay.errors import InterplayError
from interplay.graph.layouts import load_layout
from interplay.skeleton.augmentation import mirrored
from interplay.skeleton.recogniser import SkeletonRecogniser


def test_save_and_load_answer_alike(recogniser, make_clip, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    clips = [make_clip(20 + 3 * seed, seed=seed) for seed in range(5)]
    recogniser.save_pretrained(tmp_path / "model")
    loaded = interplay.load(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    assert loaded.classes == recogniser.classes
    assert not loaded.training
    # Weights are kept in half precision: relative error 2⁻¹¹ each.
    np.testing.assert_allclose(loaded.scores(clips), recogniser.scores(clips), rtol=0.02, atol=0.02)
    loaded.save_pretrained(tmp_path / "again")
    np.testing.assert_array_equal(interplay.load(tmp_path / "again").scores(clips), loaded.scores(clips))


def test_small_gains_survive_half_precision(recogniser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with torch.no_grad():
        for name, tensor in recogniser.state_dict().items():
            if name.endswith("bn.weight"):
                tensor.fill_(1e-9)  # below half precision's smallest number
    recogniser.save_pretrained(tmp_path / "model")
    for name, tensor in interplay.load(tmp_path / "model").state_dict().items():
        if name.endswith("bn.weight"):
            assert (tensor == 1e-9).all()


def test_a_clip_alone_is_a_clip_in_a_batch(recogniser, make_clip) -> None:  # type: ignore[no-untyped-def]
    clips = [make_clip(frames, seed=frames) for frames in (9, 31, 16, 44)]
    together = recogniser.scores(clips)
    for index, clip in enumerate(clips):
        np.testing.assert_allclose(recogniser.scores([clip])[0], together[index], rtol=1e-4, atol=1e-4)


def test_several_networks_average_their_probabilities(make_clip, make_recogniser) -> None:  # type: ignore[no-untyped-def]
    several = make_recogniser((("joint",), ("bone", "motion")))
    clip = make_clip()
    parts = [
        network(several.inputs([clip], streams)).softmax(-1)
        for network, streams in zip(several.networks, several.streams, strict=True)
    ]
    np.testing.assert_allclose(
        several.probabilities([clip])[0], torch.stack(parts).mean(0)[0].detach().numpy(), rtol=1e-5, atol=1e-6
    )


def test_prediction_of_a_clip(recogniser, make_clip) -> None:  # type: ignore[no-untyped-def]
    prediction = recogniser.predict(make_clip(30), top=2)
    (found,) = prediction.interactions
    assert found.label in recogniser.classes
    assert (found.start, found.end) == (0.0, 2.0)
    assert len(found.alternatives) == 1
    assert found.score >= found.alternatives[0][1]
    assert interplay.Prediction.from_json(prediction.to_json()) == prediction


def test_below_the_threshold_it_is_none_of_the_known(make_clip, make_recogniser) -> None:  # type: ignore[no-untyped-def]
    wary = make_recogniser(unknown_threshold=1.0)
    (found,) = wary.predict(make_clip(30), top=3).interactions
    assert found.label == NONE_OF_THE_KNOWN
    assert found.score == pytest.approx(1.0 - found.alternatives[0][1])
    assert [label for label, _ in found.alternatives] != []


def test_a_long_recording_is_answered_in_intervals(recogniser, make_clip) -> None:  # type: ignore[no-untyped-def]
    prediction = recogniser.predict(make_clip(300))
    times = [(item.start, item.end) for item in prediction.interactions]
    assert times[0][0] == 0.0
    assert times[-1][1] == pytest.approx(20.0)
    assert all(a[1] == b[0] for a, b in pairwise(times))
    assert any("windows" in note for note in prediction.notes)


def test_unknown_frame_rate_gives_no_times(recogniser, make_clip) -> None:  # type: ignore[no-untyped-def]
    prediction = recogniser.predict(make_clip(300, rate=None))
    (found,) = prediction.interactions
    assert found.start is None
    assert found.end is None
    assert any("frame rate" in note for note in prediction.notes)


def test_one_person_and_three_people(recogniser, make_clip) -> None:  # type: ignore[no-untyped-def]
    alone = recogniser.predict(make_clip(30, entities=1))
    assert any("one person only" in note for note in alone.notes)
    two = make_clip(30)
    still = np.repeat(two.joints[:1, :1], 30, axis=0) + 3.0
    three = replace(two, joints=np.concatenate([two.joints, still], axis=1))
    prediction = recogniser.predict(three)
    assert any("kept 0 and 1" in note for note in prediction.notes)
    assert prediction.interactions == recogniser.predict(two).interactions


def test_an_empty_stretch_is_none_of_the_known(recogniser, make_clip) -> None:  # type: ignore[no-untyped-def]
    clip = make_clip(300)
    joints = clip.joints.copy()
    joints[100:200] = 0
    found = recogniser.predict(replace(clip, joints=joints)).interactions
    middle = [item for item in found if item.start < 10.0 < item.end]
    assert [item.label for item in middle] == [NONE_OF_THE_KNOWN]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_named(recogniser, make_clip, value: float) -> None:  # type: ignore[no-untyped-def]
    clip = make_clip(30)
    clip.joints[7, 0, 0, 0] = value
    with pytest.raises(InterplayError, match="frame 7"):
        recogniser.predict(clip)


def test_no_body_at_all(recogniser, make_clip) -> None:  # type: ignore[no-untyped-def]
    clip = make_clip(30)
    with pytest.raises(InterplayError, match="no frame with a body"):
        recogniser.predict(replace(clip, joints=np.zeros_like(clip.joints)))


def test_the_playground_says_so(make_clip, make_recogniser) -> None:  # type: ignore[no-untyped-def]
    simulated = make_recogniser(domain="playground")
    assert any("simulated playground only" in note for note in simulated.predict(make_clip()).notes)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", "not JSON"),
        ("config.json", b"[]", "expected an object"),
        ("config.json", b"{}", "not the config of a model"),
        ("config.json", json.dumps({"format": 99}).encode(), "not the config of a model"),
        ("model.safetensors", b"garbage", "not a safetensors file"),
        ("config.json", None, "found no config.json"),
        ("model.safetensors", None, "found no model.safetensors"),
    ],
)
def test_a_damaged_folder_is_one_clear_line(  # type: ignore[no-untyped-def]
    recogniser, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    folder = tmp_path / "model"
    recogniser.save_pretrained(folder)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(InterplayError, match=message):
        interplay.load(folder)


def test_weights_of_another_model_are_refused(recogniser, tmp_path: Path, make_recogniser) -> None:  # type: ignore[no-untyped-def]
    recogniser.save_pretrained(tmp_path / "a")
    make_recogniser((("joint", "bone"),)).save_pretrained(tmp_path / "b")
    (tmp_path / "b" / "model.safetensors").replace(tmp_path / "a" / "model.safetensors")
    with pytest.raises(InterplayError, match="does not fit its config"):
        interplay.load(tmp_path / "a")


def test_unknown_models_name_the_nearest() -> None:
    with pytest.raises(InterplayError, match="did you mean 'megcn-sbu'"):
        interplay.load("megcn-sb")


def test_views_make_the_answer_symmetric(make_clip) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    looking = SkeletonRecogniser(
        networks=[{"streams": ["joint"], "model": {"channels": [16, 32, 64], "depth": [1, 1, 1]}}],
        classes=["hug", "push"],
        layout=load_layout("sbu15").to_dict(),
        input={"window": 16, "views": ["entity_swap", "mirror"]},
    ).eval()
    clip = make_clip()
    exchanged = replace(clip, joints=np.ascontiguousarray(clip.joints[:, ::-1]))
    seen = replace(clip, joints=mirrored(torch.from_numpy(clip.joints)[None], looking.layout)[0].numpy())
    answer = looking.probabilities([clip])
    np.testing.assert_allclose(looking.probabilities([exchanged]), answer, atol=1e-5)
    np.testing.assert_allclose(looking.probabilities([seen]), answer, atol=1e-5)
    np.testing.assert_allclose(answer.sum(), 1.0, atol=1e-5)


def test_crops_are_the_mean_over_the_clip_and_its_first_middle_and_last_nine_tenths(make_clip) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)

    def looking(*views: str) -> SkeletonRecogniser:
        torch.manual_seed(0)
        return SkeletonRecogniser(
            networks=[{"streams": ["joint"], "model": {"channels": [16, 32, 64], "depth": [1, 1, 1]}}],
            classes=["hug", "push"],
            layout=load_layout("sbu15").to_dict(),
            input={"window": 16, "views": list(views)},
        ).eval()

    clips = [make_clip(frames=31), make_clip(frames=7), make_clip(frames=40)]
    plain = looking()
    expected = []
    for clip in clips:
        frames = len(clip.joints)
        kept = min(max(8, round(0.9 * frames)), frames)
        looks = [clip]
        for start in (0, (frames - kept) // 2, frames - kept):
            looks.append(replace(clip, joints=clip.joints[start : start + kept]))
        expected.append(np.mean([plain.probabilities([look])[0] for look in looks], axis=0))
    np.testing.assert_allclose(looking("crops").probabilities(clips), expected, atol=1e-5)
    assert looking("crops", "mirror").settings.looks == 8


def test_changed_weights_change_the_next_answer(recogniser, make_clip) -> None:  # type: ignore[no-untyped-def]
    clips = [make_clip(frames=20)]
    before = recogniser.scores(clips)
    recogniser.eval()
    with torch.no_grad():
        np.testing.assert_allclose(before, recogniser(clips).numpy(), rtol=1e-4, atol=1e-5)  # the plain form
        recogniser.networks[0].classifier.bias.add_(1.0)
    np.testing.assert_allclose(recogniser.scores(clips), before + 1.0, rtol=1e-4, atol=1e-5)
