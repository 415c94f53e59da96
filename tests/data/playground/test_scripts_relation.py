"""The claim of the two relation-only pairs: no single person tells the classes apart, two together do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from interplay.data.clips import SkeletonClip
from interplay.data.playground import RELATION_PAIRS, Playground, simulate, skeleton_view
from interplay.graph.layouts import load_layout
from interplay.skeleton.inputs import InputSettings, pad_clips
from interplay.skeleton.transforms import network_input

WINDOW = 16


def clip(label: str, seed: int) -> SkeletonClip:
    return skeleton_view(simulate(label, seed))


def preprocessed(
    clips: list[SkeletonClip], window: int = WINDOW, draws: torch.Tensor | None = None
) -> NDArray[np.float64]:
    """What the network is given, (N, person, window, joint, xyz): centred on person 0, cropped, resized."""
    settings = InputSettings(window=window)
    batch, lengths = pad_clips(clips, settings)
    value = network_input(batch, lengths, settings, ["joint"], load_layout("ntu25"), draws)
    return value.permute(0, 4, 2, 3, 1).double().numpy()


@pytest.mark.parametrize("pair", RELATION_PAIRS)
def test_four_twins_hold_each_person_once_in_either_class(pair: tuple[str, str]) -> None:
    for base in range(12):
        (a0, a1), (b0, b1) = ([clip(label, 2 * base + flip).joints for flip in (0, 1)] for label in pair)
        # person 0 keeps its clip when the class changes, person 1 finds its own under the other seed
        np.testing.assert_array_equal(a0[:, 0], b0[:, 0])
        np.testing.assert_array_equal(a1[:, 0], b1[:, 0])
        np.testing.assert_array_equal(a0[:, 1], b1[:, 1])
        np.testing.assert_array_equal(a1[:, 1], b0[:, 1])
        # and all four are different pairs
        assert np.abs(a0[:, 0] - a1[:, 0]).max() > 0.2
        assert np.abs(a0[:, 1] - b0[:, 1]).max() > 0.2


@pytest.mark.parametrize("pair", RELATION_PAIRS)
def test_the_spine_does_not_know_side_or_phase(pair: tuple[str, str]) -> None:
    for base in range(5):
        spines = [simulate(label, 2 * base + flip).joints[:, :, [0, 1, 20, 2, 3]] for label in pair for flip in (0, 1)]
        for spine in spines[1:]:
            np.testing.assert_array_equal(spine, spines[0])


@pytest.mark.parametrize("pair", RELATION_PAIRS)
def test_twins_stay_twins_through_preprocessing(pair: tuple[str, str]) -> None:
    draws = torch.rand(1, 5, generator=torch.Generator().manual_seed(0))
    for chosen in (None, draws):
        for base in range(4):
            (a0, a1), (b0, b1) = (
                [preprocessed([clip(label, 2 * base + flip)], 64, chosen)[0] for flip in (0, 1)] for label in pair
            )
            np.testing.assert_array_equal(a0[0], b0[0])
            np.testing.assert_array_equal(a1[0], b1[0])
            np.testing.assert_array_equal(a0[1], b1[1])
            np.testing.assert_array_equal(a1[1], b0[1])


@pytest.fixture(scope="module", params=RELATION_PAIRS, ids=lambda pair: pair[0])
def independent(request: pytest.FixtureRequest) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Preprocessed episodes of both classes of a pair, every one from a seed group of its own."""
    count = 260
    seeds = np.random.default_rng(5).permutation(4 * count)[: 2 * count] * 2
    flips = np.random.default_rng(6).integers(0, 2, 2 * count)
    labels = np.repeat([0, 1], count)
    clips = [
        clip(request.param[label], int(seed + flip)) for label, seed, flip in zip(labels, seeds, flips, strict=True)
    ]
    order = np.random.default_rng(7).permutation(2 * count)
    return preprocessed(clips)[order], labels[order]


CLASSIFIERS = {
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000)),
    "forest": lambda: RandomForestClassifier(100, min_samples_leaf=3, random_state=0),
    "neighbours": lambda: make_pipeline(StandardScaler(), KNeighborsClassifier(7)),
}


@pytest.mark.parametrize("person", [0, 1])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_one_person_is_at_chance(
    independent: tuple[NDArray[np.float64], NDArray[np.int64]], person: int, name: str
) -> None:
    """A classifier two-sample test: on 200 unseen episodes, within the 99.7 % binomial interval of 1/2."""
    inputs, labels = independent
    features = inputs[:, person].reshape(len(inputs), -1)
    model = CLASSIFIERS[name]().fit(features[:-200], labels[:-200])
    accuracy = (model.predict(features[-200:]) == labels[-200:]).mean()
    assert abs(accuracy - 0.5) <= 3.0 * np.sqrt(0.25 / 200), accuracy


def test_the_same_classifier_sees_what_is_there() -> None:
    """The control: one person's features do tell which arm is up, so that chance above is not blindness."""
    clips = [clip("same side", seed) for seed in range(200)]
    inputs = preprocessed(clips)
    side = (inputs[:, 0, :, 7, 1].mean(1) > inputs[:, 0, :, 11, 1].mean(1)).astype(int)
    assert 60 < side.sum() < 140
    features = inputs[:, 0].reshape(len(inputs), -1)
    model = CLASSIFIERS["logistic"]().fit(features[:120], side[:120])
    assert (model.predict(features[120:]) == side[120:]).mean() > 0.95


def relation(pair: str, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """A feature of two people: the product of their sides, or the correlation of their hands' heights over time."""
    height = inputs[..., [7, 11], 1]  # (N, person, time, hand)
    if pair == "mirrored side":
        side = (height[..., 0] - height[..., 1]).mean(2)
        return np.asarray(-side[:, 0] * side[:, 1])
    beat = height.mean(-1)
    beat = beat - beat.mean(-1, keepdims=True)
    return np.asarray((beat[:, 0] * beat[:, 1]).mean(-1))


def test_two_people_together_tell(
    independent: tuple[NDArray[np.float64], NDArray[np.int64]], request: pytest.FixtureRequest
) -> None:
    inputs, labels = independent
    pair = request.node.callspec.id
    accuracy = ((relation(pair, inputs) > 0) == (labels == 0)).mean()
    assert accuracy > 0.97, accuracy


@pytest.mark.parametrize("pair", RELATION_PAIRS)
def test_no_sum_over_people_is_below_ln_2(pair: tuple[str, str]) -> None:
    """Late fusion adds a logit of each person. On the balanced episodes of the data set its cross-entropy is at
    least ln 2 whatever the two functions are; here they are fitted to the very episodes they are judged on."""
    dataset = Playground(train_episodes=0, validation_episodes=0, test_episodes=40, classes=pair)
    clips = [dataset.read(int(i)) for i in dataset.parts()["test"]]
    labels = np.array([sample.label for sample in clips])
    inputs = preprocessed(clips)
    features = np.concatenate([inputs[:, 0].reshape(len(clips), -1), inputs[:, 1].reshape(len(clips), -1)], axis=1)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=100.0, max_iter=3000)).fit(features, labels)
    logits = model.decision_function(features)
    entropy = np.logaddexp(0.0, np.where(labels == 1, -logits, logits)).mean()
    assert entropy >= np.log(2.0) - 1e-9
    # while a product of the two people's features falls far below
    product = relation(pair[0], inputs)
    logits = 4.0 * product / product.std()
    assert np.logaddexp(0.0, np.where(labels == 0, -logits, logits)).mean() < 0.2
