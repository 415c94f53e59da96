from __future__ import annotations

import time

import numpy as np
import pytest

from interplay.data.datasets import SkeletonDataset, open_dataset
from interplay.data.playground import CLASSES, HAND_CLASSES, NEUTRAL, Playground, PlaygroundHands

SMALL = {"train_episodes": 4, "validation_episodes": 2, "test_episodes": 2}


@pytest.mark.parametrize(("name", "classes", "joints"), [("playground", CLASSES, 25), ("hands", HAND_CLASSES, 21)])
def test_contract(name: str, classes: tuple[str, ...], joints: int) -> None:
    dataset = open_dataset(name, **SMALL)
    assert isinstance(dataset, SkeletonDataset)
    assert dataset.name == name
    assert dataset.classes == classes
    assert len(dataset.entity_names) == 2
    assert len(dataset) == len(dataset.ids) == len(set(dataset.ids)) == 8 * len(classes)
    parts = dataset.parts()
    assert list(parts) == ["train", "validation", "test"]
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(dataset)))
    seeds: dict[str, set[object]] = {}
    for part, indices in parts.items():
        labels = []
        for index in indices:
            clip = dataset.read(int(index))
            assert clip.joints.shape[1:] == (2, joints, 3)
            assert clip.id == dataset.ids[index]
            assert clip.layout == dataset.layout.name
            assert clip.frames_per_second == dataset.frames_per_second
            assert clip.meta["part"] == part
            assert np.isfinite(clip.joints).all()
            seeds.setdefault(part, set()).add(clip.meta["seed"])
            labels.append(clip.label)
        assert np.bincount(np.array(labels), minlength=len(classes)).tolist() == [SMALL[f"{part}_episodes"]] * len(
            classes
        )
    assert not seeds["train"] & seeds["test"]
    assert not seeds["validation"] & (seeds["train"] | seeds["test"])


def test_unknown_part_has_no_labels() -> None:
    dataset = Playground(**SMALL, unknown_episodes=3)
    unknown = dataset.parts()["unknown"]
    assert len(unknown) == 3 * len(NEUTRAL)
    assert {dataset.read(int(i)).label for i in unknown} == {None}
    hands = PlaygroundHands(**SMALL, unknown_episodes=3)
    assert len(hands.parts()["unknown"]) == 3


def test_classes_can_be_chosen() -> None:
    dataset = Playground(**SMALL, classes=["push", "hug"])
    assert dataset.classes == ("push", "hug")
    other = Playground(**SMALL)
    index = other.ids.index(dataset.ids[0])
    np.testing.assert_array_equal(dataset.read(0).joints, other.read(index).joints)
    with pytest.raises(ValueError, match="did you mean 'high-five'"):
        Playground(classes=["high five"])
    with pytest.raises(ValueError, match="different"):
        Playground(classes=["hug", "hug"])
    with pytest.raises(ValueError, match="did you mean 'clap'"):
        PlaygroundHands(classes=["claps"])


@pytest.mark.parametrize(
    "setting", [{"noise": -1.0}, {"dropout": 1.5}, {"frames": 3}, {"seed": -1}, {"train_episodes": -1}]
)
def test_bad_settings(setting: dict[str, float]) -> None:
    for kind in (Playground, PlaygroundHands):
        with pytest.raises(ValueError, match=next(iter(setting)).split("_")[0]):
            kind(**setting)  # type: ignore[arg-type]


def test_fingerprint_follows_the_settings() -> None:
    base = Playground(**SMALL)
    assert base.fingerprint() == Playground(**SMALL).fingerprint()
    changed = [
        Playground(**SMALL, seed=1),
        Playground(**SMALL, noise=0.02),
        Playground(**SMALL, dropout=0.02),
        Playground(**SMALL, frames=90),
        Playground(**SMALL, classes=["hug"]),
        Playground(**{**SMALL, "test_episodes": 4}),
        PlaygroundHands(**SMALL),
    ]
    assert len({dataset.fingerprint() for dataset in [base, *changed]}) == len(changed) + 1


def test_another_seed_gives_other_clips() -> None:
    first, second = Playground(**SMALL), Playground(**SMALL, seed=1)
    assert not set(first.ids) & set(second.ids)
    assert first.read(0).joints[0, 0, 0, 0] != second.read(0).joints[0, 0, 0, 0]


def test_drawing_is_fast() -> None:
    """Several hundred clips a second on a core; here only that nobody makes it slow by an order."""
    dataset = Playground(**SMALL)
    dataset.read(0)
    start = time.process_time()
    for index in range(60):
        dataset.read(index)
    assert 60 / (time.process_time() - start) > 60
